"""Checks for learners: one line each, never an exception, and a reason that names the misconception."""

from __future__ import annotations

import copy
import linecache
import math
import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

_LONGEST = 160  # characters of a learner's value or message that a line quotes


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and what to tell them.

    ``wrong`` is a value or a function; where an exercise has ``results``, what comes out instead in its first
    cases, each a value, the type of an error, or a function that says whether a value is this mistake's.
    """

    wrong: Any
    says: str


@dataclass(frozen=True)
class Exercise:
    """What an exercise accepts.

    Attributes:
        id: lesson and name, ``"01.lookup"``.
        reference: the right value, or a right function.
        cases: for a function, the arguments it is tried on, one tuple a case; each call gets copies of its own.
        results: what must come out, one a case, where there is no ``reference`` to ask (``reference`` is left out).
        mistakes: wrong answers recognised by what they return.
        raises: calls that must fail: (arguments, error type or types, what to say when they do not).
        tolerance: largest absolute and relative difference of floating-point values.
        right: a fact worth knowing, printed with the tick.
    """

    id: str
    reference: Any = None
    cases: Sequence[tuple] = ()
    results: Sequence[Any] = ()
    mistakes: Sequence[Mistake] = ()
    raises: Sequence[tuple[tuple, Any, str]] = ()
    tolerance: float = 1e-4
    right: str = ""

    @property
    def name(self) -> str:
        return self.id.split(".", 1)[-1]


@dataclass
class _Outcome:
    """What came of one call: a value or an error, what was printed aside."""

    value: Any = None
    error: Exception | SystemExit | None = None
    changed: str = ""
    said: str = field(default="", repr=False)


class NotAttempted(Exception):
    """The stub is still a stub."""


def check(exercise_id: str, answer: Any) -> None:
    """Print one line: not attempted, right, or wrong with the reason.

    While grading (``NBGRADER_EXECUTION`` is set) anything but a right answer raises ``AssertionError`` with that line.

    Raises:
        KeyError: there is no such exercise: a mistake of the lesson, not of the learner.
    """
    from helpers.exercises import EXERCISES

    if exercise_id not in EXERCISES:
        raise KeyError(f"no exercise {exercise_id!r}; there are {', '.join(sorted(EXERCISES))}")
    report(EXERCISES[exercise_id], answer)


def report(exercise: Exercise, answer: Any) -> None:
    """As :func:`check`, for an exercise that is at hand."""
    try:
        reason = judge(exercise, answer)
        line = f"✗ {exercise.name}: {reason}" if reason else f"✓ {exercise.name}: right"
        if not reason and exercise.right:
            line += f" – {exercise.right}"
    except NotAttempted:
        reason, line = "not attempted yet", f"– {exercise.name}: not attempted yet"
    line = " ".join(line.split())
    if reason and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError(line)
    print(line)


def judge(exercise: Exercise, answer: Any) -> str:
    """Why the answer is wrong, or an empty string.

    Raises:
        NotAttempted: the answer is a stub.
    """
    if answer is None or answer is Ellipsis:
        raise NotAttempted
    if not (exercise.results or callable(exercise.reference)):
        if callable(answer):
            return f"a value is asked for, but this is the function {_name(answer)}; call it and pass what it returns"
        return _judge_value(exercise, answer)
    if not callable(answer):
        return f"a function is asked for, but this is {_quote(answer)}; pass the function itself, without calling it"
    return _judge_function(exercise, answer)


def _judge_value(exercise: Exercise, answer: Any) -> str:
    reason = difference(answer, exercise.reference, exercise.tolerance)
    if not reason:
        return ""
    for mistake in exercise.mistakes:
        if not difference(answer, mistake.wrong, exercise.tolerance):
            return mistake.says
    return reason


def _judge_function(exercise: Exercise, answer: Callable) -> str:
    outcomes = []
    for number, case in enumerate(exercise.cases):
        outcome = _call(answer, case)
        if number == 0 and (
            isinstance(outcome.error, NotImplementedError)
            or (outcome.error is None and (outcome.value is None or outcome.value is Ellipsis))
        ):
            raise NotAttempted
        outcomes.append(outcome)
    wanted = exercise.results or [_call(exercise.reference, case).value for case in exercise.cases]
    reasons = [_describe(outcome, right, exercise.tolerance) for outcome, right in zip(outcomes, wanted, strict=True)]
    if any(reasons):
        for mistake in exercise.mistakes:
            if _agrees(outcomes, mistake.wrong, exercise):
                return mistake.says
        place = next(i for i, reason in enumerate(reasons) if reason)
        where = f" (try {place + 1} of {len(reasons)})" if len(reasons) > 1 else ""
        return reasons[place] + where
    for case, expected, says in exercise.raises:
        outcome = _call(answer, case)
        if outcome.error is None:
            return says
        if not isinstance(outcome.error, expected):
            return f"{says} (it raised {type(outcome.error).__name__})"
    changed = next((outcome.changed for outcome in outcomes if outcome.changed), "")
    return changed


def _agrees(outcomes: Sequence[_Outcome], wrong: Any, exercise: Exercise) -> bool:
    """True when a known mistake gives what the learner's function gave, case by case."""
    if callable(wrong):
        others = [_call(wrong, case) for case in exercise.cases]
    else:
        others = [_expected(value) for value in wrong]
    for outcome, other in zip(outcomes, others, strict=False):
        if (outcome.error is None) != (other.error is None):
            return False
        if outcome.error is not None:
            if type(outcome.error) is not type(other.error):
                return False
        elif callable(other.value):
            if not holds(other.value, outcome.value):
                return False
        elif difference(outcome.value, other.value, exercise.tolerance):
            return False
    return True


def holds(claim: Callable[..., Any], *arguments: Any) -> bool:
    """Whether a claim returns True; one that raises does not hold."""
    try:
        return claim(*arguments) is True
    except Exception:
        return False


def _expected(result: Any) -> _Outcome:
    """A known wrong result as an outcome: a value, or the type of an error."""
    raised = isinstance(result, type) and issubclass(result, Exception)
    return _Outcome(error=result()) if raised else _Outcome(value=result)


def _call(function: Callable, arguments: tuple) -> _Outcome:
    """Call with fresh copies; catch what a learner can raise, notice changed inputs."""
    mine = copy.deepcopy(arguments)
    try:
        outcome = _Outcome(value=function(*mine))
    except (Exception, SystemExit) as error:
        return _Outcome(error=error)
    for place, (before, after) in enumerate(zip(arguments, mine, strict=True), start=1):
        if isinstance(before, torch.Tensor | list | dict) and difference(after, before, 0.0):
            outcome.changed = (
                f"the result is right, but your function changed its input (argument {place}); copy it first"
            )
    return outcome


def _describe(outcome: _Outcome, right: Any, tolerance: float) -> str:
    if outcome.error is None:
        return difference(outcome.value, right, tolerance)
    error = outcome.error
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename != __file__ and "site-packages" not in frame.filename:
            text = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            where = f" at line {frame.lineno}: {text}" if text else f" at line {frame.lineno}"
            break
    return f"it raised {type(error).__name__}: {_short(_text(error))}{where}"


def difference(got: Any, expected: Any, tolerance: float = 1e-4) -> str:
    """What distinguishes two values, in the order type, shape, dtype, value; empty when they agree.

    A Python number may stand for a zero-dimensional tensor and back; ``torch.Size``, tuple and list of the same items
    are the same; NaN equals NaN only. A boolean is not a number.
    """
    try:
        return _difference(got, expected, tolerance)
    except Exception as error:  # a value built to break comparisons
        return f"the answer cannot be compared ({type(error).__name__}); expected {_quote(expected)}"


def _difference(got: Any, expected: Any, tolerance: float) -> str:
    if isinstance(expected, torch.Tensor):
        if expected.ndim == 0 and type(got) in (int, float, bool):
            return _difference(got, expected.item(), tolerance)
        if not isinstance(got, torch.Tensor):
            return f"expected a tensor of shape {tuple(expected.shape)}, got {_quote(got)}"
        return _tensors(got.detach().as_subclass(torch.Tensor), expected.detach(), tolerance)
    if isinstance(got, torch.Tensor) and type(expected) in (int, float, bool):
        if got.numel() != 1:
            return f"expected one number, got a tensor of shape {tuple(got.shape)}"
        return _difference(got.detach().item(), expected, tolerance)
    if type(expected) in (bool, int, float):
        if type(got) not in (bool, int, float):
            return f"expected {_kind(expected)}, got {_quote(got)}"
        if isinstance(expected, bool) != isinstance(got, bool):
            return f"expected {_kind(expected)}, got {_kind(got)}: {_quote(got)}"
        if _close(got, expected, tolerance):
            return ""
        return f"value {_quote(got)} is not the expected {'answer' if isinstance(expected, bool) else 'number'}"
    if isinstance(expected, str):
        if type(got) is not str:
            return f"expected a text, got {_quote(got)}"
        return "" if got == expected else f"{_quote(got)} is not the expected text"
    if isinstance(expected, tuple | list):
        if not isinstance(got, tuple | list):
            return f"expected {len(expected)} items in a {_kind(expected)}, got {_quote(got)}"
        if len(got) != len(expected):
            return f"{len(got)} items, expected {len(expected)}"
        for place, (mine, right) in enumerate(zip(list(got), list(expected), strict=True)):
            reason = _difference(mine, right, tolerance)
            if reason:
                return f"item {place}: {reason}"
        return ""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"expected a dict, got {_quote(got)}"
        missing = [key for key in expected if key not in got]
        extra = [key for key in got if key not in expected]
        if missing or extra:
            return f"key {_quote(missing[0])} is missing" if missing else f"key {_quote(extra[0])} is not expected"
        for key, right in expected.items():
            reason = _difference(got[key], right, tolerance)
            if reason:
                return f"at {_quote(key)}: {reason}"
        return ""
    return (
        ""
        if type(got) is type(expected) and bool(got == expected)
        else f"expected {_quote(expected)}, got {_quote(got)}"
    )


def _tensors(got: torch.Tensor, expected: torch.Tensor, tolerance: float) -> str:
    if got.shape != expected.shape:
        return f"shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    if got.dtype != expected.dtype:
        return f"dtype {got.dtype}, expected {expected.dtype}".replace("torch.", "")
    if got.dtype.is_floating_point or got.dtype.is_complex:
        same = torch.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        same = got == expected
    if bool(same.all()):
        return ""
    first = torch.nonzero(~same.reshape(expected.shape))[0].tolist()
    mine, right = (tensor[tuple(first)].item() for tensor in (got, expected))
    if isinstance(mine, float) and math.isnan(mine):
        return f"value at {first} is NaN, expected {right:.4g}"
    shown = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in (mine, right)]
    return f"value at {first}: {shown[0]}, expected {shown[1]}"


def _close(got: float, expected: float, tolerance: float) -> bool:
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(got, float) and math.isnan(got)
    if isinstance(expected, float) or isinstance(got, float):
        return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
    return got == expected


def _kind(value: Any) -> str:
    names = {bool: "True or False", int: "a whole number", float: "a number", tuple: "tuple", list: "list"}
    return names.get(type(value), type(value).__name__)


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return "(no message)"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _name(function: Any) -> str:
    return _short(str(getattr(function, "__name__", type(function).__name__)))


def _quote(value: Any) -> str:
    """A short, safe description of any value."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, list | tuple | dict | set | str) and len(value) > 200:
        return f"a {type(value).__name__} of {len(value):,} items"
    if isinstance(value, bool | float | str | list | tuple | dict) or value is None:
        try:
            return _short(repr(value))
        except Exception:
            return f"a {type(value).__name__}"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else "a very large whole number"
    return f"a {type(value).__name__}"

"""Checks of answers: each prints one line with a reason, and no answer can raise an exception in a check."""

from __future__ import annotations

import contextlib
import copy
import dis
import inspect
import io
import linecache
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from helpers.exercises.comparison import (
    Agreement,
    compare,
    describe_error_text,
    name_of,
    plain,
    quote,
    shorten,
    unchanged,
)
from helpers.exercises.exercise import Exercise, Mistake, MustRaise, Status, format_line

_STUB_OPCODES = {"RESUME", "NOP", "POP_TOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}


@dataclass(frozen=True)
class Verdict:
    """The result of a check.

    Attributes:
        status: whether the answer is right, wrong or not attempted.
        text: the reason, or remarks on a right answer.
    """

    status: Status
    text: str = ""


@dataclass
class _Outcome:
    """The outcome of one call.

    Attributes:
        value: the returned value, if there is no ``error``.
        error: the error that was raised.
        changed: a message if the call changed an argument, else empty.
        printed: whether it printed anything.
    """

    value: Any = None
    error: BaseException | None = None
    changed: str = ""
    printed: bool = False


def check(exercise_id: str, answer: Any) -> None:
    """Print one line: not attempted, right, or wrong with the reason.

    Args:
        exercise_id: lesson and name of the exercise, ``"01.lookup"``.
        answer: the learner's function or value; ``...`` or None if it is not attempted.

    Raises:
        AssertionError: only while grading (``NBGRADER_EXECUTION`` is set): the answer is not right; the message is the
            line.
        KeyError: there is no such exercise.
    """
    from helpers.exercises.registry import EXERCISES

    if exercise_id not in EXERCISES:
        raise KeyError(f"no exercise {exercise_id!r}; there are {', '.join(sorted(EXERCISES))}")
    report(EXERCISES[exercise_id], answer)


def report(exercise: Exercise, answer: Any) -> None:
    """As :func:`check`, for a given exercise."""
    publish(exercise.name, judge(exercise, answer))


def publish(name: str, verdict: Verdict) -> None:
    """Print a verdict as one line; while grading, raise AssertionError with this line unless it is "right"."""
    line = format_line(verdict.status, name, verdict.text)
    if verdict.status != "right" and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError(line)
    print(line)


def judge(exercise: Exercise, answer: Any) -> Verdict:
    """Compare an answer with the reference of its exercise and with the known mistakes."""
    if answer is None or answer is Ellipsis:
        return Verdict("not attempted", _previous_cell_error())
    if exercise.results or callable(exercise.reference):
        if callable(answer):
            return _judge_function(exercise, answer)
        return Verdict(
            "wrong",
            f"expected a function, got {quote(answer)}; pass the function itself, without calling it",
        )
    if callable(answer):
        reason = f"expected a value, got the function {name_of(answer)}; call it and pass its result"
        return Verdict("wrong", reason)
    agreement = _compare(exercise, answer, exercise.reference, ignore_case=True)
    if not agreement.reason:
        return _right(exercise, agreement.notes)
    for mistake in exercise.mistakes:
        if not _compare(exercise, answer, mistake.wrong, ignore_case=True).reason:
            return Verdict("wrong", mistake.message)
    deviations = _deviations(exercise, answer)
    contained = [
        mistake.message
        for mistake in exercise.mistakes
        if frozenset() < _deviations(exercise, mistake.wrong) <= deviations
    ]
    return Verdict("wrong", "; ".join(contained) or agreement.reason)


def _deviations(exercise: Exercise, answer: Any) -> frozenset:
    """The differences between an answer that consists of several choices and the reference.

    Returns:
        Pairs of index or key and choice; for a list in any order, pairs of choice and whether the answer contains it.
        Empty for other kinds of answers, and if items are missing.
    """
    right = exercise.reference
    if isinstance(right, list | tuple) and isinstance(answer, list | tuple):
        if exercise.any_order:
            given, expected = ({plain(str(choice)) for choice in choices} for choices in (answer, right))
            return frozenset((choice, choice in given) for choice in given ^ expected)
        right, answer = dict(enumerate(right)), dict(enumerate(answer))
    if not isinstance(right, dict) or not isinstance(answer, dict) or right.keys() != answer.keys():
        return frozenset()
    return frozenset(
        (key, plain(str(answer[key]))) for key in right if plain(str(answer[key])) != plain(str(right[key]))
    )


def _compare(exercise: Exercise, got: Any, expected: Any, *, ignore_case: bool = False) -> Agreement:
    return compare(
        got, expected, exercise.tolerance,
        requires=exercise.requires, any_order=exercise.any_order, ignore_case=ignore_case,
    )  # fmt: skip


def _right(exercise: Exercise, notes: Sequence[str]) -> Verdict:
    return Verdict("right", " – ".join([*notes, exercise.right] if exercise.right else notes))


def _judge_function(exercise: Exercise, answer: Callable) -> Verdict:
    outcomes: list[_Outcome] = []
    for case in exercise.cases:
        outcome = _call(answer, case)
        if not outcomes and (outcome.value is Ellipsis or isinstance(outcome.error, NotImplementedError)):
            return Verdict("not attempted", _previous_cell_error())
        outcomes.append(outcome)
    if is_stub(answer) and all(outcome.value is None and not outcome.error for outcome in outcomes):
        return Verdict("not attempted", _previous_cell_error())
    expected = exercise.results or [_call(exercise.reference, case).value for case in exercise.cases]
    agreements = [_describe(outcome, right, exercise) for outcome, right in zip(outcomes, expected, strict=True)]
    reasons = [agreement.reason for agreement in agreements]
    if any(reasons):
        for mistake in exercise.mistakes:
            if _is_mistake(outcomes, mistake, exercise):
                return Verdict("wrong", mistake.message)
        index = next(i for i, reason in enumerate(reasons) if reason)
        attempt = f" (test case {index + 1} of {len(reasons)})" if len(reasons) > 1 else ""
        return Verdict("wrong", reasons[index] + attempt)
    for entry in exercise.raises:
        message = _must_raise(answer, MustRaise(*entry))
        if message:
            return Verdict("wrong", message)
    changed = next((outcome.changed for outcome in outcomes if outcome.changed), "")
    if changed:
        return Verdict("wrong", changed)
    return _right(exercise, list(dict.fromkeys(note for agreement in agreements for note in agreement.notes)))


def _must_raise(answer: Callable, entry: MustRaise) -> str:
    """A message if a call does not raise the required error; else empty."""
    error = _call(answer, entry.arguments).error
    if error is None:
        return entry.message
    if not isinstance(error, entry.error):
        return f"{entry.message} (it raised {type(error).__name__})"
    message = describe_error_text(error)
    missing = [text for text in entry.mentions if text not in message]
    return f"the message of your {type(error).__name__} does not contain {' and '.join(missing)}" if missing else ""


def _is_mistake(outcomes: Sequence[_Outcome], mistake: Mistake, exercise: Exercise) -> bool:
    """Whether a known mistake has the same outcomes as the learner's function in all cases."""
    if callable(mistake.wrong):
        known = [_call(mistake.wrong, case) for case in exercise.cases]
    else:
        known = [_known_outcome(value) for value in mistake.wrong]
    for outcome, other in zip(outcomes, known, strict=False):
        if (outcome.error is None) != (other.error is None):
            return False
        if outcome.error is not None and other.error is not None:
            if type(outcome.error) is not type(other.error):
                return False
            pattern = mistake.error if callable(mistake.wrong) else str(other.error)
            if (callable(mistake.wrong) and not pattern) or not re.search(pattern, describe_error_text(outcome.error)):
                return False
        elif callable(other.value):
            if not holds(other.value, outcome.value):
                return False
        elif _compare(exercise, outcome.value, other.value).reason:
            return False
    return True


def holds(claim: Callable[..., Any], *arguments: Any) -> bool:
    """Whether a predicate returns True; False if it raises an exception."""
    try:
        result = claim(*arguments)
    except Exception:
        return False
    return isinstance(result, bool | np.bool_) and bool(result)


def is_stub(function: Callable) -> bool:
    """Whether the body of a function contains only a docstring, ``...`` or ``pass``."""
    marked = getattr(function, "is_stub", None)  # set on proxies of functions of another process
    if isinstance(marked, bool):
        return marked
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and {instruction.opname for instruction in dis.get_instructions(code)} <= _STUB_OPCODES


def _previous_cell_error() -> str:
    """A message if the notebook cell that ran last ended with an error; else empty."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    result = getattr(shell, "last_execution_result", None)
    error = getattr(result, "error_before_exec", None) or getattr(result, "error_in_exec", None)
    if error is None:
        return ""
    description = shorten(f"{type(error).__name__}: {describe_error_text(error)}")
    return f"the cell that ran before this check stopped with {description}; correct it and run it again"


def _known_outcome(result: Any) -> _Outcome:
    """The outcome for an item of ``Mistake.wrong``: an error for exceptions and their types, else a value."""
    if isinstance(result, type) and issubclass(result, Exception):
        return _Outcome(error=result())
    return _Outcome(error=result) if isinstance(result, Exception) else _Outcome(value=result)


class _Tee(io.TextIOBase):
    """Forwards text to a stream.

    Attributes:
        used: whether anything but white space was written.
    """

    def __init__(self, stream: Any) -> None:
        self.stream, self.used = stream, False

    def write(self, text: str) -> int:
        self.used = self.used or bool(text.strip())
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def _call(function: Callable, arguments: tuple) -> _Outcome:
    """Call a function with copies of the arguments, and record its value or error, changed arguments and output."""
    copies = copy.deepcopy(arguments)
    tee = _Tee(sys.stdout)
    try:
        with contextlib.redirect_stdout(tee):
            value = function(*copies)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit, and the outcomes of pytest
        return _Outcome(error=error, printed=tee.used)
    outcome = _Outcome(value=value, printed=tee.used)
    for number, (before, after) in enumerate(zip(arguments, copies, strict=True), start=1):
        if isinstance(before, torch.Tensor | list | dict) and not unchanged(after, before):
            outcome.changed = (
                f"the result is right, but your function changed its input (argument {number}); copy it first"
            )
    return outcome


def _describe(outcome: _Outcome, right: Any, exercise: Exercise) -> Agreement:
    """Compare an outcome with the right value."""
    error = outcome.error
    if error is None and outcome.value is None and right is not None:
        if outcome.printed:
            return Agreement("your function prints and returns None; return the result instead of printing it")
        return Agreement("your function returns None; end it with a return statement")
    if error is None:
        return _compare(exercise, outcome.value, right)
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename != __file__ and "site-packages" not in frame.filename:
            text = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            where = f" at line {frame.lineno}: {text}" if text else f" at line {frame.lineno}"
            break
    return Agreement(f"it raised {type(error).__name__}: {shorten(describe_error_text(error))}{where}")

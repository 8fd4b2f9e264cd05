"""Checks for learners: one line each, never an exception, and a reason that names the misconception."""

from __future__ import annotations

import copy
import linecache
import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from helpers.exercises.comparison import describe_error_text, difference, name_of, quote, shorten
from helpers.exercises.exercise import Exercise


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
    from helpers.exercises.registry import EXERCISES

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
            return f"a value is asked for, but this is the function {name_of(answer)}; call it and pass what it returns"
        return _judge_value(exercise, answer)
    if not callable(answer):
        return f"a function is asked for, but this is {quote(answer)}; pass the function itself, without calling it"
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
    return f"it raised {type(error).__name__}: {shorten(describe_error_text(error))}{where}"

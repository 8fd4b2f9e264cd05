"""Checks for learners: one line each, never an exception, and a reason that names the misconception."""

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

_IDLE = {"RESUME", "NOP", "POP_TOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}  # what the bytecode of a stub does


@dataclass(frozen=True)
class Verdict:
    """What a check says: a status, and with it the reason, or what is worth knowing about a right answer."""

    status: Status
    text: str = ""


@dataclass
class _Outcome:
    """What came of one call: a value or an error, whether it changed its input, and whether it printed."""

    value: Any = None
    error: BaseException | None = None
    changed: str = ""
    printed: bool = False


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
    publish(exercise.name, judge(exercise, answer))


def publish(name: str, verdict: Verdict) -> None:
    """Print a verdict as one line, the word before its sign; while grading, raise it unless it is "right"."""
    line = format_line(verdict.status, name, verdict.text)
    if verdict.status != "right" and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError(line)
    print(line)


def judge(exercise: Exercise, answer: Any) -> Verdict:
    """Compare an answer with the reference of its exercise and with the known mistakes."""
    if answer is None or answer is Ellipsis:
        return Verdict("not attempted", _error_of_the_cell_before())
    if exercise.results or callable(exercise.reference):
        if callable(answer):
            return _judge_function(exercise, answer)
        return Verdict(
            "wrong",
            f"a function is asked for, but this is {quote(answer)}; pass the function itself, without calling it",
        )
    if callable(answer):
        given = f"a value is asked for, but this is the function {name_of(answer)}; call it and pass what it returns"
        return Verdict("wrong", given)
    agreement = _compare(exercise, answer, exercise.reference, ignore_case=True)
    if not agreement.reason:
        return _right(exercise, agreement.notes)
    for mistake in exercise.mistakes:
        if not _compare(exercise, answer, mistake.wrong, ignore_case=True).reason:
            return Verdict("wrong", mistake.message)
    found = _deviations(exercise, answer)
    contained = [each.message for each in exercise.mistakes if frozenset() < _deviations(exercise, each.wrong) <= found]
    return Verdict("wrong", "; ".join(contained) or agreement.reason)


def _deviations(exercise: Exercise, answer: Any) -> frozenset:
    """Where an answer that consists of several choices differs from the reference.

    Returns:
        Pairs of index or key and choice; of a list in any order, pairs of choice and whether it is there. Empty for
        other answers, and where items are missing.
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
            return Verdict("not attempted", _error_of_the_cell_before())
        outcomes.append(outcome)
    if is_stub(answer) and all(outcome.value is None and not outcome.error for outcome in outcomes):
        return Verdict("not attempted", _error_of_the_cell_before())
    wanted = exercise.results or [_call(exercise.reference, case).value for case in exercise.cases]
    agreements = [_describe(outcome, right, exercise) for outcome, right in zip(outcomes, wanted, strict=True)]
    reasons = [agreement.reason for agreement in agreements]
    if any(reasons):
        for mistake in exercise.mistakes:
            if _is_mistake(outcomes, mistake, exercise):
                return Verdict("wrong", mistake.message)
        index = next(i for i, reason in enumerate(reasons) if reason)
        which = f" (try {index + 1} of {len(reasons)})" if len(reasons) > 1 else ""
        return Verdict("wrong", reasons[index] + which)
    for entry in exercise.raises:
        message = _must_raise(answer, MustRaise(*entry))
        if message:
            return Verdict("wrong", message)
    changed = next((outcome.changed for outcome in outcomes if outcome.changed), "")
    if changed:
        return Verdict("wrong", changed)
    return _right(exercise, list(dict.fromkeys(note for agreement in agreements for note in agreement.notes)))


def _must_raise(answer: Callable, entry: MustRaise) -> str:
    """What to say when a call that must fail does not fail as it must; empty when it does."""
    error = _call(answer, entry.arguments).error
    if error is None:
        return entry.message
    if not isinstance(error, entry.error):
        return f"{entry.message} (it raised {type(error).__name__})"
    message = describe_error_text(error)
    missing = [text for text in entry.mentions if text not in message]
    return f"the message of your {type(error).__name__} does not say {' and '.join(missing)}" if missing else ""


def _is_mistake(outcomes: Sequence[_Outcome], mistake: Mistake, exercise: Exercise) -> bool:
    """True when a known mistake gives what the learner's function gave, case by case."""
    if callable(mistake.wrong):
        others = [_call(mistake.wrong, case) for case in exercise.cases]
    else:
        others = [_expected(value) for value in mistake.wrong]
    for outcome, other in zip(outcomes, others, strict=False):
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
    """Whether a claim returns True; one that raises does not hold."""
    try:
        result = claim(*arguments)
    except Exception:
        return False
    return isinstance(result, bool | np.bool_) and bool(result)


def is_stub(function: Callable) -> bool:
    """Whether a function has no body yet: a docstring, ``...`` or ``pass``."""
    is_stub = getattr(function, "is_stub", None)  # set on what stands for a function of another process
    if isinstance(is_stub, bool):
        return is_stub
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and {instruction.opname for instruction in dis.get_instructions(code)} <= _IDLE


def _error_of_the_cell_before() -> str:
    """In a notebook: how the cell that ran last ended, if it was with an error."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    result = getattr(shell, "last_execution_result", None)
    error = getattr(result, "error_before_exec", None) or getattr(result, "error_in_exec", None)
    if error is None:
        return ""
    said = shorten(f"{type(error).__name__}: {describe_error_text(error)}")
    return f"the cell that ran before this check stopped with {said}; correct it and run it again"


def _expected(result: Any) -> _Outcome:
    """A known wrong result as an outcome: a value or an error."""
    if isinstance(result, type) and issubclass(result, Exception):
        return _Outcome(error=result())
    return _Outcome(error=result) if isinstance(result, Exception) else _Outcome(value=result)


class _Tee(io.TextIOBase):
    """Passes on what is written and remembers that something was."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.used = stream, False

    def write(self, text: str) -> int:
        self.used = self.used or bool(text.strip())
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


def _call(function: Callable, arguments: tuple) -> _Outcome:
    """Call with fresh copies; catch what a learner can raise, notice changed inputs and what is printed."""
    mine = copy.deepcopy(arguments)
    tee = _Tee(sys.stdout)
    try:
        with contextlib.redirect_stdout(tee):
            value = function(*mine)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit, and pytest's own outcomes
        return _Outcome(error=error, printed=tee.used)
    outcome = _Outcome(value=value, printed=tee.used)
    for number, (before, after) in enumerate(zip(arguments, mine, strict=True), start=1):
        if isinstance(before, torch.Tensor | list | dict) and not unchanged(after, before):
            outcome.changed = (
                f"the result is right, but your function changed its input (argument {number}); copy it first"
            )
    return outcome


def _describe(outcome: _Outcome, right: Any, exercise: Exercise) -> Agreement:
    error = outcome.error
    if error is None and outcome.value is None and right is not None:
        if outcome.printed:
            return Agreement("your function prints and returns nothing; end it with return instead of print")
        return Agreement("your function returns nothing (None); end it with return and the result")
    if error is None:
        return _compare(exercise, outcome.value, right)
    where = ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename != __file__ and "site-packages" not in frame.filename:
            text = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
            where = f" at line {frame.lineno}: {text}" if text else f" at line {frame.lineno}"
            break
    return Agreement(f"it raised {type(error).__name__}: {shorten(describe_error_text(error))}{where}")

"""What the test cells of a homework call: worked examples that learners see, and tests that they do not.

The answers are never in here: a worked example holds plain data, what a hidden test expects stands in its cell. While
grading, the functions that are tested live in another process, behind :mod:`helpers.grading.sandbox.host`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from helpers.exercises import comparison
from helpers.exercises.check import Verdict, holds, publish, report
from helpers.exercises.exercise import SIGNS, Exercise, Mistake

Example = tuple[tuple, Any]
"""Arguments, and what must come out."""


def examine(
    name: str,
    answer: Any,
    examples: Sequence[Example],
    *,
    says: Mapping[str, Sequence[Any]] | None = None,
    raises: Sequence[tuple] = (),
    requires: Collection[str] = (),
    right: str = "",
) -> None:
    """Try a learner's function on worked examples and print one line, as :func:`helpers.check` does.

    Args:
        name: how the line calls the function.
        answer: the learner's function, or a stub.
        examples: pairs of arguments and what must come out.
        says: what to tell who makes a known mistake → what comes out then in the first example, the second, …:
            a value, an error, or a function that returns whether a value is this mistake's. An error is a type, or an
            exception whose text is a pattern found in that of the learner's.
        raises: calls that must fail: the fields of :class:`~helpers.exercises.exercise.MustRaise`.
        requires: as in :class:`~helpers.exercises.exercise.Exercise`.
        right: a fact worth knowing, printed with the tick.

    Raises:
        AssertionError: only while grading (``NBGRADER_EXECUTION`` is set): the answer is not right.
    """
    mistakes = [Mistake(wrong, text) for text, wrong in (says or {}).items()]
    cases, results = zip(*examples, strict=True)
    exercise = Exercise(
        f"homework.{name}",
        cases=cases,
        results=results,
        mistakes=mistakes,
        raises=raises,
        requires=requires,
        right=right,
    )
    report(exercise, answer)


def examine_value(
    name: str, answer: Any, expected: Any, *, says: Mapping[str, Any] | None = None, right: str = ""
) -> None:
    """The same for an answer that is a value: a number, a choice, a list; ``says`` maps a text to the wrong value."""
    mistakes = [Mistake(wrong, text) for text, wrong in (says or {}).items()]
    report(Exercise(f"homework.{name}", expected, mistakes=mistakes, right=right), answer)


def plausible(name: str, answer: Any, claims: Mapping[str, Callable[[Any], Any]], *, right: str = "") -> None:
    """The visible half for a value that only hidden tests know: what must be true of it, whatever it is.

    Args:
        claims: what to tell when it does not hold → a function of the answer that returns whether it holds. The first
            that fails is told.
    """
    answer = answer.tolist() if isinstance(answer, torch.Tensor | np.ndarray) else answer
    reason = next((says for says, claim in claims.items() if not holds(claim, answer)), "")
    if answer is None or answer is ...:
        report(Exercise(f"homework.{name}", ""), answer)
    else:
        publish(name, Verdict("wrong", reason) if reason else Verdict("right", right))


def hidden(tests: Mapping[str, Callable[[], Any]]) -> None:
    """Run tests whose names, and nothing else, reach a learner.

    Args:
        tests: name → a function without arguments that returns whether the test passes. One that raises fails.

    Raises:
        AssertionError: only while grading: the names of those that failed.
    """
    failed = [name for name, test in tests.items() if not holds(test)]
    if failed and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError("hidden tests failed: " + "; ".join(failed))
    print("\n".join(f"{SIGNS['wrong' if name in failed else 'right']} hidden: {name}" for name in tests))


def same(got: Any, expected: Any, tolerance: float = 1e-4, *, requires: Collection[str] = ()) -> bool:
    """Whether two values agree as :func:`examine` understands it, up to ``tolerance``."""
    return not comparison.difference(got, expected, tolerance, requires=requires)


def as_tensor(value: Any) -> torch.Tensor:
    """What a learner's function returned, as a tensor: an array or a list of numbers is as right.

    Raises:
        TypeError: it holds something else than numbers, or rows of different lengths.
    """
    tensor = comparison.as_tensor(value)
    if tensor is None:
        raise TypeError(f"{comparison.quote(value)} is no tensor")
    return tensor


def error_of(function: Callable, *arguments: Any) -> BaseException | None:
    """The error in which a call ends; ``pytest.fail`` and ``pytest.raises`` raise one that is no ``Exception``."""
    try:
        function(*arguments)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        return error
    return None


def fails(function: Callable, *arguments: Any) -> bool:
    """Whether a call ends in an error: for a learner's own test, whether it rejects what it is given."""
    return error_of(function, *arguments) is not None


def own_numbers(learner_id: Any, question: str, *ranges: tuple[int, int]) -> list[int]:
    """Numbers that belong to one learner and question: the same every time, others for everybody else.

    Args:
        learner_id: how the course knows the learner; without one everybody gets the same numbers.
        ranges: the smallest and the largest of each number.
    """
    known = " ".join(str(learner_id).split()).casefold() if isinstance(learner_id, str | int) else ""
    numbers = []
    for place, (low, high) in enumerate(ranges):
        digest = hashlib.sha256(f"{question}/{place}/{known}".encode()).digest()
        numbers.append(low + int.from_bytes(digest[:8], "big") % (high - low + 1))
    return numbers

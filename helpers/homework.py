"""What the test cells of a homework call: worked examples that learners see, and tests that they do not.

The answers are never in here: a worked example holds plain data, what a hidden test expects stands in its cell. While
grading, the functions that are tested live in another process, behind :mod:`helpers.grading.sandbox.host`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from helpers.exercises.check import holds, report
from helpers.exercises.comparison import difference
from helpers.exercises.exercise import Exercise, Mistake

Example = tuple[tuple, Any]
"""Arguments, and what must come out."""


def examine(
    name: str,
    answer: Any,
    examples: Sequence[Example],
    *,
    says: Mapping[str, Sequence[Any]] | None = None,
    raises: Sequence[tuple[tuple, Any, str]] = (),
    right: str = "",
) -> None:
    """Try a learner's function on worked examples and print one line, as :func:`helpers.check` does.

    Args:
        name: how the line calls the function.
        answer: the learner's function, or a stub.
        examples: pairs of arguments and what must come out.
        says: what to tell who makes a known mistake → what comes out then in the first example, the second, …:
            a value, the type of an error, or a function that says whether a value is this mistake's.
        raises: calls that must fail: (arguments, error type or types, what to say when they do not).
        right: a fact worth knowing, printed with the tick.

    Raises:
        AssertionError: only while grading (``NBGRADER_EXECUTION`` is set): the answer is not right.
    """
    mistakes = [Mistake(wrong, text) for text, wrong in (says or {}).items()]
    cases, results = zip(*examples, strict=True)
    report(
        Exercise(f"homework.{name}", cases=cases, results=results, mistakes=mistakes, raises=raises, right=right),
        answer,
    )


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
    if answer is not None and answer is not ...:
        answer = next((says for says, claim in claims.items() if not holds(claim, answer)), "")
    report(Exercise(f"homework.{name}", "", mistakes=[Mistake(answer, answer)], right=right), answer)


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
    print("\n".join(f"{'✗' if name in failed else '✓'} hidden: {name}" for name in tests))


def same(got: Any, expected: Any, tolerance: float = 1e-4) -> bool:
    """Whether two values agree in type, shape, dtype and, up to ``tolerance``, in value."""
    return not difference(got, expected, tolerance)


def fails(function: Callable, *arguments: Any) -> bool:
    """Whether a call ends in an error: for a learner's own test, whether it rejects what it is given."""
    try:
        function(*arguments)
    except Exception:
        return True
    return False


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

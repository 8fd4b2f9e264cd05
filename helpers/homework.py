"""Functions for the test cells of a homework: visible worked examples, and hidden tests.

This module contains no answers: worked examples and hidden tests state their expected results in the notebook. While
grading, the functions under test run in another process, behind :mod:`helpers.grading.sandbox.host`.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from helpers.exercises import comparison
from helpers.exercises.check import Verdict, holds, publish, report
from helpers.exercises.exercise import SIGNS, Exercise, Mistake

references: dict[str, Callable[[], Any]] = {}
"""Name → a function that evaluates the author's answer; empty unless a submission is graded."""

ROUNDS = 6  # how often a learner's test is tried on each implementation while it is graded

Example = tuple[tuple, Any]
"""Arguments and the expected result."""


def examine(
    name: str,
    answer: Any,
    examples: Sequence[Example],
    *,
    mistakes: Mapping[str, Sequence[Any]] | None = None,
    raises: Sequence[tuple] = (),
    requires: Collection[str] = (),
    right: str = "",
) -> None:
    """Try a learner's function on worked examples and print one line, as :func:`helpers.check` does.

    Args:
        name: name of the function in the printed line.
        answer: the learner's function, or a stub.
        examples: pairs of arguments and the expected result.
        mistakes: message for a known mistake → its results in the first example, the second, …. A result is a value,
            an error, or a predicate on the learner's result. An error is a type, or an exception whose text is a
            pattern that is searched for in the text of the learner's error.
        raises: calls that must fail: the fields of :class:`~helpers.exercises.exercise.MustRaise`.
        requires: as in :class:`~helpers.exercises.exercise.Exercise`.
        right: a remark that is printed with a right answer.

    Raises:
        AssertionError: only while grading (``NBGRADER_EXECUTION`` is set): the answer is not right.
    """
    known = [Mistake(wrong, text) for text, wrong in (mistakes or {}).items()]
    cases, results = zip(*examples, strict=True)
    exercise = Exercise(
        f"homework.{name}",
        cases=cases,
        results=results,
        mistakes=known,
        raises=raises,
        requires=requires,
        right=right,
    )
    report(exercise, answer)


def examine_value(
    name: str, answer: Any, expected: Any, *, mistakes: Mapping[str, Any] | None = None, right: str = ""
) -> None:
    """As :func:`examine`, for an answer that is a value: a number, a choice, a list.

    Args:
        mistakes: message for a known mistake → the wrong value.
    """
    known = [Mistake(wrong, text) for text, wrong in (mistakes or {}).items()]
    report(Exercise(f"homework.{name}", expected, mistakes=known, right=right), answer)


def plausible(name: str, answer: Any, claims: Mapping[str, Callable[[Any], Any]], *, right: str = "") -> None:
    """The visible check of a value whose exact result is tested by hidden tests: properties of any right value.

    Args:
        claims: message → a function of the answer that returns whether a property holds. The message of the first
            property that does not hold is printed.
    """
    answer = answer.tolist() if isinstance(answer, torch.Tensor | np.ndarray) else answer
    reason = next((message for message, claim in claims.items() if not holds(claim, answer)), "")
    if answer is None or answer is ...:
        report(Exercise(f"homework.{name}", ""), answer)
    else:
        publish(name, Verdict("wrong", reason) if reason else Verdict("right", right))


def hidden(tests: Mapping[str, Callable[[], Any]]) -> None:
    """Run tests whose names are all that learners see.

    Args:
        tests: name → a function without arguments that returns whether the test passes. A test that raises fails.

    Raises:
        AssertionError: only while grading: a test failed; the message names those that did.
    """
    _trials.clear()
    order = random.SystemRandom().sample(list(tests), len(tests))
    wrong = {name for name in order if not holds(tests[name])}
    if _trials and not wrong and os.environ.get("NBGRADER_EXECUTION"):
        # Repeated in random order: a learner's test cannot pass by counting its calls.
        again = random.SystemRandom().sample(order * (ROUNDS - 1), len(order) * (ROUNDS - 1))
        wrong = {name for name in again if not holds(tests[name])}
    if not all(trial.calls for trial in _trials):
        wrong = set(tests)
    failed = [name for name in tests if name in wrong]
    if failed and os.environ.get("NBGRADER_EXECUTION"):
        raise AssertionError("hidden tests failed: " + "; ".join(failed))
    print("\n".join(f"{SIGNS['wrong' if name in failed else 'right']} hidden: {name}" for name in tests))


def same(got: Any, expected: Any, tolerance: float = 1e-4, *, requires: Collection[str] = ()) -> bool:
    """Whether two values agree, by the rules of :func:`examine`, up to ``tolerance``."""
    return not comparison.difference(got, expected, tolerance, requires=requires)


def as_tensor(value: Any) -> torch.Tensor:
    """The return value of a learner's function as a tensor; arrays and lists of numbers are accepted.

    Raises:
        TypeError: it contains something other than numbers, or rows of different lengths.
    """
    tensor = comparison.as_tensor(value)
    if tensor is None:
        raise TypeError(f"{comparison.quote(value)} is not a tensor; expected a tensor, an array, or lists of numbers")
    return tensor


def error_of(function: Callable, *arguments: Any) -> BaseException | None:
    """The error that a call raises, or None."""
    try:
        function(*arguments)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # pytest.fail and pytest.raises raise subclasses of BaseException
        return error
    return None


def fails(function: Callable, *arguments: Any) -> bool:
    """Whether a call raises an error.

    If the function is a learner's own test, whose only argument is an implementation: whether the test rejects it. The
    implementation is passed as an :class:`Anonymous` function.
    """
    if len(arguments) == 1 and callable(arguments[0]):
        arguments = (Anonymous(arguments[0]),)
        _trials.append(arguments[0])
    return error_of(function, *arguments) is not None


def rejections(test: Any, wrong: Sequence[Callable], right: Sequence[Callable]) -> tuple[list[bool], list[bool]] | None:
    """Whether a learner's test rejects each of these implementations.

    While a submission is graded, each implementation is tested :data:`ROUNDS` times, all in random order. A wrong one
    counts as rejected if it is rejected every time, a right one if it is rejected once. If the test does not call the
    implementation, the verdict of its first run counts.

    Returns:
        For the wrong and for the right implementations, whether each is rejected; None if the test is not written yet.
    """
    if test is ...:
        return None
    first = Anonymous(wrong[0])
    rejects = error_of(test, first) is not None
    if not (rejects or first.calls):
        return None
    rounds = ROUNDS if os.environ.get("NBGRADER_EXECUTION") else 1
    rejected: dict[tuple[bool, int], list[bool]] = {
        (is_right, index): [] for is_right, group in ((False, wrong), (True, right)) for index in range(len(group))
    }
    trials = [*rejected] * rounds
    for is_right, index in random.SystemRandom().sample(trials, len(trials)):
        implementation = Anonymous((right if is_right else wrong)[index])
        verdict = error_of(test, implementation) is not None
        rejected[is_right, index].append(verdict if implementation.calls else rejects)
    return (
        [all(verdicts) for (is_right, _), verdicts in rejected.items() if not is_right],
        [any(verdicts) for (is_right, _), verdicts in rejected.items() if is_right],
    )


def reference(name: str) -> Callable | None:
    """The author's function of this name while a submission is graded, else None."""
    return references[name]() if name in references else None


class Anonymous:
    """A wrapper that hides the name and the signature of a function; only its results and errors can be observed.

    Attributes:
        calls: how often it was called.
    """

    __name__ = "implementation"

    def __init__(self, function: Callable):
        self._function = function
        self._arity = _arity(function)
        self.calls = 0

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        arity_error = TypeError(f"implementation() does not take {len(arguments)} arguments")
        if self._arity not in (None, len(arguments)):
            raise arity_error
        try:
            return self._function(*arguments)
        except TypeError as error:
            if _ARITY_ERROR.match(str(error)):
                raise arity_error from None
            raise


_trials: list[Anonymous] = []  # implementations passed to learners' tests since hidden() was called
_ARITY_ERROR = re.compile(r"[\w.<>]+\(\) (takes|missing|got) ")


def _arity(function: Callable) -> int | None:
    """The number of positional parameters without a default; None if it is not known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional and each.default is inspect.Parameter.empty for each in parameters)


def own_numbers(learner_id: Any, question: str, *ranges: tuple[int, int]) -> list[int]:
    """Numbers derived from a learner's id and a question (SHA-256): reproducible, and different between learners.

    Args:
        learner_id: the id of the learner, compared without case and surplus blanks; without one, all learners get the
            same numbers.
        question: the id of the question.
        ranges: the smallest and the largest value of each number, both included.
    """
    normalised = " ".join(str(learner_id).split()).casefold() if isinstance(learner_id, str | int) else ""
    numbers = []
    for index, (low, high) in enumerate(ranges):
        digest = hashlib.sha256(f"{question}/{index}/{normalised}".encode()).digest()
        numbers.append(low + int.from_bytes(digest[:8], "big") % (high - low + 1))
    return numbers

"""Data classes of exercises and quiz questions, with right answers and known wrong answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Status = Literal["right", "wrong", "not attempted"]

SIGNS: dict[Status, str] = {"right": "Right ✓", "wrong": "Wrong ✗", "not attempted": "Not attempted –"}
"""The beginning of a line of a check by its status: the word first, for screen readers."""


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer, and the message for it.

    Attributes:
        wrong: a value or a function; for an exercise with ``results``, the wrong results of its first cases, each a
            value, an error, or a predicate on the learner's result. An error is a type, or an exception whose text is a
            pattern that is searched for in the text of the learner's error.
        message: the message.
        error: if ``wrong`` is a function that raises in a case: a pattern (:func:`re.search`) that the text of the
            learner's error must contain; its type must be the same. Without a pattern, an answer that raises is not
            recognised as this mistake.
    """

    wrong: Any
    message: str
    error: str = ""


class MustRaise(NamedTuple):
    """A call that must fail.

    Attributes:
        arguments: of the call.
        error: the required type of the error, or several.
        message: the message for an answer that does not raise it.
        mentions: texts that the error's message must contain.
    """

    arguments: tuple
    error: type[BaseException] | tuple[type[BaseException], ...]
    message: str
    mentions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """What an exercise accepts.

    Attributes:
        id: lesson and name, ``"01.lookup"``.
        reference: the right value, or a right function.
        cases: for a function, its arguments, one tuple per case; each call gets copies of them.
        results: the right results, one per case, instead of a ``reference``.
        mistakes: known wrong answers.
        raises: calls that must fail: :class:`MustRaise`, or a plain tuple of its fields.
        tolerance: largest absolute and relative difference of floating-point values.
        requires: properties that must agree with the reference in addition to the values, as its statement says:
            ``"kind"`` (integers or floats), ``"dtype"``, ``"container"``.
        any_order: whether the order of a list of answers is ignored.
        right: a remark that is printed with a right answer.
    """

    id: str
    reference: Any = None
    cases: Sequence[tuple] = ()
    results: Sequence[Any] = ()
    mistakes: Sequence[Mistake] = ()
    raises: Sequence[tuple] = ()
    tolerance: float = 1e-4
    requires: Collection[str] = ()
    any_order: bool = False
    right: str = ""

    @property
    def name(self) -> str:
        """The id without the lesson."""
        return self.id.split(".", 1)[-1]


@dataclass(frozen=True)
class Question:
    """A multiple-choice question of a lesson.

    Attributes:
        id: lesson and name, ``"01.sum"``.
        text: the question.
        options: two or more answers to choose from.
        answer: the index of the right option.
        reason: the explanation; shown after the right answer.

    Raises:
        ValueError: fewer than two options, equal options, or an ``answer`` that is not a valid index.
    """

    id: str
    text: str
    options: Sequence[str]
    answer: int
    reason: str

    def __post_init__(self) -> None:
        if len(self.options) < 2 or len({*self.options}) < len(self.options):
            raise ValueError(f"{self.id}: give two or more different options, got {list(self.options)}")
        if not 0 <= self.answer < len(self.options):
            raise ValueError(
                f"{self.id}: answer must be the index of one of {len(self.options)} options, got {self.answer}"
            )


class Line(NamedTuple):
    """The parts of a printed line of a check.

    Attributes:
        status: the status.
        name: the name of the exercise.
        text: the reason, or remarks on a right answer.
    """

    status: Status
    name: str
    text: str


def format_line(status: Status, name: str, text: str = "") -> str:
    """The line that a check prints: status, name, and text."""
    line = f"{SIGNS[status]} {name}"
    if text:
        line += f" – {text}" if status == "right" else f": {text}"
    return " ".join(line.split())


def parse_line(line: str) -> Line | None:
    """The inverse of :func:`format_line`; ``None`` for any other text."""
    for status, sign in SIGNS.items():
        if line.startswith(f"{sign} "):
            name, _, text = line.removeprefix(f"{sign} ").partition(" – " if status == "right" else ": ")
            return Line(status, name.strip(), text)
    return None

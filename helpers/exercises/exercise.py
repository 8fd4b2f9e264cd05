"""The data of exercises and quiz questions: right answers, and the wrong answers that are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Status = Literal["right", "wrong", "not attempted"]

SIGNS: dict[Status, str] = {"right": "Right ✓", "wrong": "Wrong ✗", "not attempted": "Not attempted –"}
"""What a line of a check begins with, by its status: the word first, for screen readers."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and what to tell them.

    Attributes:
        wrong: a value or a function; where an exercise has ``results``, what comes out instead in its first cases,
            each a value, an error, or a function that returns whether a value is this mistake's. An error is a type,
            or an exception whose text is a pattern found in the text of the learner's.
        message: the message.
        error: for a function that raises on a case: a pattern (:func:`re.search`) that is found in the text of the
            learner's error, which has the same type. Without it an answer that raises is not this mistake.
    """

    wrong: Any
    message: str
    error: str = ""


class MustRaise(NamedTuple):
    """A call that must fail.

    Attributes:
        arguments: of the call.
        error: the type of the error, or several.
        message: the message for an answer that does not raise it.
        mentions: texts that the error's message must hold.
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
        cases: for a function, the arguments it is tried on, one tuple a case; each call gets copies of its own.
        results: what must come out, one a case, where there is no ``reference`` to ask (``reference`` is left out).
        mistakes: wrong answers recognised by what they return.
        raises: calls that must fail: :class:`MustRaise`, or a plain tuple of its fields.
        tolerance: largest absolute and relative difference of floating-point values.
        requires: what must agree with the reference besides the values, and so stands in the statement: ``"kind"``
            (integers or floats), ``"dtype"``, ``"container"``.
        any_order: the order of a list of answers plays no part.
        right: a fact worth knowing, printed with the tick.
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
        return self.id.split(".", 1)[-1]


@dataclass(frozen=True)
class Question:
    """A multiple-choice question of a lesson.

    Attributes:
        id: lesson and name, ``"01.sum"``.
        text: the question.
        options: two or more answers to choose from.
        answer: the index of the right option.
        reason: why it is right; shown with the right answer.

    Raises:
        ValueError: fewer than two options, equal options, or an answer that is the index of none.
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
    """A printed line of a check, taken apart.

    Attributes:
        name: of the exercise.
        text: the reason, or what is worth knowing about a right answer.
    """

    status: Status
    name: str
    text: str


def format_line(status: Status, name: str, text: str = "") -> str:
    """The one line that a check prints: the word before its sign, the name, and the text."""
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

"""The data of exercises and quiz questions: right answers, and the wrong answers that are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

SIGNS = {"right": "Right ✓", "wrong": "Wrong ✗", "not attempted": "Not attempted –"}
"""What a line of a check begins with, by its status: the word first, for screen readers."""


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people really give, and what to tell them.

    Attributes:
        wrong: a value or a function; where an exercise has ``results``, what comes out instead in its first cases,
            each a value, an error, or a function that returns whether a value is this mistake's. An error is a type,
            or an exception whose text is a pattern found in the text of the learner's.
        says: the message.
        error: for a function that raises on a case: a pattern (:func:`re.search`) that is found in the text of the
            learner's error, which has the same type. Without it an answer that raises is not this mistake.
    """

    wrong: Any
    says: str
    error: str = ""


class MustRaise(NamedTuple):
    """A call that must fail.

    Attributes:
        arguments: of the call.
        error: the type of the error, or several.
        says: the message for an answer that does not raise it.
        mentions: texts that the error's message must hold.
    """

    arguments: tuple
    error: type[BaseException] | tuple[type[BaseException], ...]
    says: str
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

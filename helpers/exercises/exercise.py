"""The data of exercises and quiz questions: right answers, and the wrong answers that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


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

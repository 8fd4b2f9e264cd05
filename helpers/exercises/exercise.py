"""What an exercise is: its right answer and the wrong answers that are known."""

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

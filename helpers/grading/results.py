"""A learner's result as it counts: points of the gradebook, adjusted questions, and the late penalty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from helpers.grading.assignment import Question
from helpers.grading.dates import Lateness

Kind = Literal["drop", "full", "points"]


@dataclass(frozen=True)
class Adjustment:
    """A decision about one question that holds for all whose submissions are graded.

    Attributes:
        question: :attr:`helpers.grading.assignment.Question.name`.
        kind: ``drop``: the question counts neither in the points nor in their maximum; ``full``: everybody has all of
            its points; ``points``: everybody has at least ``points`` of them.
        reason: shown to learners.
        recorded: when it was decided, for people.
    """

    question: str
    kind: Kind
    reason: str
    points: float | None = None
    recorded: str = ""

    def __str__(self) -> str:
        if self.kind == "drop":
            return "does not count"
        return "full points for everybody" if self.kind == "full" else f"at least {self.points:g} points for everybody"


@dataclass(frozen=True)
class CellGrade:
    """Points of one graded cell: by tests (``auto``) or by hand (``manual``), which counts if it is there.

    Attributes:
        waiting: for points by hand.
        review: the points by hand are those of an answer, or of tests, that have changed since.
    """

    points: float
    max_points: float
    auto: float | None = None
    manual: float | None = None
    waiting: bool = False
    review: bool = False


@dataclass(frozen=True)
class QuestionResult:
    """What a learner has for one question.

    Attributes:
        earned: points by tests and by hand, before an adjustment.
        waiting: a part waits for a grade by hand.
    """

    question: Question
    earned: float
    waiting: bool = False
    adjustment: Adjustment | None = None

    @property
    def max_points(self) -> float:
        return 0.0 if self.adjustment and self.adjustment.kind == "drop" else self.question.max_points

    @property
    def points(self) -> float:
        if self.adjustment is None:
            return self.earned
        at_least = {"drop": 0.0, "full": self.question.max_points, "points": self.adjustment.points or 0.0}
        earned = 0.0 if self.adjustment.kind == "drop" else self.earned
        return max(earned, at_least[self.adjustment.kind])

    @property
    def lost(self) -> float:
        return max(0.0, self.max_points - self.points)


@dataclass(frozen=True)
class Result:
    """What a learner has for a homework."""

    questions: tuple[QuestionResult, ...]
    penalty: float = 0.0
    lateness: Lateness = Lateness()

    @property
    def points(self) -> float:
        """Without the late penalty."""
        return sum(each.points for each in self.questions)

    @property
    def max_points(self) -> float:
        return sum(each.max_points for each in self.questions)

    @property
    def score(self) -> float:
        """Points without the penalty, never below zero."""
        return max(0.0, self.points - self.penalty)

    @property
    def waiting(self) -> bool:
        return any(each.waiting for each in self.questions)


def result(
    questions: Iterable[Question], grades: Mapping[str, CellGrade], adjustments: Iterable[Adjustment] = ()
) -> Result:
    """Sum up the graded cells of a submission by question; a cell that no question has is one of its own.

    A question that is dropped, or of which everybody has all points, waits for nobody.
    """
    questions = list(questions)
    known = {cell for question in questions for cell in question.points}
    questions += [Question("", cell, (cell,), {cell: grades[cell].max_points}) for cell in grades if cell not in known]
    by_name = {adjustment.question: adjustment for adjustment in adjustments}
    found = []
    for question in questions:
        cells = [grades[cell] for cell in question.points if cell in grades]
        adjustment = by_name.get(question.name)
        waiting = any(cell.waiting for cell in cells) and not (adjustment and adjustment.kind in ("drop", "full"))
        found.append(QuestionResult(question, sum(cell.points for cell in cells), waiting, adjustment))
    return Result(tuple(found))


def maximum(questions: Iterable[Question], adjustments: Iterable[Adjustment] = ()) -> float | None:
    """The points that can be had for a homework; ``None`` if no question is known."""
    questions = list(questions)
    dropped = {adjustment.question for adjustment in adjustments if adjustment.kind == "drop"}
    return sum(each.max_points for each in questions if each.name not in dropped) if questions else None


def dated(result: Result, penalty: float, lateness: Lateness) -> Result:
    """The same result with its late penalty and dates."""
    return replace(result, penalty=penalty, lateness=lateness)


def find_question(questions: Sequence[Question], text: str) -> Question:
    """The question with this number, title, name, or graded cell.

    Raises:
        ValueError: there is none, or several.
    """
    wanted = text.strip().casefold()
    for names in (
        lambda each: {each.number},
        lambda each: {each.title.casefold(), each.name.casefold()},
        lambda each: {cell.casefold() for cell in each.cells},
    ):
        if found := [each for each in questions if wanted in names(each) - {""}]:
            if len(found) > 1:
                raise ValueError(f"{text!r} is the name of several questions; give its number")
            return found[0]
    raise ValueError(f"no question is called {text!r}; there are {', '.join(each.name for each in questions)}")

"""The result of a learner: points of the gradebook, adjustments of questions, and the late penalty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from helpers.grading.assignment import Question
from helpers.grading.dates import Lateness

Kind = Literal["drop", "full", "points"]


@dataclass(frozen=True)
class Adjustment:
    """A change of the points of one question for all learners with a graded submission.

    Attributes:
        question: :attr:`helpers.grading.assignment.Question.name`.
        kind: ``drop``: the question counts neither in the points nor in their maximum; ``full``: all learners get all
            of its points; ``points``: all learners get at least ``points`` of them.
        reason: shown to learners.
        points: the minimum, for the kind ``points``.
        recorded: the time of the decision, as text.
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
    """Points of one graded cell.

    Attributes:
        points: the points that count: those by hand if there are any, else those of the tests.
        max_points: the maximum.
        auto: the points of the tests.
        manual: the points by hand.
        waiting: whether points by hand are missing.
        review: whether the answer or the points of the tests changed after points by hand were given.
    """

    points: float
    max_points: float
    auto: float | None = None
    manual: float | None = None
    waiting: bool = False
    review: bool = False


@dataclass(frozen=True)
class QuestionResult:
    """The result of a learner in one question.

    Attributes:
        question: the question.
        earned: points by tests and by hand, before an adjustment.
        waiting: whether a part has no grade by hand yet.
        adjustment: the adjustment of the question, if there is one.
    """

    question: Question
    earned: float
    waiting: bool = False
    adjustment: Adjustment | None = None

    @property
    def max_points(self) -> float:
        """The maximum; 0 if the question is dropped."""
        return 0.0 if self.adjustment and self.adjustment.kind == "drop" else self.question.max_points

    @property
    def points(self) -> float:
        """The points after the adjustment."""
        if self.adjustment is None:
            return self.earned
        minimum = {"drop": 0.0, "full": self.question.max_points, "points": self.adjustment.points or 0.0}
        earned = 0.0 if self.adjustment.kind == "drop" else self.earned
        return max(earned, minimum[self.adjustment.kind])

    @property
    def lost(self) -> float:
        """The difference to the maximum, at least 0."""
        return max(0.0, self.max_points - self.points)


@dataclass(frozen=True)
class Result:
    """The result of a learner in a homework."""

    questions: tuple[QuestionResult, ...]
    penalty: float = 0.0
    lateness: Lateness = Lateness()

    @property
    def points(self) -> float:
        """The points before the late penalty."""
        return sum(question.points for question in self.questions)

    @property
    def max_points(self) -> float:
        """The maximum, without dropped questions."""
        return sum(question.max_points for question in self.questions)

    @property
    def score(self) -> float:
        """Points minus the late penalty, at least 0."""
        return max(0.0, self.points - self.penalty)

    @property
    def waiting(self) -> bool:
        """Whether a question has no complete grade by hand yet."""
        return any(question.waiting for question in self.questions)


def result(
    questions: Iterable[Question], grades: Mapping[str, CellGrade], adjustments: Iterable[Adjustment] = ()
) -> Result:
    """Sum up the graded cells of a submission by question; each cell that belongs to no question becomes one.

    Questions with an adjustment ``drop`` or ``full`` do not wait for a grade by hand.
    """
    questions = list(questions)
    known = {cell for question in questions for cell in question.points}
    questions += [Question("", cell, (cell,), {cell: grades[cell].max_points}) for cell in grades if cell not in known]
    by_name = {adjustment.question: adjustment for adjustment in adjustments}
    results = []
    for question in questions:
        cells = [grades[cell] for cell in question.points if cell in grades]
        adjustment = by_name.get(question.name)
        waiting = any(cell.waiting for cell in cells) and not (adjustment and adjustment.kind in ("drop", "full"))
        results.append(QuestionResult(question, sum(cell.points for cell in cells), waiting, adjustment))
    return Result(tuple(results))


def maximum(questions: Iterable[Question], adjustments: Iterable[Adjustment] = ()) -> float | None:
    """The maximum of a homework without dropped questions; ``None`` if no question is known."""
    questions = list(questions)
    dropped = {adjustment.question for adjustment in adjustments if adjustment.kind == "drop"}
    return sum(question.max_points for question in questions if question.name not in dropped) if questions else None


def dated(result: Result, penalty: float, lateness: Lateness) -> Result:
    """A copy of a result with its late penalty and dates."""
    return replace(result, penalty=penalty, lateness=lateness)


def find_question(questions: Sequence[Question], text: str) -> Question:
    """The question with this number, title, name, or cell.

    Raises:
        ValueError: there is no such question, or there are several.
    """
    wanted = text.strip().casefold()
    for names in (
        lambda each: {each.number},
        lambda each: {each.title.casefold(), each.name.casefold()},
        lambda each: {cell.casefold() for cell in each.cells},
    ):
        if matches := [question for question in questions if wanted in names(question) - {""}]:
            if len(matches) > 1:
                raise ValueError(f"{text!r} is the name of several questions; give its number")
            return matches[0]
    raise ValueError(f"no question is called {text!r}; there are {', '.join(each.name for each in questions)}")

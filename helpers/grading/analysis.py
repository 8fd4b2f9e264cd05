"""Statistics of the grades of a class: counts and distributions, without the names of learners."""

from __future__ import annotations

import ast
import builtins
import functools
import math
import re
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from helpers import exercises
from helpers.exercises.exercise import parse_line
from helpers.grading.assignment import Assignment, Cell, Question
from helpers.grading.gradebook import GradingRecord
from helpers.grading.judge import HIDDEN_FAILED, Verdict, is_hidden

MIN_LEARNERS = 30
"""Below this number of learners no correlation is reported: with 30 its 95 % interval is about 0.7 wide at r = 0."""
WEAK = 0.2
"""A question with a lower item-rest correlation discriminates badly (Ebel and Frisbie 1991)."""

Kind = Literal["passed", "not attempted", "mistake", "reason", "other"]

_CHECKS = ("check.py", "comparison.py")
_SHORTEST_TEMPLATE = 8  # letters and digits of a text that identifies a message
_SUFFIX = r"(?: \((?:test case \d+ of \d+|it raised \w+)\))?"
_ERRORS = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}
_LIMITS = {
    "a cell or a call ran longer than its limit": "ran longer than",
    "the submission used up its total time": "used up its time",
    "its process ended (exit, crash or lack of memory)": "ended the process",
    "its process ended too often": "ended its process too often",
    "the setup cell failed with an answer": "the setup cell",
    "the notebook was repaired (cells missing or twice)": "was missing and was restored|occurred more than once",
}


@dataclass(frozen=True)
class Outcome:
    """The result of one test of one submission.

    Attributes:
        kind: ``"mistake"``: a misconception described by the author, or a hidden test that failed; ``"reason"``: a
            reason in the words of the course's checks; ``"other"``: any other message.
        text: the text of a mistake or reason without values of the learner; empty for the other kinds.
    """

    kind: Kind
    text: str = ""


@dataclass
class TestStatistics:
    """The results of a class in one test.

    Attributes:
        id: the id of the test cell.
        hidden: whether it contains hidden tests.
        points: the points of the test.
        outcomes: the number of learners by outcome. A learner can have several outcomes in a hidden test.
        failed: the number of learners who failed.
        seconds: the run time for each learner.
    """

    id: str
    hidden: bool
    points: float
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    failed: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Correlation:
    """Item-rest correlation: of the points of a question with those of all other questions.

    Attributes:
        r: Pearson's coefficient.
        low, high: its 95 % confidence interval (Fisher's transformation).
    """

    r: float
    low: float
    high: float

    @property
    def weak(self) -> bool:
        """Whether it is lower than :data:`WEAK`."""
        return self.r < WEAK


@dataclass
class QuestionStatistics:
    """The results of a class in one question.

    Attributes:
        name: the name of the question.
        points: the maximum.
        tests: the results in its tests.
        scores: the points of each learner whose grade is complete, including points by hand.
        waiting: the number of learners who wait for points by hand.
        visible_passed: the number of learners who passed every visible test.
        hidden_failed: the number of these who failed a hidden test.
        hidden_names: the number of these by name of the hidden test that they failed.
        correlation: ``None`` for fewer than :data:`MIN_LEARNERS` learners, or if all have the same points.
    """

    name: str
    points: float
    tests: list[TestStatistics]
    scores: list[float] = field(default_factory=list)
    waiting: int = 0
    visible_passed: int = 0
    hidden_failed: int = 0
    hidden_names: Counter[str] = field(default_factory=Counter)
    correlation: Correlation | None = None

    def outcomes(self, kind: Kind, hidden: bool) -> Counter[str]:
        """The number of learners by text of outcomes of one kind, in the visible or in the hidden tests."""
        counts: Counter[str] = Counter()
        for test in self.tests:
            if test.hidden is hidden:
                counts.update({outcome.text: count for outcome, count in test.outcomes.items() if outcome.kind == kind})
        return counts

    @property
    def not_attempted(self) -> int:
        """The largest number of learners who did not attempt one of its visible tests."""
        return max((test.outcomes[Outcome("not attempted")] for test in self.tests), default=0)


@dataclass
class ClassStatistics:
    """The results of a class in a homework.

    Attributes:
        homework: the name of the homework.
        learners: the number of graded submissions.
        quarantined: the number of submissions that could not be graded.
        points: the maximum of ``totals``.
        totals: the points of each learner in all questions that are graded completely.
        left_out: the questions for which a learner waits for points by hand.
        questions: the results in each question.
        cpu_seconds: the processor time of each submission.
        limits: the number of submissions that reached each limit.
    """

    homework: str
    learners: int
    quarantined: int
    points: float
    totals: list[float]
    left_out: list[str]
    questions: list[QuestionStatistics]
    cpu_seconds: list[float]
    limits: Counter[str]


def class_statistics(
    assignment: Assignment,
    questions: Sequence[Question],
    scores: Mapping[str, Mapping[str, float | None]],
    verdicts: Mapping[str, Mapping[str, Verdict]],
    records: Mapping[str, GradingRecord],
) -> ClassStatistics:
    """Summarise the grades of a class.

    Args:
        assignment: the author's version of the homework.
        questions: the questions of the author's notebook, see :func:`helpers.grading.assignment.questions`.
        scores: points by learner and cell; ``None`` if a grade by hand is missing.
        verdicts: verdicts by learner and test. Only these learners count.
        records: the records of all submissions, including those that are quarantined.
    """
    learners = sorted(verdicts)
    points: dict[str, dict[str, float]] = {}
    known = _author_templates(assignment)
    by_id = {cell.id: cell for cell in assignment.cells}
    by_name: dict[str, QuestionStatistics] = {}
    for question in questions:
        cells = [by_id[cell] for cell in question.points]
        sums = {learner: _sum(scores[learner].get(cell.id) for cell in cells) for learner in learners}
        points[question.name] = {learner: score for learner, score in sums.items() if score is not None}
        by_name[question.name] = QuestionStatistics(
            name=question.name,
            points=question.max_points,
            tests=[_test_statistics(cell, verdicts, known) for cell in cells if cell.kind == "test"],
            scores=list(points[question.name].values()),
            waiting=len(learners) - len(points[question.name]),
        )
        _count_hidden_failures(by_name[question.name], verdicts)
    complete = [name for name, each in by_name.items() if not each.waiting]
    totals = {learner: sum(points[name][learner] for name in complete) for learner in learners}
    for name, each in by_name.items():
        rest = [totals[learner] - (score if name in complete else 0.0) for learner, score in points[name].items()]
        each.correlation = correlation(each.scores, rest)
    graded = [records[learner] for learner in learners if learner in records]
    return ClassStatistics(
        homework=assignment.name,
        learners=len(learners),
        quarantined=sum(record.quarantined is not None for record in records.values()),
        points=sum(by_name[name].points for name in complete),
        totals=list(totals.values()),
        left_out=[name for name in by_name if name not in complete],
        questions=list(by_name.values()),
        cpu_seconds=[record.cpu_seconds for record in graded],
        limits=Counter(limit for record in graded for limit in limits_met(record.attention)),
    )


def outcomes(verdict: Verdict, hidden: bool, author: Collection[Template]) -> list[Outcome]:
    """The outcomes of a verdict, in the words of the author and of the course.

    Args:
        verdict: the verdict.
        hidden: whether the test contains hidden tests.
        author: the texts of the author's cells.
    """
    if verdict.passed:
        return [Outcome("passed")]
    if hidden:
        names = verdict.message.removeprefix(HIDDEN_FAILED).removeprefix(": ")
        return [Outcome("mistake", name) for name in names.split("; ")] if names else [Outcome("other")]
    text = verdict.message
    if line := parse_line(text):
        if line.status == "not attempted":
            return [Outcome("not attempted")]
        text = line.text
    if (words := _in_words_of(author, text)) is not None:
        return [Outcome("mistake", words)]
    words = _in_words_of(_course_templates(), text)
    return [Outcome("other") if words is None else Outcome("reason", words)]


def limits_met(attention: Iterable[str]) -> set[str]:
    """The limits of the grader that a submission reached, derived from the lines for the instructor."""
    return {name for line in attention for name, pattern in _LIMITS.items() if re.search(pattern, line)}


def correlation(scores: Sequence[float], rest: Sequence[float]) -> Correlation | None:
    """Pearson's correlation and its 95 % interval by Fisher's z-transformation (Fisher 1915).

    Args:
        scores: the points of each learner in a question.
        rest: the points of the same learners in all other questions.

    Returns:
        ``None`` for fewer than 30 learners, or if all scores or all rests are equal.
    """
    if len(scores) < MIN_LEARNERS or len(set(scores)) == 1 or len(set(rest)) == 1:
        return None
    r = max(-1.0, min(1.0, statistics.correlation(scores, rest)))
    if abs(r) == 1:
        return Correlation(r, r, r)
    half = 1.96 / math.sqrt(len(scores) - 3)
    return Correlation(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))


def _test_statistics(
    cell: Cell, verdicts: Mapping[str, Mapping[str, Verdict]], author: Collection[Template]
) -> TestStatistics:
    test = TestStatistics(cell.id, is_hidden(cell), cell.points)
    for tests in verdicts.values():
        verdict = tests[cell.id]
        test.failed += not verdict.passed
        test.seconds.append(verdict.seconds)
        test.outcomes.update(set(outcomes(verdict, test.hidden, author)))
    return test


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _count_hidden_failures(question: QuestionStatistics, verdicts: Mapping[str, Mapping[str, Verdict]]) -> None:
    visible = [test.id for test in question.tests if not test.hidden]
    hidden = [test.id for test in question.tests if test.hidden]
    if not (visible and hidden):
        return
    for tests in verdicts.values():
        if not all(tests[name].passed for name in visible):
            continue
        question.visible_passed += 1
        failed = [tests[name] for name in hidden if not tests[name].passed]
        question.hidden_failed += bool(failed)
        names = {each.text for verdict in failed for each in outcomes(verdict, True, ())}
        question.hidden_names.update(names - {""})


# Templates of messages in source code.


@dataclass(frozen=True)
class Template:
    """A text of the source code, constant or with values in it.

    Attributes:
        parts: the constant parts, with a value between any two.
    """

    parts: tuple[str, ...]

    def match(self, text: str) -> str | None:
        """The text with "…" instead of values, if it fits this template.

        Names of built-in errors are kept; any other value could have been written by a learner.
        """
        parts = [re.sub(r"\s+", " ", part) for part in self.parts]
        matched = re.fullmatch("(.*?)".join(map(re.escape, parts)) + _SUFFIX, text)
        if matched is None:
            return None
        values = [value if value in _ERRORS or not value else "…" for value in matched.groups()]
        return "".join(part + value for part, value in zip(parts, [*values, ""], strict=True)).replace("……", "…")

    @property
    def size(self) -> int:
        """Letters and digits of the constant parts."""
        return sum(letter.isalnum() for part in self.parts for letter in part)


def templates(source: str) -> Iterator[Template]:
    """The texts in a source that are long enough to identify a message."""
    tree = ast.parse(source)
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [""]
            for value in node.values:
                if isinstance(value, ast.Constant):
                    parts[-1] += str(value.value)
                else:
                    parts.append("")
            template = Template(tuple(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            template = Template((node.value,))
        else:
            continue
        if template.size >= _SHORTEST_TEMPLATE:
            yield template


def _in_words_of(known: Iterable[Template], text: str) -> str | None:
    """The text in the words of the first template that it fits; None if there is none."""
    return next((words for template in known if (words := template.match(text)) is not None), None)


def _longest_first(templates: Iterable[Template]) -> list[Template]:
    return sorted(set(templates), key=lambda template: (-template.size, template.parts))


def _author_templates(assignment: Assignment) -> list[Template]:
    return _longest_first(
        template for cell in assignment.cells if cell.kind in ("test", "setup") for template in templates(cell.source)
    )


@functools.cache
def _course_templates() -> list[Template]:
    folder = Path(exercises.__file__).parent
    sources = [(folder / name).read_text(encoding="utf-8") for name in _CHECKS]
    return _longest_first(template for source in sources for template in templates(source))

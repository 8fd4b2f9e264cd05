"""Pages on a class: the report on a homework, with the same numbers as CSV, and similar submissions."""

from __future__ import annotations

import csv
import datetime
import io
import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbformat import NotebookNode

from helpers.grading import assignment as homework
from helpers.grading import files
from helpers.grading.analysis import MIN_LEARNERS, WEAK, ClassStatistics, Kind, QuestionStatistics, class_statistics
from helpers.grading.course import Course, CourseError
from helpers.grading.feedback import POLICY
from helpers.grading.lms.export import harmless
from helpers.grading.release import student_version
from helpers.grading.similarity import AT_LEAST, Cell, similar_pairs
from helpers.grading.submission import RejectedSubmission, grade_id, read_cells

MOST_PAIRS = 50

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_BARS = 30
_SLOWEST = 5
_CONTEXT_LINES, _MAX_LINE = 2, 400  # lines around a shared passage, and characters of a line


def report(course: Course, name: str) -> list[Path]:
    """Write ``reports/NAME.html`` and ``reports/NAME.csv`` in the course folder; return their paths.

    Raises:
        CourseError: the homework was never graded.
    """
    results = read_results(course, name)
    pages = {f"{name}.html": page(results), f"{name}.csv": table(results)}
    for file, text in pages.items():
        files.write_atomic(course.folder / "reports" / file, text, mode=0o700)
    return [course.folder / "reports" / file for file in pages]


def read_results(course: Course, name: str) -> ClassStatistics:
    """The statistics of the submissions that are graded.

    Raises:
        CourseError: the homework was never graded.
    """
    author = _author(course, name)
    records, scores = course.records(name), course.scores(name)
    graded = [learner for learner, record in records.items() if not record.quarantined and learner in scores]
    verdicts = {learner: course.verdicts(name, learner) for learner in graded}
    return class_statistics(homework.parse(name, author), homework.questions(author), scores, verdicts, records)


def _author(course: Course, name: str) -> NotebookNode:
    """The author's notebook with which the homework was graded.

    Raises:
        CourseError: the homework was never graded.
    """
    source = course.folder / "source" / name / f"{name}.ipynb"
    if not source.is_file():
        raise CourseError(f"{name} was not graded in {course.folder}; run grade first")
    return nbformat.read(source, as_version=4)


def page(results: ClassStatistics, date: datetime.date | None = None) -> str:
    """The report as one HTML file without scripts and external resources."""
    questions = results.questions
    tests = [test for question in questions for test in question.tests if test.seconds]
    return render(
        "report.html.j2",
        results=results,
        date=(date or datetime.date.today()).isoformat(),
        summary=_summary(results.totals),
        totals=_bins(results.totals, results.points),
        time=_summary(results.cpu_seconds),
        misconceptions=_rows(questions, "mistake"),
        reasons=_rows(questions, "reason"),
        slowest=sorted(tests, key=lambda test: -max(test.seconds))[:_SLOWEST],
        distribution=_distribution,
        mean=statistics.fmean,
        median=statistics.median,
        count_of=lambda scores, value: sum(math.isclose(score, value, abs_tol=1e-9) for score in scores),
        min_learners=MIN_LEARNERS,
        weak=WEAK,
    )


def similar(course: Course, name: str, at_least: float = AT_LEAST, most: int = MOST_PAIRS) -> tuple[Path, int]:
    """Write ``reports/NAME-similar.html`` in the course folder; return its path and the number of pairs.

    Args:
        course: the course.
        name: the homework.
        at_least: the lowest score of a pair, see :func:`helpers.grading.similarity.similar_pairs`.
        most: the largest number of pairs.

    Raises:
        CourseError: the homework was never graded.
    """
    author = _author(course, name)
    submissions, unread = {}, 0
    for learner in course.learners(name):
        try:
            submissions[learner] = _own_cells(course, name, learner)
        except (RejectedSubmission, FileNotFoundError):
            unread += 1
    allowed = [
        Cell("", cell.source, cell.cell_type == "code")
        for notebook in (author, student_version(author))
        for cell in notebook.cells
    ]
    pairs = similar_pairs(submissions, allowed, at_least)
    html = render(
        "similar.html.j2",
        homework=name,
        pairs=pairs[:most],
        found=len(pairs),
        learners=len(submissions),
        unread=unread,
        at_least=at_least,
        lines=_marked_lines,
        date=datetime.date.today().isoformat(),
    )
    path = course.folder / "reports" / f"{name}-similar.html"
    files.write_atomic(path, html, mode=0o700)
    return path, len(pairs[:most])


def _own_cells(course: Course, name: str, learner: str) -> list[Cell]:
    """The cells of a submission as it was handed in.

    Raises:
        RejectedSubmission, FileNotFoundError: it cannot be read.
    """
    notebook = read_cells(course.folder / "submitted" / learner / name / f"{name}.ipynb")
    return [
        Cell(grade_id(cell) or f"cell {number}", cell.source, cell.cell_type == "code")
        for number, cell in enumerate(notebook, start=1)
    ]


def _marked_lines(cell: Cell, shared: Collection[int]) -> list[tuple[int, str, bool]]:
    """Number, text and whether it is shared, for each line from the first to the last shared one and two around."""
    first, last = min(shared) - _CONTEXT_LINES, max(shared) + _CONTEXT_LINES
    lines = enumerate(cell.source.splitlines(), start=1)
    return [(number, line[:_MAX_LINE], number in shared) for number, line in lines if first <= number <= last]


def render(template: str, **values: Any) -> str:
    """A page for instructors from a template; everything in ``values`` is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(policy=POLICY, number=_number, signed=_signed, **values)


def table(results: ClassStatistics) -> str:
    """The numbers of the report as CSV: one line for each question or test, measure and text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["question", "test", "measure", "text", "value", "learners"])
    for row in _lines(results):
        writer.writerow([harmless(str(cell)) for cell in row])
    return "\ufeff" + out.getvalue()


def _lines(results: ClassStatistics) -> Iterator[tuple[str, str, str, str, str | int, int]]:
    for score, count in sorted(Counter(results.totals).items()):
        yield "all", "", "points", "", _number(score), count
    for question in results.questions:
        name, known = question.name, len(question.scores)
        for score, count in sorted(Counter(question.scores).items()):
            yield name, "", "points", "", _number(score), count
        if question.scores:
            yield name, "", "mean points", "", f"{statistics.fmean(question.scores):.3f}", known
            yield name, "", "median points", "", _number(statistics.median(question.scores)), known
        if question.waiting:
            yield name, "", "not graded by hand yet", "", "", question.waiting
        if question.correlation:
            yield name, "", "item-rest correlation", "", f"{question.correlation.r:.3f}", known
        if question.visible_passed:
            yield name, "", "visible tests passed, a hidden test failed", "", "", question.hidden_failed
            for text, count in question.hidden_names.most_common():
                yield name, "", "visible tests passed, this hidden test failed", text, "", count
        for test in question.tests:
            yield name, test.id, "passed", "", _number(test.points), results.learners - test.failed
            for outcome, count in sorted(test.outcomes.items(), key=lambda each: (-each[1], each[0].text)):
                if outcome.kind != "passed":
                    measure = "hidden test failed" if test.hidden and outcome.kind == "mistake" else outcome.kind
                    yield name, test.id, measure, outcome.text, "", count
            if test.seconds:
                yield name, test.id, "median seconds", "", f"{statistics.median(test.seconds):.3f}", len(test.seconds)
                yield name, test.id, "longest seconds", "", f"{max(test.seconds):.3f}", len(test.seconds)
    for limit, count in results.limits.most_common():
        yield "all", "", "limit", limit, "", count


def _rows(questions: Sequence[QuestionStatistics], kind: Kind) -> list[dict[str, Any]]:
    """Texts of visible tests with the number of learners, the most frequent first."""
    rows = [
        {"question": question.name, "text": text, "count": count}
        for question in questions
        for text, count in question.outcomes(kind, hidden=False).items()
    ]
    return sorted(rows, key=lambda row: -row["count"])


def _summary(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return dict.fromkeys(("mean", "median", "lower", "upper", "least", "most"), 0.0)
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return {
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "lower": lower,
        "upper": upper,
        "least": min(values),
        "most": max(values),
    }


def _bins(values: Sequence[float], most: float) -> list[dict[str, Any]]:
    """Bars of equal width from 0 to the largest possible value, at most 30."""
    width = max(1, math.ceil((most + 1) / _MOST_BARS))
    highest = max([most, *values])
    bars = []
    for low in range(0, int(highest) + 1, width):
        count = sum(low <= value < low + width for value in values)
        label = str(low) if width == 1 else f"{low}–{low + width - 1}"
        bars.append({"label": label, "count": count, "text": f"{label}: {count}"})
    return bars


def _distribution(question: QuestionStatistics) -> list[dict[str, Any]]:
    """One bar for each number of points that occurs, and for 0 and the maximum."""
    counts = {**dict.fromkeys((0.0, question.points), 0), **Counter(question.scores)}
    return [
        {"label": _number(score), "count": count, "text": f"{_number(score)} points: {count}"}
        for score, count in sorted(counts.items())
    ]


def _number(value: float) -> str:
    """At most one decimal."""
    return f"{value:.1f}".removesuffix(".0")


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")

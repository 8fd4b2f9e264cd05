"""Export grades as CSV: for spreadsheets, for Canvas' gradebook, and for Moodle's grading worksheet."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nbgrader.api import Gradebook, Student

from helpers.grading import files
from helpers.grading.course import Course
from helpers.grading.dates import Lateness, show
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.collect import read_record, without_submission
from helpers.grading.lms.roster import Learner, Roster
from helpers.grading.results import Result, maximum

Format = Literal["csv", "canvas", "moodle"]
RowState = Literal["graded", "ungraded", "refused", "missing"]
Tables = dict[str, list[list[str]]]  # the name of a file → its rows

# Canvas, gradebook_importer.rb: columns whose title contains one of these are not read as assignments.
_CANVAS_COLUMNS = (
    "Current Score", "Current Points", "Current Grade", "Final Score", "Final Points", "Final Grade", "Override Score",
    "Override Grade", "Override Status",
)  # fmt: skip
# The start of a formula in a cell, also for programs that use ";", "|" or a tab as the separator.
_AT_START = re.compile(r"(?:^|(?<=[;|\t\r\n])) *(?=[=+\-@\t\r\n＝＋－＠])")


# Messages about learners without points.
_STATES = {
    "ungraded": "{homework}: submitted but not graded: {ids}",
    "refused": "{homework}: submission rejected, the grade is empty: {ids}",
    "missing": "{homework}: {count} without a submission: {ids}",
}


@dataclass(frozen=True)
class Row:
    """One learner's grade for one homework.

    Attributes:
        max_points: the maximum, without dropped questions.
        points: the points after adjustments and before the late penalty; ``None`` without a graded submission.
        penalty: the late penalty.
        lateness: due date and time of submission, if known.
        adjusted: the adjustments of questions as ``question: adjustment (reason)``.
        dropped: whether a question was dropped, so that ``max_points`` is lower than originally.
        unfinished: whether written answers are not graded yet.
        comments: the graders' comments, as ``question: comment``.
        participant: Moodle's number of the learner in this homework, if it was collected from there.
        state: without points, whether there is no submission (``missing``), it was ``refused``, or it is not graded yet
            (``ungraded``).
        reason: the reason why it was refused.
    """

    learner: Learner
    homework: str
    max_points: float
    points: float | None = None
    penalty: float = 0.0
    lateness: Lateness = Lateness()
    adjusted: tuple[str, ...] = ()
    dropped: bool = False
    unfinished: bool = False
    comments: tuple[str, ...] = ()
    participant: str = ""
    state: RowState = "graded"
    reason: str = ""

    @property
    def score(self) -> float | None:
        """Points minus the penalty, at least zero."""
        return None if self.points is None else max(0.0, self.points - self.penalty)


def export(
    course: Path,
    format: Format = "csv",
    homeworks: Iterable[str] | None = None,
    roster: Roster | None = None,
    titles: Mapping[str, str] | None = None,
    unfinished: bool = False,
    missing: float | None = None,
) -> tuple[list[Path], list[str]]:
    """Write the grades to ``course/exports``: ``grades.csv``, ``canvas.csv``, or ``moodle-<homework>.csv``.

    Args:
        course: the course folder.
        format: for spreadsheets, Canvas or Moodle.
        homeworks: by default all in the gradebook.
        roster: by default ``course/roster.csv``, if it exists. All its learners are listed, also without a submission.
        titles: homework → column title in Canvas' export, such as ``Homework 1 (4711)``.
        unfinished: whether to export scores to an LMS if written answers are not graded yet.
        missing: the grade of learners without a submission, by default empty. The grade of refused and ungraded
            submissions is always empty.

    Returns:
        The files, and lines for the instructor.

    Raises:
        FileNotFoundError: there is no gradebook.
        ValueError: no such homework or format, or a title that contains the name of one of Canvas' own columns.
    """
    writers = {"csv": _csv, "canvas": _canvas, "moodle": _moodle}
    if format not in writers:
        raise ValueError(f"there is no format {format!r}; choose from {', '.join(writers)}")
    rows = read(course, homeworks, roster)
    attention = []
    if waiting := [row for row in rows if row.unfinished]:
        kept = "their points so far are exported" if unfinished or format == "csv" else "their grade is left empty"
        attention.append(f"{len(waiting)} submissions have ungraded written answers; {kept}")
    for name in dict.fromkeys(row.homework for row in rows):
        shortened = [row for row in rows if row.homework == name and row.dropped]
        if shortened and format != "csv":
            max_points = _number(shortened[0].max_points)
            attention.append(
                f"{name}: a question was dropped; set the maximum in {format.capitalize()} to {max_points}"
            )
        by_state = {state: [row for row in rows if row.homework == name and row.state == state] for state in _STATES}
        for state, sentence in _STATES.items():
            if affected := by_state[state]:
                ids = ", ".join(row.learner.id for row in affected)
                attention.append(sentence.format(homework=name, count=len(affected), ids=ids))
    if unnamed := sorted({row.learner.id for row in rows if not row.learner.name}):
        attention.append(f"not on the roster, and therefore without a name: {', '.join(unnamed)}")

    def grade(row: Row) -> str:
        if row.points is None:
            return _number(missing if row.state == "missing" else None)
        return "" if row.unfinished and not unfinished and format != "csv" else _number(row.score)

    tables = writers[format](rows, grade, titles or {}, attention)
    paths = []
    for name, table in tables.items():
        path = course / "exports" / name
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([harmless(cell) for cell in line] for line in table)
        files.write_atomic(path, text.getvalue().encode("utf-8-sig" if format == "csv" else "utf-8"), mode=0o700)
        paths.append(path)
    return paths, attention


def read(course: Path, homeworks: Iterable[str] | None = None, roster: Roster | None = None) -> list[Row]:
    """A row for every homework and every learner of the roster or the gradebook, in the order of the roster.

    Raises:
        FileNotFoundError, ValueError: as :func:`export`.
    """
    database = course / "gradebook.db"
    if not database.exists():
        raise FileNotFoundError(f"{database} does not exist: grade a homework first")
    if roster is None:
        roster = rosters.of_course(course)
    record = read_record(course)
    with Course(course, create=False) as opened, Gradebook(f"sqlite:///{database}") as gradebook:
        names = sorted(assignment.name for assignment in gradebook.assignments)
        for name in homeworks or ():
            if name not in names:
                raise ValueError(f"{name!r} is not in the gradebook; there are {', '.join(names) or 'none'}")
        learners = list(roster)
        learners += [_from_gradebook(student) for student in gradebook.students if not roster.by_id(student.id)]
        rows = []
        for name in homeworks or names:
            without_notebook = without_submission(course, name, roster)
            known = {learner.id for learner in learners}
            submitted = [path.parts[-3] for path in sorted((course / "submitted").glob(f"*/{name}/{name}.ipynb"))]
            others = [Learner(id_) for id_ in dict.fromkeys([*without_notebook, *submitted]) if id_ not in known]
            results = opened.results(name)
            max_points = maximum(opened.questions(name), opened.adjustments(name))
            max_points = gradebook.find_assignment(name).max_score if max_points is None else max_points
            for learner in (*learners, *others):
                collected = record.get(name, {}).get(learner.id, {})
                row = _row(gradebook, learner, name, max_points, results.get(learner.id), collected)
                if row.points is None:
                    reason = without_notebook.get(learner.id, "")
                    state: RowState = (
                        "ungraded" if learner.id not in without_notebook else "refused" if reason else "missing"
                    )
                    row = replace(row, state=state, reason=reason)
                rows.append(row)
        return rows


def _from_gradebook(student: Student) -> Learner:
    name = " ".join(filter(None, (student.first_name, student.last_name)))
    return Learner(student.id, name, email=student.email or "")


def _row(
    gradebook: Gradebook,
    learner: Learner,
    homework: str,
    max_points: float,
    result: Result | None,
    collected: Mapping[str, str],
) -> Row:
    if not learner.canvas_id and collected.get("lms") == "canvas":
        learner = replace(learner, canvas_id=collected["student_id"])
    participant = collected["student_id"] if collected.get("lms") == "moodle" else ""
    if result is None:
        return Row(learner, homework, max_points, participant=participant)
    comments = tuple(
        f"{each.name}: {each.manual_comment}"
        for notebook in gradebook.find_submission(homework, learner.id).notebooks
        for each in sorted(notebook.comments, key=lambda comment: comment.name)
        if each.manual_comment
    )
    adjusted = tuple(
        f"{each.question.name}: {each.adjustment} ({each.adjustment.reason})"
        for each in result.questions
        if each.adjustment
    )
    dropped = any(each.adjustment and each.adjustment.kind == "drop" for each in result.questions)
    return Row(
        learner, homework, max_points, result.points, result.penalty, result.lateness, adjusted, dropped,
        result.waiting, comments, participant,
    )  # fmt: skip


def _csv(rows: Sequence[Row], grade: Callable[[Row], str], titles: Mapping[str, str], attention: list[str]) -> Tables:
    header = ["homework", "id", "name", "email", "section", "points", "late penalty", "score", "out of", "handed in"]
    header += ["due", "late", "waits for a grade by hand", "comments", "adjusted", "state"]
    table = [header]
    for row in rows:
        learner = row.learner
        points, penalty = ("", "") if row.points is None else (_number(row.points), _number(row.penalty))
        waits = "yes" if row.unfinished else ""
        table.append(
            [row.homework, learner.id, learner.name, learner.email, learner.section, points, penalty, grade(row)]
            + [
                _number(row.max_points),
                show(row.lateness.handed_in) if row.lateness.handed_in else "",
                show(row.lateness.due) if row.lateness.due else "",
                str(row.lateness),
                waits,
                "\n".join(row.comments),
                "\n".join(row.adjusted),
                row.state + f": {row.reason}" * bool(row.reason),
            ]
        )
    return {"grades.csv": table}


def _canvas(
    rows: Sequence[Row], grade: Callable[[Row], str], titles: Mapping[str, str], attention: list[str]
) -> Tables:
    """The format of Canvas' gradebook_importer.rb: five columns of the student, then the assignments."""
    homeworks = list(dict.fromkeys(row.homework for row in rows))
    for title in titles.values():
        if any(column in title for column in _CANVAS_COLUMNS):
            raise ValueError(f"{title!r} contains the name of one of Canvas' own columns, and would be ignored")
    table = [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *(titles.get(name, name) for name in homeworks)]
    ]
    max_points = {row.homework: row.max_points for row in rows}
    table.append(["    Points Possible", "", "", "", "", *(_number(max_points[name]) for name in homeworks)])
    by_learner: dict[str, dict[str, Row]] = {}
    unknown: list[str] = []
    for row in rows:
        by_learner.setdefault(row.learner.id, {})[row.homework] = row
    for learner_id, grades in by_learner.items():
        learner = next(
            (row.learner for row in grades.values() if row.learner.canvas_id), next(iter(grades.values())).learner
        )
        if not learner.canvas_id.isdigit():
            unknown.append(learner_id)
        name = learner.name if "," in learner.name or not learner.name else _family_first(learner.name)
        number = learner.canvas_id if learner.canvas_id.isdigit() else ""
        columns = [name, number, learner_id, learner.email or learner_id, learner.section]
        table.append([*columns, *(grade(grades[homework]) for homework in homeworks)])
    if unknown:
        message = "without a Canvas ID, so that Canvas matches them by id and name; check before you import"
        attention.append(f"{message}: {', '.join(unknown)}")
    return {"canvas.csv": table}


def _moodle(
    rows: Sequence[Row], grade: Callable[[Row], str], titles: Mapping[str, str], attention: list[str]
) -> Tables:
    """The format of Moodle's grading worksheet, of which Moodle reads Identifier, Grade, Last modified and Feedback."""
    header = ["Identifier", "Full name", "ID number", "Email address", "Grade", "Maximum Grade"]
    tables: dict[str, list[list[str]]] = {}
    others: dict[str, int] = {}
    for row in rows:
        table = tables.setdefault(
            f"moodle-{row.homework}.csv", [[*header, "Last modified (grade)", "Feedback comments"]]
        )
        learner, identifier = row.learner, f"Participant {row.participant}" if row.participant else ""
        comments = "<br>".join(html.escape(comment) for comment in row.comments)
        table.append(
            [identifier, learner.name, learner.id, learner.email, grade(row), _number(row.max_points), "-", comments]
        )
        if not identifier and row.points is not None:
            others[row.homework] = others.get(row.homework, 0) + 1
    for name, number in others.items():
        message = f"{number} graded learners were not collected from Moodle"
        attention.append(f"{name}: {message}; import by ID number or email address, not as a grading worksheet")
    return tables


def _family_first(name: str) -> str:
    *given, family = name.split()
    return f"{family}, {' '.join(given)}" if given else family


def _number(value: float | None) -> str:
    """Format with at most two decimals."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def harmless(cell: str) -> str:
    """Text that spreadsheets do not interpret as a formula, with any separator."""
    return cell if cell == "-" else _AT_START.sub(r"'\g<0>", cell)

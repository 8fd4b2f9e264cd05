"""Adapter to nbgrader: its gradebook, and all code that depends on undocumented parts of its API.

nbgrader's preprocessors open the gradebook again for each step and commit after each cell. :class:`CachedGradebook`
makes them use one open gradebook and one transaction, so that a submission is stored completely or not at all.
:func:`api_changes` lists what this module needs and the installed nbgrader lacks.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader import api, utils
from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
    overwritecells,
    overwritekernelspec,
    saveautogrades,
)
from sqlalchemy import Column, Float, MetaData, String, Table, delete, func, insert, select
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from traitlets.config import Config

from helpers.grading.dates import UNKNOWN_DELAY, DueDates
from helpers.grading.results import Adjustment, CellGrade, Result

CHECKED_VERSIONS = ">=0.9.6,<0.10"
"""The versions of nbgrader for which this module was written."""

# nbgrader adds objects in an order for which SQLAlchemy warns; the result is right.
warnings.filterwarnings("ignore", "Object of type", SAWarning, "nbgrader")
# nbgrader runs a program to find it out, for each new gradebook.
api.get_alembic_version = functools.cache(api.get_alembic_version)

_OPENING_MODULES = (overwritecells, overwritekernelspec, saveautogrades)
_OVERRIDDEN = {
    "find_source_cell": ("self", "name", "notebook", "assignment"),
    "find_graded_cell": ("self", "name", "notebook", "assignment"),
    "find_grade": ("self", "grade_cell", "notebook", "assignment", "student"),
    "find_comment": ("self", "solution_cell", "notebook", "assignment", "student"),
    "close": ("self",),
}
_COLUMNS = {
    Assignment: ("name", "duedate"),
    BaseCell: ("name", "notebook"),
    Comment: ("cell", "notebook_id"),
    Grade: ("cell", "notebook_id", "needs_manual_grade", "manual_score"),
    Student: ("id",),
    SubmittedAssignment: ("id", "notebooks", "timestamp", "extension", "student_id"),
    SubmittedNotebook: ("assignment_id", "late_submission_penalty"),
}
_TABLES = MetaData()
_RECORDS = Table(
    "grading_records",
    _TABLES,
    Column("assignment", String, primary_key=True),
    Column("learner", String, primary_key=True),  # "" for the assignment itself
    Column("digest", String, nullable=False),
    Column("quarantined", String),  # the reason, if it needs an instructor
    Column("attention", String, nullable=False),  # JSON list
    Column("cpu_seconds", Float, nullable=False),
)
_DUE_DATES = Table(
    "due_dates",
    _TABLES,
    Column("assignment", String, primary_key=True),
    Column("kind", String, primary_key=True),  # "section" or "learner"
    Column("name", String, primary_key=True),
    Column("due", String, nullable=False),  # ISO 8601
)
_ADJUSTMENTS = Table(
    "adjustments",
    _TABLES,
    Column("assignment", String, primary_key=True),
    Column("question", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("points", Float),
    Column("reason", String, nullable=False),
    Column("recorded", String, nullable=False),
)
_ANSWERS = Table(
    "graded_answers",
    _TABLES,
    Column("assignment", String, primary_key=True),
    Column("learner", String, primary_key=True),
    Column("digests", String, nullable=False),  # JSON: the digest of the text of each answer that was graded, by cell
    Column("earlier", String, nullable=False),  # JSON: points before the same answers were graded again, by cell
)


class UnsafeAutogradeDisabled(NotebookExporter):
    """Exporter of ``nbgrader autograde`` that always fails: nbgrader would run submissions without a sandbox."""

    def __init__(self, **_: Any) -> None:
        raise NbGraderException(
            "nbgrader would run submissions without a sandbox; use: python -m helpers.grading grade"
        )


@dataclass(frozen=True)
class GradingRecord:
    """The state of a submission that was graded or quarantined.

    Attributes:
        digest: the digest of the :class:`helpers.grading.submission.Submission` when it was graded.
        quarantined: the reason why it was not graded and needs an instructor; ``None`` if it is graded.
        attention: lines that the instructor should read.
        cpu_seconds: processor time of grading it.
    """

    digest: str
    quarantined: str | None = None
    attention: tuple[str, ...] = ()
    cpu_seconds: float = 0.0


def api_changes() -> list[str]:
    """The parts of nbgrader that this module needs and the installed version lacks, as sentences."""
    changes = [
        f"{module.__name__} does not open the gradebook as Gradebook(db_url) any more"
        for module in _OPENING_MODULES
        if getattr(module, "Gradebook", None) is not Gradebook
    ]
    for name, parameters in _OVERRIDDEN.items():
        method = getattr(Gradebook, name, None)
        if method is None or tuple(inspect.signature(method).parameters) != parameters:
            changes.append(f"nbgrader.api.Gradebook.{name} does not take ({', '.join(parameters)}) any more")
    changes += [
        f"nbgrader.api.{model.__name__} has no attribute {name} any more"
        for model, names in _COLUMNS.items()
        for name in names
        if not hasattr(model, name)
    ]
    return changes


def parse_timestamp(text: str) -> datetime:
    """The time in a ``timestamp.txt``, parsed by nbgrader.

    Raises:
        ValueError: it is not a time.
    """
    try:
        return utils.parse_utc(text)
    except (OverflowError, AttributeError, TypeError) as error:
        raise ValueError(f"{text!r} is not a time") from error


def generate_assignment(coursedir: CourseDirectory, config: Config) -> None:
    """Run nbgrader's generator, which writes the release and enters cells, points and checksums into the gradebook.

    Raises:
        RuntimeError: nbgrader rejects the source notebook; the message is its last error.
    """
    handler = _LastError()
    converter = GenerateAssignment(coursedir, config=config, force=True)
    converter.log = logging.Logger("nbgrader")
    converter.log.addHandler(handler)
    try:
        converter.start()
    except Exception as error:
        raise RuntimeError(handler.message or str(error)) from error


class _Session(Session):
    def commit(self) -> None:
        """Do nothing; :meth:`CachedGradebook.commit` commits. Pending changes are visible to queries."""


class CachedGradebook(Gradebook):
    """nbgrader's gradebook, open for a whole run.

    Changes by nbgrader's preprocessors become permanent only with :meth:`commit`. The cells of an assignment, which
    do not change while grading, are queried once; so are the grades and comments of a submission.

    Raises:
        RuntimeError: the installed nbgrader differs from the versions that this module was written for.
    """

    def __init__(self, db_url: str) -> None:
        if changes := api_changes():
            raise RuntimeError(f"install nbgrader {CHECKED_VERSIONS}: {changes[0]}")
        with alembic_on_path():
            super().__init__(db_url)
        self.db.remove()
        self.db: scoped_session = scoped_session(
            sessionmaker(class_=_Session, autoflush=True, expire_on_commit=False, bind=self.engine, future=True)
        )
        _TABLES.create_all(self.engine)
        self._cells: dict[tuple, Any] = {}
        self._of_submission: dict[tuple, dict[str, Any]] = {}

    def close(self) -> None:
        """Flush, and stay open; nbgrader calls this after each step."""
        self.db.flush()
        self.db.expire_all()  # sums are computed by the database

    def commit(self) -> None:
        """Commit the transaction."""
        Session.commit(self.db())
        self._of_submission.clear()

    def disconnect(self) -> None:
        """Close the database."""
        super().close()

    def find_source_cell(self, name: str, notebook: str, assignment: str) -> Any:
        return self._cached(super().find_source_cell, name, notebook, assignment)

    def find_graded_cell(self, name: str, notebook: str, assignment: str) -> Any:
        return self._cached(super().find_graded_cell, name, notebook, assignment)

    def find_grade(self, grade_cell: str, notebook: str, assignment: str, student: str) -> Grade:
        return self._by_cell(Grade, notebook, assignment, student)[grade_cell]

    def find_comment(self, solution_cell: str, notebook: str, assignment: str, student: str) -> Comment:
        return self._by_cell(Comment, notebook, assignment, student)[solution_cell]

    def _cached(self, find: Callable[..., Any], *key: str) -> Any:
        if (find.__name__, *key) not in self._cells:
            cell = find(*key)
            self.db.expunge(cell)
            self._cells[find.__name__, *key] = cell
        return self._cells[find.__name__, *key]

    def _by_cell(self, model: Any, *submission: str) -> dict[str, Any]:
        """The grades or comments of a submission by cell name, with a single query."""
        if (model, *submission) not in self._of_submission:
            notebook = self.find_submission_notebook(*submission)
            rows = self.db.execute(
                select(BaseCell.name, model).join(model.cell).where(model.notebook_id == notebook.id)
            )
            self._of_submission[model, *submission] = {name: entry for name, entry in rows}
        return self._of_submission[model, *submission]

    def overwrite_cells(self, notebook: NotebookNode, resources: dict[str, Any]) -> None:
        """Replace locked cells, kernelspec and metadata of a submission by the author's, with nbgrader's steps."""
        with self._used_by_nbgrader():
            OverwriteKernelspec().preprocess(notebook, resources)
            OverwriteCells().preprocess(notebook, resources)

    def save_grades(
        self, notebook: NotebookNode, resources: dict[str, Any], config: Config, timestamp: str | None
    ) -> None:
        """Enter the points that the outputs of a notebook show, with nbgrader's own step."""
        names = resources["nbgrader"]
        self.update_or_create_student(names["student"])
        submission = self.update_or_create_submission(names["assignment"], names["student"])
        submission.timestamp = parse_timestamp(timestamp) if timestamp else None
        with self._used_by_nbgrader():
            SaveAutoGrades(config=config).preprocess(notebook, resources)

    def cell_grades(self, assignment: str, learner: str) -> dict[str, CellGrade]:
        """The points of each graded cell of a submission.

        Raises:
            MissingEntry: there is no submission.
        """
        return {
            grade.name: CellGrade(
                grade.score,
                grade.max_score,
                grade.auto_score,
                grade.manual_score,
                bool(grade.needs_manual_grade) and grade.manual_score is None,
                bool(grade.needs_manual_grade) and grade.manual_score is not None,
            )
            for notebook in self.find_submission(assignment, learner).notebooks
            for grade in notebook.grades
        }

    def manual_comments(self, assignment: str, learner: str) -> dict[str, str]:
        """The comments by hand, by the cell of the answer."""
        notebooks = self.find_submission(assignment, learner).notebooks
        return {
            comment.name: comment.manual_comment
            for notebook in notebooks
            for comment in notebook.comments
            if comment.manual_comment
        }

    def confirm_manual_grades(self, assignment: str, learner: str, cells: Iterable[str]) -> None:
        """Record that the points by hand of these cells need no review."""
        for cell in cells:
            self.find_grade(cell, assignment, assignment, learner).needs_manual_grade = False
        self.db.flush()

    def manual_grades_to_review(self, assignment: str) -> dict[str, list[str]]:
        """Learner → cells with points by hand whose answer or automatic points have changed since then."""
        query = (
            select(Student.id, BaseCell.name)
            .select_from(Grade)
            .join(Grade.cell)
            .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
            .join(Student, SubmittedAssignment.student_id == Student.id)
            .where(Assignment.name == assignment, Grade.needs_manual_grade, Grade.manual_score.is_not(None))
            .order_by(Student.id, BaseCell.name)
        )
        cells: dict[str, list[str]] = {}
        for learner, cell in self.db.execute(query):
            cells.setdefault(learner, []).append(cell)
        return cells

    def handed_in(self, assignment: str, learner: str) -> datetime | None:
        """The time of submission, if it is known."""
        timestamp = self.find_submission(assignment, learner).timestamp
        return timestamp.replace(tzinfo=UTC) if timestamp else None

    def late_penalty(self, assignment: str, learner: str) -> float:
        """The late penalty of a submission in points."""
        return self.find_submission(assignment, learner).late_submission_penalty or 0.0

    def set_late_penalty(self, assignment: str, learner: str, result: Result, config: Config) -> None:
        """Enter the due date of a learner as nbgrader's extension, and the penalty that nbgrader's plugin computes.

        Args:
            result: provides the points and the lateness.
            config: provides the plugin and its settings.
        """
        lateness = result.lateness
        submission = self.find_submission(assignment, learner)
        general = submission.assignment.duedate
        due = lateness.due.astimezone(UTC).replace(tzinfo=None) if lateness.due else None
        submission.extension = due - general if due and general and due != general else None
        penalty = None
        if lateness.is_late:
            step = AssignLatePenalties(config=config)
            step.init_plugin()
            seconds = UNKNOWN_DELAY if lateness.seconds is None else lateness.seconds
            penalty = step.plugin_inst.late_submission_penalty(learner, result.points, seconds)
        notebook = self.find_submission_notebook(assignment, assignment, learner)
        notebook.late_submission_penalty = None if penalty is None else max(0.0, min(penalty, result.points))
        self.db.flush()

    def due_dates(self, assignment: str) -> DueDates:
        """All due dates of an assignment; none if it is not in the gradebook."""
        general = self.db.execute(select(Assignment.duedate).where(Assignment.name == assignment)).scalar()
        dates: dict[str, dict[str, datetime]] = {"section": {}, "learner": {}}
        for row in self.db.execute(select(_DUE_DATES).where(_DUE_DATES.c.assignment == assignment)):
            dates[row.kind][row.name] = datetime.fromisoformat(row.due)
        return DueDates(general.replace(tzinfo=UTC) if general else None, dates["section"], dates["learner"])

    def set_due(self, assignment: str, when: datetime) -> None:
        """Set the due date of an assignment."""
        self.update_or_create_assignment(assignment, duedate=when.astimezone(UTC).replace(tzinfo=None))

    def set_due_of(
        self, assignment: str, kind: Literal["section", "learner"], name: str, when: datetime | None
    ) -> None:
        """Set the due date of a section or learner, or remove it."""
        key = {"assignment": assignment, "kind": kind, "name": name}
        self.db.execute(delete(_DUE_DATES).filter_by(**key))
        if when is not None:
            self.db.execute(insert(_DUE_DATES).values(**key, due=when.astimezone(UTC).isoformat()))

    def adjustments(self, assignment: str) -> list[Adjustment]:
        """The adjustments of questions of an assignment."""
        rows = self.db.execute(select(_ADJUSTMENTS).where(_ADJUSTMENTS.c.assignment == assignment))
        return [Adjustment(row.question, row.kind, row.reason, row.points, row.recorded) for row in rows]

    def set_adjustment(self, assignment: str, question: str, adjustment: Adjustment | None) -> None:
        """Record the adjustment of a question, or remove it."""
        key = {"assignment": assignment, "question": question}
        self.db.execute(delete(_ADJUSTMENTS).filter_by(**key))
        if adjustment is not None:
            columns = {name: getattr(adjustment, name) for name in ("kind", "points", "reason", "recorded")}
            self.db.execute(insert(_ADJUSTMENTS).values(**key, **columns))

    def answer_digests(self, assignment: str, learner: str) -> dict[str, str]:
        """The digests of the answers that were graded last, by cell; empty if none are known."""
        text = self.db.execute(select(_ANSWERS.c.digests).filter_by(assignment=assignment, learner=learner)).scalar()
        return json.loads(text) if text else {}

    def earlier_points(self, assignment: str) -> dict[str, dict[str, float]]:
        """Learner → points of cells before the same answers were graded again, if they were different."""
        rows = self.db.execute(select(_ANSWERS.c.learner, _ANSWERS.c.earlier).filter_by(assignment=assignment))
        return {row.learner: json.loads(row.earlier) for row in rows}

    def put_answers(
        self, assignment: str, learner: str, digests: Mapping[str, str], earlier: Mapping[str, float]
    ) -> None:
        """Insert or replace the digests and earlier points of the answers of a submission."""
        key = {"assignment": assignment, "learner": learner}
        columns = {"digests": json.dumps(digests), "earlier": json.dumps(earlier)}
        self.db.execute(delete(_ANSWERS).filter_by(**key))
        self.db.execute(insert(_ANSWERS).values(**key, **columns))

    def copy_submission(self, other: CachedGradebook, assignment: str, learner: str) -> None:
        """Copy a submission and its automatic points from another gradebook with the same assignment."""
        source = other.find_submission(assignment, learner)
        self.update_or_create_student(
            learner,
            first_name=source.student.first_name,
            last_name=source.student.last_name,
            email=source.student.email,
        )
        self.update_or_create_submission(assignment, learner).timestamp = source.timestamp
        self.db.flush()
        for grade in other.find_submission_notebook(assignment, assignment, learner).grades:
            copy = self.find_grade(grade.name, assignment, assignment, learner)
            copy.auto_score, copy.needs_manual_grade = grade.auto_score, grade.needs_manual_grade
        for comment in other.find_submission_notebook(assignment, assignment, learner).comments:
            self.find_comment(comment.name, assignment, assignment, learner).auto_comment = comment.auto_comment
        self.put_answers(
            assignment,
            learner,
            other.answer_digests(assignment, learner),
            other.earlier_points(assignment).get(learner, {}),
        )
        self.db.flush()

    def set_by_hand(self, assignment: str, learner: str, cell: str, kind: str, value: float | str) -> None:
        """Enter points by hand (``kind="points"``), or a comment."""
        if kind == "points":
            grade = self.find_grade(cell, assignment, assignment, learner)
            grade.manual_score, grade.needs_manual_grade = value, False
        else:
            self.find_comment(cell, assignment, assignment, learner).manual_comment = value
        self.db.flush()

    def forget(self, learner: str) -> bool:
        """Delete all rows of a learner; return whether there were any."""
        rows = [self.db.execute(select(Student.id).where(Student.id == learner)).scalar()]
        for column in (_RECORDS.c.learner, _ANSWERS.c.learner, _DUE_DATES.c.name):
            conditions = [column == learner] + [_DUE_DATES.c.kind == "learner"] * (column.table is _DUE_DATES)
            rows.append(self.db.execute(select(column).where(*conditions)).scalar())
            self.db.execute(delete(column.table).where(*conditions))
        if rows[0] is not None:
            self.remove_student(learner)
        return any(row is not None for row in rows)

    def cell_names(self, assignment: str) -> set[str]:
        """The ids of the cells of an assignment that are graded or answers."""
        query = select(BaseCell.name).join(BaseCell.notebook).join(Assignment).where(Assignment.name == assignment)
        return set(self.db.execute(query).scalars())

    def graded_learners(self, assignment: str) -> set[str]:
        """The ids of learners whose submission of an assignment has grades."""
        query = select(Student.id).join(SubmittedAssignment).join(Assignment).where(Assignment.name == assignment)
        return set(self.db.execute(query).scalars())

    def count_waiting_for_manual_grade(self, assignment: str) -> int:
        """The number of submissions with a written answer that has no points."""
        query = (
            select(func.count(func.distinct(SubmittedAssignment.id)))
            .select_from(SubmittedAssignment)
            .join(Assignment)
            .join(SubmittedAssignment.notebooks)
            .join(Grade)
            .where(Assignment.name == assignment, Grade.needs_manual_grade)
        )
        return self.db.execute(query).scalar_one()

    def scores(self, assignment: str) -> dict[str, dict[str, float | None]]:
        """Points by learner and cell, including those by hand; ``None`` if a grade by hand is missing."""
        query = (
            select(SubmittedAssignment.student_id, BaseCell.name, Grade)
            .join(SubmittedAssignment.assignment)
            .join(SubmittedAssignment.notebooks)
            .join(SubmittedNotebook.grades)
            .join(Grade.cell)
            .where(Assignment.name == assignment)
        )
        scores: dict[str, dict[str, float | None]] = {}
        for learner, cell, grade in self.db.execute(query):
            waits = grade.needs_manual_grade and grade.manual_score is None
            scores.setdefault(learner, {})[cell] = None if waits else grade.score
        return scores

    def records(self, assignment: str) -> dict[str, GradingRecord]:
        """The records of an assignment by learner; that of the assignment itself has the key ``""``."""
        rows = self.db.execute(select(_RECORDS).where(_RECORDS.c.assignment == assignment))
        return {
            row.learner: GradingRecord(row.digest, row.quarantined, tuple(json.loads(row.attention)), row.cpu_seconds)
            for row in rows
        }

    def put_record(self, assignment: str, learner: str, record: GradingRecord) -> None:
        """Insert or replace a record."""
        key = {"assignment": assignment, "learner": learner}
        columns = {
            "digest": record.digest,
            "quarantined": record.quarantined,
            "attention": json.dumps(record.attention),
            "cpu_seconds": record.cpu_seconds,
        }
        self.db.execute(delete(_RECORDS).filter_by(**key))
        self.db.execute(insert(_RECORDS).values(**key, **columns))

    @contextlib.contextmanager
    def _used_by_nbgrader(self) -> Iterator[None]:
        """Let nbgrader's preprocessors use this gradebook instead of opening their own."""
        for module in _OPENING_MODULES:
            module.Gradebook = lambda _: self
        try:
            yield
        finally:
            for module in _OPENING_MODULES:
                module.Gradebook = Gradebook


@contextlib.contextmanager
def alembic_on_path() -> Iterator[None]:
    """Add this environment's programs to the ``PATH``: nbgrader runs ``alembic`` by name to create a gradebook."""
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    try:
        yield
    finally:
        os.environ["PATH"] = path


class _LastError(logging.Handler):
    """Keeps the last error that nbgrader logs: its exceptions only refer to the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.message = ""

    def emit(self, record: logging.LogRecord) -> None:
        *_, last = record.getMessage().strip().splitlines() or [""]
        if "Traceback" in record.getMessage() or not self.message:
            self.message = last

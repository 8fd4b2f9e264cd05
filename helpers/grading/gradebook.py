"""Adapter to nbgrader: its gradebook, and everything here that depends on more than its documented API.

nbgrader's preprocessors open the gradebook again for each step and commit after each cell. :class:`CachedGradebook`
makes them use one open gradebook and one transaction, so that a submission is stored completely or not at all.
:func:`api_changes` tells what an installed nbgrader lacks of what this module needs.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader import utils
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
    latesubmissions,
    overwritecells,
    overwritekernelspec,
    saveautogrades,
)
from sqlalchemy import Column, Float, MetaData, String, Table, delete, func, insert, select
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from traitlets.config import Config

CHECKED_VERSIONS = ">=0.9.6,<0.10"
"""The versions of nbgrader for which this module was written."""

# nbgrader adds objects in an order for which SQLAlchemy warns; the result is right.
warnings.filterwarnings("ignore", "Object of type", SAWarning, "nbgrader")

_OPENING_MODULES = (overwritecells, overwritekernelspec, saveautogrades, latesubmissions)
_OVERRIDDEN = {
    "find_source_cell": ("self", "name", "notebook", "assignment"),
    "find_graded_cell": ("self", "name", "notebook", "assignment"),
    "find_grade": ("self", "grade_cell", "notebook", "assignment", "student"),
    "find_comment": ("self", "solution_cell", "notebook", "assignment", "student"),
    "close": ("self",),
}
_COLUMNS = {
    Assignment: ("name",),
    BaseCell: ("name", "notebook"),
    Comment: ("cell", "notebook_id"),
    Grade: ("cell", "notebook_id", "needs_manual_grade"),
    Student: ("id",),
    SubmittedAssignment: ("id", "notebooks"),
}
_RECORDS = Table(
    "grading_records",
    MetaData(),
    Column("assignment", String, primary_key=True),
    Column("learner", String, primary_key=True),  # "" for the assignment itself
    Column("digest", String, nullable=False),
    Column("quarantined", String),  # why an instructor must look before it is graded
    Column("attention", String, nullable=False),  # JSON list
    Column("cpu_seconds", Float, nullable=False),
)


class UnsafeAutogradeDisabled(NotebookExporter):
    """Replaces the exporter of ``nbgrader autograde``, which would run submissions without a sandbox, by an error."""

    def __init__(self, **_: Any) -> None:
        raise NbGraderException(
            "nbgrader would run submissions without a sandbox; use: python -m helpers.grading grade"
        )


@dataclass(frozen=True)
class GradingRecord:
    """What is known of a submission that was graded or quarantined.

    Attributes:
        digest: as of :class:`helpers.grading.submission.Submission`, when it was graded.
        quarantined: why an instructor must look before it is graded; ``None`` if it is graded.
        attention: what the instructor should look at, one line each.
    """

    digest: str
    quarantined: str | None = None
    attention: tuple[str, ...] = ()
    cpu_seconds: float = 0.0


def api_changes() -> list[str]:
    """What this module needs of nbgrader and does not find in the installed version, one sentence each."""
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
    """The time in a ``timestamp.txt``, as nbgrader reads it.

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
        RuntimeError: what nbgrader finds wrong with the source notebook.
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
        """Do nothing: what nbgrader commits is committed by :meth:`CachedGradebook.commit`. Queries see it."""


class CachedGradebook(Gradebook):
    """nbgrader's gradebook, open for a whole run.

    What nbgrader's preprocessors commit becomes permanent only with :meth:`commit`. The cells of an assignment, which
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
        _RECORDS.create(self.engine, checkfirst=True)
        self._cells: dict[tuple, Any] = {}
        self._of_submission: dict[tuple, dict[str, Any]] = {}

    def close(self) -> None:
        """Called by nbgrader after each step: flush, and stay open."""
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
            found = find(*key)
            self.db.expunge(found)
            self._cells[find.__name__, *key] = found
        return self._cells[find.__name__, *key]

    def _by_cell(self, model: Any, *submission: str) -> dict[str, Any]:
        """The grades or comments of a submission by cell, with one query instead of one for each cell."""
        if (model, *submission) not in self._of_submission:
            notebook = self.find_submission_notebook(*submission)
            rows = self.db.execute(
                select(BaseCell.name, model).join(model.cell).where(model.notebook_id == notebook.id)
            )
            self._of_submission[model, *submission] = {name: found for name, found in rows}
        return self._of_submission[model, *submission]

    def overwrite_cells(self, notebook: NotebookNode, resources: dict[str, Any]) -> None:
        """Replace locked cells, kernelspec and metadata of a submission by the author's, with nbgrader's own steps."""
        with self._used_by_nbgrader():
            OverwriteKernelspec().preprocess(notebook, resources)
            OverwriteCells().preprocess(notebook, resources)

    def save_grades(
        self, notebook: NotebookNode, resources: dict[str, Any], config: Config, timestamp: str | None
    ) -> None:
        """Enter the points that the outputs of a notebook show, and the late penalty, with nbgrader's own steps."""
        names = resources["nbgrader"]
        self.update_or_create_student(names["student"])
        facts = {"timestamp": timestamp} if timestamp else {}
        self.update_or_create_submission(names["assignment"], names["student"], **facts)
        with self._used_by_nbgrader():
            SaveAutoGrades(config=config).preprocess(notebook, resources)
            AssignLatePenalties(config=config).preprocess(notebook, resources)

    def set_due(self, assignment: str, when: datetime) -> None:
        """Set the due date of an assignment."""
        self.update_or_create_assignment(assignment, duedate=when.astimezone(UTC).replace(tzinfo=None))

    def cell_names(self, assignment: str) -> set[str]:
        """The ids of the cells of an assignment that have points, or answers."""
        query = select(BaseCell.name).join(BaseCell.notebook).join(Assignment).where(Assignment.name == assignment)
        return set(self.db.execute(query).scalars())

    def graded_learners(self, assignment: str) -> set[str]:
        """Whose submissions of an assignment have grades."""
        query = select(Student.id).join(SubmittedAssignment).join(Assignment).where(Assignment.name == assignment)
        return set(self.db.execute(query).scalars())

    def count_waiting_for_manual_grade(self, assignment: str) -> int:
        """How many submissions have a written answer without points."""
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
        """Points by learner and cell, those given by hand included; ``None`` while they wait for a grade by hand."""
        query = (
            select(SubmittedAssignment.student_id, BaseCell.name, Grade)
            .join(SubmittedAssignment.assignment)
            .join(SubmittedAssignment.notebooks)
            .join(SubmittedNotebook.grades)
            .join(Grade.cell)
            .where(Assignment.name == assignment)
        )
        found: dict[str, dict[str, float | None]] = {}
        for learner, cell, grade in self.db.execute(query):
            waits = grade.needs_manual_grade and grade.manual_score is None
            found.setdefault(learner, {})[cell] = None if waits else grade.score
        return found

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
    """Put this environment's programs on the ``PATH``: nbgrader runs ``alembic`` by its name to make a gradebook."""
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

"""An instructor's course folder in nbgrader's layout, and the only code that writes to it while grading.

::

    source/NAME/NAME.ipynb                 what the author wrote
    release/NAME/NAME.ipynb                what learners get
    submitted/LEARNER/NAME/NAME.ipynb      what came back: nobody's friend
    autograded/LEARNER/NAME/NAME.ipynb     with outputs and, as nbgrader keeps it, with the hidden tests
    feedback/LEARNER/NAME/NAME.html
    gradebook.db, nbgrader_config.py

A submission is read here as if its author meant harm: nothing but the text of its cells, and which cells of the
homework they claim to be, is taken from it. Points, locked text, checksums come from the author's notebook.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import logging
import math
import os
import stat
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Assignment as Listed
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, Student, SubmittedAssignment
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    DeduplicateIds,
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
from traitlets.config.loader import PyFileConfigLoader

from helpers.grading import assignment as homework
from helpers.grading import feedback, files, release
from helpers.grading.assignment import Assignment
from helpers.grading.judge import Graded, Verdict

REPOSITORY = Path(__file__).resolve().parent.parent.parent
MAX_BYTES, MAX_CELLS, MAX_DEPTH, MAX_BRACKETS = 10_000_000, 500, 64, 500_000
MAX_OUTPUT, MAX_MESSAGE = 1_000_000, 10_000  # characters of all outputs, and of one message, that are kept

# nbgrader adds rows in an order that SQLAlchemy remarks on, and that does no harm.
warnings.filterwarnings("ignore", "Object of type", SAWarning, "nbgrader")

# Which text decides about a grade: a submission graded by other code is graded again.
_DECIDING = (
    "assignment",
    "judge",
    "sandbox/codec",
    "sandbox/guest",
    "sandbox/host",
    "../exercises/check",
    "../exercises/comparison",
    "../exercises/exercise",
    "../homework",
)
_STEPS = ("source", "release", "submitted", "autograded", "feedback")
_OURS = {*_STEPS, "exports", "roster.csv", "collected.json", "gradebook.db"}
_PICTURES = {"image/png", "image/jpeg", "image/gif"}
_STAMPS = Table(
    "graded_by_engine",
    MetaData(),
    Column("assignment", String, primary_key=True),
    Column("learner", String, primary_key=True),  # "" for the homework itself
    Column("digest", String, nullable=False),
    Column("aside", String),  # why a human must look before it is graded
    Column("attention", String, nullable=False),  # JSON list
    Column("cpu_seconds", Float, nullable=False),
)
_CONFIG = '''"""nbgrader's settings for this course. Add yours below: this file is not written again."""

import os

from helpers.grading.course import defaults

c = get_config()  # noqa: F821
defaults(c, os.path.dirname(os.path.abspath(__file__)))
'''


@functools.cache
def grader_version() -> str:
    """The version of the code that decides about grades."""
    folder = Path(__file__).parent
    return _digest(*(path.read_bytes() for name in _DECIDING if (path := folder / f"{name}.py").exists()))


class CourseError(ValueError):
    """What an instructor has to mend, in one sentence."""


class Refused(ValueError):
    """A submission that is not even opened: the reason, in a few words."""


class Refusal(NotebookExporter):
    """Stands where nbgrader would run a submission without a sandbox, and says so before it touches a file."""

    def __init__(self, **_: Any) -> None:
        raise NbGraderException("nbgrader would run submissions unprotected; use: python -m helpers.grading grade")


def defaults(config: Config, root: str) -> None:
    """The settings of nbgrader that this course relies on, for its formgrader, feedback and exports."""
    config.CourseDirectory.root = root
    config.merge(release.config())
    config.merge(feedback.config())
    config.Autograde.exporter_class = "helpers.grading.course.Refusal"
    config.ClearHiddenTests.enforce_metadata = False  # learners may write those words, too
    config.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        "nbgrader.preprocessors.ClearHiddenTests",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]


@dataclass(frozen=True)
class Stamp:
    """What is known of a submission that was graded, or set aside."""

    digest: str
    aside: str | None
    attention: tuple[str, ...]
    cpu_seconds: float


@dataclass
class Submission:
    """A submission that is fit for grading.

    Attributes:
        notebook: every cell of the homework once, locked ones as the author wrote them, hidden tests included.
        timestamp: when it came, as its ``timestamp.txt`` says.
        attention: what needs a human, one line each.
    """

    learner: str
    assignment: str
    digest: str
    notebook: NotebookNode
    timestamp: str | None = None
    attention: tuple[str, ...] = ()

    def task(self) -> bytes:
        """What a worker gets: the learner's cells in their places; of the tests nothing but their names."""
        tests = [utils.is_grade(cell) and not utils.is_solution(cell) for cell in self.notebook.cells]
        blank = [cell | {"source": ""} if test else cell for test, cell in zip(tests, self.notebook.cells, strict=True)]
        return json.dumps(self.notebook | {"cells": blank}).encode()


@dataclass
class Prepared:
    """A homework that is in the gradebook."""

    assignment: Assignment
    release: NotebookNode
    digest: str
    known: dict[str, NotebookNode] = field(init=False)

    def __post_init__(self) -> None:
        self.known = {cell.metadata.nbgrader.grade_id: cell for cell in self.release.cells if _is_known(cell)}


def read_bytes(folder: Path, *parts: str, limit: int = MAX_BYTES) -> bytes:
    """Read ``folder/part/…/file``, following no symbolic link below ``folder``.

    Raises:
        Refused: something on the way is a link, no folder or no plain file, or the file is too large.
        FileNotFoundError: there is none.
    """
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for place, part in enumerate(parts):
            last = place == len(parts) - 1
            # Without blocking: a named pipe would keep us waiting for somebody who writes.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_NONBLOCK if last else os.O_DIRECTORY)
            try:
                there = os.open(part, flags, dir_fd=here)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise Refused(f"{part} is a link, or cannot be opened ({error.strerror})") from None
            os.close(here)
            here = there
        if not stat.S_ISREG(os.fstat(here).st_mode):
            raise Refused(f"{parts[-1]} is no plain file")
        with os.fdopen(here, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(here)
    if len(content) > limit:
        raise Refused(f"{parts[-1]} is larger than {limit:,} bytes")
    return content


def read_submission(path: Path) -> list[NotebookNode]:
    """The cells of a submitted notebook: their type, their text, pasted pictures, and the ``grade_id`` they claim.

    Raises:
        Refused: a link, too large, not UTF-8, not JSON, too deep, not nbformat 4, too many cells.
    """
    learner, name, file = path.parts[-3:]
    return parse_submission(read_bytes(path.parent.parent.parent, learner, name, file))


def parse_submission(content: bytes) -> list[NotebookNode]:
    """As :func:`read_submission`, from bytes at hand."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"it is not UTF-8 (byte {error.start})") from None
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise Refused(f"it has more than {MAX_BRACKETS:,} lists and objects")
    try:
        notebook = json.loads(text, parse_float=_finite, parse_constant=lambda _: None)
    except RecursionError:
        raise Refused(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise Refused(f"it is not JSON ({str(error)[:80]})") from None
    if _deeper(notebook, MAX_DEPTH):
        raise Refused(f"it is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or isinstance(notebook["nbformat"], bool):
        raise Refused("it is not a notebook of format 4; save it anew in JupyterLab")
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Refused("it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise Refused(f"it has {len(cells):,} cells, {MAX_CELLS} is the most")
    return [_cell(place, cell) for place, cell in enumerate(cells)]


class Course:
    """A course folder. It is made when it is not there, for its owner's eyes only.

    Raises:
        CourseError: it would lie inside the repository, or is a folder of something else.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).expanduser().resolve()
        if self.folder == REPOSITORY or REPOSITORY in self.folder.parents:
            raise CourseError(
                f"{self.folder} is inside the repository, where learners and their code can read; take a folder outside"
            )
        settings = self.folder / "nbgrader_config.py"
        if self.folder.is_dir() and not settings.exists():
            if foreign := {path.name for path in self.folder.iterdir()} - _OURS:
                raise CourseError(f"{self.folder} is no course folder, it has {min(foreign)} in it; take a new one")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for step in _STEPS:
            (self.folder / step).mkdir(mode=0o700, exist_ok=True)
        if not settings.exists():
            settings.write_text(_CONFIG)
        self.db_url = f"sqlite:///{self.folder / 'gradebook.db'}"
        self._ledger: _Ledger | None = None
        self._prepared: dict[str, Prepared] = {}
        self._config: Config | None = None
        if not (self.folder / "gradebook.db").exists():
            with self._transaction():
                pass

    def __enter__(self) -> Course:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._ledger:
            self._ledger.end()
            self._ledger = None

    @property
    def config(self) -> Config:
        """nbgrader's settings: ours, and what the instructor wrote into ``nbgrader_config.py``."""
        if self._config is None:
            try:
                self._config = PyFileConfigLoader("nbgrader_config.py", str(self.folder)).load_config()
            except Exception as error:
                raise CourseError(f"{self.folder / 'nbgrader_config.py'} cannot be read: {error!r}") from error
        return self._config

    def coursedir(self, assignment: str = "") -> CourseDirectory:
        """As nbgrader's own applications take it."""
        return CourseDirectory(config=self.config, root=str(self.folder), assignment_id=assignment)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who grades into this folder, until the process ends in whichever way.

        Raises:
            CourseError: somebody else is at it.
        """
        with open(self.folder / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CourseError(f"{self.folder} is being graded already; wait until that run ends") from None
            yield

    def prepare(self, source: Path) -> Prepared:
        """Make sure that a homework is in the gradebook, as nbgrader itself enters it, and read it.

        Raises:
            CourseError: there is no such notebook, nbgrader finds fault with it, or cells came or went after grading.
        """
        if not source.is_file():
            raise CourseError(f"{source} does not exist; --source tells where the authors' notebooks are")
        content = source.read_bytes()
        assignment = homework.parse(source.stem, nbformat.reads(content.decode(), as_version=4))
        digest = _digest(content, json.dumps(self.config.get("ClearSolutions"), sort_keys=True).encode())
        ours, released = (self.folder / step / source.stem / source.name for step in ("source", "release"))
        stamp = self._stamps(source.stem).get("")
        if stamp is None or stamp.digest != digest or not released.exists():
            self._register(assignment, ours, content)
            with self._transaction() as ledger:
                self._put(ledger, source.stem, "", Stamp(digest, None, (), 0))
        prepared = Prepared(
            assignment, nbformat.read(released, as_version=4), _digest(content, grader_version().encode())
        )
        self._prepared[source.stem] = prepared
        return prepared

    def learners(self, assignment: str) -> list[str]:
        """Who has handed in a folder for a homework, in alphabetical order."""
        submitted = self.folder / "submitted"
        names = [entry.name for entry in os.scandir(submitted) if not entry.name.startswith(".")]
        return sorted(name for name in names if os.path.lexists(submitted / name / assignment))

    def content(self, assignment: str, learner: str) -> tuple[bytes, str | None, str]:
        """A submission's bytes, its time, and the digest that tells whether it has to be graded.

        Raises:
            Refused: as :func:`read_bytes`; no notebook of the right name; a learner's name that cannot be printed.
        """
        if not learner.isprintable() or len(learner) > 100 or learner.strip() != learner:
            raise Refused("the folder's name cannot be a learner's")
        submitted = self.folder / "submitted"
        try:
            content = read_bytes(submitted, learner, assignment, f"{assignment}.ipynb")
        except FileNotFoundError:
            raise Refused(f"there is no {assignment}.ipynb in its folder") from None
        try:
            timestamp = read_bytes(submitted, learner, assignment, "timestamp.txt", limit=200).decode().strip() or None
            if timestamp:
                utils.parse_utc(timestamp)
        except FileNotFoundError:
            timestamp = None
        except (ValueError, OverflowError, AttributeError, TypeError):
            raise Refused("its timestamp.txt cannot be read") from None
        digest = _digest(content, (timestamp or "").encode(), self._prepared[assignment].digest.encode())
        return content, timestamp, digest

    def submission(self, assignment: str, learner: str) -> Submission:
        """Read a submission and bring it into form.

        Raises:
            Refused: as :meth:`content` and :func:`parse_submission`.
        """
        content, timestamp, digest = self.content(assignment, learner)
        notebook, attention = self.sanitise(assignment, parse_submission(content))
        return Submission(learner, assignment, digest, notebook, timestamp, attention)

    def sanitise(self, assignment: str, cells: list[NotebookNode]) -> tuple[NotebookNode, tuple[str, ...]]:
        """Every cell of the homework once, with the author's marks and locked text; and what needs a human."""
        prepared = self._prepared[assignment]
        notebook = NotebookNode(
            nbformat=4,
            nbformat_minor=4,  # from 5 on cells have ids, which would have to be checked for nothing
            metadata=NotebookNode(language_info=NotebookNode(name="python")),
            cells=[_marked(cell, prepared) for cell in cells],
        )
        resources = self._resources(assignment)
        DeduplicateIds().preprocess(notebook, resources)
        attention = []
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader") == {}:  # nbgrader leaves these, and then stumbles over them
                del cell.metadata["nbgrader"]
                attention.append("a cell was there more than once; its last copy counts")
        attention += _put_back(notebook.cells, prepared)
        with self._transaction() as ledger, _as_gradebook(ledger):
            OverwriteKernelspec().preprocess(notebook, resources)
            OverwriteCells().preprocess(notebook, resources)
        # nbgrader would check the metadata of every cell now; they are copies of what it checked when preparing.
        return notebook, tuple(dict.fromkeys(attention))

    def store(self, submission: Submission, graded: Graded) -> None:
        """Write what came out: first the notebook, then all of the gradebook and the stamp in one transaction.

        Raises:
            CourseError: a test without a verdict; nothing is written.
        """
        name, learner = submission.assignment, submission.learner
        tests = self._prepared[name].assignment.of("test")
        if missing := [test.id for test in tests if test.id not in graded.tests]:
            raise CourseError(f"the grader says nothing about {', '.join(missing)}")
        notebook = submission.notebook
        left = MAX_OUTPUT
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            verdict = graded.tests.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            cell.outputs = [] if verdict is None else [_verdict(verdict)]
            for output in graded.outputs.get(place, []) if verdict is None else []:
                cell.outputs.append(_output(output, max(left, 0)))
                left -= len(str(output))
        folder = self.folder / "autograded" / learner / name
        if submission.timestamp:
            files.write_atomic(folder / "timestamp.txt", submission.timestamp, mode=0o700)
        files.write_atomic(folder / f"{name}.ipynb", json.dumps(notebook, ensure_ascii=False), mode=0o700)
        resources = self._resources(name, learner)
        with self._transaction() as ledger, _as_gradebook(ledger):
            ledger.update_or_create_student(learner)
            facts = {"timestamp": submission.timestamp} if submission.timestamp else {}
            ledger.update_or_create_submission(name, learner, **facts)
            SaveAutoGrades(config=self.config).preprocess(notebook, resources)
            AssignLatePenalties(config=self.config).preprocess(notebook, resources)
            attention = tuple(dict.fromkeys([*submission.attention, *graded.attention]))
            self._put(ledger, name, learner, Stamp(submission.digest, None, attention, graded.cpu_seconds))

    def set_aside(self, assignment: str, learner: str, digest: str, why: str) -> None:
        """Remember that a submission must be looked at before it is graded; its grade, if there is one, stays."""
        with self._transaction() as ledger:
            self._put(ledger, assignment, learner, Stamp(digest, why, (), 0))

    def stamps(self, assignment: str) -> dict[str, Stamp]:
        """Learner → what is known, of all whose grades and notebook are still there, or who were set aside."""
        graded = self.folder / "autograded"
        with self._transaction() as ledger:
            rows = ledger.db.execute(
                select(Student.id).join(SubmittedAssignment).join(Listed).where(Listed.name == assignment)
            )
            there = {learner for (learner,) in rows}
        return {
            learner: stamp
            for learner, stamp in self._stamps(assignment).items()
            if learner
            and (stamp.aside or learner in there and (graded / learner / assignment / f"{assignment}.ipynb").exists())
        }

    def by_hand(self, assignment: str) -> int:
        """How many submissions have a written answer that waits for its points."""
        with self._transaction() as ledger:
            query = (
                select(func.count(func.distinct(SubmittedAssignment.id)))
                .select_from(SubmittedAssignment)
                .join(Listed)
                .join(SubmittedAssignment.notebooks)
                .join(Grade)
                .where(Listed.name == assignment, Grade.needs_manual_grade)
            )
            return ledger.db.execute(query).scalar_one()

    def due(self, assignment: str, when: datetime) -> None:
        """Enter when a homework that is prepared was due: what is graded from now on is late after that."""
        with self._transaction() as ledger:
            ledger.update_or_create_assignment(assignment, duedate=when.astimezone(UTC).replace(tzinfo=None))

    def _register(self, assignment: Assignment, ours: Path, content: bytes) -> None:
        """Run nbgrader's own generator: it enters cells, points and checksums into the gradebook."""
        with self._transaction() as ledger:
            rows = ledger.db.execute(
                select(BaseCell.name).join(BaseCell.notebook).join(Listed).where(Listed.name == assignment.name)
            )
            before = {name for (name,) in rows}
            count = select(func.count()).select_from(SubmittedAssignment).join(Listed)
            submissions = ledger.db.execute(count.where(Listed.name == assignment.name)).scalar_one()
        after = {cell.id for cell in assignment.cells if cell.kind != "setup"}
        if submissions and before != after:
            raise CourseError(
                f"{assignment.name} has {submissions} graded submissions, and the cells {sorted(before ^ after)} "
                "came or went since: ids never change after release"
            )
        ours.parent.mkdir(mode=0o700, exist_ok=True)
        files.write_atomic(ours, content)
        told = _Told()
        converter = GenerateAssignment(self.coursedir(assignment.name), config=self.config, force=True)
        converter.log = told.logger
        self._close()
        try:
            converter.start()
        except Exception as error:
            raise CourseError(f"nbgrader finds fault with {assignment.name}: {told.reason or error}") from error

    def _close(self) -> None:
        if self._ledger:
            self._ledger.end()
            self._ledger = None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[_Ledger]:
        self._ledger = self._ledger or _Ledger(f"{self.db_url}?timeout=60")
        try:
            yield self._ledger
            self._ledger.settle()
        finally:
            self._ledger.db.remove()

    def _resources(self, assignment: str, learner: str = "") -> dict[str, Any]:
        facts = {"student": learner, "assignment": assignment, "notebook": assignment, "db_url": self.db_url}
        return {"unique_key": assignment, "nbgrader": facts}

    def _stamps(self, assignment: str) -> dict[str, Stamp]:
        with self._transaction() as ledger:
            rows = ledger.db.execute(select(_STAMPS).where(_STAMPS.c.assignment == assignment))
            return {
                row.learner: Stamp(row.digest, row.aside, tuple(json.loads(row.attention)), row.cpu_seconds)
                for row in rows
            }

    @staticmethod
    def _put(ledger: _Ledger, assignment: str, learner: str, stamp: Stamp) -> None:
        key = {"assignment": assignment, "learner": learner}
        facts = {"digest": stamp.digest, "aside": stamp.aside, "attention": json.dumps(stamp.attention)}
        ledger.db.execute(delete(_STAMPS).filter_by(**key))
        ledger.db.execute(insert(_STAMPS).values(**key, **facts, cpu_seconds=stamp.cpu_seconds))


class _Session(Session):
    def commit(self) -> None:
        """What nbgrader commits waits, see :meth:`_Ledger.settle`; queries see it all the same."""


class _Ledger(Gradebook):
    """nbgrader's gradebook, open for the whole run.

    nbgrader's preprocessors open the gradebook anew for each step and commit after each cell. Here they get this one:
    what they commit is kept until :meth:`settle`, so that a submission is in the gradebook as a whole or not at all.
    The cells of a homework, which do not change, are looked up once.
    """

    def __init__(self, db_url: str) -> None:
        path = os.environ.get("PATH", "")
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"  # nbgrader calls alembic by its name
        try:
            super().__init__(db_url)
        finally:
            os.environ["PATH"] = path
        self.db.remove()
        self.db = scoped_session(
            sessionmaker(class_=_Session, autoflush=True, expire_on_commit=False, bind=self.engine, future=True)
        )
        _STAMPS.create(self.engine, checkfirst=True)
        self._cells: dict[tuple, Any] = {}
        self._of: dict[tuple, dict[str, Any]] = {}

    def close(self) -> None:
        self.db.flush()
        self.db.expire_all()  # sums are computed by the database

    def settle(self) -> None:
        """Commit, for good."""
        Session.commit(self.db())
        self._of.clear()

    def end(self) -> None:
        super().close()

    def find_source_cell(self, *key: str) -> Any:
        return self._once(super().find_source_cell, key)

    def find_graded_cell(self, *key: str) -> Any:
        return self._once(super().find_graded_cell, key)

    def find_grade(self, cell: str, *submission: str) -> Grade:
        return self._of_submission(Grade, submission)[cell]

    def find_comment(self, cell: str, *submission: str) -> Comment:
        return self._of_submission(Comment, submission)[cell]

    def _once(self, find: Callable[..., Any], key: tuple[str, ...]) -> Any:
        if (find.__name__, *key) not in self._cells:
            found = find(*key)
            self.db.expunge(found)
            self._cells[find.__name__, *key] = found
        return self._cells[find.__name__, *key]

    def _of_submission(self, kind: Any, submission: tuple[str, ...]) -> dict[str, Any]:
        """Grade or comment of each cell of a submission, with one query instead of one a cell."""
        if (kind, *submission) not in self._of:
            notebook = self.find_submission_notebook(*submission)
            rows = self.db.execute(select(BaseCell.name, kind).join(kind.cell).where(kind.notebook_id == notebook.id))
            self._of[kind, *submission] = {name: found for name, found in rows}
        return self._of[kind, *submission]


class _Told(logging.Handler):
    """The last error that nbgrader logs: its exceptions say no more than to look there."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.reason = ""
        self.logger = logging.Logger("nbgrader")
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        *_, last = record.getMessage().strip().splitlines() or [""]
        if "Traceback" in record.getMessage() or not self.reason:
            self.reason = last


@contextlib.contextmanager
def _as_gradebook(ledger: _Ledger) -> Iterator[None]:
    """Let nbgrader's preprocessors use an open gradebook instead of opening their own."""
    modules = (overwritecells, overwritekernelspec, saveautogrades, latesubmissions)
    for module in modules:
        module.Gradebook = lambda _: ledger
    try:
        yield
    finally:
        for module in modules:
            module.Gradebook = Gradebook


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _is_known(cell: NotebookNode) -> bool:
    return utils.is_grade(cell) or utils.is_solution(cell) or utils.is_locked(cell)


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


def _deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _text(value: Any) -> str:
    """Text that can be written: half a character, as JSON allows it, becomes a question mark."""
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _cell(place: int, cell: Any) -> NotebookNode:
    """The little that is taken from a submitted cell."""
    kind = cell.get("cell_type") if isinstance(cell, dict) else None
    if kind not in ("code", "markdown", "raw"):
        raise Refused(f"cell {place + 1} is neither code nor Markdown nor raw")
    taken = NotebookNode(cell_type=kind, source=_text(cell.get("source")), metadata=NotebookNode())
    about = cell.get("metadata", {}).get("nbgrader") if isinstance(cell.get("metadata"), dict) else None
    if isinstance(about, dict) and isinstance(about.get("grade_id"), str):
        taken.metadata.nbgrader = NotebookNode(grade_id=about["grade_id"])
    if kind == "markdown" and isinstance(cell.get("attachments"), dict):
        taken.attachments = NotebookNode(
            {
                _text(name): NotebookNode({mime: _text(data) for mime, data in bundle.items() if mime in _PICTURES})
                for name, bundle in cell["attachments"].items()
                if isinstance(bundle, dict)
            }
        )
    return taken


def _marked(cell: NotebookNode, prepared: Prepared) -> NotebookNode:
    """A cell with the author's marks if it claims to be one of the homework, and without any if not."""
    known = prepared.known.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
    kind = known.cell_type if known else cell.cell_type
    # These words would make nbgrader cut a learner's own text out of the feedback, or stop.
    source = cell.source.replace("BEGIN HIDDEN TESTS", "BEGIN HIDDEN-TESTS")
    marked = NotebookNode(cell_type=kind, source=source, metadata=NotebookNode())
    if known:
        marked.metadata.nbgrader = NotebookNode(known.metadata.nbgrader)
    if kind == "code":
        marked.execution_count, marked.outputs = None, []
    elif "attachments" in cell:
        marked.attachments = cell.attachments
    return marked


def _put_back(cells: list[NotebookNode], prepared: Prepared) -> list[str]:
    """Insert what is missing of the homework, each after the nearest cell before it that is there."""
    told = []
    after = -1
    places = {cell.metadata.nbgrader.grade_id: place for place, cell in enumerate(cells) if _is_known(cell)}
    for grade_id, cell in prepared.known.items():
        if grade_id in places:
            after = places[grade_id]
            continue
        after += 1
        cells.insert(after, _marked(cell, prepared))
        places = {name: place + (place >= after) for name, place in places.items()} | {grade_id: after}
        told.append(f"the cell {grade_id} was missing and was put back as it was released")
    return told


def _verdict(verdict: Verdict) -> NotebookNode:
    message = _text(verdict.message)[:MAX_MESSAGE]
    if verdict.passed:
        return NotebookNode(output_type="stream", name="stdout", text=message)
    return NotebookNode(output_type="error", ename="AssertionError", evalue=message, traceback=[message])


def _output(output: Mapping[str, Any], most: int) -> NotebookNode:
    """A learner's output: text and errors, and of their text so many characters at most."""
    if output["output_type"] == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type="stream", name=name, text=_text(output.get("text"))[:most])
    name, value = (_text(output.get(key))[: min(most, MAX_MESSAGE)] for key in ("ename", "evalue"))
    traceback = _text("\n".join(map(str, output.get("traceback") or [])))[:most]
    return NotebookNode(output_type="error", ename=name, evalue=value, traceback=traceback.split("\n"))

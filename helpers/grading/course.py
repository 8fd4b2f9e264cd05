"""The instructor's course folder in nbgrader's layout. While grading, only this module writes to it.

::

    source/NAME/NAME.ipynb                 the author's notebook
    release/NAME/NAME.ipynb                the student version
    submitted/LEARNER/NAME/NAME.ipynb      untrusted, read by :mod:`helpers.grading.submission`
    autograded/LEARNER/NAME/NAME.ipynb     with outputs and hidden tests
    feedback/LEARNER/NAME/NAME.html
    reports/NAME.html, reports/NAME.csv, reports/NAME-similar.html
    gradebook.db, nbgrader_config.py
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from helpers.grading import assignment as homework
from helpers.grading import feedback, files, gradebook, release
from helpers.grading.assignment import Assignment, Question
from helpers.grading.dates import DueDates, Lateness
from helpers.grading.gradebook import CachedGradebook, GradingRecord
from helpers.grading.judge import Graded, Verdict
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.collect import read_record
from helpers.grading.lms.roster import MAX_ID_BYTES
from helpers.grading.results import Adjustment, CellGrade, Result, dated, result
from helpers.grading.sandbox.host import visible_folder
from helpers.grading.submission import (
    RejectedSubmission,
    Submission,
    complete_cells,
    grade_id,
    is_test,
    parse_cells,
    read_bytes,
    shown_right,
    writable_text,
)
from helpers.grading.version import digest, grader_version

REPOSITORY = Path(__file__).resolve().parent.parent.parent
MAX_OUTPUT, MAX_MESSAGE = 1_000_000, 10_000  # characters stored of all outputs, and of one message

_STEPS = ("source", "release", "submitted", "autograded", "feedback")
_CONTENT = {*_STEPS, "exports", "reports", "roster.csv", "collected.json", ".lock", "gradebook.db"}
_CONFIG = '''"""nbgrader's settings for this course. Add your own below; this file is never overwritten."""

import os

from helpers.grading.course import defaults

c = get_config()  # noqa: F821
defaults(c, os.path.dirname(os.path.abspath(__file__)))
'''


class CourseError(ValueError):
    """An error that the instructor has to correct; the message is one sentence."""


def defaults(config: Config, root: str) -> None:
    """Set the options of nbgrader that this course relies on, for its formgrader, feedback and exports."""
    config.CourseDirectory.root = root
    config.merge(release.config())
    config.merge(feedback.config())
    config.Autograde.exporter_class = "helpers.grading.gradebook.UnsafeAutogradeDisabled"
    config.ClearHiddenTests.enforce_metadata = False  # a learner's text may contain the markers
    config.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        "nbgrader.preprocessors.ClearHiddenTests",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]


@dataclass
class PreparedAssignment:
    """An assignment that was entered into the gradebook.

    Attributes:
        cells: the released cells with nbgrader metadata, by ``grade_id``.
        texts: the released Markdown cells.
        digest: of the source notebook and of the code that determines grades.
    """

    assignment: Assignment
    cells: dict[str, NotebookNode]
    texts: frozenset[str]
    digest: str


def _refuse_visible(path: Path) -> None:
    """Raise :class:`CourseError` for a path that submissions can read."""
    if folder := visible_folder(path):
        raise CourseError(f"{path} is in {folder}, which submissions can read; move it to another folder")


class Course:
    """A course folder, readable by its owner only.

    Args:
        folder: its path.
        create: whether to create it if it does not exist.

    Raises:
        CourseError: it is inside the repository or another folder that submissions can read, it contains other files,
            or it does not exist and ``create`` is false.
    """

    database_timeout = 60.0  # seconds to wait while another process writes to the gradebook

    def __init__(self, folder: Path | str, create: bool = True) -> None:
        self.folder = Path(folder).expanduser().resolve()
        if self.folder == REPOSITORY or REPOSITORY in self.folder.parents:
            raise CourseError(
                f"{self.folder} is inside the repository, which submissions can read; choose a folder outside"
            )
        _refuse_visible(self.folder)
        settings = self.folder / "nbgrader_config.py"
        if self.folder.is_dir() and not settings.exists():
            if foreign := {path.name for path in self.folder.iterdir()} - _CONTENT:
                raise CourseError(
                    f"{self.folder} is not a course folder: it contains {min(foreign)}; choose another folder"
                )
        if not create and not settings.exists():
            raise CourseError(
                f"there is no course in {self.folder}; name the folder with --course, or run collect first"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        for step in _STEPS:
            (self.folder / step).mkdir(mode=0o700, exist_ok=True)
        if not settings.exists():
            settings.write_text(_CONFIG)
        self.db_url = f"sqlite:///{self.folder / 'gradebook.db'}"
        self._gradebook: CachedGradebook | None = None
        self._prepared: dict[str, PreparedAssignment] = {}
        self._config: Config | None = None
        if not (self.folder / "gradebook.db").exists():
            with self._transaction():
                pass

    def __enter__(self) -> Course:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the gradebook; the next use opens it again."""
        if self._gradebook:
            self._gradebook.disconnect()
            self._gradebook = None

    @property
    def config(self) -> Config:
        """nbgrader's settings: :func:`defaults`, and the contents of ``nbgrader_config.py``."""
        if self._config is None:
            try:
                self._config = PyFileConfigLoader("nbgrader_config.py", str(self.folder)).load_config()
            except Exception as error:
                raise CourseError(f"{self.folder / 'nbgrader_config.py'} cannot be read: {error!r}") from error
        return self._config

    def coursedir(self, assignment: str = "") -> CourseDirectory:
        """The folder as nbgrader's ``CourseDirectory``."""
        return CourseDirectory(config=self.config, root=str(self.folder), assignment_id=assignment)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock of the folder, see :func:`helpers.grading.files.lock`.

        Raises:
            ValueError: another command holds it.
        """
        with files.lock(self.folder):
            yield

    def prepare(self, source: Path) -> PreparedAssignment:
        """Read an assignment, and enter it into the gradebook with nbgrader's generator if it is new or changed.

        Raises:
            CourseError: the notebook does not exist, submissions can read it, nbgrader rejects it, or graded cells were
                added or removed after submissions were graded.
            ValueError: as :func:`helpers.grading.assignment.read`.
        """
        if not source.is_file():
            raise CourseError(f"{source} does not exist; name the folder of the authors' notebooks with --source")
        _refuse_visible(source)
        content = source.read_bytes()
        assignment = homework.parse(source.stem, nbformat.reads(content.decode(), as_version=4))
        source_digest = digest(content, json.dumps(self.config.get("ClearSolutions"), sort_keys=True).encode())
        copy, released = (self.folder / step / source.stem / source.name for step in ("source", "release"))
        with self._transaction() as book:
            record = book.records(source.stem).get("")
        if record is None or record.digest != source_digest or not released.exists():
            self._register(assignment, copy, content)
            with self._transaction() as book:
                book.put_record(source.stem, "", GradingRecord(source_digest))
        released_cells = nbformat.read(released, as_version=4).cells
        cells = {name: cell for cell in released_cells if (name := grade_id(cell))}
        texts = frozenset(cell.source for cell in released_cells if cell.cell_type == "markdown")
        prepared = PreparedAssignment(assignment, cells, texts, digest(content, grader_version(assignment).encode()))
        self._prepared[source.stem] = prepared
        return prepared

    def learners(self, assignment: str) -> list[str]:
        """The ids of learners with a folder for an assignment in ``submitted``, sorted."""
        submitted = self.folder / "submitted"
        names = [entry.name for entry in os.scandir(submitted) if not entry.name.startswith(".")]
        return sorted(name for name in names if os.path.lexists(submitted / name / assignment))

    def content(self, assignment: str, learner: str) -> tuple[bytes, str | None, str]:
        """A submission's bytes, its timestamp, and its digest; it is graded again if the digest changed.

        Raises:
            RejectedSubmission: as :func:`read_bytes`; there is no notebook with the expected name; its timestamp
                cannot be read; the folder's name is not a valid id.
        """
        if not learner.isprintable() or len(learner.encode()) > MAX_ID_BYTES or learner.strip() != learner:
            raise RejectedSubmission("the folder's name is not a valid learner id")
        submitted = self.folder / "submitted"
        try:
            content = read_bytes(submitted, learner, assignment, f"{assignment}.ipynb")
        except FileNotFoundError:
            raise RejectedSubmission(f"there is no {assignment}.ipynb in its folder") from None
        try:
            timestamp = read_bytes(submitted, learner, assignment, "timestamp.txt", limit=200).decode().strip() or None
            if timestamp:
                gradebook.parse_timestamp(timestamp)
        except FileNotFoundError:
            timestamp = None
        except ValueError:
            raise RejectedSubmission("its timestamp.txt cannot be read") from None
        parts = (content, (timestamp or "").encode(), self._prepared[assignment].digest.encode())
        return content, timestamp, digest(*parts)

    def submission(self, assignment: str, learner: str) -> Submission:
        """Read and sanitise a submission.

        Raises:
            RejectedSubmission: as :meth:`content` and :func:`helpers.grading.submission.parse_cells`.
        """
        content, timestamp, submission_digest = self.content(assignment, learner)
        cells = parse_cells(content)
        notebook, attention = self.sanitise(assignment, cells)
        return Submission(learner, assignment, submission_digest, notebook, timestamp, attention, shown_right(cells))

    def sanitise(self, assignment: str, cells: list[NotebookNode]) -> tuple[NotebookNode, tuple[str, ...]]:
        """A notebook with every cell of the assignment exactly once, and the author's metadata and locked cells.

        Args:
            cells: as :func:`helpers.grading.submission.parse_cells` returns them.

        Returns:
            The notebook, and a line for the instructor for each repair.
        """
        prepared = self._prepared[assignment]
        complete, attention = complete_cells(cells, prepared.cells, prepared.texts)
        notebook = NotebookNode(
            nbformat=4,
            nbformat_minor=4,  # from 5 on cells have ids, which a submission would have to provide
            metadata=NotebookNode(language_info=NotebookNode(name="python")),
            cells=complete,
        )
        with self._transaction() as book:
            book.overwrite_cells(notebook, self._resources(assignment))
        # nbgrader's validation of the metadata is not repeated: they are copies of those that it validated in prepare.
        return notebook, tuple(dict.fromkeys(attention))

    def store(self, submission: Submission, graded: Graded) -> None:
        """Write the notebook with its outputs, then store grades and record in one transaction.

        Raises:
            CourseError: a test has no verdict; nothing is written.
        """
        name, learner = submission.assignment, submission.learner
        tests = self._prepared[name].assignment.of("test")
        if missing := [test.id for test in tests if test.id not in graded.tests]:
            raise CourseError(f"the grader returned no verdict for {', '.join(missing)}")
        notebook = submission.notebook
        remaining = MAX_OUTPUT
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            verdict = graded.tests.get(grade_id(cell) or "")
            cell.outputs = [] if verdict is None else [_verdict_output(verdict)]
            if verdict is not None:
                cell.metadata.seconds = verdict.seconds
            for output in graded.outputs.get(index, []) if verdict is None else []:
                cell.outputs.append(_plain_output(output, max(remaining, 0)))
                remaining -= len(str(output))
        path = self._autograded(name, learner)
        if submission.timestamp:
            files.write_atomic(path.with_name("timestamp.txt"), submission.timestamp, mode=0o700)
        files.write_atomic(path, json.dumps(notebook, ensure_ascii=False), mode=0o700)
        answers = {
            cell_id: digest(cell.source.encode())
            for cell in notebook.cells
            if (cell_id := grade_id(cell)) and not is_test(cell)
        }
        with self._transaction() as book:
            is_graded = learner in book.graded_learners(name)
            before = book.cell_grades(name, learner) if is_graded else {}
            comments = book.manual_comments(name, learner) if is_graded else {}
            changed = _differing(book.answer_digests(name, learner), answers)
            book.save_grades(notebook, self._resources(name, learner), self.config, submission.timestamp)
            after = book.cell_grades(name, learner)
            book.confirm_manual_grades(name, learner, self._still_valid(name, before, after, changed))
            earlier = {cell: grade.points for cell, grade in before.items()}
            earlier |= book.earlier_points(name).get(learner, {})
            different = {
                cell: points for cell, points in earlier.items() if cell in after and after[cell].points != points
            }
            book.put_answers(name, learner, answers, {} if changed else different)
            self._update_late_penalties(book, name, [learner])
            outdated = [f"the answer {cell} changed after a comment by hand" for cell in comments if cell in changed]
            attention = tuple(dict.fromkeys([*submission.attention_after(graded), *outdated]))
            record = GradingRecord(submission.digest, None, attention, graded.cpu_seconds)
            book.put_record(name, learner, record)

    def verdicts(self, assignment: str, learner: str) -> dict[str, Verdict]:
        """The verdict of each test of a graded submission by id, as :meth:`store` wrote it."""
        cells = nbformat.read(self._autograded(assignment, learner), as_version=4).cells
        return {name: _read_verdict(cell) for cell in cells if is_test(cell) and (name := grade_id(cell))}

    def scores(self, assignment: str) -> dict[str, dict[str, float | None]]:
        """The points of each graded cell by learner and id; ``None`` where a written answer has no points yet."""
        with self._transaction() as book:
            return book.scores(assignment)

    def quarantine(self, assignment: str, learner: str, submission_digest: str, reason: str) -> None:
        """Record that a submission needs an instructor before it can be graded; an existing grade is kept."""
        with self._transaction() as book:
            book.put_record(assignment, learner, GradingRecord(submission_digest, reason))

    def records(self, assignment: str) -> dict[str, GradingRecord]:
        """The records by learner, without those whose grades or autograded notebook were deleted."""
        with self._transaction() as book:
            graded, records = book.graded_learners(assignment), book.records(assignment)
        return {
            learner: record
            for learner, record in records.items()
            if learner and (record.quarantined or learner in graded and self._autograded(assignment, learner).exists())
        }

    def count_waiting_for_manual_grade(self, assignment: str) -> int:
        """The number of submissions with a written answer that has no points."""
        with self._transaction() as book:
            return book.count_waiting_for_manual_grade(assignment)

    def manual_grades_to_review(self, assignment: str) -> dict[str, list[str]]:
        """Learner → cells with points by hand whose answer or automatic points have changed since then."""
        with self._transaction() as book:
            return book.manual_grades_to_review(assignment)

    def questions(self, assignment: str) -> tuple[Question, ...]:
        """The questions of a homework that was prepared; none if its source is not in the folder."""
        return source_questions(self.folder, assignment)

    def due_dates(self, assignment: str) -> DueDates:
        """The due dates of a homework; extensions in the roster apply to learners without one in the gradebook."""
        with self._transaction() as book:
            return self._due_dates(book, assignment)

    def set_due(
        self, assignment: str, when: datetime, section: str = "", handed_in: Collection[str] | None = None
    ) -> None:
        """Set the due date of a prepared homework for the course or for a section, and update late penalties.

        Args:
            when: the due date.
            section: the section of the roster; empty for the course.
            handed_in: the learners to whom a date for the course applies; others with a submission keep the previous
                date, which becomes their individual date. By default it applies to all.
        """
        with self._transaction() as book:
            before = self._due_dates(book, assignment)
            if section:
                book.set_due_of(assignment, "section", section, when)
            else:
                if handed_in is not None and before.course and before.course != when.astimezone(UTC):
                    roster = rosters.of_course(self.folder)
                    for learner in set(self.learners(assignment)).difference(handed_in):
                        on_roster = roster.by_id(learner)
                        if before.of(learner, on_roster.section if on_roster else "")[1] == "course":
                            book.set_due_of(assignment, "learner", learner, before.course)
                book.set_due(assignment, when)
            self._update_late_penalties(book, assignment)

    def extend(self, assignment: str, learner: str, until: datetime | None) -> None:
        """Set or, with None, remove the individual due date of a learner, and update the late penalty."""
        with self._transaction() as book:
            book.set_due_of(assignment, "learner", learner, until)
            self._update_late_penalties(book, assignment, [learner])

    def adjust(self, assignment: str, question: str, adjustment: Adjustment | None) -> None:
        """Record or, with None, remove the adjustment of a question of a prepared homework, and update late penalties.

        Args:
            question: the name of a :class:`Question`.
        """
        with self._transaction() as book:
            book.set_adjustment(assignment, question, adjustment)
            self._update_late_penalties(book, assignment)

    def earlier_points(self, assignment: str) -> dict[str, dict[str, float]]:
        """Learner → points of cells before the same answers were graded again, if they were different."""
        with self._transaction() as book:
            return book.earlier_points(assignment)

    def adjustments(self, assignment: str) -> list[Adjustment]:
        """The adjustments of questions of a homework."""
        with self._transaction() as book:
            return book.adjustments(assignment)

    def update_late_penalties(self, assignment: str) -> None:
        """Compute all late penalties again from the current points, dates and adjustments."""
        with self._transaction() as book:
            self._update_late_penalties(book, assignment)

    def results(self, assignment: str) -> dict[str, Result]:
        """The result of each graded learner, with the late penalty that was computed last."""
        with self._transaction() as book:
            return self._results(book, assignment)

    def source_digest(self, assignment: str) -> str:
        """The digest of the source from which a homework was last prepared; empty if it was not."""
        with self._transaction() as book:
            record = book.records(assignment).get("")
        return record.digest if record else ""

    def by_hand(self, assignment: str, learner: str) -> dict[tuple[str, str], float | str]:
        """Points and comments by hand: (cell, ``points`` or ``a comment``) → value."""
        with self._transaction() as book:
            return self._by_hand(book, assignment, learner)

    def take_grades(self, other: Course, assignment: str, new: Collection[str]) -> int:
        """Copy grades from another course's gradebook.

        Args:
            other: the course to copy from.
            new: learners whose grades are copied completely; of others who are in both courses, only points and
                comments by hand are copied.

        Returns:
            The number of points and comments by hand that were copied.
        """
        with other._transaction() as other_book, self._transaction() as book:
            common = (other_book.graded_learners(assignment) & book.graded_learners(assignment)).difference(new)
            records = other_book.records(assignment)
            for learner in sorted(new):
                if learner in other_book.graded_learners(assignment):
                    book.copy_submission(other_book, assignment, learner)
                book.put_record(assignment, learner, records[learner])
            copied = 0
            for learner in sorted({*common, *other_book.graded_learners(assignment).intersection(new)}):
                missing = (
                    self._by_hand(other_book, assignment, learner).items()
                    - self._by_hand(book, assignment, learner).items()
                )
                for (cell, kind), value in missing:
                    book.set_by_hand(assignment, learner, cell, kind, value)
                copied += len(missing)
            dates = book.due_dates(assignment)
            for learner, when in other_book.due_dates(assignment).learners.items():
                if learner not in dates.learners:
                    book.set_due_of(assignment, "learner", learner, when)
            self._update_late_penalties(book, assignment)
        return copied

    @staticmethod
    def _by_hand(book: CachedGradebook, assignment: str, learner: str) -> dict[tuple[str, str], float | str]:
        if learner not in book.graded_learners(assignment):
            return {}
        grades, comments = book.cell_grades(assignment, learner), book.manual_comments(assignment, learner)
        points: dict[tuple[str, str], float | str] = {
            (cell, "points"): grade.manual for cell, grade in grades.items() if grade.manual is not None
        }
        return points | {(cell, "a comment"): text for cell, text in comments.items()}

    def forget(self, learner: str) -> bool:
        """Delete a learner from the gradebook, and compact the file; return whether there was anything to delete.

        SQLite keeps the content of deleted rows in its file until it is compacted.
        """
        with self._transaction() as book:
            existed = book.forget(learner)
        self.close()
        with contextlib.closing(sqlite3.connect(self.folder / "gradebook.db")) as database:
            database.execute("VACUUM")
        return existed

    def _update_late_penalties(
        self, book: CachedGradebook, assignment: str, learners: Iterable[str] | None = None
    ) -> None:
        for learner, current in self._results(book, assignment, learners).items():
            book.set_late_penalty(assignment, learner, current, self.config)

    def _results(
        self, book: CachedGradebook, assignment: str, learners: Iterable[str] | None = None
    ) -> dict[str, Result]:
        graded = book.graded_learners(assignment)
        questions, adjustments = self.questions(assignment), book.adjustments(assignment)
        dates, roster = self._due_dates(book, assignment), rosters.of_course(self.folder)
        record = read_record(self.folder).get(assignment, {})
        results = {}
        for learner in sorted(graded if learners is None else graded.intersection(learners)):
            on_roster = roster.by_id(learner)
            due, source = dates.of(learner, on_roster.section if on_roster else "")
            marked = bool(record.get(learner, {}).get("late"))
            lateness = Lateness(due, source, book.handed_in(assignment, learner), marked)
            undated = result(questions, book.cell_grades(assignment, learner), adjustments)
            results[learner] = dated(undated, book.late_penalty(assignment, learner), lateness)
        return results

    def _due_dates(self, book: CachedGradebook, assignment: str) -> DueDates:
        dates = book.due_dates(assignment)
        roster = {learner.id: due for learner in rosters.of_course(self.folder) if (due := learner.due_of(assignment))}
        return replace(dates, learners=roster | dict(dates.learners))

    def _still_valid(
        self,
        assignment: str,
        before: Mapping[str, CellGrade],
        after: Mapping[str, CellGrade],
        changed: Collection[str],
    ) -> list[str]:
        """The cells with points by hand for which neither the automatic points nor an answer of the question changed.

        Cells that had to be reviewed before are not among them.
        """
        of_cell = {cell: question.cells for question in self.questions(assignment) for cell in question.points}
        return [
            cell
            for cell, grade in after.items()
            if grade.manual is not None
            and cell in before
            and before[cell].manual == grade.manual
            and not before[cell].review
            and before[cell].auto == grade.auto
            and not {*of_cell.get(cell, (cell,)), cell}.intersection(changed)
        ]

    def _register(self, assignment: Assignment, copy: Path, content: bytes) -> None:
        """Copy the source into the folder and let nbgrader generate the release from it."""
        with self._transaction() as book:
            before, submissions = book.cell_names(assignment.name), len(book.graded_learners(assignment.name))
        after = {cell.id for cell in assignment.cells if cell.kind != "setup"}
        if submissions and before != after:
            raise CourseError(
                f"{assignment.name} has {submissions} graded submissions, and the cells {sorted(before ^ after)} "
                "were added or removed since: ids must not change after release"
            )
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        files.write_atomic(copy, content)
        self.close()
        try:
            gradebook.generate_assignment(self.coursedir(assignment.name), self.config)
        except RuntimeError as error:
            raise CourseError(f"nbgrader rejects {assignment.name}: {error}") from error

    def _autograded(self, assignment: str, learner: str) -> Path:
        return self.folder / "autograded" / learner / assignment / f"{assignment}.ipynb"

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[CachedGradebook]:
        self._gradebook = self._gradebook or CachedGradebook(f"{self.db_url}?timeout={self.database_timeout:g}")
        try:
            yield self._gradebook
            self._gradebook.commit()
        finally:
            self._gradebook.db.remove()

    def _resources(self, assignment: str, learner: str = "") -> dict[str, Any]:
        names = {"student": learner, "assignment": assignment, "notebook": assignment, "db_url": self.db_url}
        return {"unique_key": assignment, "nbgrader": names}


def source_questions(folder: Path, assignment: str) -> tuple[Question, ...]:
    """The questions of a homework whose source is in a course folder; none if it is not there."""
    path = folder / "source" / assignment / f"{assignment}.ipynb"
    return homework.questions(nbformat.read(path, as_version=4)) if path.exists() else ()


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """The cells whose digest is not the same in both."""
    return {cell for cell in before.keys() | after.keys() if before.get(cell) != after.get(cell)}


def _verdict_output(verdict: Verdict) -> NotebookNode:
    message = writable_text(verdict.message)[:MAX_MESSAGE]
    if verdict.passed:
        return NotebookNode(output_type="stream", name="stdout", text=message)
    return NotebookNode(output_type="error", ename="AssertionError", evalue=message, traceback=[message])


def _read_verdict(cell: NotebookNode) -> Verdict:
    """The inverse of :func:`_verdict_output`."""
    output = cell.outputs[0] if cell.outputs else NotebookNode(output_type="error", evalue="")
    passed = output.output_type == "stream"
    return Verdict(passed, output.text if passed else output.evalue, float(cell.metadata.get("seconds", 0)))


def _plain_output(output: Mapping[str, Any], limit: int) -> NotebookNode:
    """Text or error of a learner's output, with at most ``limit`` characters of text."""
    if output["output_type"] == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type="stream", name=name, text=writable_text(output.get("text"))[:limit])
    name, value = (writable_text(output.get(key))[: min(limit, MAX_MESSAGE)] for key in ("ename", "evalue"))
    traceback = writable_text("\n".join(map(str, output.get("traceback") or [])))[:limit]
    return NotebookNode(output_type="error", ename=name, evalue=value, traceback=traceback.split("\n"))

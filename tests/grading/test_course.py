"""The course folder: submissions, grades, due dates and adjustments, and atomic storage."""

from __future__ import annotations

import copy
import json
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.preprocessors import AssignLatePenalties, CheckCellMetadata, SaveAutoGrades

from helpers.grading import course as module
from helpers.grading.course import REPOSITORY, Course, CourseError
from helpers.grading.gradebook import CachedGradebook
from helpers.grading.judge import Graded, Verdict
from helpers.grading.lms.collect import write_record
from helpers.grading.results import Adjustment
from helpers.grading.sandbox import host
from helpers.grading.submission import RejectedSubmission, Submission, parse_cells
from tests.tools.homework import SMALL as NAME
from tests.tools.homework import SMALL_ANSWERS, SMALL_SECRET, answered_small, hand_in, small_homework

IDS = ["setup", "learner_id", "double", "test_double", "hidden_double", "total", "test_total", "hidden_total", "why"]


def result(failing: tuple[str, ...] = (), outputs: dict[int, list[dict]] | None = None) -> Graded:
    """A result of the judge."""
    tests = [name for name in IDS if name.startswith(("test", "hidden"))]
    verdicts = {name: Verdict(name not in failing, f"{name} says so") for name in tests}
    return Graded(outputs or {}, verdicts, ("look here",), 1.5)


def book(course: Course) -> dict[tuple[str, str], tuple]:
    """All grades: (learner, cell) → auto, manual, whether it needs a review."""
    with Gradebook(course.db_url) as gradebook:
        return {
            (submission.student.id, grade.name): (grade.auto_score, grade.manual_score, grade.needs_manual_grade)
            for submission in gradebook.assignment_submissions(NAME)
            for grade in submission.notebooks[0].grades
        }


def autograded(course: Course, learner: str) -> NotebookNode:
    return nbformat.read(course.folder / "autograded" / learner / NAME / f"{NAME}.ipynb", as_version=4)


def marks(notebook: NotebookNode) -> list[str]:
    return [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]


# The folder.


def test_a_course_folder_is_private_and_other_folders_are_refused(tmp_path: Path) -> None:
    with Course(tmp_path / "a" / "course") as course:
        assert course.folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to_ada.txt").touch()
    with pytest.raises(CourseError, match="not a course folder: it contains to_ada.txt"):
        Course(tmp_path / "letters")
    for inside in (REPOSITORY, REPOSITORY / "notebooks" / "homework", REPOSITORY / "notebooks" / ".." / "grades"):
        with pytest.raises(CourseError, match="inside the repository"):
            Course(inside)
    (tmp_path / "link").symlink_to(REPOSITORY / "notebooks")
    with pytest.raises(CourseError, match="inside the repository"):
        Course(tmp_path / "link" / "course")
    assert not (REPOSITORY / "grades").exists() and not (REPOSITORY / "notebooks" / "course").exists()


def test_a_course_or_source_that_submissions_can_read_is_refused(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the sandbox, by what a path leads to; the paths themselves are what the sandbox shows."""
    (tmp_path / "link").symlink_to(sys.base_prefix)
    for folder in (Path(sys.base_prefix, "course"), Path("/usr/share/course"), tmp_path / "link" / "course"):
        with pytest.raises(CourseError, match="which submissions can read"):
            Course(folder)
        assert not folder.exists()
    shown = tmp_path / "shown"
    shutil.copytree(source.parent, shown / NAME)
    (tmp_path / NAME).symlink_to(shown / NAME)
    with Course(tmp_path / "course") as course:
        monkeypatch.setattr(host, "_environment", lambda: [shown])
        for path in (shown, tmp_path):
            with pytest.raises(CourseError, match="which submissions can read"):
                course.prepare(path / NAME / f"{NAME}.ipynb")
        assert course.records(NAME) == {}
        course.prepare(source)


def test_only_one_command_can_write(course: Course) -> None:
    with course.writing():
        with pytest.raises(ValueError, match="another command is writing to"), Course(course.folder).writing():
            pass
    with Course(course.folder).writing():
        pass


def test_settings_of_the_instructor_are_used(course: Course) -> None:
    settings = course.folder / "nbgrader_config.py"
    settings.write_text(settings.read_text() + '\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    config = Course(course.folder).config
    assert config.LateSubmissionPlugin.penalty_method == "zero" and config.HTMLExporter.sanitize_html
    settings.write_text("c = ")
    with pytest.raises(CourseError, match="cannot be read"):
        _ = Course(course.folder).config


# The homework in the gradebook.


def test_a_homework_is_entered_as_nbgrader_does(course: Course, source: Path, tmp_path: Path) -> None:
    def entered(folder: Path) -> list[tuple]:
        with sqlite3.connect(folder / "gradebook.db") as database:
            query = "SELECT name, cell_type, locked, source, checksum FROM source_cell ORDER BY name"
            return database.execute(query).fetchall()

    other = Course(tmp_path / "stock")
    shutil.copytree(source.parent, other.folder / "source" / NAME)
    done = NbGraderAPI(other.coursedir(), config=other.config).generate_assignment(NAME)
    assert done["success"], done
    assert entered(course.folder) == entered(other.folder) != []
    with Gradebook(course.db_url) as gradebook:
        assert gradebook.find_assignment(NAME).max_score == 11


def test_only_a_changed_homework_is_entered_again(course: Course, source: Path, tmp_path: Path) -> None:
    released = course.folder / "release" / NAME / f"{NAME}.ipynb"
    before = released.stat().st_mtime_ns
    first = course.prepare(source).digest
    assert released.stat().st_mtime_ns == before
    changed = tmp_path / f"{NAME}.ipynb"
    changed.write_text(source.read_text().replace("double(-1) == -2", "double(-3) == -6"))
    assert course.prepare(changed).digest != first
    with Gradebook(course.db_url) as gradebook:
        assert "double(-3)" in gradebook.find_source_cell("hidden_double", NAME, NAME).source


def test_invalid_homeworks_are_reported(course: Course, release: NotebookNode, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="does not exist"):
        course.prepare(tmp_path / "nothing.ipynb")
    broken = tmp_path / f"{NAME}.ipynb"
    notebook = small_homework()
    notebook.cells[4].source = "### BEGIN SOLUTION\npass"
    nbformat.write(notebook, broken)
    with pytest.raises(CourseError, match="nbgrader rejects hw0_small: .*[Ss]olution"):
        course.prepare(broken)
    hand_in(course.folder, "ada", answered_small(release))
    course.store(course.submission(NAME, "ada"), result())
    notebook = small_homework()
    notebook.cells[4].metadata.nbgrader.grade_id = "twice"
    nbformat.write(notebook, broken)
    with pytest.raises(CourseError, match=r"1 graded submissions.*\['double', 'twice'\]"):
        course.prepare(broken)


# Reading.


def test_invalid_ids_and_timestamps_are_refused(course: Course, release: NotebookNode) -> None:
    for name in ("bell\a", " ada", "a" * 201, "ä" * 101, b"\xff".decode("utf-8", "surrogateescape")):
        hand_in(course.folder, name, answered_small(release))
        with pytest.raises(RejectedSubmission, match="name"):
            course.content(NAME, name)
    stamp = hand_in(course.folder, "ada", answered_small(release)).with_name("timestamp.txt")
    for text in (b"tomorrow", b"\xff", b"9" * 500):
        stamp.write_bytes(text)
        with pytest.raises(RejectedSubmission, match="timestamp"):
            course.content(NAME, "ada")
    stamp.write_text("2026-03-01 12:00:00 UTC")
    assert course.content(NAME, "ada")[1] == "2026-03-01 12:00:00 UTC"


# Sanitising.

JUNK: list[Any] = [None, [], {}, 5, "x" * 50, {"grade_id": "setup"}, {"grade_id": ["total"]}, {"grade_id": "nobody"}]


def mangled(release: NotebookNode, choose: random.Random) -> NotebookNode:
    """A release after random edits of cells and metadata."""
    notebook = answered_small(release)
    for _ in range(choose.randint(1, 12)):
        cells = notebook.cells
        index = choose.randrange(len(cells)) if cells else 0
        match choose.choice(["delete", "copy", "move", "type", "junk", "forge", "claim", "text"]) if cells else "none":
            case "delete":
                del cells[index]
            case "copy":
                cells.insert(choose.randrange(len(cells) + 1), copy.deepcopy(cells[index]))
            case "move":
                cells.insert(choose.randrange(len(cells)), cells.pop(index))
            case "type":
                cells[index].cell_type = choose.choice(["code", "markdown", "raw"])
            case "junk":
                cells[index].metadata = {"nbgrader": choose.choice(JUNK)}
            case "forge":
                metadata = cells[index].metadata.setdefault("nbgrader", {})
                if isinstance(metadata, dict):
                    metadata.update(points=99, grade=choose.random() < 0.5, solution=choose.random() < 0.5, task=True)
                    metadata.update(schema_version=choose.choice([0, 3, 99, "x"]), checksum="0", locked=False)
            case "claim":
                cells[index].metadata = {"nbgrader": {"grade_id": choose.choice(IDS)}}
            case "text":
                cells[index].source = choose.choice(["", "print(1)", "### BEGIN HIDDEN TESTS", "\x00"])
    return notebook


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory, entered: Path, source: Path) -> Iterator[Course]:
    """A course for tests that write nothing into it."""
    with Course(shutil.copytree(entered, tmp_path_factory.mktemp("read_only") / "course")) as course:
        course.prepare(source)
        yield course


@pytest.mark.parametrize("seed", range(60))
def test_a_sanitised_notebook_has_every_cell_once_with_the_authors_metadata(
    seed: int, read_only: Course, release: NotebookNode
) -> None:
    content = json.dumps(mangled(release, random.Random(seed))).encode()
    notebook, _ = read_only.sanitise(NAME, parse_cells(content))
    CheckCellMetadata().preprocess(copy.deepcopy(notebook), {})
    assert sorted(marks(notebook)) == sorted(IDS)
    author = {cell.metadata.nbgrader.grade_id: cell for cell in small_homework().cells if "nbgrader" in cell.metadata}
    for cell in notebook.cells:
        if "nbgrader" not in cell.metadata:
            continue
        mine = author[cell.metadata.nbgrader.grade_id]
        for mark in ("grade", "solution", "locked", "points"):
            assert cell.metadata.nbgrader.get(mark, None) == mine.metadata.nbgrader.get(mark, None)
        assert cell.cell_type == mine.cell_type
        if mine.metadata.nbgrader.locked:
            assert cell.source == mine.source
    task = Submission("ada", NAME, "", notebook).worker_input()
    assert SMALL_SECRET.encode() not in task and b"BEGIN HIDDEN TESTS" not in task
    assert [cell["cell_type"] for cell in json.loads(task)["cells"]] == [cell.cell_type for cell in notebook.cells]


def test_missing_cells_are_restored_in_order_and_reported(read_only: Course, release: NotebookNode) -> None:
    untouched = parse_cells(nbformat.writes(release).encode())
    whole, attention = read_only.sanitise(NAME, untouched)
    assert attention == ()
    few = [cell for cell in untouched if cell.metadata.get("nbgrader", {}).get("grade_id") in ("double", "why")]
    notebook, attention = read_only.sanitise(NAME, copy.deepcopy(few))
    assert marks(notebook) == IDS == marks(whole)
    assert (
        len(attention) == len(IDS) - 2 and "the cell test_total was missing and was restored as released" in attention
    )
    notebook, attention = read_only.sanitise(NAME, few + copy.deepcopy(few))
    assert "a cell occurred more than once; the last one counts" in attention
    kept = [index for index, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade_id")]
    assert kept[-1] == len(notebook.cells) - 1


# Storing.


def test_grades_equal_those_of_nbgrader(course: Course, release: NotebookNode) -> None:
    """The same notebook through the steps as nbgrader runs them, each with a gradebook of its own."""
    hand_in(course.folder, "ada", answered_small(release, total="..."))
    hand_in(course.folder, "bo", release)
    stock = Course(course.folder.with_name("stock"))
    course.close()
    shutil.copy(course.folder / "gradebook.db", stock.folder / "gradebook.db")
    for learner in ("ada", "bo"):
        submission = course.submission(NAME, learner)
        course.store(submission, result(failing=("hidden_total",)))
        with Gradebook(stock.db_url) as gradebook:
            gradebook.update_or_create_student(learner)
            gradebook.update_or_create_submission(NAME, learner)
        resources = stock._resources(NAME, learner)
        for step in (SaveAutoGrades, AssignLatePenalties):
            step().preprocess(autograded(course, learner), resources)

    def comments(of: Course) -> list[tuple]:
        with sqlite3.connect(of.folder / "gradebook.db") as database:
            query = "SELECT base_cell.name, auto_comment FROM comment JOIN base_cell ON cell_id = base_cell.id"
            return sorted(database.execute(query).fetchall(), key=str)

    assert book(course) == book(stock) and comments(course) == comments(stock)
    assert ("why", "No response.") in comments(course) and ("why", None) in comments(course)
    grades = book(course)
    assert grades["ada", "test_total"] == (2, None, False) and grades["ada", "hidden_total"] == (0, None, False)
    assert grades["ada", "why"] == (None, None, True) and grades["bo", "why"] == (0, None, False)
    assert course.count_waiting_for_manual_grade(NAME) == 1


def test_outputs_and_verdicts_are_stored_in_the_notebook(course: Course, release: NotebookNode) -> None:
    hand_in(course.folder, "ada", answered_small(release))
    submission = course.submission(NAME, "ada")
    indices = {cell.metadata.get("nbgrader", {}).get("grade_id"): n for n, cell in enumerate(submission.notebook.cells)}
    image = {"output_type": "stream", "name": "stderr", "text": "half \ud800", "data": {"text/html": "<b>"}}
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", "b"]}
    flood = {"output_type": "stream", "name": "stdout", "text": "x" * 3_000_000}
    forged = {"output_type": "stream", "name": "stdout", "text": "all right"}
    outputs: dict[int, list[dict]] = {
        indices["double"]: [image, error],
        indices["total"]: [flood, flood],
        indices["test_total"]: [forged],
    }
    course.store(submission, result(failing=("test_total",), outputs=outputs))
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in autograded(course, "ada").cells}
    assert cells["double"].outputs == [
        {"output_type": "stream", "name": "stderr", "text": "half ?"},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", "b"]},
    ]
    assert 900_000 < sum(len(output.text) for output in cells["total"].outputs) <= module.MAX_OUTPUT
    [verdict] = cells["test_total"].outputs
    assert (verdict.ename, verdict.evalue) == ("AssertionError", "test_total says so")
    [verdict] = cells["test_double"].outputs
    assert (verdict.name, verdict.text) == ("stdout", "test_double says so")
    nbformat.validate(autograded(course, "ada"))


def by_hand(course: Course, cell: str, points: float, comment: str = "", learner: str = "ada") -> None:
    """Grade a cell as formgrader does."""
    with Gradebook(course.db_url) as gradebook:
        grade = gradebook.find_grade(cell, NAME, NAME, learner)
        grade.manual_score, grade.needs_manual_grade = points, False
        if comment:
            gradebook.find_comment(cell, NAME, NAME, learner).manual_comment = comment
        gradebook.db.commit()


def test_points_by_hand_are_kept(course: Course, release: NotebookNode) -> None:
    """Where neither the text nor the automatic points of the question changed, they stay as they are."""
    hand_in(course.folder, "ada", answered_small(release))
    course.store(course.submission(NAME, "ada"), result())
    by_hand(course, "why", 2.5, "fine")
    course.store(course.submission(NAME, "ada"), result(failing=("test_total",)))
    assert book(course)["ada", "why"] == (None, 2.5, False)
    assert book(course)["ada", "test_total"] == (0, None, False)
    assert course.manual_grades_to_review(NAME) == {}
    with Gradebook(course.db_url) as gradebook:
        assert gradebook.find_comment("why", NAME, NAME, "ada").comment == "fine"
        assert gradebook.find_submission(NAME, "ada").score == 2.5 + 6


def test_points_by_hand_of_changed_answers_are_listed(course: Course, release: NotebookNode) -> None:
    hand_in(course.folder, "ada", answered_small(release))
    course.store(course.submission(NAME, "ada"), result())
    by_hand(course, "why", 2.5, "fine")
    by_hand(course, "test_double", 0.5)
    by_hand(course, "hidden_total", 1.0)
    # Another text of why; the test of double gives other points; total stays as it was.
    hand_in(course.folder, "ada", answered_small(release, why="Because I say so."))
    course.store(course.submission(NAME, "ada"), result(failing=("test_double",)))
    assert course.manual_grades_to_review(NAME) == {"ada": ["hidden_total", "test_double", "why"]}
    assert "the answer why changed after a comment by hand" in course.records(NAME)["ada"].attention
    course.store(course.submission(NAME, "ada"), result(failing=("test_double",)))
    assert course.manual_grades_to_review(NAME) == {"ada": ["hidden_total", "test_double", "why"]}  # until looked at
    by_hand(course, "why", 2.0)
    course.store(course.submission(NAME, "ada"), result(failing=("test_double",)))
    assert course.manual_grades_to_review(NAME) == {"ada": ["hidden_total", "test_double"]}


def test_earlier_points_are_kept_when_graded_again(course: Course, release: NotebookNode) -> None:
    hand_in(course.folder, "ada", answered_small(release))
    course.store(course.submission(NAME, "ada"), result(failing=("test_total", "hidden_total")))
    assert course.earlier_points(NAME) == {"ada": {}}
    course.store(course.submission(NAME, "ada"), result(failing=("hidden_total",)))
    assert course.earlier_points(NAME) == {"ada": {"test_total": 0}}
    course.store(course.submission(NAME, "ada"), result(failing=("test_total", "hidden_total")))
    assert course.earlier_points(NAME) == {"ada": {}}
    hand_in(course.folder, "ada", answered_small(release, total="def total(xs): return 0"))
    course.store(course.submission(NAME, "ada"), result())
    assert course.earlier_points(NAME) == {"ada": {}}  # another answer is not the same one graded again


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def penalties(course: Course) -> dict[str, float]:
    return {learner: found.penalty for learner, found in sorted(course.results(NAME).items())}


def penalise(course: Course, method: str = "zero") -> None:
    """Let late work lose points, as an instructor does in the settings."""
    settings = course.folder / "nbgrader_config.py"
    settings.write_text(settings.read_text() + f'\nc.LateSubmissionPlugin.penalty_method = "{method}"\n')
    course._config = None


def graded_at(course: Course, release: NotebookNode, times: dict[str, str | None]) -> None:
    for learner, time in times.items():
        path = hand_in(course.folder, learner, answered_small(release))
        if time:
            path.with_name("timestamp.txt").write_text(time)
        course.store(course.submission(NAME, learner), result())


def test_the_late_penalty_is_that_of_the_settings(course: Course, release: NotebookNode) -> None:
    penalise(course)
    course.set_due(NAME, NOON)
    graded_at(course, release, {"ada": "2026-03-01 11:00:00 UTC", "bo": "2026-03-01 13:00:00 UTC", "cy": None})
    assert penalties(course) == {"ada": 0, "bo": 8, "cy": 0}
    assert (course.folder / "autograded" / "bo" / NAME / "timestamp.txt").read_text() == "2026-03-01 13:00:00 UTC"
    by_hand(course, "why", 3, learner="bo")
    course.update_late_penalties(NAME)
    assert penalties(course)["bo"] == 11  # of what is given by hand, too


def test_later_dates_of_learners_and_sections_update_the_penalty(course: Course, release: NotebookNode) -> None:
    penalise(course)
    (course.folder / "roster.csv").write_text(
        f"id,section,due {NAME}\nada,A,\nbo,B,\ncy,B,\ndi,B,2026-03-01T20:00+00:00\n"
    )
    graded_at(course, release, dict.fromkeys(("ada", "bo", "cy", "di"), "2026-03-01 13:00:00 UTC"))
    assert penalties(course) == {"ada": 0, "bo": 0, "cy": 0, "di": 0}  # no date yet
    course.set_due(NAME, NOON)
    assert penalties(course) == {"ada": 8, "bo": 8, "cy": 8, "di": 0}  # the roster has a date for di
    course.set_due(NAME, NOON + timedelta(hours=2), section="A")
    course.extend(NAME, "bo", NOON + timedelta(hours=3))
    assert penalties(course) == {"ada": 0, "bo": 0, "cy": 8, "di": 0}
    assert {who: found.lateness.source for who, found in course.results(NAME).items()} == {
        "ada": "section", "bo": "learner", "cy": "course", "di": "learner",
    }  # fmt: skip
    with Gradebook(course.db_url) as gradebook:  # formgrader and nbgrader's own commands see the same
        seconds = {each.student.id: each.total_seconds_late for each in gradebook.assignment_submissions(NAME)}
    assert seconds == {"ada": 0, "bo": 0, "cy": 3600, "di": 0}
    course.extend(NAME, "bo", None)
    assert penalties(course)["bo"] == 8


def test_a_due_date_applies_to_collected_learners_only(course: Course, release: NotebookNode) -> None:
    """Collecting some learners with an earlier date must not make others late who were on time."""
    penalise(course)
    graded_at(course, release, {"ada": "2026-03-01 13:00:00 UTC"})
    course.set_due(NAME, NOON + timedelta(hours=2), handed_in={"ada"})
    graded_at(course, release, {"bo": "2026-03-01 13:00:00 UTC"})
    course.set_due(NAME, NOON, handed_in={"bo"})
    assert penalties(course) == {"ada": 0, "bo": 8}
    course.set_due(NAME, NOON - timedelta(hours=2))  # for everybody without a date of their own
    assert penalties(course) == {"ada": 0, "bo": 8}


def test_work_marked_late_without_a_time(course: Course, release: NotebookNode) -> None:
    """Canvas marks late work without a time: the penalty applies, unless there is an extension."""
    penalise(course)
    write_record(course.folder, {NAME: {"ada": {"late": True}, "bo": {"late": True}, "cy": {"late": False}}})
    graded_at(course, release, {"ada": None, "bo": None, "cy": None})
    course.extend(NAME, "bo", NOON)
    assert penalties(course) == {"ada": 8, "bo": 0, "cy": 0}
    late = {learner: found.lateness for learner, found in course.results(NAME).items()}
    assert str(late["ada"]) == "late" and late["ada"].handed_in is None
    assert late["bo"].is_doubtful and not late["cy"].is_doubtful
    with Gradebook(course.db_url) as gradebook:
        assert {each.timestamp for each in gradebook.assignment_submissions(NAME)} == {None}


def test_an_adjustment_can_be_undone(course: Course, release: NotebookNode) -> None:
    penalise(course)
    course.set_due(NAME, NOON)
    graded_at(course, release, {"ada": None, "bo": "2026-03-01 13:00:00 UTC"})
    course.store(course.submission(NAME, "ada"), result(failing=("test_double", "hidden_double")))
    name = course.questions(NAME)[0].name
    before = book(course)

    def points() -> dict[str, tuple[float, float, float]]:
        return {who: (each.points, each.max_points, each.score) for who, each in sorted(course.results(NAME).items())}

    assert points() == {"ada": (5, 11, 5), "bo": (8, 11, 0)}
    course.adjust(NAME, name, Adjustment(name, "points", "unclear", 6.0))
    assert points() == {"ada": (6, 11, 6), "bo": (8, 11, 0)}
    course.adjust(NAME, name, Adjustment(name, "full", "unclear"))
    assert points() == {"ada": (11, 11, 11), "bo": (11, 11, 0)}
    assert not course.results(NAME)["ada"].waiting
    course.adjust(NAME, name, Adjustment(name, "drop", "unclear"))
    assert points() == {"ada": (0, 0, 0), "bo": (0, 0, 0)}
    course.adjust(NAME, name, None)
    assert points() == {"ada": (5, 11, 5), "bo": (8, 11, 0)} and book(course) == before


def test_records_without_grade_or_notebook_are_ignored(course: Course, release: NotebookNode) -> None:
    path = hand_in(course.folder, "ada", answered_small(release))
    submission = course.submission(NAME, "ada")
    course.store(submission, result())
    [record] = course.records(NAME).values()
    assert (record.digest, record.quarantined, record.attention, record.cpu_seconds) == (
        course.content(NAME, "ada")[2], None, ("look here",), 1.5,
    )  # fmt: skip
    path.write_text(path.read_text() + " ")
    assert course.content(NAME, "ada")[2] != record.digest
    shutil.rmtree(course.folder / "autograded" / "ada")
    assert course.records(NAME) == {}
    course.store(submission, result())
    with Gradebook(course.db_url) as gradebook:
        gradebook.remove_submission(NAME, "ada")
    assert course.records(NAME) == {}
    course.quarantine(NAME, "ada", submission.digest, "its worker process died")
    assert course.records(NAME)["ada"].quarantined == "its worker process died"
    assert book(course) == {}


def test_incomplete_verdicts_are_not_stored(course: Course, release: NotebookNode) -> None:
    hand_in(course.folder, "ada", answered_small(release))
    graded = result()
    del graded.tests["hidden_total"]
    with pytest.raises(CourseError, match="no verdict for hidden_total"):
        course.store(course.submission(NAME, "ada"), graded)
    assert book(course) == {} and not (course.folder / "autograded" / "ada").exists()


def _end(*_: Any, **__: Any) -> None:
    os._exit(9)


MOMENTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before the notebook is in its place": lambda patch: patch.setattr(os, "replace", _end),
    "between notebook and gradebook": lambda patch: patch.setattr(CachedGradebook, "update_or_create_student", _end),
    "between two grades": lambda patch: patch.setattr(SaveAutoGrades, "_add_comment", _end),
    "before the record": lambda patch: patch.setattr(CachedGradebook, "put_record", _end),
    "before the commit": lambda patch: patch.setattr(CachedGradebook, "commit", _end),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("before", ["new", "graded"])
def test_storing_is_atomic(
    moment: str, before: str, course: Course, release: NotebookNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(course.folder, "ada", answered_small(release))
    if before == "graded":
        course.store(course.submission(NAME, "ada"), result(failing=("test_total",)))
        hand_in(course.folder, "ada", answered_small(release, why="Because I say so."))
    submission = course.submission(NAME, "ada")
    grades, records = book(course), course.records(NAME)
    course.close()
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as patch:
            MOMENTS[moment](patch)
            course.store(submission, result())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert book(course) == grades and course.records(NAME) == records
    assert course.content(NAME, "ada")[2] not in {record.digest for record in records.values()}  # it is graded again
    course.store(course.submission(NAME, "ada"), result())
    assert book(course)["ada", "test_total"] == (2, None, False)
    assert [path.name for path in (course.folder / "autograded" / "ada" / NAME).iterdir()] == [f"{NAME}.ipynb"]


# nbgrader itself on this folder.


def test_nbgrader_refuses_to_run_submissions_itself(course: Course, release: NotebookNode) -> None:
    escaped = course.folder / "escaped"
    hand_in(course.folder, "ada", answered_small(release, double=f"open({str(escaped)!r}, 'w')"))
    course.store(course.submission(NAME, "ada"), result())
    before = autograded(course, "ada")
    done = NbGraderAPI(course.coursedir(), config=course.config).autograde(NAME, "ada", force=True, create=True)
    assert not done["success"] and "python -m helpers.grading grade" in str(done)
    assert not escaped.exists() and autograded(course, "ada") == before


def test_nbgrader_reads_the_folder_and_its_feedback_has_no_hidden_tests(course: Course, release: NotebookNode) -> None:
    hand_in(course.folder, "ada", answered_small(release, why="### BEGIN HIDDEN TESTS"))
    course.store(course.submission(NAME, "ada"), result(failing=("hidden_total",)))
    api = NbGraderAPI(course.coursedir(), config=course.config)
    [submission] = api.get_submissions(NAME)
    assert (submission["student"], submission["score"], submission["max_score"]) == ("ada", 5, 11)
    assert submission["needs_manual_grade"] and submission["autograded"]
    assert SMALL_SECRET in nbformat.writes(autograded(course, "ada"))
    done = api.generate_feedback(NAME, "ada")
    assert done["success"], done
    [page] = (course.folder / "feedback").rglob("*.html")
    assert "hidden_total says so" in page.read_text() and SMALL_SECRET not in page.read_text()


@pytest.mark.parametrize("answer", list(SMALL_ANSWERS))
def test_an_answer_is_taken_from_a_submission(answer: str, course: Course, release: NotebookNode) -> None:
    hand_in(course.folder, "ada", answered_small(release, **{answer: "my own words"}))
    notebook = course.submission(NAME, "ada").notebook
    [cell] = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == answer]
    assert cell.source == "my own words" and cell.cell_type == ("markdown" if answer == "why" else "code")

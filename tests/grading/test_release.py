"""Student versions: generation, leaks, and changes of released questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum

from helpers.exercises.exercise import SIGNS
from helpers.grading.assignment import SOURCE
from helpers.grading.release import ReleaseError, problems, release
from tests.tools.homework import SAMPLE as NAME
from tests.tools.homework import TEST_LOOKUP, WRITTEN, find, graded_cell, sample_homework, write
from tests.tools.refresh import run

HOMEWORKS = sorted(path.stem for path in SOURCE.glob("*/*.ipynb"))


class Paths(NamedTuple):
    """A source, its release and the released questions, in a folder of their own."""

    source: Path
    release: Path
    questions: Path

    def problems(self) -> list[str]:
        return problems(*self)

    def path(self, folder: str) -> Path:
        return getattr(self, folder) / NAME / f"{NAME}.ipynb"

    def change(self, folder: str, change: Callable[[NotebookNode], object]) -> None:
        """Edit the stored source or release."""
        path = self.path(folder)
        notebook = nbformat.read(path, as_version=4)
        change(notebook)
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """The sample, released."""
    paths = Paths(tmp_path / "source", tmp_path / "release", tmp_path / "questions.json")
    write(paths.source, NAME, sample_homework())
    release(*paths)
    return paths


def test_a_release_is_clean_and_made_twice_changes_nothing(paths: Paths) -> None:
    assert paths.problems() == []
    before = paths.path("release").read_bytes()
    assert release(*paths) == [] and paths.path("release").read_bytes() == before
    paths.change("source", lambda notebook: setattr(notebook.cells[0], "source", "# Another title"))
    assert release(*paths) == [paths.path("release")]


def test_the_student_version_of_the_sample(paths: Paths) -> None:
    student = nbformat.read(paths.path("release"), as_version=4)
    cells = {each.metadata.nbgrader.grade_id: each for each in student.cells if "nbgrader" in each.metadata}
    assert cells["lookup"].source.splitlines()[-1] == "    ...  # your code here"
    assert cells["learner_id"].source == "learner_id = (\n    ...  # your code here\n)"
    assert cells["hidden_lookup"].source == "# Your function is tried on more tables."
    assert cells["test_lookup"].source == TEST_LOOKUP
    assert cells["why"].source == "*Write your answer here.*"
    assert [name for name, each in cells.items() if each.metadata.get("editable", True)] == [
        "learner_id", "lookup", "parameters", "why",
    ]  # fmt: skip
    assert all(each.metadata.deletable is False for each in cells.values())
    assert all(each.metadata.nbgrader.checksum == compute_checksum(each) for each in cells.values())


def test_outputs_do_not_change_the_release(paths: Paths) -> None:
    """The release of an executed source is the release of a source that never ran."""
    executed = run(sample_homework())
    printed = [output.text for each in executed.cells if each.cell_type == "code" for output in each.outputs]
    assert printed == [
        "Right ✓ lookup\n",
        "Right ✓ hidden: the same id twice\nRight ✓ hidden: no ids at all\n",
        "Right ✓ parameters\n",
    ]
    before = paths.path("release").read_bytes()
    write(paths.source, NAME, executed)
    assert release(*paths) == [] and paths.path("release").read_bytes() == before


def test_untouched_it_runs_to_its_end(paths: Paths) -> None:
    """As a learner gets it: no error, no word on stderr, and each check says what it must."""
    printed = []
    for each in run(nbformat.read(paths.path("release"), as_version=4)).cells:
        for output in each.get("outputs", []):
            assert output.output_type != "error" and output.get("name") != "stderr", output
            printed += output.get("text", "").splitlines()
    checks = [line for line in printed if line.startswith(tuple(SIGNS.values()))]
    assert checks and all(line.startswith(SIGNS["not attempted"]) and ":" not in line for line in checks), checks


def test_the_committed_releases() -> None:
    assert [name[:3] for name in HOMEWORKS] == ["hw1", "hw2", "hw3"]
    assert problems() == []


SOLUTION = "rows_of_the_answer = table[token_ids]  # (T, d)"
HIDDEN = "secret_ids = torch.tensor([3, 3, 1])  # (3,)"


def as_source(text: str, grade_id: str = "lookup") -> Callable[[NotebookNode], None]:
    def change(notebook: NotebookNode) -> None:
        find(notebook, grade_id).source += f"\n{text}"

    return change


def as_output(notebook: NotebookNode) -> None:
    find(notebook, "lookup").outputs = [nbformat.v4.new_output("stream", text=f"{SOLUTION}\n")]


def as_cell_metadata(notebook: NotebookNode) -> None:
    find(notebook, "lookup").metadata["backup"] = {"before": [SOLUTION]}


def as_nbgrader_metadata(notebook: NotebookNode) -> None:
    find(notebook, "why").metadata.nbgrader["comment"] = "well said"


def as_notebook_metadata(notebook: NotebookNode) -> None:
    notebook.metadata["widgets"] = {"state": HIDDEN}


def as_attachment(notebook: NotebookNode) -> None:
    find(notebook, "why")["attachments"] = {"answer.png": {"image/png": "aGVsbG8="}}


def as_count(notebook: NotebookNode) -> None:
    find(notebook, "lookup").execution_count = 3


LEAKS = {
    "a solution": (as_source(f"    {SOLUTION}"), f"a line of the solution of 'lookup' is in the release: {SOLUTION!r}"),
    "a hidden test": (as_source(HIDDEN, "hidden_lookup"), "a line of the hidden tests of 'hidden_lookup'"),
    "a hidden test as a comment": (as_source(f"# {HIDDEN}", "lookup"), "a line of the hidden tests"),
    "a written answer": (as_source(WRITTEN.upper().swapcase(), "why"), None),
    "the written answer": (as_source(WRITTEN, "why"), "a line of the solution of 'why'"),
    "an output": (as_output, "a line of the solution of 'lookup'"),
    "outputs at all": (as_output, "has outputs"),
    "a count": (as_count, "has outputs"),
    "metadata": (as_cell_metadata, "has unexpected metadata: backup"),
    "a line in metadata": (as_cell_metadata, "a line of the solution of 'lookup'"),
    "nbgrader's metadata": (as_nbgrader_metadata, "has unexpected metadata: comment"),
    "widgets": (as_notebook_metadata, "a line of the hidden tests"),
    "notebook metadata": (as_notebook_metadata, "unexpected metadata: widgets"),
    "an image": (as_attachment, "contains an image of the answer"),
}


@pytest.mark.parametrize("fault", LEAKS)
def test_a_planted_leak_is_found(paths: Paths, fault: str) -> None:
    change, message = LEAKS[fault]
    paths.change("release", change)
    found = paths.problems()
    assert f"{NAME} is out of date; run release" in found
    if message is not None:
        assert any(message in line for line in found), found


@pytest.mark.parametrize("location", ["output", "metadata", "attachments", "notebook metadata"])
def test_outputs_and_foreign_metadata_are_removed(paths: Paths, location: str) -> None:
    """Outputs and metadata of the author are removed from the release."""
    changes = {
        "output": as_output, "metadata": as_cell_metadata, "attachments": as_attachment,
        "notebook metadata": as_notebook_metadata,
    }  # fmt: skip
    before = paths.path("release").read_bytes()
    paths.change("source", changes[location])
    assert release(*paths) == [] and paths.path("release").read_bytes() == before


def test_a_public_line_is_a_leak_only_if_it_occurs_more_often(paths: Paths) -> None:
    def say(notebook: NotebookNode) -> None:
        notebook.cells[0].source += f"\n\n`{SOLUTION}` picks rows."

    paths.change("source", say)
    release(*paths)
    assert paths.problems() == []
    paths.change("release", as_source(f"    {SOLUTION}"))
    assert any("a line of the solution" in line for line in paths.problems())


def test_leaks_are_found_if_nbgrader_does_not_clear_solutions(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for leaks is independent of nbgrader's steps."""
    from nbgrader.preprocessors import ClearHiddenTests

    monkeypatch.setattr(ClearHiddenTests, "preprocess", lambda self, notebook, resources: (notebook, resources))
    release(*paths)
    assert sum("a line of the hidden tests of 'hidden_lookup'" in line for line in paths.problems()) == 4


def test_an_edited_source_needs_a_new_release(paths: Paths) -> None:
    paths.change(
        "source", lambda notebook: setattr(find(notebook, "test_lookup"), "source", "examine('lookup', lookup, [])")
    )
    assert paths.problems() == [f"{NAME} is out of date; run release"]


def test_missing_and_left_over_releases_are_reported(paths: Paths) -> None:
    write(paths.source, "hw8_new", sample_homework())
    write(paths.release, "hw9_old", sample_homework())
    assert paths.problems() == [
        "hw9_old is released but has no source", "hw8_new is not in questions.json; run release",
        "hw8_new is not released",
    ]  # fmt: skip


def rename(notebook: NotebookNode) -> None:
    find(notebook, "hidden_lookup").metadata.nbgrader.grade_id = "hidden_rows"


def reprice(notebook: NotebookNode) -> None:
    find(notebook, "test_lookup").metadata.nbgrader.points = 3


def add(notebook: NotebookNode) -> None:
    notebook.cells.append(graded_cell("test_more", 1, "examine('more', lookup, [])"))


CHANGES = {
    "renamed": (rename, "the question 'hidden_lookup' was released and is missing"),
    "repriced": (reprice, "'test_lookup' was released with 2 points and has 3 now"),
    "added": (add, "the question 'test_more' is new in a released homework"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_question_that_changed_is_rejected_until_it_is_retired(paths: Paths, change: str) -> None:
    before = {path: path.read_bytes() for path in (paths.path("release"), paths.questions)}
    how, message = CHANGES[change]
    paths.change("source", how)
    assert any(message in line for line in paths.problems())
    with pytest.raises(ReleaseError, match=message):
        release(*paths)
    assert {path: path.read_bytes() for path in before} == before
    release(*paths, retire=True)
    assert paths.problems() == []


def test_a_retired_id_never_returns(paths: Paths) -> None:
    paths.change("source", rename)
    release(*paths, retire=True)
    assert json.loads(paths.questions.read_text())[NAME]["retired"] == {"hidden_lookup": 1.0}
    write(paths.source, NAME, sample_homework())
    with pytest.raises(ReleaseError, match="the id 'hidden_lookup' belonged to a retired question"):
        release(*paths, retire=True)
    assert any("belonged to a retired question" in line for line in paths.problems())


def break_marks(notebook: NotebookNode) -> None:
    find(notebook, "lookup").source = "### BEGIN SOLUTION\n1"


def hide_outside(notebook: NotebookNode) -> None:
    notebook.cells[0]["cell_type"] = "markdown"
    notebook.cells[0].source = "### BEGIN HIDDEN TESTS\nsecret\n### END HIDDEN TESTS"


@pytest.mark.parametrize(
    ("change", "message"),
    [(break_marks, "no end solution statement"), (hide_outside, "Hidden test region detected in a non-grade cell")],
)
def test_broken_markers_are_rejected(paths: Paths, change: Callable, message: str) -> None:
    paths.change("source", change)
    with pytest.raises(ReleaseError, match=f"{NAME}: {message}"):
        release(*paths)
    assert any(message in line for line in paths.problems())


def test_an_unknown_name_is_reported(paths: Paths) -> None:
    with pytest.raises(ReleaseError, match=f"no homework is called 'hw9'; there are {NAME}"):
        release(*paths, names=["hw9"])


def test_only_the_named_homework_is_released(paths: Paths) -> None:
    for name in ("hw8_a", "hw8_b"):
        write(paths.source, name, sample_homework())
    changed = release(*paths, names=["hw8_a"])
    assert changed == [paths.release / "hw8_a/hw8_a.ipynb", paths.questions]

"""A small homework, courses to grade it in, and what learners hand in."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NAME = "hw0_small"
RIGHT = {
    "double": "def double(x):\n    return 2 * x",
    "total": "def total(xs):\n    return sum(xs)",
    "learner_id": "learner_id = 'me'",
    "why": "Because it is so.",
}
SECRET = "a hidden test nobody may see"


def about(grade_id: str, **marks: Any) -> dict[str, Any]:
    """nbgrader's metadata of a cell."""
    marks = {"grade": False, "solution": False, "locked": False, "schema_version": 3} | marks
    return {"nbgrader": {"grade_id": grade_id, **marks}}


def source_notebook() -> NotebookNode:
    """Two functions with a visible and a hidden test each, and a written answer: eleven points."""

    def answer(name: str) -> NotebookNode:
        text = f"### BEGIN SOLUTION\n{RIGHT[name]}\n### END SOLUTION"
        return new_code_cell(text, metadata=about(name, solution=True))

    def test(name: str, points: float, text: str) -> NotebookNode:
        return new_code_cell(text, metadata=about(name, grade=True, locked=True, points=points))

    def secret(name: str, points: float, claim: str) -> NotebookNode:
        body = f'hidden({{"{claim}": lambda: {claim}}})  # {SECRET}'
        return test(f"hidden_{name}", points, f"# more\n### BEGIN HIDDEN TESTS\n{body}\n### END HIDDEN TESTS")

    cells = [
        new_markdown_cell("# Small"),
        new_code_cell("from helpers.homework import examine, hidden", metadata=about("setup", locked=True)),
        answer("learner_id"),
        new_markdown_cell("> **Question 1** · 3 points"),
        answer("double"),
        test("test_double", 1, 'examine("double", double, [((2,), 4)])'),
        secret("double", 2, "double(-1) == -2"),
        answer("total"),
        test("test_total", 2, 'examine("total", total, [(([1, 2],), 3)])'),
        secret("total", 3, "total([]) == 0"),
        new_markdown_cell(RIGHT["why"], metadata=about("why", grade=True, solution=True, points=3)),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def write_source(folder: Path) -> Path:
    path = folder / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(source_notebook(), path)
    return path


def answered(release: NotebookNode, **answers: str) -> NotebookNode:
    """The release, filled in by somebody: right answers but for those given."""
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in RIGHT:
            cell.source = answers.get(name, RIGHT[name])
    return notebook


def hand_in(folder: Path, learner: str, content: NotebookNode | str | bytes) -> Path:
    """Put a notebook, or whatever it is, where collected submissions are."""
    path = folder / "submitted" / learner / NAME / f"{NAME}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict):
        content = nbformat.writes(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("authors"))


@pytest.fixture(scope="session")
def release(source: Path) -> NotebookNode:
    from helpers.grading.release import student_version

    return student_version(nbformat.read(source, as_version=4))


@pytest.fixture(scope="session")
def entered(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """A course folder with the homework in its gradebook, to be copied."""
    from helpers.grading.course import Course

    with Course(tmp_path_factory.mktemp("entered") / "course") as course:
        course.prepare(source)
    return course.folder


@pytest.fixture
def course(tmp_path: Path, entered: Path, source: Path) -> Iterator[Any]:
    """A course with the small homework, in which nobody has handed in anything."""
    from helpers.grading.course import Course

    shutil.copytree(entered, tmp_path / "course")
    with Course(tmp_path / "course") as course:
        course.prepare(source)
        yield course

"""A small homework with everything a real one has, for tests of what instructors use: build it, write it, answer it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import OverwriteCells, SaveAutoGrades

from helpers.grading import assignment, release
from tests.grading.evaluate import evaluate
from tests.tools.refresh import normalise

NAME = "hw0_sample"

SETUP = """import torch
from helpers.homework import examine, examine_value, hidden, own_numbers, same"""
LEARNER_ID = """learner_id = (
    ### BEGIN SOLUTION
    "reference"
    ### END SOLUTION
)"""
LOOKUP = '''def lookup(table: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """One row of the table for each id: (V, d), (T,) → (T, d)."""
    ### BEGIN SOLUTION
    rows_of_the_answer = table[token_ids]  # (T, d)
    return rows_of_the_answer
    ### END SOLUTION'''
TEST_LOOKUP = """table = torch.arange(6.0).reshape(3, 2)  # (3, 2)
ids = torch.tensor([2, 0])  # (2,)
columns = table[:, :2][:2].T  # (2, 2)
says = {"these are columns: a token's vector is a row of the table": [columns]}
examine("lookup", lookup, [((table, ids), torch.tensor([[4.0, 5.0], [0.0, 1.0]]))], says=says)"""
HIDDEN_LOOKUP = """# Your function is tried on more tables.
### BEGIN HIDDEN TESTS
secret_table = torch.arange(12.0).reshape(4, 3) * 7  # (4, 3)
secret_ids = torch.tensor([3, 3, 1])  # (3,)
hidden({
    "the same id twice": lambda: same(lookup(secret_table, secret_ids), secret_table[[3, 3, 1]]),
    "no ids at all": lambda: same(lookup(secret_table, secret_ids[:0]), secret_table[:0]),
})
### END HIDDEN TESTS"""
PARAMETERS = """vocab_size, embedding_dim = own_numbers(learner_id, "parameters", (100, 900), (8, 64))
parameters = (
    ### BEGIN SOLUTION
    vocab_size * embedding_dim
    ### END SOLUTION
)"""
TEST_PARAMETERS = """V, d = own_numbers(learner_id, "parameters", (100, 900), (8, 64))
examine_value("parameters", parameters, V * d, says={"that is one row: the table has one for each token": d})"""
WRITTEN = "A row of the weight answers for one token; a one-hot vector picks it by a product."


def cell(
    source: str, grade_id: str, *, points: float | None = None, solution: bool = False, markdown: bool = False
) -> NotebookNode:
    """A cell as an author marks it: ``points`` make it graded, ``solution`` an answer, neither leaves it locked."""
    about: dict[str, Any] = {"grade": points is not None, "grade_id": grade_id, "locked": not solution}
    about |= {"schema_version": 3, "solution": solution, "task": False}
    if points is not None:
        about["points"] = points
    new = new_markdown_cell if markdown else new_code_cell
    return new(source, id=grade_id.replace("_", "-"), metadata={"nbgrader": about})


def sample() -> NotebookNode:
    """The source notebook: two questions of code, one of them hidden-tested, one written; not executed."""
    cells = [
        new_markdown_cell("# Sample homework\n\nFill in, run, read what the checks say.", id="title"),
        cell(SETUP, "setup"),
        cell(LEARNER_ID, "learner_id", solution=True),
        new_markdown_cell("> **Question 1 – lookup** · ●○○ · 5 minutes · 3 points\n\nReturn rows.", id="q1"),
        cell(LOOKUP, "lookup", solution=True),
        cell(TEST_LOOKUP, "test_lookup", points=2),
        cell(HIDDEN_LOOKUP, "hidden_lookup", points=1),
        new_markdown_cell("> **Question 2 – parameters** · ●○○ · 3 minutes · 1 point\n\nHow many?", id="q2"),
        cell(PARAMETERS, "parameters", solution=True),
        cell(TEST_PARAMETERS, "test_parameters", points=1),
        new_markdown_cell("> **Question 3 – why** · ●○○ · 5 minutes · 2 points\n\nWhy is it a product?", id="q3"),
        cell(WRITTEN, "why", points=2, solution=True, markdown=True),
    ]
    return normalise(new_notebook(cells=cells))


def write(folder: Path, name: str = NAME, notebook: NotebookNode | None = None) -> Path:
    """Store a notebook as ``folder/name/name.ipynb``, the sample by default; return its path."""
    path = folder / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook or sample()) + "\n", encoding="utf-8")
    return path


def answer(notebook: NotebookNode, **answers: str) -> NotebookNode:
    """Replace the sources of cells by their grade_id, as a learner does; the notebook itself is returned."""
    cells = {each.metadata.nbgrader.grade_id: each for each in notebook.cells if "nbgrader" in each.metadata}
    for grade_id, source in answers.items():
        cells[grade_id].source = source
    return notebook


def graded_course(
    folder: Path, submissions: Mapping[str, Mapping[str, str]], notebook: NotebookNode | None = None, name: str = NAME
) -> Path:
    """A course folder in which a homework is graded: learner → the sources of the cells that the learner filled in.

    It is made with nbgrader's own steps, the verdicts come from :mod:`tests.grading.evaluate`; no sandbox is needed.
    """
    source = write(folder / "source", name, notebook)
    (folder / "gradebook.db").unlink(missing_ok=True)
    settings = release.config()
    settings.CourseDirectory.root = str(folder)
    coursedir = CourseDirectory(config=settings, assignment_id=name)
    path = (
        f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # nbgrader calls alembic by its name
    )
    with mock.patch.dict(os.environ, PATH=path):
        GenerateAssignment(coursedir=coursedir, config=settings).start()
    homework = assignment.read(source)
    for learner, answers in submissions.items():
        nb = answer(nbformat.read(folder / "release" / name / f"{name}.ipynb", as_version=4), **answers)
        about = {"notebook": name, "assignment": name, "student": learner, "db_url": coursedir.db_url}
        with Gradebook(coursedir.db_url) as gradebook:
            gradebook.update_or_create_student(learner)
            gradebook.update_or_create_submission(name, learner)
        nb, _ = OverwriteCells().preprocess(nb, {"nbgrader": about})
        code = {cell.id: answers.get(cell.id, "...") for cell in homework.of("answer")}
        for grade_id, verdict in evaluate(homework, code, learner).items():
            if verdict.passed:
                output = new_output("stream", name="stdout", text=verdict.message + "\n")
            else:
                output = new_output(
                    "error", ename="AssertionError", evalue=verdict.message, traceback=["secret frames"]
                )
            find(nb, grade_id).outputs = [output]
        SaveAutoGrades().preprocess(nb, {"nbgrader": about})
        write(folder / "autograded" / learner, name, nb)
    return folder


def find(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    """The cell with this id."""
    return next(each for each in notebook.cells if each.metadata.get("nbgrader", {}).get("grade_id") == grade_id)

"""Small homeworks for tests: build one, write it, answer it, hand it in, grade it."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.grading import judge
from helpers.grading.assignment import Assignment
from helpers.grading.judge import Graded
from helpers.grading.sandbox.host import DEFAULT_LIMITS, Limits, Sandbox
from tests.tools.refresh import normalise


def require_bubblewrap() -> None:
    """Skip the test where bubblewrap is not installed; in CI it must be."""
    if shutil.which("bwrap") is None and not os.environ.get("CI"):
        pytest.skip("bubblewrap is not installed")


# Cells as an author marks them.


def metadata(grade_id: str, **marks: Any) -> dict[str, Any]:
    """nbgrader's metadata of a cell, with ``grade``, ``solution``, ``locked`` and ``points`` as given."""
    usual = {"grade": False, "solution": False, "locked": False, "schema_version": 3, "task": False}
    return {"nbgrader": usual | {"grade_id": grade_id} | marks}


def setup_cell(source: str, grade_id: str = "setup") -> NotebookNode:
    return _cell(new_code_cell, source, grade_id, locked=True)


def answer_cell(grade_id: str, source: str) -> NotebookNode:
    """An answer whose source contains the markers of a solution, or is one as a whole."""
    if "### BEGIN SOLUTION" not in source:
        source = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    return _cell(new_code_cell, source, grade_id, solution=True)


def graded_cell(grade_id: str, points: float, source: str) -> NotebookNode:
    return _cell(new_code_cell, source, grade_id, grade=True, locked=True, points=points)


def hidden_cell(grade_id: str, points: float, source: str, visible: str = "# more") -> NotebookNode:
    """A test of which learners get only the lines ``visible``."""
    return graded_cell(grade_id, points, f"{visible}\n### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS")


def written_cell(grade_id: str, points: float, source: str) -> NotebookNode:
    return _cell(new_markdown_cell, source, grade_id, grade=True, solution=True, points=points)


def _cell(new: Any, source: str, grade_id: str, **marks: Any) -> NotebookNode:
    return new(source, id=grade_id.replace("_", "-"), metadata=metadata(grade_id, **marks))


def text_cell(cell_id: str, source: str) -> NotebookNode:
    return new_markdown_cell(source, id=cell_id)


def homework(cells: Iterable[NotebookNode]) -> NotebookNode:
    """A notebook with these cells, as its author stores it."""
    return normalise(new_notebook(cells=list(cells)))


def find(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    """The cell with this id."""
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def answered(notebook: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A copy in which the cells with these ids have these sources."""
    notebook = copy.deepcopy(notebook)
    for grade_id, source in answers.items():
        find(notebook, grade_id).source = source
    return notebook


# Files.


def write(folder: Path, name: str, notebook: NotebookNode) -> Path:
    """Store a notebook as ``folder/name/name.ipynb``; return its path."""
    path = folder / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return path


def hand_in(course: Path, learner: str, content: NotebookNode | str | bytes, name: str = "hw0_small") -> Path:
    """Store a notebook, or any other content, where collected submissions are; return its path."""
    path = course / "submitted" / learner / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, NotebookNode):
        content = nbformat.writes(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Grading.


def judge_answers(
    sandbox: Sandbox,
    assignment: Assignment,
    answers: Mapping[str, str] | None = None,
    learner_id: str = "ada",
    limits: Limits = DEFAULT_LIMITS,
) -> Graded:
    """Judge the author's answers, with those given in their place.

    Raises:
        KeyError: an answer that the homework does not ask for.
    """
    answers = {"learner_id": f"learner_id = {learner_id!r}"} | dict(answers or {})
    if unknown := answers.keys() - {cell.id for cell in assignment.of("answer")} - {"learner_id"}:
        raise KeyError(f"{assignment.name} has no answer {', '.join(sorted(unknown))}")
    cells = []
    for cell in assignment.cells:
        source = "" if cell.kind == "test" else answers.get(cell.id, cell.source)
        cell_type = "markdown" if cell.kind == "written" else "code"
        cells.append({"cell_type": cell_type, "source": source, "metadata": {"nbgrader": {"grade_id": cell.id}}})
    return judge.grade(assignment, {"cells": cells}, learner_id, sandbox, limits)


def points(assignment: Assignment, graded: Graded) -> float:
    """The points that the tests give."""
    return sum(cell.points for cell in assignment.of("test") if graded.tests[cell.id].passed)


def grade_course(
    folder: Path, name: str, notebook: NotebookNode, submissions: Mapping[str, Mapping[str, str]], sandbox: Sandbox
) -> Path:
    """Make a course folder in which a homework is graded.

    Args:
        notebook: the author's.
        submissions: the sources of the cells that a learner filled in, by learner.
    """
    from helpers.grading.course import Course

    with Course(folder) as course:
        prepared = course.prepare(write(folder.with_name(f"{folder.name}-authors"), name, notebook))
        release = nbformat.read(folder / "release" / name / f"{name}.ipynb", as_version=4)
        for learner, answers in submissions.items():
            hand_in(folder, learner, answered(release, answers), name)
            submission = course.submission(name, learner)
            # Only the structure of the notebook counts; the tests are those of the assignment.
            course.store(submission, judge.grade(prepared.assignment, submission.notebook, learner, sandbox))
    return folder


# Two homeworks: one with everything that real ones have, one without torch.

SAMPLE = "hw0_sample"
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
mistakes = {"these are columns: a token's vector is a row of the table": [columns]}
examine("lookup", lookup, [((table, ids), torch.tensor([[4.0, 5.0], [0.0, 1.0]]))], mistakes=mistakes)"""
HIDDEN_LOOKUP = """secret_table = torch.arange(12.0).reshape(4, 3) * 7  # (4, 3)
secret_ids = torch.tensor([3, 3, 1])  # (3,)
hidden({
    "the same id twice": lambda: same(lookup(secret_table, secret_ids), secret_table[[3, 3, 1]]),
    "no ids at all": lambda: same(lookup(secret_table, secret_ids[:0]), secret_table[:0]),
})"""
PARAMETERS = """vocab_size, embedding_dim = own_numbers(learner_id, "parameters", (100, 900), (8, 64))
parameters = (
    ### BEGIN SOLUTION
    vocab_size * embedding_dim
    ### END SOLUTION
)"""
TEST_PARAMETERS = """V, d = own_numbers(learner_id, "parameters", (100, 900), (8, 64))
examine_value("parameters", parameters, V * d, mistakes={"that is one row: the table has one for each token": d})"""
WRITTEN = "A row of the weight answers for one token; a one-hot vector picks it by a product."
SAMPLE_RIGHT = {
    "learner_id": 'learner_id = "ada"',
    "lookup": "def lookup(table, token_ids):\n    return table[token_ids]",
    "parameters": PARAMETERS.replace("### BEGIN SOLUTION", "").replace("### END SOLUTION", ""),
    "why": "Because **one row** answers.",
}
"""Four of the six points at once, the others by hand."""
SAMPLE_COLUMNS = SAMPLE_RIGHT | {
    "learner_id": 'learner_id = "bo"',
    "lookup": "def lookup(table, token_ids):\n    return table[:, :2][:2].T",
}
"""A known mistake: one point."""


def sample_homework() -> NotebookNode:
    """Two questions with code, one of them with a hidden test, and a written one: six points."""
    return homework(
        [
            text_cell("title", "# Sample homework\n\nFill in, run, read what the checks say."),
            setup_cell(SETUP),
            answer_cell("learner_id", LEARNER_ID),
            text_cell("q1", "> **Question 1 – lookup** · ●○○ · 5 minutes · 3 points\n\nReturn rows."),
            answer_cell("lookup", LOOKUP),
            graded_cell("test_lookup", 2, TEST_LOOKUP),
            hidden_cell("hidden_lookup", 1, HIDDEN_LOOKUP, "# Your function is tried on more tables."),
            text_cell("q2", "> **Question 2 – parameters** · ●○○ · 3 minutes · 1 point\n\nHow many?"),
            answer_cell("parameters", PARAMETERS),
            graded_cell("test_parameters", 1, TEST_PARAMETERS),
            text_cell("q3", "> **Question 3 – why** · ●○○ · 5 minutes · 2 points\n\nWhy is it a product?"),
            written_cell("why", 2, WRITTEN),
        ]
    )


SMALL = "hw0_small"
SMALL_ANSWERS = {
    "learner_id": "learner_id = 'me'",
    "double": "def double(x):\n    return 2 * x",
    "total": "def total(xs):\n    return sum(xs)",
    "why": "Because it is so.",
}
SMALL_SECRET = "a hidden test nobody may see"


def small_homework() -> NotebookNode:
    """Two functions with a visible and a hidden test each, and a written answer: eleven points."""

    def hidden_test(name: str, points: float, claim: str) -> NotebookNode:
        return hidden_cell(f"hidden_{name}", points, f'hidden({{"{claim}": lambda: {claim}}})  # {SMALL_SECRET}')

    return homework(
        [
            text_cell("title", "# Small"),
            setup_cell("from helpers.homework import examine, hidden"),
            answer_cell("learner_id", SMALL_ANSWERS["learner_id"]),
            text_cell("q1", "> **Question 1** · 3 points"),
            answer_cell("double", SMALL_ANSWERS["double"]),
            graded_cell("test_double", 1, 'examine("double", double, [((2,), 4)])'),
            hidden_test("double", 2, "double(-1) == -2"),
            answer_cell("total", SMALL_ANSWERS["total"]),
            graded_cell("test_total", 2, 'examine("total", total, [(([1, 2],), 3)])'),
            hidden_test("total", 3, "total([]) == 0"),
            written_cell("why", 3, SMALL_ANSWERS["why"]),
        ]
    )


def answered_small(release: NotebookNode, **answers: str) -> NotebookNode:
    """The release of the small homework, filled in: right answers except for those given."""
    return answered(release, SMALL_ANSWERS | answers)

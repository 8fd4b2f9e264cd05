"""The folded answers are right, and nothing is attempted in the stored lessons."""

import nbformat
import pytest
from nbformat import NotebookNode

from helpers.exercises.registry import EXERCISES
from tests.tools.refresh import lessons, run
from tests.tools.solve import solved

LESSONS = lessons()


def verdicts(notebook: NotebookNode) -> list[str]:
    """What every check cell printed."""
    checks = [cell for cell in notebook.cells if "check" in cell.metadata.get("tags", [])]
    return ["".join(output.get("text", "") for output in cell.outputs).strip() for cell in checks]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_answers_pass_and_stubs_are_not_attempted(path) -> None:
    notebook = nbformat.read(path, as_version=4)
    stubs = verdicts(notebook)
    answered, count = solved(notebook)
    done = verdicts(run(answered, path.parent))
    assert len(stubs) == len(done) == count > 0
    assert all(line.startswith("Not attempted – ") and ":" not in line for line in stubs), stubs
    assert all(line.startswith("Right ✓ ") for line in done), done


def test_every_exercise_is_checked_in_its_lesson() -> None:
    asked = [
        cell.source.split('"')[1]
        for path in LESSONS
        for cell in nbformat.read(path, as_version=4).cells
        if "check" in cell.metadata.get("tags", []) and path.name.startswith(cell.source.split('"')[1][:2])
    ]
    assert sorted(asked) == sorted(EXERCISES)

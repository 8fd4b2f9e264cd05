"""A homework as its author wrote it, as plain data: which cells are answers, which are tests, what each is worth."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode

SOURCE = Path(__file__).parent.parent.parent / "notebooks" / "homework" / "source"
RELEASE = SOURCE.parent / "release"

_QUESTION = re.compile(r"\*\*Question (\d+)(?: – ([^*\n]+))?\*\*")

Kind = Literal["setup", "answer", "written", "test"]


@dataclass(frozen=True)
class Cell:
    """One cell that nbgrader knows.

    Attributes:
        id: nbgrader's ``grade_id``. The id of an answer is the name that its test cells use.
        kind: ``setup`` (locked code without points), ``answer`` (code), ``written`` (graded by hand) or ``test``.
        source: the author's text, with solutions and hidden tests.
    """

    id: str
    kind: Kind
    source: str
    points: float = 0.0


@dataclass(frozen=True)
class Assignment:
    """A homework: its name, and its cells in their order."""

    name: str
    cells: tuple[Cell, ...]

    def of(self, kind: Kind) -> tuple[Cell, ...]:
        """The cells of one kind."""
        return tuple(cell for cell in self.cells if cell.kind == kind)

    @property
    def points(self) -> float:
        return sum(cell.points for cell in self.cells)


def read(path: Path) -> Assignment:
    """Read a source notebook.

    Raises:
        ValueError: two cells with one id, an answer whose id is no name, a test without points, no test at all.
    """
    return parse(path.stem, nbformat.read(path, as_version=4))


def parse(name: str, notebook: NotebookNode) -> Assignment:
    """As :func:`read`, from a notebook at hand."""
    cells: list[Cell] = []
    for node in notebook.cells:
        about = node.metadata.get("nbgrader")
        if about is None:
            continue
        cell = Cell(about["grade_id"], _kind(node), node.source, float(about.get("points", 0)))
        if cell.id in {other.id for other in cells}:
            raise ValueError(f"{name}: two cells are called {cell.id!r}; give each its own grade_id")
        if cell.kind == "answer" and (not cell.id.isidentifier() or cell.id in dir(builtins)):
            raise ValueError(f"{name}: the answer {cell.id!r} must be called like the name that it defines")
        if cell.kind == "test" and cell.points <= 0:
            raise ValueError(f"{name}: the test {cell.id!r} is worth nothing; give it points")
        cells.append(cell)
    if not any(cell.kind == "test" for cell in cells):
        raise ValueError(f"{name} has no test cell (grade, locked): there is nothing to grade")
    return Assignment(name, tuple(cells))


def _kind(node: NotebookNode) -> Kind:
    about = node.metadata.nbgrader
    if about.get("grade") and about.get("solution"):
        return "written"
    if about.get("grade"):
        return "test"
    return "answer" if about.get("solution") else "setup"


def questions(notebook: NotebookNode) -> dict[str, str]:
    """The question of each cell that nbgrader knows, by ``grade_id``: number and name of the last heading above it.

    A heading is ``**Question 1 – name**`` in a Markdown cell. A cell above the first one is a question of its own.
    """
    found: dict[str, str] = {}
    current = ""
    for cell in notebook.cells:
        if about := cell.metadata.get("nbgrader"):
            found[about["grade_id"]] = current or about["grade_id"]
        elif cell.cell_type == "markdown" and (heading := _QUESTION.search(cell.source)):
            current = " ".join(filter(None, heading.groups()))
    return found

"""The author's notebook of a homework as plain data: its answer cells, its test cells and their points."""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode

SOURCE = Path(__file__).parent.parent.parent / "notebooks" / "homework" / "source"
RELEASE = SOURCE.parent / "release"

Kind = Literal["setup", "answer", "written", "test"]

# The heading of a question: > **Question 3 – lookup** · ●○○ · 10 minutes · 2 points
_QUESTION = re.compile(r"\*\*Question (?P<number>\d+)(?:\s+[–-]\s+(?P<title>[^*\n]+?))?\s*\*\*")


@dataclass(frozen=True)
class Cell:
    """A cell with nbgrader metadata.

    Attributes:
        id: nbgrader's ``grade_id``. The id of an answer is the variable that it defines and that test cells use.
        kind: ``setup`` (locked code without points), ``answer`` (code), ``written`` (graded by hand) or ``test``.
        source: the author's source, with solutions and hidden tests.
        points: the maximum.
    """

    id: str
    kind: Kind
    source: str
    points: float = 0.0


@dataclass(frozen=True)
class Assignment:
    """A homework: its name, and its cells with nbgrader metadata in order."""

    name: str
    cells: tuple[Cell, ...]

    def of(self, kind: Kind) -> tuple[Cell, ...]:
        """The cells of one kind."""
        return tuple(cell for cell in self.cells if cell.kind == kind)

    @property
    def points(self) -> float:
        """The sum of the points of all cells."""
        return sum(cell.points for cell in self.cells)


@dataclass(frozen=True)
class Question:
    """A question of a homework and the cells that belong to it.

    Attributes:
        number: the number in its heading; empty for a graded cell above the first heading.
        title: the heading without the number; may be empty.
        cells: the ids of its cells with nbgrader metadata.
        points: the points of the graded cells by id.
    """

    number: str
    title: str
    cells: tuple[str, ...]
    points: Mapping[str, float]

    @property
    def name(self) -> str:
        """``Question 3 – lookup``."""
        return " – ".join(filter(None, (f"Question {self.number}" if self.number else "", self.title)))

    @property
    def max_points(self) -> float:
        """The sum of the points of its graded cells."""
        return sum(self.points.values())


def questions(notebook: NotebookNode) -> tuple[Question, ...]:
    """The questions of an author's notebook that have points, in their order.

    A cell belongs to the last heading ``Question …`` above it; each graded cell above all headings is a question.
    """
    parsed: list[tuple[str, str, list[str], dict[str, float]]] = []
    for cell in notebook.cells:
        metadata = cell.metadata.get("nbgrader")
        heading = _QUESTION.search(cell.source) if cell.cell_type == "markdown" and not metadata else None
        if heading:
            parsed.append((heading["number"], heading["title"] or "", [], {}))
        elif metadata:
            cell_id = metadata["grade_id"]
            if metadata.get("grade") and not (parsed and parsed[-1][0]):
                parsed.append(("", cell_id, [], {}))
            if parsed:
                parsed[-1][2].append(cell_id)
                if metadata.get("grade"):
                    parsed[-1][3][cell_id] = float(metadata.get("points", 0))
    return tuple(Question(number, title, tuple(cells), points) for number, title, cells, points in parsed if points)


def read(path: Path) -> Assignment:
    """Read a source notebook.

    Raises:
        ValueError: two cells with the same id, an answer whose id is not a variable name, a test without points, or no
            test.
    """
    return parse(path.stem, nbformat.read(path, as_version=4))


def parse(name: str, notebook: NotebookNode) -> Assignment:
    """As :func:`read`, for a notebook in memory."""
    cells: list[Cell] = []
    for node in notebook.cells:
        metadata = node.metadata.get("nbgrader")
        if metadata is None:
            continue
        cell = Cell(metadata["grade_id"], _kind(node), node.source, float(metadata.get("points", 0)))
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
    metadata = node.metadata.nbgrader
    if metadata.get("grade") and metadata.get("solution"):
        return "written"
    if metadata.get("grade"):
        return "test"
    return "answer" if metadata.get("solution") else "setup"

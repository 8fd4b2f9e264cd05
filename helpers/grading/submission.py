"""Read submitted notebooks, which are untrusted input.

Only the type and text of cells, pasted images, the claimed ``grade_id`` of a cell and whether its stored output is that
of a right check are taken from a submission. Points, locked text and all other metadata come from the author's
notebook.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from helpers.grading.judge import Graded

MAX_BYTES, MAX_CELLS, MAX_DEPTH, MAX_BRACKETS = 10_000_000, 500, 64, 500_000

_IMAGE_TYPES = {"image/png", "image/jpeg", "image/gif"}


class RejectedSubmission(ValueError):
    """A submission that cannot be graded; the message is the reason in a few words."""


@dataclass
class Submission:
    """A submission that can be graded.

    Attributes:
        digest: of the submission and of the code that determines its grade; when it changes, the grade is out of date.
        notebook: contains every cell of the assignment exactly once, locked cells and hidden tests as the author
            wrote them.
        learner: the learner's id.
        assignment: the name of the homework.
        timestamp: the time of submission, from ``timestamp.txt``.
        attention: lines that the instructor should read.
        shown_right: ids of the tests whose stored output is that of a right check.
    """

    learner: str
    assignment: str
    digest: str
    notebook: NotebookNode
    timestamp: str | None = None
    attention: tuple[str, ...] = ()
    shown_right: frozenset[str] = frozenset()

    def attention_after(self, graded: Graded) -> tuple[str, ...]:
        """All lines for the instructor, with those for failed tests that were right in the learner's notebook."""
        lines = [
            f"{name} was right in the notebook and failed in grading: {' '.join(verdict.message.split())[:200]}"
            for name, verdict in graded.tests.items()
            if name in self.shown_right and not verdict.passed
        ]
        return tuple(dict.fromkeys([*lines, *self.attention, *graded.attention]))

    def worker_input(self) -> bytes:
        """The notebook as JSON for a worker, with empty sources of test cells; the indices of cells are preserved."""
        cells = [cell | {"source": ""} if is_test(cell) else cell for cell in self.notebook.cells]
        return json.dumps(self.notebook | {"cells": cells}).encode()


def read_bytes(folder: Path, *parts: str, limit: int = MAX_BYTES) -> bytes:
    """Read ``folder/part/…/file``, following no symbolic link below ``folder``.

    Raises:
        RejectedSubmission: a part is a link, not a folder or not a regular file, or the file is too large.
        FileNotFoundError: a part does not exist.
    """
    current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            # O_NONBLOCK: opening a named pipe would wait for a writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_NONBLOCK if is_last else os.O_DIRECTORY)
            try:
                following = os.open(part, flags, dir_fd=current)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise RejectedSubmission(f"{part} is a link, or cannot be opened ({error.strerror})") from None
            os.close(current)
            current = following
        if not stat.S_ISREG(os.fstat(current).st_mode):
            raise RejectedSubmission(f"{parts[-1]} is not a regular file")
        with os.fdopen(current, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(current)
    if len(content) > limit:
        raise RejectedSubmission(f"{parts[-1]} is larger than {limit:,} bytes")
    return content


def read_cells(path: Path) -> list[NotebookNode]:
    """The cells of ``submitted/LEARNER/ASSIGNMENT/FILE``; see :func:`parse_cells`.

    Raises:
        RejectedSubmission: as :func:`read_bytes` and :func:`parse_cells`.
        FileNotFoundError: the file does not exist.
    """
    learner, assignment, file = path.parts[-3:]
    return parse_cells(read_bytes(path.parent.parent.parent, learner, assignment, file))


def parse_cells(content: bytes) -> list[NotebookNode]:
    """The cells of a submitted notebook: type, text, pasted images and claimed ``grade_id``.

    Raises:
        RejectedSubmission: not UTF-8, not JSON, nested too deeply, not nbformat 4, or too many cells.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RejectedSubmission(f"it is not UTF-8 (byte {error.start})") from None
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise RejectedSubmission(f"it has more than {MAX_BRACKETS:,} lists and objects")
    try:
        notebook = json.loads(text, parse_float=_finite, parse_constant=lambda _: None)
    except RecursionError:
        raise RejectedSubmission(f"it is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise RejectedSubmission(f"it is not JSON ({str(error)[:80]})") from None
    if _is_deeper(notebook, MAX_DEPTH):
        raise RejectedSubmission(f"it is nested deeper than {MAX_DEPTH} levels")
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or isinstance(notebook["nbformat"], bool):
        raise RejectedSubmission("it is not a notebook of format 4; save it again in JupyterLab")
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise RejectedSubmission("it has no list of cells")
    if len(cells) > MAX_CELLS:
        raise RejectedSubmission(f"it has {len(cells):,} cells, at most {MAX_CELLS} are allowed")
    return [_parse_cell(index, cell) for index, cell in enumerate(cells)]


def grade_id(cell: NotebookNode) -> str | None:
    """nbgrader's id of a cell, if it has one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def is_test(cell: NotebookNode) -> bool:
    """Whether nbgrader's metadata make a cell a test: graded, and not an answer."""
    metadata = cell.metadata.get("nbgrader", {})
    return bool(metadata.get("grade")) and not metadata.get("solution")


def shown_right(cells: Sequence[NotebookNode]) -> frozenset[str]:
    """The ids of the parsed cells whose stored output is that of a right check."""
    return frozenset(name for cell in cells if cell.metadata.get("shown_right") and (name := grade_id(cell)))


def complete_cells(
    cells: Sequence[NotebookNode], assignment_cells: Mapping[str, NotebookNode], texts: Collection[str] = ()
) -> tuple[list[NotebookNode], list[str]]:
    """Copies of parsed cells, with every cell of the assignment exactly once and with the author's metadata.

    Args:
        cells: as :func:`parse_cells` returns them.
        assignment_cells: the released cells by ``grade_id``, in order.
        texts: the released Markdown cells, which cannot be answers.

    Returns:
        The cells, and a line for the instructor for each repair.
    """
    complete = [_with_author_metadata(cell, assignment_cells) for cell in cells]
    attention = []
    names: set[str] = set()
    for cell in reversed(complete):
        name = grade_id(cell)
        if name in names:
            del cell.metadata["nbgrader"]
            attention.append("a cell occurred more than once; the last one counts")
        elif name:
            names.add(name)
    attention += _keep_changed_setup(complete, assignment_cells)
    attention += _restore_missing_cells(complete, assignment_cells)
    return complete, attention + _find_written_answers(complete, assignment_cells, texts)


def _with_author_metadata(cell: NotebookNode, assignment_cells: Mapping[str, NotebookNode]) -> NotebookNode:
    author = assignment_cells.get(grade_id(cell) or "")
    cell_type = author.cell_type if author else cell.cell_type
    # nbgrader would remove the text after this marker from the feedback, or stop.
    source = cell.source.replace("BEGIN HIDDEN TESTS", "BEGIN HIDDEN-TESTS")
    new = NotebookNode(cell_type=cell_type, source=source, metadata=NotebookNode())
    if author:
        new.metadata.nbgrader = NotebookNode(author.metadata.nbgrader)
    if cell_type == "code":
        new.execution_count, new.outputs = None, []
    elif "attachments" in cell:
        new.attachments = cell.attachments
    return new


def _keep_changed_setup(cells: list[NotebookNode], assignment_cells: Mapping[str, NotebookNode]) -> list[str]:
    """Report changed locked cells; the learner's version of a setup cell is inserted after the author's version.

    Some front ends allow learners to edit locked cells.
    """
    lines = []
    for index, cell in reversed([*enumerate(cells)]):
        name = grade_id(cell)
        metadata = cell.metadata.get("nbgrader", {})
        if not name or not metadata.get("locked") or metadata.get("solution"):
            continue
        if _lines(cell.source) == _lines(assignment_cells[name].source):
            continue
        if cell.cell_type == "code" and not is_test(cell):
            cells.insert(index + 1, NotebookNode(cell | {"metadata": NotebookNode()}))
            lines.append(f"the locked cell {name} was changed; the released version runs first, then the learner's")
        else:
            lines.append(f"the locked cell {name} was changed; the released version counts")
    return lines[::-1]


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def _find_written_answers(
    cells: list[NotebookNode], assignment_cells: Mapping[str, NotebookNode], texts: Collection[str]
) -> list[str]:
    """Move text from cells that the learner added next to an unchanged written answer into the answer."""
    lines = []
    released = {tuple(_lines(text)) for text in texts}
    for name, author in assignment_cells.items():
        index, cell = next((index, cell) for index, cell in enumerate(cells) if grade_id(cell) == name)
        if author.cell_type != "markdown" or _lines(cell.source) not in ([], _lines(author.source)):
            continue
        added: list[NotebookNode] = []
        for neighbours in (cells[index + 1 :], cells[:index][::-1]):
            for other in neighbours:
                if grade_id(other):
                    break
                if other.cell_type != "code" and other.source.strip() and tuple(_lines(other.source)) not in released:
                    added.append(other)
        if added:
            added.sort(key=cells.index)
            cell.source = "\n\n".join(other.source for other in added)
            lines.append(f"{name} was empty; text of another cell was moved there: check whether it is the answer")
    return lines


def _restore_missing_cells(cells: list[NotebookNode], assignment_cells: Mapping[str, NotebookNode]) -> list[str]:
    """Insert missing cells, each after the nearest preceding cell of the assignment that is present."""
    lines = []
    previous = -1
    indices = {name: index for index, cell in enumerate(cells) if (name := grade_id(cell))}
    for name, cell in assignment_cells.items():
        if name in indices:
            previous = indices[name]
            continue
        previous += 1
        cells.insert(previous, _with_author_metadata(cell, assignment_cells))
        indices = {other: index + (index >= previous) for other, index in indices.items()} | {name: previous}
        lines.append(f"the cell {name} was missing and was restored as released")
    return lines


def writable_text(value: Any) -> str:
    """Text that can be encoded as UTF-8: lone surrogates, which JSON allows, become question marks.

    A list is joined, as nbformat's multi-line strings are; of anything else the result is empty.
    """
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _finite(text: str) -> float | None:
    return number if math.isfinite(number := float(text)) else None


def _is_deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _parse_cell(index: int, cell: Any) -> NotebookNode:
    cell_type = cell.get("cell_type") if isinstance(cell, dict) else None
    if cell_type not in ("code", "markdown", "raw"):
        raise RejectedSubmission(f"cell {index + 1} is neither code nor Markdown nor raw")
    parsed = NotebookNode(cell_type=cell_type, source=writable_text(cell.get("source")), metadata=NotebookNode())
    metadata = cell.get("metadata", {}).get("nbgrader") if isinstance(cell.get("metadata"), dict) else None
    if isinstance(metadata, dict) and isinstance(metadata.get("grade_id"), str):
        parsed.metadata.nbgrader = NotebookNode(grade_id=metadata["grade_id"])
    if cell_type == "code" and _is_shown_right(cell.get("outputs")):
        parsed.metadata.shown_right = True
    if cell_type == "markdown" and isinstance(cell.get("attachments"), dict):
        parsed.attachments = NotebookNode(
            {
                writable_text(name): NotebookNode(
                    {mime: writable_text(data) for mime, data in bundle.items() if mime in _IMAGE_TYPES}
                )
                for name, bundle in cell["attachments"].items()
                if isinstance(bundle, dict)
            }
        )
    return parsed


def _is_shown_right(outputs: Any) -> bool:
    """Whether stored outputs contain lines of checks, and all of these are "right"."""
    if not isinstance(outputs, list) or not outputs or not all(isinstance(output, dict) for output in outputs):
        return False
    lines = [line for output in outputs for line in writable_text(output.get("text")).splitlines()]
    verdicts = [line for line in lines if line.startswith(("Right ✓ ", "Wrong ✗ ", "Not attempted – "))]
    return bool(verdicts) and all(line.startswith("Right") for line in verdicts)

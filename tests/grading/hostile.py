"""Hostile submissions as data, with the points that each of them must get.

A case answers :data:`ASSIGNMENT`: three functions, each with a visible (1 point) and a hidden test (2 points). Some
cases are files that are not valid notebooks; they must be rejected.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.grading.assignment import parse

NAME = "hw9_hostile"
LEARNER = "mallory"
SECRET = "xyzzy-hidden-41c7"  # occurs in the hidden tests only
CANARY = "plugh-outside-8d20"  # occurs in files outside the sandbox, and in this process's environment
MARKER = "86399.25"  # seconds that a daemon sleeps: no other process has it on its command line
OUTSIDE = Path(tempfile.gettempdir()) / f"hostile-{os.getpid()}"
os.environ["HOSTILE_CANARY"] = CANARY

RIGHT = {
    "learner_id": f"learner_id = {LEARNER!r}",
    "lookup": "def lookup(table, token_ids):\n    return table[torch.tensor(token_ids, dtype=torch.long)]",
    "count": "def count(tokens):\n    return {token: tokens.count(token) for token in tokens}",
    "total": "def total(numbers):\n    return sum(numbers)",
}
_TESTS = {
    "lookup": 'examine("lookup", lookup, [((torch.eye(3), [2, 0]), torch.eye(3)[[2, 0]])])',
    "count": 'examine("count", count, [((["a", "b", "a"],), {"a": 2, "b": 1})])',
    "total": 'examine("total", total, [(([1, 2, 3],), 6)])',
}
_HIDDEN = {
    "lookup": """hidden({
    "other numbers": lambda: same(lookup(torch.arange(8.0).reshape(4, 2), [3]), torch.tensor([[6.0, 7.0]])),
    "no ids": lambda: same(lookup(torch.ones(2, 5), []), torch.ones(0, 5)),
})""",
    "count": f"""hidden({{
    "other words": lambda: same(count(["{SECRET}", "c", "c"]), {{"{SECRET}": 1, "c": 2}}),
    "no words": lambda: same(count([]), {{}}),
}})""",
    "total": """hidden({
    "negative": lambda: same(total([-4, 1]), -3),
    "none": lambda: same(total([]), 0),
})""",
}


def source_notebook() -> NotebookNode:
    """The author's notebook."""

    def metadata_of(name: str, **fields: object) -> dict:
        defaults = {"grade": False, "solution": False, "locked": False, "schema_version": 3, "task": False}
        return {"nbgrader": {**defaults, "grade_id": name, **fields}}

    cells = [new_code_cell("import torch\nfrom helpers.homework import examine, hidden, same")]
    cells[0].metadata = metadata_of("setup", locked=True)
    for name, code in RIGHT.items():
        solution = f"### BEGIN SOLUTION\n{code}\n### END SOLUTION"
        cells.append(new_code_cell(solution, metadata=metadata_of(name, solution=True)))
        if name in _TESTS:
            tests = {f"test_{name}": (1, _TESTS[name])}
            body = f"# {SECRET}\n{_HIDDEN[name]}"
            tests[f"hidden_{name}"] = (2, f"# more\n### BEGIN HIDDEN TESTS\n{body}\n### END HIDDEN TESTS")
            for test, (points, source) in tests.items():
                metadata = metadata_of(test, grade=True, locked=True, points=points)
                cells.append(new_code_cell(source, metadata=metadata))
    cells.append(new_markdown_cell("Why?", metadata=metadata_of("why", grade=True, solution=True, points=1)))
    for cell in cells:
        cell.id = cell.metadata.nbgrader.grade_id.replace("_", "-")
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


ASSIGNMENT = parse(NAME, source_notebook())


def notebook(answers: Mapping[str, str] = {}, before: Sequence[str] = (), after: Sequence[str] = ()) -> NotebookNode:
    """A submission with right answers, except for ``answers``, and with additional cells."""
    found = source_notebook()
    for cell in found.cells:
        name = cell.metadata.nbgrader.grade_id
        if name in RIGHT:
            cell.source = {**RIGHT, **answers}[name]
        elif name.startswith("hidden_"):
            cell.source = "# more"
    found.cells[1:1] = [new_code_cell(source) for source in before]
    found.cells += [new_code_cell(source) for source in after]
    return found


@dataclass(frozen=True)
class Case:
    """One submission.

    Attributes:
        expected: points of nine; None when it must not be graded at all.
        layer: which part must stop it: the reader of submitted files, or the sandbox.
        harmless: whether it may run without a sandbox, to show that the suite detects the missing confinement.
        change: modifies the notebook.
        content: the bytes of the file, if it is not a notebook.
        create: creates the file, if it is not a regular one.
        shows: text that the outputs must contain, to show that the attack ran.
    """

    name: str
    expected: float | None
    answers: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    layer: Literal["file", "sandbox"] = "sandbox"
    harmless: bool = False
    change: Callable[[NotebookNode], None] | None = None
    content: bytes | None = None
    create: Callable[[Path], object] | None = None
    shows: str = ""

    def notebook(self) -> NotebookNode:
        """The submitted notebook of a case of the layer ``sandbox``."""
        found = copy.deepcopy(notebook(self.answers, self.before, self.after))
        if self.change:
            self.change(found)
        return found

    def write(self, folder: Path) -> Path:
        """Write the submission into a folder, as ``NAME.ipynb`` unless the attack is its name; returns the path."""
        path = folder / f"{NAME}.ipynb"
        if self.create:
            self.create(path)
        else:
            content = nbformat.writes(self.notebook()).encode() if self.content is None else self.content
            path.write_bytes(content)
        return path


# What is checked after each case.


def prepare() -> str:
    """Create files outside the sandbox that attacks try to read or change; returns their fingerprint."""
    OUTSIDE.mkdir(exist_ok=True)
    (OUTSIDE / "secret.ipynb").write_text(json.dumps({"cells": [{"source": f"{CANARY} {SECRET}"}]}))
    with sqlite3.connect(OUTSIDE / "gradebook.db") as database:
        database.execute("CREATE TABLE IF NOT EXISTS grade (learner TEXT, manual_score REAL)")
        database.execute("DELETE FROM grade")
        database.execute("INSERT INTO grade VALUES (?, 1)", (CANARY,))
    database.close()
    return fingerprint()


def fingerprint() -> str:
    """A digest of the names and contents of the files outside the sandbox."""
    digest = hashlib.sha256()
    for path in sorted(OUTSIDE.rglob("*")):
        digest.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def verify(case: Case, graded: dict, outside: str) -> None:
    """Raise AssertionError unless a submission got its points and had no other effect.

    Args:
        graded: :meth:`helpers.grading.judge.Graded.as_dict`.
        outside: what :func:`prepare` returned.
    """
    text = json.dumps(graded)
    assert SECRET not in text, f"{case.name}: a hidden test is quoted"
    assert CANARY not in text, f"{case.name}: something from outside is quoted"
    assert fingerprint() == outside, f"{case.name}: the files outside changed"
    left = daemons()
    assert not left, f"{case.name}: processes were left: {left}"
    outputs = [output for cell_outputs in graded["outputs"].values() for output in cell_outputs]
    printed = ["".join(output.get(key, "") for key in ("text", "ename", "evalue")) for output in outputs]
    assert case.shows in "".join(printed), f"{case.name} did not even try: {printed}"
    assert max(map(len, printed), default=0) < 400_000, f"{case.name}: its output is not capped"
    points = {cell.id: cell.points for cell in ASSIGNMENT.of("test")}
    assert graded["tests"].keys() == points.keys()
    got = sum(points[name] for name, verdict in graded["tests"].items() if verdict["passed"])
    assert got == case.expected, f"{case.name}: {got} points instead of {case.expected}: {graded['tests']}"


def daemons() -> list[int]:
    """The ids of processes of submissions that are still running."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if MARKER.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


WRONG = {name: code.split("\n")[0] + "\n    return -1" for name, code in RIGHT.items() if name != "learner_id"}


def _read(text: str) -> list[Case]:
    """Parse cases in the format that ``hostile.txt`` describes."""
    text = text.replace("OUTSIDE", str(OUTSIDE)).replace("MARKER", MARKER)
    cases = []
    for block in text.split("\n=== ")[1:]:
        head, *sections = block.partition("\n# ")[0].split("\n--- ")
        name, points, *marks = head.strip().split(" · ")
        answers: dict[str, str] = {}
        cells: dict[str, list[str]] = {"before": [], "after": []}
        for section in sections:
            kind, _, code = section.partition("\n")
            if kind == "try":
                cells["before"].append(_tried(code.strip().split("\n\n")))
            elif kind == "wrong":
                answers |= WRONG
            elif kind in cells:
                cells[kind].append(code.strip())
            else:
                answers[kind] = code.strip()
        shows = next((mark.removeprefix("shows ") for mark in marks if mark.startswith("shows ")), "")
        cases.append(
            Case(
                name, float(points), answers, cells["before"], cells["after"], harmless="harmless" in marks, shows=shows
            )
        )
    return cases


def _tried(attempts: Sequence[str]) -> str:
    """Code that runs every attempt and prints which succeeded."""
    lines = ["import os, sys, ctypes, socket, subprocess, threading, time", "worked = []"]
    for attempt in attempts:
        lines += ["try:", *(f"    {line}" for line in attempt.split("\n"))]
        lines += [f"    worked.append({attempt[:40]!r})", "except BaseException as error:", "    print(type(error))"]
    return "\n".join([*lines, "print('worked:', worked)"])


def _nbgrader_cells(notebook: NotebookNode) -> Iterator[tuple[NotebookNode, dict, str]]:
    """The cells with nbgrader metadata, their metadata, and their ids."""
    for cell in list(notebook.cells):
        if "nbgrader" in cell.metadata:
            yield cell, cell.metadata.nbgrader, cell.metadata.nbgrader.grade_id


def _forge_points(notebook: NotebookNode) -> None:
    for _, metadata, _ in _nbgrader_cells(notebook):
        metadata["points"] = 1000
    bonus = {"grade": True, "solution": False, "locked": True, "grade_id": "bonus", "points": 1000}
    metadata = {"nbgrader": {**bonus, "schema_version": 3, "task": False}}
    notebook.cells.append(new_code_cell("print(1)", metadata=metadata))


def _forge_tests(notebook: NotebookNode) -> None:
    for cell, _, name in _nbgrader_cells(notebook):
        if name.startswith(("test", "hidden")):
            cell.source = "print(1)"


def _forge_setup(notebook: NotebookNode) -> None:
    notebook.cells[0].source = "examine = hidden = lambda *args, **kwargs: print('Right')\nraise SystemExit"


def _copy_tests(notebook: NotebookNode) -> None:
    for cell, _, name in _nbgrader_cells(notebook):
        if name.startswith("test"):
            again = copy.deepcopy(cell)
            again.id += "-2"
            notebook.cells.append(again)


def _delete_tests(notebook: NotebookNode) -> None:
    for cell, _, name in _nbgrader_cells(notebook):
        if name.startswith(("test", "hidden")):
            notebook.cells.remove(cell)


def _widget_bomb(notebook: NotebookNode) -> None:
    state = {"state": {"x": "y" * 2_000_000}, "version_major": 2, "version_minor": 0}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": state}


def _deep_metadata(notebook: NotebookNode) -> None:
    deep = notebook.metadata
    for _ in range(200):
        deep["x"] = {}
        deep = deep["x"]


def _file(name: str, content: bytes | None = None, create: Callable[[Path], object] | None = None, **more: Any) -> Case:
    """A case that is not a valid notebook."""
    return Case(name, None, layer="file", content=content, create=create, **more)


_EMPTY = b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'
_CELL = b'{"cell_type": "raw", "metadata": {}, "source": "", "id": "a"}'
_NO_CELL = b'null, 5, "x", {"cell_type": "code", "source": [1], "metadata": []}'

CASES = (
    *_read(Path(__file__).with_suffix(".txt").read_text()),
    Case("forged points", 9, change=_forge_points),
    Case("forged tests", 9, change=_forge_tests),
    Case("forged setup", 9, change=_forge_setup),
    Case("tests copied by accident", 9, change=_copy_tests),
    Case("tests deleted", 9, change=_delete_tests),
    Case("a widget's state of 2 MB", 9, change=_widget_bomb),
    _file("metadata 200 deep", change=_deep_metadata),
    _file("no JSON", b"{ no"),
    _file("an empty file", b""),
    _file("not UTF-8", _EMPTY.replace(b"{}", b'{"x": "\xff\xfe"}')),
    _file("deep JSON", b"[" * 200_000 + b"]" * 200_000),
    _file("a million cells", _EMPTY.replace(b"[]", b"[" + (_CELL + b", ") * 999_999 + _CELL + b"]")),
    _file("a huge number in JSON", _EMPTY.replace(b"{}", b'{"n": ' + b"9" * 1_000_000 + b"}")),
    _file("cells that are none", _EMPTY.replace(b"[]", b"[" + _NO_CELL + b"]")),
    _file("another name", create=lambda path: path.with_name("homework (1).ipynb").write_bytes(_EMPTY)),
    _file("a link to a secret", create=lambda path: path.symlink_to(OUTSIDE / "secret.ipynb")),
    _file("a link without an end", create=lambda path: path.symlink_to("/dev/zero")),
    _file("a pipe", create=lambda path: os.mkfifo(path)),
    _file("a folder", create=lambda path: path.mkdir()),
)
"""All cases. The order matters: some try to leave something behind for the next one."""

"""List which exercises are right, wrong or open: ``python -m helpers.exercises``, ``make progress``.

This reads the outputs that are stored in the notebooks; it runs and sends nothing, and needs no package.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from helpers.exercises.exercise import SIGNS, Line, parse_line

ROOT = Path(__file__).parent.parent.parent
State = Literal["right", "wrong", "open"]


@dataclass(frozen=True)
class Check:
    """The check of one exercise in a notebook.

    Attributes:
        name: the name of the exercise.
        state: ``"open"`` for an exercise that was not attempted, or whose check did not run.
        text: the reason why it is wrong or open.
        cell: the number of the cell that checks it, from 1.
        section: the last heading above it.
    """

    name: str
    state: State
    text: str
    cell: int
    section: str


def checks(notebook: Mapping[str, Any]) -> Iterator[Check]:
    """The checks of a notebook, given as parsed JSON, in their order."""
    section = ""
    for number, cell in enumerate(notebook["cells"], start=1):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            headings = [line.lstrip("#").strip() for line in source.splitlines() if line.startswith("#")]
            section = headings[-1] if headings else section
        elif _is_check(cell, source):
            name = _name(source)
            lines = [line for line in _printed_lines(cell) if line.name == name] or list(_printed_lines(cell))
            if not lines:
                yield Check(name, "open", "its check did not run", number, section)
            for line in lines:
                state: State = "open" if line.status == "not attempted" else line.status
                yield Check(line.name, state, line.text if state != "right" else "", number, section)


def _is_check(cell: Mapping[str, Any], source: str) -> bool:
    """Whether a code cell checks an exercise: a cell tagged ``check``, or a visible test of a homework."""
    metadata = cell.get("metadata", {})
    nbgrader = metadata.get("nbgrader", {})
    is_test = nbgrader.get("grade") and not nbgrader.get("solution") and cell["cell_type"] == "code"
    return "check" in metadata.get("tags", []) or bool(is_test and _name(source))


def _name(source: str) -> str:
    """The name of the exercise: the first text that the cell passes to a function as its first argument."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and node.value.args:
            first = node.value.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                return first.value.split(".", 1)[-1]
    return ""


def _printed_lines(cell: Mapping[str, Any]) -> Iterator[Line]:
    for output in cell.get("outputs", []):
        for line in "".join(output.get("text", "")).splitlines():
            if parsed := parse_line(line):
                yield parsed


def report(path: Path) -> list[str]:
    """A summary of one notebook, and lines for each exercise that is wrong or open.

    Raises:
        ValueError: the file is not a notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        results = list(checks(notebook))
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{_shown(path)} is not a readable notebook ({error})") from None
    counts = Counter(check.state for check in results)
    lines = [f"{_shown(path)}: {counts['right']} right, {counts['wrong']} wrong, {counts['open']} open"]
    for check in results:
        if check.state == "right":
            continue
        sign = SIGNS["wrong"] if check.state == "wrong" else SIGNS["not attempted"].replace("Not attempted", "Open")
        where = f"cell {check.cell}" + (f", “{check.section}”" if check.section else "")
        lines.append(f"  {sign} {check.name}" + (f": {check.text}" if check.text else ""))
        lines.append(f"      {where} in {path.resolve().as_uri()}")
    return lines


def _shown(path: Path) -> str:
    path = path.resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def notebooks(root: Path = ROOT) -> list[Path]:
    """The lessons and the student versions of the homeworks."""
    folder = root / "notebooks"
    return [*sorted(folder.glob("[0-9]*.ipynb")), *sorted((folder / "homework" / "release").glob("*/*.ipynb"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the reports on notebooks; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.exercises",
        description="List the right, wrong and open exercises of your saved notebooks. No code is run or sent.",
    )
    parser.add_argument("notebook", nargs="*", type=Path, help="notebooks to list (default: all lessons and homeworks)")
    options = parser.parse_args(arguments)
    status = 0
    for path in options.notebook or notebooks():
        try:
            lines = report(path)
        except (OSError, ValueError) as error:
            print(error, file=sys.stderr)
            status = 1
        else:
            print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())

"""The table of lessons in README.md and in lesson 00: ``python -m tests.tools.course_map`` writes both.

Titles, links and times come from the lessons, what one learns from README.md.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tests.tools.lint import TIME
from tests.tools.refresh import ROOT, lessons

README, START = ROOT / "README.md", ROOT / "notebooks" / "00_start_here.ipynb"
HEADING = "## The course map"
TITLE = re.compile(r"# (\d\d) · (.+)")
README_ROWS = re.compile(r"(?:^\| \[\d\d [^\n]*\n)+", re.MULTILINE)
README_ROW = re.compile(r"^\| \[\d\d [^\]]+\]\(notebooks/([^)]+)\) \| (.+?) \|", re.MULTILINE)


@dataclass(frozen=True)
class Row:
    """One lesson: its file, its title with its number, what one learns, and its stated times."""

    file: str
    title: str
    learn: str
    minutes: int
    optional: int

    def table_row(self, folder: str = "") -> str:
        more = f" (+ {self.optional})" if self.optional else ""
        return f"| [{self.title}]({folder}{self.file}) | {self.learn} | {self.minutes} min{more} |"


def rows(readme: str, paths: list[Path]) -> list[Row]:
    """The rows of the table, in the order of the lessons.

    Raises:
        ValueError: a lesson that the README's table does not have.
    """
    learn = dict(README_ROW.findall(readme))
    found = []
    for path in paths:
        if path.name not in learn:
            raise ValueError(f"README.md has no row for {path.name}: add | [NN Title](notebooks/{path.name}) | … | |")
        first = nbformat.read(path, as_version=4).cells[0].source
        title, time = TITLE.match(first), TIME.search(first)
        if not title or not time:
            raise ValueError(f"the first cell of {path.name} lacks its title or its time")
        number, name = title.groups()
        found.append(Row(path.name, f"{number} {name}", learn[path.name], int(time[1]), int(time[2] or 0)))
    return found


def with_readme_table(readme: str, table: list[Row]) -> str:
    """The README with the lessons' rows of its table replaced."""
    return README_ROWS.sub("".join(row.table_row("notebooks/") + "\n" for row in table), readme, count=1)


def start_table(table: list[Row]) -> str:
    """The source of the cell of lesson 00 that holds the course map."""
    head = [HEADING, "", "| lesson | you learn | time (+ optional) |", "| --- | --- | --- |"]
    return "\n".join([*head, *(row.table_row() for row in table)])


def main() -> int:
    readme, notebook = README.read_text(encoding="utf-8"), nbformat.read(START, as_version=4)
    table = rows(readme, lessons())
    README.write_text(with_readme_table(readme, table), encoding="utf-8")
    cell = next(cell for cell in notebook.cells if cell.source.startswith(HEADING))
    cell.source = start_table(table)
    START.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    print(f"{len(table)} lessons written to {README.name} and {START.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Every term that a lesson introduces is in the glossary, with the lesson that does so.

A term is a bold phrase of at most four words in the running text of a lesson. Not terms: what ends in punctuation (a
label or a sentence), and what stands in headings, tables, boxes and folded text. What begins a list item or stands
before a colon is a label: it may be in the glossary.
"""

import re
from collections.abc import Iterator

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from tests.tools.refresh import NOTEBOOKS, lessons

BOLD = re.compile(r"\*\*([^*\n]+)\*\*")
LABEL = re.compile(r"^\s*(?:[*-]|\d+\.)\s+\*\*[^*\n]+\*\*|\*\*[^*\n]+\*\*(?=:)")
ROW = re.compile(r"^\| \*\*(.+?)\*\*(?: \((.+?)\))? \| (.+?) \| (\d\d) \|$", re.MULTILINE)
LONGEST = 30  # words of a meaning


def terms(notebook: NotebookNode, labels: bool = False) -> Iterator[str]:
    """The terms of a lesson, in lower case and in the singular; with its labels, if asked for."""
    for cell in notebook.cells[1:]:
        if cell.cell_type == "markdown" and "<details>" not in cell.source:
            for line in cell.source.splitlines():
                if not line.startswith((">", "|", "#")):
                    for phrase in BOLD.findall(line if labels else LABEL.sub("", line)):
                        if phrase[-1] not in ".:!?" and len(phrase.split()) <= 4:
                            yield singular(phrase)


def singular(phrase: str) -> str:
    return re.sub(r"(?<=[^aisu])s$", "", phrase.lower())


def problems(glossary: str, notebooks: dict[str, NotebookNode]) -> list[str]:
    """Terms without a row, rows with another lesson than the first that has the term, rows of no lesson."""
    rows = {
        (term, lesson): {singular(name) for name in (term, *others.split(", "))}
        for term, others, _, lesson in ROW.findall(glossary)
    }
    required, allowed = (
        {number: set(terms(notebook, labels)) for number, notebook in sorted(notebooks.items())}
        for labels in (False, True)
    )
    known = set().union(*rows.values())
    found = [
        f"{number}: **{term}** is not in the glossary"
        for number in required
        for term in sorted(required[number] - known)
    ]
    for (term, lesson), names in rows.items():
        introducing = [number for number in required if names & required[number]]
        if not introducing:
            introducing = [number for number in allowed if names & allowed[number]]
        if not introducing:
            found.append(f"no lesson introduces **{term}** ({lesson})")
        elif introducing[0] != lesson:
            found.append(f"**{term}** is introduced in {introducing[0]}, not in {lesson}")
    return found


GLOSSARY = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")


def test_every_term_of_the_lessons_is_in_the_glossary() -> None:
    assert problems(GLOSSARY, {path.name[:2]: nbformat.read(path, as_version=4) for path in lessons()}) == []


def test_the_glossary_is_sorted_and_short() -> None:
    rows = ROW.findall(GLOSSARY)
    lines = [line for line in GLOSSARY.splitlines() if line.startswith("|")][2:]
    assert len(rows) == len(lines) > 50
    assert [row[0].lower() for row in rows] == sorted({row[0].lower() for row in rows})
    assert max(len(meaning.split()) for _, _, meaning, _ in rows) <= LONGEST


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A **tensor** is an array, an **embedding matrix** a tensor.", ["tensor", "embedding matrix"]),
        ("**Gradients** are derivatives.", ["gradient"]),
        ("* **linear**: all frequencies\n1. **by parts** is some\n**T5**: with **Bias**", ["bias"]),
        ("**Source:** a book\n> **Exercise – lookup** · ●○○\n| **x** | y |\n## **Heading**", []),
        ("**This is a whole sentence that stands out.**", []),
        ("<details><summary>Hint</summary>\n\n**term**\n\n</details>", []),
    ],
)
def test_terms_are_bold_phrases_of_the_running_text(text: str, found: list[str]) -> None:
    assert list(terms(new_notebook(cells=[new_markdown_cell("**First cell**"), new_markdown_cell(text)]))) == found


def test_missing_and_wrong_rows_are_found() -> None:
    lesson = new_notebook(cells=[new_markdown_cell("# 01"), new_markdown_cell("A **token** has a **token id**.")])
    glossary = "| **token** (tokens, word) | A unit. | 02 |\n| **vector** | A row. | 01 |\n"
    assert problems(glossary, {"01": lesson}) == [
        "01: **token id** is not in the glossary",
        "**token** is introduced in 01, not in 02",
        "no lesson introduces **vector** (01)",
    ]
    repaired = glossary.replace("02", "01").replace("vector", "token id")
    assert problems(repaired, {"01": lesson}) == []

"""Lessons with every exercise replaced by the folded answer that follows it."""

from __future__ import annotations

import re

import nbformat
from nbformat import NotebookNode

_ANSWER = re.compile(r"<summary>Answer: [^<]+</summary>.*?```python\n(.*?)```", re.DOTALL)


def solved(notebook: NotebookNode) -> tuple[NotebookNode, int]:
    """The notebook with its answers in index of its stubs, and how many there are.

    Raises:
        ValueError: an exercise without an answer.
    """
    notebook = nbformat.from_dict(notebook)
    count = 0
    for index, cell in enumerate(notebook.cells):
        if "exercise" not in cell.metadata.get("tags", []):
            continue
        text = "\n".join(
            later.source for later in notebook.cells[index + 1 : index + 4] if later.cell_type == "markdown"
        )
        answer = _ANSWER.search(text)
        if not answer:
            raise ValueError(f"the exercise {cell.source.splitlines()[0]!r} has no answer")
        cell.source = answer.group(1).rstrip("\n")
        count += 1
    return notebook, count

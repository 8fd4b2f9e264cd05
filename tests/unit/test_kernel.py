"""Tracebacks in a real kernel: lines of the notebook are shown, those of packages only by ``%tb``."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.tools.refresh import ROOT, run

pytestmark = pytest.mark.slow

CELLS = {
    "package": "torch.nn.Embedding(4, 3)(torch.tensor([12]))",
    "all frames": "%tb",
    "own function": "def inverse(x):\n    return 1 / x\ninverse(0)",
    "helpers": "live('A figure', control=3)",
    "syntax": "1 +",
    "group": "raise ExceptionGroup('several', [ValueError('one')])",
    "after": "print('the kernel lives')",
}


@pytest.fixture(scope="module")
def outputs() -> dict[str, nbformat.NotebookNode]:
    """What each cell gave, tracebacks as plain text."""
    cells = [new_code_cell(source) for source in ["import torch\nfrom helpers import live", *CELLS.values()]]
    made = {}
    for name, cell in zip(CELLS, run(new_notebook(cells=cells), ROOT).cells[1:], strict=True):
        made[name] = cell.outputs[-1]
        if "traceback" in made[name]:
            made[name].traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(made[name].traceback))
    return made


def test_an_error_inside_a_package_shows_the_line_of_the_cell_and_the_message(outputs) -> None:
    lines = outputs["package"].traceback.splitlines()
    assert any(line.startswith("----> 1 torch.nn.Embedding") for line in lines)
    assert "calls in torch: %tb shows more" in lines[-2] and lines[-1] == "IndexError: index out of range in self"
    assert len(lines) <= 10 and "site-packages" not in outputs["package"].traceback


def test_tb_shows_all_frames(outputs) -> None:
    assert outputs["all frames"].traceback.count("site-packages/torch") >= 3


def test_every_function_of_the_notebook_is_shown(outputs) -> None:
    assert "return 1 / x" in outputs["own function"].traceback and "calls in" not in outputs["own function"].traceback


def test_frames_of_the_course_are_folded_as_well(outputs) -> None:
    assert "[... 1 call in helpers: %tb shows more]" in outputs["helpers"].traceback


def test_errors_without_a_frame_in_a_cell_are_not_changed(outputs) -> None:
    assert outputs["syntax"].ename == "SyntaxError" and "1 +" in outputs["syntax"].traceback


def test_an_error_of_any_kind_leaves_the_kernel_alive(outputs) -> None:
    assert "ExceptionGroup" in str(outputs["group"]) and outputs["after"].text == "the kernel lives\n"

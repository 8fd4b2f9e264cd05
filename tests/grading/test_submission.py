"""Reading submitted notebooks: what is rejected, and what is taken from the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nbformat import NotebookNode

from helpers.grading.lms import archives
from helpers.grading.submission import RejectedSubmission, parse_cells, read_cells
from tests.grading import hostile
from tests.tools.homework import answered_small, hand_in

_HEAD = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ("[]", "not a notebook of format 4"),
        ('{"nbformat": 3, "worksheets": []}', "not a notebook of format 4"),
        ('{"nbformat": true, "cells": []}', "not a notebook of format 4"),
        ('{"nbformat": 4}', "no list of cells"),
        (_HEAD + "{}}", "no list of cells"),
        (_HEAD + "[null]}", "cell 1 is neither"),
        (_HEAD + '[{"cell_type": "code"}, {"cell_type": ["code"]}]}', "cell 2 is neither"),
        (
            _HEAD + ", ".join(['[{"cell_type": "raw"}'] + ['{"cell_type": "raw"}'] * 500) + "]}",
            "501 cells, at most 500",
        ),
        ("[" * 100 + "]" * 100, "deeper than 64"),
        ("[" * 100_000 + "]" * 100_000, "deeper than 64"),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "deeper than 64"),
        ("[" + "[], " * 600_000 + "[]]", "500,000 lists"),
        (_HEAD + "9" * 1_000_000 + "}", "not JSON"),
        (b" " * 10_000_001, "larger than 10,000,000"),
    ],
)
def test_invalid_notebooks_are_refused(content: str | bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(RejectedSubmission, match=why):
        read_cells(hand_in(tmp_path, "ada", content))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_links_are_not_followed(level: int, tmp_path: Path, release: NotebookNode) -> None:
    path = hand_in(tmp_path / "elsewhere", "ada", answered_small(release))
    assert read_cells(path)
    link = tmp_path / "submitted" / Path(*path.parts[-3:][: level + 1])
    link.parent.mkdir(parents=True)
    link.symlink_to(list(reversed([path, *path.parents][:3]))[level])
    there = tmp_path / "submitted" / Path(*path.parts[-3:])
    assert there.read_bytes()
    with pytest.raises(RejectedSubmission, match="link"):
        read_cells(there)


@pytest.mark.parametrize("case", [case for case in hostile.CASES if case.layer == "file"], ids=lambda case: case.name)
def test_hostile_files_are_refused(case: hostile.Case, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    hostile.prepare()
    request.addfinalizer(lambda: shutil.rmtree(hostile.OUTSIDE))
    folder = tmp_path / "mallory" / hostile.NAME
    folder.mkdir(parents=True)
    case.write(folder)
    with pytest.raises((RejectedSubmission, FileNotFoundError)):
        read_cells(folder / f"{hostile.NAME}.ipynb")


def test_harmless_irregularities_are_accepted() -> None:
    lone = '{"cell_type": "markdown", "source": ["half \\ud800", 5, " a letter"], "metadata": {"nbgrader": []}}'
    odd = '{"cell_type": "code", "source": "x", "metadata": NaN, "outputs": [{"text": Infinity}, 1e999], "id": []}'
    first, second = parse_cells(f"\ufeff{_HEAD}[{lone}, {odd}]}}".encode())
    assert first == {"cell_type": "markdown", "source": "half ? a letter", "metadata": {}}
    assert second == {"cell_type": "code", "source": "x", "metadata": {}}
    pasted = {"a.png": {"image/png": "AAAA", "text/html": "<script>"}, "b": []}
    [cell] = parse_cells(
        (_HEAD + json.dumps([{"cell_type": "markdown", "source": "", "attachments": pasted}]) + "}").encode()
    )
    assert cell.attachments == {"a.png": {"image/png": "AAAA"}}


def test_a_notebook_that_is_collected_is_not_too_large_to_be_graded(tmp_path: Path) -> None:
    largest = f"{_HEAD}[]}}".ljust(archives.MAX_NOTEBOOK_BYTES)
    assert read_cells(hand_in(tmp_path, "ada", largest)) == []

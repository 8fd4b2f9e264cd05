"""``make progress``: the report on right, wrong and open exercises."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.exercises.__main__ import checks, main, notebooks
from helpers.exercises.exercise import SIGNS, format_line, parse_line
from tests.tools.refresh import ROOT, lessons

LESSON = ROOT / "notebooks" / "03_learning_meaning.ipynb"


@pytest.fixture
def lesson() -> dict[str, Any]:
    return json.loads(LESSON.read_text(encoding="utf-8"))


def check_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if "check" in cell["metadata"].get("tags", [])]


def prints(cell: dict[str, Any], *lines: str) -> None:
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [f"{line}\n" for line in lines]}]


def test_right_wrong_and_open_are_counted(
    lesson: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong, untouched, not_run = check_cells(lesson)[:4]
    names = [cell["source"][0].split('"')[1].partition(".")[2] for cell in (right, wrong, untouched, not_run)]
    prints(right, format_line("right", names[0], "worth knowing"))
    prints(wrong, "something of the learner's", format_line("wrong", names[1], "the shape is (2, 3): expected (3, 2)"))
    prints(untouched, format_line("not attempted", names[2]))
    not_run["outputs"] = []
    states = [(check.name, check.state) for check in checks(lesson)]
    assert states[:4] == list(zip(names, ("right", "wrong", "open", "open"), strict=True))
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps(lesson), encoding="utf-8")
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    total = len(check_cells(lesson))
    assert out.startswith(f"{path}: 1 right, 1 wrong, {total - 2} open\n")
    assert f"{SIGNS['wrong']} {names[1]}: the shape is (2, 3): expected (3, 2)\n" in out and names[0] not in out
    number = lesson["cells"].index(wrong) + 1
    assert f"cell {number}, “" in out and path.as_uri() in out and f"{names[3]}: its check did not run" in out


def test_the_stored_lessons_are_open() -> None:
    for path in lessons():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert [check.state for check in checks(notebook)] == ["open"] * len(check_cells(notebook)), path.name


def test_the_checks_of_a_homework_are_read() -> None:
    [path] = [path for path in notebooks() if path.stem == "hw1_word_embeddings"]
    notebook = json.loads(path.read_text(encoding="utf-8"))
    fresh = list(checks(notebook))
    assert len(fresh) >= 9 and {check.state for check in fresh} == {"open"}
    ran = copy.deepcopy(notebook)
    for cell in ran["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "test_lookup":
            prints(cell, format_line("right", "lookup"))
    assert [check.name for check in checks(ran) if check.state == "right"] == ["lookup"]


def test_parse_line_inverts_format_line() -> None:
    for status in SIGNS:
        for text in ("", "a: b – c"):
            assert parse_line(format_line(status, "f", text)) == (status, "f", text)
    assert parse_line("Wrongly so") is None and parse_line("") is None


def test_an_invalid_notebook_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("", "[]", '{"cells": [3]}', '{"cells": 3}'):
        (tmp_path / "broken.ipynb").write_text(content)
        assert main([str(tmp_path / "broken.ipynb"), str(LESSON)]) == 1
        printed = capsys.readouterr()
        assert "broken.ipynb is not a readable notebook" in printed.err and "03_learning_meaning" in printed.out
    assert main([str(tmp_path / "none.ipynb")]) == 1 and "none.ipynb" in capsys.readouterr().err


def test_progress_needs_no_package() -> None:
    code = "import sys, helpers.exercises.__main__ as m; m.main([]); print([n for n in sys.modules if 'torch' in n])"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
                          capture_output=True, text=True, check=True, cwd=ROOT)  # fmt: skip
    assert done.stdout.endswith("[]\n") and "notebooks/03_learning_meaning.ipynb: 0 right, 0 wrong" in done.stdout

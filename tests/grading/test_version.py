"""The version of the grader changes with every module that decides a grade, and with no other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.grading.assignment import SOURCE, Assignment, Cell, read
from helpers.grading.version import digest, grader_version, grading_modules
from tests.tools.refresh import ROOT

HOMEWORKS = {path.stem: read(path) for path in sorted(SOURCE.glob("*/*.ipynb"))}
BUG_HUNT = HOMEWORKS["hw3_bug_hunt"]


def assignment(*cells: str) -> Assignment:
    return Assignment("hw", tuple(Cell(f"cell{number}", "setup", source) for number, source in enumerate(cells)))


LOAD = """
import json, os, sys, torch
for name, source in json.loads(sys.argv[1]).items():
    if os.fork() == 0:
        exec(source, {"learner_id": "ada"})
        print("loaded", name, *(each for each in sys.modules if each.partition(".")[0] == "helpers"), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The import system is the oracle: what is in ``sys.modules`` when the setup cells of a homework have run."""
    setups = {name: "\n".join(cell.source for cell in each.of("setup")) for name, each in HOMEWORKS.items()}
    command = [sys.executable, "-c", LOAD, json.dumps(setups)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("loaded ")]
    return {name: set(modules) for _, name, *modules in rows}


@pytest.mark.parametrize("name", HOMEWORKS)
def test_every_module_that_a_homework_loads_counts(name: str, loaded: dict[str, set[str]]) -> None:
    assert "helpers.exercises.check" in loaded[name]
    assert loaded[name] <= set(grading_modules(HOMEWORKS[name]))


def test_only_relevant_modules_change_the_version(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers", ignore=shutil.ignore_patterns("__pycache__"))
    deciding = set(grading_modules(BUG_HUNT, tmp_path).values())
    names = {str(path.relative_to(tmp_path / "helpers")) for path in deciding}
    assert {"positions.py", "homework.py", "exercises/comparison.py", "grading/sandbox/guest.py"} <= names
    before = grader_version(BUG_HUNT, tmp_path)

    def version_after_a_fix(*paths: Path) -> str:
        contents = {path: path.read_text() for path in paths}
        for path, content in contents.items():
            path.write_text(content + "\n# a fix\n")
        grader_version.cache_clear()
        version = grader_version(BUG_HUNT, tmp_path)
        for path, content in contents.items():
            path.write_text(content)
        return version

    for path in deciding:
        assert version_after_a_fix(path) != before, path
    others = set((tmp_path / "helpers").rglob("*.py")) - deciding
    assert len(others) > 50 and version_after_a_fix(*others) == before
    assert len(deciding) < 20


def test_imports_of_all_kinds_are_found() -> None:
    def found(source: str) -> set[str]:
        return set(grading_modules(assignment(source))) - set(grading_modules(assignment()))

    assert "helpers.positions" in found("import helpers.positions as p")
    assert "helpers.positions" in found("from helpers import positions")
    assert "helpers.positions" in found("%matplotlib inline\ndef f():\n    from helpers import attention")
    assert "helpers.figures.live" in found("from helpers import live")
    assert "helpers.figures.panels" in found("from helpers import (\n    arrows,\n    check,\n)")
    assert found("import torch, numpy\nfrom os import path") == found("*Because* it is so.") == set()


def test_a_digest_depends_on_the_boundaries_of_parts() -> None:
    assert len({digest(b"a", b"b"), digest(b"ab"), digest(b"", b"ab"), digest(b"ab", b"")}) == 4

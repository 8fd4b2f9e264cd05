"""Grading and homeworks load quickly: no plotting, no widgets, and no torch before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tools.refresh import ROOT

FIGURES = {"matplotlib", "anywidget", "ipywidgets"}
MODULES = ("assignment", "course", "feedback", "judge", "release", "scheduler", "lms.collect", "lms.export")


def loaded(*arguments: str) -> set[str]:
    """The modules that Python imports when it runs with these arguments."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize("name", ["helpers.homework", *(f"helpers.grading.{name}" for name in MODULES)])
def test_no_figures_are_loaded(name: str) -> None:
    assert name in (modules := loaded("-c", f"import {name}")) and not modules & FIGURES


def test_the_commands_are_listed_without_torch() -> None:
    modules = loaded("-m", "helpers.grading", "--help")
    assert "argparse" in modules and not modules & {"torch", "nbgrader", "distributed", *FIGURES}


def test_what_is_loaded_is_seen() -> None:
    assert "matplotlib" in loaded("-c", "from helpers import bars; import matplotlib")

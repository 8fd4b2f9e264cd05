"""The adapter fits the installed nbval, and reports differences before a run."""

import os
import subprocess
from pathlib import Path

import nbval.kernel
import nbval.plugin
import pytest

from tests.__main__ import NBVAL, PYTEST
from tests.notebooks import nbval_adapter
from tests.tools.refresh import ROOT


def test_the_adapter_fits_the_installed_nbval() -> None:
    assert nbval_adapter.problems() == []
    assert nbval_adapter.unchecked_version() == ""


def test_an_unchecked_version_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nbval_adapter, "version", lambda name: "0.12.0")
    assert nbval_adapter.unchecked_version().startswith("nbval 0.12.0 is installed")


@pytest.mark.parametrize(
    ("owner", "name", "replacement", "sentence"),
    [
        (nbval.plugin, "IPyNbCell", None, "has no nbval.plugin.IPyNbCell"),
        (nbval.plugin.IPyNbCell, "compare_outputs", lambda self, fresh, stored: True, "takes ['self', 'fresh', 'stor"),
        (nbval.kernel.RunningKernel, "await_reply", None, "RunningKernel.await_reply takes [] in nbval"),
    ],
    ids=["a class that is gone", "a method with other parameters", "a method that is gone"],
)
def test_api_changes_are_reported(
    monkeypatch: pytest.MonkeyPatch, owner, name: str, replacement, sentence: str
) -> None:
    monkeypatch.setattr(owner, name, replacement)
    assert sentence in " ".join(nbval_adapter.problems())


def test_a_run_with_a_changed_nbval_stops(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("import nbval.plugin\ndel nbval.plugin.IPyNbCell\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [*PYTEST, "-p", "other", *NBVAL[len(PYTEST) :], str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "has no nbval.plugin.IPyNbCell" in done.stderr and "Traceback" not in done.stderr

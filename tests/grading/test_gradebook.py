"""The adapter to nbgrader fits the installed version, or raises an error that names the difference."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from nbgrader import api
from nbgrader.api import Grade, Gradebook
from nbgrader.preprocessors import overwritecells, overwritekernelspec, saveautogrades
from packaging.specifiers import SpecifierSet

from helpers.grading import gradebook
from helpers.grading.gradebook import CHECKED_VERSIONS, CachedGradebook, api_changes, parse_timestamp

MODULES = (overwritecells, overwritekernelspec, saveautogrades)


def test_the_installed_nbgrader_was_checked() -> None:
    installed = version("nbgrader")
    assert installed in SpecifierSet(CHECKED_VERSIONS), (
        f"nbgrader {installed} is outside {CHECKED_VERSIONS}: read its changes to the gradebook and the preprocessors, "
        "run tests/grading, and extend CHECKED_VERSIONS in helpers/grading/gradebook.py"
    )


def test_nbgrader_has_what_the_adapter_needs() -> None:
    assert not api_changes(), "; ".join(api_changes())


@pytest.mark.parametrize(
    ("owner", "name", "replacement", "sentence"),
    [
        (saveautogrades, "Gradebook", None, "nbgrader.preprocessors.saveautogrades does not open the gradebook"),
        (overwritekernelspec, "Gradebook", None, "nbgrader.preprocessors.overwritekernelspec does not open"),
        (Gradebook, "find_grade", None, r"Gradebook.find_grade does not take \(self, grade_cell, notebook"),
        (Gradebook, "find_comment", lambda self, name: None, "Gradebook.find_comment does not take"),
    ],
)
def test_a_changed_api_raises(
    owner: Any, name: str, replacement: Any, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if replacement is None:
        monkeypatch.delattr(owner, name)
    else:
        monkeypatch.setattr(owner, name, replacement)
    with pytest.raises(RuntimeError, match=f"install nbgrader .*: .*{sentence}"):
        CachedGradebook(f"sqlite:///{tmp_path / 'gradebook.db'}")
    assert len(api_changes()) == 1


def test_a_missing_column_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gradebook._COLUMNS, Grade, ("cell", "manual_points"))
    assert api_changes() == ["nbgrader.api.Grade has no attribute manual_points any more"]


def test_every_overridden_method_is_checked() -> None:
    """A method that overrides one of nbgrader's must take the same arguments, or nbgrader calls it wrongly."""
    overridden = [name for name in vars(CachedGradebook) if not name.startswith("_") and hasattr(Gradebook, name)]
    assert {"find_source_cell", "find_graded_cell", "find_grade", "find_comment", "close"} == set(overridden)
    for name in overridden:
        mine, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in (CachedGradebook, Gradebook))
        assert list(mine) == list(theirs), name


def test_nbgrader_opens_its_own_gradebook_again_when_it_failed(tmp_path: Path) -> None:
    book = CachedGradebook(f"sqlite:///{tmp_path / 'gradebook.db'}")
    with pytest.raises(ZeroDivisionError), book._used_by_nbgrader():
        assert all(module.Gradebook("sqlite://") is book for module in MODULES)
        raise ZeroDivisionError
    assert all(module.Gradebook is api.Gradebook for module in MODULES)
    book.disconnect()


def test_a_rolled_back_transaction_leaves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    book = CachedGradebook(url)
    book.update_or_create_student("ada")
    book.commit()
    book.update_or_create_student("bo")
    book.close()  # as nbgrader does after each step
    book.db.remove()
    assert [student.id for student in book.students] == ["ada"]
    book.disconnect()
    with Gradebook(url) as stock:
        assert [student.id for student in stock.students] == ["ada"]


@pytest.mark.parametrize("text", ["tomorrow", "9" * 300, "2026-13-01", "12:00 nowhere/city"])
def test_invalid_timestamps_raise(text: str) -> None:
    with pytest.raises(ValueError):
        parse_timestamp(text)

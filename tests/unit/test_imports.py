"""Imports between modules follow the table of CONTRIBUTING.md and are not circular."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.tools.refresh import ROOT

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "helpers").rglob("*.py"))
}


@cache
def imports(source: str, at_start: bool = False) -> set[str]:
    """The modules of helpers that a source imports; ``at_start``: only those that importing it loads."""
    tree = ast.parse(source)
    lazy = {
        id(inner)
        for outer in ast.walk(tree)
        if at_start and isinstance(outer, ast.FunctionDef | ast.If)
        for inner in ast.walk(outer)
    }
    found = set()
    for node in ast.walk(tree):
        if at_start and id(node) in lazy:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & MODULES.keys()


def folder(module: str) -> str:
    """The row of the table that a module belongs to."""
    path = MODULES[module].relative_to(ROOT)
    if path.parent == Path("helpers"):
        return "helpers/homework.py" if path.name == "homework.py" else "helpers/*.py"
    return path.parent.as_posix()


def table() -> dict[str, set[str]]:
    """Folder → folders that it may import from, as CONTRIBUTING.md says."""
    rows = re.findall(r"(?m)^\| `(helpers[^`]*)` \|.*\| ([^|]*) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    return {name: set(re.findall("`([^`]+)`", allowed)) for name, allowed in rows}


def test_imports_follow_the_table() -> None:
    allowed = table()
    assert {folder(module) for module in MODULES} == allowed.keys()
    for module, path in MODULES.items():
        if module == "helpers":
            continue
        for other in imports(path.read_text("utf-8")) - {"helpers"}:
            at_home = folder(other) == folder(module)
            package = MODULES[other].name == "__init__.py"
            assert at_home or package or folder(other) in allowed[folder(module)], f"{module} imports {other}"


def test_there_are_no_circular_imports() -> None:
    graph = {
        module: imports(path.read_text("utf-8"), at_start=True) - {module}
        for module, path in MODULES.items()
        if path.name != "__init__.py"
    }
    packages = MODULES.keys() - graph.keys()
    assert list(TopologicalSorter({module: others - packages for module, others in graph.items()}).static_order())


@pytest.mark.parametrize(
    "code, heavy",
    [
        ("import helpers.grading, helpers.setup, helpers.homework", ("matplotlib", "anywidget")),
        ("import helpers.grading.__main__ as main; main.parser()", ("matplotlib", "anywidget", "torch")),
        ("import helpers.grading.sandbox.host", ("torch",)),
    ],
)
def test_unused_modules_are_not_loaded(code: str, heavy: tuple[str, ...]) -> None:
    code = f"{code}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

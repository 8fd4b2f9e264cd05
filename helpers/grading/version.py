"""The version of the code that determines a grade: when it changes, grades are out of date."""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager

from helpers.grading.assignment import Assignment

_ROOT = Path(__file__).resolve().parent.parent.parent
# The modules that run in the sandbox are not imported as modules of helpers.
_GRADER = ["helpers.grading.submission", "helpers.grading.judge"]
_GRADER += [f"helpers.grading.sandbox.{name}" for name in ("guest", "codec", "seccomp", "shell")]


def digest(*parts: bytes) -> str:
    """A SHA-256 digest that differs between ``(b"a", b"b")`` and ``(b"ab",)``."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@functools.cache
def grader_version(assignment: Assignment, root: Path = _ROOT) -> str:
    """A digest of the source of all modules that determine the grades of an assignment."""
    return digest(*(path.read_bytes() for _, path in sorted(grading_modules(assignment, root).items())))


def grading_modules(assignment: Assignment, root: Path = _ROOT) -> dict[str, Path]:
    """The modules of ``helpers`` that the judge and the assignment's cells import, directly or indirectly.

    Imports by a computed name are not detected.

    Args:
        root: the folder that contains ``helpers``.

    Returns:
        The file of each module by its name.
    """
    modules: dict[str, Path] = {}
    waiting = list(_GRADER)
    for cell in assignment.cells:
        waiting += _imported(_imports_of_cell(cell.source), root)
    while waiting:
        name = waiting.pop()
        path = _find(name, root)
        if name in modules or path is None:
            continue
        modules[name] = path
        waiting += _imported(_imports(path.read_text(encoding="utf-8")), root)
        waiting.append(name.rpartition(".")[0])  # importing a module imports its packages
    return modules


@functools.cache
def _imports(source: str, type_checking: bool = False) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """The import statements of a module, with or without those below ``if TYPE_CHECKING``."""
    nodes = ast.walk(ast.parse(source)) if type_checking else _without_type_checking(ast.parse(source))
    return tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


@functools.cache
def _imports_of_cell(source: str) -> tuple[ast.Import | ast.ImportFrom, ...]:
    try:
        return _imports(TransformerManager().transform_cell(source))  # cells may contain magics
    except SyntaxError:  # written answers are Markdown
        return ()


def _find(name: str, root: Path) -> Path | None:
    if name.partition(".")[0] != "helpers":
        return None
    base = root.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imported(imports: Iterable[ast.Import | ast.ImportFrom], root: Path) -> Iterator[str]:
    """The names of all modules that these statements import."""
    for node in imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif node.module:
            yield node.module
            for alias in node.names:
                yield f"{node.module}.{alias.name}"
                yield from _lazy(node.module, alias.name, root)


def _lazy(package: str, name: str, root: Path) -> Iterator[str]:
    """The modules from which a package imports a name lazily, read from its imports for type checkers."""
    path = _find(package, root)
    if path is None or path.name != "__init__.py":
        return
    for node in _imports(path.read_text(encoding="utf-8"), type_checking=True):
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
            yield node.module


def _without_type_checking(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        is_guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not is_guard:
            yield from _without_type_checking(child)

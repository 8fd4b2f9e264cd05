"""What the course adds to nbval. Load with ``-p tests.notebooks.plugin``.

nbval executes each cell again and compares its outputs with the stored ones. Four things it does not say:

- *tracebacks*: whether an error that a lesson provokes takes a few lines only;
- *mutation check*: whether the comparison would notice a wrong output;
- *control sweep*: whether a figure works at all values of its controls;
- *counts*: whether every notebook and cell was run at all.

Besides, a prelude can be run in each kernel before the first cell.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks import nbval_adapter as nbval
from tests.tools.refresh import ROOT

TRACEBACK_LINES = 10
MAX_MB = 600  # of a kernel: a small Binder holds JupyterLab beside it
_SWEEP = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.notebooks.sweep as _s; print(_s.report())"
_SWEEP_TIMEOUT_S = 120
_HAS_PRELUDE = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("course")
    group.addoption(
        "--expect-notebooks",
        type=Path,
        help="fail unless all notebooks and cells below this folder ran, but for what --ignore leaves out",
    )
    group.addoption("--kernel-prelude", default="", help="code that runs in each kernel before the first cell")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run with a nbval whose private API has moved: parts of the checks would be skipped silently."""
    if moved := nbval.problems():
        raise pytest.UsageError("; ".join(moved))


class SweepItem(pytest.Item):
    """After a notebook's last cell: every figure at its states, in the same kernel, and the memory that it took."""

    def runtest(self) -> None:
        reply = json.loads(nbval.execute(self.parent, _SWEEP, _SWEEP_TIMEOUT_S).splitlines()[-1])
        expected = sum(cell.source.count("@live(") for cell in nbval.code_cells(self.parent))
        if reply["figures"] != expected:
            raise SweepError(f"{expected} figures in the notebook, {reply['figures']} in its kernel")
        if reply["problems"]:
            raise SweepError("\n".join(reply["problems"]))
        if reply["peak_mb"] > MAX_MB:
            raise SweepError(f"its kernel took {reply['peak_mb']} MB, {MAX_MB} at most")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        return f"control sweep of {self.path.name}: {excinfo.value}"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}::control sweep"


class SweepError(AssertionError):
    """A figure that fails, says nothing, or has a control without effect; a kernel that took too much memory."""


class TracebackError(AssertionError):
    """A traceback that fills the screen."""


class MutationError(AssertionError):
    """An altered stored output passed nbval's comparison."""


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a control sweep behind the last cell of every notebook."""
    result: list[pytest.Item] = []
    for index, item in enumerate(items):
        result.append(item)
        follower = items[index + 1] if index + 1 < len(items) else None
        if nbval.is_cell(item) and (follower is None or follower.parent is not item.parent):
            result.append(SweepItem.from_parent(item.parent, name="control sweep"))
    items[:] = result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    if nbval.is_cell(item):
        run_prelude(item.parent, item.config.option.kernel_prelude)
    result = yield
    if nbval.is_cell(item):
        check_tracebacks(item)
        if nbval.is_compared(item):
            check_mutations(item)
    return result


def run_prelude(notebook: pytest.Collector, code: str) -> None:
    """Run the prelude in a notebook's kernel, once, whatever number its first cell has."""
    if code and not notebook.stash.get(_HAS_PRELUDE, False):
        nbval.execute(notebook, code)
        notebook.stash[_HAS_PRELUDE] = True


def check_tracebacks(item: Any) -> None:
    """A cell that fails on purpose must not fill the screen.

    Raises:
        TracebackError: a traceback of more than ``TRACEBACK_LINES`` lines.
    """
    for output in nbval.new_outputs(item):
        if output.output_type == "error":
            lines = "\n".join(output.traceback).count("\n") + 1
            if lines > TRACEBACK_LINES:
                raise TracebackError(f"{item.path.name}, {item.name}: a traceback of {lines} lines")


def check_mutations(item: Any) -> None:
    """Alter the stored outputs one by one; nbval's own comparison must notice each.

    Raises:
        MutationError: one of them would have passed: a sanitizer that is too greedy, or a comparison that skips.
    """
    for what, altered in mutations(nbval.stored_outputs(item)):
        if nbval.accepts(item, altered):
            raise MutationError(f"{item.path.name}, {item.name}: {what} would not be noticed")


def mutations(outputs: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Single faults: every number + 1, text + X, each output dropped; pictures and tracebacks are the lint's."""
    for index, output in enumerate(outputs):
        yield f"output {index} dropped", outputs[:index] + outputs[index + 1 :]
        for path, text in _texts(output):
            for what, changed in _faults(text):
                faulty = copy.deepcopy(outputs)
                _replace(faulty[index], path, changed)
                yield f"output {index}, {'/'.join(path)}: {what}", faulty


def _texts(output: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if output.output_type == "stream":
        yield ("text",), output.text
    elif output.output_type == "error":
        yield ("ename",), output.ename
        yield ("evalue",), output.evalue
    else:
        for kind, data in output.data.items():
            if isinstance(data, str) and not kind.startswith("image/"):
                yield ("data", kind), data


_PICTURE = re.compile(r'src="data:image/png;base64,[^"]*"')


def _faults(text: str) -> Iterator[tuple[str, str]]:
    yield "text + X", text + "X"
    hidden = [match.span() for match in _PICTURE.finditer(text)]
    for number in re.finditer(r"\d+", text):
        if not any(start <= number.start() < end for start, end in hidden):
            changed = text[: number.start()] + str(int(number.group()) + 1) + text[number.end() :]
            yield f"{number.group()} + 1 at {number.start()}", changed


def _replace(output: Any, path: tuple[str, ...], value: str) -> None:
    for key in path[:-1]:
        output = output[key]
    output[path[-1]] = value


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Assert that all notebooks and cells on disk were run: a forgotten flag is green otherwise."""
    folder = session.config.option.expect_notebooks
    if folder is None or session.config.option.collectonly:
        return
    ran: dict[Path, int] = {}
    for item in session.items:
        if nbval.is_cell(item):
            ran[item.path] = ran.get(item.path, 0) + 1
    expected = {}
    ignored = [Path(path).resolve() for path in session.config.option.ignore or []]
    for path in sorted(folder.resolve().rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts and not any(path.is_relative_to(each) for each in ignored):
            expected[path] = sum(cell.cell_type == "code" for cell in nbformat.read(path, as_version=4).cells)
    swept = sum(isinstance(item, SweepItem) for item in session.items)
    print(f"\n{len(ran)} of {len(expected)} notebooks, {sum(ran.values())} of {sum(expected.values())} code cells")
    foreign = [item for item in session.items if not nbval.is_notebook(item.parent)]
    if ran != expected or not expected or swept != len(expected) or foreign:
        print("not every notebook and cell was run")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

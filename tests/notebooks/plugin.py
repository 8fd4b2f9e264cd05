"""What the course adds to nbval: bite, sweep, counts and a kernel prelude. Load with ``-p tests.notebooks.plugin``.

nbval re-executes each cell and compares its outputs. That alone cannot say whether the comparison would notice a
wrong output (**bite**), whether a slider works at another value (**sweep**), or whether anything ran at all
(**counts**).
"""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.notebooks import sweep

_SWEEP = (
    inspect.getsource(sweep)
    + """
import sys as _sys
_live = _sys.modules.get("helpers.figures.live")
_figures = _live.LiveFigure.instances if _live else []
import resource as _resource
_problems = sweep(_figures)
_peak = _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss // (1_000_000 if _sys.platform == "darwin" else 1_000)
print(json.dumps({"figures": len(_figures), "problems": _problems, "peak_mb": _peak}))
"""
)
MOST_MB = 600  # of a kernel: a small Binder holds JupyterLab beside it


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("course")
    group.addoption(
        "--expect-notebooks",
        type=Path,
        help="fail unless all notebooks and cells below this folder ran, but for what --ignore leaves out",
    )
    group.addoption("--kernel-prelude", default="", help="code that runs in each kernel before the first cell")


class SweepItem(pytest.Item):
    """After a notebook's last cell: every control of its figures, in the same kernel, and what memory that took."""

    def runtest(self) -> None:
        reply = json.loads(execute(self.parent.kernel, _SWEEP).splitlines()[-1])
        wanted = sum(cell.source.count("@live(") for cell in self.parent.nb.cells if cell.cell_type == "code")
        if reply["figures"] != wanted:
            raise SweepError(f"{wanted} figures in the notebook, {reply['figures']} in its kernel")
        if reply["problems"]:
            raise SweepError("\n".join(reply["problems"]))
        if reply["peak_mb"] > MOST_MB:
            raise SweepError(f"its kernel took {reply['peak_mb']} MB, {MOST_MB} at most")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        return f"sweep of {self.path.name}: {excinfo.value}"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}::sweep"


class SweepError(AssertionError):
    """A figure that fails, says nothing, or has a dead control; a kernel that took too much memory."""


class BiteError(AssertionError):
    """An altered stored output passed nbval's comparison."""


def execute(kernel: Any, code: str, timeout: float = 120) -> str:
    """Run code in a notebook's kernel beside its cells; return what it prints, raise what it raises."""
    message_id = kernel.kc.execute(code, store_history=False, allow_stdin=False)
    printed = []
    while True:
        message = kernel.get_message("iopub", timeout=timeout)
        if message["parent_header"].get("msg_id") != message_id:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            printed.append(content["text"])
        elif message["msg_type"] == "error":
            raise RuntimeError(f"{content['ename']}: {content['evalue']}")
        elif message["msg_type"] == "status" and content["execution_state"] == "idle":
            kernel.await_reply(message_id, timeout=timeout)
            return "".join(printed)


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a sweep behind the last cell of every notebook."""
    result: list[pytest.Item] = []
    for place, item in enumerate(items):
        result.append(item)
        follower = items[place + 1] if place + 1 < len(items) else None
        if isinstance(item, IPyNbCell) and (follower is None or follower.parent is not item.parent):
            result.append(SweepItem.from_parent(item.parent, name="sweep"))
    items[:] = result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    prelude = item.config.option.kernel_prelude
    if isinstance(item, IPyNbCell) and item.cell_num == 0 and prelude:
        execute(item.parent.kernel, prelude)
    result = yield
    if isinstance(item, IPyNbCell) and item.options["check"]:
        bite(item)
    return result


def bite(item: IPyNbCell) -> None:
    """Alter the stored outputs one by one; nbval's own comparator must notice each.

    Raises:
        BiteError: one of them would have passed: a sanitizer that is too greedy, or a comparison that skips.
    """
    for what, altered in alterations(item.cell.outputs):
        if item.compare_outputs(item.test_outputs, altered):
            raise BiteError(f"{item.path.name}, cell {item.cell_num}: {what} would not be noticed")


def alterations(outputs: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Single faults: every number + 1, text + X, each output dropped; pictures and tracebacks are the lint's."""
    for place, output in enumerate(outputs):
        yield f"output {place} dropped", outputs[:place] + outputs[place + 1 :]
        for path, text in _texts(output):
            for what, changed in _faults(text):
                faulty = copy.deepcopy(outputs)
                _replace(faulty[place], path, changed)
                yield f"output {place}, {'/'.join(path)}: {what}", faulty


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
        if isinstance(item, IPyNbCell):
            ran[item.path] = ran.get(item.path, 0) + 1
    wanted = {}
    ignored = [Path(path).resolve() for path in session.config.option.ignore or []]
    for path in sorted(folder.resolve().rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts and not any(path.is_relative_to(each) for each in ignored):
            wanted[path] = sum(cell.cell_type == "code" for cell in nbformat.read(path, as_version=4).cells)
    swept = sum(isinstance(item, SweepItem) for item in session.items)
    print(f"\n{len(ran)} of {len(wanted)} notebooks, {sum(ran.values())} of {sum(wanted.values())} code cells")
    if (
        ran != wanted
        or not wanted
        or swept != len(wanted)
        or not all(isinstance(i.parent, IPyNbFile) for i in session.items)
    ):
        print("not every notebook and cell was run")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

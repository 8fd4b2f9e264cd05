"""All that the course uses of nbval beyond its command line. nbval documents none of it, so it stands in one place.

:func:`problems` says what has moved; the plugin asks it before every run.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any, TypeGuard

import nbval.kernel
import nbval.plugin
import pytest
from packaging.specifiers import SpecifierSet

CHECKED = SpecifierSet(">=0.11,<0.12")  # the versions that this module was read against
USED = {  # class → the methods used of it, with the parameters that are passed
    "nbval.plugin.IPyNbFile": {},
    "nbval.plugin.IPyNbCell": {"compare_outputs": ["test", "ref"]},
    "nbval.kernel.RunningKernel": {"get_message": ["stream", "timeout"], "await_reply": ["msg_id", "timeout"]},
}


def problems() -> list[str]:
    """A sentence for each part of nbval's private API that is no longer as this module expects it."""
    found = []
    for name, methods in USED.items():
        module, _, attribute = name.rpartition(".")
        owner = getattr(nbval.kernel if module.endswith("kernel") else nbval.plugin, attribute, None)
        if owner is None:
            found.append(f"nbval {version('nbval')} has no {name}")
            continue
        for method, parameters in methods.items():
            function = getattr(owner, method, None)
            accepted = list(inspect.signature(function).parameters) if function else []
            if not set(parameters) <= set(accepted):
                found.append(f"{name}.{method} takes {accepted} in nbval {version('nbval')}, not {parameters}")
    return found


def unchecked_version() -> str:
    """A sentence when the installed nbval is none that this module was read against, else an empty string."""
    if version("nbval") in CHECKED:
        return ""
    return (
        f"nbval {version('nbval')} is installed, tests/notebooks/nbval_adapter.py was read against {CHECKED}: "
        "read nbval's changes, run the tests of the notebooks, then widen CHECKED"
    )


def is_cell(item: pytest.Item) -> TypeGuard[Any]:
    """Whether a collected item is a code cell."""
    return isinstance(item, nbval.plugin.IPyNbCell)


def is_notebook(node: Any) -> bool:
    """Whether a collector is a notebook."""
    return isinstance(node, nbval.plugin.IPyNbFile)


def code_cells(notebook: Any) -> list[Any]:
    """The code cells of a collected notebook as they are stored."""
    return [cell for cell in notebook.nb.cells if cell.cell_type == "code"]


def is_compared(item: Any) -> bool:
    """Whether nbval compares the outputs of this cell with the stored ones."""
    return bool(item.options["check"])


def stored_outputs(item: Any) -> list[Any]:
    """The outputs of a cell in the notebook's file."""
    return item.cell.outputs


def new_outputs(item: Any) -> list[Any]:
    """The outputs of a cell in this run."""
    return item.test_outputs


def accepts(item: Any, stored: list[Any]) -> bool:
    """Whether nbval's comparison lets the outputs of the run pass for these stored ones."""
    return bool(item.compare_outputs(new_outputs(item), stored))


def execute(notebook: Any, code: str, timeout: float = 120) -> str:
    """Run code in a notebook's kernel beside its cells; returns what it prints.

    Raises:
        RuntimeError: the code raised.
        queue.Empty: no message for ``timeout`` seconds.
    """
    kernel = notebook.kernel
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

"""The IPython shell in which cells run in the sandbox.

Lines that start programs, open windows or configure a front end do nothing here except print a note: the rest of their
cell runs as in the learner's notebook.
"""

from __future__ import annotations

import os
import sys
import types
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.text import LSString, SList
from traitlets import Type
from traitlets.config import Config

_SKIPPED = {"conda", "mamba", "micromamba", "uv", "edit", "notebook"}
_RUN_CODE = {"time", "timeit", "prun", "run"}  # their errors are those of the learner's code
_PROGRAMS = {"bash", "sh", "script", "perl", "ruby", "python", "python2", "python3", "pypy", "cmd"}


class _Display(DisplayHook):
    def write_output_prompt(self) -> None:
        """Omit ``Out[1]:``."""

    def quiet(self) -> bool:
        return bool(self.shell and self.shell.source.rstrip().endswith(";"))


class Shell(InteractiveShell):
    """A shell without programs and windows.

    Attributes:
        source: of the cell that runs.
        failure: type, message and traceback of the error in which it ended.
    """

    displayhook_class = Type(_Display)
    source = ""
    failure: tuple[type, str, list[str]] | None = None

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.failure = etype, text_of(evalue), [str(line) for line in stb]

    def system(self, cmd: str) -> None:
        _note(f"!{cmd}")

    system_piped = system_raw = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        _note(f"!{cmd}")
        return SList() if split else LSString("")

    def enable_gui(self, gui: str | None = None) -> None:
        """Figures are not shown, so no event loop is needed."""

    def enable_matplotlib(self, gui: str | None = None) -> tuple[str | None, str]:
        return gui, "agg"

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        missing = magic_name == "run" and line.split() and not os.path.exists(os.path.expanduser(line.split()[-1]))
        if magic_name not in _SKIPPED and not missing and self.find_line_magic(magic_name) is not None:
            try:
                return super().run_line_magic(magic_name, line, _stack_depth + 1)
            except Exception:
                if magic_name in _RUN_CODE:
                    raise
        _note(f"%{magic_name} {line}")
        return None

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        if magic_name in _PROGRAMS or self.find_cell_magic(magic_name) is None:
            return _note(f"%%{magic_name} {line}")
        return super().run_cell_magic(magic_name, line, cell)


def make_shell() -> Shell:
    """The shell of this process, a singleton."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Context"
    return Shell.instance(config=config, user_module=types.ModuleType("__main__"))


def text_of(value: Any) -> str:
    """``str(value)``, or a placeholder if that raises an exception."""
    try:
        return str(value)
    except Exception:
        return "(no message)"


def _note(line: str) -> None:
    print(f"skipped while grading: {line.strip()}", file=sys.stderr)

"""Short tracebacks in the kernels of notebooks."""

from __future__ import annotations

import sys
import types
from typing import Any

CONTEXT_LINES = 3  # of a cell around the line that failed


def fold_tracebacks(shell: Any) -> None:
    """Show only the frames of the notebook's own cells in tracebacks; ``%tb`` shows all frames.

    The traceback of an error without a frame in a cell, such as a ``SyntaxError``, is not changed.

    Args:
        shell: IPython's ``InteractiveShell``.
    """
    shell.set_custom_exc((Exception,), _show_folded)


def _show_folded(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: types.TracebackType | None,
    tb_offset: int | None = None,
) -> list[str]:
    """IPython's handler of an error (``set_custom_exc``): shows the traceback and returns its parts."""
    frames: list[types.TracebackType] = []
    packages: list[str] = []
    while trace is not None:
        if trace.tb_frame.f_globals is shell.user_global_ns:
            if not frames or _line(trace) != _line(frames[-1]):  # a comprehension has a frame for the same line
                frames.append(trace)
            packages.clear()
        elif frames:
            packages.append(str(trace.tb_frame.f_globals.get("__name__", "?")).partition(".")[0])
        trace = trace.tb_next
    if not frames or issubclass(kind, SyntaxError):
        shell.showtraceback((kind, error, error.__traceback__), tb_offset=tb_offset)
        return []
    folded = None
    for frame in reversed(frames):
        folded = types.TracebackType(folded, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    parts = shell.InteractiveTB.structured_traceback(kind, error, folded, tb_offset=0, context=CONTEXT_LINES)
    parts = [part.rstrip("\n") for part in parts]
    if packages:
        calls = "1 call" if len(packages) == 1 else f"{len(packages)} calls"
        parts.insert(-1, f"[... {calls} in {', '.join(dict.fromkeys(packages))}: %tb shows more]")
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, error.__traceback__  # used by %tb and %debug
    shell._showtraceback(kind, error, parts)
    return parts


def _line(trace: types.TracebackType) -> tuple[str, int]:
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno

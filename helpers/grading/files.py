"""Files of a course folder: the lock for writing, atomic writes, and text that is safe to print."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the exclusive lock of a course folder. The kernel releases it when the process ends.

    Raises:
        ValueError: another process, or another caller in this one, holds it.
    """
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another command is writing to {folder}; wait until it ends") from None
        yield


def write_atomic(path: Path, content: str | bytes, mode: int = 0o777) -> None:
    """Write a file atomically: it has its old or its new content, even if the process is killed. Text is UTF-8.

    Args:
        path: the file.
        content: its new content.
        mode: permissions of the parent folder if it has to be created.
    """
    path.parent.mkdir(mode=mode, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with open(draft, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def printable(text: str) -> str:
    """Text with characters that are not printable, such as terminal escapes, replaced by ``?``."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

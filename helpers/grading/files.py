"""Two small things that graders must do the same way everywhere: write a file, and print what a learner wrote."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomic(path: Path, content: str | bytes, mode: int = 0o777) -> None:
    """Write a file (text in UTF-8) as a whole or not at all, whenever the process ends.

    Args:
        mode: of the folder, if it has to be made.
    """
    path.parent.mkdir(mode=mode, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with open(draft, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def printable(text: str) -> str:
    """Text without what a learner could send to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

"""The launch links of the README and the lessons, written from one place: ``make badges REPO=owner/name``."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent.parent
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
START, END = "<!-- badges -->", "<!-- /badges -->"
FIRST = "00_start_here.ipynb"


def launch_link(repository: str, lesson: str) -> str:
    """Where Binder opens a lesson of a repository ``owner/name``."""
    return f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath=lab/tree/notebooks/{lesson}"


def readme_badges(repository: str) -> str:
    """The README's badges, in Markdown."""
    badge = "[![Launch on Binder](https://mybinder.org/badge_logo.svg)]"
    return f"{START}\n{badge}({launch_link(repository, FIRST)})\n{END}"


def lesson_link(repository: str, lesson: str) -> str:
    """The line below a lesson's objectives, in Markdown."""
    return f"**Run it without installing:** [open on Binder]({launch_link(repository, lesson)})"


def stored() -> str:
    """The repository that ``pyproject.toml`` names."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]["repository"]


def write(repository: str, root: Path = ROOT) -> list[str]:
    """Write all links; returns the names of the files that changed.

    Raises:
        ValueError: ``repository`` is not ``owner/name``; nothing has been written.
    """
    if not NAME.fullmatch(repository):
        raise ValueError(f"{repository!r} is no repository; say it as owner/name: make badges REPO=owner/name")
    texts = {root / "pyproject.toml": r'(?m)^repository = ".*"$', root / "README.md": f"(?s){START}.*?{END}"}
    new = {root / "pyproject.toml": f'repository = "{repository}"', root / "README.md": readme_badges(repository)}
    changed = []
    for path, pattern in texts.items():
        before = path.read_text(encoding="utf-8")
        after, count = re.subn(pattern, new[path].replace("\\", r"\\"), before)
        if count != 1:
            raise ValueError(f"{path.name} has {count} places for the repository, not one")
        changed += _store(path, before, after)
    for path in sorted((root / "notebooks").rglob("[0-9]*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            before = path.read_text(encoding="utf-8")
            notebook = nbformat.reads(before, as_version=4)
            first = notebook.cells[0]
            body = re.sub(r"\n*\*\*Run it without installing:\*\*[^\n]*", "", first.source)
            first.source = f"{body.rstrip()}\n\n{lesson_link(repository, path.name)}"
            changed += _store(path, before, nbformat.writes(notebook) + "\n")
    return changed


def _store(path: Path, before: str, after: str) -> list[str]:
    if after == before:
        return []
    path.write_text(after, encoding="utf-8")
    return [path.name]


if __name__ == "__main__":
    try:
        names = write(sys.argv[1] if sys.argv[1:] else "")
    except ValueError as reason:
        sys.exit(str(reason))
    print(f"changed: {', '.join(names) or 'nothing'}")

"""Write the launch links of the README, the lessons and the guide for instructors: ``make badges REPO=owner/name``.

Without an argument the repository is that of the git remote ``origin``. Without a repository no links are written.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import nbformat

ROOT = Path(__file__).parent.parent.parent
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
ADDRESS = re.compile(r"https?://[\w.-]+(?::\d+)?(?:/[\w./~-]*)?")
REMOTE = re.compile(r"(?:https://|ssh://git@|git@)github\.com[:/](.+?/.+?)(?:\.git)?/?")
FIRST = "00_start_here.ipynb"
INSTRUCTORS = "notebooks/homework/README.md"
LINE = re.compile(r"\n*\*\*Run it without installing:\*\*[^\n]*")


@dataclass(frozen=True)
class Links:
    """Addresses at which the lessons of a repository are opened.

    Args:
        repository: ``owner/name`` on GitHub; empty if there is none.
        binder: addresses of services that run BinderHub; the lessons link to the first one.
        hub: the address of a JupyterHub with nbgitpuller; empty if there is none.

    Raises:
        ValueError: the repository is not ``owner/name``, or an address is invalid.
    """

    repository: str = ""
    binder: tuple[str, ...] = ("https://mybinder.org",)
    hub: str = ""

    def __post_init__(self) -> None:
        if self.repository and not NAME.fullmatch(self.repository):
            raise ValueError(f"{self.repository!r} is not owner/name; for example: make badges REPO=owner/name")
        for address in (*self.binder, *([self.hub] if self.hub else [])):
            if not ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is not an address such as https://mybinder.org")

    @property
    def site(self) -> str:
        """The address at which GitHub Pages publishes the site."""
        owner, _, name = self.repository.partition("/")
        return f"https://{owner.lower()}.github.io/{name}/"

    def launch(self, service: str, path: str) -> str:
        """The address at which a BinderHub opens a notebook of the repository in JupyterLab."""
        return f"{service.rstrip('/')}/v2/gh/{self.repository}/HEAD?urlpath=lab/tree/{path}"

    def pull(self, path: str) -> str:
        """The address at which the hub copies the repository for a user and opens a notebook (nbgitpuller)."""
        name = self.repository.partition("/")[2]
        query = {
            "repo": f"https://github.com/{self.repository}",
            "branch": "main",
            "urlpath": f"lab/tree/{name}/{path}",
        }
        return f"{self.hub.rstrip('/')}/hub/user-redirect/git-pull?{urlencode(query)}"

    def readme(self) -> str:
        """The badges of the README, in Markdown."""
        if not self.repository:
            return ""
        badges = [f"**[Read the course as a site with interactive figures]({self.site})**"]
        for service in self.binder:
            host = service.partition("//")[2].partition("/")[0]
            badge = f"[![Launch on {host}](https://mybinder.org/badge_logo.svg)]"
            badges.append(f"{badge}({self.launch(service, f'notebooks/{FIRST}')})")
        return " ".join(badges)

    def lesson(self, name: str) -> str:
        """The line below a lesson's objectives, in Markdown."""
        if not self.repository:
            return ""
        page = f"{self.site}{Path(name).stem}.html"
        launch = self.launch(self.binder[0], f"notebooks/{name}")
        return f"**Run it without installing:** [open on Binder]({launch}) · [read it as a page]({page})"

    def instructors(self, names: list[str]) -> str:
        """The links for a hub's learners, in Markdown; ``names`` are paths of notebooks below the repository."""
        if not (self.repository and self.hub):
            return ""
        return "\n".join(f"- [{Path(name).stem}]({self.pull(name)})" for name in names)


def stored(root: Path = ROOT) -> Links:
    """The settings in ``pyproject.toml``."""
    course = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]
    return Links(course["repository"], tuple(course["binder"]), course["hub"])


def remote(root: Path = ROOT) -> str:
    """The repository of the git remote ``origin``, as ``owner/name``.

    Raises:
        ValueError: there is no such remote, or it is not on GitHub.
    """
    command = ["git", "-C", str(root), "remote", "get-url", "origin"]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise ValueError("there is no git remote called origin; name the repository: make badges REPO=owner/name")
    if not (match := REMOTE.fullmatch(process.stdout.strip())):
        raise ValueError(f"the remote {process.stdout.strip()} is not on GitHub; links are made for GitHub only")
    return match[1]


def write(links: Links, root: Path = ROOT) -> list[str]:
    """Write all links; returns the names of the files that changed.

    Raises:
        ValueError: a file does not contain exactly one marker for its links; nothing is written.
    """
    lessons = [path.relative_to(root).as_posix() for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))]
    released = sorted((root / "notebooks/homework/release").glob("*/*.ipynb"))
    names = lessons + [path.relative_to(root).as_posix() for path in released]
    settings = {"repository": f'"{links.repository}"', "binder": _array(links.binder), "hub": f'"{links.hub}"'}
    after = {root / "pyproject.toml": (root / "pyproject.toml").read_text(encoding="utf-8")}
    for key, value in settings.items():
        after[root / "pyproject.toml"] = _replace(
            after[root / "pyproject.toml"], rf"(?m)^{key} = .*$", f"{key} = {value}", "pyproject.toml"
        )
    for name, marker, text in (
        ("README.md", "badges", links.readme()),
        (INSTRUCTORS, "hub", links.instructors(names)),
    ):
        block = f"<!-- {marker} -->\n{text}\n<!-- /{marker} -->"
        before = (root / name).read_text(encoding="utf-8")
        after[root / name] = _replace(before, f"(?s)<!-- {marker} -->.*?<!-- /{marker} -->", block, name)
    for name in lessons:
        notebook = nbformat.reads((root / name).read_text(encoding="utf-8"), as_version=4)
        first = notebook.cells[0]
        body = LINE.sub("", first.source).rstrip()
        first.source = "\n\n".join(filter(None, [body, links.lesson(Path(name).name)]))
        after[root / name] = nbformat.writes(notebook) + "\n"
    changed = [path for path, text in after.items() if path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.write_text(after[path], encoding="utf-8")
    return [path.name for path in changed]


def _array(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def _replace(text: str, pattern: str, new: str, name: str) -> str:
    replaced, count = re.subn(pattern, new.replace("\\", r"\\"), text)
    if count != 1:
        raise ValueError(f"{name} has {count} places for {new.splitlines()[0]}, not one")
    return replaced


def main(arguments: list[str]) -> None:
    """Write the links, and print which files changed."""
    parser = argparse.ArgumentParser(prog="python -m helpers.setup.badges", description=__doc__)
    parser.add_argument("repository", nargs="?", default="", help="owner/name (default: the git remote origin)")
    parser.add_argument("--binder", nargs="+", metavar="ADDRESS", help="services that run BinderHub")
    parser.add_argument("--hub", metavar="ADDRESS", help="a JupyterHub with nbgitpuller")
    args = parser.parse_args(arguments)
    try:
        before = stored()
        binder = tuple(args.binder) if args.binder else before.binder
        hub = before.hub if args.hub is None else args.hub
        names = write(Links(args.repository or remote(), binder, hub))
    except ValueError as reason:
        sys.exit(str(reason))
    print(f"changed: {', '.join(names) or 'nothing'}")


if __name__ == "__main__":
    main(sys.argv[1:])

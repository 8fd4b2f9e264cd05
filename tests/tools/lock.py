"""Pin everything anew: ``make lock`` writes the three requirements files from the names in ``pyproject.toml``.

Resolved for every platform at once by ``uv``; what only a graphics card needs is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib

from tests.tools.refresh import ROOT

CARD = re.compile(r"(?:nvidia|cuda|triton)[-\w]*==")
TORCH = re.compile(r"torch==([\d.]+)")
HEAD = "# Written by `make lock` from pyproject.toml; not by hand.\n"
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu\n"


def resolve(*options: str) -> list[str]:
    """Every package with its version and markers, one a line: one version each, whatever the platform and Python."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--universal",
        "--python-version",
        "3.11",
        "pyproject.toml",
    ]
    command += ["--no-annotate", "--no-header", "--quiet", "--fork-strategy", "fewest", *options]
    environment = os.environ.copy()
    if "PIP_FIND_LINKS" in environment:
        environment["UV_FIND_LINKS"] = environment["PIP_FIND_LINKS"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    kept = [
        line for line in done.stdout.splitlines() if "==" in line and not CARD.match(line) and not TORCH.match(line)
    ]
    torch = TORCH.search(done.stdout)
    assert torch, "uv has resolved no torch"
    return sorted([*kept, f"torch=={torch[1]}"], key=str.lower)


def for_binder(lines: list[str]) -> str:
    """The same pins for Binder's Linux: torch without a graphics card from PyTorch's own index."""
    return HEAD + CPU_INDEX + "".join(f"{line}+cpu\n" if TORCH.match(line) else f"{line}\n" for line in lines)


def main() -> None:
    learners = resolve()
    (ROOT / "requirements.txt").write_text(HEAD + "".join(f"{line}\n" for line in learners))
    (ROOT / "binder" / "requirements.txt").write_text(for_binder(learners))
    testing = resolve("--extra", "test", "--extra", "grading", "--extra", "site", "--constraint", "requirements.txt")
    (ROOT / "tests" / "requirements.txt").write_text(HEAD + "".join(f"{line}\n" for line in testing))
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    print(f"{len(names)} names, {len(learners)} packages for learners, {len(testing)} with the tests")


if __name__ == "__main__":
    main()

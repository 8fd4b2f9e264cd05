"""All tests behind one command: ``python -m tests`` (``make test``), ``… tests quick``, ``… tests PART …``.

Each part is a process of its own, so that a crash of one cannot hide another. One more than there are cores run at
once, because most of them wait for a browser or a sandbox half of their time (``-j 1``: one after the other). The
output of a part is printed as a whole when the part ends; it is kept in ``.artefacts/reports`` beside pytest's report.
The table at the end gives the time and the counts of each part. In CI (``CI=true``) nothing may be skipped.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from tests.tools.refresh import ENVIRONMENT, ROOT, homeworks, lessons

REPORTS = ROOT / ".artefacts" / "reports"
SKIPPED = 77  # the exit code of a command that could not run here, as in Automake's test protocol
PYTEST = [sys.executable, "-m", "pytest"]
NBVAL = [*PYTEST, "-p", "tests.notebooks.plugin", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120"]
NBVAL += ["--nbval-sanitize-with=tests/notebooks/sanitize.cfg"]
RELEASE = "notebooks/homework/release"
ALL_NOTEBOOKS = ["--expect-notebooks=notebooks", f"--ignore={RELEASE}", "notebooks"]
# What learners get has no stored outputs to compare with: it must run to its end.
RELEASED = ["--nbval-lax" if part == "--nbval" else part for part in NBVAL]
RELEASED += [f"--expect-notebooks={RELEASE}", RELEASE]

# The drift run is another machine: other CPU instructions, another number of threads (lessons ask for one, it gives
# them two whatever they ask for), another hash seed, and no network.
TWO_THREADS = "import torch; torch.set_num_threads(2); torch.set_num_threads = lambda number: None"
OTHER_CPU = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",  # else threads that wait for each other take the cores from other parts
}
OTHER_MACHINE = OTHER_CPU | {"PYTHONHASHSEED": "4242"}
DRIFT = [sys.executable, "-m", "tests.tools.offline", *NBVAL, f"--kernel-prelude={TWO_THREADS}"]

SETUP = ["tests/unit/test_setup.py", "tests/unit/test_binder.py"]
LESSONS = ["tests/browser/test_lessons.py", "tests/browser/test_phone.py"]
# Started first, so that the last part to end is a short one.
LONGEST_FIRST = (
    "homework",
    "lessons",
    "browser",
    "site",
    "unit",
    "drift",
    "notebooks",
    "solved",
    "faults",
    "hub",
    "setup",
)


@dataclass(frozen=True)
class Part:
    """A command, and what its environment has beyond that of all parts."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How long a part took, and its counts."""

    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Result) -> Result:
        return Result(
            self.seconds + other.seconds,
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def row(self, name: str) -> str:
        return f"{name:<12}{self.seconds:>9.1f}{self.passed:>9}{self.failed:>9}{self.skipped:>9}"


def _tool(name: str) -> Part:
    return Part([sys.executable, "-m", f"tests.tools.{name}"])


def _without(paths: list[str]) -> list[str]:
    return [f"--ignore={path}" for path in paths]


def parts() -> dict[str, Part]:
    """Every part by its name, in the order in which they are most useful when they fail."""
    units = ["tests/unit", *_without(SETUP)]
    return {
        "format": Part([sys.executable, "-m", "ruff", "format", "--check", "."]),
        "ruff": Part([sys.executable, "-m", "ruff", "check", "."]),
        "types": Part([sys.executable, "-m", "mypy"]),
        "javascript": _tool("javascript"),
        "workflows": _tool("workflows"),
        "lint": _tool("lint"),
        "unit": Part([*PYTEST, *units]),
        "notebooks": Part([*NBVAL, *ALL_NOTEBOOKS]),
        "drift": Part([*DRIFT, *ALL_NOTEBOOKS], OTHER_MACHINE),
        "release": Part(RELEASED),
        "solved": Part([*PYTEST, "tests/notebooks/test_solved.py"]),
        "faults": Part([*PYTEST, "tests/notebooks", "--ignore=tests/notebooks/test_solved.py"]),
        "homework": Part([*PYTEST, "tests/grading"]),
        "setup": Part([*PYTEST, *SETUP]),
        "lessons": Part([*PYTEST, *LESSONS]),
        "browser": Part([*PYTEST, "tests/browser", *_without(LESSONS)]),
        "hub": Part([*PYTEST, "tests/hub"]),
        "site": Part([*PYTEST, "tests/site"]),
    }


def quick() -> dict[str, Part]:
    """The inner loop: what reads and does not run, the fast unit tests, and the notebooks that differ from the last
    commit."""
    every = parts()
    chosen = {name: every[name] for name in ("format", "ruff", "lint")}
    # Split over the cores by file, because files share what is slow to make.
    chosen["unit"] = Part([*every["unit"].command, "-m", "not slow", f"-n{cores()}", "--dist=loadfile"])
    status = subprocess.run(
        ["git", "status", "--porcelain", "notebooks"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    changed = [str(path.relative_to(ROOT)) for path in lessons() + homeworks() if path.name in status]
    if changed:
        chosen["notebooks"] = Part([*NBVAL, *changed])
    return chosen


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(name: str, part: Part, log: Path | None = None) -> Result:
    """Run one part, its output into ``log`` if given.

    Counts come from pytest's own report; a command without one counts as a single test.
    """
    start = time.monotonic()
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    has_report = "pytest" in part.command
    command = [*part.command, f"--junitxml={report}"] if has_report else part.command
    environment = os.environ | ENVIRONMENT | part.environment
    if log is None:
        code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    else:
        with log.open("w") as output:
            code = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=output).returncode
    return _counts(report, has_report, code, time.monotonic() - start)


def _counts(report: Path, has_report: bool, code: int, seconds: float) -> Result:
    passed = failed = skipped = 0
    if has_report and report.exists():
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
        total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        passed = total - failed - skipped
    elif not has_report:
        passed, failed, skipped = int(code == 0), int(code not in (0, SKIPPED)), int(code == SKIPPED)
    if code not in (0, SKIPPED) and not failed:  # a crash, no test found, or not every notebook run
        failed = 1
    return Result(seconds, passed, failed, skipped)


def run_all(chosen: dict[str, Part], jobs: int) -> dict[str, Result]:
    """Run the parts, ``jobs`` at a time; print the output of each as a whole when it ends."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    if len(chosen) == 1:  # its output can come as it is written
        return {name: run(name, part) for name, part in chosen.items()}
    logs = {name: REPORTS / f"{name}.txt" for name in chosen}
    order = [name for name in LONGEST_FIRST if name in chosen]
    order += [name for name in chosen if name not in order]
    results: dict[str, Result] = {}
    print(f"{len(chosen)} parts, {jobs} at a time", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        pending = {pool.submit(run, name, chosen[name], logs[name]): name for name in order}
        try:
            for done in as_completed(pending):
                name = pending[done]
                results[name] = done.result()
                print(f"\n── {name} " + "─" * (70 - len(name)))
                print(logs[name].read_text(encoding="utf-8", errors="replace").rstrip("\n"), flush=True)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {name: results[name] for name in chosen}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description="Run the tests of the course.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"quick, or any of {', '.join(parts())}; all if none")
    parser.add_argument(
        "-j", "--jobs", type=int, default=cores() + 1, help="parts at a time (default: the cores and one more)"
    )
    parser.add_argument("--lessons", nargs="+", metavar="NN", help="of notebooks and drift, only these lessons")
    asked = parser.parse_args(arguments)
    chosen = quick() if asked.parts == ["quick"] else parts()
    if asked.parts and asked.parts != ["quick"]:
        if unknown := [name for name in asked.parts if name not in chosen]:
            print(f"no part is called {', '.join(unknown)}; there are: quick, {', '.join(chosen)}")
            return 2
        chosen = {name: chosen[name] for name in asked.parts}
    if asked.lessons:
        only = [str(path.relative_to(ROOT)) for path in lessons() if path.name[:2] in asked.lessons]
        if len(only) < len(set(asked.lessons)):
            print(f"not every one of {', '.join(asked.lessons)} is a lesson; give the two digits of its name")
            return 2
        for name in {"notebooks", "drift"} & chosen.keys():
            part = chosen[name]
            chosen[name] = Part([*part.command[: -len(ALL_NOTEBOOKS)], *only], part.environment)
    start = time.monotonic()
    results = run_all(chosen, max(1, asked.jobs))
    total = sum(results.values(), Result())
    print(f"\n{'part':<12}{'seconds':>9}{'passed':>9}{'failed':>9}{'skipped':>9}")
    for name, result in results.items():
        print(result.row(name))
    print(Result(time.monotonic() - start, total.passed, total.failed, total.skipped).row("all"))
    failed, skipped = total.failed, total.skipped
    if os.environ.get("CI") and skipped:
        print(f"\n{skipped} skipped: in CI nothing is skipped, so they count as failed")
        failed, skipped = failed + skipped, 0
    print(f"\n{total.passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""All tests behind one command: ``python -m tests`` (``make test``), ``… tests quick``, ``… tests PART …``.

Each part is a process of its own, so that a crash of one cannot hide another. The table at the end gives the time and
the counts of each; in CI (``CI=true``) nothing may be skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tests.tools.refresh import ENVIRONMENT, ROOT, homeworks, lessons

PYTEST = [sys.executable, "-m", "pytest"]
NBVAL = [*PYTEST, "-p", "tests.notebooks.plugin", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120"]
NBVAL += ["--nbval-sanitize-with=tests/notebooks/sanitize.cfg"]
RELEASE = "notebooks/homework/release"
ALL_NOTEBOOKS = ["--expect-notebooks=notebooks", f"--ignore={RELEASE}", "notebooks"]
# What learners get has no stored outputs to compare with: it must run to its end.
RELEASED = ["--nbval-lax" if part == "--nbval" else part for part in NBVAL]
RELEASED += [f"--expect-notebooks={RELEASE}", RELEASE]
# Lessons ask for one thread; the drift run gives them two, whatever they ask for.
TWO_THREADS = "import torch; torch.set_num_threads(2); torch.set_num_threads = lambda number: None"
OTHER_CPU = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "OMP_NUM_THREADS": "2"}
OTHER_HASHES = {"PYTHONHASHSEED": "4242"}

UNIT = sorted(path.name for path in (ROOT / "tests/unit").glob("test_*.py"))
SLOW_UNIT = {"test_setup.py", "test_binder.py"}


def _files(names: list[str]) -> list[str]:
    return [f"tests/unit/{name}" for name in names]


def parts() -> dict[str, tuple[list[str], dict[str, str]]]:
    """Name → command and environment, in the order in which they are most useful when they fail."""
    fast = [name for name in UNIT if name not in SLOW_UNIT]
    offline = [sys.executable, "-m", "tests.tools.offline"]
    return {
        "format": ([sys.executable, "-m", "ruff", "format", "--check", "."], {}),
        "ruff": ([sys.executable, "-m", "ruff", "check", "."], {}),
        "lint": ([sys.executable, "-m", "tests.tools.lint"], {}),
        "unit": ([*PYTEST, *_files(fast)], {}),
        "notebooks": ([*NBVAL, *ALL_NOTEBOOKS], {}),
        "drift": ([*NBVAL, f"--kernel-prelude={TWO_THREADS}", *ALL_NOTEBOOKS], OTHER_CPU),
        "offline": ([*offline, *NBVAL, *ALL_NOTEBOOKS], OTHER_HASHES),
        "release": (RELEASED, {}),
        "solved": ([*PYTEST, "tests/notebooks/test_solved.py"], {}),
        "faults": ([*PYTEST, "tests/notebooks/test_faults.py"], {}),
        "homework": ([*PYTEST, "tests/grading"], {}),
        "setup": ([*PYTEST, *_files(["test_setup.py", "test_binder.py"])], {}),
        "browser": ([*PYTEST, "tests/browser"], {}),
    }


def quick() -> dict[str, tuple[list[str], dict[str, str]]]:
    """The inner loop: everything static, the fast unit tests, and the notebooks that differ from the last commit."""
    every = parts()
    chosen = {name: every[name] for name in ("format", "ruff", "lint")}
    command, environment = every["unit"]
    chosen["unit"] = ([*command, "-m", "not slow"], environment)
    status = subprocess.run(
        ["git", "status", "--porcelain", "notebooks"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    changed = [str(path.relative_to(ROOT)) for path in lessons() + homeworks() if path.name in status]
    if changed:
        chosen["notebooks"] = ([*NBVAL, *changed], {})
    return chosen


def run(name: str, command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Run one part; counts come from pytest's own report, a command without one counts as a single test."""
    print(f"\n── {name} " + "─" * (70 - len(name)), flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tells = "pytest" in command
        done = subprocess.run(
            [*command, f"--junitxml={report}"] if tells else command,
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | environment,
        )
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        if tells and report.exists():
            suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
            total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            counts = {"passed": total - failed - skipped, "failed": failed, "skipped": skipped}
        elif not tells:
            counts["passed" if done.returncode == 0 else "failed"] = 1
    if done.returncode and not counts["failed"]:  # a crash, no test found, or not every notebook run
        counts["failed"] = 1
    if os.environ.get("CI") and counts["skipped"]:
        print(f"{counts['skipped']} skipped: nothing is skipped in CI")
        counts["failed"] += counts["skipped"]
        counts["skipped"] = 0
    return counts | {"seconds": time.monotonic() - start}


def main(names: list[str]) -> int:
    chosen = quick() if names == ["quick"] else parts()
    if names and names != ["quick"]:
        unknown = [name for name in names if name not in chosen]
        if unknown:
            print(f"no part is called {', '.join(unknown)}; there are: quick, {', '.join(chosen)}")
            return 2
        chosen = {name: chosen[name] for name in names}
    results = {name: run(name, *command) for name, command in chosen.items()}
    print(f"\n{'part':<12}{'seconds':>9}{'passed':>9}{'failed':>9}{'skipped':>9}")
    totals = {
        key: sum(result[key] for result in results.values()) for key in ("seconds", "passed", "failed", "skipped")
    }
    for name, result in (results | {"all": totals}).items():
        print(f"{name:<12}{result['seconds']:>9.1f}{result['passed']:>9}{result['failed']:>9}{result['skipped']:>9}")
    skipped = f", {totals['skipped']} skipped" if totals["skipped"] else ""
    print(f"\n{totals['passed']} passed, {totals['failed']} failed{skipped}")
    return 1 if totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

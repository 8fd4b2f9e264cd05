"""What a submission costs in processor seconds, from one warm process and from a cold one each.

``python -m tests.grading.cost``: warm and cold take turns in one run, so that both see the same machine. Everything is
counted: this process, bubblewrap, the warm process and its forks. A cold submission imports torch twice, once for the
answers and once for the tests; the ratio that counts is to one that would import it once.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

import psutil

from helpers.grading.judge import Sandbox, grade
from tests.grading.hostile import ASSIGNMENT, CASES, LEARNER


def seconds() -> float:
    """Processor time of this process and of all its child processes."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        total += sum(child.cpu_times()[:4])
    return total


def cost(work: Callable[[], object]) -> float:
    before = seconds()
    work()
    return seconds() - before


def measure(rounds: int = 6, warm_each: int = 5) -> dict[str, float]:
    """Median processor seconds of a submission: ``warm``, ``cold`` and ``cold, torch once``."""
    notebook = CASES[0].notebook()
    found: dict[str, list[float]] = {"warm": [], "cold": [], "cold, torch once": []}
    with Sandbox(warm=True) as warm, Sandbox(warm=False) as cold:

        def empty() -> None:
            with cold.session():
                pass

        for _ in range(rounds):
            for _ in range(warm_each):
                found["warm"].append(cost(lambda: grade(ASSIGNMENT, notebook, LEARNER, warm)))
            whole = cost(lambda: grade(ASSIGNMENT, notebook, LEARNER, cold))
            found["cold"].append(whole)
            found["cold, torch once"].append(whole - cost(empty))
    return {name: statistics.median(values) for name, values in found.items()}


if __name__ == "__main__":
    medians = measure(*map(int, sys.argv[1:]))
    for name, median in medians.items():
        print(f"{name:<17} {median:6.3f} CPU-s a submission, {1 / median:5.1f} submissions a CPU-second")
    print(f"ratio             {medians['cold, torch once'] / medians['warm']:6.1f} (at least 2 is asked for)")

"""Hostile submissions get the points of their right answers, and have no effect outside the sandbox."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import threading
from collections.abc import Iterator

import psutil
import pytest

from helpers.grading.judge import Limits, Sandbox, grade
from tests.grading import hostile
from tests.grading.hostile import ASSIGNMENT, CASES, LEARNER, Case

LIMITS = Limits(cell_seconds=3, call_seconds=2, total_seconds=120, memory=400 * 2**20, disk=20 * 2**20)
BEHIND = [case for case in CASES if case.layer == "sandbox"]
HARMLESS = [case for case in CASES if case.harmless]


@pytest.fixture(scope="module")
def outside() -> Iterator[str]:
    gc.collect()  # closes what earlier tests left open: open files are counted
    yield hostile.prepare()
    shutil.rmtree(hostile.OUTSIDE)


def processes() -> set[tuple[int, float]]:
    """Everything that this process started, by number and time."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.add((process.pid, process.create_time()))
    return found


def test_there_are_many_cases() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 40
    assert sum(case.expected is not None for case in CASES) >= 40


@pytest.mark.parametrize("case", BEHIND, ids=lambda case: case.name)
def test_hostile_submissions_get_their_points_and_have_no_effect(case: Case, sandbox: Sandbox, outside: str) -> None:
    before, threads, files = processes(), threading.active_count(), len(os.listdir("/proc/self/fd"))
    graded = grade(ASSIGNMENT, case.notebook(), LEARNER, sandbox, LIMITS)
    hostile.verify(case, graded.as_dict(), outside)
    assert processes() == before
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, files)


def test_other_submissions_are_graded_afterwards(sandbox: Sandbox, outside: str) -> None:
    """The same process can grade right answers after all hostile submissions."""
    hostile.verify(CASES[0], grade(ASSIGNMENT, CASES[0].notebook(), LEARNER, sandbox, LIMITS).as_dict(), outside)


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_without_a_sandbox_the_leak_is_reported(case: Case, unconfined: Sandbox) -> None:
    outside = hostile.prepare()
    try:
        graded = grade(ASSIGNMENT, case.notebook(), LEARNER, unconfined, Limits(cell_seconds=20))
        with pytest.raises(AssertionError, match="quoted|changed|left"):
            hostile.verify(case, graded.as_dict(), outside)
    finally:
        for number in hostile.daemons():
            os.kill(number, signal.SIGKILL)
        shutil.rmtree(hostile.OUTSIDE)
        hostile.prepare()

"""A fake grader that is controlled by the answer ``double``, to test the scheduler."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

from helpers.grading import scheduler
from helpers.grading.assignment import Assignment
from helpers.grading.sandbox.host import Limits

LIMIT = 4.0
STRICT = Limits(cell_seconds=3, call_seconds=2, total_seconds=60, memory=400 * 2**20, disk=20 * 2**20)


def work(assignment: Assignment, notebook: bytes, learner: str, version: str, seconds: float) -> dict[str, Any]:
    """As :func:`helpers.grading.scheduler.work`, without a sandbox: an answer with ``return`` is right."""
    cells = json.loads(notebook)["cells"]
    answers = {cell["metadata"].get("nbgrader", {}).get("grade_id"): cell["source"] for cell in cells}
    with scheduler._sandbox_lock, scheduler._watchdog(seconds):
        match answers["double"].split():
            case ["sleep", duration]:
                time.sleep(float(duration))
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["die", "once", path]:
                if not os.path.exists(path):
                    open(path, "w").close()
                    os.kill(os.getpid(), signal.SIGKILL)
            case ["hang"]:
                time.sleep(3600)
            case ["stop", folder]:  # the process as a whole, its watchdog included
                open(os.path.join(folder, str(os.getpid())), "w").close()
                os.kill(os.getpid(), signal.SIGSTOP)
            case ["raise"]:
                raise ZeroDivisionError("the grader has a bug")
            case ["unavailable"]:
                raise scheduler.Stopped("bubblewrap is missing")
    tests = {}
    for test in assignment.of("test"):
        passed = "return" in answers[test.id.split("_")[1]]
        tests[test.id] = {"passed": passed, "message": "✓" if passed else "not right"}
    return {"tests": tests, "outputs": {}, "attention": [], "cpu_seconds": 0.5}


def strict(assignment: Assignment, notebook: bytes, learner: str, version: str, seconds: float) -> dict[str, Any]:
    """The real grader with lower limits."""
    return scheduler.work(assignment, notebook, learner, version, seconds, limits=STRICT)

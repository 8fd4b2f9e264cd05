"""Benchmark of grading: ``python -m tests.bench.grading [SUBMISSIONS]`` prints the tables of ``RESULTS.md``.

Synthetic submissions of a real homework are graded by the real command's own code, with 1, 2 and 4 workers. Processor
time is that of this process and all its children: workers, sandboxes, submissions. The largest number of workers
grades all submissions, the others a fifth, after a few to warm up. Only ratios can be compared between machines.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.tools.refresh import ROOT

HOMEWORK = "hw1_word_embeddings"
WORKER_COUNTS = (1, 2, 4)
SUBMISSIONS, PROJECTED = 1_000, 10_000
SAMPLE_S = 2.0
SHARES = {"right": 0.7, "empty": 0.2, "wrong": 0.1}  # of the answers


def submissions(folder: Path, count: int) -> None:
    """Write submissions in which some answers are right, some empty and some wrong."""
    import nbformat

    from helpers.grading.assignment import SOURCE
    from helpers.grading.release import student_version

    author = nbformat.read(SOURCE / HOMEWORK / f"{HOMEWORK}.ipynb", as_version=4)
    empty = {cell.metadata.nbgrader.grade_id: cell.source for cell in student_version(author).cells if _is_answer(cell)}
    for number in range(count):
        choose, learner = random.Random(number), f"learner{number:05}"
        notebook = student_version(author)
        for cell, mine in zip(notebook.cells, author.cells, strict=True):
            if _is_answer(cell):
                name = cell.metadata.nbgrader.grade_id
                wrong = f"def {name}(*arguments):\n    return {number}"
                texts = {"right": mine.source, "empty": empty[name], "wrong": wrong}
                cell.source = texts[choose.choices(list(SHARES), list(SHARES.values()))[0]]
                if name == "learner_id":
                    cell.source = f"learner_id = {learner!r}"
        path = folder / learner / HOMEWORK / f"{HOMEWORK}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)


def _is_answer(cell: Any) -> bool:
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("solution"))


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Processor seconds and the largest memory of this process, its workers and their sandboxes, meanwhile."""
    import psutil

    from tests.grading.cost import seconds

    facts: dict[str, float] = {"coordinator_mb": 0, "worker_mb": 0, "sandbox_mb": 0}
    done, watching = threading.Event(), [0.0]

    def look() -> None:
        last = False
        while not last:
            last = done.wait(SAMPLE_S)
            sizes = {"worker_mb": 0.0, "sandbox_mb": 0.0}
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    kind = "worker_mb" if "spawn_main" in " ".join(child.cmdline()) else "sandbox_mb"
                    sizes[kind] += child.memory_full_info().pss / 1e6  # shared pages count once
            for kind, size in (sizes | {"coordinator_mb": psutil.Process().memory_info().rss / 1e6}).items():
                facts[kind] = max(facts[kind], size)
            watching[0] = time.thread_time()

    watcher = threading.Thread(target=look)
    start, own, clock = seconds(), time.process_time(), time.monotonic()
    watcher.start()
    try:
        yield facts
    finally:
        done.set()
        watcher.join()
        facts["cpu_s"] = seconds() - start - watching[0]
        facts["coordinator_s"] = time.process_time() - own - watching[0]
        facts["wall_s"] = time.monotonic() - clock


def measure_workers(workers: int, count: int) -> dict[str, Any]:
    """Grade ``count`` submissions with a number of workers."""
    from helpers.grading import cluster, scheduler
    from helpers.grading.assignment import SOURCE
    from helpers.grading.course import Course

    first = 2 * workers
    with tempfile.TemporaryDirectory() as folder, Course(Path(folder) / "course") as course:
        prepared = course.prepare(SOURCE / HOMEWORK / f"{HOMEWORK}.ipynb")
        submissions(course.folder / "submitted", first + count)
        with cluster.local(workers) as client:
            started = scheduler.scan(course, prepared, only=course.learners(HOMEWORK)[:first])
            scheduler.grade(course, prepared, client, started)
            with watched() as facts:
                summary = scheduler.grade(course, prepared, client, scheduler.scan(course, prepared))
        assert len(summary.graded) == count and not summary.rejected and not summary.quarantined, str(summary)
    return {"workers": workers, "submissions": count} | facts


def rows(count: int) -> dict[str, Any]:
    from tests.grading.cost import measure

    warm = measure(4, 3)
    measured = [
        measure_workers(workers, count if workers == max(WORKER_COUNTS) else max(count // 5, 2))
        for workers in WORKER_COUNTS
    ]
    return {"cores": len(os.sched_getaffinity(0)), "measured": measured, "warm": warm}


def bench(count: int = SUBMISSIONS) -> dict[str, Any]:
    """All numbers, measured in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.grading", "--rows", str(count)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def key_figure(found: dict[str, Any]) -> str:
    """One sentence for the README."""
    last = found["measured"][-1]
    return (
        f"{found['cores']} cores grade {60 * last['submissions'] / last['wall_s']:.0f} submissions a minute in their "
        f"sandboxes; {PROJECTED:,} take {PROJECTED * last['cpu_s'] / last['submissions'] / 3600:.1f} core-hours."
    )


def report(found: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    measured, warm = found["measured"], found["warm"]
    lines = [
        f"Grading synthetic submissions of {HOMEWORK} on {found['cores']} cores. Processor time is all there is:",
        "coordinator, workers, sandboxes. Memory is the most that was seen at once; shared pages count once.",
        "",
        "| workers | submissions | a CPU-second | a minute | coordinator, each | memory | a worker's | a sandbox's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in measured:
        number, workers = row["submissions"], row["workers"]
        facts = [workers, f"{number:,}", f"{number / row['cpu_s']:.2f}", f"{60 * number / row['wall_s']:.0f}"]
        facts += [f"{row['coordinator_s'] / number * 1e3:.0f} ms", f"{row['coordinator_mb']:.0f} MB"]
        facts += [f"{row['worker_mb'] / workers:.0f} MB", f"{row['sandbox_mb'] / workers:.0f} MB"]
        lines.append(f"| {' | '.join(map(str, facts))} |")
    last = measured[-1]
    per_submission, own = last["cpu_s"] / last["submissions"], last["coordinator_s"] / last["submissions"]
    hours, busy_cores = PROJECTED * per_submission / 3600, int(per_submission / own)
    cores = min(busy_cores, 32)
    lines += [
        "",
        "What a warm process that forks one confined process for each submission saves, on a homework of three small",
        "functions; cold is a sandbox of its own each, with `import torch` counted once:",
        "",
        "| | CPU-seconds a submission | times |",
        "| --- | --- | --- |",
        f"| warm | {warm['warm']:.2f} | 1 |",
        f"| cold | {warm['cold, torch once']:.2f} | {warm['cold, torch once'] / warm['warm']:.1f} |",
        "",
        f"**{PROJECTED:,} submissions** would take {hours:.1f} core-hours, {hours * 60 / cores:.0f} minutes on {cores}",
        "cores, if all answers cost what these do – each that runs into its limit of time adds up to half a minute –,",
        "and if the cores are as fast and not shared. The coordinator reads and stores all submissions by itself: with",
        f"{own * 1e3:.0f} ms for each it keeps at most {busy_cores} cores busy; a part of it is dask's fixed cost.",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    print(report(bench(int(arguments[0]) if arguments else SUBMISSIONS)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rows"]:
        print(json.dumps(rows(int(sys.argv[2]))))
    else:
        main(sys.argv[1:])

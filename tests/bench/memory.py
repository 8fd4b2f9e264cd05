"""Measure the memory of JupyterLab and one kernel together, for each lesson run from the top.

``make bench ARGS=memory`` measures it alone. The limit is what mybinder.org guarantees to a session.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.lab import EXTENSION, Lab, launch, serve
from tests.tools.refresh import NOTEBOOKS, lessons

LIMIT_MB = 450
_NBGRADER = ("assignment_list", "course_list", "formgrader", "validate_assignment")
# Server extensions that come with the tools of the tests: learners do not have them.
_NOT_FOR_LEARNERS = ("notebook", *(f"nbgrader.server_extensions.{name}" for name in _NBGRADER))
_EVERY_S = 0.25


def resident(process: psutil.Process) -> tuple[float, float]:
    """Resident memory in MB: all of it, and the anonymous part, which the system cannot drop and read again.

    Unlike PSS neither depends on what else runs on the machine. Where the system does not tell, all is anonymous.
    """
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    except OSError:
        whole = process.memory_info().rss / 1e6
        return whole, whole
    kilobytes = dict(re.findall(r"(?m)^(\w+): +(\d+) kB$", text))
    return int(kilobytes["Rss"]) * 1024 / 1e6, int(kilobytes["Anonymous"]) * 1024 / 1e6


class Watch:
    """The memory of the children of this process while it is entered.

    Attributes:
        peaks: the most, in MB, of ``server``, ``kernel``, both ``together``, and of the ``anonymous`` part of both.
    """

    def __init__(self) -> None:
        self.peaks = dict.fromkeys(("server", "kernel", "together", "anonymous"), 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            now = dict.fromkeys(self.peaks, 0.0)
            for process in psutil.Process().children(recursive=True):
                try:
                    command = " ".join(process.cmdline())
                    kind = "kernel" if "ipykernel" in command else "server" if "-m jupyterlab" in command else ""
                    if kind:
                        whole, anonymous = resident(process)
                        now[kind] += whole
                        now["together"] += whole
                        now["anonymous"] += anonymous
                except (psutil.Error, KeyError):  # it has ended
                    continue
            self.peaks = {name: max(peak, now[name]) for name, peak in self.peaks.items()}


def bench() -> list[dict[str, Any]]:
    """One row a lesson, each with a JupyterLab of its own."""
    rows = []
    options = (*EXTENSION, *(f"--ServerApp.jpserver_extensions={name}=False" for name in _NOT_FOR_LEARNERS))
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for path in lessons():
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(NOTEBOOKS, Path(folder) / "notebooks")
                with Watch() as watch, serve(Path(folder), options=options) as address:
                    lab = Lab(browser, address)
                    lab.open(f"notebooks/{path.name}")
                    lab.run_all(600)
                    lab.close()
            rows.append({"lesson": path.name[:2]} | {name: round(peak) for name, peak in watch.peaks.items()})
            print(rows[-1], flush=True)
        browser.close()
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    lines = [
        "Peak resident memory in MB while a lesson runs from the top in JupyterLab. What is not anonymous are pages of",
        f"files, mostly of torch, which the system can drop. mybinder.org guarantees {LIMIT_MB} MB to a session.",
        "",
        "| lesson | JupyterLab | kernel | together | of it anonymous | within the guarantee |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = [str(row[name]) for name in ("lesson", "server", "kernel", "together", "anonymous")]
        lines.append(f"| {' | '.join(cells)} | {_fits(row)} |")
    return "\n".join(lines)


def _fits(row: dict[str, Any]) -> str:
    if row["together"] <= LIMIT_MB:
        return "yes"
    return "its anonymous part" if row["anonymous"] <= LIMIT_MB else "no"


def key_figure(rows: list[dict[str, Any]]) -> str:
    """One sentence for the README."""
    together, anonymous = ([row[name] for row in rows] for name in ("together", "anonymous"))
    fit = sum(each <= LIMIT_MB for each in anonymous)
    return (
        f"JupyterLab and the kernel of one lesson use {min(together)} to {max(together)} MB, of which "
        f"{min(anonymous)} to {max(anonymous)} MB are anonymous memory; for {fit} of {len(rows)} lessons that is "
        f"within the {LIMIT_MB} MB that mybinder.org guarantees."
    )

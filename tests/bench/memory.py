"""Measure the memory of JupyterLab and one kernel together, for each lesson run from the top.

``make bench ARGS=memory`` measures it alone. The limit is what mybinder.org guarantees to a session.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.lab import Lab, launch, serve
from tests.tools.refresh import NOTEBOOKS, lessons

LIMIT_MB = 450
_EVERY_S = 0.25


def megabytes(process: psutil.Process) -> float:
    """Resident memory, a page that several processes share counted in parts (PSS) where the system tells."""
    info = process.memory_full_info()
    return getattr(info, "pss", info.uss) / 1e6


class Watch:
    """The memory of the children of this process while it is entered.

    Attributes:
        server, kernel: the most that JupyterLab and the kernels took, in megabytes.
        together: the most that all took at one time.
    """

    def __init__(self) -> None:
        self.server = self.kernel = self.together = 0.0
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
            server = kernel = 0.0
            for process in psutil.Process().children(recursive=True):
                try:
                    command = " ".join(process.cmdline())
                    if "ipykernel" in command:
                        kernel += megabytes(process)
                    elif "-m jupyterlab" in command:
                        server += megabytes(process)
                except psutil.Error:  # it has ended
                    continue
            self.server, self.kernel = max(self.server, server), max(self.kernel, kernel)
            self.together = max(self.together, server + kernel)


def bench() -> list[dict[str, Any]]:
    """One row a lesson, each with a JupyterLab of its own."""
    rows = []
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for path in lessons():
            with tempfile.TemporaryDirectory() as folder:
                shutil.copytree(NOTEBOOKS, Path(folder) / "notebooks")
                with Watch() as watch, serve(Path(folder)) as address:
                    lab = Lab(browser, address)
                    lab.open(f"notebooks/{path.name}")
                    lab.run_all(600)
                    lab.close()
            row = {"lesson": path.name[:2], "server_mb": watch.server, "kernel_mb": watch.kernel}
            rows.append({key: round(value) if isinstance(value, float) else value for key, value in row.items()})
            rows[-1]["together_mb"] = round(watch.together)
            print(rows[-1], flush=True)
        browser.close()
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    """The table, in Markdown."""
    lines = [
        f"Peak memory (PSS, MB) while a lesson runs from the top in JupyterLab; mybinder.org guarantees {LIMIT_MB} MB.",
        "",
        "| lesson | JupyterLab | kernel | together | within the guarantee |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        fits = "yes" if row["together_mb"] <= LIMIT_MB else "no"
        lines.append(f"| {row['lesson']} | {row['server_mb']} | {row['kernel_mb']} | {row['together_mb']} | {fits} |")
    return "\n".join(lines)


def key_figure(rows: list[dict[str, Any]]) -> str:
    """One sentence for the README."""
    together = [row["together_mb"] for row in rows]
    fit = sum(each <= LIMIT_MB for each in together)
    return (
        f"JupyterLab and one lesson's kernel take {min(together)} to {max(together)} MB; {fit} of {len(rows)} lessons "
        f"stay within the {LIMIT_MB} MB that mybinder.org guarantees."
    )

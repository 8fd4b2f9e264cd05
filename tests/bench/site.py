"""What the site weighs and how long its build takes: ``python -m tests.bench site``."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from helpers.site.__main__ import build


def bench() -> dict[str, Any]:
    """Build the site in a folder that is removed, and measure it."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "site"
        start = time.monotonic()
        rows = build(output)
        seconds = time.monotonic() - start
        files = [path for path in output.rglob("*") if path.is_file()]
        pages = {path.stem: path.stat().st_size for path in sorted(output.glob("[0-9]*.html"))}
        return {
            "seconds": round(seconds),
            "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
            "figures": rows,
            "pages": pages,
        }


def key_figure(found: dict[str, Any]) -> str:
    """One sentence for the README."""
    return (
        f"The static site contains {len(found['figures'])} figures with "
        f"{sum(row['states'] for row in found['figures']):,} pictures in {found['megabytes']} MB; "
        f"`make site` takes {found['seconds']} s."
    )


def report(found: dict[str, Any]) -> str:
    """The table, in Markdown."""
    lessons: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in found["figures"]:
        lessons[row["key"][:2]].append(row)
    lines = [
        "| lesson | figures | states drawn | of | seconds | figures, kB | page, kB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, size in found["pages"].items():
        rows = lessons[name[:2]]
        sums = {key: sum(row[key] for row in rows) for key in ("states", "possible", "seconds", "size")}
        cells = [name[:2], len(rows), f"{sums['states']:,}", f"{sums['possible']:,}", f"{sums['seconds']:.1f}"]
        cells += [f"{sums['size'] / 1000:.0f}", f"{size / 1000:.0f}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)

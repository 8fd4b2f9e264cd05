"""Measure the course: ``make bench``, or a part of it: ``make bench ARGS=positions``."""

from __future__ import annotations

import json
import sys

from tests.bench import figures, grading, positions, trainers
from tests.tools.refresh import ROOT

PARTS = {
    "bench": (figures.measure, figures.table),
    "trainers": (trainers.bench, trainers.report),
    "positions": (positions.bench, positions.report),
    "grading": (grading.bench, grading.report),
}


def main(names: list[str]) -> None:
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"no part is called {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    (ROOT / ".artefacts").mkdir(exist_ok=True)
    for name in names or PARTS:
        run, tell = PARTS[name]
        result = run()
        (ROOT / ".artefacts" / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        figures.publish(name, tell(result))


if __name__ == "__main__":
    main(sys.argv[1:])

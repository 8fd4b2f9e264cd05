"""Measure the course: ``make bench``, or a part of it: ``make bench ARGS=positions``.

The numbers go to ``.artefacts/NAME.json``, the tables to ``RESULTS.md``, and the first sentence of each section, its
key figure, to the README as well.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType

from tests.bench import figures, grading, memory, positions, site, trainers
from tests.tools.refresh import ROOT

PARTS: dict[str, ModuleType] = {
    "figures": figures,
    "memory": memory,
    "trainers": trainers,
    "positions": positions,
    "grading": grading,
    "site": site,
}
RESULTS = Path(__file__).with_name("RESULTS.md")
README = ROOT / "README.md"


def publish(name: str, text: str, path: Path) -> None:
    """Put a text between the markers of this name in a Markdown file.

    Raises:
        ValueError: the file does not have these markers once.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    new, places = re.subn(f"(?s){start}.*?{end}", lambda _: f"{start}\n{text}\n{end}", path.read_text("utf-8"))
    if places != 1:
        raise ValueError(f"{path.name} has {places} places between {start} and {end}, one is needed")
    path.write_text(new, "utf-8")


def key_figures(results: str) -> list[str]:
    """The first paragraph of each section that has been measured, in the order of the file."""
    return re.findall(r"(?m)^<!-- \w+ -->\n\*\*(.+)\*\*$", results)


def main(names: list[str]) -> None:
    if unknown := [name for name in names if name not in PARTS]:
        sys.exit(f"no part is called {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    (ROOT / ".artefacts").mkdir(exist_ok=True)
    for name in names or PARTS:
        part = PARTS[name]
        result = part.bench()
        (ROOT / ".artefacts" / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
        text = f"**{part.key_figure(result)}**\n\n{part.report(result)}"
        print(text)
        publish(name, text, RESULTS)
    publish("measured", "\n".join(f"- {line}" for line in key_figures(RESULTS.read_text("utf-8"))), README)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The README's key figures are those of the benchmark's results."""

from __future__ import annotations

import pytest

from tests.bench.__main__ import PARTS, README, RESULTS, key_figures, publish


def test_the_readme_holds_the_key_figure_of_every_measured_section() -> None:
    results = RESULTS.read_text("utf-8")
    found = key_figures(results)
    assert all(f"<!-- {name} -->" in results for name in PARTS)
    readme = README.read_text("utf-8")
    block = readme.partition("<!-- measured -->\n")[2].partition("\n<!-- /measured -->")[0]
    assert [line for line in block.splitlines() if line.startswith("- ")] == [f"- {line}" for line in found]


def test_a_file_without_its_markers_is_refused(tmp_path) -> None:
    path = tmp_path / "RESULTS.md"
    path.write_text("<!-- site -->\nold\n<!-- /site -->\nrest\n")
    publish("site", r"new \1", path)
    assert path.read_text() == "<!-- site -->\nnew \\1\n<!-- /site -->\nrest\n"
    with pytest.raises(ValueError, match="0 places"):
        publish("grading", "new", path)

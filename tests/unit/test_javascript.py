"""The command that checks the JavaScript says why it does not, and fails when a check fails."""

import json
import re

import pytest

from tests.tools import javascript
from tests.tools.refresh import ROOT


@pytest.mark.parametrize(("version", "message"), [(None, "not found"), (18, "version 18")])
def test_without_node_it_says_so_and_counts_as_skipped(monkeypatch, capsys, version, message: str) -> None:
    monkeypatch.setattr(javascript, "node_version", lambda: version)
    assert javascript.main([]) == 77
    assert message in capsys.readouterr().out


def test_the_reason_of_npm_is_passed_on(monkeypatch, capsys) -> None:
    def fail() -> None:
        raise RuntimeError("npm could not install the packages:\nno network")

    monkeypatch.setattr(javascript, "node_version", lambda: 20)
    monkeypatch.setattr(javascript, "install", fail)
    assert javascript.main([]) == 1
    assert "no network" in capsys.readouterr().out


def test_versions_are_exact() -> None:
    versions = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert {"@biomejs/biome", "typescript"} <= versions.keys()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values()), versions

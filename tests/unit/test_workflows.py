"""The lint of workflows finds a part that no job runs, and a form that GitHub would refuse."""

from __future__ import annotations

from tests.__main__ import parts
from tests.tools.refresh import ROOT
from tests.tools.workflows import form_problems, jobs_without_parts

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
    assert list(form_problems(FORM.replace("label: The answer", "placeholder: x")))

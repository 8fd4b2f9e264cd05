"""Pages for instructors: clean for axe-core in light and dark, nothing loaded, no overflow on a phone."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from helpers.grading import assignment as homework
from helpers.grading.analysis import class_statistics
from helpers.grading.gradebook import GradingRecord
from helpers.grading.judge import Verdict
from helpers.grading.report import page, render
from helpers.grading.similarity import AT_LEAST, Cell, similar_pairs
from tests.tools.refresh import homeworks


def report_page() -> str:
    """A report with something in each of its sections."""
    path = homeworks()[0]
    author = nbformat.read(path, as_version=4)
    assignment = homework.parse(path.stem, author)
    scores: dict[str, dict[str, float | None]] = {}
    verdicts, records = {}, {}
    for i in range(40):
        tests = {}
        for j, cell in enumerate(assignment.of("test")):
            message = (
                "hidden tests failed: one; two" if "HIDDEN" in cell.source else "Wrong ✗ f: it raised KeyError: 'x'"
            )
            tests[cell.id] = Verdict((i * 7 + j * 3) % 5 > 0, message, 0.1 * j)
        if not tests["test_encode"].passed:
            message = "unknown words become <pad>; then nobody can tell that a word stood there"
            tests["test_encode"] = Verdict(False, f"Wrong ✗ encode: {message}")
        points = {cell.id: cell.points * tests[cell.id].passed for cell in assignment.of("test")}
        scores[str(i)] = {**points, **{cell.id: None if i % 2 else 1.0 for cell in assignment.of("written")}}
        verdicts[str(i)], records[str(i)] = tests, GradingRecord("", None, ("f ran longer than 10 s",), 3.0 + i)
    return page(class_statistics(assignment, homework.questions(author), scores, verdicts, records))


def similar_page() -> str:
    source = "def f(xs):\n" + "\n".join(
        f"    x{i} = [x * {i} + {i} for x in xs if x % {i + 2} == {i}]" for i in range(30)
    )
    submissions = {name: [Cell("f", source)] for name in ("ada", "bo")} | {"cy": [Cell("f", "f = sum")]}
    pairs = similar_pairs(submissions, [])
    assert len(pairs) == 1
    values = {"homework": "hw1", "pairs": pairs, "found": 1, "learners": 3, "unread": 1, "at_least": AT_LEAST}
    return render("similar.html.j2", date="2026-03-01", lines=lambda cell, shared: [(1, "x" * 400, True)], **values)


def requests_of(opened: Page) -> list[str]:
    """The addresses that the page asks for from now on; the list grows."""
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    return asked


@pytest.mark.parametrize("make", [report_page, similar_page], ids=["report", "similar"])
def test_pages_for_instructors_pass_axe_and_load_nothing(browser: Browser, tmp_path: Path, make) -> None:
    path = tmp_path / "page.html"
    path.write_text(make(), encoding="utf-8")
    for scheme in ("light", "dark"):
        for width in (1200, 390):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
            opened = context.new_page()
            asked = requests_of(opened)
            opened.goto(path.as_uri())
            assert asked == [path.as_uri()]
            wide = opened.evaluate(
                "[...document.querySelectorAll('main *')].filter(each => !each.closest('.scroll') "
                "&& each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 80))"
            )
            assert wide == []
            found = Axe().run(opened).response["violations"]
            assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], json.dumps(found)[:500]
            context.close()
    context = browser.new_context()
    printed = context.new_page()
    printed.goto(path.as_uri())
    assert printed.pdf(format="A4")[:4] == b"%PDF"
    context.close()

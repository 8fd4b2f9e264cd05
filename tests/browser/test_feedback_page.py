"""A learner's feedback page in a browser: on a phone, for screen readers, in print."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbgrader.api import Gradebook
from playwright.sync_api import Browser

from helpers.grading.course import Course
from helpers.grading.feedback import feedback
from helpers.grading.judge import Graded, Verdict
from helpers.grading.results import Adjustment
from tests.tools.homework import SMALL as NAME
from tests.tools.homework import answered_small, hand_in, small_homework, write

LONG = "a_name_without_any_blank_" * 12


@pytest.fixture(scope="module")
def feedback_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a learner who is late, lost points, has a comment and an adjusted question."""
    folder = tmp_path_factory.mktemp("feedback")
    with Course(folder / "course") as course:
        prepared = course.prepare(write(folder / "authors", NAME, small_homework()))
        release = course.folder / "release" / NAME / f"{NAME}.ipynb"
        answers = answered_small(nbformat.read(release, as_version=4), total=f"{LONG} = 1", why="![x](y.png) $a$")
        hand_in(course.folder, "ada", answers).with_name("timestamp.txt").write_text("2026-03-02 12:00:00 UTC")
        tests = {cell.id: Verdict("total" not in cell.id, LONG) for cell in prepared.assignment.of("test")}
        course.store(course.submission(NAME, "ada"), Graded({}, tests, (), 1.0))
        with Gradebook(course.db_url) as gradebook:
            gradebook.update_or_create_assignment(NAME, duedate="2026-03-01 12:00:00 UTC")
            gradebook.find_comment("why", NAME, NAME, "ada").manual_comment = "Say *more*."
            gradebook.db.commit()
        question = course.questions(NAME)[0].name
        course.adjust(NAME, question, Adjustment(question, "points", "its statement was unclear", 4.0))
    [page], _ = feedback(folder / "course", NAME)
    return page


@pytest.mark.parametrize("width", [320, 1200])
def test_page_passes_axe_and_does_not_overflow_a_phone(browser: Browser, feedback_page: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, bypass_csp=True)  # axe is a script
    tab = context.new_page()
    tab.goto(feedback_page.as_uri())
    assert [each["id"] for each in Axe().run(tab).response["violations"]] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_links_of_the_summary_move_to_their_cells(browser: Browser, feedback_page: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 500})
    tab = context.new_page()
    tab.goto(feedback_page.as_uri())
    links = tab.locator("#summary a")
    assert links.count() >= 3
    for index in range(links.count()):
        tab.evaluate("scrollTo(0, 0)")
        links.nth(index).click()
        assert tab.evaluate("scrollY") > 0
    context.close()


def test_print_shows_all_text(browser: Browser, feedback_page: Path) -> None:
    context = browser.new_context(viewport={"width": 700, "height": 800})
    tab = context.new_page()
    tab.goto(feedback_page.as_uri())
    tab.emulate_media(media="print")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 700
    assert not tab.locator(".panel-heading a").first.is_visible()
    assert tab.pdf().startswith(b"%PDF")
    context.close()

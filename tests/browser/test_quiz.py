"""Quizzes in JupyterLab: keys, announcements, and answers without a kernel."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator

from helpers.exercises.registry import QUESTIONS
from tests.browser.lab import NOTEBOOK, Lab, open_cells

QUESTION = next(question for name, question in QUESTIONS.items() if len(question.options) > 2)
WRONG = (QUESTION.answer + 1) % len(QUESTION.options)
_CELLS = """() => {
  const { content } = window.jupyterapp.shell.currentWidget;
  return [content.widgets.length, content.activeCellIndex];
}"""
_DIRTY = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
_CHANGES = """(element) => {
  window.announced = [];
  new MutationObserver(() => window.announced.push(element.textContent))
    .observe(element, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def lab(desk: Lab, folder: Path) -> Lab:
    open_cells(desk, folder, "quiz", [f"from helpers import *\npredict({QUESTION.id!r})", "1", "2"])
    return desk


@pytest.fixture
def quiz(lab: Lab) -> Locator:
    return lab.page.locator(f"{NOTEBOOK} form.quiz")


def _submit(quiz: Locator, option: int) -> str:
    quiz.get_by_role("radio").nth(option).check()
    quiz.get_by_role("button").click()
    return quiz.get_by_role("status").inner_text()


def test_a_quiz_is_a_group_with_the_question_as_its_name(quiz: Locator) -> None:
    group = quiz.get_by_role("group", name=QUESTION.text)
    assert group.get_by_role("radio").count() == len(QUESTION.options)
    assert quiz.get_by_role("radio", name=QUESTION.options[1], exact=True).count() == 1
    assert QUESTION.reason not in quiz.inner_text()


def test_keys_in_a_quiz_do_not_reach_jupyterlab(lab: Lab, quiz: Locator) -> None:
    radio = quiz.get_by_role("radio").first
    radio.check()
    before = lab.page.evaluate(_CELLS)
    for key in ("ArrowDown", "d", "d", "a", "b", "x"):
        lab.page.keyboard.press(key)
    assert lab.page.evaluate(_CELLS) == before
    assert quiz.get_by_role("radio").nth(1).is_checked()


def test_saving_with_the_keyboard_works_from_inside_a_quiz(lab: Lab, quiz: Locator) -> None:
    lab.page.evaluate("() => void (window.jupyterapp.shell.currentWidget.context.model.dirty = true)")
    quiz.get_by_role("radio").first.focus()
    lab.page.keyboard.press("Control+s")
    lab.page.wait_for_function(f"() => !({_DIRTY})()")


def test_the_verdict_is_announced_once_and_counts_the_tries(quiz: Locator) -> None:
    status = quiz.get_by_role("status")
    assert status.count() == 1  # it is there before its text
    status.evaluate(_CHANGES)
    assert _submit(quiz, WRONG) == "Wrong ✗ (1 try so far). Choose again."
    right = _submit(quiz, QUESTION.answer)
    assert right.startswith("Right ✓ (2 tries).")
    assert len(quiz.page.evaluate("() => window.announced")) == 2
    assert _submit(quiz, QUESTION.answer).startswith("Right ✓ (1 try).")  # answered again


def test_a_quiz_is_answered_while_the_kernel_is_busy_and_when_it_is_gone(lab: Lab, quiz: Locator) -> None:
    lab.page.evaluate(
        """() => void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
            .requestExecute({ code: "import time; time.sleep(5)" })"""
    )
    assert _submit(quiz, WRONG).startswith("Wrong ✗")
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    assert _submit(quiz, QUESTION.answer).startswith("Right ✓")

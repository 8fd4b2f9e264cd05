"""Saved notebooks that are opened again, with and without their kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.exercises.registry import QUESTIONS
from tests.browser.lab import NOTEBOOK, Lab, controls, open_cells, wait_until_drawn

QUESTION = next(iter(QUESTIONS.values()))
FIGURE = """from helpers import *
@live("Saved", n=Slider(0, 9, 3))
def saved(n):
    return [bars([1, n], title="Bars")], f"The second bar is {n} high."
"""
TROUBLE = re.compile("Error (displaying|rendering|creating) widget|model not found")


@pytest.fixture
def lab(desk: Lab, folder: Path) -> Lab:
    """A notebook with a figure and a quiz that was run and saved."""
    open_cells(desk, folder, "saved", [FIGURE, f"predict({QUESTION.id!r})"])
    desk.save()
    return desk


def _reload(lab: Lab) -> None:
    lab.reload()
    lab.page.wait_for_timeout(1500)  # the widget manager gets the models of the kernel


def test_figures_and_quizzes_work_when_reopened_with_their_kernel(lab: Lab) -> None:
    _reload(lab)
    (figure,) = lab.figures()
    figure.wait_for()
    controls(figure)["n"].press("End")
    figure.locator(".live-sentence", has_text="The second bar is 9 high.").wait_for()
    assert wait_until_drawn(figure)["error"] == ""
    assert lab.page.locator(f"{NOTEBOOK} form.quiz").is_visible()
    assert not lab.page.locator(f"{NOTEBOOK} figure.live-still").is_visible()


def test_the_still_and_the_question_are_shown_without_a_kernel(lab: Lab) -> None:
    lab.shut_down()
    _reload(lab)
    assert lab.page.locator(f"{NOTEBOOK} figure.live-still img").is_visible()
    assert lab.page.locator(NOTEBOOK).get_by_text(QUESTION.options[0]).is_visible()
    assert lab.page.get_by_text(TROUBLE).count() == 0 and lab.figures() == []
    lab.run_all()
    assert len(lab.figures()) == 1, "and run again it moves"


def test_no_model_is_missing_after_a_kernel_restart(lab: Lab) -> None:
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    lab.save()
    _reload(lab)
    assert lab.page.get_by_text(TROUBLE).count() == 0
    assert lab.page.locator(f"{NOTEBOOK} figure.live-still img").is_visible()

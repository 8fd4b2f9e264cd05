"""Figures and quizzes of two lessons in Notebook 7 and, in JupyterLab, in Firefox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from tests.browser import lab
from tests.browser.test_lessons import ANSWERS, _by_keyboard, assert_one_option_is_right, drive
from tests.tools.bidi import Page, required_firefox
from tests.tools.refresh import lessons

CHOSEN = [path.name for path in lessons() if path.name[:2] in ("00", "06")]
HOME, END = "\ue011", "\ue010"  # keys, as WebDriver names them


@pytest.mark.parametrize("name", CHOSEN)
def test_notebook_7(shared: BrowserContext, notebook_7: str, name: str) -> None:
    page = lab.Lab(shared, notebook_7)
    try:
        page.open(f"notebooks/{name}")
        page.errors.clear()  # Notebook 7 itself stumbles over settings of JupyterLab
        page.run_all()
        figures = page.figures()
        assert figures and len(figures) == page.page.locator("figure.live-still").count()
        assert not any(still.is_visible() for still in page.page.locator("figure.live-still").all())
        for figure in figures:
            for control, element in lab.controls(figure).items():
                drive(figure, control, element, _by_keyboard(element))
        verdicts = page.page.evaluate(f"() => {ANSWERS}")
        assert verdicts
        assert_one_option_is_right(verdicts)
        assert page.errors == []
    finally:
        page.close()


@pytest.fixture(scope="module")
def fox() -> Iterator[Page]:
    with required_firefox() as page:
        page.resize(1280, 1000)
        yield page


def _of(place: int, expression: str) -> str:
    """An expression over ``root``, the figure at this place."""
    return f"((root) => {expression})(document.querySelectorAll('.live-figure')[{place}])"


def _move(fox: Page, place: int) -> tuple[Any, Any]:
    """Move the first slider of a figure by its keys; its sentence before and after."""
    before = fox.evaluate(_of(place, "[root.querySelector('.live-sentence').textContent, root.dataset.draws]"))
    fox.evaluate(_of(place, "(root.scrollIntoView(), root.querySelector('input[type=range]').focus())"))
    at_end = fox.evaluate(_of(place, "((input) => input.value === input.max)(root.querySelector('input[type=range]'))"))
    fox.press(HOME if at_end else END)
    fox.wait_for(_of(place, f"root.dataset.draws !== {json.dumps(before[1])} && root.dataset.busy === 'false'"), 60)
    return before[0], fox.evaluate(_of(place, "root.querySelector('.live-sentence').textContent"))


@pytest.mark.parametrize("name", CHOSEN)
def test_firefox(fox: Page, address: str, name: str) -> None:
    fox.open(address.format(path=f"notebooks/{name}"))
    fox.wait_for(f"window.jupyterapp && document.querySelector('.jp-Cell') && ({lab._READY})()", 120)
    fox.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
    fox.wait_for(f"({lab._FINISHED})()", 240)
    figures = fox.evaluate("document.querySelectorAll('.live-figure').length")
    assert figures and figures == fox.evaluate("document.querySelectorAll('figure.live-still').length")
    for place in range(figures):
        before, after = _move(fox, place)
        assert before and after and before != after
        assert fox.evaluate(_of(place, "root.querySelector('.live-error').hidden"))
        colours = "new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
        colours += ".data.buffer)).size"
        assert fox.evaluate(_of(place, f"((canvas) => {colours})(root.querySelector('canvas'))")) > 3
    verdicts = fox.evaluate(ANSWERS)
    assert verdicts
    assert_one_option_is_right(verdicts)
    fox.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown()")

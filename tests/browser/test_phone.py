"""Every figure on a telephone: Notebook 7, 390 pixels wide, driven by touch alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FloatRect, Locator

from tests.browser.conftest import ARTEFACTS
from tests.browser.lab import Lab, box_of, controls, kind, new_context, wait_until_drawn

PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
SMALLEST_TARGET = 24  # css pixels, WCAG 2.2, criterion 2.5.8
SMALLEST_TEXT = 12

# Notes the size in css pixels of every text that is drawn on a canvas.
_FONTS = """(() => {
  window.fonts = [];
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, widest) {
    const { a, b } = this.getTransform();
    const shrink = widest ? Math.min(1, widest / this.measureText(text).width) : 1;
    const size = (parseFloat(this.font.match(/([\\d.]+)px/)[1]) * shrink * Math.hypot(a, b)) / window.devicePixelRatio;
    window.fonts.push([Math.round(size * 100) / 100, text]);
    return draw.apply(this, arguments);
  };
})()"""


_ON_TOP = "(canvas, [x, y]) => document.elementFromPoint(x, y) === canvas"


class Phone(Lab):
    """A page of Notebook 7 on a telephone."""

    def __init__(self, opener: BrowserContext, address: str) -> None:
        super().__init__(opener, address)
        self.page.add_init_script(_FONTS)
        self.touches = self.context.new_cdp_session(self.page)

    def open(self, path: str) -> None:
        super().open(path)
        self.errors.clear()  # Notebook 7 itself stumbles over settings of JupyterLab

    def leave(self) -> None:
        """Close the notebook, not its kernel, which is that of JupyterLab's page."""
        self.page.evaluate("() => { window.jupyterapp.shell.currentWidget.dispose(); window.fonts = []; }")

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Put a finger down, move it, and take it away."""
        for share in range(11):
            x, y = (a + (b - a) * share / 10 for a, b in zip(start, end, strict=True))
            kind = "touchStart" if share == 0 else "touchMove"
            self.touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        self.touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.fixture(scope="module")
def screen(browser: Browser, notebook_7: str) -> Phone:
    return Phone(new_context(browser, **PHONE), notebook_7)


@pytest.fixture
def phone(screen: Phone) -> Iterator[Phone]:
    yield screen
    screen.leave()


def _in_view(part: Locator) -> FloatRect:
    part.evaluate("(element) => element.scrollIntoView({ block: 'center' })")
    part.page.wait_for_timeout(150)
    return box_of(part)


def _move_by_touch(phone: Phone, control: Locator) -> None:
    """Give a control another value."""
    box = _in_view(control)
    if kind(control) == "select-one":  # the list that opens is the system's own
        here = control.evaluate("(list) => list.selectedIndex")
        control.select_option(index=0 if here else control.locator("option").count() - 1)
    elif kind(control) == "checkbox":
        phone.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    else:
        here = control.evaluate("(range) => range.value / range.max")
        share = 0.85 if here < 0.5 else 0.15
        phone.page.touchscreen.tap(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def _values(figure: Locator) -> list[str]:
    return figure.locator(".live-number").evaluate_all("(all) => all.map((field) => field.value)")


def _assert_it_fits(figure: Locator) -> None:
    _in_view(figure)
    assert not figure.evaluate("(root) => root.scrollWidth > root.clientWidth + 1"), "the figure is cut off"
    left, right = figure.evaluate("(root) => { const r = root.getBoundingClientRect(); return [r.left, r.right]; }")
    assert left >= 0 and right <= 390
    for control in figure.locator(".live-controls :is(input, select, button)").all():
        box = box_of(control)
        assert box["height"] >= SMALLEST_TARGET and box["width"] >= SMALLEST_TARGET, control.inner_html()


def _read_by_touch(phone: Phone, panel: Locator) -> None:
    canvas = panel.locator("canvas")
    box = _in_view(canvas)
    places = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in ((0.55, 0.4), (0.4, 0.6), (0.7, 0.3))
    ]
    phone.page.touchscreen.tap(*next(place for place in places if canvas.evaluate(_ON_TOP, place)))  # not on a handle
    tooltip = panel.locator(".live-tooltip")
    tooltip.wait_for()
    place = box_of(tooltip)
    assert place["x"] >= 0 and place["x"] + place["width"] <= 390, "the value is cut off"
    canvas.evaluate("(canvas) => canvas.blur()")


def _drag_by_touch(phone: Phone, figure: Locator, handle: Locator) -> None:
    """Drag a mark towards the other side of its picture."""
    box = _in_view(handle)
    assert box["width"] >= SMALLEST_TARGET
    values = _values(figure)
    start = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    canvas = box_of(handle.locator("xpath=../canvas"))
    shares = ((start[0] - canvas["x"]) / canvas["width"], (start[1] - canvas["y"]) / canvas["height"])
    across, down = (0.7 if share < 0.5 else 0.3 for share in shares)
    phone.drag(start, (canvas["x"] + across * canvas["width"], canvas["y"] + down * canvas["height"]))
    wait_until_drawn(figure)
    assert _values(figure) != values, "nothing was dragged"


def test_figures_are_read_and_controlled_by_touch(phone: Phone, lesson: Lab) -> None:
    """The saved lesson is opened beside its kernel."""
    assert lesson.path
    phone.open(lesson.path)
    expected = len(lesson.figures())
    phone.page.wait_for_function(
        "count => document.querySelectorAll('.live-figure[data-draws]').length === count", arg=expected
    )
    figures = phone.figures()
    assert len(figures) == expected > 0
    for number, figure in enumerate(figures, start=1):
        _assert_it_fits(figure)
        for panel in figure.locator(".live-panel").all():
            _read_by_touch(phone, panel)
        for name, control in controls(figure).items():
            before = wait_until_drawn(figure)
            _move_by_touch(phone, control)
            after = wait_until_drawn(figure, before)
            assert after["error"] == "" and after["sentence"] != before["sentence"], name
            figure.get_by_role("button", name="Reset").tap()  # a control may do nothing at the ends of others
            wait_until_drawn(figure)
        for index in range(figure.locator(".live-handle").count()):
            _drag_by_touch(phone, figure, figure.locator(".live-handle").nth(index))
        ARTEFACTS.mkdir(exist_ok=True)
        figure.screenshot(path=ARTEFACTS / f"{Path(lesson.path).name[:2]}-{number}-phone.png")
    small = [text for text in phone.page.evaluate("() => window.fonts") if text[0] < SMALLEST_TEXT - 0.01]
    assert not small, small[:5]
    assert phone.errors == []

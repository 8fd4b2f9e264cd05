"""Figures on pages of every width, controlled by pointer, touch and keyboard, and in forced colours."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import FloatRect, Locator

from tests.browser.lab import NOTEBOOK, Lab, box_of, controls, open_cells, state, wait_until_drawn

SOURCE = """import time
from helpers import *

def panels(n, count):
    curves = {"rises": [0, n, 2 * n], "falls": [2 * n, n, 0]}
    made = [lines(curves, title="Curves", x="step", y="height"), bars([n, 2], labels=["a", "b"], title="Bars"),
            heatmap([[i * j * n for i in range(40)] for j in range(60)], rows=[30], title="Table", x="i", y="j")]
    return made[:count], f"{count} panels, n is {n}."

@live("Two", n=Slider(1, 40, 4, play=True), base=LogSlider(10, 10_000, 100), sign=Toggle(False))
def two(n, base, sign):
    picture, sentence = panels(-n if sign else n, 2)
    return picture, sentence + f" Base {base}."

@live("Three", n=Slider(1, 9, 4), word=Choice("first", "second"))
def three(n, word):
    picture, sentence = panels(n, 3)
    return picture, sentence + word

@live("Slow", pure=False, n=Slider(0, 9, 4))
def slow(n):
    time.sleep(1 if n == 9 else 0)
    return panels(n + 1, 1)
"""
_WIDTH = "(root, width) => { root.parentElement.style.width = `${width}px`; }"
_FONTS = """() => {
  window.fonts = [];
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (...args) {
    const shrink = this.canvas.getBoundingClientRect().width / this.canvas.width;
    const { a, b } = this.getTransform();
    window.fonts.push(parseFloat(this.font.match(/([\\d.]+)px/)[1]) * Math.hypot(a, b) * shrink);
    return draw.apply(this, args);
  };
}"""
_ANNOUNCEMENTS = """(root) => {
  window.announced = 0;
  for (const region of root.querySelectorAll("[role=status], [aria-live], output")) {
    new MutationObserver(() => window.announced++).observe(region, { childList: true, characterData: true });
  }
}"""


@pytest.fixture(scope="module")
def lab(touch_screen: Lab, folder: Path) -> Lab:
    open_cells(touch_screen, folder, "layout", [SOURCE])
    return touch_screen


@pytest.fixture
def figures(lab: Lab) -> Iterator[dict[str, Locator]]:
    names = ("Two", "Three", "Slow")
    yield {name: lab.page.locator(f"{NOTEBOOK} section.live-figure[aria-label={name}]") for name in names}
    assert lab.errors == []


def _rows(figure: Locator) -> int:
    tops = figure.locator(".live-panel").evaluate_all("(boxes) => boxes.map((box) => box.getBoundingClientRect().top)")
    return len({round(top) for top in tops})


@pytest.mark.parametrize(
    ("name", "width", "rows"), [("Two", 845, 1), ("Three", 845, 1), ("Two", 520, 1), ("Two", 390, 2), ("Three", 330, 3)]
)
def test_panels_share_the_width(figures, name: str, width: int, rows: int) -> None:
    figure = figures[name]
    figure.page.evaluate(_FONTS)
    figure.evaluate(_WIDTH, width)
    controls(figure)["n"].press("ArrowRight")  # draw anew also where the width is the same
    figure.page.wait_for_timeout(300)
    assert _rows(figure) == rows
    assert not figure.evaluate("(root) => root.scrollWidth > root.clientWidth + 1")
    widths = figure.locator("canvas").evaluate_all(
        "(all) => all.map((each) => [each.clientWidth, each.parentElement.clientWidth])"
    )
    assert all(250 <= canvas <= box + 1 for canvas, box in widths), widths
    assert min(figure.page.evaluate("() => window.fonts")) >= 12
    figure.evaluate("(root) => { root.parentElement.style.width = ''; }")


def shown(figure: Locator, index: int) -> tuple[Locator, FloatRect, Locator]:
    """A panel's canvas, scrolled into view, its box on the page, and its tooltip."""
    panel = figure.locator(".live-panel").nth(index)
    canvas = panel.locator("canvas")
    canvas.scroll_into_view_if_needed()
    return canvas, box_of(canvas), panel.locator(".live-tooltip")


def test_the_value_at_the_pointer_is_shown_beside_it(lab: Lab, figures) -> None:
    _, box, tooltip = shown(figures["Three"], 2)
    lab.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    tooltip.wait_for()
    assert tooltip.inner_text().startswith("j ") and ", i " in tooltip.inner_text()
    place = box_of(tooltip)
    assert abs(place["y"] + place["height"] / 2 - box["y"] - 0.4 * box["height"]) < 20
    assert box["x"] <= place["x"] and place["x"] + place["width"] <= box["x"] + box["width"] + 1
    lab.page.mouse.move(0, 0)
    tooltip.wait_for(state="hidden")


def test_a_tap_shows_a_value_until_escape_and_vertical_drags_scroll(lab: Lab, figures) -> None:
    canvas, box, tooltip = shown(figures["Two"], 1)
    lab.page.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"])
    tooltip.wait_for()
    lab.page.wait_for_timeout(300)
    assert tooltip.is_visible() and tooltip.inner_text() == "b: 2"
    assert canvas.evaluate("(element) => getComputedStyle(element).touchAction") == "pan-y"
    canvas.press("Escape")
    tooltip.wait_for(state="hidden")


def test_a_typed_number_is_rounded_to_the_nearest_stop(figures) -> None:
    figure = figures["Two"]
    before = wait_until_drawn(figure)
    field = figure.get_by_role("spinbutton", name="n, as a number")
    field.fill("17.4")
    field.press("Enter")
    assert "n is 17." in wait_until_drawn(figure, before)["sentence"]
    assert field.input_value() == "17" and controls(figure)["n"].get_attribute("aria-valuetext") == "17"
    controls(figure)["n"].press("ArrowRight")
    assert "n is 18." in wait_until_drawn(figure)["sentence"] and field.input_value() == "18"


def test_reset_puts_every_control_back(figures) -> None:
    figure = figures["Two"]
    figure.get_by_role("button", name="Reset").click()
    start = wait_until_drawn(figure)
    for name, key in (("n", "End"), ("base", "Home"), ("sign", "Space")):
        controls(figure)[name].press(key)
    assert "n is −40. Base 10." in wait_until_drawn(figure)["sentence"]
    figure.get_by_role("button", name="Reset").click()
    assert wait_until_drawn(figure)["pixels"] == start["pixels"]
    assert not controls(figure)["sign"].is_checked() and figure.get_by_role("spinbutton").first.input_value() == "4"


def test_play_moves_a_slider_to_its_end_and_can_be_paused(figures) -> None:
    figure = figures["Two"]
    controls(figure)["n"].press("Home")
    figure.get_by_role("button", name="Play").click()
    figure.page.wait_for_function("(input) => Number(input.value) > 4", arg=controls(figure)["n"].element_handle())
    figure.get_by_role("button", name="Pause").click()
    paused = wait_until_drawn(figure)["sentence"]
    figure.page.wait_for_timeout(500)
    assert state(figure)["sentence"] == paused
    figure.get_by_role("button", name="Play").click()
    figure.get_by_text("n is 40.").first.wait_for()
    figure.get_by_role("button", name="Play").wait_for()  # it has stopped


def test_an_outdated_picture_is_dimmed_after_a_delay(figures) -> None:
    figure = figures["Slow"]
    opacity = "(root) => getComputedStyle(root.querySelector('.live-panels')).opacity"
    sooner = """(root) => new Promise((done) => {
      const input = root.querySelector("input");
      input.value = 9;
      input.dispatchEvent(new Event("input"));
      setTimeout(() => done(getComputedStyle(root.querySelector('.live-panels')).opacity), 60);
    })"""
    assert figure.evaluate(sooner) == "1"
    figure.page.wait_for_timeout(300)
    assert float(figure.evaluate(opacity)) < 0.6
    wait_until_drawn(figure)
    assert figure.evaluate(opacity) == "1"


def test_a_drag_is_announced_once_and_reading_does_not_repeat_the_sentence(figures) -> None:
    figure = figures["Two"]
    figure.evaluate(_ANNOUNCEMENTS)
    for _ in range(20):
        controls(figure)["n"].press("ArrowLeft")
    wait_until_drawn(figure)
    figure.page.wait_for_timeout(900)
    assert figure.page.evaluate("() => window.announced") == 1
    canvas = figure.locator("canvas").first
    canvas.focus()
    canvas.press("ArrowRight")
    figure.page.wait_for_timeout(900)
    assert figure.page.evaluate("() => window.announced") == 2  # the value, and not the sentence again
    canvas.blur()


def test_the_accessibility_tree_names_panels_controls_and_tables(figures) -> None:
    figure = figures["Two"]
    assert figure.get_by_role("application", name="Curves", exact=True).count() == 1
    described = figure.locator("canvas").first.evaluate(
        "(canvas) => document.getElementById(canvas.getAttribute('aria-describedby')).textContent"
    )
    assert "Arrow keys" in described
    assert figure.get_by_role("slider", name="n", exact=True).count() == 1
    summaries = figure.page.locator(f"{NOTEBOOK} .live-figure summary").all_text_contents()
    assert len(set(summaries)) == len(summaries) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_visible_in_forced_colours(lab: Lab, figures, scheme) -> None:
    lab.page.emulate_media(forced_colors="active", color_scheme=scheme)
    lab.page.wait_for_timeout(400)
    figure = figures["Two"]
    wanted = figure.evaluate("(root) => getComputedStyle(root).color.match(/\\d+/g).slice(0, 3).map(Number)")
    paper = figure.evaluate("(root) => getComputedStyle(root).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert abs(sum(wanted) - sum(paper)) > 300
    data = figure.locator("canvas").first.evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )
    pixels = np.array(data).reshape(-1, 4)
    text = (np.abs(pixels[:, :3] - wanted).sum(axis=1) < 30) & (pixels[:, 3] > 200)
    lab.page.emulate_media(forced_colors="none", color_scheme="light")
    assert text.sum() > 200


def test_a_change_of_the_pixel_ratio_sharpens_the_canvas(lab: Lab, figures) -> None:
    canvas = figures["Two"].locator("canvas").first
    ratio = "(canvas) => canvas.width / canvas.clientWidth"
    assert canvas.evaluate(ratio) == pytest.approx(1, abs=0.01)
    session = lab.page.context.new_cdp_session(lab.page)
    # Chromium tells pages of an emulated ratio when the size changes, too; the width stays.
    metrics = {"width": 1280, "height": 900, "deviceScaleFactor": 2, "mobile": False}
    session.send("Emulation.setDeviceMetricsOverride", metrics)
    lab.page.wait_for_timeout(500)
    assert canvas.evaluate(ratio) == pytest.approx(2, abs=0.02)
    session.send("Emulation.setDeviceMetricsOverride", metrics | {"height": 1000, "deviceScaleFactor": 1})
    lab.page.wait_for_timeout(300)

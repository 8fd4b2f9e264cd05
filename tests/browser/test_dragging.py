"""Marks dragged on the picture by mouse, finger and keyboard, and values marked in every panel."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Locator, expect

from tests.browser.lab import NOTEBOOK, Lab, box_of, controls, open_cells, state, wait_until_drawn

SOURCE = """import math
from helpers import *

@live("Tip", degrees=Slider(0, 360, 60, step=5), length=Slider(0.5, 2.0, 1.5, step=0.1))
def tip(degrees, length):
    angle = math.radians(degrees)
    drag = {1: Drag(angle="degrees", radius="length", radians=math.pi / 180)}
    tips = [[1, 0], [length * math.cos(angle), length * math.sin(angle)]]
    picture = arrows(tips, labels=["fixed", "yours"], title="Two", limits=(-2, 2), drag=drag)
    curve = lines(range(361), cursor=degrees, drag="degrees", title="Curve", x="degrees", y="y")
    return [picture, curve], f"{degrees} degrees, length {length:.1f}."

@live("Row", n=Slider(0, 59, 20), base=LogSlider(10, 1000, 100))
def row(n, base):
    table = [[i * j / base for i in range(40)] for j in range(60)]
    whole = heatmap(table, rows=[n], drag="n", title="Table", x="column", y="row")
    names = heatmap(table[:3], y_labels=["a", "b", "c"], title="Named", x="column", y="row")
    return [whole, lines(table[n], title="Line", x="column", y="y"), names], f"Row {n} ends with {table[n][-1]:.2f}."
"""
_ANNOUNCEMENTS = """(root) => {
  window.announced = 0;
  for (const region of root.querySelectorAll("[role=status]")) {
    new MutationObserver(() => window.announced++).observe(region, { childList: true, characterData: true });
  }
}"""


@pytest.fixture(scope="module")
def lab(touch_screen: Lab, folder: Path) -> Lab:
    open_cells(touch_screen, folder, "dragging", [SOURCE])
    return touch_screen


@pytest.fixture
def figure_of(lab: Lab) -> Iterator[Callable[[str], Locator]]:
    """A function that finds a figure by its title, with its controls at their defaults."""

    def find(title: str) -> Locator:
        figure = lab.page.locator(f"{NOTEBOOK} section.live-figure[aria-label={title}]")
        figure.get_by_role("button", name="Reset").click()
        wait_until_drawn(figure)
        figure.locator("canvas").first.scroll_into_view_if_needed()
        return figure

    yield find
    assert lab.errors == []


def _middle(box: FloatRect) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _number(figure: Locator, label: str) -> float:
    return float(figure.get_by_role("spinbutton", name=f"{label}, as a number").input_value())


def _unit(figure: Locator) -> tuple[tuple[float, float], float]:
    """The pixel of the origin and the pixels a unit, from the places of two handles of the tip."""
    handle = figure.locator(".live-handle").first
    x, y = _middle(box_of(handle))
    angle, length = math.radians(_number(figure, "degrees")), _number(figure, "length")
    controls(figure)["length"].press("Home")  # 0.5
    wait_until_drawn(figure)
    x0, y0 = _middle(box_of(handle))
    unit = math.hypot(x - x0, y - y0) / (length - 0.5)
    return (x - length * unit * math.cos(angle), y + length * unit * math.sin(angle)), unit


def _tip_at(figure: Locator, degrees: float, length: float) -> tuple[float, float]:
    (x, y), unit = _unit(figure)
    angle = math.radians(degrees)
    return x + length * unit * math.cos(angle), y - length * unit * math.sin(angle)


def test_a_tip_is_dragged_by_mouse_and_the_sliders_follow(lab: Lab, figure_of) -> None:
    figure = figure_of("Tip")
    x, y = _tip_at(figure, 152, 1.24)
    mouse = lab.page.mouse
    mouse.move(*_middle(box_of(figure.locator(".live-handle").first)))
    mouse.down()
    mouse.move(x, y, steps=12)
    shown = wait_until_drawn(figure)
    assert (_number(figure, "degrees"), _number(figure, "length")) == (150, 1.2)
    assert shown["sentence"] == "150 degrees, length 1.2."
    assert figure.get_by_role("slider", name="degrees", exact=True).get_attribute("aria-valuetext") == "150"
    mouse.move(x, y - 2000, steps=12)  # beyond the range of the length
    wait_until_drawn(figure)
    assert _number(figure, "length") == 2.0
    mouse.up()
    before = wait_until_drawn(figure)
    mouse.move(x, y)
    assert wait_until_drawn(figure)["sentence"] == before["sentence"]  # released


def test_a_tip_is_dragged_by_finger_and_the_page_does_not_scroll(lab: Lab, figure_of) -> None:
    figure = figure_of("Tip")
    x, y = _tip_at(figure, 240, 1.5)
    start = _middle(box_of(figure.locator(".live-handle").first))
    top = box_of(figure)["y"]
    session = lab.page.context.new_cdp_session(lab.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    touch("touchStart", start)
    for share in range(1, 11):
        across, down = (a + (b - a) * share / 10 for a, b in zip(start, (x, y), strict=True))
        touch("touchMove", (across, down))
    touch("touchEnd")
    wait_until_drawn(figure)
    assert (_number(figure, "degrees"), _number(figure, "length")) == (240, 1.5)
    assert box_of(figure)["y"] == top


def test_a_tip_is_moved_by_keyboard_and_its_values_are_announced(lab: Lab, figure_of) -> None:
    figure = figure_of("Tip")
    handle = figure.get_by_role("slider", name="degrees and length, in the picture “Two”", exact=True)
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        handle.press(key)
    assert wait_until_drawn(figure)["sentence"] == "70 degrees, length 1.4."
    assert handle.get_attribute("aria-valuetext") == "70, 1.4"
    assert _number(figure, "degrees") == 70 and _number(figure, "length") == 1.4
    handle.press("End")
    assert wait_until_drawn(figure)["sentence"].startswith("360 degrees")
    snapshot = figure.aria_snapshot()
    assert 'slider "degrees and length, in the picture “Two”"' in snapshot
    assert 'slider "degrees, in the picture “Curve”"' in snapshot


def test_a_cursor_and_a_row_are_dragged_within_the_range_of_their_controls(lab: Lab, figure_of) -> None:
    figure = figure_of("Tip")
    handle = figure.get_by_role("slider", name="in the picture “Curve”")
    x, y = _middle(box_of(handle))
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 60, y - 40, steps=5)
    moved = wait_until_drawn(figure)["sentence"]
    lab.page.mouse.move(x + 3000, y, steps=3)
    lab.page.mouse.up()
    assert wait_until_drawn(figure)["sentence"].startswith("360 degrees") and not moved.startswith(("60 ", "360 "))

    figure = figure_of("Row")
    handle = figure.locator(".live-handle")
    x, y = _middle(box_of(handle))
    canvas = box_of(figure.locator("canvas").first)
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x, y + 0.25 * canvas["height"], steps=5)
    wait_until_drawn(figure)
    assert 30 < _number(figure, "n") < 45
    lab.page.mouse.move(x, canvas["y"] - 300, steps=3)
    lab.page.mouse.up()
    assert wait_until_drawn(figure)["sentence"].startswith("Row 0 ")
    handle.press("ArrowDown")
    assert wait_until_drawn(figure)["sentence"].startswith("Row 1 ")


def test_the_handle_follows_the_slider(figure_of) -> None:
    figure = figure_of("Row")
    before = box_of(figure.locator(".live-handle"))["y"]
    controls(figure)["n"].press("End")
    wait_until_drawn(figure)
    assert box_of(figure.locator(".live-handle"))["y"] > before + 50


def test_a_drag_on_the_picture_is_announced_once(lab: Lab, figure_of) -> None:
    figure = figure_of("Row")
    lab.page.wait_for_timeout(900)
    figure.evaluate(_ANNOUNCEMENTS)
    x, y = _middle(box_of(figure.locator(".live-handle")))
    lab.page.mouse.move(0, 0)
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    for step in range(20):
        lab.page.mouse.move(x, y + 3 * step)
    lab.page.mouse.up()
    wait_until_drawn(figure)
    lab.page.mouse.move(0, 0)
    lab.page.wait_for_timeout(900)
    sentence = state(figure)["sentence"]
    said = figure.locator("[role=status]").evaluate_all("(all) => all.map((each) => each.textContent)")
    assert said[0] == sentence
    assert lab.page.evaluate("() => window.announced") == 1


def test_the_item_at_the_pointer_is_marked_in_all_panels(lab: Lab, figure_of) -> None:
    figure = figure_of("Row")
    pictures = "(all) => all.map((canvas) => canvas.toDataURL())"
    canvases = figure.locator("canvas")
    lab.page.mouse.move(0, 0)
    wait_until_drawn(figure)
    plain = canvases.evaluate_all(pictures)
    box = box_of(canvases.first)
    lab.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"])
    wait_until_drawn(figure)
    marked = canvases.evaluate_all(pictures)
    assert all(one != other for one, other in zip(plain, marked, strict=True))
    lab.page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.3 * box["height"])
    wait_until_drawn(figure)
    assert all(one != other for one, other in zip(marked, canvases.evaluate_all(pictures), strict=True))
    lab.page.mouse.move(0, 0)
    wait_until_drawn(figure)
    assert canvases.evaluate_all(pictures) == plain


def test_long_tables_are_shown_in_parts(figure_of) -> None:
    figure = figure_of("Row")
    figure.locator("summary").click()
    table = figure.locator(".live-table").first
    expect(table.get_by_role("row")).to_have_count(21)  # it is filled after the click
    expect(table.get_by_role("columnheader")).to_have_count(13)
    assert table.locator("caption").inner_text() == "Table (20 of 60 rows; 12 of 40 columns)"
    table.get_by_label("Rows of “Table”").select_option("40 to 59")
    table.get_by_label("Columns of “Table”").select_option("36 to 39")
    last = table.get_by_role("row").last
    assert last.locator("th").inner_text() == "59"
    assert last.get_by_role("cell").last.inner_text() == "23.01"  # 59 · 39 / 100
    controls(figure)["base"].press("End")  # the part stays when the numbers change
    wait_until_drawn(figure)
    assert table.get_by_role("row").last.get_by_role("cell").last.inner_text() == "2.301"
    named = figure.locator(".live-table").nth(2)
    assert not named.get_by_label("Rows of").is_visible() and named.get_by_label("Columns of").is_visible()
    figure.locator("summary").click()

"""Live figures in a browser: errors, skipped values, cached pictures, reading values, and agreement of renderers."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from playwright.sync_api import Browser, BrowserContext, Locator

from helpers import Slider, arrows, bars, heatmap, lines, live, points
from helpers.figures import static, theme
from helpers.figures.live import LiveFigure, _View
from tests.browser.lab import NOTEBOOK, Lab, box_of, controls, open_cells, state, wait_until_drawn
from tests.browser.test_lessons import _by_keyboard, _by_mouse, drive

SOURCES = [
    "import time\nfrom helpers import *",
    """@live("Kinds", n=Slider(1, 9, 4), sign=Toggle(False))
def kinds(n, sign):
    values = [[i * j * (-1 if sign else 1) for i in range(4)] for j in range(n)]
    return [heatmap(values, title="Table", x="i", y="j"), bars(values[-1], title="Last row", x="i", y="value"),
            points([[n, 1], [2, 2]], labels=["moving", "resting"], title="Points")], f"{n} rows, the last {values[-1]}."
""",
    """@live("Trouble", n=Slider(0, 9, 3))
def trouble(n):
    if n == 9:
        raise ZeroDivisionError("nine is too much")
    return [bars([1, n], title="Bars")], f"The second bar is {n} high."
""",
    """@live("Dead", n=Slider(0, 9, 3))
def dead(n):
    return [bars([1, 2], title="Bars")], f"{n}"
""",
    """@live("Slow", pure=False, n=Slider(0, 99, 50))
def slow(n):
    time.sleep(6 if n == 7 else 0.05)
    return [bars([1, n], title="Bars")], f"The second bar is {n} high."
""",
    """@live("Shared", pure=False, n=Slider(0, 99, 50))
def shared(n):
    time.sleep(1)
    return [bars([1, n], title="Bars")], f"The second bar is {n} high."
""",
    """data = [1, 2]
@live("State", pure=False, n=Slider(0, 9, 3))
def reads(n):
    return [bars([*data, n], title="Bars")], f"{data} and {n}."
""",
]


@pytest.fixture(scope="module")
def lab(desk: Lab, folder: Path) -> Lab:
    """One page for all tests; each has a figure of its own or leaves it as it was."""
    open_cells(desk, folder, "figures", SOURCES)
    return desk


@pytest.fixture
def figure_of(lab: Lab) -> Iterator[Callable[[str], Locator]]:
    """A function that finds a figure by its title; no test may leave a JavaScript error behind."""
    yield lambda title: lab.page.locator(f"{NOTEBOOK} section.live-figure[aria-label={title}]").first
    assert lab.errors == []


def test_a_control_without_effect_is_noticed(figure_of) -> None:
    dead = figure_of("Dead")
    with pytest.raises(AssertionError, match="never changes a pixel"):
        drive(dead, "n", controls(dead)["n"], _by_keyboard(controls(dead)["n"]))


def test_an_error_while_controls_are_moved_is_noticed(figure_of) -> None:
    trouble = figure_of("Trouble")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        drive(trouble, "n", controls(trouble)["n"], _by_mouse(controls(trouble)["n"]))


def test_an_error_is_shown_below_the_last_picture_until_the_next_valid_value(figure_of) -> None:
    trouble = figure_of("Trouble")
    slider = controls(trouble)["n"]
    slider.focus()
    slider.press("Home")
    good = wait_until_drawn(trouble)
    slider.press("End")
    trouble.locator(".live-error").wait_for()
    bad = state(trouble)
    assert bad["pixels"] == good["pixels"] and bad["sentence"] == good["sentence"]
    assert "ZeroDivisionError: nine is too much" in bad["error"] and "raise ZeroDivisionError" in bad["error"]
    slider.press("ArrowLeft")
    mended = wait_until_drawn(trouble, bad)
    assert mended["error"] == "" and mended["sentence"] == "The second bar is 8 high."


def test_intermediate_values_are_skipped_and_the_last_one_is_shown(figure_of) -> None:
    slow = figure_of("Slow")
    before = state(slow)["draws"]
    controls(slow)["n"].evaluate(
        """(input) => { for (let i = 0; i < 100; i++) { input.value = i; input.dispatchEvent(new Event("input")); } }"""
    )
    slow.get_by_text("The second bar is 99 high.").first.wait_for()
    assert wait_until_drawn(slow)["draws"] - before <= 5


def test_a_late_reply_is_shown_and_removes_the_notice(figure_of) -> None:
    slow = figure_of("Slow")
    controls(slow)["n"].fill("7")
    slow.locator(".live-error", has_text="The kernel does not answer").wait_for()
    slow.get_by_text("The second bar is 7 high.").first.wait_for()
    assert wait_until_drawn(slow)["error"] == ""


def test_a_late_reply_does_not_replace_the_reply_to_a_newer_request(figure_of) -> None:
    slow = figure_of("Slow")
    controls(slow)["n"].fill("7")
    slow.locator(".live-error", has_text="The kernel does not answer").wait_for()
    controls(slow)["n"].fill("8")
    slow.get_by_text("The second bar is 8 high.").first.wait_for()
    assert wait_until_drawn(slow)["error"] == ""


def test_two_views_of_a_figure_are_independent(lab: Lab, figure_of) -> None:
    original = figure_of("Slow")
    lab.page.evaluate(
        """() => {
          const { content } = window.jupyterapp.shell.currentWidget;
          const sources = content.widgets.map((cell) => cell.model.sharedModel.source);
          content.activeCellIndex = sources.findIndex((source) => source.includes('"Slow"'));
        }"""
    )
    lab.command("notebook:create-output-view")
    views = lab.page.locator("section.live-figure[aria-label=Slow]")
    lab.page.wait_for_function("() => document.querySelectorAll('section.live-figure[aria-label=Slow]').length === 2")
    moved = views.evaluate_all(
        """(roots) => roots.map((root, i) => {
          const input = root.querySelector("input");
          input.value = 20 + i;
          input.dispatchEvent(new Event("input"));
          return input.value;
        })"""
    )
    for view, value in zip(views.all(), moved, strict=True):
        view.locator(".live-sentence", has_text=f"The second bar is {value} high.").wait_for(state="attached")
        assert wait_until_drawn(view)["sentence"] == f"The second bar is {value} high."
    lab.page.evaluate(
        """() => [...window.jupyterapp.shell.widgets("down")]
            .find((widget) => widget.node.querySelector(".jp-LinkedOutputView")).dispose()"""
    )
    original.wait_for()


_SHOW = """async (source) => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.model.sharedModel.insertCell(content.model.cells.length, { cell_type: "code", source });
  content.activeCellIndex = content.widgets.length - 1;
  await window.jupyterapp.commands.execute("notebook:run-cell");
}"""


def test_two_tabs_with_one_kernel_are_independent(lab: Lab, figure_of, shared: BrowserContext, address: str) -> None:
    """Both tabs show the same figure, ask at the same time, and each shows the picture of its own slider."""
    other = Lab(shared, address)
    try:
        other.open("figures.ipynb")
        other.page.evaluate(_SHOW, "shared")
        figures = [figure_of("Shared"), other.page.locator(f"{NOTEBOOK} section.live-figure[aria-label=Shared]")]
        figures[1].locator("canvas").first.wait_for()
        for turn in range(2):
            wanted = [30 + turn, 40 + turn]
            for figure, value in zip(figures, wanted, strict=True):
                controls(figure)["n"].fill(str(value))  # neither waits for the answer of the other
            for figure, value in zip(figures, wanted, strict=True):
                wait_until_drawn(figure)
                figure.page.wait_for_timeout(1500)
                assert wait_until_drawn(figure)["sentence"] == f"The second bar is {value} high."
        assert other.errors == []
    finally:
        other.page.close()  # the kernel is that of the first tab


# On a busy computer the two seconds that anywidget gives a module to load are over before it has loaded.
_LATE = """() => {
  const { timeout } = AbortSignal;
  AbortSignal.timeout = () => timeout.call(AbortSignal, 0);
  const { createObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    if (blob.type !== "text/javascript") return createObjectURL.call(URL, blob);
    const wait = new Blob(["await new Promise((done) => setTimeout(done, 500));\\n", blob], { type: blob.type });
    return createObjectURL.call(URL, wait);
  };
}"""


def test_a_figure_whose_module_loads_late_hears_the_kernel(browser: Browser, address: str, folder: Path) -> None:
    lab = Lab(browser, address)
    open_cells(lab, folder, "late", SOURCES[:1])
    lab.page.evaluate(_LATE)
    lab.page.evaluate(_SHOW, SOURCES[2])
    figure = lab.page.locator(f"{NOTEBOOK} .live-figure")
    figure.wait_for()
    controls(figure)["n"].press("ArrowRight")
    figure.locator(".live-sentence", has_text="The second bar is 4 high.").wait_for()
    assert lab.late, "the module was not late"
    lab.close()


def test_values_are_read_with_the_arrow_keys(figure_of) -> None:
    canvas = figure_of("Kinds").locator("canvas").first
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown"):
        canvas.press(key)
    assert figure_of("Kinds").locator(".live-reading").text_content() == "j 2, i 2: 4"


def test_all_values_are_listed_in_a_table(figure_of) -> None:
    kinds = figure_of("Kinds")
    kinds.locator("summary").click()
    kinds.locator(".live-tables td").first.wait_for()
    cells = kinds.locator(".live-tables table").first.locator("tbody tr").last.locator("th, td").all_inner_texts()
    assert cells == ["3", "0", "3", "6", "9"]
    kinds.locator("summary").click()


def test_a_control_is_labelled_and_its_result_announced_once_it_rests(figure_of) -> None:
    kinds = figure_of("Kinds")
    slider = controls(kinds)["n"]
    assert slider.evaluate("(input) => input.labels[0].textContent") == "n"
    slider.press("ArrowRight")
    kinds.locator("[role=status]", has_text="5 rows").wait_for(state="attached")
    slider.press("ArrowLeft")
    wait_until_drawn(kinds)


def test_a_figure_is_redrawn_when_its_data_change(lab: Lab, figure_of) -> None:
    lab.execute("data[0] = 7; reads.refresh()")
    figure_of("State").get_by_text("[7, 2] and 3.").first.wait_for()


def test_the_projector_enlarges_existing_figures(lab: Lab, figure_of) -> None:
    canvas = figure_of("Dead").locator("canvas").first
    width = box_of(canvas)["width"]
    lab.execute("projector()")
    lab.page.wait_for_timeout(500)
    assert abs(box_of(canvas)["width"] / width - 1.5) < 0.01
    lab.execute("projector(False)")


def test_without_a_kernel_cached_pictures_are_shown_and_others_are_reported_missing(lab: Lab, figure_of) -> None:
    kinds, slow = figure_of("Kinds"), figure_of("Slow")
    controls(kinds)["n"].focus()
    lab.page.wait_for_timeout(1500)
    lab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")  # the last test
    lab.page.wait_for_timeout(500)
    controls(kinds)["n"].press("ArrowRight")
    kinds.get_by_text("5 rows").first.wait_for()
    controls(slow)["n"].press("ArrowLeft")
    slow.locator(".live-error", has_text="The kernel does not answer").wait_for()


# ---------------------------------------------------------------- two renderers of the same marks

PANELS = {
    "heatmap": heatmap([[0.0, 1.0, 2.0], [2.0, 0.5, 1.5]], title="t", mask=[[0, 0, 0], [0, 0, 1]]),
    "lines": lines({"up": [0.0, 1.0, 2.0], "down": [2.0, 1.5, 0.0]}, title="t", limits=(-1, 4)),
    "points": points([[0.0, 0.0], [1.0, 1.0], [2.0, 0.5]], groups=[0, 1, 2], title="t"),
    "arrows": arrows([[2.0, 1.0], [-1.0, 1.5]], title="t"),
    "bars": bars([1.0, -2.0, 3.0], highlight=[2], title="t"),
}
# Data coordinates, and the colour that stands there: a series, a map's value, or None for bare paper.
EXPECTED: dict[str, list[tuple[tuple[float, float], float | str | None]]] = {
    "heatmap": [((0.5, 0.5), 0.0), ((1.5, 0.5), 1.0), ((2.5, 0.5), 2.0), ((0.5, 1.5), 2.0), ((1.5, 1.5), 0.5)],
    "lines": [((1.0, 1.0), theme.SERIES[0]), ((0.05, 1.975), theme.SERIES[1]), ((0.5, -0.5), None)],
    "points": [((0, 0), theme.SERIES[0]), ((1, 1), theme.SERIES[1]), ((2, 0.5), theme.SERIES[2]), ((0.1, 0.9), None)],
    "arrows": [((1.0, 0.5), theme.SERIES[0]), ((-0.5, 0.75), theme.SERIES[1]), ((1.5, 1.4), None)],
    "bars": [((0, 0.5), theme.SERIES[0]), ((1, -1.0), theme.SERIES[0]), ((2, 1.5), theme.ACCENT), ((0, 2.5), None)],
}
_SAMPLE = """async ([code, message, buffers, spec, places]) => {
  const { decode, drawPanel } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const views = buffers.map((text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer));
  const panel = decode(message, views).panels[0];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = spec.size;
  const context = canvas.getContext("2d");
  const theme = { dark: false, text: "#202020", faint: "#8a8a8a", paper: "#fff", empty: "#e2e2e2", family: "serif" };
  const frame = drawPanel(context, panel, spec, theme, ...spec.size, spec.font);
  return places.map(([x, y]) => {
    const data = context.getImageData(Math.round(frame.sx(x)) - 2, Math.round(frame.sy(y)) - 2, 5, 5).data;
    return Array.from({ length: 25 }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]);
  });
}"""


def _colour(panel, expected) -> list[int] | None:
    if expected is None:
        return None
    if isinstance(expected, str):
        return [int(expected[i : i + 2], 16) for i in (1, 3, 5)]
    low, high = panel.extent()[1]
    return theme.colour_table(theme.SEQUENTIAL)[round((expected - low) / (high - low) * 254)]


def _stands(samples: np.ndarray, wanted: list[int] | None) -> bool:
    """Whether the wanted colour is among the pixels, or, for None, whether all of them are paper."""
    if wanted is None:
        return bool(((samples[:, 3] < 20) | (samples[:, :3].min(axis=1) > 200)).mean() > 0.6)
    return bool(((np.abs(samples[:, :3] - wanted).sum(axis=1) < 40) & (samples[:, 3] > 200)).any())


@pytest.fixture(scope="module")
def blank_page(browser):
    page = browser.new_page()
    page.goto("about:blank")
    yield page
    page.close()


@pytest.mark.parametrize("kind", PANELS)
def test_both_renderers_draw_the_same_colours_at_the_same_positions(blank_page, kind: str) -> None:
    panel = PANELS[kind]
    figure: LiveFigure = live(f"Parity {kind}", n=Slider(0, 1, 0))(lambda n: ([panel], f"{n}"))
    message = figure.draw({})
    buffers = [base64.b64encode(each).decode() for each in message.pop("buffers")]
    places = [place for place, _ in EXPECTED[kind]]
    canvas = np.array(blank_page.evaluate(_SAMPLE, [str(_View._esm), message, buffers, figure.widget.spec, places]))

    drawn = static.draw(figure._fixed([panel]), figure._limits([panel]))
    assert isinstance(drawn.canvas, FigureCanvasAgg)
    drawn.canvas.draw()
    pixels = np.asarray(drawn.canvas.buffer_rgba()).astype(int)
    axes = drawn.axes[0]
    for number, (place, expected) in enumerate(EXPECTED[kind]):
        wanted = _colour(panel, expected)
        column, row = axes.transData.transform(place)
        row = pixels.shape[0] - row
        around = pixels[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3].reshape(-1, 4)
        assert _stands(canvas[number], wanted), f"canvas, {kind} at {place}"
        assert _stands(around, wanted), f"still, {kind} at {place}"
        if wanted is not None:  # and the test can fail
            assert not _stands(canvas[number], [(part + 128) % 256 for part in wanted])

"""Live figures: messages, errors, limits, and the stored output."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.text import Text
from traitlets.config import Config

from helpers import Choice, Drag, LogSlider, Slider, Toggle, arrows, bars, heatmap, lines, live, points, projector
from helpers.exercises.quiz import QuizView
from helpers.figures import static, theme
from helpers.figures.live import EXACT_CELLS, LiveFigure, _View
from helpers.figures.static import still_html


@live("Powers", top=Slider(1, 9, 4), sign=Toggle(False))
def powers(top, sign):
    if top == 9:
        raise ZeroDivisionError("nine is too much")
    values = [n**2 * (-1 if sign else 1) for n in range(top + 1)]
    return [lines(values, title="Squares", x="number", y="square")], f"The last square is {values[-1]}."


@pytest.fixture
def sent(monkeypatch):
    messages = []
    monkeypatch.setattr(powers.widget, "send", lambda content, buffers=(): messages.append((content, list(buffers))))
    return messages


def test_a_draw_request_is_answered_with_the_picture_of_its_values(sent) -> None:
    powers._receive(None, {"type": "draw", "id": 7, "values": {"top": 3, "sign": True}}, [])
    (content, buffers), *others = sent
    assert not others and content["id"] == 7 and content["sentence"] == "The last square is \u22129."
    array = content["panels"][0]["arrays"]["y"]
    assert np.frombuffer(buffers[array["buffer"]], array["type"]).reshape(array["shape"]).tolist() == [[0, -1, -4, -9]]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize("view", [_View, QuizView])
def test_a_script_is_a_module_that_needs_no_other_file(view: type[_View] | type[QuizView], tmp_path: Path) -> None:
    script = tmp_path / "script.mjs"
    script.write_text(str(view._esm), encoding="utf-8")
    code = "import(process.argv[1]).then((module) => console.log(typeof module.default.render))"
    done = subprocess.run(["node", "--eval", code, script.as_uri()], capture_output=True, text=True)
    assert done.stdout == "function\n", done.stderr


@pytest.mark.parametrize("values", [None, 3, {"top": "x", "sign": "maybe"}, {"unknown": 1}, {"top": float("nan")}])
def test_invalid_values_in_a_request_are_replaced(sent, values) -> None:
    powers._receive(None, {"type": "draw", "id": 1, "values": values}, [])
    assert sent[0][0]["sentence"] == "The last square is 16."


@pytest.mark.parametrize("content", [None, "draw", {}, {"type": "other"}])
def test_other_messages_get_no_reply(sent, content) -> None:
    powers._receive(None, content, [])
    assert sent == []


def test_an_error_names_the_line_of_the_figure(sent) -> None:
    powers._receive(None, {"type": "draw", "id": 2, "values": {"top": 9}}, [])
    content = sent[0][0]
    assert content["error"] == "ZeroDivisionError: nine is too much" and "panels" not in content
    assert re.match(r'line \d+: raise ZeroDivisionError\("nine is too much"\)', content["line"])


def test_limits_do_not_change_with_the_controls() -> None:
    spans = {
        tuple(map(tuple, powers.draw({"top": top, "sign": sign})["panels"][0]["limits"]))
        for top in (1, 4)
        for sign in (0, 1)
    }
    assert len(spans) == 1
    (_, (low, high)) = spans.pop()
    assert low < -16 and high > 16


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "must return"),
        (([], "text"), "one panel or more"),
        (([bars([1], title="t")], "  "), "a sentence"),
        (([bars([1])], "text"), "needs a title"),
        (([1], "text"), "one panel or more"),
    ],
)
def test_a_figure_without_panels_or_sentence_raises(result, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        live("Wrong", n=Slider(0, 1, 0))(lambda n: result)


def test_arguments_that_are_no_controls_are_refused() -> None:
    with pytest.raises(TypeError, match="n must be a Slider"):
        live("Wrong", n=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no control"):
        powers(bottom=1)


@pytest.mark.parametrize("control", [Toggle(), Choice("a", "b")])
def test_dragging_other_controls_than_sliders_is_refused(control) -> None:
    with pytest.raises(TypeError, match=r"'t' drags \['k'\], which is no slider of 'Wrong': \['n'\]"):
        live("Wrong", n=Slider(0, 1, 0), k=control)(
            lambda n, k: ([arrows([[1, 1]], title="t", drag={0: Drag(x="n", y="k")})], f"{n}")
        )


def test_messages_describe_draggable_marks() -> None:
    @live("Drags", n=Slider(0, 2, 1), base=LogSlider(1, 100, 10))
    def drags(n, base):
        table = heatmap([[1, 2], [3, 4], [5, 6]], rows=[n], drag="n", title="t")
        tips = arrows([[1, 0], [0, 1]], drag={1: Drag(angle="n", radius="base", radians=0.5)}, title="t")
        return [table, lines([1, 2, 3], cursor=n, drag="n", title="t"), tips], f"{n} {base}"

    table, curve, tips = (panel["options"]["drag"] for panel in drags.draw({})["panels"])
    nothing = {"x": None, "y": None, "angle": None, "radius": None, "radians": 1.0}
    assert table == [{"mark": 0} | nothing | {"y": "n"}] and curve == [{"mark": 0} | nothing | {"x": "n"}]
    assert tips == [{"mark": 1} | nothing | {"angle": "n", "radius": "base", "radians": 0.5}]


def test_a_large_table_is_sent_compactly_and_precisely() -> None:
    values = np.random.default_rng(0).normal(size=(512, 768))

    @live("Large", n=Slider(0, 1, 0))
    def large(n):
        return [heatmap(values, title="t")], f"{n}"

    message = large.draw({})
    assert sum(map(len, message["buffers"])) < 150_000
    small = np.linspace(0, 1, EXACT_CELLS).reshape(100, -1)
    exact = live("Small", n=Slider(0, 1, 0))(lambda n: ([heatmap(small, title="t")], f"{n}")).draw({})
    assert np.allclose(np.frombuffer(exact["buffers"][0], "float32"), small.ravel(), atol=1e-7)


def test_running_a_cell_again_replaces_its_figure() -> None:
    def again(n):
        return [bars([n + 1], title="t")], f"{n}"

    before = len(LiveFigure.instances)
    for _ in range(3):
        live("Again", n=Slider(0, 1, 0))(again)
    assert len(LiveFigure.instances) == before + 1


def test_refresh_sends_a_message(monkeypatch) -> None:
    state = {"n": 1}
    figure = live("State", pure=False, k=Slider(0, 1, 0))(
        lambda k: ([bars([state["n"]], title="t")], f"{state['n'] + k}")
    )
    messages = []
    monkeypatch.setattr(figure.widget, "send", lambda content, buffers=(): messages.append(content))
    state["n"] = 5
    figure.refresh()
    assert messages == [{"type": "stale"}] and figure()[1] == "5" and figure.widget.spec["pure"] is False


def test_projector_enlarges_every_figure() -> None:
    try:
        projector()
        assert powers.widget.scale == 1.5
        large = matplotlib.image.imread(io.BytesIO(powers.still()[0])).shape
    finally:
        projector(False)
    small = matplotlib.image.imread(io.BytesIO(powers.still()[0])).shape
    assert powers.widget.scale == 1.0 and large[0] == 1.5 * small[0] and large[1] == 1.5 * small[1]


def test_a_cell_shows_a_still_with_its_sentence_and_then_the_widget_alone() -> None:
    InteractiveShell.instance(config=Config())
    with capture_output(stdout=False, stderr=False) as caught:
        powers._ipython_display_()
    still, view = (output.data for output in caught.outputs)
    assert set(still) == {"text/html", "text/plain"} and set(view) == {"application/vnd.jupyter.widget-view+json"}
    assert still["text/plain"] == "The last square is 16."
    html = still["text/html"]
    assert "<figcaption><strong>Powers.</strong> The last square is 16.</figcaption>" in html
    assert re.search(r'<img alt="Line chart: Squares, square by number; values from −\d', html)
    assert html.count("The last square") == 1  # a screen reader hears it once


def test_the_still_escapes_its_sentence() -> None:
    html = still_html(b"png", "<b>", "a < b <script>", 'a < b & "c" <script>')
    assert "<script>" not in html and "<b>" not in html
    assert 'alt="a &lt; b &amp; &quot;c&quot; &lt;script&gt;"' in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The dot product is -1.72.", "The dot product is \u22121.72."),
        ("between -3 and (-.5)", "between \u22123 and (\u2212.5)"),
        ("2-D, 3-4, word2vec-1, 10-fold", "2-D, 3-4, word2vec-1, 10-fold"),
    ],
)
def test_negative_numbers_have_one_minus_sign(text: str, shown: str) -> None:
    figure = live("Minus", n=Slider(0, 1, 0))(lambda n: ([bars([1], title="t")], text))
    assert figure()[1] == shown


def _luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(("palette", "paper"), [(theme.SERIES, "#FFFFFF"), (theme.SERIES_ON_DARK, "#111111")])
def test_every_series_has_sufficient_contrast(palette, paper) -> None:
    for colour in palette:
        low, high = sorted(_luminance(each) for each in (colour, paper))
        assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_a_still_has_at_most_two_panels_per_row() -> None:
    panels = [bars([1], title=str(n)) for n in range(3)]
    two, three = (
        live("Rows", n=Slider(0, 1, 0))(lambda n, count=count: (panels[:count], f"{n}")).still()[0] for count in (2, 3)
    )
    (height, width), (taller, same) = (matplotlib.image.imread(io.BytesIO(image)).shape[:2] for image in (two, three))
    assert (same, taller) == (width, 2 * height)


def test_a_square_is_drawn_square_where_scales_are_equal() -> None:
    for equal in (True, False):
        panel = arrows([[1, 0], [0, 1]], title="t", limits=((-1, 3), (-1, 1)), equal=equal)
        figure = live("Square", n=Slider(0, 1, 0))(lambda n, panel=panel: ([panel], f"{n}"))
        drawn = static.draw([panel], figure._limits([panel]))
        drawn.canvas.draw()
        (x0, y0), (x1, y1) = drawn.axes[0].transData.transform([[0, 0], [1, 1]])
        assert bool(abs((x1 - x0) / (y1 - y0) - 1) < 0.01) is equal


def test_names_of_curves_do_not_overlap_in_the_still() -> None:
    panel = lines({name: [0, 1.0] for name in "abcd"}, title="t")
    figure = live("Names", n=Slider(0, 1, 0))(lambda n: ([panel], f"{n}"))
    drawn = static.draw([panel], figure._limits([panel]))
    drawn.canvas.draw()
    extents = (Text.get_window_extent(text) for text in drawn.axes[0].texts)  # of the text without its line
    boxes = sorted(extents, key=lambda box: box.y0)
    assert len(boxes) == 4 and all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))


def _picture(panel, **more) -> np.ndarray:
    figure = live("Still", n=Slider(0, 1, 0))(lambda n: ([panel], f"{n}"))
    return (matplotlib.image.imread(io.BytesIO(figure.still()[0]))[..., :3] * 255).round().astype(int)


def _near(picture: np.ndarray, colour: str) -> int:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(picture - wanted).sum(axis=2) < 12).sum())


def test_the_still_draws_the_colours_of_the_values() -> None:
    table = theme.colour_table(theme.SEQUENTIAL)
    picture = _picture(heatmap([[0.0, 1.0]], title="t", limits=(0, 1)))
    hexes = ["#" + "".join(f"{part:02x}" for part in table[place]) for place in (0, -1)]
    assert _near(picture, hexes[0]) > 5_000 and _near(picture, hexes[1]) > 5_000
    masked = _picture(heatmap([[0.0, 1.0]], title="t", limits=(0, 1), mask=[[True, False]]))
    assert _near(masked, hexes[0]) < 500 < _near(masked, "#dddddd")


@pytest.mark.parametrize(
    "panel",
    [
        heatmap([[0, 1], [1, 0]], title="t", rows=[1]),
        points([[0, 0], [1, 1]], labels=["a", "b"], highlight=[1], title="t"),
        bars([1, 2], highlight=[1], title="t"),
        lines([1, 2, 3], cursor=1, title="t"),
    ],
    ids=lambda panel: panel.kind,
)
def test_highlights_are_visible_in_the_still(panel) -> None:
    plain = type(panel)(**vars(panel) | {"options": panel.options | {"rows": [], "highlight": [], "cursor": None}})
    colour = theme.ACCENT if panel.kind == "bars" else "#000000"
    assert _near(_picture(panel), colour) > _near(_picture(plain), colour) + 50


def test_an_outline_hides_no_cell_in_the_still() -> None:
    """A row of a table of 128 is two pixels high."""
    table = np.zeros((128, 1))
    table[40] = 1
    colour = "#" + "".join(f"{part:02x}" for part in theme.colour_table(theme.SEQUENTIAL)[-1])
    plain, outlined = (_near(_picture(heatmap(table, rows=rows, title="t")), colour) for rows in ([], [40]))
    assert outlined == plain > 300


def test_a_cursor_hides_no_curve_in_the_still() -> None:
    peak = [0.0] * 20 + [1.0] + [0.0] * 20
    plain, read = (_near(_picture(lines(peak, cursor=cursor, title="t")), theme.SERIES[0]) for cursor in (None, 20))
    assert read == plain > 300


def test_bars_have_the_colours_of_their_curves() -> None:
    picture = _picture(bars([3, 2, 1], groups=[0, 2, 3], highlight=[1], title="t"))
    for group in (0, 2, 3):
        assert _near(picture, theme.SERIES[group]) > 1_000
    assert _near(picture, theme.ACCENT) == 0 and _near(picture, theme.SERIES[1]) == 0


def _texts(panel) -> list[str]:
    figure = live("Texts", n=Slider(0, 1, 0))(lambda n: ([panel], f"{n}"))
    axes = static.draw(figure._fixed([panel]), figure._limits([panel])).axes[0]
    return [text.get_text() for text in axes.texts] + [tick.get_text() for tick in axes.get_xticklabels()]


def test_the_still_writes_numbers_group_names_and_names_of_x() -> None:
    numbered = heatmap([[0, 1], [-2.5, 3]], numbers=True, mask=[[0, 1], [0, 0]], title="t")
    assert _texts(numbered)[:3] == ["0", "\u22122.5", "3"]
    labels, names = ["cat", "bread", "beer"], ["animals", "foods"]
    grouped = points([[0, 0], [1, 1], [1, 0]], title="t", groups=[0, 1, 1], group_names=names, labels=labels)
    assert {"animals", "foods", "cat", "beer"} <= set(_texts(grouped))
    assert _texts(lines([1, 2, 3], x_labels=["1", "2", "8"], title="t"))[-3:] == ["1", "2", "8"]


def test_labels_of_points_in_the_still_do_not_overlap() -> None:
    xy = np.random.default_rng(0).normal(size=(60, 2))
    panel = points(xy, labels=[f"word {i}" for i in range(60)], highlight=[3], title="t")
    figure = live("Crowd", n=Slider(0, 1, 0))(lambda n: ([panel], f"{n}"))
    axes = static.draw([panel], figure._limits([panel])).axes[0]
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert "word 3" in boxes and 10 < len(boxes) < 60
    frame = axes.get_window_extent()
    shown = list(boxes.values())
    for i, one in enumerate(shown):
        assert frame.x0 + 3 <= one.x0 and one.x1 <= frame.x1 - 3
        assert not any(
            one.x0 < two.x1 - 1 and two.x0 < one.x1 - 1 and one.y0 < two.y1 - 4 and two.y0 < one.y1 - 4
            for two in shown[i + 1 :]
        )


def test_an_arrow_is_drawn_in_the_still() -> None:
    assert _near(_picture(arrows([[1, 2]], labels=["up"], title="t")), theme.SERIES[0]) > 100


@pytest.mark.slow
def test_a_still_has_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib\nfrom helpers import *\n"
        "f = live('S', n=Slider(0, 3, 1), c=Choice('a', 'b'))(lambda n, c: ([bars([1, n], title=c)], f'{n}'))\n"
        "print(hashlib.sha256(f.still()[0]).hexdigest())"
    )
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(code, {})
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    digest = here.getvalue().splitlines()[-1]  # where there is a shell, the figure shows itself before
    assert there.stdout == f"{digest}\n" and len(digest) == 64, there.stderr

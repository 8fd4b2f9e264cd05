"""Still pictures: panels drawn by matplotlib for GitHub, HTML export, print and notebooks without a kernel."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle
from matplotlib.path import Path
from matplotlib.transforms import Bbox, BboxTransformTo, IdentityTransform

from helpers.figures import theme
from helpers.figures.labels import Box, LabelRequest, place_labels, spread
from helpers.figures.panels import Limits, Panel

_DPI = 100
_PANELS_PER_ROW = 2
_HALO_PT = 5.0
_HALO = [patheffects.withStroke(linewidth=_HALO_PT, foreground="white")]
_LABEL_MARGIN = 4  # px between a label and the frame
_KINDS = {
    "heatmap": "heat map",
    "lines": "line chart",
    "points": "scatter plot",
    "arrows": "arrows in a plane",
    "bars": "bar chart",
}


def draw(panels: Sequence[Panel], limits: Sequence[Limits], scale: float = 1.0) -> Figure:
    """A matplotlib figure with one axes for each panel, made without pyplot: callbacks run while cells of learners run.

    Args:
        panels: what to draw.
        limits: for each panel ``((x_low, x_high), (y_low, y_high))``; a heat map's second pair limits its colours.
        scale: 1.5 for a projector.
    """
    width, height = theme.PANEL_PX
    columns = min(len(panels), _PANELS_PER_ROW)
    rows = -(-len(panels) // columns)
    size = (width * columns * scale / _DPI, height * rows * scale / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    font = theme.FONT_PX * 0.72 * scale  # px → pt at 100 dpi
    pending: list[_AxesLabels] = []
    for number, (panel, limit) in enumerate(zip(panels, limits, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, number)
        axes.set_title(panel.title, fontsize=font, wrap=True)
        axes.set_xlabel(panel.x, fontsize=font)
        axes.set_ylabel(panel.y, fontsize=font)
        axes.tick_params(labelsize=font * 0.86)
        labels = _MARKS[panel.kind](axes, panel, limit, font * 0.86)
        if labels:
            pending.append(labels)
    if pending:
        figure.draw_without_rendering()  # computes the layout, which determines the pixels of data points
    for labels in pending:
        labels.write()
    return figure


def png(figure: Figure) -> bytes:
    """The figure as a PNG without metadata that changes from run to run."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _rounded(value: float) -> str:
    """Four significant digits, and at most three decimals."""
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.3f}".rstrip("0").rstrip(".")


def describe(panels: Sequence[Panel], limits: Sequence[Limits]) -> str:
    """A text alternative: the kind, the title, the axes and the range of each panel."""
    texts = []
    for panel, ((x_low, x_high), (y_low, y_high)) in zip(panels, limits, strict=True):
        axes = (
            f", {panel.y} by {panel.x}" if panel.x and panel.y else f", {panel.x or panel.y}" * bool(panel.x or panel.y)
        )
        spans = f"values from {_rounded(y_low)} to {_rounded(y_high)}"
        if panel.kind in ("points", "arrows"):
            spans = f"x from {_rounded(x_low)} to {_rounded(x_high)}, y from {_rounded(y_low)} to {_rounded(y_high)}"
        kind = _KINDS[panel.kind]
        texts.append(theme.minus(f"{kind[0].upper()}{kind[1:]}: {panel.title}{axes}; {spans}."))
    return " ".join(texts)


def still_html(image: bytes, title: str, sentence: str, description: str) -> str:
    """The picture as an HTML figure: the title and the sentence as its caption, the description as text alternative."""
    data = base64.b64encode(image).decode("ascii")
    return (
        f'<figure class="live-still"><img alt="{html.escape(description)}" src="data:image/png;base64,{data}">'
        f"<figcaption><strong>{html.escape(title)}.</strong> {html.escape(sentence)}</figcaption></figure>"
    )


def _heatmap(axes: Axes, panel: Panel, limit: Limits, font: float) -> None:
    values = np.ma.array(panel.data["values"], mask=panel.data.get("mask", False))
    count_y, count_x = values.shape
    low, high = limit[1]
    name = theme.DIVERGING if panel.options["signed"] else theme.SEQUENTIAL
    axes.set_facecolor("#dddddd")
    axes.patch.set_hatch("///")
    axes.patch.set_edgecolor("#999999")
    image = axes.imshow(
        values, cmap=name, vmin=low, vmax=high, aspect="auto", interpolation="nearest", extent=(0, count_x, count_y, 0)
    )
    axes.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02).ax.tick_params(labelsize=font)
    for row in panel.options["rows"]:
        axes.add_patch(_Outline(axes, Bbox([(0, row), (count_x, row + 1)])))
    for column in panel.options["cols"]:
        axes.add_patch(_Outline(axes, Bbox([(column, 0), (column + 1, count_y)])))
    if panel.options["numbers"]:
        _write_numbers(axes, values, image, font)
    axes.set(xlim=(0, count_x), ylim=(count_y, 0))
    _name_cells(axes.xaxis, panel.options["x_labels"], count_x)
    _name_cells(axes.yaxis, panel.options["y_labels"], count_y)


def _write_numbers(axes: Axes, values: np.ma.MaskedArray, image: AxesImage, font: float) -> None:
    """The value in each cell, black or white, whichever has more contrast with the cell."""
    for (row, column), value in np.ma.ndenumerate(values):
        red, green, blue, _ = np.array(image.to_rgba(value)) ** 2.2
        ink = "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "white"
        text = theme.minus(f"{value:.2f}".rstrip("0").rstrip("."))
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=font, color=ink)


class _Outline(Patch):
    """A line around cells, drawn outside of them: on their edge it would hide rows of a few pixels."""

    def __init__(self, axes: Axes, cells: Bbox) -> None:
        super().__init__(
            transform=IdentityTransform(), fill=False, edgecolor="black", lw=2, clip_on=False, path_effects=_HALO
        )
        self.set_in_layout(False)
        self._cells = cells
        self._to_pixels = axes.transData

    def get_path(self) -> Path:
        corners = self._to_pixels.transform(self._cells.get_points())
        outset = _HALO_PT / 2 * _DPI / 72  # pt → px
        box = Bbox([corners.min(axis=0) - outset, corners.max(axis=0) + outset])
        return Path.unit_rectangle().transformed(BboxTransformTo(box))


def _name_cells(axis: XAxis | YAxis, labels: list[str] | None, count: int) -> None:
    """Set ticks in the middle of cells: all names, at most 12, or at most 6 numbers."""
    step = max(1, -(-count // (12 if labels else 6)))
    shown = list(range(0, count, step))
    axis.set_ticks([i + 0.5 for i in shown], [labels[i] if labels else str(i) for i in shown])
    if labels and axis.axis_name == "x" and max(map(len, labels)) * len(shown) > 36:
        axis.set_tick_params(labelrotation=60)


def _lines(axes: Axes, panel: Panel, limit: Limits, font: float) -> None:
    xs = panel.data["x"]
    for index, (label, ys) in enumerate(zip(panel.options["labels"], panel.data["y"], strict=True)):
        dashes = theme.DASHES[index]
        axes.plot(
            xs,
            ys,
            color=theme.SERIES[index],
            lw=2,
            ls=(0, dashes) if dashes else "-",
            label=label,
            solid_capstyle="butt",
        )
        if len(xs) == 1:
            axes.plot(xs, ys, "o", color=theme.SERIES[index])
    if panel.options["cursor"] is not None:
        axes.axvline(panel.options["cursor"], color="black", lw=2, zorder=1)  # behind the curves
    axes.set(xlim=limit[0], ylim=limit[1])
    if panel.options["x_labels"]:
        axes.set_xticks(xs, panel.options["x_labels"])
    _name_curves(axes, panel, limit, font)


def _name_curves(axes: Axes, panel: Panel, limit: Limits, font: float) -> None:
    """Write the name of each curve beside its right end, connected by a line in its colour."""
    low, high = limit[1]
    named = [(index, label) for index, label in enumerate(panel.options["labels"]) if label]
    ends = [float(np.clip((panel.data["y"][index, -1] - low) / (high - low), 0, 1)) for index, _ in named]
    for (index, label), end, height in zip(named, ends, spread(ends, font * 1.9 / theme.PANEL_PX[1]), strict=True):
        line = {
            "arrowstyle": "-",
            "color": theme.SERIES[index],
            "lw": 2,
            "shrinkA": 0,
            "shrinkB": 0,
            "relpos": (0, 0.5),
        }
        axes.annotate(
            label,
            (1, end),
            (1.04, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            fontsize=font,
            va="center",
            arrowprops=line,
        )


class _AxesLabels:
    """The labels of one axes, which are placed after the layout of the figure is computed."""

    def __init__(self, axes: Axes, font: float) -> None:
        self.axes = axes
        self.font = font
        self.requests: list[tuple[str, np.ndarray, dict[str, Any]]] = []
        self.marks: list[np.ndarray] = []  # (N, 2) in data coordinates, kept free of labels

    def add(self, text: str, point: np.ndarray, *, group: int | None = None, **options: Any) -> None:
        """Add a label beside a point in data coordinates; the name of a group is drawn in a box with its mark.

        Args:
            options: ``strong`` for bold text; all others are those of :class:`LabelRequest`.
        """
        if text:
            self.requests.append((text, point, options | {"group": group}))

    def write(self) -> None:
        """Place all labels and draw those that fit."""
        pixels = self.axes.transData.transform
        frame = self.axes.get_window_extent()
        em = self.font / 0.72  # pixels at 100 dpi
        texts, requests = [], []
        for text, point, options in self.requests:
            strong, group = options.pop("strong", False), options.pop("group")
            shown = self.axes.text(0, 0, text, fontsize=self.font, weight="bold" if strong else "normal")
            shown.set(va="center", in_layout=False)
            extent = shown.get_window_extent()
            texts.append((shown, group))
            x, y = pixels(point)
            extra, height = (0.0, em * 1.1) if group is None else (em * 1.5, em * 1.5)
            requests.append(LabelRequest(x, y, extent.width + extra, height, **options))
        obstacles: list[Box] = [(x - 4, y - 4, x + 4, y + 4) for marks in self.marks for x, y in pixels(marks).tolist()]
        inside = frame.padded(-_LABEL_MARGIN).extents
        back = self.axes.transData.inverted().transform
        for (shown, group), box in zip(texts, place_labels(requests, obstacles, inside), strict=True):
            if box is None:
                shown.remove()
                continue
            left, middle = box[0], (box[1] + box[3]) / 2
            if group is not None:
                kind = group % len(theme.SHAPES)
                (x0, y0), (x1, y1), (x, y) = back([box[:2], box[2:], (left + 0.6 * em, middle)])
                edge = {"facecolor": "white", "edgecolor": theme.SERIES[kind], "lw": 1.2, "zorder": 3}
                self.axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **edge))
                self.axes.plot([x], [y], theme.SHAPES[kind], color=theme.SERIES[kind], ms=5, zorder=4)
                shown.set_zorder(4)
                left += 1.2 * em
            shown.set_position(tuple(back((left, middle))))


def _points(axes: Axes, panel: Panel, limit: Limits, font: float) -> _AxesLabels:
    xy = panel.data["xy"]
    groups = panel.data.get("groups", np.zeros(len(xy), dtype=int))
    for ends in panel.data.get("segments", ()):
        axes.plot(*ends.T, color="#888888", lw=1, zorder=1)
    for first, second in panel.options["links"]:
        axes.plot(*xy[[first, second]].T, color="#888888", lw=1, zorder=1)
    for group in sorted(map(int, np.unique(groups))):
        is_member = groups == group
        kind = group % len(theme.SHAPES)
        axes.scatter(
            xy[is_member, 0], xy[is_member, 1], s=28, color=theme.SERIES[kind], marker=theme.SHAPES[kind], zorder=2
        )
    highlight = panel.options["highlight"]
    if highlight:
        axes.scatter(
            xy[highlight, 0],
            xy[highlight, 1],
            s=150,
            facecolors="none",
            edgecolors="black",
            lw=2,
            zorder=3,
        )
    _set_plane(axes, panel, limit)
    axes_labels = _AxesLabels(axes, font)
    axes_labels.marks.append(xy)
    for group, text in enumerate(panel.options["group_names"]):
        members = xy[groups == group]
        if len(members):
            axes_labels.add(text, members.mean(axis=0), group=group, gap=2 * font, required=True, strong=True)
    labels = panel.options["labels"]
    for index in [*highlight, *(i for i in range(len(xy)) if i not in highlight)] if labels else ():
        strong = index in highlight
        axes_labels.add(labels[index], xy[index], gap=10 if strong else 6, required=strong, strong=strong)
    return axes_labels


def _arrows(axes: Axes, panel: Panel, limit: Limits, font: float) -> _AxesLabels:
    axes_labels = _AxesLabels(axes, font)
    for index, (tail, tip) in enumerate(zip(panel.data["tails"], panel.data["xy"], strict=True)):
        colour = theme.SERIES[index % len(theme.SERIES)]
        axes.annotate(
            "", tip, tail, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 0, "shrinkB": 0}
        )
        axes_labels.marks.append(tail + np.linspace(0, 1, 20)[:, None] * (tip - tail))
        if panel.options["labels"]:
            axes_labels.add(panel.options["labels"][index], tip, gap=10, required=True, toward=tuple(tip - tail))
    axes.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
    axes.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
    _set_plane(axes, panel, limit)
    return axes_labels


def _set_plane(axes: Axes, panel: Panel, limit: Limits) -> None:
    axes.set(xlim=limit[0], ylim=limit[1])
    if panel.options["equal"]:
        axes.set_aspect("equal", adjustable="box")


def _bars(axes: Axes, panel: Panel, limit: Limits, font: float) -> None:
    heights = panel.data["y"]
    groups = panel.data.get("groups")
    colours = [theme.SERIES[group % len(theme.SERIES)] for group in (groups if groups is not None else [0])]
    drawn = axes.bar(np.arange(len(heights)), heights, width=0.8, color=colours)
    for index in panel.options["highlight"]:
        if groups is None:
            drawn[index].set(facecolor=theme.ACCENT, hatch="//", edgecolor="white")
        else:
            drawn[index].set(edgecolor="black", linewidth=2.5)
    axes.axhline(0, color="#888888", lw=0.8)
    axes.set(xlim=limit[0], ylim=limit[1])
    labels = panel.options["labels"]
    if labels:
        axes.set_xticks(range(len(labels)), labels)
        if max(map(len, labels)) * len(labels) > 36:
            axes.tick_params(axis="x", labelrotation=60)


_MARKS = {"heatmap": _heatmap, "lines": _lines, "points": _points, "arrows": _arrows, "bars": _bars}

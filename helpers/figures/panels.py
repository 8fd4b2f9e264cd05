"""Panels: the data of a figure, validated when they are created.

A panel is one set of axes with one kind of mark. Both renderers (the browser's canvas and matplotlib) read the same
panels, and tests look at panels instead of pixels. Every function takes tensors, arrays or lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_CELLS = 1_000_000
MAX_NUMBERED = 400  # cells of a heat map with ``numbers``
SENT_CELLS = 100_000  # a larger heat map is subsampled before it is sent
MAX_POINTS = 20_000
MAX_SERIES = 8

Range = tuple[float, float]
Limits = tuple[Range, Range]


@dataclass(frozen=True)
class Drag:
    """The controls whose values change when a mark is dragged.

    Attributes:
        x, y: names of the controls of the mark's coordinates.
        angle, radius: instead of these, the controls of its direction and of its distance from its tail (of a point:
            from the origin).
        radians: the angle of one unit of the ``angle`` control; ``math.pi / 180`` for degrees.

    Raises:
        ValueError: no control is named, coordinates and angle are mixed, or ``radians`` is 0.
    """

    x: str | None = None
    y: str | None = None
    angle: str | None = None
    radius: str | None = None
    radians: float = 1.0

    def __post_init__(self) -> None:
        plane, polar = (self.x, self.y), (self.angle, self.radius)
        if not any(plane + polar):
            raise ValueError("Drag needs the name of a control: x, y, angle or radius")
        if any(plane) and any(polar):
            raise ValueError("Drag takes x and y, or angle and radius, not both")
        if not self.radians:
            raise ValueError("radians must not be 0: the mark would never turn")

    @property
    def controls(self) -> list[str]:
        """The names of the controls."""
        return [name for name in (self.x, self.y, self.angle, self.radius) if name]


@dataclass
class Panel:
    """One set of axes.

    Attributes:
        kind: ``heatmap``, ``lines``, ``points``, ``arrows`` or ``bars``.
        title, x, y: the panel's title and the names of its axes.
        data: the arrays of the marks by name.
        x_limits, y_limits: fixed limits of the axes; the ``y_limits`` of a heat map are those of its colours.
        options: all other properties, such as labels and highlights.
    """

    kind: str
    title: str
    x: str
    y: str
    data: dict[str, np.ndarray]
    x_limits: Range | None = None
    y_limits: Range | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def extent(self) -> Limits:
        """The span of the data, ``((x_low, x_high), (y_low, y_high))``; of a heat map, y is the span of its values."""
        if self.kind == "heatmap":
            values = self.data["values"]
            shown = values[~self.data["mask"]] if "mask" in self.data else values
            return (0.0, float(values.shape[1])), _span(shown)
        if self.kind == "lines":
            return _span(self.data["x"]), _span(self.data["y"])
        if self.kind == "bars":
            return (-0.5, len(self.data["y"]) - 0.5), _span(np.append(self.data["y"], 0.0))
        xy = np.concatenate([self.data["xy"], self.data["tails"]]) if "tails" in self.data else self.data["xy"]
        return _span(xy[:, 0]), _span(xy[:, 1])

    def same_as(self, other: Panel) -> bool:
        """Whether both panels are drawn in the same way."""
        fields = ("kind", "title", "x", "y", "x_limits", "y_limits", "options")
        return (
            all(getattr(self, name) == getattr(other, name) for name in fields)
            and self.data.keys() == other.data.keys()
            and all(np.array_equal(self.data[name], other.data[name]) for name in self.data)
        )


def heatmap(
    values: Any,
    *,
    title: str = "",
    x: str = "",
    y: str = "",
    limits: Range | None = None,
    signed: bool | None = None,
    mask: Any = None,
    rows: Sequence[int] = (),
    cols: Sequence[int] = (),
    x_labels: Sequence[str] | None = None,
    y_labels: Sequence[str] | None = None,
    numbers: bool = False,
    drag: str | None = None,
) -> Panel:
    """A table of numbers as colours, row 0 on top.

    Args:
        values: (R, C) finite numbers.
        title: title of the panel.
        x, y: names of the axes.
        limits: (low, high) of the colours; by default the same for all values of the controls.
        signed: whether to use a colour map with white at zero; by default if there are negative values.
        mask: (R, C) booleans, True for a cell that does not exist (a causal mask); such cells are hatched.
        rows, cols: rows and columns to outline.
        x_labels, y_labels: a name for each column or row, instead of numbers.
        numbers: write the value into each cell (at most 400 cells).
        drag: name of the control of the outlined row, which then can be dragged.

    Raises:
        ValueError: a NaN or infinite value, a wrong shape, too many cells, or an index outside the table.
    """
    hidden = None
    if mask is not None:
        hidden = np.asarray(_plain(mask)).astype(bool)
    table = _numbers(values, "heatmap values", 2, ignore=hidden)
    if table.size > MAX_CELLS:
        raise ValueError(f"a heat map of {table.size:,} cells is too large (at most {MAX_CELLS:,}); show a part of it")
    data = {"values": table}
    if hidden is not None:
        if hidden.shape != table.shape:
            raise ValueError(f"mask has shape {hidden.shape}, the values have {table.shape}; they must agree")
        data["mask"] = hidden
    if numbers and table.size > MAX_NUMBERED:
        raise ValueError(f"numbers do not fit into {table.size:,} cells (at most {MAX_NUMBERED})")
    if drag is not None and len(rows) != 1:
        raise ValueError(f"drag moves one outlined row, got rows {list(rows)}")
    options = {
        "numbers": bool(numbers),
        "drag": _drags({0: Drag(y=drag)} if drag is not None else {}, 1),
        "signed": bool((table < 0).any()) if signed is None else bool(signed),
        "auto_signed": signed is None,
        "rows": _indices(rows, table.shape[0], "rows"),
        "cols": _indices(cols, table.shape[1], "cols"),
        "x_labels": _labels(x_labels, table.shape[1], "x_labels"),
        "y_labels": _labels(y_labels, table.shape[0], "y_labels"),
    }
    return Panel("heatmap", str(title), str(x), str(y), data, None, _range(limits), options)


def lines(
    values: Any,
    *,
    x_values: Any = None,
    title: str = "",
    x: str = "",
    y: str = "",
    limits: Range | None = None,
    x_limits: Range | None = None,
    x_labels: Sequence[str] | None = None,
    cursor: float | None = None,
    drag: str | None = None,
) -> Panel:
    """One or more curves over a common x axis.

    Args:
        values: (N,) numbers, or a mapping from label to (N,) numbers (at most 8).
        x_values: (N,) positions on x; 0..N-1 by default.
        title: title of the panel.
        x, y: names of the axes.
        limits, x_limits: (low, high) of y and of x; by default the same for all values of the controls.
        x_labels: a name for each x value, written below it instead of numbers.
        cursor: the x of a vertical line at which values are read.
        drag: name of the control of the cursor, which then can be dragged.

    Raises:
        ValueError: curves of unequal length, values that are not finite, no curve or too many, or ``drag`` without
            ``cursor``.
    """
    named = dict(values) if isinstance(values, Mapping) else {"": values}
    if not 1 <= len(named) <= MAX_SERIES:
        raise ValueError(f"lines takes 1 to {MAX_SERIES} curves, got {len(named)}")
    curves = {str(name): _numbers(curve, f"curve {name!r}", 1) for name, curve in named.items()}
    lengths = {name: len(curve) for name, curve in curves.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"all curves must have one length, got {lengths}")
    stacked = np.stack(list(curves.values()))
    if not 1 <= stacked.shape[1] <= MAX_POINTS:
        raise ValueError(f"a curve needs 1 to {MAX_POINTS:,} points, got {stacked.shape[1]:,}")
    xs = np.arange(stacked.shape[1], dtype=np.float64) if x_values is None else _numbers(x_values, "x_values", 1)
    if len(xs) != stacked.shape[1]:
        raise ValueError(f"x_values has {len(xs)} numbers, the curves have {stacked.shape[1]}")
    cursor_x = None if cursor is None else float(_numbers([_plain(cursor)], "cursor", None).reshape(()))
    if drag is not None and cursor_x is None:
        raise ValueError("drag moves the cursor: give cursor, too")
    options = {
        "labels": list(curves),
        "x_labels": _labels(x_labels, len(xs), "x_labels"),
        "cursor": cursor_x,
        "drag": _drags({0: Drag(x=drag)} if drag is not None else {}, 1),
    }
    data = {"x": xs, "y": stacked}
    return Panel("lines", str(title), str(x), str(y), data, _range(x_limits), _range(limits), options)


def points(
    xy: Any,
    *,
    labels: Sequence[str] | None = None,
    highlight: Sequence[int] = (),
    links: Sequence[tuple[int, int]] = (),
    segments: Any = (),
    groups: Sequence[int] | None = None,
    group_names: Sequence[str] = (),
    title: str = "",
    x: str = "",
    y: str = "",
    limits: Range | Limits | None = None,
    equal: bool = False,
    drag: Mapping[int, Drag] | None = None,
) -> Panel:
    """Labelled points in a plane. Labels without room are left out; they are shown when the pointer is at their point.

    Args:
        xy: (N, 2) coordinates.
        labels: a name for each point.
        highlight: indices of points drawn larger, with a ring and a bold label.
        links: pairs of indices joined by a line.
        segments: (S, 2, 2) end points of plain lines that are not data.
        groups: (N,) small integers; the points of each group have the same colour and shape.
        group_names: the name of group 0, 1, …, written beside its points.
        title: title of the panel.
        x, y: names of the axes.
        limits: (low, high) for both axes, or a pair of pairs.
        equal: whether both axes have the same scale, so that angles and distances are preserved.
        drag: index of a point → its controls.

    Raises:
        ValueError: a wrong shape, values that are not finite, too many points, or an index that does not exist.
    """
    coordinates = _plane(xy, "points")
    data = {"xy": coordinates}
    if groups is not None:
        data["groups"] = _groups(groups, len(coordinates), "points")
    pairs = [_indices(pair, len(coordinates), "links") for pair in links]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("each link is a pair of point indices")
    if len(segments):
        data["segments"] = _numbers(segments, "segments", 3)
        if data["segments"].shape[1:] != (2, 2):
            raise ValueError(f"segments must have shape (S, 2, 2), got {data['segments'].shape}")
    if group_names and (groups is None or max(groups) >= len(group_names)):
        raise ValueError(f"group_names has {len(group_names)} names; every number in groups needs one")
    options = {
        "labels": _labels(labels, len(coordinates), "labels"),
        "highlight": _indices(highlight, len(coordinates), "highlight"),
        "links": pairs,
        "group_names": [str(name) for name in group_names],
        "equal": bool(equal),
        "drag": _drags(drag or {}, len(coordinates)),
    }
    return Panel("points", str(title), str(x), str(y), data, *_plane_limits(limits), options)


def arrows(
    tips: Any,
    *,
    tails: Any = None,
    labels: Sequence[str] | None = None,
    title: str = "",
    x: str = "",
    y: str = "",
    limits: Range | Limits | None = None,
    equal: bool = True,
    drag: Mapping[int, Drag] | None = None,
) -> Panel:
    """Arrows in a plane.

    Args:
        tips: (N, 2) coordinates.
        tails: (N, 2) coordinates; the origin by default.
        labels: a name for each arrow.
        title: title of the panel.
        x, y: names of the axes.
        limits: (low, high) for both axes, or a pair of pairs.
        equal: whether both axes have the same scale, so that angles are preserved.
        drag: index of an arrow → the controls of its tip.

    Raises:
        ValueError: as :func:`points`.
    """
    ends = _plane(tips, "arrow tips")
    starts = np.zeros_like(ends) if tails is None else _plane(tails, "arrow tails")
    if starts.shape != ends.shape:
        raise ValueError(f"tails have shape {starts.shape}, tips {ends.shape}; they must agree")
    options = {
        "labels": _labels(labels, len(ends), "labels"),
        "equal": bool(equal),
        "drag": _drags(drag or {}, len(ends)),
    }
    return Panel("arrows", str(title), str(x), str(y), {"xy": ends, "tails": starts}, *_plane_limits(limits), options)


def bars(
    values: Any,
    *,
    labels: Sequence[str] | None = None,
    highlight: Sequence[int] = (),
    groups: Sequence[int] | None = None,
    title: str = "",
    x: str = "",
    y: str = "",
    limits: Range | None = None,
) -> Panel:
    """Bars from zero.

    Args:
        values: (N,) numbers.
        labels: a name for each bar.
        highlight: indices of bars drawn in another colour and with an outline; with ``groups``, with an outline only.
        groups: (N,) small integers; a bar has the colour of the curve or group with this number in other panels.
        title: title of the panel.
        x, y: names of the axes.
        limits: (low, high) of y; by default the same for all values of the controls.

    Raises:
        ValueError: a wrong shape, values that are not finite, no bar or too many, or an index that does not exist.
    """
    heights = _numbers(values, "bars", 1)
    if not 1 <= len(heights) <= MAX_POINTS:
        raise ValueError(f"bars takes 1 to {MAX_POINTS:,} numbers, got {len(heights):,}")
    options = {
        "labels": _labels(labels, len(heights), "labels"),
        "highlight": _indices(highlight, len(heights), "highlight"),
    }
    data = {"y": heights}
    if groups is not None:
        data["groups"] = _groups(groups, len(heights), "bars")
    return Panel("bars", str(title), str(x), str(y), data, None, _range(limits), options)


def _plain(values: Any) -> Any:
    """Convert a tensor to an array that is detached from its graph; return anything else unchanged."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return values.double().numpy() if values.dtype.is_floating_point else values.numpy()
    return values


def _numbers(values: Any, name: str, ndim: int | None, ignore: np.ndarray | None = None) -> np.ndarray:
    """``values`` as finite float64; those of the cells in ``ignore`` are replaced by zero."""
    plain = _plain(values)
    if isinstance(plain, list | tuple):
        plain = [_plain(item) for item in plain]
    try:
        array = np.array(plain, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers in a regular shape: {error}") from None
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} holds no numbers: shape {array.shape}")
    if ignore is not None and ignore.shape == array.shape:
        array[ignore] = 0.0
    finite = np.isfinite(array)
    if not finite.all():
        invalid = np.argwhere(~finite)
        index = tuple(int(i) for i in invalid[0])
        raise ValueError(
            f"{name} must be finite; {len(invalid)} of {array.size} are not, the first at {index}: {array[index]}"
        )
    return array


def _plane(values: Any, name: str) -> np.ndarray:
    array = _numbers(values, name, 2)
    if array.shape[1] != 2:
        raise ValueError(f"{name} must have shape (N, 2), got {array.shape}")
    if len(array) > MAX_POINTS:
        raise ValueError(f"{name}: {len(array):,} is too many (at most {MAX_POINTS:,})")
    return array


def _indices(values: Sequence[int], count: int, name: str) -> list[int]:
    indices = [int(value) for value in values]
    for index in indices:
        if not 0 <= index < count:
            raise ValueError(f"{name}: index {index} is outside 0..{count - 1}")
    return indices


def _groups(values: Sequence[int], count: int, name: str) -> np.ndarray:
    numbers = _numbers(values, "groups", 1).astype(np.int64)
    if len(numbers) != count:
        raise ValueError(f"groups has {len(numbers)} numbers for {count} {name}")
    if numbers.min() < 0:
        raise ValueError(f"groups are 0 or larger, got {numbers.min()}")
    return numbers


def _drags(drags: Mapping[int, Drag], count: int) -> list[dict[str, Any]]:
    """The description of draggable marks for the browser, as plain JSON."""
    return [{"mark": _indices([mark], count, "drag")[0]} | vars(drag) for mark, drag in drags.items()]


def _labels(values: Sequence[str] | None, count: int, name: str) -> list[str] | None:
    if values is None:
        return None
    texts = [str(value) for value in values]
    if len(texts) != count:
        raise ValueError(f"{name} has {len(texts)} names for {count} values")
    return texts


def _range(limits: Sequence[float] | None) -> Range | None:
    if limits is None:
        return None
    numbers = [float(value) for value in limits]
    if len(numbers) != 2:
        raise ValueError(f"limits are (low, high), got {limits!r}")
    if not numbers[0] < numbers[1]:
        raise ValueError(f"limits must rise, got {limits!r}")
    return numbers[0], numbers[1]


def _plane_limits(limits: Any) -> tuple[Range | None, Range | None]:
    """Limits of x and y: one pair for both, or a pair each."""
    if limits is None:
        return None, None
    if all(isinstance(pair, list | tuple) for pair in limits) and len(limits) == 2:
        return _range(limits[0]), _range(limits[1])
    return _range(limits), _range(limits)


def _span(values: np.ndarray) -> Range:
    return (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)

"""Live figures: a pure function from plain values to panels and one sentence, drawn by the browser.

Python computes and the browser draws, so a step of a slider costs what the author's function costs plus a few
milliseconds. The same panels are also drawn as a still picture, for readers without a kernel.
"""

from __future__ import annotations

import linecache
import threading
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython
from IPython.display import display

from helpers.figures import static, theme
from helpers.figures.controls import Control, LogSlider, Slider
from helpers.figures.panels import SENT_CELLS, Limits, Panel, Range
from helpers.figures.scripts import bundle
from helpers.figures.views import show_widget

EXACT_CELLS = 10_000  # heat maps up to this size are sent as float32, larger ones as 8-bit steps of their range
_HERE = Path(__file__).parent
Draft = tuple[list[Panel], str]


class _View(anywidget.AnyWidget):
    """The widget of a figure; ``own_id`` is the id by which the page finds its model."""

    _esm = bundle(
        *(
            _HERE / f"{name}.js"
            for name in ("widgets", "queue", "labels", "draw", "reading", "links", "drag", "tables", "live")
        )
    )
    _css = (_HERE / "live.css").read_text(encoding="utf-8")
    spec = traitlets.Dict().tag(sync=True)
    first = traitlets.Dict().tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    own_id = traitlets.Unicode().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        own_id = uuid.uuid4().hex
        super().__init__(model_id=own_id, own_id=own_id, **state)


class LiveFigure:
    """A figure that is redrawn when its controls change. Made by :func:`live`.

    Attributes:
        title, controls, pure: as given to :func:`live`.
        widget: the widget that displays the figure.
        instances: the figures of this kernel in the order they were made; running a cell again replaces its figure.
        scale: the size of all figures, see :func:`projector`.
    """

    instances: ClassVar[list[LiveFigure]] = []
    scale: ClassVar[float] = 1.0

    def __init__(self, title: str, function: Callable[..., Any], controls: dict[str, Control], pure: bool) -> None:
        self.title = title
        self.controls = controls
        self.pure = pure
        self._function = function
        self._lock = threading.Lock()
        first = self(**self.defaults)
        self._sampled, self._signed = self._sample(first)
        self.widget = _View(
            spec={
                "title": title,
                "pure": pure,
                "controls": {name: one.spec() | {"label": label(name, one)} for name, one in controls.items()},
                "series": theme.SERIES,
                "seriesOnDark": theme.SERIES_ON_DARK,
                "dashes": theme.DASHES,
                "accent": theme.ACCENT,
                "size": theme.PANEL_PX,
                "font": theme.FONT_PX,
                "colours": {
                    "sequential": theme.colour_table(theme.SEQUENTIAL),
                    "diverging": theme.colour_table(theme.DIVERGING),
                },
            },
            first=self._message(first),
            scale=LiveFigure.scale,
        )
        self.widget.on_msg(self._receive)
        self._first = first
        self._register()

    @property
    def defaults(self) -> dict[str, Any]:
        """The default value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def clean(self, values: dict[str, Any]) -> dict[str, Any]:
        """The valid value of every control: missing values are replaced by defaults, unknown ones are dropped."""
        return {name: control.clean(values.get(name, control.value)) for name, control in self.controls.items()}

    def __call__(self, **values: Any) -> Draft:
        """The panels and the sentence for these values.

        Raises:
            TypeError: there is no such control, or the function did not return panels and a sentence.
        """
        unknown = values.keys() - self.controls.keys()
        if unknown:
            raise TypeError(f"{self.title!r} has no control {sorted(unknown)}; it has {list(self.controls)}")
        result = self._function(**self.clean(values))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{self.title!r} must return (panels, sentence), got {type(result).__name__}")
        panels, sentence = result
        panels = [panels] if isinstance(panels, Panel) else list(panels)
        if not panels or not all(isinstance(panel, Panel) for panel in panels):
            raise TypeError(f"{self.title!r} must return one panel or more (heatmap, lines, points, arrows, bars)")
        if not isinstance(sentence, str) or not sentence.strip():
            raise TypeError(f"{self.title!r} must return a sentence that says what the picture shows, got {sentence!r}")
        if any(not panel.title for panel in panels):
            raise TypeError(f"every panel of {self.title!r} needs a title")
        for panel in panels:
            self._require_sliders(panel)
        return panels, theme.minus(sentence)

    def _require_sliders(self, panel: Panel) -> None:
        """Raise TypeError if a mark is dragged by a control that is not a slider."""
        sliders = {name for name, control in self.controls.items() if isinstance(control, Slider | LogSlider)}
        for drag in panel.options.get("drag", []):
            unknown = {drag[key] for key in ("x", "y", "angle", "radius") if drag[key]} - sliders
            if unknown:
                raise TypeError(
                    f"{panel.title!r} drags {sorted(unknown)}, which is no slider of {self.title!r}: {sorted(sliders)}"
                )

    def draw(self, values: dict[str, Any]) -> dict[str, Any]:
        """The message to the browser for these values, with its buffers: panels, limits and the sentence."""
        return self._message(self(**values))

    def _message(self, draft: Draft) -> dict[str, Any]:
        message, buffers = self._encode(*draft)
        return message | {"buffers": buffers}

    def refresh(self) -> None:
        """Draw again after the data behind a figure changed, and discard cached pictures."""
        self.widget.send({"type": "stale"})

    def still(self, **values: Any) -> tuple[bytes, str]:
        """The still picture for these values, or for the defaults, as a PNG, and its sentence."""
        panels, sentence = self(**values) if values else self._first
        figure = static.draw(self._fixed(panels), self._limits(panels), LiveFigure.scale)
        return static.png(figure), sentence

    def _ipython_display_(self) -> None:
        image, sentence = self.still()
        panels = self._first[0]
        markup = static.still_html(image, self.title, sentence, static.describe(panels, self._limits(panels)))
        display({"text/html": markup, "text/plain": sentence}, raw=True)
        show_widget(self.widget)

    def _register(self) -> None:
        """Append the figure to :attr:`instances`, and remove the one of an earlier run of the same cell."""
        for old in LiveFigure.instances:
            if (old.title, old._function.__qualname__) == (self.title, self._function.__qualname__):
                old.widget.close()
                LiveFigure.instances.remove(old)
                break
        LiveFigure.instances.append(self)

    def _sample(self, first: Draft) -> tuple[list[Limits], list[bool]]:
        """Limits and signs of each panel over the defaults and both ends of every control."""
        drafts = [first]
        for name, control in self.controls.items():
            stops = control.stops()
            for value in stops if len(stops) <= 3 else (stops[0], stops[-1]):
                try:
                    drafts.append(self(**self.defaults | {name: value}))
                except Exception:  # reported below the picture when the control has this value
                    continue
        spans: list[Limits] = []
        signed = []
        for index in range(max(len(panels) for panels, _ in drafts)):
            variants = [panels[index] for panels, _ in drafts if len(panels) > index]
            signed.append(any(panel.options.get("signed") for panel in variants))
            spans.append(_union([panel.extent() for panel in variants]))
        return spans, signed

    def _fixed(self, panels: Sequence[Panel]) -> list[Panel]:
        """The panels, with the same colour map for all values of the controls."""
        for index, panel in enumerate(panels):
            if panel.options.get("auto_signed") and index < len(self._signed):
                panel.options["signed"] = self._signed[index]
        return list(panels)

    def _limits(self, panels: Sequence[Panel]) -> list[Limits]:
        """Limits of x and y for each panel; a heat map's y are those of its colours."""
        return [self._limits_of(panel, self._sampled[i : i + 1]) for i, panel in enumerate(panels)]

    def _limits_of(self, panel: Panel, sampled: list[Limits]) -> Limits:
        extent = panel.extent()
        x, y = _union([extent, *sampled])
        if panel.kind == "heatmap":
            low, high = panel.y_limits or y
            if panel.options["signed"] and panel.y_limits is None:
                low, high = -max(abs(low), abs(high)), max(abs(low), abs(high))
            return extent[0], (low, high) if low < high else (low - 0.5, high + 0.5)
        if panel.kind in ("points", "arrows"):
            x = _pad(x, 0.12)
        elif panel.kind == "lines":
            x = _pad(x, 0.0)
        return panel.x_limits or x, panel.y_limits or _pad(y, 0.06)

    def _encode(self, panels: list[Panel], sentence: str) -> tuple[dict[str, Any], list[bytes]]:
        buffers: list[bytes] = []
        sent = []
        for panel, limits in zip(self._fixed(panels), self._limits(panels), strict=True):
            arrays = {}
            for name, array in _compact(panel, limits).items():
                arrays[name] = {"type": array.dtype.name, "shape": array.shape, "buffer": len(buffers)}
                buffers.append(np.ascontiguousarray(array).tobytes())
            sent.append(
                {"kind": panel.kind, "title": panel.title, "x": panel.x, "y": panel.y, "limits": limits}
                | {"options": panel.options, "arrays": arrays}
            )
            if panel.kind == "heatmap":
                sent[-1]["shape"] = panel.data["values"].shape
        return {"panels": sent, "sentence": sentence}, buffers

    def _receive(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        if not isinstance(content, dict) or content.get("type") != "draw":
            return
        values = content.get("values")
        reply: dict[str, Any] = {"type": "picture", "id": content.get("id")}
        buffers: list[bytes] = []
        with self._lock:  # JupyterLab handles messages on another thread, also while a cell runs
            try:
                message, buffers = self._encode(*self(**self.clean(values if isinstance(values, dict) else {})))
                reply |= message
            except Exception as error:
                reply |= {"error": f"{type(error).__name__}: {error}", "line": self._failed_line(error)}
        self.widget.send(reply, buffers)

    def _failed_line(self, error: Exception) -> str:
        """The line of the figure's own source in which an error occurred; empty if there is none."""
        file = self._function.__code__.co_filename
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename == file:
                return f"line {frame.lineno}: {(frame.line or linecache.getline(file, frame.lineno or 0)).strip()}"
        return ""


def live(title: str, *, pure: bool = True, **controls: Control) -> Callable[[Callable[..., Any]], LiveFigure]:
    """Make a figure of the decorated function and show it.

    Args:
        title: the heading of the figure.
        pure: whether the same values always give the same picture, so that pictures can be cached and prefetched.
            A figure that reads a model in training is not pure; call its ``refresh()`` after a change.
        controls: a :class:`Slider`, :class:`LogSlider`, :class:`Choice` or :class:`Toggle` for each argument of the
            function.

    Returns:
        A decorator for a function that returns a panel or a list of panels, and a sentence.

    Raises:
        TypeError: an argument is no control. The decorator also raises what the function raises at the defaults.
    """
    for name, control in controls.items():
        if not isinstance(control, Control):
            raise TypeError(f"{name} must be a Slider, LogSlider, Choice or Toggle, got {type(control).__name__}")

    def decorate(function: Callable[..., Any]) -> LiveFigure:
        figure = LiveFigure(title, function, controls, pure)
        shell = get_ipython()
        if shell is not None:
            _keep_hooks_on_main_thread(shell)
            display(figure)
        return figure

    return decorate


def projector(on: bool = True) -> None:
    """Show all figures of this kernel, existing and future, 1.5 times larger; ``projector(False)`` undoes it."""
    LiveFigure.scale = 1.5 if on else 1.0
    for figure in LiveFigure.instances:
        figure.widget.scale = LiveFigure.scale


def label(name: str, control: Control) -> str:
    """The text beside a control: its label, or its name with spaces."""
    return control.label or name.replace("_", " ")


def _keep_hooks_on_main_thread(shell: Any) -> None:
    """Let IPython's cell hooks run on the main thread only.

    Widget messages are handled on another thread, also while a cell runs, and trigger the same hooks; matplotlib's hook
    then takes away the figure which the cell is building (ipykernel issue 1564).
    """
    if not isinstance(shell.events.trigger, _OnMainThread):
        shell.events.trigger = _OnMainThread(shell.events.trigger)


@dataclass
class _OnMainThread:
    """Calls the function on the main thread and does nothing on any other."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            self.function(*args, **kwargs)


def _compact(panel: Panel, limits: Limits) -> dict[str, np.ndarray]:
    """The arrays in the form in which they are sent: float32, large heat maps as 8-bit steps between the limits."""
    arrays = {name: array.astype(np.float32) for name, array in panel.data.items() if name != "mask"}
    if panel.kind == "heatmap":
        values, hidden = panel.data["values"], panel.data.get("mask")
        stride = max(1, int(np.ceil(np.sqrt(values.size / SENT_CELLS))))
        values = values[::stride, ::stride]
        if values.size > EXACT_CELLS:
            low, high = limits[1]
            arrays["values"] = np.clip((values - low) / (high - low) * 254, 0, 254).round().astype(np.uint8)
        else:
            arrays["values"] = values.astype(np.float32)
        if hidden is not None:
            arrays["mask"] = hidden[::stride, ::stride].astype(np.uint8)
    return arrays


def _union(spans: Sequence[Limits]) -> Limits:
    """The smallest limits that contain all others."""
    xs, ys = zip(*spans, strict=True)
    return _hull(xs), _hull(ys)


def _hull(ranges: Sequence[Range]) -> Range:
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _pad(limits: Range, share: float) -> Range:
    """The range, widened by a share of its length on both sides; an empty range gets the length 1."""
    low, high = limits
    margin = (high - low) * share
    return (low - margin, high + margin) if high > low else (low - 0.5, high + 0.5)

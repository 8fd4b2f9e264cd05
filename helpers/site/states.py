"""Export every picture of a live figure to one file, for readers without a kernel.

A live figure is a pure function of discrete controls, so all of its pictures can be computed. Equal panels and arrays
are stored once; the file is compressed and read by ``site.js``.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.figures.controls import combinations
from helpers.figures.live import LiveFigure

MAX_STATES = 20_000
MAX_SECONDS = 60.0  # of one figure, on one core
MAX_BYTES = 2_000_000  # of one compressed file


class ExportError(RuntimeError):
    """A figure cannot be exported; the message states the figure and the reason."""


@dataclass(frozen=True)
class Exported:
    """The result of exporting one figure.

    Attributes:
        key: the key of the figure in the pages.
        title: the title of the figure.
        states: the number of pictures in the file.
        possible: the number of combinations of the values of its controls.
        seconds: the time for drawing them.
        size: bytes of the compressed file.
    """

    key: str
    title: str
    states: int
    possible: int
    seconds: float
    size: int


def control_values(figure: LiveFigure, limit: int = MAX_STATES) -> dict[str, list[Any]]:
    """The values of every control that are exported: all, or fewer if there are more than ``limit`` combinations.

    Every second value of the control with the most values is removed, except for both ends and the default, until there
    are at most ``limit`` combinations.

    Raises:
        ExportError: two or three values for each control are too many.
    """
    values = {name: list(control.spec()["values"]) for name, control in figure.controls.items()}
    while math.prod(map(len, values.values())) > limit:
        name = max(values, key=lambda control: len(values[control]))
        thinned = _thin(values[name], figure.controls[name].value)
        if len(thinned) == len(values[name]):
            raise ExportError(f"{figure.title!r} has too many controls: {limit:,} pictures are not enough")
        values[name] = thinned
    return values


def _thin(values: list[Any], default: Any) -> list[Any]:
    last = len(values) - 1
    return [value for index, value in enumerate(values) if index % 2 == 0 or index == last or value == default]


def draw_once(figure: LiveFigure) -> Callable[..., dict[str, Any]]:
    """:meth:`LiveFigure.draw` that remembers its pictures; arrays with the same bytes are one object."""
    arrays: dict[bytes, bytes] = {}

    @functools.cache
    def draw(**state: Any) -> dict[str, Any]:
        message = figure.draw(state)
        return message | {"buffers": [arrays.setdefault(data, data) for data in message["buffers"]]}

    return draw


def export(
    figure: LiveFigure, path: Path, key: str, limit: int = MAX_STATES, draw: Callable[..., dict[str, Any]] | None = None
) -> Exported:
    """Draw every state of a figure and write a script that passes the pictures to the page.

    The data are a JSON header and the arrays, compressed and encoded in base64: a page opened from ``file://`` may load
    scripts, but not fetch files.

    Args:
        figure: the figure.
        path: the file of the script.
        key: the key of the figure in the pages.
        limit: the largest number of pictures.
        draw: :func:`draw_once` of the figure, if it is exported again with another limit.

    Raises:
        ExportError: a state that cannot be drawn, or a file that exceeds the limits.
    """
    values = control_values(figure, limit)
    started = time.perf_counter()
    draw = draw or draw_once(figure)
    panels: dict[str, int] = {}
    buffers: dict[bytes, tuple[int, int]] = {}
    blob = bytearray()
    sentences: dict[str, int] = {}
    pictures: list[list[Any]] = []
    for state in combinations(values):
        try:
            message = draw(**state)
        except Exception as error:
            raise ExportError(f"{figure.title!r} at {state}: {type(error).__name__}: {error}") from error
        picture = [sentences.setdefault(message["sentence"], len(sentences))]
        for panel in message["panels"]:
            arrays = {}
            for name, array in panel["arrays"].items():
                data = message["buffers"][array["buffer"]]
                if data not in buffers:
                    blob.extend(bytes(-len(blob) % 4))  # float32 arrays begin at a multiple of four
                    buffers[data] = (len(blob), len(data))
                    blob.extend(data)
                arrays[name] = array | {"buffer": buffers[data]}
            text = json.dumps(panel | {"arrays": arrays}, ensure_ascii=False, allow_nan=False)
            picture.append(panels.setdefault(text, len(panels)))
        pictures.append(picture)
        if time.perf_counter() - started > MAX_SECONDS:
            raise ExportError(f"{figure.title!r} takes more than {MAX_SECONDS:.0f} s for {len(pictures):,} pictures")
    spec = json.loads(json.dumps(figure.widget.spec))
    reduced = []
    for name, control in spec["controls"].items():
        if len(values[name]) < len(control["values"]):
            reduced.append(f"{control['label']}: {len(values[name])} of {len(control['values'])}")
        control["values"] = values[name]
    header = json.dumps(
        {"spec": spec, "reduced": ", ".join(reduced), "sentences": list(sentences), "pictures": pictures}
        | {"panels": "PANELS"},
        ensure_ascii=False,
    ).replace('"PANELS"', f"[{','.join(panels)}]")
    encoded = header.encode()
    encoded += b" " * (-len(encoded) % 4)
    data = zlib.compress(len(encoded).to_bytes(4, "little") + encoded + bytes(blob), 9)
    if len(data) > MAX_BYTES:
        raise ExportError(f"{figure.title!r} takes {len(data):,} bytes, {MAX_BYTES:,} at most")
    _write_script(path, key, data)
    possible = math.prod(len(control.spec()["values"]) for control in figure.controls.values())
    return Exported(key, figure.title, len(pictures), possible, time.perf_counter() - started, len(data))


def _write_script(path: Path, key: str, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'embeddingsSite.receive("{key}", "{base64.b64encode(data).decode()}");\n', encoding="ascii")


def export_lesson(folder: Path, lesson: str) -> list[Exported]:
    """Export all figures of this kernel as ``folder/LESSON-K.js``, with fewer values if a file exceeds the limits.

    Raises:
        ExportError: a figure cannot be exported.
    """
    exported = []
    for number, figure in enumerate(LiveFigure.instances, start=1):
        key = f"{lesson}-{number}"
        limit, draw = MAX_STATES, draw_once(figure)
        while True:
            try:
                exported.append(export(figure, folder / f"{key}.js", key, limit, draw))
                break
            except ExportError as error:
                if limit <= 500 or " at {" in str(error):
                    raise
                limit //= 2
    return exported

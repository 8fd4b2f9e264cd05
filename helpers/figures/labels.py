"""Placement of labels in a still picture, so that they overlap neither each other nor the data.

The algorithm is that of ``labels.js``; boxes are ``(left, bottom, right, top)`` in pixels, y upwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]

_SIDES = [(1, 1), (1, 0), (1, -1), (0, 1), (0, -1), (-1, 1), (-1, 0), (-1, -1)]


@dataclass(frozen=True)
class LabelRequest:
    """A label that is to be placed beside a mark.

    Attributes:
        x, y: the position of the mark in pixels.
        width, height: the size of the label.
        gap: the distance from the mark.
        required: whether to place the label even if it covers something.
        toward: the preferred direction from the mark.
    """

    x: float
    y: float
    width: float
    height: float
    gap: float
    required: bool = False
    toward: tuple[float, float] | None = None


def spread(preferred: Sequence[float], distance: float) -> list[float]:
    """The preferred heights in 0..1, moved so that they are at least ``distance`` apart."""
    order = sorted(range(len(preferred)), key=lambda i: preferred[i])
    heights = list(preferred)
    for before, after in zip(order, order[1:], strict=False):
        heights[after] = max(heights[after], heights[before] + distance)
    limit = 1.0
    for index in reversed(order):
        heights[index] = min(heights[index], limit)
        limit = heights[index] - distance
    return heights


def place_labels(requests: Sequence[LabelRequest], obstacles: Sequence[Box], frame: Box) -> list[Box | None]:
    """A box for each label, inside the frame and free of obstacles and of the labels before it.

    None if there is no such box; a required label then gets the box with the least overlap.
    """
    occupied = list(obstacles)
    placed: list[Box | None] = []
    for request in requests:
        best, least = None, float("inf")
        for box in _candidates(request, frame):
            covered = sum(_overlap(box, other) for other in occupied)
            if covered < least:
                best, least = box, covered
            if covered == 0:
                break
        if best is not None and (least == 0 or request.required):
            occupied.append(best)
            placed.append(best)
        else:
            placed.append(None)
    return placed


def _candidates(request: LabelRequest, frame: Box) -> Iterator[Box]:
    """Boxes around a mark, the preferred one first; a required label is moved into the frame."""
    sides = _SIDES
    if request.toward is not None:
        dx, dy = request.toward
        sides = sorted(_SIDES, key=lambda side: -(side[0] * dx + side[1] * dy) / (side[0] ** 2 + side[1] ** 2) ** 0.5)
    for far in (1, 2.5, 4) if request.required else (1,):
        for across, up in sides:
            gap = request.gap * far * (0.6 if across and up else 1)
            left = request.x + across * gap - request.width * (1 - across) / 2
            bottom = request.y + up * gap - request.height * (1 - up) / 2
            if request.required:
                left = max(frame[0], min(left, frame[2] - request.width))
                bottom = max(frame[1], min(bottom, frame[3] - request.height))
            elif (
                left < frame[0]
                or left + request.width > frame[2]
                or bottom < frame[1]
                or bottom + request.height > frame[3]
            ):
                continue
            yield left, bottom, left + request.width, bottom + request.height


def _overlap(first: Box, second: Box) -> float:
    """The area that two boxes share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return width * height if width > 0 and height > 0 else 0.0

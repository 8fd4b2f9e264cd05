"""Where the names of marks are written in a still, so that they hide neither each other nor the data.

The rules are those of ``labels.js``; boxes are ``(left, bottom, right, top)`` in pixels, upwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]

_SIDES = [(1, 1), (1, 0), (1, -1), (0, 1), (0, -1), (-1, 1), (-1, 0), (-1, -1)]


@dataclass(frozen=True)
class Wish:
    """A label of the given size, ``gap`` pixels beside the mark at (x, y), in the direction ``toward`` if it is given.

    A required label is written even where it covers something.
    """

    x: float
    y: float
    width: float
    height: float
    gap: float
    required: bool = False
    toward: tuple[float, float] | None = None


def spread(wanted: Sequence[float], room: float) -> list[float]:
    """The wanted heights in 0..1, moved until they are ``room`` apart."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    heights = list(wanted)
    for before, after in zip(order, order[1:], strict=False):
        heights[after] = max(heights[after], heights[before] + room)
    limit = 1.0
    for index in reversed(order):
        heights[index] = min(heights[index], limit)
        limit = heights[index] - room
    return heights


def place_labels(wishes: Sequence[Wish], obstacles: Sequence[Box], frame: Box) -> list[Box | None]:
    """A box for each label, inside the frame and free of obstacles and of the labels before it.

    None where there is no such box; a required label then takes the box that covers least.
    """
    taken = list(obstacles)
    found: list[Box | None] = []
    for wish in wishes:
        best, least = None, float("inf")
        for box in _candidates(wish, frame):
            covered = sum(_overlap(box, other) for other in taken)
            if covered < least:
                best, least = box, covered
            if covered == 0:
                break
        if best is not None and (least == 0 or wish.required):
            taken.append(best)
            found.append(best)
        else:
            found.append(None)
    return found


def _candidates(wish: Wish, frame: Box) -> Iterator[Box]:
    """Boxes around a mark, the preferred one first; a required label is moved into the frame."""
    sides = _SIDES
    if wish.toward is not None:
        ahead, up = wish.toward
        sides = sorted(
            _SIDES, key=lambda side: -(side[0] * ahead + side[1] * up) / (side[0] ** 2 + side[1] ** 2) ** 0.5
        )
    for far in (1, 2.5, 4) if wish.required else (1,):
        for across, up in sides:
            gap = wish.gap * far * (0.6 if across and up else 1)
            left = wish.x + across * gap - wish.width * (1 - across) / 2
            bottom = wish.y + up * gap - wish.height * (1 - up) / 2
            if wish.required:
                left = max(frame[0], min(left, frame[2] - wish.width))
                bottom = max(frame[1], min(bottom, frame[3] - wish.height))
            elif (
                left < frame[0] or left + wish.width > frame[2] or bottom < frame[1] or bottom + wish.height > frame[3]
            ):
                continue
            yield left, bottom, left + wish.width, bottom + wish.height


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0

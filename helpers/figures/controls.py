"""Controls of a live figure. Each describes a native HTML input and validates the values that it sends."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Control:
    """Base class of all controls.

    Attributes:
        value: the default.
        label: the text beside the input; by default the name of the argument.
    """

    value: Any
    label: str | None

    def clean(self, raw: Any) -> Any:
        """The valid value nearest to ``raw``; the default if ``raw`` has the wrong type."""
        raise NotImplementedError

    def stops(self) -> list[Any]:
        """A selection of the values, with both ends and the default."""
        raise NotImplementedError

    def spec(self) -> dict[str, Any]:
        """The description from which the browser builds the input, as plain JSON."""
        raise NotImplementedError


def combinations(values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of controls as a dict from name to value; the last control varies fastest."""
    for combination in itertools.product(*values.values()):
        yield dict(zip(values, combination, strict=True))


def _spread(count: int, size: int = 7) -> list[int]:
    """At most ``size`` indices, evenly spread over 0..count-1, both ends included."""
    if count <= size:
        return list(range(count))
    return sorted({round(i * (count - 1) / (size - 1)) for i in range(size)})


class _Stepped(Control):
    """A range input over a list of stops; the browser sends the value of a stop."""

    def _values(self) -> list[float]:
        raise NotImplementedError

    def clean(self, raw: Any) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw):
            return self.value
        values = self._values()  # in rising order
        after = bisect.bisect_left(values, raw)
        return min(values[max(after - 1, 0) : after + 1], key=lambda stop: abs(stop - raw))

    def stops(self) -> list[Any]:
        values = self._values()
        return sorted({values[i] for i in _spread(len(values))} | {self.value})

    def spec(self) -> dict[str, Any]:
        return {"kind": "range", "label": self.label, "values": self._values(), "value": self.value}


@dataclass
class Slider(_Stepped):
    """A slider from ``low`` to ``high`` in steps of ``step``; its values are integers if all arguments are.

    Attributes:
        play: whether there is a button that moves the slider to its end, as for the steps of a training run.

    Raises:
        ValueError: an empty range, a step that is not positive, a default outside the range, or over 10,000 stops.
    """

    low: float
    high: float
    value: float
    step: float = 1
    label: str | None = None
    play: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a slider needs low < high, got {self.low} and {self.high}")
        if self.step <= 0:
            raise ValueError(f"step must be positive, got {self.step}")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the default {self.value} is outside {self.low}..{self.high}")
        if (self.high - self.low) / self.step > 10_000:
            raise ValueError(
                f"{self.low}..{self.high} in steps of {self.step} has over 10,000 stops; use a larger step"
            )
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        whole = all(isinstance(number, int) for number in (self.low, self.high, self.value, self.step))
        self._stops: list[float] = [
            self.low + i * self.step if whole else round(self.low + i * self.step, 10) for i in range(count)
        ]
        self.value = min(self._stops, key=lambda stop: abs(stop - self.value))

    def _values(self) -> list[float]:
        return self._stops

    def spec(self) -> dict[str, Any]:
        return super().spec() | {"play": self.play}


@dataclass
class LogSlider(_Stepped):
    """A slider whose stops are equal *ratios* apart, rounded to three digits; the default is always a stop.

    Attributes:
        steps: number of ratios between ``low`` and ``high``.

    Raises:
        ValueError: ``low`` is not positive or not below ``high``, or the default is outside the range.
    """

    low: float
    high: float
    value: float
    steps: int = 40
    label: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"a log slider needs 0 < low < high, got {self.low} and {self.high}")
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the default {self.value} is outside {self.low}..{self.high}")
        ratio = self.high / self.low
        rounded = {float(f"{self.low * ratio ** (i / self.steps):.3g}") for i in range(self.steps + 1)}
        stops = sorted(rounded | {float(self.low), float(self.high), float(self.value)})
        whole = all(isinstance(number, int) for number in (self.low, self.high, self.value))
        self._stops: list[float] = sorted({round(stop) for stop in stops}) if whole else stops

    def _values(self) -> list[float]:
        return self._stops


class Choice(Control):
    """A drop-down list of texts.

    Args:
        options: two or more different texts.
        value: the default; the first option if left out.

    Raises:
        ValueError: fewer than two options, equal options, or a default that is none of them.
    """

    def __init__(self, *options: str, value: str | None = None, label: str | None = None) -> None:
        if len(options) < 2 or len(set(options)) != len(options) or not all(isinstance(o, str) for o in options):
            raise ValueError(f"a choice needs two or more different texts, got {options!r}")
        if value is not None and value not in options:
            raise ValueError(f"the default must be one of {options!r}, got {value!r}")
        self.options = list(options)
        self.value = options[0] if value is None else value
        self.label = label

    def clean(self, raw: Any) -> str:
        return raw if isinstance(raw, str) and raw in self.options else self.value

    def stops(self) -> list[str]:
        picked = [self.options[i] for i in _spread(len(self.options), 12)]
        return picked if self.value in picked else [*picked, self.value]

    def spec(self) -> dict[str, Any]:
        return {"kind": "choice", "label": self.label, "values": self.options, "value": self.value}


@dataclass
class Toggle(Control):
    """A switch."""

    value: bool = False
    label: str | None = None

    def clean(self, raw: Any) -> bool:
        return raw if isinstance(raw, bool) else self.value

    def stops(self) -> list[bool]:
        return [False, True]

    def spec(self) -> dict[str, Any]:
        return {"kind": "toggle", "label": self.label, "values": [False, True], "value": self.value}

"""The control sweep: draw every live figure of a lesson at the values that its controls can take.

:func:`states` says which values; :func:`report` is called in a lesson's own kernel, after its last cell.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from helpers.figures.controls import combinations

if TYPE_CHECKING:
    from helpers.figures.controls import Control
    from helpers.figures.live import LiveFigure
    from helpers.figures.panels import Panel

LIMIT = 5_000  # figures with at most this many states are drawn at every one of them
SAMPLE = 500  # random states of a larger figure
REPORTED = 5  # failing states of one figure that are listed

State = dict[str, Any]


def states(controls: Mapping[str, Control], limit: int = LIMIT, sample: int = SAMPLE) -> Iterator[State]:
    """The values at which a figure is drawn, each a dict from a control's name to its value.

    Up to ``limit`` combinations: all of them. Beyond: the defaults, every
    control alone through all of its values, both ends of every pair of controls (the others at their defaults), and
    ``sample`` combinations from a seeded generator; none of them twice.
    """
    values: dict[str, list[Any]] = {name: control.spec()["values"] for name, control in controls.items()}
    if math.prod(len(each) for each in values.values()) <= limit:
        yield from combinations(values)
        return
    defaults = {name: control.value for name, control in controls.items()}
    chosen = [defaults]
    chosen += [defaults | {name: value} for name, each in values.items() for value in each]
    for one, other in itertools.combinations(values, 2):
        ends = itertools.product((values[one][0], values[one][-1]), (values[other][0], values[other][-1]))
        chosen += [defaults | {one: first, other: second} for first, second in ends]
    generator = random.Random(0)
    chosen += [{name: generator.choice(each) for name, each in values.items()} for _ in range(sample)]
    keys = set()
    for state in chosen:
        key = tuple(state.values())
        if key not in keys:
            keys.add(key)
            yield state


def sweep(figures: Sequence[LiveFigure]) -> list[str]:
    """What is wrong with these figures: exceptions, values that JSON cannot hold, controls without an effect."""
    problems: list[str] = []
    for figure in figures:
        for name, control in figure.controls.items():
            problems += _without_effect(figure, name, control)
        failures = []
        for state in states(figure.controls):
            try:
                message = figure.draw(state)
                json.dumps({key: value for key, value in message.items() if key != "buffers"}, allow_nan=False)
            except Exception as error:
                failures.append(f"{figure.title!r} at {state}: {type(error).__name__}: {error}")
        problems += failures[:REPORTED]
        if len(failures) > REPORTED:
            problems.append(f"{figure.title!r} at {len(failures) - REPORTED} more states")
    return problems


def _without_effect(figure: LiveFigure, name: str, control: Control) -> list[str]:
    """Whether a control refuses its own values, or changes neither the picture nor the sentence."""
    problems = [
        f"{figure.title!r}: {name} cannot take its own value {value!r}"
        for value in control.spec()["values"]
        if control.clean(value) != value
    ]
    drafts: list[tuple[list[Panel], str]] = []
    for value in control.stops():
        try:
            drafts.append(figure(**{name: value}))
        except Exception:  # reported by the sweep, which draws this state as well
            continue
    if len(drafts) > 1:
        (panels, sentence), *others = drafts
        if all(_same(panels, other) for other, _ in others):
            problems.append(f"{figure.title!r}: {name} never changes the picture")
        if all(sentence == other for _, other in others):
            problems.append(f"{figure.title!r}: {name} never changes the sentence")
    return problems


def _same(panels: list[Panel], others: list[Panel]) -> bool:
    return len(panels) == len(others) and all(one.same_as(other) for one, other in zip(panels, others, strict=True))


def peak_mb() -> int:
    """The largest memory of this process so far, in megabytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset // 1_000_000
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, kilobytes on Linux
    return peak // (1_000_000 if sys.platform == "darwin" else 1_000)


def report() -> str:
    """The sweep over all figures of this kernel as JSON: ``figures``, ``problems``, ``peak_mb``."""
    live = sys.modules.get("helpers.figures.live")  # a notebook without figures has not imported it
    figures = live.LiveFigure.instances if live else []
    problems = sweep(figures)
    return json.dumps({"figures": len(figures), "problems": problems, "peak_mb": peak_mb()})

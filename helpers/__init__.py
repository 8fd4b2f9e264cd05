"""What every lesson imports: live figures, checks, quizzes and progress bars.

Names are imported on first use (PEP 562), so that grading and set-up do not load matplotlib or anywidget. In a notebook
the import also folds tracebacks (:mod:`helpers.setup.kernel`).
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.exercises.check import check
    from helpers.exercises.progress import Progress
    from helpers.exercises.quiz import predict, recall
    from helpers.figures.controls import Choice, LogSlider, Slider, Toggle
    from helpers.figures.live import live, projector
    from helpers.figures.panels import Drag, arrows, bars, heatmap, lines, points

_MODULES = {
    "helpers.exercises.check": ("check",),
    "helpers.exercises.progress": ("Progress",),
    "helpers.exercises.quiz": ("predict", "recall"),
    "helpers.figures.controls": ("Choice", "LogSlider", "Slider", "Toggle"),
    "helpers.figures.live": ("live", "projector"),
    "helpers.figures.panels": ("Drag", "arrows", "bars", "heatmap", "lines", "points"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Choice",
    "Drag",
    "LogSlider",
    "Progress",
    "Slider",
    "Toggle",
    "arrows",
    "bars",
    "check",
    "heatmap",
    "lines",
    "live",
    "points",
    "predict",
    "projector",
    "recall",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(import_module(_HOME[name]), name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "IPython" in sys.modules and (_shell := sys.modules["IPython"].get_ipython()) is not None:
    import_module("helpers.setup.kernel").fold_tracebacks(_shell)

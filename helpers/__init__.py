"""What the lessons share: live figures, checks, questions and progress bars."""

from helpers.checks import check
from helpers.controls import Choice, LogSlider, Slider, Toggle
from helpers.live import live, projector
from helpers.marks import arrows, bars, heatmap, lines, points
from helpers.progress import Progress
from helpers.quiz import predict, recall

__all__ = [
    "Choice",
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

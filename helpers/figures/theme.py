"""The style of all figures: colours safe for colour-blind readers, dash patterns, marker shapes, sizes."""

import re

# The palette of Okabe & Ito (2008), in the order the series are drawn, with orange and sky blue darkened: every colour
# has a contrast of 3:1 with the background (WCAG 2.2, criterion 1.4.11).
SERIES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B87D00", "#3795CE", "#7F7F7F", "#000000"]
SERIES_ON_DARK = ["#4FB3EE", "#FF8A3D", "#009E73", "#CC79A7", "#E69F00", "#B7DDFA", "#7F7F7F", "#FFFFFF"]
DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4], [1, 3], [10, 2, 2, 2]]
SHAPES = ["o", "s", "^", "D", "v", "P", "X", "*"]
ACCENT = "#D55E00"  # highlighted bars
SEQUENTIAL = "cividis"
DIVERGING = "PuOr"
FONT_PX = 14
PANEL_PX = (420, 320)  # width and height of one panel


def minus(text: str) -> str:
    """``text`` with a minus sign instead of a hyphen before negative numbers, as on the axes."""
    return re.sub(r"(?<![\w.\-\u2212)\]])-(?=\.?\d)", "\u2212", text)


def colour_table(name: str) -> list[list[int]]:
    """255 RGB triples of a matplotlib colour map, for the values 0..254 of a heat map that is sent as 8-bit numbers."""
    import matplotlib
    import numpy as np

    return (matplotlib.colormaps[name](np.linspace(0, 1, 255))[:, :3] * 255).round().astype(int).tolist()

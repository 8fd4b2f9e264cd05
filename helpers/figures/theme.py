"""The one look of all figures: colours safe for colour-blind readers, dash patterns, marker shapes, sizes."""

# Okabe & Ito (2008), in the order the series are drawn; the first is also the colour of a lone mark.
SERIES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000"]
DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4], [1, 3], [10, 2, 2, 2]]
SHAPES = ["o", "s", "^", "D", "v", "P", "X", "*"]
ACCENT = "#D55E00"  # outlines, cursors, highlights
SEQUENTIAL = "cividis"
DIVERGING = "PuOr"
FONT_PX = 14
PANEL_PX = (420, 320)  # width and height of one panel


def colour_table(name: str) -> list[list[int]]:
    """255 RGB triples of a matplotlib colour map: the values 0..254 of a heat map that travels as 8-bit numbers."""
    import matplotlib
    import numpy as np

    return (matplotlib.colormaps[name](np.linspace(0, 1, 255))[:, :3] * 255).round().astype(int).tolist()

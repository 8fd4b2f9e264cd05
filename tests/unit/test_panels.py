"""Panels: validation of their data."""

import math

import numpy as np
import pytest
import torch

from helpers import Drag, arrows, bars, heatmap, lines, points
from helpers.figures.panels import MAX_CELLS


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: heatmap([[1.0, math.nan]]), r"finite; 1 of 2 are not, the first at \(0, 1\): nan"),
        (lambda: heatmap(torch.tensor([[math.inf]])), "finite"),
        (lambda: heatmap([1.0, 2.0]), r"2 dimension\(s\), got shape \(2,\)"),
        (lambda: heatmap([[1, 2], [3]]), "regular shape"),
        (lambda: heatmap([["a"]]), "must be numbers"),
        (lambda: heatmap(torch.zeros(0, 3)), "holds no numbers"),
        (lambda: heatmap(np.zeros((1, MAX_CELLS + 1))), "too large"),
        (lambda: heatmap([[1, 2]], mask=[[True]]), "mask has shape"),
        (lambda: heatmap([[1, 2]], rows=[1]), r"rows: index 1 is outside 0\.\.0"),
        (lambda: heatmap([[1, 2]], cols=[-1]), "cols: index -1"),
        (lambda: heatmap([[1, 2]], x_labels=["one"]), "1 names for 2 values"),
        (lambda: heatmap([[1, 2]], limits=(2, 1)), "must rise"),
        (lambda: heatmap([[1, 2]], limits=(1, 2, 3)), r"\(low, high\)"),  # type: ignore[arg-type]
        (lambda: lines({"a": [1, 2], "b": [1]}), "one length"),
        (lambda: lines({}), "1 to 8 curves"),
        (lambda: lines([1, 2], x_values=[1]), "x_values has 1 numbers"),
        (lambda: lines([1, 2], cursor=math.nan), "finite"),
        (lambda: points([[1, 2, 3]]), r"\(N, 2\)"),
        (lambda: points([[1, 2]], links=[(0, 1)]), "index 1"),
        (lambda: points([[1, 2], [3, 4]], groups=[1]), "groups has 1"),
        (lambda: points([[1, 2], [3, 4]], links=[(0, 1, 1)]), "pair"),  # type: ignore[list-item]
        (lambda: arrows([[1, 2]], tails=[[0, 0], [1, 1]]), "must agree"),
        (lambda: bars([1, 2], labels=["a"]), "1 names for 2"),
        (lambda: bars([1, 2], highlight=[2]), "index 2"),
        (lambda: bars([1, 2], groups=[0]), "groups has 1 numbers for 2 bars"),
        (lambda: bars([1, 2], groups=[0, -1]), "groups are 0 or larger, got -1"),
        (lambda: heatmap(np.zeros((21, 20)), numbers=True), r"numbers do not fit into 420 cells \(at most 400\)"),
        (lambda: heatmap([[1, 2]], drag="n"), r"drag moves one outlined row, got rows \[\]"),
        (lambda: lines([1, 2], drag="n"), "give cursor"),
        (lambda: lines([1, 2], x_labels=["one"]), "x_labels has 1 names for 2"),
        (lambda: lines([1, 2], x_limits=(2, 1)), "must rise"),
        (lambda: points([[1, 2]], segments=[[1, 2], [3, 4]]), "segments must have 3 dimension"),
        (lambda: points([[1, 2]], segments=[[[1, 2, 3], [3, 4, 5]]]), r"segments must have shape \(S, 2, 2\)"),
        (lambda: points([[1, 2]], group_names=["a"]), "every number in groups needs one"),
        (lambda: points([[1, 2]], groups=[1], group_names=["a"]), "every number in groups needs one"),
        (lambda: points([[1, 2]], drag={1: Drag(x="n")}), "drag: index 1"),
        (lambda: arrows([[1, 2]], drag={-1: Drag(x="n")}), "drag: index -1"),
        (lambda: Drag(), "name of a control"),
        (lambda: Drag(x="a", angle="b"), "not both"),
        (lambda: Drag(angle="a", radians=0), "radians must not be 0"),
    ],
)
def test_invalid_arguments_raise(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_tensors_arrays_and_lists_give_the_same_panel() -> None:
    table = torch.arange(6.0, requires_grad=True).reshape(2, 3)
    assert heatmap(table).same_as(heatmap(table.detach().numpy())) and heatmap(table).same_as(heatmap(table.tolist()))
    assert not heatmap(table).same_as(heatmap(table + 1)) and not heatmap(table).same_as(heatmap(table, title="other"))


def test_a_panel_copies_its_data() -> None:
    values = np.ones((2, 2))
    panel = heatmap(values)
    values[:] = 7
    assert panel.data["values"].max() == 1


def test_masked_cells_do_not_change_the_extent() -> None:
    panel = heatmap([[1.0, -math.inf], [2.0, 3.0]], mask=[[False, True], [False, False]])
    assert panel.extent()[1] == (1.0, 3.0)


def test_the_colour_map_is_signed_if_there_are_negative_values() -> None:
    assert heatmap([[-1, 1]]).options["signed"] and not heatmap([[0, 1]]).options["signed"]
    assert heatmap([[0, 1]], signed=True).options["signed"]


def test_segments_do_not_change_the_limits() -> None:
    plain, lined = points([[0, 0], [1, 1]]), points([[0, 0], [1, 1]], segments=[[[-20, 0], [20, 5]]])
    assert plain.extent() == lined.extent() == ((0.0, 1.0), (0.0, 1.0))


def test_bars_start_at_zero() -> None:
    assert bars([3, 5]).extent()[1] == (0.0, 5.0) and bars([-2.0]).extent()[1] == (-2.0, 0.0)

"""Exported figures: states, storage of equal parts, limits, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers import Choice, Slider, Toggle, bars, lines, live
from helpers.site import states
from helpers.site.states import ExportError, control_values, export
from tests.site.verify import compare, read_back


def small(top: int = 5):
    @live("Multiples", factor=Slider(0, top, 2), sign=Toggle(False), kind=Choice("sum", "last"))
    def multiples(factor, sign, kind):
        values = torch.arange(4.0) * factor * (-1 if sign else 1)
        number = values.sum() if kind == "sum" else values[-1]
        return [lines(values, title="Values"), bars(torch.ones(2), title="Same")], f"The {kind} is {number:g}."

    return multiples


def test_every_state_is_read_back_as_the_figure_draws_it(tmp_path: Path) -> None:
    figure = small()
    row = export(figure, tmp_path / "00-1.js", "00-1")
    assert (row.states, row.possible) == (24, 24) and row.size > 0
    assert compare(figure, tmp_path / "00-1.js") == []


def test_a_wrong_picture_is_detected(tmp_path: Path) -> None:
    export(small(), tmp_path / "00-1.js", "00-1")

    @live("Multiples", factor=Slider(0, 5, 2), sign=Toggle(False), kind=Choice("sum", "last"))
    def other(factor, sign, kind):
        values = torch.arange(4.0) * factor * (-1 if sign else 1)
        values[3] += factor == 5
        number = values.sum() if kind == "sum" else values[-1]
        return [lines(values, title="Values"), bars(torch.ones(2), title="Same")], f"The {kind} is {number:g}."

    problems = compare(other, tmp_path / "00-1.js")
    assert any("'factor': 5" in problem and "other y" in problem for problem in problems)


def test_equal_panels_and_arrays_are_stored_once(tmp_path: Path) -> None:
    export(small(), tmp_path / "00-1.js", "00-1")
    header, _ = read_back(tmp_path / "00-1.js")
    same = [panel for panel in header["panels"] if panel["title"] == "Same"]
    assert len(same) == 1 and len(header["panels"]) == 13  # six factors with two signs, and one


def test_beyond_the_limit_there_are_fewer_stops_with_a_note(tmp_path: Path) -> None:
    figure = small(top=100)
    values = control_values(figure, limit=60)
    assert len(values["factor"]) * 4 <= 60 and {0, 2, 100} <= set(values["factor"])
    assert values["sign"] == [False, True] and values["kind"] == ["sum", "last"]
    row = export(figure, tmp_path / "00-1.js", "00-1", limit=60)
    header, _ = read_back(tmp_path / "00-1.js")
    assert row.states == 4 * len(values["factor"]) and row.possible == 404
    assert header["reduced"] == f"factor: {len(values['factor'])} of 101"
    assert compare(figure, tmp_path / "00-1.js") == []


def test_too_many_controls_are_an_error() -> None:
    with pytest.raises(ExportError, match="too many controls: 3 pictures"):
        control_values(small(), limit=3)


def test_a_state_that_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    @live("Fragile", factor=Slider(0, 9, 2))
    def fragile(factor):
        return [bars([1 / (7 - factor) if factor != 7 else float("nan")], title="b")], f"Factor {factor}."

    with pytest.raises(ExportError, match="'Fragile' at {'factor': 7}"):
        export(fragile, tmp_path / "00-1.js", "00-1")


def test_a_file_beyond_the_limit_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MAX_BYTES", 100)
    with pytest.raises(ExportError, match="bytes, 100 at most"):
        export(small(), tmp_path / "00-1.js", "00-1")
    assert not (tmp_path / "00-1.js").exists()

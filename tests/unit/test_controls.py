"""Controls: validation of values, and their stops."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import Choice, LogSlider, Slider, Toggle

CONTROLS = [
    Slider(0, 127, 40),
    Slider(-1.0, 1.0, 0.5, step=0.1),
    LogSlider(10, 100_000, 10_000),
    LogSlider(0.01, 10.0, 1.0, steps=7),
    Choice("a", "b", "c", value="b"),
    Toggle(True),
]
ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.just({"a": 1})
)  # fmt: skip


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"{type(control).__name__}-{control.value}")
def test_stops_contain_both_ends_and_the_default(control) -> None:
    stops, values = control.stops(), control.spec()["values"]
    assert control.value in stops and values[0] in stops and values[-1] in stops
    assert all(control.clean(stop) == stop for stop in stops)
    assert len(stops) <= 13


@given(ANYTHING)
def test_invalid_input_becomes_a_valid_value(raw) -> None:
    for control in CONTROLS:
        cleaned = control.clean(raw)
        assert cleaned in control.spec()["values"]
        assert type(cleaned) is type(control.value)


def test_input_is_rounded_to_the_nearest_stop() -> None:
    assert Slider(0, 127, 40).clean(1e9) == 127 and Slider(0, 127, 40).clean(-3) == 0
    assert Slider(0, 10, 5).clean(6.4) == 6
    assert Slider(-1.0, 1.0, 0.5, step=0.1).clean(0.33) == 0.3
    assert Slider(0, 10, 5).clean(math.nan) == 5 and Slider(0, 10, 5).clean(True) == 5


def test_a_log_slider_has_even_ratios() -> None:
    values = LogSlider(1.0, 1000.0, 10.0, steps=30).spec()["values"]
    ratios = [after / before for before, after in zip(values, values[1:], strict=False)]
    assert values[0] == 1.0 and values[-1] == 1000.0
    assert max(ratios) / min(ratios) < 1.05
    assert math.isclose(math.prod(ratios), 1000.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Slider(3, 3, 3), "low < high"),
        (lambda: Slider(0, 3, 9), "outside 0..3"),
        (lambda: Slider(0, 3, 1, step=0), "positive"),
        (lambda: Slider(0, 1.0, 0, step=1e-5), "over 10,000 stops"),
        (lambda: LogSlider(0, 10, 5), "positive|low"),
        (lambda: LogSlider(1, 10, 50), "outside|default"),
        (lambda: Choice("one"), "two or more"),
        (lambda: Choice("a", "a"), "different"),
        (lambda: Choice("a", "b", value="c"), "must be one of"),
    ],
)
def test_an_invalid_control_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

"""The control sweep draws every state of a small figure, and a reproducible sample of a large one."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.figures import live
from helpers.figures.controls import Choice, Control, LogSlider, Slider, Toggle
from helpers.figures.panels import lines
from tests.notebooks.sweep import SAMPLE, states, sweep

CONTROLS = st.one_of(
    st.builds(lambda low, count: Slider(low, low + count, low), st.integers(-9, 9), st.integers(1, 40)),
    st.builds(lambda count: LogSlider(1.0, 100.0, 10.0, steps=count), st.integers(1, 20)),
    st.builds(lambda count: Choice(*map(str, range(count))), st.integers(2, 9)),
    st.just(Toggle()),
)


def size(controls: dict[str, Control]) -> int:
    return math.prod(len(control.spec()["values"]) for control in controls.values())


@given(st.lists(CONTROLS, min_size=1, max_size=4), st.integers(1, 300))
@settings(deadline=None, max_examples=60)
def test_all_states_are_drawn_up_to_a_limit_and_a_sample_beyond(chosen: list[Control], limit: int) -> None:
    controls = {f"c{index}": control for index, control in enumerate(chosen)}
    values = {name: control.spec()["values"] for name, control in controls.items()}
    found = [tuple(state[name] for name in controls) for state in states(controls, limit, sample=20)]
    assert len(set(found)) == len(found) and set(found) <= set(itertools.product(*values.values()))
    assert found == [tuple(state.values()) for state in states(controls, limit, sample=20)], "the same again"
    if size(controls) <= limit:
        assert len(found) == size(controls)
        return
    assert tuple(control.value for control in chosen) in found
    for place, each in enumerate(values.values()):
        assert {state[place] for state in found} == set(each)
    for (i, one), (j, other) in itertools.combinations(enumerate(values.values()), 2):
        ends = set(itertools.product((one[0], one[-1]), (other[0], other[-1])))
        assert ends <= {(state[i], state[j]) for state in found}


def test_a_large_figure_is_sampled_beyond_its_edges() -> None:
    """Most of the sample moves all controls at once, and it reaches every part of the range."""
    controls: dict[str, Control] = {name: Slider(0, 99, 50) for name in "abc"}
    inner = [state for state in states(controls) if sum(value == 50 for value in state.values()) == 0]
    assert len(inner) > 0.9 * SAMPLE
    octants = {tuple(value > 50 for value in state.values()) for state in inner}
    assert len(octants) == 8


@pytest.fixture
def figure(monkeypatch: pytest.MonkeyPatch):
    """A figure of two controls that fails at the given states."""
    monkeypatch.setattr(live.LiveFigure, "instances", [])

    def figure(fails_at: set[tuple[str, int]]) -> live.LiveFigure:
        @live.live("Company", word=Choice("king", "paris", "cat"), window=Slider(1, 9, 5))
        def company(word: str, window: int):
            if (word, window) in fails_at:
                raise ValueError("labels has 5 names for 6 values")
            return lines([0, len(word) * window], title="Company"), f"{word} at {window}."

        return company

    return figure


def test_a_fault_of_two_controls_together_is_found(figure) -> None:
    """The state is neither reached by one control alone nor by the ends of both."""
    assert sweep([figure(set())]) == []
    problems = sweep([figure({("paris", 2)})])
    assert problems == ["'Company' at {'word': 'paris', 'window': 2}: ValueError: labels has 5 names for 6 values"]


def test_a_number_that_json_cannot_hold_is_found(figure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.LiveFigure, "draw", lambda self, values: {"limits": math.nan, "buffers": [b""]})
    assert "not JSON compliant" in " ".join(sweep([figure(set())]))


def test_the_report_of_a_figure_that_always_fails_is_short(figure) -> None:
    problems = sweep([figure({(word, window) for word in ("paris", "cat") for window in range(1, 10)})])
    assert len(problems) == 6 and problems[-1] == "'Company' at 13 more states"


def test_a_lesson_without_figures_has_no_problems() -> None:
    assert sweep([]) == []

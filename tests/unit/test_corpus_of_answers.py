"""Right answers are accepted, whatever their style."""

import contextlib
import io

import pytest

from tests.corpus import STYLES
from tests.tools.answers import Task, exercises, homework_answers

TASKS: dict[str, Task] = {**exercises(), **homework_answers()}
CASES = [pytest.param(name, source, id=f"{name}-{i}") for name in STYLES for i, source in enumerate(STYLES[name])]


@pytest.mark.parametrize(("name", "source"), CASES)
def test_a_right_answer_is_accepted(name: str, source: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert TASKS[name].reject(source) == ""


def test_every_function_of_the_homeworks_has_four_styles() -> None:
    functions = {name for name, task in homework_answers().items() if not task.name.startswith("test_")}
    assert STYLES.keys() <= TASKS.keys() and functions <= STYLES.keys()
    assert all(len(set(sources)) == len(sources) >= 4 for sources in STYLES.values())


def test_every_exercise_that_asks_for_a_function_has_styles() -> None:
    assert exercises().keys() <= STYLES.keys()

"""Right answers in different styles are accepted."""

import contextlib
import io

import pytest

from tests.corpus import STYLES
from tests.tools.answers import Task, exercises, homework_answers

# numpy's functions, given a tensor, ask it for more than it knows.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TASKS: dict[str, Task] = {**exercises(), **homework_answers()}
CASES = [pytest.param(name, source, id=f"{name}-{i}") for name in STYLES for i, source in enumerate(STYLES[name])]


@pytest.mark.parametrize(("name", "source"), CASES)
def test_a_right_answer_is_accepted(name: str, source: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        assert TASKS[name].reject(source) == ""


def test_every_function_has_answers_in_four_styles() -> None:
    functions = {name for name, task in TASKS.items() if not task.name.startswith("test_")}
    assert STYLES.keys() == functions
    assert all(len(set(sources)) == len(sources) >= 4 for sources in STYLES.values())


def test_a_right_answer_with_a_wrong_number_is_refused() -> None:
    """A right answer with one wrong number is not accepted."""
    source = STYLES["09.t5_bucket"][0]
    assert TASKS["09.t5_bucket"].reject(source.replace("2 * exact - 1", "2 * exact - 2")) != ""

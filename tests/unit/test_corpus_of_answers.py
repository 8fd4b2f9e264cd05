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


WITHOUT_STYLES = """01.bad_id 01.new_tokens 02.merge 02.pad_row 02.vocabulary 03.pmi 04.bias_direction 04.project_out
05.unchanged_outputs 06.interpolate 07.base_for_length 07.shift_matrix 08.balancing_factor 08.score_terms 09.alibi_bias
09.apply_rope 09.t5_bucket 10.prepare 11.by_parts 11.decode_step 11.position_ids""".split()


def test_every_other_exercise_that_asks_for_a_function_has_styles() -> None:
    """The listed ones are new or ask for something else than before: the corpus is to gain styles for them."""
    assert exercises().keys() - STYLES.keys() == set(WITHOUT_STYLES)

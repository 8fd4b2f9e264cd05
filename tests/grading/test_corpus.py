"""Right answers to the functions of the homeworks have all points in the grader, whatever their style."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import pytest

from helpers.grading.assignment import read
from helpers.grading.sandbox.host import Sandbox
from tests.corpus import STYLES
from tests.tools.homework import judge_answers
from tests.tools.refresh import homeworks

PATHS = {path.stem.partition("_")[0]: path for path in homeworks()}


def _batches() -> list[Any]:
    """For each homework one right answer to each function, then another one, until all styles were there."""
    batches = []
    for homework in PATHS:
        functions = {
            name.partition(".")[2]: styles for name, styles in STYLES.items() if name.startswith(homework + ".")
        }
        for number, sources in enumerate(zip_longest(*functions.values())):
            answers = {name: source for name, source in zip(functions, sources, strict=True) if source is not None}
            batches.append(pytest.param(homework, answers, id=f"{homework}-{number}"))
    return batches


@pytest.mark.parametrize(("homework", "answers"), _batches())
def test_right_answers_in_any_style_have_all_points(homework: str, answers: dict[str, str], sandbox: Sandbox) -> None:
    assignment = read(PATHS[homework])
    graded = judge_answers(sandbox, assignment, answers)
    # Homework 3 also tries the author's test of a function on it, which insists on the author's dtype.
    own_tests = [cell.id for cell in assignment.of("test") if any(f"test_{name}" in cell.source for name in answers)]
    lost = {name: verdict.message for name, verdict in graded.tests.items() if not verdict.passed}
    assert {name: message for name, message in lost.items() if name not in own_tests} == {}
    assert graded.attention == ()

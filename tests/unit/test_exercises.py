"""Every exercise: the reference is right, a stub is not attempted, each known mistake is recognised."""

from typing import Any

import pytest

from helpers.exercises.check import Verdict, judge
from helpers.exercises.registry import EXERCISES

ALL = sorted(EXERCISES)


@pytest.mark.parametrize("name", ALL)
def test_reference_passes(name: str) -> None:
    assert judge(EXERCISES[name], EXERCISES[name].reference) == Verdict("right", EXERCISES[name].right)


@pytest.mark.parametrize("name", ALL)
def test_stubs_are_not_attempted(name: str) -> None:
    stubs: list[Any] = [None, ...]
    if callable(EXERCISES[name].reference):
        stubs = [lambda *_: None, lambda *_: ...]
    for stub in stubs:
        assert judge(EXERCISES[name], stub).status == "not attempted"


@pytest.mark.parametrize("name", ALL)
def test_every_mistake_gets_its_own_message(name: str) -> None:
    exercise = EXERCISES[name]
    assert len(exercise.mistakes) >= 2
    assert len({mistake.message for mistake in exercise.mistakes}) == len(exercise.mistakes)
    for mistake in exercise.mistakes:
        assert judge(exercise, mistake.wrong) == Verdict("wrong", mistake.message)


@pytest.mark.parametrize("name", ALL)
def test_functions_have_several_cases(name: str) -> None:
    exercise = EXERCISES[name]
    assert name[:2].isdigit() and name[2] == "."
    assert not callable(exercise.reference) or len(exercise.cases) >= 2

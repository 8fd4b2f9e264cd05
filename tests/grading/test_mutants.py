"""Every homework: the reference wins all points, an untouched one none, and each known wrong answer is told apart."""

import symtable
from dataclasses import replace
from functools import cache

import nbformat
import pytest

from helpers.grading.assignment import Assignment, parse, read
from helpers.grading.release import student_version
from tests.grading.evaluate import Verdict, evaluate, total
from tests.grading.mutants import BUGS, Mutant, every
from tests.tools.refresh import homeworks

MUTANTS = every()
PATHS = {path.stem: path for path in homeworks()}


@cache
def _assignment(name: str) -> Assignment:
    return read(PATHS[name])


def _problem(mutant: Mutant, verdicts: dict[str, Verdict]) -> str:
    """Why a mutant survives, or an empty string."""
    failed = [verdict for verdict in verdicts.values() if not verdict.passed]
    if not failed:
        return "it lost no points"
    seen = [verdict.message for verdict in failed if not verdict.hidden]
    if mutant.where == "hidden" and seen:
        return f"a visible test sees it: {seen}"
    told = seen if mutant.where == "visible" else [verdict.message for verdict in failed]
    return "" if any(mutant.says in message for message in told) else f"nothing names it: {told or failed}"


@pytest.mark.parametrize("name", PATHS)
def test_the_reference_wins_every_point(name: str) -> None:
    verdicts = evaluate(_assignment(name))
    assert {each: verdict.message for each, verdict in verdicts.items() if not verdict.passed} == {}
    written = sum(cell.points for cell in _assignment(name).of("written"))
    assert total(verdicts) == _assignment(name).points - written > 0 < written


@pytest.mark.parametrize("learner", ["grace", "Ж-77", "0", "x" * 60])
@pytest.mark.parametrize("name", PATHS)
def test_the_reference_is_right_for_everybodys_numbers(name: str, learner: str) -> None:
    assert all(verdict.passed for verdict in evaluate(_assignment(name), learner_id=learner).values())


@pytest.mark.parametrize("name", PATHS)
def test_an_untouched_release_wins_nothing_and_runs_to_its_end(name: str) -> None:
    released = parse(name, student_version(nbformat.read(PATHS[name], as_version=4)))
    untouched = {cell.id: cell.source for cell in released.of("answer")}
    for source in untouched.values():
        exec(source, {})
    verdicts = evaluate(_assignment(name), untouched)
    assert total(verdicts) == 0
    seen = [verdict.message for verdict in verdicts.values() if not verdict.hidden]
    assert all("not attempted yet" in message for message in seen)


@pytest.mark.parametrize("name", PATHS)
def test_no_cell_of_the_author_overwrites_an_answer(name: str) -> None:
    answers: set[str] = set()
    for cell in _assignment(name).cells:
        if cell.kind == "answer":
            answers.add(cell.id)
        elif cell.kind != "written":
            symbols = symtable.symtable(cell.source, cell.id, "exec").get_symbols()
            taken = {symbol.get_name() for symbol in symbols if symbol.is_assigned()}
            assert not taken & answers, f"{cell.id} overwrites an answer"


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_wrong_answer_loses_points_and_is_told_why(mutant: Mutant) -> None:
    assert _problem(mutant, evaluate(_assignment(mutant.homework), {mutant.answer: mutant.source})) == ""


@pytest.mark.parametrize("name", {mutant.homework for mutant in MUTANTS})
def test_planted_controls(name: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.homework == name and mutant.where == "visible")
    right = next(cell.source for cell in _assignment(name).of("answer") if cell.id == mutant.answer)
    assert _problem(mutant, evaluate(_assignment(name), {mutant.answer: right})) == "it lost no points"
    wrong = evaluate(_assignment(name), {mutant.answer: mutant.source})
    assert "nothing names it" in _problem(replace(mutant, says="you forgot the milk"), wrong)
    assert "a visible test sees it" in _problem(replace(mutant, where="hidden"), wrong)


def test_the_registry() -> None:
    assert len({str(mutant) for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.bug for mutant in MUTANTS} <= BUGS.keys() | {""}
    assert all(len(mutant.says) > 10 for mutant in MUTANTS)

"""Every homework: the reference gets all points, an unanswered one none, and known wrong answers are diagnosed."""

import ast
import itertools
import symtable
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import nbformat
import pytest

from helpers.grading.assignment import Assignment, parse, questions, read
from helpers.grading.judge import Graded
from helpers.grading.release import student_version
from helpers.grading.sandbox.host import Sandbox
from tests.grading.mutants import BUGS, Mutant, every
from tests.tools.homework import judge_answers, points
from tests.tools.refresh import homeworks

MUTANTS = every()
PATHS = {path.stem: path for path in homeworks()}


@cache
def _assignment(name: str) -> Assignment:
    return read(PATHS[name])


def _problem(mutant: Mutant, graded: Graded) -> str:
    """Why a mutant survives, or an empty string."""
    hidden = {cell.id for cell in _assignment(mutant.homework).of("test") if "BEGIN HIDDEN TESTS" in cell.source}
    failed = {name: verdict.message for name, verdict in graded.tests.items() if not verdict.passed}
    if not failed:
        return "it lost no points"
    visible = [message for name, message in failed.items() if name not in hidden]
    if mutant.where == "hidden" and visible:
        return f"a visible test fails: {visible}"
    messages = visible if mutant.where == "visible" else list(failed.values())
    return "" if any(mutant.message in message for message in messages) else f"nothing names it: {messages or failed}"


@pytest.mark.parametrize("name", PATHS)
def test_the_reference_wins_every_point(name: str, judge_reference: Callable[[str], Graded]) -> None:
    assignment, graded = _assignment(name), judge_reference(name)
    assert {each: verdict.message for each, verdict in graded.tests.items() if not verdict.passed} == {}
    written = sum(cell.points for cell in assignment.of("written"))
    assert points(assignment, graded) == assignment.points - written > 0 < written
    assert graded.attention == ()


@pytest.mark.parametrize("learner", ["grace", "Ж-77", "0", "x" * 60])
@pytest.mark.parametrize("name", [name for name, path in PATHS.items() if "own_numbers" in path.read_text("utf-8")])
def test_the_reference_is_right_for_any_individual_numbers(name: str, learner: str, sandbox: Sandbox) -> None:
    graded = judge_answers(sandbox, _assignment(name), learner_id=learner)
    assert all(verdict.passed for verdict in graded.tests.values())


@pytest.mark.parametrize("name", PATHS)
def test_an_untouched_release_gets_no_points(name: str, sandbox: Sandbox) -> None:
    released = parse(name, student_version(nbformat.read(PATHS[name], as_version=4)))
    untouched = {cell.id: cell.source for cell in released.of("answer")}
    graded = judge_answers(sandbox, _assignment(name), untouched)
    assert points(_assignment(name), graded) == 0
    assert not [output for outputs in graded.outputs.values() for output in outputs if output["output_type"] == "error"]
    messages = [verdict.message for verdict in graded.tests.values()]
    visible = [message for message in messages if not message.startswith("hidden tests failed")]
    assert visible and all("Not attempted –" in message for message in visible)


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


@pytest.mark.parametrize("name", PATHS)
def test_no_question_depends_on_the_answer_to_another(name: str) -> None:
    notebook = nbformat.read(PATHS[name], as_version=4)
    cells = {
        cell.id: ast.walk(ast.parse(cell.source)) for cell in parse(name, notebook).cells if cell.kind != "written"
    }
    used = {cell: {node.id for node in nodes if isinstance(node, ast.Name)} for cell, nodes in cells.items()}
    answers = {cell.id for cell in _assignment(name).of("answer")} - {"learner_id"}
    own = {cell: question.cells for question in questions(notebook) for cell in question.cells}
    assert answers <= own.keys()
    assert {cell: names & answers - set(own.get(cell, ())) for cell, names in used.items()} == dict.fromkeys(
        used, set()
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_wrong_answer_loses_points_with_its_message(mutant: Mutant, judge_mutant: Callable[[Mutant], Graded]) -> None:
    assert _problem(mutant, judge_mutant(mutant)) == ""


@pytest.mark.parametrize("name", sorted({mutant.homework for mutant in MUTANTS}))
def test_planted_controls(
    name: str, judge_reference: Callable[[str], Graded], judge_mutant: Callable[[Mutant], Graded]
) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.homework == name and mutant.where == "visible")
    assert _problem(mutant, judge_reference(name)) == "it lost no points"
    wrong = judge_mutant(mutant)
    assert "nothing names it" in _problem(replace(mutant, message="you forgot the milk"), wrong)
    assert "a visible test fails" in _problem(replace(mutant, where="hidden"), wrong)


def test_the_registry_is_valid() -> None:
    assert len({str(mutant) for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.bug for mutant in MUTANTS} <= BUGS.keys() | {""}
    assert all(len(mutant.message) > 10 for mutant in MUTANTS)


BLIND = """calls = []
def {name}(implementation):
    {look}
    calls.append(None)
    assert len(calls) not in {rejected}"""
LOOK = "try: implementation(1, 2, 3, 4)\n    except Exception: pass"
NO_LOOK = "pass"


@pytest.mark.parametrize("look", [LOOK, NO_LOOK])
@pytest.mark.parametrize("rejected", [{1, 2}, {1, 2, 4, 5, 6}, set(range(1, 999, 2))])
def test_learners_tests_that_count_their_calls_get_no_points(look: str, rejected: set[int], sandbox: Sandbox) -> None:
    """Also if they guess the order of the implementations."""
    assignment = _assignment("hw3_bug_hunt")
    names = [cell.id for cell in assignment.of("answer") if cell.id.startswith("test_")]
    blind = {name: BLIND.format(name=name, look=look, rejected=rejected) for name in names}
    graded = judge_answers(
        sandbox, assignment, {name: code.replace("calls", f"calls_of_{name}") for name, code in blind.items()}
    )
    tried = [f"{kind}_{name}" for name in names for kind in ("check", "hidden")]
    assert len(tried) == 28 and not [name for name in tried if graded.tests[name].passed]
    assert all(verdict.passed for name, verdict in graded.tests.items() if name not in tried)


@pytest.mark.parametrize("name", [name for name in PATHS if not name.startswith("hw3")])
def test_the_library_of_the_course_contains_no_answers(name: str, sandbox: Sandbox) -> None:
    assignment = _assignment(name)
    answers = [cell for cell in assignment.of("answer") if cell.id != "learner_id"]
    modules = itertools.cycle(["positions", "attention", "geometry", "training", "vocabulary", "exercises.lesson03"])
    imports = {
        cell.id: f"import helpers.{module}\n{cell.source}" for cell, module in zip(answers, modules, strict=False)
    }
    graded = judge_answers(sandbox, assignment, imports)
    assert points(assignment, graded) == 0
    errors = [output["ename"] for outputs in graded.outputs.values() for output in outputs if "ename" in output]
    assert errors == ["ImportError"] * len(answers)

"""The functions that the course asks for, with the answers of their authors and what decides whether one is right."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import nbformat
import torch
from torch.nn import functional as F

from helpers.exercises.check import judge
from helpers.exercises.registry import EXERCISES
from helpers.grading.assignment import Assignment, read
from tests.grading.evaluate import evaluate
from tests.tools.refresh import homeworks, lessons
from tests.tools.solve import solved

_CHECK = re.compile(r'check\("([^"]+)", (\w+)\)')


@dataclass(frozen=True)
class Task:
    """A function that learners write.

    Attributes:
        id: ``"01.lookup"``, or homework and answer: ``"hw1.encode"``.
        name: of the function.
        answer: source of the cell with the author's answer.
        reject: from the source of a cell to why its answer is wrong, empty if it is right.
    """

    id: str
    name: str
    answer: str
    reject: Callable[[str], str]

    def __str__(self) -> str:
        return self.id


@cache
def exercises() -> Mapping[str, Task]:
    """The functions of all lessons by the id of their exercise: the answers are those that the lessons fold."""
    found = {}
    for path in lessons():
        notebook, _ = solved(nbformat.read(path, as_version=4))
        answer = ""
        for cell in notebook.cells:
            if "exercise" in cell.metadata.get("tags", []):
                answer = cell.source
            asked = _CHECK.match(cell.source) if "check" in cell.metadata.get("tags", []) else None
            if asked and callable(EXERCISES[asked[1]].reference):
                name, function = asked.groups()
                found[name] = Task(name, function, answer, _rejecter(name, function))
    return found


def _rejecter(exercise: str, function: str) -> Callable[[str], str]:
    def reject(source: str) -> str:
        namespace = {"torch": torch, "F": F, "math": math, "Counter": Counter}
        try:
            exec(compile(source, "<answer>", "exec"), namespace)
        except Exception as error:
            return f"the cell raised {type(error).__name__}: {error}"
        verdict = judge(EXERCISES[exercise], namespace.get(function))
        return "" if verdict.status == "right" else verdict.text or verdict.status

    return reject


@cache
def homework_answers() -> Mapping[str, Task]:
    """The functions of all homeworks, ``"hw1.encode"``, judged by their own visible and hidden test cells."""
    found = {}
    for path in homeworks():
        assignment = read(path)
        for cell in assignment.of("answer"):
            if re.search(rf"^def {cell.id}\(", cell.source, re.MULTILINE):
                name = f"{path.stem.partition('_')[0]}.{cell.id}"
                found[name] = Task(name, cell.id, cell.source, _grader(assignment, cell.id))
    return found


def _grader(assignment: Assignment, answer: str) -> Callable[[str], str]:
    named, own_test = re.compile(rf"\b{answer}\b"), re.compile(rf"\btest_{answer}\b")  # in homework 3
    cells = [
        cell
        for cell in assignment.cells
        if cell.kind != "test" or (named.search(cell.source) and not own_test.search(cell.source))
    ]
    needed = [
        cell
        for cell in cells
        if cell.kind != "answer" or any(re.search(rf"\b{cell.id}\b", test.source) for test in cells if test != cell)
    ]
    part = Assignment(assignment.name, tuple(needed))

    def reject(source: str) -> str:
        verdicts = evaluate(part, {answer: source})
        return "; ".join(f"{name}: {verdict.message}" for name, verdict in verdicts.items() if not verdict.passed)

    return reject

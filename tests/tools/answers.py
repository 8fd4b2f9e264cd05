"""The functions that the course asks for, with the answers of their authors and what decides whether one is right."""

from __future__ import annotations

import contextlib
import io
import linecache
import math
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import nbformat
import pytest
import torch
from torch.nn import functional as F

from helpers.exercises.check import judge
from helpers.exercises.registry import EXERCISES
from helpers.grading.assignment import Assignment, read
from tests.tools.mutation import run
from tests.tools.refresh import homeworks, lessons
from tests.tools.solve import solved

LEARNER = "ada"
AT_LEAST = 0.98  # of the mutants that are not equivalent must be rejected
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


def assert_mutants_rejected(task: Task, equivalent: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """The author's answer is accepted and its mutants are rejected; the kill rate is printed.

    Args:
        equivalent: change → why it changes nothing. One that is not accepted fails the test.
    """
    assert task.reject(task.answer) == ""
    result = run(task.answer, task.name, task.reject, equivalent)
    with capsys.disabled():
        print(f"\n{task.id}: {result.rate:.0%} of {result.total} mutants rejected, {len(equivalent)} equivalent")
    assert result.unknown == () and result.rate >= AT_LEAST, result.survived


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

    return lambda source: "; ".join(_failures(part, answer, source))


def _failures(homework: Assignment, answer: str, source: str) -> list[str]:
    """Run a homework in this process, without the sandbox, with one answer replaced.

    As in the grader, answers and tests share no names but those of the answers.

    Returns:
        A line for each test that fails: its id and the message of its error.
    """
    answers = {"learner_id": f"learner_id = {LEARNER!r}", answer: source}
    theirs: dict[str, Any] = {"__name__": "__main__"}
    ours: dict[str, Any] = {"__name__": "__main__"}
    failures = []
    with (
        mock.patch.dict(os.environ, NBGRADER_EXECUTION="autograde"),
        mock.patch("random.SystemRandom", lambda: random.Random(0)),  # hidden tests run in random order
        contextlib.redirect_stdout(io.StringIO()),
    ):
        for cell in homework.cells:
            if cell.kind == "setup":
                _run(cell.id, cell.source, ours)
            if cell.kind in ("setup", "answer"):
                with contextlib.suppress(Exception):
                    _run(cell.id, answers.get(cell.id, cell.source), theirs)
            if cell.kind == "answer":
                ours[cell.id] = LEARNER if cell.id == "learner_id" else theirs.get(cell.id, ...)
            if cell.kind == "test":
                try:
                    _run(cell.id, cell.source, ours)
                except AssertionError as error:
                    failures.append(f"{cell.id}: {error}")
                except Exception as error:
                    failures.append(f"{cell.id}: {type(error).__name__}: {error}")
    return failures


def _run(name: str, source: str, namespace: dict[str, Any]) -> None:
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)

"""A homework graded in this process, without the jail: for answers of our own, in a tenth of a second."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
from collections.abc import Mapping
from dataclasses import dataclass
from unittest import mock

from helpers.grading.assignment import Assignment, Cell

MARK = "BEGIN HIDDEN TESTS"


@dataclass(frozen=True)
class Verdict:
    """What came of one test cell: ``message`` is the line that it printed, or the error that it raised."""

    points: float
    hidden: bool
    passed: bool
    message: str


def evaluate(
    assignment: Assignment, answers: Mapping[str, str] | None = None, learner_id: str = "ada"
) -> dict[str, Verdict]:
    """Run all cells in their order and give a verdict for every test.

    As in the jail, answers and tests share no names but those of the answers.

    Args:
        answers: ``grade_id`` → source that stands in that answer cell instead of the author's.
        learner_id: what the roster says, and the learner, if ``answers`` does not hold another.

    Raises:
        KeyError: an answer that the homework does not ask for.
        Exception: what a set-up cell raises.
    """
    answers = dict(answers or {})
    unknown = answers.keys() - {cell.id for cell in assignment.of("answer")}
    if unknown:
        raise KeyError(f"{assignment.name} has no answer {', '.join(sorted(unknown))}")
    answers = {"learner_id": f"learner_id = {learner_id!r}"} | answers
    theirs, ours = {"__name__": "__main__"}, {"__name__": "__main__"}
    verdicts: dict[str, Verdict] = {}
    with mock.patch.dict(os.environ, NBGRADER_EXECUTION="autograde"):
        for cell in assignment.cells:
            if cell.kind == "setup":
                _run(cell.id, cell.source, ours)
            if cell.kind in ("setup", "answer"):
                with contextlib.suppress(Exception):
                    _run(cell.id, answers.get(cell.id, cell.source), theirs)
            if cell.kind == "answer":
                ours[cell.id] = learner_id if cell.id == "learner_id" else theirs.get(cell.id, ...)
            if cell.kind == "test":
                verdicts[cell.id] = _verdict(cell, ours)
    return verdicts


def total(verdicts: Mapping[str, Verdict]) -> float:
    """The points that were won."""
    return sum(verdict.points for verdict in verdicts.values() if verdict.passed)


def _run(name: str, source: str, namespace: dict) -> str:
    """Execute the source of a cell; what it printed."""
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, filename, "exec"), namespace)
    return printed.getvalue().strip()


def _verdict(cell: Cell, namespace: dict) -> Verdict:
    try:
        passed, message = True, _run(cell.id, cell.source, namespace)
    except Exception as error:
        passed, message = False, str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
    return Verdict(cell.points, MARK in cell.source, passed, message)

"""Fixtures: a sandbox for all tests, a small homework, and courses to grade it in."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from helpers.grading.assignment import questions, read
from helpers.grading.course import Course
from helpers.grading.judge import Graded
from helpers.grading.release import student_version
from helpers.grading.sandbox.host import Sandbox
from tests.grading import hostile
from tests.grading.mutants import Mutant, every
from tests.tools.homework import (
    SAMPLE,
    SAMPLE_COLUMNS,
    SAMPLE_RIGHT,
    SMALL,
    grade_course,
    judge_answers,
    require_bubblewrap,
    sample_homework,
    small_homework,
    write,
)
from tests.tools.refresh import ROOT, homeworks

HOMEWORKS = {path.stem: path for path in homeworks()}


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One for all tests: to start it takes seconds, and no session knows of another one."""
    require_bubblewrap()
    hostile.prepare()
    with Sandbox(secret=[hostile.OUTSIDE]) as sandbox:
        yield sandbox
    shutil.rmtree(hostile.OUTSIDE, ignore_errors=True)


class Unconfined(Sandbox):
    """The same guest without a sandbox, for submissions that are harmless."""

    def command(self, mode: str) -> list[str]:
        paths = [str(ROOT / "helpers/grading/sandbox"), str(ROOT)]
        return [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}\n{_BARE}", mode, str(os.getuid())]

    def _test(self) -> None:
        """Skip the probe, which would fail."""


_BARE = f"""
import os
os.environ["HOSTILE_CANARY"] = {hostile.CANARY!r}
import guest
guest._unshare = guest._write = guest._confine = lambda *arguments: None
guest.main()
"""


@pytest.fixture(scope="session")
def unconfined() -> Iterator[Sandbox]:
    require_bubblewrap()
    with Unconfined(warm=True) as bare:
        yield bare


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The author's notebook of the small homework."""
    return write(tmp_path_factory.mktemp("authors"), SMALL, small_homework())


@pytest.fixture(scope="session")
def release(source: Path) -> NotebookNode:
    """The student version of the small homework."""
    return student_version(nbformat.read(source, as_version=4))


@pytest.fixture(scope="session")
def entered(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """A course folder with the small homework in its gradebook, to be copied."""
    with Course(tmp_path_factory.mktemp("entered") / "course") as course:
        course.prepare(source)
    return course.folder


@pytest.fixture
def course(tmp_path: Path, entered: Path, source: Path) -> Iterator[Course]:
    """A course with the small homework, without submissions."""
    shutil.copytree(entered, tmp_path / "course")
    with Course(tmp_path / "course") as course:
        course.prepare(source)
        yield course


@pytest.fixture(scope="session")
def graded_sample(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """A course folder, to be copied, with three learners: one right, one who takes columns, one who changed nothing."""
    submissions: dict[str, dict[str, str]] = {"ada": SAMPLE_RIGHT, "bo": SAMPLE_COLUMNS, "zoe": {}}
    return grade_course(tmp_path_factory.mktemp("sample") / "course", SAMPLE, sample_homework(), submissions, sandbox)


@pytest.fixture(scope="session")
def judge_reference(sandbox: Sandbox) -> Callable[[str], Graded]:
    """A function that judges the author's answers to a homework, each only once."""
    return functools.cache(lambda name: judge_answers(sandbox, read(HOMEWORKS[name])))


@pytest.fixture(scope="session")
def judge_mutant(sandbox: Sandbox, judge_reference: Callable[[str], Graded]) -> Callable[[Mutant], Graded]:
    """A function that judges the author's answers with one wrong answer among them.

    As no question depends on the answer to another one (see test_mutants.py), a wrong answer to every question is
    judged at once; the verdicts on the other questions are those of the author's answers.
    """

    @functools.cache
    def judge(name: str) -> dict[Mutant, Graded]:
        mutants: dict[tuple[str, ...], list[Mutant]] = {}
        path = HOMEWORKS[name]
        assignment = read(path)
        cells = [question.cells for question in questions(nbformat.read(path, as_version=4))]
        for mutant in every():
            if mutant.homework == name:
                mutants.setdefault(next(each for each in cells if mutant.answer in each), []).append(mutant)
        judged = {}
        for wrong in itertools.zip_longest(*mutants.values()):
            batch = {mutant: cells for mutant, cells in zip(wrong, mutants, strict=True) if mutant}
            asked = set().union(*batch.values())
            part = [cell for cell in assignment.cells if cell.kind != "test" or cell.id in asked]
            answers = {mutant.answer: mutant.source for mutant in batch}
            graded = judge_answers(sandbox, replace(assignment, cells=tuple(part)), answers)
            for mutant, own in batch.items():
                verdicts = {test: verdict for test, verdict in graded.tests.items() if test in own}
                judged[mutant] = replace(graded, tests=judge_reference(name).tests | verdicts)
        return judged

    return lambda mutant: judge(mutant.homework)[mutant]

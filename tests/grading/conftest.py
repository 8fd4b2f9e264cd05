"""Fixtures: a small homework, and courses to grade it in."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from helpers.grading.assignment import read
from helpers.grading.course import Course
from helpers.grading.judge import Graded
from helpers.grading.release import student_version
from helpers.grading.sandbox.host import Sandbox
from tests.grading.mutants import Mutant
from tests.tools.homework import SMALL, judge_answers, require_bubblewrap, small_homework, write
from tests.tools.refresh import homeworks


def pytest_configure(config: pytest.Config) -> None:
    # nbgrader adds objects in an order for which SQLAlchemy warns; the result is right.
    config.addinivalue_line("filterwarnings", "ignore:Object of type .* not in session:sqlalchemy.exc.SAWarning")


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
def judge_mutant() -> Iterator[Callable[[Mutant], Graded]]:
    """A function that judges the author's answers with one wrong answer among them, each only once."""
    require_bubblewrap()
    assignments = {path.stem: read(path) for path in homeworks()}
    with Sandbox() as sandbox:

        @functools.cache
        def judge(mutant: Mutant) -> Graded:
            return judge_answers(sandbox, assignments[mutant.homework], {mutant.answer: mutant.source})

        yield judge

"""Merge course folders in which several graders worked independently."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from nbgrader.api import Gradebook

from helpers.grading.course import Course, CourseError
from helpers.grading.lms.collect import read_record, write_record


def merge(into: Course, other: Course) -> dict[str, tuple[int, int]]:
    """Add the learners of another course, and points and comments given by hand.

    Points and comments by hand of a learner who is in both courses are added if this course has none. Nothing is
    written if there is a conflict.

    Returns:
        homework → the number of learners, and of points and comments by hand, that were added.

    Raises:
        CourseError: two points or comments by hand for the same answer of the same learner differ; a learner's
            notebooks, a homework's sources or the adjustments of its questions differ. The message lists all conflicts.
    """
    names = _homeworks(other)
    problems = [problem for name in names for problem in _conflicts(into, other, name)]
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems)
        raise CourseError(f"{other.folder} conflicts with {into.folder}; nothing was merged:\n{shown}")
    merged = {}
    for name in names:
        new = sorted(set(other.records(name)) - set(into.records(name)))
        for learner in new:
            _copy_files(into.folder, other.folder, name, learner)
        _copy_record(into.folder, other.folder, name, new)
        if name not in _homeworks(into):
            into.prepare(other.folder / "source" / name / f"{name}.ipynb")
            for adjustment in other.adjustments(name):
                into.adjust(name, adjustment.question, adjustment)
        by_hand = into.take_grades(other, name, new)
        merged[name] = (len(new), by_hand)
    return merged


def _homeworks(course: Course) -> list[str]:
    with Gradebook(course.db_url) as gradebook:
        return sorted(assignment.name for assignment in gradebook.assignments)


def _conflicts(into: Course, other: Course, name: str) -> Iterable[str]:
    if name not in _homeworks(into):
        return
    if into.source_digest(name) != other.source_digest(name):
        yield f"{name}: the folders were graded with different sources"
        return
    if _adjustments(into, name) != _adjustments(other, name):
        yield f"{name}: the adjustments of its questions differ; make them equal with adjust"
    for learner in sorted(into.records(name).keys() & other.records(name).keys()):
        if _submission(into, learner, name) != _submission(other, learner, name):
            yield f"{name}: the notebooks of {learner} differ"
            continue
        first, second = into.by_hand(name, learner), other.by_hand(name, learner)
        for cell, kind in sorted(first.keys() & second.keys()):
            if first[cell, kind] != second[cell, kind]:
                yield f"{name}: {learner}, {cell}: both have {kind}, {first[cell, kind]!r} and {second[cell, kind]!r}"


def _adjustments(course: Course, name: str) -> set[tuple]:
    return {(adjustment.question, adjustment.kind, adjustment.points) for adjustment in course.adjustments(name)}


def _submission(course: Course, learner: str, name: str) -> bytes:
    path = course.folder / "submitted" / learner / name / f"{name}.ipynb"
    return path.read_bytes() if path.exists() else b""


def _copy_files(into: Path, other: Path, name: str, learner: str) -> None:
    for step in ("submitted", "autograded", "feedback"):
        source, target = (folder / step / learner / name for folder in (other, into))
        if source.is_dir() and not source.is_symlink():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def _copy_record(into: Path, other: Path, name: str, learners: Iterable[str]) -> None:
    record, other_record = read_record(into), read_record(other).get(name, {})
    new = {learner: other_record[learner] for learner in learners if learner in other_record}
    if new:
        record[name] = record.get(name, {}) | new
        write_record(into, record)

"""Bring together what several graders did in course folders of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from nbgrader.api import Gradebook

from helpers.grading.course import Course, CourseError
from helpers.grading.lms.collect import read_record, write_record


def merge(into: Course, other: Course) -> dict[str, tuple[int, int]]:
    """Add to a course what another has: learners that it does not have, and points and comments given by hand.

    Points and comments by hand of a learner who is in both are added where this course has none. Nothing is written
    if anything overlaps.

    Returns:
        homework → how many learners came, and how many points and comments by hand.

    Raises:
        CourseError: both graders gave points, or wrote a comment, for the same answer of the same learner, and these
            differ; a learner's notebooks differ; a homework's sources differ. All of them are named.
    """
    names = _homeworks(other)
    problems = [problem for name in names for problem in _overlaps(into, other, name)]
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems)
        raise CourseError(f"{other.folder} overlaps with {into.folder}; nothing was merged:\n{shown}")
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


def _overlaps(into: Course, other: Course, name: str) -> Iterable[str]:
    if name not in _homeworks(into):
        return
    if into.source_digest(name) != other.source_digest(name):
        yield f"{name}: the two were graded with different sources"
        return
    if _decisions(into, name) != _decisions(other, name):
        yield f"{name}: other questions are adjusted; `adjust` them alike in both"
    ours, theirs = into.records(name), other.records(name)
    for learner in sorted(ours.keys() & theirs.keys()):
        if _submission(into, learner, name) != _submission(other, learner, name):
            yield f"{name}: {learner} has another notebook in each"
            continue
        mine, yours = into.by_hand(name, learner), other.by_hand(name, learner)
        for cell, what in sorted(mine.keys() & yours.keys()):
            if mine[cell, what] != yours[cell, what]:
                yield f"{name}: {learner}, {cell}: both gave {what}, {mine[cell, what]!r} and {yours[cell, what]!r}"


def _decisions(course: Course, name: str) -> set[tuple]:
    return {(each.question, each.kind, each.points) for each in course.adjustments(name)}


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
    record, theirs = read_record(into), read_record(other).get(name, {})
    new = {learner: theirs[learner] for learner in learners if learner in theirs}
    if new:
        record[name] = record.get(name, {}) | new
        write_record(into, record)

"""Forget a learner: delete everything in a course folder that names one or comes from them."""

from __future__ import annotations

import shutil

from helpers.grading.course import Course
from helpers.grading.lms import roster
from helpers.grading.lms.collect import RECORD, read_record, write_record

LEARNER_FOLDERS = ("submitted", "autograded", "feedback")
CLASS_FOLDERS = ("exports", "reports")


def forget(course: Course, learner: str) -> list[str]:
    """Delete a learner from the folders, the roster, the record of what was collected, exports and the gradebook.

    Files in ``exports`` and ``reports`` hold the whole class: all of them are deleted, and written again by the
    commands that wrote them.

    Args:
        learner: the id, in upper or lower case as it may be, or the address of the roster.

    Returns:
        Where something was deleted.

    Raises:
        ValueError: nothing in the course has this id.
    """
    if learner in ("", ".", "..") or "/" in learner or "\0" in learner:
        raise ValueError(f"{learner!r} is no id")
    if on_roster := roster.of_course(course.folder).by_id(learner):
        learner = on_roster.id
    found = []
    for step in LEARNER_FOLDERS:
        folder = course.folder / step / learner
        if folder.is_symlink():
            folder.unlink()
            found.append(f"{step}/{learner}")
        elif folder.is_dir():
            shutil.rmtree(folder)
            found.append(f"{step}/{learner}")
    record = read_record(course.folder)
    kept = {homework: {who: what for who, what in of.items() if who != learner} for homework, of in record.items()}
    if kept != record:
        write_record(course.folder, kept)
        found.append(RECORD)
    if (course.folder / "roster.csv").exists() and roster.remove(course.folder / "roster.csv", learner):
        found.append("roster.csv")
    if course.forget(learner):
        found.append("gradebook.db")
    if not found:
        raise ValueError(f"nothing in {course.folder} belongs to {learner!r}; give the id of the roster")
    for name in CLASS_FOLDERS:
        if (course.folder / name).is_dir():
            shutil.rmtree(course.folder / name)
            found.append(name)
    return found

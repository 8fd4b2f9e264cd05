"""Removal of a learner: all files, records and grades in a course folder."""

from __future__ import annotations

import shutil

from helpers.grading.course import Course
from helpers.grading.lms import roster
from helpers.grading.lms.collect import RECORD, read_record, write_record

LEARNER_FOLDERS = ("submitted", "autograded", "feedback")
CLASS_FOLDERS = ("exports", "reports")


def forget(course: Course, learner: str) -> list[str]:
    """Delete a learner from the folders, the roster, the record of collected submissions, and the gradebook.

    Files in ``exports`` and ``reports`` contain data of all learners and are deleted as well; the commands that wrote
    them can write them again.

    Args:
        course: the course.
        learner: the id, case-insensitively, or the email address in the roster.

    Returns:
        The names of the files and folders from which something was deleted.

    Raises:
        ValueError: nothing in the course has this id.
    """
    if learner in ("", ".", "..") or "/" in learner or "\0" in learner:
        raise ValueError(f"{learner!r} is not a valid id")
    if on_roster := roster.of_course(course.folder).by_id(learner):
        learner = on_roster.id
    deleted = []
    for step in LEARNER_FOLDERS:
        folder = course.folder / step / learner
        if folder.is_symlink():
            folder.unlink()
            deleted.append(f"{step}/{learner}")
        elif folder.is_dir():
            shutil.rmtree(folder)
            deleted.append(f"{step}/{learner}")
    record = read_record(course.folder)
    kept = {
        homework: {name: entry for name, entry in entries.items() if name != learner}
        for homework, entries in record.items()
    }
    if kept != record:
        write_record(course.folder, kept)
        deleted.append(RECORD)
    if (course.folder / "roster.csv").exists() and roster.remove(course.folder / "roster.csv", learner):
        deleted.append("roster.csv")
    if course.forget(learner):
        deleted.append("gradebook.db")
    if not deleted:
        raise ValueError(f"{course.folder} contains no data of {learner!r}; use the id in the roster")
    for name in CLASS_FOLDERS:
        if (course.folder / name).is_dir():
            shutil.rmtree(course.folder / name)
            deleted.append(name)
    return deleted

"""Take homeworks out of the home folders of a hub, which belong to learners and may contain anything."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from helpers.grading import files
from helpers.grading.submission import RejectedSubmission, read_bytes


def copy_from_homes(homes: Path, within: str, homework: str, to: Path) -> tuple[list[str], list[str]]:
    """Copy ``homes/LEARNER/within/HOMEWORK/HOMEWORK.ipynb`` to ``to/LEARNER/HOMEWORK.ipynb`` for every learner.

    No symbolic link below ``homes`` is followed: a learner could let one lead to another learner's file, or to any file
    that the reading user may read. The date of each file is kept; a learner can set it, so it proves nothing.

    Returns:
        Whose notebook was copied, and a sentence for each home whose notebook was refused. Homes without one are
        passed over.

    Raises:
        ValueError: ``homes`` is no folder, or ``within`` is no path inside a home.
    """
    inside = PurePosixPath(within)
    if inside.is_absolute() or ".." in inside.parts:
        raise ValueError(f"{within!r} is no path inside a home folder, such as course/notebooks/homework/release")
    if not homes.is_dir():
        raise ValueError(f"{homes} is no folder of home folders")
    copied, refused = [], []
    for entry in sorted(os.scandir(homes), key=lambda entry: entry.name):
        if entry.name.startswith(".") or not entry.is_dir(follow_symlinks=False):
            continue
        parts = (entry.name, *inside.parts, homework, f"{homework}.ipynb")
        try:
            content = read_bytes(homes, *parts)
        except FileNotFoundError:
            continue
        except (RejectedSubmission, PermissionError) as reason:
            refused.append(f"{entry.name}: {reason}")
            continue
        target = to / entry.name / f"{homework}.ipynb"
        files.write_atomic(target, content, mode=0o700)
        modified = os.stat(homes.joinpath(*parts), follow_symlinks=False).st_mtime
        os.utime(target, (modified, modified))
        copied.append(entry.name)
    return copied, refused

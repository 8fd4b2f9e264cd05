"""Copy homeworks from the home folders of a hub, which are untrusted: their content is controlled by learners."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from helpers.grading import files
from helpers.grading.submission import RejectedSubmission, read_bytes


def copy_from_homes(homes: Path, within: str, homework: str, to: Path) -> tuple[list[str], list[str]]:
    """Copy ``homes/LEARNER/within/HOMEWORK/HOMEWORK.ipynb`` to ``to/LEARNER/HOMEWORK.ipynb`` for every learner.

    No symbolic link below ``homes`` is followed, as it could point to another learner's file, or to any file that the
    current user may read. The modification time of each file is kept; it is not reliable, as learners can set it.

    Args:
        homes: the folder of the home folders.
        within: the path of the homeworks' folder in each home folder.
        homework: the name of the homework.
        to: the folder to which the notebooks are copied.

    Returns:
        The learners whose notebooks were copied, and a line for each notebook that was refused. Homes without a
        notebook are skipped.

    Raises:
        ValueError: ``homes`` is not a folder, or ``within`` is not a relative path inside a home folder.
    """
    inside = PurePosixPath(within)
    if inside.is_absolute() or ".." in inside.parts:
        raise ValueError(f"{within!r} is not a path inside a home folder, such as course/notebooks/homework/release")
    if not homes.is_dir():
        raise ValueError(f"{homes} is not a folder of home folders")
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

"""Parse the names of submitted files: learner, homework, version, and the LMS.

Names are matched with nbgrader's ``FileNameCollectorPlugin``. Sources of the patterns, read in October 2026: Canvas
``lib/content_zipper.rb``; Moodle ``mod/assign/locallib.php`` and ``renderer.php``; for Blackboard and Brightspace the
names that their "Download All" produces.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from nbgrader.plugins import FileNameCollectorPlugin

# Canvas: name, LATE, the user's number or anon_…, the file's number, the original file name.
CANVAS = (
    r"(?:(?!LATE_)(?P<name>\w*?)_)?(?:(?P<late>LATE)_)?(?P<student_id>\d+|anon_[^\W_]+)_(?P<version>\d+)_"
    r"(?P<file_id>[^/]+)\.ipynb$"
)
# Moodle: name, the participant's number; then a folder, or _ and the original file name. Feedback files that
# are uploaded as a zip have the same form with "assignfeedback".
MOODLE = (
    r"(?P<name>[^/_]*)_(?P<student_id>\d+)_assign(?:submission|feedback)_file"
    r"(?:_?/(?:[^/]+/)*|_)(?P<file_id>[^/]+)\.ipynb$"
)
# Blackboard: assignment, user name, time, the original file name.
BLACKBOARD = (
    r"[^/]*?_(?P<student_id>[^/_]+)_attempt_(?P<when>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_|/)(?P<file_id>[^/]+)\.ipynb$"
)
# Brightspace: a folder with two numbers, name and time.
BRIGHTSPACE = (
    r"(?P<student_id>\d+-\d+) ?- (?P<name>[^/]+?) ?- (?P<when>[^/]*\d{4}[^/]*?(?:AM|PM))/"
    r"(?:[^/]+/)*(?P<file_id>[^/]+)\.ipynb$"
)
_BRIGHTSPACE_DATES = ("%d %B, %Y %I%M %p", "%B %d, %Y %I%M %p", "%b %d, %Y %I%M %p", "%d %b, %Y %I%M %p")
# Suffixes by which Canvas, browsers and JupyterLab make a name unique.
_COPY = re.compile(r"(?:-(?P<canvas>\d+)| ?\((?P<browser>\d+)\)|-Copy(?P<lab>\d+))$")
# Prefixes of copies by Google Drive and Colab.
_COPY_OF = re.compile(r"^(?:Copy of|Kopie von|Copie de|Copia de|Copia di|Cópia de|Kopie van) ", re.IGNORECASE)
_NOTEBOOK = re.compile(r"\.ipynb(?:\.json|\.txt)?$", re.IGNORECASE)


@dataclass(frozen=True)
class ParsedName:
    """The parts of a path below an archive or folder.

    Attributes:
        lms: ``canvas``, ``moodle``, ``blackboard``, ``brightspace``, or empty.
        student_id: the learner's number or name in the LMS.
        file_id: the original file name, without its suffix.
        name: the learner's name, if the path contains it.
        late: whether the LMS marks it as late.
        version: the file's number, larger for newer files (Canvas).
        when: the time of submission (Blackboard and Brightspace), without the time zone of the LMS.
    """

    lms: str
    student_id: str
    file_id: str
    name: str = ""
    late: bool = False
    version: int = 0
    when: datetime | None = None


def is_notebook(name: str) -> bool:
    """Whether a file name ends in ``.ipynb``, case-insensitively, also with ``.json`` or ``.txt`` appended."""
    return bool(_NOTEBOOK.search(name))


def parse_name(name: str, known: Sequence[str] = ()) -> ParsedName | None:
    """Parse the path of a file; ``None`` if it does not identify a learner.

    Args:
        name: the path below the archive, without a folder that contains all files.
        known: names of homeworks, to separate learner and homework in ``ada_hw1.ipynb``.
    """
    name = _NOTEBOOK.sub(".ipynb", name)
    ends = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
    copy = r"(?:-\d+| ?\(\d+\)|-Copy\d+)?"
    forms = {"moodle": MOODLE, "brightspace": BRIGHTSPACE, "blackboard": BLACKBOARD, "canvas": CANVAS}
    if ends:
        copy_of = r"(?:Copy of )?"
        forms["flat"] = rf"(?P<student_id>[^/]+?)_(?P<file_id>{copy_of}(?:{ends}){copy})\.ipynb$"
    # The outermost folder identifies the learner; learners may choose the names of the folders in it.
    forms["folder"] = r"(?P<student_id>[^/]+)/(?:[^/]+/)*(?P<file_id>[^/]+)\.ipynb$"
    for form, pattern in forms.items():
        match = FileNameCollectorPlugin(named_regexp=f"^{pattern}", log=_quiet).collect(name)
        if match and match["student_id"] not in known:
            return ParsedName(
                "" if form in ("flat", "folder") else form,
                match["student_id"],
                match["file_id"],
                match.get("name") or "",
                bool(match.get("late")),
                int(match.get("version") or 0),
                _when(match.get("when") or ""),
            )
    return None


def without_copy(stem: str, known: Iterable[str] = ()) -> tuple[str, int]:
    """A name without the markers of copies, and the highest number in them: ``("hw1", 2)`` for ``hw1 (2)``."""
    number = 0
    while stem not in known and (match := _COPY_OF.match(stem)):
        stem = stem[match.end() :]
    while stem not in known and (match := _COPY.search(stem)):
        number = max(number, int(next(filter(None, match.groups()))))
        stem = stem[: match.start()]
    return stem, number


def _when(text: str) -> datetime | None:
    """Parse a date from a file name, which has no time zone, in the time zone of this computer."""
    plain = " ".join(text.split())
    for form in ("%Y-%m-%d-%H-%M-%S", *_BRIGHTSPACE_DATES):
        try:
            return datetime.strptime(plain, form).astimezone(UTC)
        except ValueError:
            continue
    return None


_quiet = logging.getLogger(__name__)
_quiet.disabled = True

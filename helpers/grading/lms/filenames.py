"""What the name of a submitted file says: whose it is, which homework, which version, and from which LMS it came.

Names are read with nbgrader's ``FileNameCollectorPlugin``. Sources of the forms, read in October 2026: Canvas
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

# Canvas: name, LATE, the person's number or anon_…, the file's number, the file's own name.
CANVAS = (
    r"(?:(?!LATE_)(?P<name>\w*?)_)?(?:(?P<late>LATE)_)?(?P<student_id>\d+|anon_[^\W_]+)_(?P<version>\d+)_"
    r"(?P<file_id>[^/]+)\.ipynb$"
)
# Moodle: name, the participant's number; a folder for each, or the file's own name behind a last _. Feedback files that
# are uploaded as a zip have the same form with "assignfeedback".
MOODLE = (
    r"(?P<name>[^/_]*)_(?P<student_id>\d+)_assign(?:submission|feedback)_file"
    r"(?:_?/(?:[^/]+/)*|_)(?P<file_id>[^/]+)\.ipynb$"
)
# Blackboard: assignment, user name, when, the file's own name.
BLACKBOARD = (
    r"[^/]*?_(?P<student_id>[^/_]+)_attempt_(?P<when>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:_|/)(?P<file_id>[^/]+)\.ipynb$"
)
# Brightspace: two numbers, name, when; a folder for each.
BRIGHTSPACE = (
    r"(?P<student_id>\d+-\d+) ?- (?P<name>[^/]+?) ?- (?P<when>[^/]*\d{4}[^/]*?(?:AM|PM))/"
    r"(?:[^/]+/)*(?P<file_id>[^/]+)\.ipynb$"
)
_BRIGHTSPACE_DATES = ("%d %B, %Y %I%M %p", "%B %d, %Y %I%M %p", "%b %d, %Y %I%M %p", "%d %b, %Y %I%M %p")
# What Canvas, browsers and JupyterLab append to a name that is taken.
_COPY = re.compile(r"(?:-(?P<canvas>\d+)| ?\((?P<browser>\d+)\)|-Copy(?P<lab>\d+))$")
# What Google Drive and Colab put in front of the name of a copy.
_COPY_OF = re.compile(r"^(?:Copy of|Kopie von|Copie de|Copia de|Copia di|Cópia de|Kopie van) ", re.IGNORECASE)
_NOTEBOOK = re.compile(r"\.ipynb(?:\.json|\.txt)?$", re.IGNORECASE)


@dataclass(frozen=True)
class ParsedName:
    """What a path below an archive or folder says.

    Attributes:
        lms: ``canvas``, ``moodle``, ``blackboard``, ``brightspace``, or empty.
        student_id: the learner's number or name there.
        file_id: the name that the learner gave the file, without its ending.
        name: the learner's name, where the LMS writes it.
        late: the LMS calls it late.
        version: the number of the file, larger for newer ones (Canvas).
        when: when it was handed in (Blackboard and Brightspace), by the clock of the LMS.
    """

    lms: str
    student_id: str
    file_id: str
    name: str = ""
    late: bool = False
    version: int = 0
    when: datetime | None = None


def is_notebook(name: str) -> bool:
    """Whether a file is taken for a notebook: ``.ipynb`` in any case, also where ``.json`` or ``.txt`` was added."""
    return bool(_NOTEBOOK.search(name))


def parse_name(name: str, known: Sequence[str] = ()) -> ParsedName | None:
    """What the path of a file says, its outermost folder first; ``None`` if no learner can be read from it.

    Args:
        name: the path below the archive, without a folder that holds everything.
        known: names of homeworks, to tell the learner in ``ada_hw1.ipynb`` from the homework.
    """
    name = _NOTEBOOK.sub(".ipynb", name)
    ends = "|".join(re.escape(each) for each in sorted(known, key=len, reverse=True))
    copy = r"(?:-\d+| ?\(\d+\)|-Copy\d+)?"
    forms = {"moodle": MOODLE, "brightspace": BRIGHTSPACE, "blackboard": BLACKBOARD, "canvas": CANVAS}
    if ends:
        copy_of = r"(?:Copy of )?"
        forms["flat"] = rf"(?P<student_id>[^/]+?)_(?P<file_id>{copy_of}(?:{ends}){copy})\.ipynb$"
    # The outermost folder names the learner, whatever a learner calls the folders within.
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
    """A name without what marks it as a copy, and the highest number of those marks: ``("hw1", 2)``."""
    number = 0
    while stem not in known and (match := _COPY_OF.match(stem)):
        stem = stem[match.end() :]
    while stem not in known and (match := _COPY.search(stem)):
        number = max(number, int(next(filter(None, match.groups()))))
        stem = stem[: match.start()]
    return stem, number


def _when(text: str) -> datetime | None:
    """A date as an LMS writes it into a name; it has no zone there and is read in the zone of this computer."""
    plain = " ".join(text.split())
    for form in ("%Y-%m-%d-%H-%M-%S", *_BRIGHTSPACE_DATES):
        try:
            return datetime.strptime(plain, form).astimezone(UTC)
        except ValueError:
            continue
    return None


_quiet = logging.getLogger(__name__)
_quiet.disabled = True

"""Zips of feedback pages that an LMS distributes: one upload returns the pages of a whole class.

Names of the entries are those that the importers read, in the sources of

- Moodle, ``mod/assign/feedback/file/importziplib.php`` (commit 0203d8f2, Moodle 4.2): a part of the path is
  ``NAME_NUMBER_PLUGINTYPE_PLUGIN_FILE`` with the participant's number of this assignment. With the plugin
  ``assignfeedback_file`` a page that did not change since the last upload is skipped, without another notification.
- Canvas, ``app/models/abstract_assignment.rb``, ``infer_comment_context_from_filename`` (commit 028f76bb): split at
  ``_``, the first two parts of digits are the person and the attachment that was handed in; for anonymous work,
  ``anon``, the anonymous id and the attachment. Both must belong to a submission, otherwise the file is ignored.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from helpers.grading import files
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.collect import read_record
from helpers.grading.lms.roster import Roster

Format = Literal["moodle", "canvas"]
FORMATS: tuple[Format, ...] = ("moodle", "canvas")


def feedback_zip(
    course: Path, homework: str, format: Format, pages: Iterable[Path], roster: Roster | None = None
) -> tuple[Path | None, list[str]]:
    """Write ``course/exports/feedback-<format>-<homework>.zip`` with the pages of submissions that came from the LMS.

    Args:
        course: the course folder.
        homework: the name of the homework.
        format: the LMS.
        pages: as :func:`helpers.grading.feedback.feedback` returns them.
        roster: by default ``course/roster.csv``, if it exists.

    Returns:
        The zip, or ``None`` if it would be empty; and a line for the instructor about pages that are not in it.

    Raises:
        ValueError: there is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"no format is called {format!r}; there are {', '.join(FORMATS)}")
    if roster is None:
        roster = rosters.of_course(course)
    record = read_record(course).get(homework, {})
    entries: dict[str, Path] = {}
    without: list[str] = []
    for page in pages:
        learner = page.parts[-3]
        name = _entry_name(format, homework, learner, record.get(learner, {}), roster)
        if name is None:
            without.append(learner)
        else:
            entries[name] = page
    attention = []
    if without:
        attention.append(
            f"{homework}: no page for {', '.join(without)} in the zip: their notebooks were not collected from "
            f"{format.capitalize()}; send these pages yourself"
        )
    path = course / "exports" / f"feedback-{format}-{homework}.zip"
    if not entries:
        path.unlink(missing_ok=True)
        return None, attention
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, page in sorted(entries.items()):
            archive.write(page, name)
    files.write_atomic(path, content.getvalue(), mode=0o700)
    return path, attention


def _entry_name(
    format: Format, homework: str, learner: str, collected: Mapping[str, Any], roster: Roster
) -> str | None:
    """The name that the importer of the LMS expects; ``None`` if the submission did not come from this LMS."""
    if collected.get("lms") != format:
        return None
    number = str(collected["student_id"])
    if format == "moodle":
        known = roster.by_id(learner)
        name = known.name if known and known.name else learner
        # "_" separates the parts, "/" ends a folder, and a file that starts with "." or "~" would be ignored.
        shown = re.sub(r"[\W_]+", " ", re.sub(r"['’]", "", name)).strip() or "Participant"
        return f"{shown}_{number}_assignfeedback_file_{homework}.html"
    attachment = collected["version"][0]
    if not attachment:
        return None
    # Letters alone: a part of digits would be read as the person's number, and "anon" as the mark of anonymous work.
    shown = re.sub(r"[\W\d_]+", "", learner).casefold()
    shown = "learner" if shown in ("", "anon") else shown
    person = number if number.startswith("anon_") else f"{shown}_{number}"
    return f"{person}_{attachment}_{homework}.html"

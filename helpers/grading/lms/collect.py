"""Bring what learners handed in to its place: folders of notebooks, and the zips that Canvas and Moodle make.

Names are read with nbgrader's own ``FileNameCollectorPlugin``. Its extractor and the rest of ``zip_collect`` do not
serve: they unpack whatever an archive holds, archives in archives too, stop at the first two versions of one file, and
know no roster.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath

from nbgrader.api import Gradebook
from nbgrader.plugins import FileNameCollectorPlugin
from nbgrader.utils import parse_utc

from helpers.grading import files
from helpers.grading.assignment import RELEASE
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.roster import Roster, clean_id

MEGABYTE = 2**20
LARGEST_NOTEBOOK = 10 * MEGABYTE
LARGEST_ZIP = 4096 * MEGABYTE  # unpacked
MOST_ENTRIES = 20_000
STEEPEST = 200  # unpacked to packed; a notebook of text stays below 20
ARCHIVES = (".zip", ".gz", ".tar", ".7z", ".rar")
RECORD = "collected.json"

# Canvas, content_zipper.rb: name, LATE, the person's number or anon_…, the file's number, the file's own name.
CANVAS = (
    r"(?:.*/)?(?:(?!LATE_)(?P<name>\w*?)_)?(?:(?P<late>LATE)_)?(?P<student_id>\d+|anon_[^\W_]+)_(?P<version>\d+)_"
    r"(?P<file_id>[^/]+)\.ipynb$"
)
# Moodle, mod/assign: name, the participant's number; a folder for each, or the file's own name behind a last _. The
# outermost folder counts: those in it are the learner's own.
MOODLE = (
    r"(?:.*?/)??(?P<name>[^/_]*)_(?P<student_id>\d+)_assignsubmission_file"
    r"(?:_?/(?:[^/]+/)*|_)(?P<file_id>[^/]+)\.ipynb$"
)
FOLDERS = r"(?:.*/)?(?P<student_id>[^/]+)/(?P<file_id>[^/]+)\.ipynb$"
# What Canvas, browsers and JupyterLab append to a name that is taken.
COPY = re.compile(r"(?:-(?P<canvas>\d+)| ?\((?P<browser>\d+)\)|-Copy(?P<lab>\d+))$")


@dataclass(frozen=True)
class Collected:
    """What came in, and what a human should know: one line each."""

    taken: tuple[Path, ...]
    attention: tuple[str, ...]


@dataclass(frozen=True)
class _Handed:
    """One notebook that was found: whose, which, how new, and how to get it."""

    place: str
    homework: str
    learner: str
    read: Callable[[], bytes]
    version: tuple[int, int, str]  # Canvas' number of the file, the copy's number, the file's date
    who: str  # as it was called there: two of these must not become one learner
    archive: Path
    named: bool  # whether it has the homework's name
    late: bool = False
    timestamp: str = ""
    lms: dict[str, str] = field(default_factory=dict)


class Refused(Exception):
    """An archive or a file that is not taken, and why."""


def collect(
    course: Path,
    paths: Sequence[Path],
    homework: str | None = None,
    roster: Roster | None = None,
    due: datetime | None = None,
    homeworks: Iterable[str] | None = None,
) -> Collected:
    """Put the newest notebook of each learner into ``course/submitted/<learner>/<homework>/<homework>.ipynb``.

    What an archive calls its files decides nothing about where they go. An archive that is damaged or hostile is
    refused by name and the rest goes on; so is a single notebook that a learner can have spoilt on purpose.

    Args:
        paths: folders (``ada/hw.ipynb``, ``ada/hw/hw.ipynb``, ``ada_hw.ipynb``), zips of an LMS, or such zips unpacked.
        homework: what the notebooks are, whatever their names; without it each must carry its homework's name.
        roster: by default ``course/roster.csv``, if it is there. Who is not on it is taken, and told.
        due: when the homework was due, by default what the gradebook says: Canvas marks late work but does not say how
            late.
        homeworks: the names that there are, by default those that are released.

    Raises:
        ValueError: no such homework, or a roster that is broken.
        FileNotFoundError: a path that is not there.
    """
    known = sorted(homeworks if homeworks is not None else (path.stem for path in RELEASE.glob("*/*.ipynb")))
    if homework is not None and homework not in known:
        raise ValueError(f"no homework is called {homework!r}; there are {', '.join(known) or 'none'}")
    if roster is None:
        roster = rosters.read(course / "roster.csv") if (course / "roster.csv").exists() else Roster()
    attention: list[str] = []
    handed: list[_Handed] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: a folder or a zip is expected")
        try:
            found = _in_folder(path, attention) if path.is_dir() else _in_file(path, attention)
            handed += _identified(path, found, homework, known, roster, attention)
        except Refused as reason:
            attention.append(str(reason))
    taken = _store(course, handed, due, attention)
    return Collected(tuple(taken), tuple(dict.fromkeys(attention)))


_Found = tuple[str, str, Callable[[], bytes], str, str]
"""Where it is (to tell), its name below the archive or folder, its bytes, its date, a timestamp beside it."""


def _in_file(path: Path, attention: list[str]) -> list[_Found]:
    if path.suffix == ".ipynb":
        return [(path.name, path.name, partial(_bytes, path, path.name), _date(path), "")]
    return _in_zip(path, attention)


def _in_folder(folder: Path, attention: list[str]) -> list[_Found]:
    found = []
    for root, folders, names in os.walk(folder):  # links to folders are not followed
        folders[:] = sorted(name for name in folders if not _is_rubbish(name))
        for name in sorted(names):
            path = Path(root) / name
            place = path.relative_to(folder).as_posix()
            shown = f"{folder.name}/{place}"
            if name.casefold().endswith(ARCHIVES):  # a learner may have made it, with others' names in it
                attention.append(f"{shown} is not opened; if it comes from an LMS, name the archive itself")
            elif path.suffix == ".ipynb" and not _is_rubbish(name):
                found.append((shown, place, partial(_bytes, path, shown), _date(path), _timestamp_beside(path)))
    return found


def _timestamp_beside(path: Path) -> str:
    """What nbgrader's own exchange writes next to a submission."""
    beside = path.parent / "timestamp.txt"
    try:
        return _bytes(beside, beside.name).decode("utf-8", "replace").strip()
    except Refused:
        return ""


def _in_zip(path: Path, attention: list[str]) -> list[_Found]:
    """The notebooks of an archive that has been read to its end once.

    Raises:
        Refused: what only damage or forgery can make.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path.name, entries)
            found = []
            for entry in entries:
                place = f"{path.name}: {entry.filename}"
                parts = PurePosixPath(entry.filename).parts
                if entry.is_dir() or any(_is_rubbish(part) for part in parts):
                    continue
                if entry.filename.casefold().endswith(ARCHIVES):
                    attention.append(f"{place} is an archive in an archive and is not opened; ask for the notebook")
                elif _is_notebook(entry):
                    if _spoilt(entry):
                        attention.append(f"{place} is refused: {_spoilt(entry)}")
                        continue
                    with archive.open(entry) as stream:  # reading to the end checks its sum
                        if len(stream.read(LARGEST_NOTEBOOK + 1)) != entry.file_size:
                            raise zipfile.BadZipFile(f"{entry.filename!r} is not as long as it says")
                    date = "-".join(f"{part:02}" for part in entry.date_time)
                    found.append((place, entry.filename, partial(_from_zip, path, entry), date, ""))
            return found
    except Refused:
        raise
    except Exception as error:  # zipfile, zlib, lzma and struct each raise their own
        raise Refused(f"{path.name} is refused, nothing of it is taken: {_told(error)}") from error


def _check_entries(name: str, entries: Sequence[zipfile.ZipInfo]) -> None:
    def refuse(why: str) -> None:
        raise Refused(f"{name} is refused, nothing of it is taken: {why}")

    if len(entries) > MOST_ENTRIES:
        refuse(f"{len(entries):,} entries, at most {MOST_ENTRIES:,}")
    if sum(entry.file_size for entry in entries if _is_notebook(entry) and not _spoilt(entry)) > LARGEST_ZIP:
        refuse(f"more than {LARGEST_ZIP // MEGABYTE:,} MB unpacked")
    seen: set[str] = set()
    for entry in entries:
        parts = entry.filename.replace("\\", "/").split("/")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        shown = entry.filename[:100]
        if entry.filename.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", entry.filename):
            refuse(f"{shown!r} is an absolute path")
        if ".." in parts or "\\" in entry.filename:
            refuse(f"{shown!r} leaves its folder")
        if "\0" in entry.orig_filename or any(ord(letter) < 32 for letter in entry.filename):
            refuse(f"{shown!r} has a control character in its name")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            refuse(f"{shown!r} is a link or a device, not a file")
        if entry.filename in seen:
            refuse(f"{shown!r} is there twice")
        seen.add(entry.filename)


def _is_notebook(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.endswith(".ipynb")


def _spoilt(entry: zipfile.ZipInfo) -> str:
    """What a single learner can have done to a notebook, so that the others' must not suffer."""
    if entry.file_size > LARGEST_NOTEBOOK:
        return f"{entry.file_size / MEGABYTE:,.1f} MB, at most {LARGEST_NOTEBOOK // MEGABYTE}"
    if entry.file_size > MEGABYTE and entry.file_size > STEEPEST * max(entry.compress_size, 1):
        return f"it unpacks to {entry.file_size // max(entry.compress_size, 1):,} times its size"
    if any(part.split(".")[0].strip().casefold() in rosters.RESERVED for part in entry.filename.split("/")):
        return "it has the name of a device"
    return ""


def _from_zip(path: Path, entry: zipfile.ZipInfo) -> bytes:
    with zipfile.ZipFile(path) as archive, archive.open(entry) as stream:
        return stream.read(LARGEST_NOTEBOOK + 1)


def _bytes(path: Path, place: str) -> bytes:
    """A file's content; links, devices and what is too large are refused."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise Refused(f"{place} is refused: it cannot be read, or is a link ({error.strerror})") from error
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise Refused(f"{place} is refused: it is not a file")
        content = stream.read(LARGEST_NOTEBOOK + 1)
    if len(content) > LARGEST_NOTEBOOK:
        raise Refused(f"{place} is refused: more than {LARGEST_NOTEBOOK // MEGABYTE} MB")
    return content


def _date(path: Path) -> str:
    return datetime.fromtimestamp(path.lstat().st_mtime, UTC).strftime("%Y-%m-%d-%H-%M-%S")


def _is_rubbish(name: str) -> bool:
    return name.startswith("._") or name in (".ipynb_checkpoints", "__MACOSX", ".git")


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__


def _identified(
    archive: Path,
    found: Iterable[_Found],
    homework: str | None,
    known: Sequence[str],
    roster: Roster,
    attention: list[str],
) -> Iterator[_Handed]:
    """Give each notebook its learner and homework, and tell of those that have none."""
    for place, name, read, date, timestamp in found:
        parsed = parse_name(name, known)
        if parsed is None:
            attention.append(f"{place} is not taken: no learner can be read from its name")
            continue
        stem, copy = without_copy(parsed["file_id"], known)
        if stem not in known and homework is None:
            attention.append(f"{place} is not taken: {stem!r} is no homework; rename it, or say which homework it is")
            continue
        learner, told = _learner(parsed, roster)
        if told:
            attention.append(f"{place}: {told}")
        if not learner:
            continue
        if homework is not None and stem in known and stem != homework:
            attention.append(f"{place} is not taken: it is {stem}, and {homework} is collected")
            continue
        lms = {key: parsed[key] for key in ("lms", "student_id")} if parsed["lms"] else {}
        who = "/".join(lms.values()) or (learner if roster.by_id(learner) else parsed["student_id"])
        version = (int(parsed.get("version") or 0), copy, date)
        late = bool(parsed.get("late"))
        yield _Handed(
            place, homework or stem, learner, read, version, who, archive, stem in known, late, timestamp, lms
        )


def parse_name(name: str, known: Sequence[str] = ()) -> dict[str, str] | None:
    """What a path below an archive says: ``lms``, ``student_id``, ``file_id``, ``name``, ``late``, ``version``.

    Args:
        known: names of homeworks, to tell the learner in ``ada_hw1.ipynb`` from the homework.
    """
    ends = "|".join(re.escape(each) for each in sorted(known, key=len, reverse=True))
    copy = r"(?:-\d+| ?\(\d+\)|-Copy\d+)?"
    forms = {"moodle": MOODLE, "canvas": CANVAS}
    if ends:
        forms["flat"] = rf"(?:.*/)?(?P<student_id>[^/]+)_(?P<file_id>(?:{ends}){copy})\.ipynb$"
        forms["nested"] = rf"(?:.*/)?(?P<student_id>[^/]+)/(?:{ends})/(?P<file_id>[^/]+)\.ipynb$"
    forms["folder"] = FOLDERS
    for form, pattern in forms.items():
        match = FileNameCollectorPlugin(named_regexp=pattern, log=_quiet).collect(name)
        if match and match["student_id"] not in known:
            return {"lms": form if form in ("moodle", "canvas") else ""} | match
    return None


def without_copy(stem: str, known: Iterable[str] = ()) -> tuple[str, int]:
    """A name without what was appended because it was taken, and the highest number of those: ``("hw1", 2)``."""
    number = 0
    while stem not in known and (match := COPY.search(stem)):
        number = max(number, int(next(filter(None, match.groups()))))
        stem = stem[: match.start()]
    return stem, number


def _learner(parsed: dict[str, str], roster: Roster) -> tuple[str, str]:
    """A learner's id and what there is to tell; no id if none can be made of the name."""
    name, number = parsed.get("name") or "", parsed["student_id"]
    if parsed["lms"] == "canvas":
        found, spare = roster.in_canvas(number, name), f"canvas-{number}"
    elif parsed["lms"] == "moodle":
        found, spare = roster.in_moodle(name, number), name
    else:
        found, spare = roster.by_id(number), number
    if found:
        strange = parsed["lms"] == "canvas" and found.name and name and not found.is_squeezed(name)
        return (
            found.id,
            f"Canvas calls {number} {name!r}, the roster {found.name!r}; look whose it is" if strange else "",
        )
    learner = clean_id(spare)
    if not learner:
        return "", f"is not taken: {spare!r} cannot name a learner"
    return learner, f"{name or number!r} is not on the roster; taken as {learner!r}" if len(roster) else ""


def _store(course: Path, handed: Sequence[_Handed], due: datetime | None, attention: list[str]) -> list[Path]:
    """Write the newest of each; remember what each was, so that an older archive collected later changes nothing."""
    record_path = course / RECORD
    record = json.loads(record_path.read_text(encoding="utf-8")) if record_path.exists() else {}
    versions: dict[tuple[str, str], list[_Handed]] = {}
    for each in handed:
        versions.setdefault((each.homework, each.learner), []).append(each)
    taken = []
    for (homework, learner), those in sorted(versions.items()):
        before = record.get(homework, {}).get(learner)
        people = {each.who for each in those} | ({before["who"]} if before else set())
        if len({_source(who) for who in people}) < len(people):
            told = " and ".join(sorted(people))
            attention.append(f"{homework}: {told} would both be {learner!r}: none is taken; use a roster")
            continue
        named = {other.archive for other in those if other.named}
        attention += (
            f"{other.place} is not taken, beside {homework}.ipynb" for other in those if _beside(other, named)
        )
        those = [other for other in those if not _beside(other, named)]
        each = those[0]
        for other in those[1:]:
            if _source(other.who) != _source(each.who) or other.version >= each.version:
                each = other
        place = course / "submitted" / learner / homework / f"{homework}.ipynb"
        if before and place.exists() and _source(before["who"]) == _source(each.who):
            if tuple(before["version"]) > each.version:
                attention.append(f"{each.place} is older than what was collected before; that stays")
                continue
        try:
            content = each.read()
        except Refused as reason:
            attention.append(str(reason))
            continue
        timestamp = _timestamp(each, due or _due(course, homework), attention)
        if not place.exists() or place.read_bytes() != content:
            taken.append(place)
        files.write_atomic(place, content)
        if timestamp:
            files.write_atomic(place.parent / "timestamp.txt", timestamp.encode())
        else:
            (place.parent / "timestamp.txt").unlink(missing_ok=True)
        about = {"version": list(each.version), "late": each.late, "who": each.who} | each.lms
        record.setdefault(homework, {})[learner] = about
    if versions:
        files.write_atomic(record_path, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
    return taken


def _beside(each: _Handed, named: set[Path]) -> bool:
    return not each.named and each.archive in named


def _source(who: str) -> str:
    """``canvas``, ``moodle`` or nothing: versions are comparable, and one person is called one thing, within each."""
    return who.partition("/")[0] if "/" in who else ""


def _due(course: Path, homework: str) -> datetime | None:
    """When a homework was due, as formgrader enters it."""
    if not (course / "gradebook.db").exists():
        return None
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        found = [each.duedate for each in gradebook.assignments if each.name == homework and each.duedate]
    return found[0].replace(tzinfo=UTC) if found else None


def _timestamp(each: _Handed, due: datetime | None, attention: list[str]) -> str:
    """When it came, as nbgrader reads it; of late work from Canvas only that it was late is known."""
    form = "%Y-%m-%d %H:%M:%S UTC"
    if each.timestamp:
        try:
            # nbgrader takes a zone of its own, as in "… +0200", for seconds.
            return parse_utc(re.sub(r" ([+-]\d\d:?\d\d)$", r"\1", each.timestamp)).strftime(form)
        except (ValueError, OverflowError):
            attention.append(f"{each.place}: its timestamp {each.timestamp[:40]!r} is no date")
    if each.late and due is None:
        attention.append(f"{each.place} is late; without a due date no penalty can follow")
    if due is None or each.lms.get("lms") != "canvas":
        return ""
    return (due.astimezone(UTC) + timedelta(seconds=each.late)).strftime(form)


_quiet = logging.getLogger(__name__ + ".names")
_quiet.disabled = True

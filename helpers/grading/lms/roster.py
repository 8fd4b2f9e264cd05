"""The roster: who is in the course, read from a CSV, and how the names of an LMS find their learner in it."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from helpers.grading import dates, files

DUE = "due "  # the start of a column's name; a homework's follows
COLUMNS = ("id", "name", "canvas_id", "moodle_id", "email", "section")
CANVAS_COLUMNS = {"student": "name", "id": "canvas_id", "section": "section"}
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
MAX_ID_BYTES = 200  # in UTF-8: the name of a folder may have 255
_MOODLE_REMOVES = re.compile(r"""['"&<>`|:\\/]""")  # clean_filename of Moodle's lib/moodlelib.php


@dataclass(frozen=True)
class Learner:
    """One line of the roster; what is not known is an empty text.

    Attributes:
        id: how the course knows the learner: the name of a folder, and what the learner types as ``learner_id``.
        name: as the LMS shows it, ``Ada Lovelace`` or ``Lovelace, Ada``.
        canvas_id: the number of Canvas for this person, the same in every assignment.
        moodle_id: the number of Moodle for this participant in *one* assignment: it decides between equal names, and
            finds the learner where an archive has no names.
        section: the group in which the learner is taught.
        due: homework → due date, of those for which the learner has one of their own.
    """

    id: str
    name: str = ""
    canvas_id: str = ""
    moodle_id: str = ""
    email: str = ""
    section: str = ""
    due: tuple[tuple[str, datetime], ...] = ()

    def due_of(self, homework: str) -> datetime | None:
        """The learner's own due date for a homework."""
        return next((when for name, when in self.due if name == homework.casefold()), None)

    def matches_canvas_name(self, name: str) -> bool:
        """Whether Canvas may write this learner's name so in the name of a file (``lovelaceada``)."""
        return name.casefold() in _canvas_names(self.name)


class Roster:
    """The learners of a course, found by id, by name, or by what an LMS calls them."""

    def __init__(self, learners: Iterable[Learner] = ()) -> None:
        self.learners = tuple(learners)
        self._by_id = {learner.id.casefold(): learner for learner in self.learners}

    def __iter__(self) -> Iterator[Learner]:
        return iter(self.learners)

    def __len__(self) -> int:
        return len(self.learners)

    def by_id(self, text: str) -> Learner | None:
        """The learner with this id or, if only one has it, this address."""
        found = self._by_id.get(unicodedata.normalize("NFC", text).casefold())
        return found or _only(each for each in self if each.email and each.email.casefold() == text.casefold())

    def in_canvas(self, user_id: str, name: str = "") -> Learner | None:
        """By Canvas' number, else by the name as Canvas writes it into a file's name (``lovelaceada``)."""
        found = _only(each for each in self if each.canvas_id and each.canvas_id == user_id)
        if found or not name:
            return found
        return _only(each for each in self if not each.canvas_id and each.matches_canvas_name(name))

    def named(self, name: str) -> list[Learner]:
        """Everybody whom an LMS may call so, as it writes names of folders; a team's name may stand in front.

        Moodle removes some characters and writes ``_`` as a blank; for a team it puts ``Team 3-`` in front.
        """
        everyone = [(each, _words(each.name)) for each in self if _words(each.name)]
        parts = name.split("-")
        for start in range(len(parts)):
            words = _words("-".join(parts[start:]))
            if found := [each for each, own in everyone if own == words]:
                return found
        return []

    def in_moodle(self, name: str, number: str) -> Learner | None:
        """By the full name; Moodle's number decides between those of one name, and where the archive has no names."""
        found = self.named(name)
        if len(found) == 1:
            return found[0]
        # Blind marking writes one word, "Participant" in the site's language, for everybody.
        words = _words(name)
        blind = len(words) == 1 and not any(words[0] in _words(each.name) for each in self)
        candidates = found or [each for each in self if blind or not each.name]
        return _only(each for each in candidates if each.moodle_id and each.moodle_id == number)


def of_course(course: Path) -> Roster:
    """The roster that a course folder keeps as ``roster.csv``; empty if there is none.

    Raises:
        ValueError: as :func:`read`.
    """
    path = course / "roster.csv"
    return read(path) if path.exists() else Roster()


def read(path: Path) -> Roster:
    """Read a roster: a CSV with the columns ``id``, ``name``, ``canvas_id``, ``moodle_id``, ``email``, ``section``.

    Only ``id`` must be there. A column ``due HOMEWORK`` holds due dates of learners who have one of their own. UTF-8
    and UTF-16 are told apart by their marks, else it is UTF-8 or, where that fails, cp1252, as spreadsheets on Windows
    write it; commas, semicolons or tabs separate the columns. The export of Canvas' gradebook is taken as it is: its
    SIS ids, or else its logins, become the ids.

    Raises:
        ValueError: the file, the line and what to do about it.
    """
    learners: dict[str, Learner] = {}
    for where, learner, _ in _lines(path):
        if learner is None:
            continue
        if learner.id.casefold() in learners:
            raise ValueError(f"{where}: the id {learner.id!r} is there twice; give each learner an id of their own")
        learners[learner.id.casefold()] = learner
    if not learners:
        raise ValueError(f"{path.name} names no learner; give it a line for each, below the line with the columns")
    return Roster(learners.values())


def remove(path: Path, learner_id: str) -> bool:
    """Delete the line of a learner from a roster; everything else stays as it is, in UTF-8. Whether there was one.

    Raises:
        ValueError: as :func:`read`.
    """
    kept, removed = [], False
    for _, learner, row in _lines(path):
        if learner is not None and learner.id.casefold() == learner_id.casefold():
            removed = True
        else:
            kept.append(row)
    if removed:
        text = io.StringIO()
        csv.writer(text, delimiter=_delimiter(_decoded(path)), lineterminator="\n").writerows(kept)
        files.write_atomic(path, text.getvalue())
    return removed


def _delimiter(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _lines(path: Path) -> Iterator[tuple[str, Learner | None, list[str]]]:
    """Where each line of a roster is, for people; its learner, if it has one; and its cells."""
    text = _decoded(path)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = next((row for row in rows if row), [])
        columns = [column.strip().casefold() for column in header]
        canvas = {"student", "id", "section"} <= {*columns}
        if not canvas:
            unknown = [column for column in columns if column not in COLUMNS and not column.startswith(DUE)]
            if "id" not in columns or unknown:
                problem = f"the column {unknown[0]!r} is not known" if unknown else "the column 'id' is missing"
                names = f"{', '.join(COLUMNS)} and 'due HOMEWORK'"
                raise ValueError(f"{path.name}, line 1: {problem}; rename or remove it; there are {names}")
        yield f"{path.name}, line {rows.line_num}", None, header
        for row in rows:
            where = f"{path.name}, line {rows.line_num}"
            cells = dict(zip(columns, row, strict=False))
            values = _from_canvas(cells) if canvas else {column: _plain(cells.get(column)) for column in columns}
            if not any(values.values()):
                yield where, None, row
                continue
            due = {column: values.pop(column) for column in list(values) if column.startswith(DUE)}
            learner = Learner(**values, due=tuple(_due(where, due)))
            _check_id(learner, where)
            yield where, learner, row
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {rows.line_num}: {error}; save it again as CSV") from error


def _due(where: str, columns: Mapping[str, str]) -> Iterator[tuple[str, datetime]]:
    for column, text in columns.items():
        if text:
            try:
                yield column.removeprefix(DUE).strip(), dates.parse(text)
            except ValueError as error:
                raise ValueError(f"{where}, column {column!r}: {error}") from None


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            encoding = "cp1252"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path.name}, line {line}: the text is neither UTF-8, UTF-16 nor Windows-1252; save it as “CSV UTF-8”"
        ) from error


def _from_canvas(row: dict[str, str]) -> dict[str, str]:
    """A line of Canvas' gradebook export; the lines about points and the test student are no learners."""
    name = _plain(row.get("student"))
    number = _plain(row.get("id"))
    if not number or name.casefold() in ("points possible", "student, test"):
        return {}
    login = _plain(row.get("sis login id"))
    own_id = _plain(row.get("sis user id")) or login or f"canvas-{number}"
    email = login if "@" in login else ""
    return {"id": own_id, "name": name, "canvas_id": number, "email": email, "section": _plain(row.get("section"))}


def _check_id(learner: Learner, where: str) -> None:
    if not learner.id:
        raise ValueError(f"{where}: {learner.name or 'the learner'} has no id; write one, or remove the line")
    if len(learner.id.encode()) > MAX_ID_BYTES:
        raise ValueError(f"{where}: the id has {len(learner.id.encode())} bytes, at most {MAX_ID_BYTES}; shorten it")
    if clean_id(learner.id) != learner.id:
        raise ValueError(
            f"{where}: the id {learner.id!r} cannot name a folder; letters, digits and . _ @ - can, "
            f"for example {clean_id(learner.id)!r}"
        )


def clean_id(text: str) -> str:
    """A text as the name of a learner's folder: letters and digits of any script, ``.``, ``_``, ``@``, ``-``.

    It may be empty, and is as long as the text was.
    """
    plain = unicodedata.normalize("NFC", text)
    # Combining marks belong to the letters of many scripts, but are not matched by \w.
    kept = (each if re.match(r"[\w.@-]", each) or unicodedata.category(each) in ("Mn", "Mc") else " " for each in plain)
    plain = re.sub(r"[\s-]+", "-", "".join(kept)).strip("-._ ")
    return f"{plain}-" if plain.split(".")[0].casefold() in RESERVED else plain


def _plain(text: str | None) -> str:
    """A value without what a web page or a terminal would act on: nbgrader's pages show names as they are."""
    letters = (each for each in unicodedata.normalize("NFC", text or "") if each not in '<>"&`' and each.isprintable())
    return " ".join("".join(letters).split())


def _only(learners: Iterable[Learner]) -> Learner | None:
    found = list(learners)
    return found[0] if len(found) == 1 else None


def _words(name: str) -> tuple[str, ...]:
    """A name's words in one order (``Lovelace, Ada`` is ``Ada Lovelace``), as they remain in the name of a folder."""
    plain = _MOODLE_REMOVES.sub("", unicodedata.normalize("NFKC", name).casefold()).replace("’", "").replace("_", " ")
    return tuple(sorted(re.findall(r"[\w\u0300-\u036f]+", plain)))


def _canvas_names(name: str) -> set[str]:
    """How Canvas may write a name: all that is no letter dropped, the family name in front."""
    if "," in name:
        orders = [name]
    else:
        words = name.split()
        orders = [" ".join(words[cut:] + words[:cut]) for cut in range(len(words))]
    return {re.sub(r"\W", "", order).casefold() for order in orders} - {""}

"""The roster: the learners of a course, read from a CSV file, and the lookup of a learner by the names of an LMS."""

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

DUE = "due "  # the start of a column's name, followed by the name of a homework
COLUMNS = ("id", "name", "canvas_id", "moodle_id", "email", "section")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
MAX_ID_BYTES = 200  # in UTF-8; names of files and folders have at most 255
_MOODLE_REMOVES = re.compile(r"""['"&<>`|:\\/]""")  # clean_filename of Moodle's lib/moodlelib.php


@dataclass(frozen=True)
class Learner:
    """One row of the roster; unknown values are empty strings.

    Attributes:
        id: the learner's id in the course: the name of a folder, and the value of ``learner_id`` in notebooks.
        name: as in the LMS, ``Ada Lovelace`` or ``Lovelace, Ada``.
        canvas_id: Canvas' number of this user, the same in every assignment.
        moodle_id: Moodle's number of this participant in *one* assignment, used if names are equal or missing.
        section: the learner's group.
        due: pairs of homework and individual due date.
    """

    id: str
    name: str = ""
    canvas_id: str = ""
    moodle_id: str = ""
    email: str = ""
    section: str = ""
    due: tuple[tuple[str, datetime], ...] = ()

    def due_of(self, homework: str) -> datetime | None:
        """The individual due date for a homework, if there is one."""
        return next((when for name, when in self.due if name == homework.casefold()), None)

    def matches_canvas_name(self, name: str) -> bool:
        """Whether ``name`` is this learner's name as it may occur in Canvas' file names (``lovelaceada``)."""
        return name.casefold() in _canvas_names(self.name)


class Roster:
    """The learners of a course, to be looked up by id, by name, or by the id of an LMS."""

    def __init__(self, learners: Iterable[Learner] = ()) -> None:
        self.learners = tuple(learners)
        self._by_id = {learner.id.casefold(): learner for learner in self.learners}

    def __iter__(self) -> Iterator[Learner]:
        return iter(self.learners)

    def __len__(self) -> int:
        return len(self.learners)

    def by_id(self, text: str) -> Learner | None:
        """The learner with this id, or with this email address if it is unique."""
        learner = self._by_id.get(unicodedata.normalize("NFC", text).casefold())
        return learner or _only(
            learner for learner in self if learner.email and learner.email.casefold() == text.casefold()
        )

    def in_canvas(self, user_id: str, name: str = "") -> Learner | None:
        """The learner with this user number of Canvas, else with a name as in Canvas' file names (``lovelaceada``)."""
        by_number = _only(learner for learner in self if learner.canvas_id and learner.canvas_id == user_id)
        if by_number or not name:
            return by_number
        return _only(learner for learner in self if not learner.canvas_id and learner.matches_canvas_name(name))

    def named(self, name: str) -> list[Learner]:
        """All learners with a name as an LMS writes it into folder names, possibly with a group's name as a prefix.

        Moodle removes some characters, replaces ``_`` by a space, and adds a prefix such as ``Team 3-`` for groups.
        """
        words_of = [(learner, _words(learner.name)) for learner in self if _words(learner.name)]
        parts = name.split("-")
        for start in range(len(parts)):
            words = _words("-".join(parts[start:]))
            if namesakes := [learner for learner, known in words_of if known == words]:
                return namesakes
        return []

    def in_moodle(self, name: str, number: str) -> Learner | None:
        """The learner with this full name; equal or missing names are resolved by Moodle's number."""
        namesakes = self.named(name)
        if len(namesakes) == 1:
            return namesakes[0]
        # With blind marking, every name is one word: "Participant" in the site's language.
        words = _words(name)
        blind = len(words) == 1 and not any(words[0] in _words(learner.name) for learner in self)
        candidates = namesakes or [learner for learner in self if blind or not learner.name]
        return _only(learner for learner in candidates if learner.moodle_id and learner.moodle_id == number)


def of_course(course: Path) -> Roster:
    """The roster in ``roster.csv`` of a course folder; empty if the file does not exist.

    Raises:
        ValueError: as :func:`read`.
    """
    path = course / "roster.csv"
    return read(path) if path.exists() else Roster()


def read(path: Path) -> Roster:
    """Read a roster: a CSV with the columns ``id``, ``name``, ``canvas_id``, ``moodle_id``, ``email``, ``section``.

    Only ``id`` is required. A column ``due HOMEWORK`` contains individual due dates. The encoding is UTF-16 if there is
    a byte order mark, else UTF-8, else cp1252, which spreadsheets on Windows write; the separator is a comma, semicolon
    or tab. The export of Canvas' gradebook is also accepted: its SIS ids, or else its logins, become the ids.

    Raises:
        ValueError: the file is invalid; the message names the line and the correction.
    """
    learners: dict[str, Learner] = {}
    for location, learner, _ in _lines(path):
        if learner is None:
            continue
        if learner.id.casefold() in learners:
            raise ValueError(f"{location}: the id {learner.id!r} occurs twice; ids must be unique")
        learners[learner.id.casefold()] = learner
    if not learners:
        raise ValueError(f"{path.name} has no learners; add a row for each below the header")
    return Roster(learners.values())


def remove(path: Path, learner_id: str) -> bool:
    """Delete the line of a learner from a roster, which is written in UTF-8; delete a roster without other learners.

    Returns:
        Whether there was such a line.

    Raises:
        ValueError: as :func:`read`.
    """
    lines = list(_lines(path))
    kept = [line for line in lines if line[1] is None or line[1].id.casefold() != learner_id.casefold()]
    if len(kept) == len(lines):
        return False
    if all(learner is None for _, learner, _ in kept):
        path.unlink()
        return True
    text = io.StringIO()
    csv.writer(text, delimiter=_delimiter(_decoded(path)), lineterminator="\n").writerows(row for _, _, row in kept)
    files.write_atomic(path, text.getvalue())
    return True


def _delimiter(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _lines(path: Path) -> Iterator[tuple[str, Learner | None, list[str]]]:
    """The rows of a roster: location for messages, learner or ``None``, and cells."""
    text = _decoded(path)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = next((row for row in rows if row), [])
        columns = [column.strip().casefold() for column in header]
        canvas = {"student", "id", "section"} <= {*columns}
        if not canvas:
            unknown = [column for column in columns if column not in COLUMNS and not column.startswith(DUE)]
            if "id" not in columns or unknown:
                problem = f"the column {unknown[0]!r} is unknown" if unknown else "the column 'id' is missing"
                names = f"{', '.join(COLUMNS)} and 'due HOMEWORK'"
                raise ValueError(f"{path.name}, line 1: {problem}; rename or remove it; there are {names}")
        yield f"{path.name}, line {rows.line_num}", None, header
        for row in rows:
            location = f"{path.name}, line {rows.line_num}"
            cells = dict(zip(columns, row, strict=False))
            values = _from_canvas(cells) if canvas else {column: _plain(cells.get(column)) for column in columns}
            if not any(values.values()):
                yield location, None, row
                continue
            due = {column: values.pop(column) for column in list(values) if column.startswith(DUE)}
            learner = Learner(**values, due=tuple(_due(location, due)))
            _check_id(learner, location)
            yield location, learner, row
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {rows.line_num}: {error}; save it again as CSV") from error


def _due(location: str, columns: Mapping[str, str]) -> Iterator[tuple[str, datetime]]:
    for column, text in columns.items():
        if text:
            try:
                yield column.removeprefix(DUE).strip(), dates.parse(text)
            except ValueError as error:
                raise ValueError(f"{location}, column {column!r}: {error}") from None


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
    """A row of Canvas' gradebook export as a row of a roster; empty for "Points Possible" and the test student."""
    name = _plain(row.get("student"))
    number = _plain(row.get("id"))
    if not number or name.casefold() in ("points possible", "student, test"):
        return {}
    login = _plain(row.get("sis login id"))
    own_id = _plain(row.get("sis user id")) or login or f"canvas-{number}"
    email = login if "@" in login else ""
    return {"id": own_id, "name": name, "canvas_id": number, "email": email, "section": _plain(row.get("section"))}


def _check_id(learner: Learner, location: str) -> None:
    if not learner.id:
        raise ValueError(f"{location}: {learner.name or 'the learner'} has no id; add one, or remove the row")
    if len(learner.id.encode()) > MAX_ID_BYTES:
        raise ValueError(f"{location}: the id has {len(learner.id.encode())} bytes, at most {MAX_ID_BYTES}; shorten it")
    if clean_id(learner.id) != learner.id:
        raise ValueError(
            f"{location}: the id {learner.id!r} cannot name a folder; use letters, digits and . _ @ -, "
            f"for example {clean_id(learner.id)!r}"
        )


def clean_id(text: str) -> str:
    """Convert text to a valid id: letters and digits of any script, ``.``, ``_``, ``@`` and ``-``.

    The result may be empty, or longer than :data:`MAX_ID_BYTES`.
    """
    plain = unicodedata.normalize("NFC", text)
    # Combining marks belong to the letters of many scripts, but are not matched by \w.
    kept = (char if re.match(r"[\w.@-]", char) or unicodedata.category(char) in ("Mn", "Mc") else " " for char in plain)
    plain = re.sub(r"[\s-]+", "-", "".join(kept)).strip("-._ ")
    return f"{plain}-" if plain.split(".")[0].casefold() in RESERVED else plain


def _plain(text: str | None) -> str:
    """A value without HTML markup and control characters: nbgrader's pages do not escape names."""
    chars = (char for char in unicodedata.normalize("NFC", text or "") if char not in '<>"&`' and char.isprintable())
    return " ".join("".join(chars).split())


def _only(learners: Iterable[Learner]) -> Learner | None:
    """The learner, if there is exactly one."""
    candidates = list(learners)
    return candidates[0] if len(candidates) == 1 else None


def _words(name: str) -> tuple[str, ...]:
    """The sorted words of a name as they occur in folder names, so that ``Lovelace, Ada`` equals ``Ada Lovelace``."""
    plain = _MOODLE_REMOVES.sub("", unicodedata.normalize("NFKC", name).casefold()).replace("’", "").replace("_", " ")
    return tuple(sorted(re.findall(r"[\w\u0300-\u036f]+", plain)))


def _canvas_names(name: str) -> set[str]:
    """The forms of a name in Canvas' file names: without non-letters, the family name first."""
    if "," in name:
        orders = [name]
    else:
        words = name.split()
        orders = [" ".join(words[cut:] + words[:cut]) for cut in range(len(words))]
    return {re.sub(r"\W", "", order).casefold() for order in orders} - {""}

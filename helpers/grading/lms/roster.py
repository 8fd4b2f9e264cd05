"""Who is in the course: a CSV of the instructor's, and how the names of an LMS find their learner in it."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("id", "name", "canvas_id", "moodle_id", "email", "section")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
_LONGEST_ID = 64


@dataclass(frozen=True)
class Learner:
    """One line of the roster; what is not known is an empty text.

    Attributes:
        id: how the course knows the learner: the name of a folder, and what the learner types as ``learner_id``.
        name: as the LMS shows it, ``Ada Lovelace`` or ``Lovelace, Ada``.
        canvas_id: the number of Canvas for this person, the same in every assignment.
        moodle_id: the number of Moodle for this participant in *one* assignment: it settles equal names, or stands
            for a name that is left out.
    """

    id: str
    name: str = ""
    canvas_id: str = ""
    moodle_id: str = ""
    email: str = ""
    section: str = ""

    def is_squeezed(self, name: str) -> bool:
        """Whether Canvas may squeeze this learner's name so into the name of a file (``lovelaceada``)."""
        return name.casefold() in _squeezed(self.name)


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
        found = self._by_id.get(text.casefold())
        return found or _only(each for each in self if each.email and each.email.casefold() == text.casefold())

    def in_canvas(self, user_id: str, squeezed_name: str = "") -> Learner | None:
        """By Canvas' number, else by the name that Canvas squeezes into a file's name (``lovelaceada``)."""
        found = _only(each for each in self if each.canvas_id and each.canvas_id == user_id)
        if found or not squeezed_name:
            return found
        return _only(each for each in self if not each.canvas_id and each.is_squeezed(squeezed_name))

    def in_moodle(self, name: str, number: str) -> Learner | None:
        """By the full name; Moodle's number, another in every assignment, decides between those of one name or none."""
        same = [each for each in self if _words(each.name) and _words(each.name) == _words(name)]
        if len(same) == 1:
            return same[0]
        unnamed = same or [each for each in self if not each.name]
        return _only(each for each in unnamed if each.moodle_id and each.moodle_id == number)


def read(path: Path) -> Roster:
    """Read a roster: a CSV with the columns ``id``, ``name``, ``canvas_id``, ``moodle_id``, ``email``, ``section``.

    Only ``id`` must be there.

    Raises:
        ValueError: no column ``id``, a column that is not known, an id that is missing, unfit for a folder, or twice.
    """
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = csv.DictReader(lines)
        columns = [column.strip().casefold() for column in rows.fieldnames or []]
        rows.fieldnames = columns
        unknown = [column for column in columns if column not in COLUMNS]
        if "id" not in columns or unknown:
            told = f"the column {unknown[0]!r} is not known" if unknown else "the column 'id' is missing"
            raise ValueError(f"{path.name}: {told}; there are {', '.join(COLUMNS)}")
        learners: dict[str, Learner] = {}
        for number, row in enumerate(rows, start=2):
            values = {column: _plain(row.get(column)) for column in columns}
            if not any(values.values()):
                continue
            learner = Learner(**values)
            if not learner.id:
                raise ValueError(f"{path.name}, line {number}: {learner.name or 'the learner'} has no id")
            if clean_id(learner.id) != learner.id:
                raise ValueError(
                    f"{path.name}, line {number}: the id {learner.id!r} cannot name a folder; "
                    f"letters, digits and . _ @ - can, at most {_LONGEST_ID}: {clean_id(learner.id)!r}"
                )
            if learner.id.casefold() in learners:
                raise ValueError(f"{path.name}, line {number}: the id {learner.id!r} is there twice")
            learners[learner.id.casefold()] = learner
    return Roster(learners.values())


def clean_id(text: str) -> str:
    """A text as the name of a learner's folder: plain letters, digits, ``.``, ``_``, ``@``, ``-``; it may be empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._@-]+", "-", plain).strip("-._ ")[:_LONGEST_ID].rstrip("-._")
    return f"{plain}-" if plain.split(".")[0].casefold() in RESERVED else plain


def _plain(text: str | None) -> str:
    """A value without what a web page or a terminal would act on: nbgrader's pages show names as they are."""
    letters = (each for each in unicodedata.normalize("NFC", text or "") if each not in '<>"&`' and each.isprintable())
    return " ".join("".join(letters).split())


def _only(learners: Iterable[Learner]) -> Learner | None:
    found: Sequence[Learner] = list(learners)
    return found[0] if len(found) == 1 else None


def _words(name: str) -> tuple[str, ...]:
    """A name's words in one order: ``Lovelace, Ada`` and ``Ada Lovelace`` are the same."""
    return tuple(sorted(re.findall(r"\w+", unicodedata.normalize("NFKC", name).casefold())))


def _squeezed(name: str) -> set[str]:
    """How Canvas may squeeze a name: all that is no letter dropped, the family name in front."""
    if "," in name:
        orders = [name]
    else:
        words = name.split()
        orders = [" ".join(words[cut:] + words[:cut]) for cut in range(len(words))]
    return {re.sub(r"\W", "", order).casefold() for order in orders} - {""}

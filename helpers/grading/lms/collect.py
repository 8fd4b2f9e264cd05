"""Bring what learners handed in to its place: folders of notebooks, and the zips that an LMS makes.

Every file of an archive or folder ends in exactly one :class:`Outcome`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nbgrader.utils import parse_utc

from helpers.grading import files
from helpers.grading.assignment import RELEASE
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.archives import MAX_TIMESTAMP_BYTES, Entry, RejectedArchive, RejectedFile, entries
from helpers.grading.lms.filenames import ParsedName, parse_name, without_copy
from helpers.grading.lms.roster import MAX_ID_BYTES, Roster, clean_id

RECORD = "collected.json"
State = Literal["taken", "unchanged", "older", "refused", "asked", "other"]
STATES: dict[State, str] = {
    "taken": "taken",
    "unchanged": "there already",
    "older": "older than what is there",
    "refused": "refused",
    "asked": "whose is it?",
    "other": "not a notebook",
}
_GRADE_ID = re.compile(rb'"grade_id"\s*:\s*"([\w-]+)"')


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        file: where it was.
        state: see :data:`STATES`.
        learner: whose it is, where that is known.
        reason: why, or what a human should do; may be empty.
        homework: which homework, where that is known.
    """

    file: str
    state: State
    learner: str = ""
    reason: str = ""
    homework: str = ""

    def __str__(self) -> str:
        if self.state in ("taken", "unchanged"):
            return f"{self.file}: {self.reason}"
        if self.state == "refused":
            return f"{self.file} is refused: {self.reason}"
        return f"{self.file} is not taken: {self.reason}"


@dataclass(frozen=True)
class Collected:
    """What came in.

    Attributes:
        taken: the notebooks that were written.
        outcomes: one for each file that was there.
        rejected: archives of which nothing is taken, one sentence each.
        notes: what else a human should know.
        missing: homework → learners of the roster of whom nothing is there.
    """

    taken: tuple[Path, ...]
    outcomes: tuple[Outcome, ...]
    rejected: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def attention(self) -> tuple[str, ...]:
        """What a human should look at, one sentence each; many equal ones are one sentence with a count."""
        told = [each for each in self.outcomes if each.reason]
        by_reason: dict[tuple[State, str], list[Outcome]] = {}
        for each in told:
            by_reason.setdefault((each.state, each.reason), []).append(each)
        lines = []
        for (state, reason), those in by_reason.items():
            if len(those) > MAX_EQUAL_LINES:
                lines.append(f"{len(those)} files ({STATES[state]}): {reason}; the first is {those[0].file}")
            else:
                lines += map(str, those)
        return (*self.rejected, *lines, *self.notes)


MAX_EQUAL_LINES = 3


@dataclass(frozen=True)
class _Submission:
    """One notebook that was found: whose, which, how new, and how to get it."""

    entry: Entry
    homework: str
    learner: str
    version: tuple[int, int, str]  # the LMS' number of the file, the copy's number, the file's date
    who: str  # as it was called there: two of these must not become one learner
    named: bool  # whether it has the homework's name
    parsed: ParsedName
    note: str = ""

    @property
    def lms(self) -> str:
        return self.parsed.lms


def collect(
    course: Path,
    paths: Sequence[Path],
    homework: str | None = None,
    roster: Roster | None = None,
    homeworks: Mapping[str, Path] | Iterable[str] | None = None,
) -> Collected:
    """Put the newest notebook of each learner into ``course/submitted/<learner>/<homework>/<homework>.ipynb``.

    What an archive calls its files decides nothing about where they go. An archive that is damaged or hostile is
    refused by name and the rest goes on; so is a single notebook that a learner can have spoilt on purpose. The
    outermost folder names the learner.

    Args:
        course: the course folder; it is locked meanwhile.
        paths: folders (``ada/hw.ipynb``, ``ada/hw/hw.ipynb``, ``ada_hw.ipynb``), zips of an LMS, or such zips unpacked.
        homework: what the notebooks are, whatever their names; without it each must carry its homework's name.
        roster: by default ``course/roster.csv``, if it is there. Who is not on it is taken, and named in a note.
        homeworks: the names that there are, by default those that are released; with their notebooks, a homework
            handed in under another's name is noticed.

    Raises:
        ValueError: no such homework, an invalid roster, or another command holds the lock of the course folder.
        FileNotFoundError: a path that does not exist.
    """
    notebooks = _notebooks(homeworks)
    known = sorted(notebooks)
    if homework is not None and homework not in known:
        raise ValueError(f"no homework is called {homework!r}; there are {', '.join(known) or 'none'}")
    if roster is None:
        roster = rosters.of_course(course)
    outcomes: list[Outcome] = []
    rejected: list[str] = []
    found: list[_Submission] = []
    course.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(files.lock(course))
        for path in paths:
            try:
                for entry in entries(path, stack, lambda name: roster.by_id(name) is not None):
                    submission = _identify(entry, homework, known, roster)
                    (outcomes if isinstance(submission, Outcome) else found).append(submission)  # type: ignore[arg-type]
            except RejectedArchive as error:
                rejected.append(str(error))
        store = _Store(course, _grade_ids(notebooks))
        outcomes += store.add(found, outcomes)
        taken, notes = store.taken, store.notes
        names = [homework] if homework else sorted({each.homework for each in found})
        missing = {
            name: tuple(learner for learner, reason in without_submission(course, name, roster).items() if not reason)
            for name in names
        }
    return Collected(tuple(taken), tuple(outcomes), tuple(rejected), tuple(notes), missing)


def read_record(course: Path) -> dict[str, dict[str, dict]]:
    """What ``collected.json`` says: homework → learner → what was collected; empty if nothing was."""
    path = course / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_record(course: Path, record: Mapping[str, Mapping[str, Mapping]]) -> None:
    """Replace ``collected.json``."""
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    files.write_atomic(course / RECORD, text)


def without_submission(course: Path, homework: str, roster: Roster | None = None) -> dict[str, str]:
    """Learners of the roster, and others whose work was refused, of whom there is no notebook to grade.

    Returns:
        learner → why what they handed in was not taken; an empty reason if nothing came.
    """
    if roster is None:
        roster = rosters.of_course(course)
    record = read_record(course).get(homework, {})
    submitted = {found.parts[-3] for found in (course / "submitted").glob(f"*/{homework}/{homework}.ipynb")}
    learners = [*(each.id for each in roster), *sorted(record)]
    return {each: record.get(each, {}).get("refused", "") for each in dict.fromkeys(learners) if each not in submitted}


def _notebooks(homeworks: Mapping[str, Path] | Iterable[str] | None) -> dict[str, Path | None]:
    if homeworks is None:
        return {path.stem: path for path in RELEASE.glob("*/*.ipynb")}
    return dict(homeworks) if isinstance(homeworks, Mapping) else dict.fromkeys(homeworks)


def _grade_ids(notebooks: Mapping[str, Path | None]) -> dict[str, set[bytes]]:
    """The ids of the questions of each homework, as far as its notebook is at hand."""
    return {name: {*_GRADE_ID.findall(path.read_bytes())} for name, path in notebooks.items() if path}


def _identify(entry: Entry, homework: str | None, known: Sequence[str], roster: Roster) -> _Submission | Outcome:
    """Give a notebook its learner and homework, or say why it has none."""
    parsed = parse_name(entry.name, known) or parse_name(f"{entry.name}.ipynb", known)
    learner, note = _learner(parsed, roster) if parsed else ("", "no learner can be read from its name")
    stem, copy = without_copy(parsed.file_id, known) if parsed else ("", 0)
    name = homework or (stem if stem in known else "")
    if entry.problem:
        state: State = "refused" if entry.rejected else "other"
        return Outcome(entry.shown, state, learner if parsed else "", entry.problem, name)
    if parsed is None:
        return Outcome(entry.shown, "asked", "", note)
    if not learner:
        return Outcome(entry.shown, "asked", "", note, name)
    if not name:
        return Outcome(
            entry.shown, "refused", learner, f"{stem!r} is no homework; rename it, or say which it is with --homework"
        )
    if homework is not None and stem in known and stem != homework:
        return Outcome(entry.shown, "refused", learner, f"it is {stem}, and {homework} is collected", homework)
    who = f"{parsed.lms}/{parsed.student_id}" if parsed.lms else learner
    if not parsed.lms and not roster.by_id(learner):
        who = parsed.student_id
    if parsed.lms == "brightspace":  # its first number counts files, not people
        who = f"brightspace/{parsed.name}"
    date = parsed.when.strftime("%Y-%m-%d-%H-%M-%S") if parsed.when else entry.date
    return _Submission(entry, name, learner, (parsed.version, copy, date), who, stem in known, parsed, note)


def _learner(parsed: ParsedName, roster: Roster) -> tuple[str, str]:
    """A learner's id, and a note; without an id the note asks whose it is."""
    name, number = parsed.name, parsed.student_id
    if parsed.lms == "canvas":
        found, spare = roster.in_canvas(number, name), f"canvas-{number}"
    elif parsed.lms in ("moodle", "brightspace"):
        found, spare = roster.in_moodle(name, number), name
        same = roster.named(name)
        if not found and len(same) > 1:
            ids = " and ".join(each.id for each in same)
            return "", f"{ids} have the name {name!r}; write {number} as moodle_id of the right one into the roster"
    else:
        found, spare = roster.by_id(number), number
    if found:
        strange = parsed.lms == "canvas" and found.name and name and not found.matches_canvas_name(name)
        note = f"Canvas calls {number} {name!r}, the roster {found.name!r}; look whose it is" if strange else ""
        return found.id, note
    learner = clean_id(spare)
    if not learner:
        return "", f"{spare!r} cannot name a learner"
    if len(learner.encode()) > MAX_ID_BYTES:
        return "", f"{spare[:40]!r}… is too long for a learner's name, at most {MAX_ID_BYTES} bytes"
    if other := roster.by_id(learner):
        return "", f"{spare!r} is not {other.id!r} of the roster, but would become it; rename it, if it is theirs"
    return learner, f"{name or number!r} is not on the roster; taken as {learner!r}" if len(roster) else ""


class _Store:
    """The submissions of a course, and the record of what each was: an older archive collected later changes nothing.

    Attributes:
        record: homework → learner → what was collected, as in ``collected.json``.
        taken: the notebooks that were written.
        notes: what a human should know beside the outcomes.
    """

    def __init__(self, course: Path, grade_ids: Mapping[str, set[bytes]]) -> None:
        self.course, self.grade_ids = course, grade_ids
        self.record = read_record(course)
        self.taken: list[Path] = []
        self.notes: list[str] = []

    def add(self, found: Sequence[_Submission], before: Sequence[Outcome]) -> list[Outcome]:
        """Write the newest submission of each learner; one outcome each, in the order of learners."""
        groups: dict[tuple[str, str], list[_Submission]] = {}
        for each in found:
            groups.setdefault((each.homework, each.learner), []).append(each)
        outcomes = [outcome for key, group in sorted(groups.items()) for outcome in self._add_group(*key, group)]
        for outcome in (*before, *outcomes):  # who handed in something that is refused is not missing
            if outcome.learner and outcome.homework and outcome.state in ("refused", "other", "asked"):
                entry = self.record.setdefault(outcome.homework, {}).setdefault(outcome.learner, {})
                entry.setdefault("refused", outcome.reason)
        if found or before:
            write_record(self.course, self.record)
        return outcomes

    def _add_group(self, homework: str, learner: str, group: list[_Submission]) -> Iterator[Outcome]:
        before = self.record.get(homework, {}).get(learner, {})
        people = {each.who for each in group} | ({before["who"]} if "who" in before else set())
        if len({_source(who) for who in people}) < len(people):
            both = " and ".join(sorted(people))
            reason = f"{both} would both be {learner!r}; tell them apart in the roster"
            yield from (Outcome(each.entry.shown, "asked", learner, reason, homework) for each in group)
            return
        named = {each.entry.archive for each in group if each.named}
        candidates = []
        for each in group:
            if not each.named and each.entry.archive in named:
                reason = f"{homework}.ipynb is beside it and counts"
                yield Outcome(each.entry.shown, "older", learner, reason, homework)
            else:
                candidates.append(each)
        newest = candidates[0]
        for each in candidates[1:]:
            if _source(each.who) != _source(newest.who) or each.version >= newest.version:
                newest = each
        yield from (
            Outcome(each.entry.shown, "older", learner, "", homework) for each in candidates if each is not newest
        )
        yield self._write(homework, learner, newest, before)

    def _write(self, homework: str, learner: str, newest: _Submission, before: dict) -> Outcome:
        entry = newest.entry
        path = self.course / "submitted" / learner / homework / f"{homework}.ipynb"
        if "version" in before and path.exists() and _source(before["who"]) == _source(newest.who):
            if tuple(before["version"]) > newest.version:
                reason = "it is older than what was collected before; that stays"
                return Outcome(entry.shown, "older", learner, reason, homework)
        try:
            content = entry.read()
        except RejectedFile as error:
            return Outcome(entry.shown, "refused", learner, str(error), homework)
        if other := self._other_homework(content, homework):
            reason = f"its questions are those of {other}; ask for {homework}, or collect it with --homework {other}"
            return Outcome(entry.shown, "refused", learner, reason, homework)
        unchanged = path.exists() and path.read_bytes() == content
        if not unchanged:
            self.taken.append(path)
            files.write_atomic(path, content)
        written = self._write_timestamp(path.parent / "timestamp.txt", newest, before, not unchanged)
        about = {"version": list(newest.version), "late": newest.parsed.late, "who": newest.who, "timestamp": written}
        if newest.lms:
            about |= {"lms": newest.lms, "student_id": newest.parsed.student_id}
        self.record.setdefault(homework, {})[learner] = about
        return Outcome(entry.shown, "unchanged" if unchanged else "taken", learner, newest.note, homework)

    def _other_homework(self, content: bytes, homework: str) -> str:
        """The homework whose questions a notebook has, if it has more of them than of the one it is handed in as."""
        ids = {*_GRADE_ID.findall(content)}
        shared = {name: len(ids & own) / max(len(own), 1) for name, own in self.grade_ids.items()}
        best = max(shared, key=lambda name: shared[name], default=homework)
        return best if shared.get(best, 0) > 0.5 and shared.get(homework, 0) < 0.5 else ""

    def _write_timestamp(self, path: Path, submission: _Submission, before: dict, is_new: bool) -> str:
        """Write when it came, if that is known; what an instructor has written there since the last time stays."""
        try:
            there = path.read_text(encoding="utf-8")[:MAX_TIMESTAMP_BYTES] if path.exists() else ""
        except (OSError, UnicodeDecodeError):
            there = ""
        if there and there != before.get("timestamp", ""):
            if is_new:
                self.notes.append(f"{submission.entry.shown} is new; the time in its timestamp.txt, set by hand, stays")
            return before.get("timestamp", "")
        text = self._timestamp(submission)
        if text:
            files.write_atomic(path, text)
        else:
            path.unlink(missing_ok=True)
        return text

    def _timestamp(self, submission: _Submission) -> str:
        """When it came, as nbgrader reads it; empty where that is not known, as for Canvas and Moodle."""
        form = "%Y-%m-%d %H:%M:%S UTC"
        entry = submission.entry
        if entry.timestamp:
            try:
                # nbgrader takes a zone of its own, as in "… +0200", for seconds.
                return parse_utc(re.sub(r" ([+-]\d\d:?\d\d)$", r"\1", entry.timestamp)).strftime(form)
            except (ValueError, OverflowError):
                self.notes.append(f"{entry.shown}: its timestamp {entry.timestamp[:40]!r} is no date")
        return submission.parsed.when.strftime(form) if submission.parsed.when else ""


def _source(who: str) -> str:
    """The LMS or nothing: versions are comparable, and one person is called one thing, within each."""
    return who.partition("/")[0] if "/" in who else ""

"""Import submissions into the course folder, from folders of notebooks and from the zips of an LMS.

Every file of an archive or folder has exactly one :class:`Outcome`.
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
MAX_EQUAL_LINES = 3
State = Literal["taken", "unchanged", "older", "refused", "unclear", "other"]
STATES: dict[State, str] = {
    "taken": "imported",
    "unchanged": "already imported",
    "older": "older than the one imported",
    "refused": "rejected",
    "unclear": "learner unclear",
    "other": "not a notebook",
}
_GRADE_ID = re.compile(rb'"grade_id"\s*:\s*"([\w-]+)"')


@dataclass(frozen=True)
class Outcome:
    """The result for one file.

    Attributes:
        file: its location.
        state: see :data:`STATES`.
        learner: the learner's id, if known.
        reason: the reason, or what the instructor should do; may be empty.
        homework: the name of the homework, if known.
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
            return f"{self.file} is rejected: {self.reason}"
        return f"{self.file} is not imported: {self.reason}"


@dataclass(frozen=True)
class Collected:
    """The result of :func:`collect`.

    Attributes:
        taken: the paths of the notebooks that were written.
        outcomes: an outcome for each file.
        rejected: archives that were rejected as a whole, as sentences.
        notes: further lines for the instructor.
        missing: homework → ids of learners on the roster without a submission.
    """

    taken: tuple[Path, ...]
    outcomes: tuple[Outcome, ...]
    rejected: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def attention(self) -> tuple[str, ...]:
        """Lines that the instructor should read; more than :data:`MAX_EQUAL_LINES` equal ones are combined."""
        by_reason: dict[tuple[State, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            if outcome.reason:
                by_reason.setdefault((outcome.state, outcome.reason), []).append(outcome)
        lines = []
        for (state, reason), outcomes in by_reason.items():
            if len(outcomes) > MAX_EQUAL_LINES:
                lines.append(f"{len(outcomes)} files ({STATES[state]}): {reason}; the first is {outcomes[0].file}")
            else:
                lines += map(str, outcomes)
        return (*self.rejected, *lines, *self.notes)


@dataclass(frozen=True)
class _Submission:
    """A notebook with its learner, homework and version."""

    entry: Entry
    homework: str
    learner: str
    version: tuple[int, int, str]  # the LMS' number of the file, the number of the copy, the file's date
    source_id: str  # the learner's id in the source; two ids of the same source must not map to the same learner
    has_homework_name: bool
    parsed: ParsedName
    note: str = ""


def collect(
    course: Path,
    paths: Sequence[Path],
    homework: str | None = None,
    roster: Roster | None = None,
    homeworks: Mapping[str, Path] | Iterable[str] | None = None,
) -> Collected:
    """Put the newest notebook of each learner into ``course/submitted/<learner>/<homework>/<homework>.ipynb``.

    Paths in an archive never determine where files are written. Damaged or malicious archives and files are rejected,
    and the others are imported. The outermost folder identifies the learner.

    Args:
        course: the course folder; it is locked during the call.
        paths: folders (``ada/hw.ipynb``, ``ada/hw/hw.ipynb``, ``ada_hw.ipynb``), zips of an LMS, or such zips unpacked.
        homework: the homework of all notebooks; without it, file names must contain the name of the homework.
        roster: by default ``course/roster.csv``, if it exists. Submissions of learners who are not on it are imported,
            with a note.
        homeworks: names of all homeworks, by default the released ones; with a mapping to their notebooks, a notebook
            with the questions of another homework is refused.

    Raises:
        ValueError: no such homework, an invalid roster, or another command holds the lock of the course folder.
        FileNotFoundError: a path does not exist.
    """
    notebooks = _notebooks(homeworks)
    known = sorted(notebooks)
    if homework is not None and homework not in known:
        raise ValueError(f"no homework is called {homework!r}; there are {', '.join(known) or 'none'}")
    if roster is None:
        roster = rosters.of_course(course)
    outcomes: list[Outcome] = []
    rejected: list[str] = []
    submissions: list[_Submission] = []
    course.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(files.lock(course))
        for path in paths:
            try:
                for entry in entries(path, stack, lambda name: roster.by_id(name) is not None):
                    identified = _identify(entry, homework, known, roster)
                    if isinstance(identified, Outcome):
                        outcomes.append(identified)
                    else:
                        submissions.append(identified)
            except RejectedArchive as error:
                rejected.append(str(error))
        store = _Store(course, _grade_ids(notebooks))
        outcomes += store.add(submissions, outcomes)
        names = [homework] if homework else sorted({submission.homework for submission in submissions})
        missing = {
            name: tuple(learner for learner, reason in without_submission(course, name, roster).items() if not reason)
            for name in names
        }
    return Collected(tuple(store.taken), tuple(outcomes), tuple(rejected), tuple(store.notes), missing)


def read_record(course: Path) -> dict[str, dict[str, dict]]:
    """The content of ``collected.json``: homework → learner → what was imported; empty if there is none."""
    path = course / RECORD
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write_record(course: Path, record: Mapping[str, Mapping[str, Mapping]]) -> None:
    """Replace ``collected.json``."""
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    files.write_atomic(course / RECORD, text)


def without_submission(course: Path, homework: str, roster: Roster | None = None) -> dict[str, str]:
    """Learners on the roster without a notebook to grade, and others whose submission was refused.

    Returns:
        learner → the reason why the submission was refused; empty if there was none.
    """
    if roster is None:
        roster = rosters.of_course(course)
    record = read_record(course).get(homework, {})
    submitted = {path.parts[-3] for path in (course / "submitted").glob(f"*/{homework}/{homework}.ipynb")}
    ids = dict.fromkeys([*(learner.id for learner in roster), *sorted(record)])
    return {id_: record.get(id_, {}).get("refused", "") for id_ in ids if id_ not in submitted}


def _notebooks(homeworks: Mapping[str, Path] | Iterable[str] | None) -> dict[str, Path | None]:
    if homeworks is None:
        return {path.stem: path for path in RELEASE.glob("*/*.ipynb")}
    return dict(homeworks) if isinstance(homeworks, Mapping) else dict.fromkeys(homeworks)


def _grade_ids(notebooks: Mapping[str, Path | None]) -> dict[str, set[bytes]]:
    """The ids of the questions of each homework whose notebook is given."""
    return {name: {*_GRADE_ID.findall(path.read_bytes())} for name, path in notebooks.items() if path}


def _identify(entry: Entry, homework: str | None, known: Sequence[str], roster: Roster) -> _Submission | Outcome:
    """The submission in a file, or an outcome with the reason why it is not one."""
    parsed = parse_name(entry.name, known) or parse_name(f"{entry.name}.ipynb", known)
    learner, note = _learner(parsed, roster) if parsed else ("", "its name does not identify a learner")
    stem, copy = without_copy(parsed.file_id, known) if parsed else ("", 0)
    name = homework or (stem if stem in known else "")
    if entry.problem:
        state: State = "refused" if entry.rejected else "other"
        return Outcome(entry.location, state, learner if parsed else "", entry.problem, name)
    if parsed is None:
        return Outcome(entry.location, "unclear", "", note)
    if not learner:
        return Outcome(entry.location, "unclear", "", note, name)
    if not name:
        return Outcome(
            entry.location,
            "refused",
            learner,
            f"{stem!r} is not a homework; rename it, or name the homework with --homework",
        )
    if homework is not None and stem in known and stem != homework:
        return Outcome(entry.location, "refused", learner, f"it is {stem}, but {homework} is being collected", homework)
    source_id = f"{parsed.lms}/{parsed.student_id}" if parsed.lms else learner
    if not parsed.lms and not roster.by_id(learner):
        source_id = parsed.student_id
    if parsed.lms == "brightspace":  # the number in its file names is not that of a user
        source_id = f"brightspace/{parsed.name}"
    date = parsed.when.strftime("%Y-%m-%d-%H-%M-%S") if parsed.when else entry.date
    return _Submission(entry, name, learner, (parsed.version, copy, date), source_id, stem in known, parsed, note)


def _learner(parsed: ParsedName, roster: Roster) -> tuple[str, str]:
    """A learner's id and a note; if the id is empty, the note is the reason."""
    name, number = parsed.name, parsed.student_id
    if parsed.lms == "canvas":
        on_roster, new_id = roster.in_canvas(number, name), f"canvas-{number}"
    elif parsed.lms in ("moodle", "brightspace"):
        on_roster, new_id = roster.in_moodle(name, number), name
        namesakes = roster.named(name)
        if not on_roster and len(namesakes) > 1:
            ids = " and ".join(learner.id for learner in namesakes)
            return "", f"{ids} have the name {name!r}; enter {number} as the moodle_id of the right one in the roster"
    else:
        on_roster, new_id = roster.by_id(number), number
    if on_roster:
        differs = parsed.lms == "canvas" and on_roster.name and name and not on_roster.matches_canvas_name(name)
        note = (
            f"{number} is {name!r} in Canvas and {on_roster.name!r} in the roster; check whose it is" if differs else ""
        )
        return on_roster.id, note
    learner = clean_id(new_id)
    if not learner:
        return "", f"{new_id!r} is not a valid learner id"
    if len(learner.encode()) > MAX_ID_BYTES:
        return "", f"{new_id[:40]!r}… is too long for a learner id, at most {MAX_ID_BYTES} bytes"
    if other := roster.by_id(learner):
        return (
            "",
            f"{new_id!r} would get the id {other.id!r}, which is on the roster; rename it if it is this learner's",
        )
    return learner, f"{name or number!r} is not on the roster; imported as {learner!r}" if len(roster) else ""


class _Store:
    """The submissions of a course and their record, which prevents older work from replacing newer work.

    Attributes:
        record: homework → learner → what was imported, as in ``collected.json``.
        taken: the paths of the notebooks that were written.
        notes: lines for the instructor in addition to the outcomes.
    """

    def __init__(self, course: Path, grade_ids: Mapping[str, set[bytes]]) -> None:
        self.course, self.grade_ids = course, grade_ids
        self.record = read_record(course)
        self.taken: list[Path] = []
        self.notes: list[str] = []

    def add(self, submissions: Sequence[_Submission], earlier: Sequence[Outcome]) -> list[Outcome]:
        """Write the newest submission of each learner, and return an outcome for every submission.

        Args:
            submissions: the submissions.
            earlier: the outcomes of files that are not submissions, for the record.
        """
        groups: dict[tuple[str, str], list[_Submission]] = {}
        for submission in submissions:
            groups.setdefault((submission.homework, submission.learner), []).append(submission)
        outcomes = [outcome for key, group in sorted(groups.items()) for outcome in self._add_group(*key, group)]
        for outcome in (*earlier, *outcomes):  # a learner whose submission is refused is not missing
            if outcome.learner and outcome.homework and outcome.state in ("refused", "other", "unclear"):
                entry = self.record.setdefault(outcome.homework, {}).setdefault(outcome.learner, {})
                entry.setdefault("refused", outcome.reason)
        if submissions or earlier:
            write_record(self.course, self.record)
        return outcomes

    def _add_group(self, homework: str, learner: str, group: list[_Submission]) -> Iterator[Outcome]:
        before = self.record.get(homework, {}).get(learner, {})
        source_ids = {submission.source_id for submission in group} | ({before["who"]} if "who" in before else set())
        if len({_source(source_id) for source_id in source_ids}) < len(source_ids):
            several = " and ".join(sorted(source_ids))
            reason = f"{several} would both have the id {learner!r}; add them to the roster with different ids"
            yield from (
                Outcome(submission.entry.location, "unclear", learner, reason, homework) for submission in group
            )
            return
        named = {submission.entry.archive for submission in group if submission.has_homework_name}
        candidates = []
        for submission in group:
            if not submission.has_homework_name and submission.entry.archive in named:
                reason = f"{homework}.ipynb in the same archive counts"
                yield Outcome(submission.entry.location, "older", learner, reason, homework)
            else:
                candidates.append(submission)
        newest = candidates[0]
        for submission in candidates[1:]:
            if _source(submission.source_id) != _source(newest.source_id) or submission.version >= newest.version:
                newest = submission
        yield from (
            Outcome(submission.entry.location, "older", learner, "", homework)
            for submission in candidates
            if submission is not newest
        )
        yield self._write(homework, learner, newest, before)

    def _write(self, homework: str, learner: str, newest: _Submission, before: dict) -> Outcome:
        entry = newest.entry
        path = self.course / "submitted" / learner / homework / f"{homework}.ipynb"
        if "version" in before and path.exists() and _source(before["who"]) == _source(newest.source_id):
            if tuple(before["version"]) > newest.version:
                reason = "it is older than the one imported before, which is kept"
                return Outcome(entry.location, "older", learner, reason, homework)
        try:
            content = entry.read()
        except RejectedFile as error:
            return Outcome(entry.location, "refused", learner, str(error), homework)
        if other := self._other_homework(content, homework):
            reason = f"its questions are those of {other}; ask for {homework}, or collect it with --homework {other}"
            return Outcome(entry.location, "refused", learner, reason, homework)
        unchanged = path.exists() and path.read_bytes() == content
        if not unchanged:
            self.taken.append(path)
            files.write_atomic(path, content)
        written = self._write_timestamp(path.parent / "timestamp.txt", newest, before, not unchanged)
        fields = {"version": list(newest.version), "late": newest.parsed.late, "who": newest.source_id}
        fields |= {"timestamp": written}
        if newest.parsed.lms:
            fields |= {"lms": newest.parsed.lms, "student_id": newest.parsed.student_id}
        self.record.setdefault(homework, {})[learner] = fields
        return Outcome(entry.location, "unchanged" if unchanged else "taken", learner, newest.note, homework)

    def _other_homework(self, content: bytes, homework: str) -> str:
        """The homework to which most questions of a notebook belong, if it is not ``homework``; else empty."""
        ids = {*_GRADE_ID.findall(content)}
        shared = {name: len(ids & known) / max(len(known), 1) for name, known in self.grade_ids.items()}
        best = max(shared, key=lambda name: shared[name], default=homework)
        return best if shared.get(best, 0) > 0.5 and shared.get(homework, 0) < 0.5 else ""

    def _write_timestamp(self, path: Path, submission: _Submission, before: dict, is_new: bool) -> str:
        """Write the time of submission, if known, unless the instructor changed the file; return the text written."""
        try:
            existing = path.read_text(encoding="utf-8")[:MAX_TIMESTAMP_BYTES] if path.exists() else ""
        except (OSError, UnicodeDecodeError):
            existing = ""
        if existing and existing != before.get("timestamp", ""):
            if is_new:
                self.notes.append(f"{submission.entry.location} was imported; the edited timestamp.txt is kept")
            return before.get("timestamp", "")
        text = self._timestamp(submission)
        if text:
            files.write_atomic(path, text)
        else:
            path.unlink(missing_ok=True)
        return text

    def _timestamp(self, submission: _Submission) -> str:
        """The time of submission in nbgrader's format; empty if it is unknown, as with Canvas and Moodle."""
        form = "%Y-%m-%d %H:%M:%S UTC"
        entry = submission.entry
        if entry.timestamp:
            try:
                # nbgrader reads a separate zone, as in "… +0200", as seconds.
                return parse_utc(re.sub(r" ([+-]\d\d:?\d\d)$", r"\1", entry.timestamp)).strftime(form)
            except (ValueError, OverflowError):
                self.notes.append(f"{entry.location}: its timestamp {entry.timestamp[:40]!r} is not a date")
        return submission.parsed.when.strftime(form) if submission.parsed.when else ""


def _source(source_id: str) -> str:
    """The LMS of a source id, or an empty text; versions and ids can be compared only within the same source."""
    return source_id.partition("/")[0] if "/" in source_id else ""

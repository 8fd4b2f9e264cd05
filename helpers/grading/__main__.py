"""What an instructor does with a homework: ``python -m helpers.grading COMMAND``, ``make grading ARGS="COMMAND"``."""

from __future__ import annotations

import argparse
import errno
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from helpers.grading import dates, files
from helpers.grading.assignment import SOURCE

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FULL = "{} cannot be written, there is no room; make some, and run the command again"
MISSING = "the packages of graders are missing; install them: make grading, or pip install -e '.[grading]'"


def parser() -> argparse.ArgumentParser:
    """The commands, in the order in which they are needed."""
    top = argparse.ArgumentParser(prog="python -m helpers.grading", description=__doc__.partition(":")[0] + ".")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, says: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=says, description=says[0].upper() + says[1:] + ".")
        if name != "release":
            command.add_argument(
                "--course", type=Path, default="~/embeddings-grading", help="the course folder (%(default)s)"
            )
        return command

    def homeworks(command: argparse.ArgumentParser, what: str) -> None:
        command.add_argument("homework", nargs="*", help=f"which homeworks ({what})")

    release = add("release", "write the student versions from the authors' notebooks")
    homeworks(release, "all")
    release.add_argument("--check", action="store_true", help="write nothing, tell what differs or leaks")
    release.add_argument("--retire", action="store_true", help="let questions change that learners already have")

    collect = add("collect", "take in what learners handed in: folders, notebooks, zips of Canvas and Moodle")
    collect.add_argument("path", nargs="+", type=Path, help="where it is")
    collect.add_argument("--homework", help="what the notebooks are, whatever they are called")
    collect.add_argument("--roster", type=Path, help="who is in the course; it is kept as COURSE/roster.csv")
    collect.add_argument("--due", type=_date, help="when it was due for these learners: 2026-03-01T23:59+01:00")
    collect.add_argument("--section", help="the due date is that of this section of the roster")

    extend = add("extend", "give a learner a due date of their own")
    extend.add_argument("learner", help="the id")
    extend.add_argument("homework")
    until = extend.add_mutually_exclusive_group(required=True)
    until.add_argument("--until", type=_date, help="the new due date: 2026-03-08T23:59+01:00")
    until.add_argument("--cancel", action="store_true", help="take the extension back")

    roster = add("roster", "remove a learner from everything in the course folder")
    roster.add_argument("action", choices=("remove",))
    roster.add_argument("learner", nargs="+", help="the id")

    grade = add("grade", "run and test what was handed in, in a sandbox; ended at any moment, it goes on where it was")
    homeworks(grade, "all that were handed in")
    grade.add_argument("--workers", type=int, help="how many processes (one a core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of a dask scheduler that runs already")
    grade.add_argument("--dashboard", action="store_true", help="show what the workers do on a page of its own")
    grade.add_argument("--only", action="append", default=[], metavar="LEARNER", help="grade this one; may be repeated")
    grade.add_argument("--force", action="store_true", help="grade again what is graded; points by hand stay")

    adjust = add("adjust", "let a question count otherwise, for everybody; the points themselves stay as they are")
    adjust.add_argument("homework")
    adjust.add_argument("question", help="its number, title, or a cell of it")
    how = adjust.add_mutually_exclusive_group(required=True)
    how.add_argument("--drop", action="store_true", help="it counts neither in the points nor in their maximum")
    how.add_argument("--full", action="store_true", help="everybody has all of its points")
    how.add_argument("--points", type=float, metavar="N", help="everybody has at least N of its points")
    how.add_argument("--undo", action="store_true", help="it counts as it did")
    adjust.add_argument("--reason", default="", help="why; learners read it in their feedback")

    merge = add("merge", "add what other graders did in course folders of their own")
    merge.add_argument("other", nargs="+", type=Path, help="their course folders")

    formgrade = add("formgrade", "open JupyterLab with nbgrader's formgrader, for written answers and comments")
    formgrade.add_argument("--port", type=int, default=8888)
    formgrade.add_argument("--no-browser", action="store_true")
    formgrade.add_argument("jupyter", nargs="*", help="more for JupyterLab, after --")

    feedback = add("feedback", "write a page for each learner")
    homeworks(feedback, "all that are graded")
    feedback.add_argument("--only", action="append", metavar="LEARNER", help="for this one; may be repeated")
    feedback.add_argument(
        "--format", choices=("moodle", "canvas"), help="write the zip that returns the pages there, too"
    )

    export = add("export", "write the grades as a table")
    homeworks(export, "all that are graded")
    export.add_argument("--format", choices=("csv", "canvas", "moodle"), default="csv")
    export.add_argument("--roster", type=Path, help="who is in the course (COURSE/roster.csv)")
    export.add_argument("--title", action="append", default=[], metavar="HOMEWORK=TITLE", help="its column in Canvas")
    export.add_argument("--unfinished", action="store_true", help="points of those, too, who wait for some by hand")
    export.add_argument("--missing", type=float, help="the grade of those who handed in nothing (empty)")

    report = add("report", "write what the class understood as a page without names, and as a table")
    homeworks(report, "all that are graded")

    status = add("status", "tell what is graded, what waits, and what needs a human")
    homeworks(status, "all that were handed in")
    for command in (release, collect, extend, grade, adjust, status):
        command.add_argument("--source", type=Path, default=SOURCE, help="the authors' notebooks (%(default)s)")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what is wrong is told in a sentence."""
    asked = parser().parse_args(arguments)
    try:
        return COMMANDS[asked.command](asked)
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where it was", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        print(f"{MISSING} ({error.name})", file=sys.stderr)
    except OSError as error:
        print(FULL.format(error.filename or "the disk") if error.errno in NO_SPACE else error, file=sys.stderr)
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
    except Exception as error:
        if not (problem := _database_problem(error)):
            raise
        print(problem, file=sys.stderr)
    return 1


def _database_problem(error: Exception) -> str:
    """What is wrong with the gradebook, and what to do; empty if the error is of another kind."""
    from sqlalchemy.exc import SQLAlchemyError

    if not isinstance(error, SQLAlchemyError | sqlite3.Error):
        return ""
    reason = str(getattr(error, "orig", None) or error)
    remedies = {
        "locked": "another program is writing to it; end that, formgrader for example, and run the command again",
        "full": "make room, and run the command again",
        "disk I/O": "make room or look after the disk, and run the command again",
        "readonly": "it must be writable for you",
        "malformed": "restore it from a backup",
        "not a database": "restore it from a backup",
    }
    remedy = next((each for sign, each in remedies.items() if sign in reason), "what was stored before stays")
    return f"the gradebook cannot be used ({reason}): {remedy}"


def release(asked: argparse.Namespace) -> int:
    from helpers.grading.release import ReleaseError, problems, release

    where = (asked.source, asked.source.parent / "release", asked.source.parent / "questions.json")
    if asked.check:
        found = problems(*where)
        print("\n".join(found) or "the student versions are what their sources give")
        return 1 if found else 0
    try:
        changed = release(*where, names=asked.homework or None, retire=asked.retire)
    except ReleaseError as reason:
        print(reason, file=sys.stderr)
        return 1
    print("\n".join(f"wrote {path}" for path in changed) or "nothing changed")
    return 0


def collect(asked: argparse.Namespace) -> int:
    from helpers.grading.lms import roster
    from helpers.grading.lms.collect import STATES, collect

    with _course(asked, create=True) as course:
        if asked.roster:
            roster.read(asked.roster)  # a broken one is told before it replaces another
            files.write_atomic(course.folder / "roster.csv", asked.roster.read_bytes())
        if asked.section:
            _check_section(course, asked)
        found = collect(
            course.folder,
            asked.path,
            homework=asked.homework,
            homeworks=_sources(asked),
        )
        if asked.due:
            with course.writing():
                _set_due(course, asked, found)
    counts = Counter(outcome.state for outcome in found.outcomes)
    print(", ".join(f"{counts[state]} {name}" for state, name in STATES.items() if counts[state]) or "nothing came")
    _needs_a_human(found.attention)
    rows = [
        (outcome.learner or outcome.file, STATES[outcome.state], TODO[outcome.state])
        for outcome in found.outcomes
        if outcome.state in TODO and not (outcome.state == "other" and not outcome.learner)
    ]
    rows += [(each, "handed in nothing", "") for learners in found.missing.values() for each in learners]
    _table(rows)
    return 0


def _check_section(course, asked: argparse.Namespace) -> None:
    from helpers.grading.lms import roster

    if not asked.due:
        raise ValueError("--section tells whose due date it is; give that with --due")
    sections = {learner.section for learner in roster.of_course(course.folder)} - {""}
    if asked.section not in sections:
        raise ValueError(f"no section is called {asked.section!r}; there are {', '.join(sorted(sections)) or 'none'}")


def _set_due(course, asked: argparse.Namespace, found) -> None:
    """Set the due date of what was collected: of a section where all learners are in one, else of the homework."""
    from helpers.grading.lms import roster

    learners = roster.of_course(course.folder)
    sections = {learner.section for learner in learners}
    there = [each for each in found.outcomes if each.learner and each.state in ("taken", "unchanged", "older")]
    for name in sorted({each.homework for each in there} | ({asked.homework} - {None})):
        who = {each.learner for each in there if each.homework == name}
        theirs = {each.section for learner in who if (each := learners.by_id(learner))}
        section = asked.section or (min(theirs) if len(theirs) == 1 and len(sections) > 1 else "")
        course.prepare(_sources(asked)[name])
        course.set_due(name, asked.due, section, who)
        whose = f"section {section}" if section else "everybody without another date"
        print(f"{name}: due {dates.show(asked.due)} for {whose}")


def extend(asked: argparse.Namespace) -> int:
    from helpers.grading.lms import roster

    with _course(asked) as course, course.writing():
        learner = _learner(course, asked.learner)
        course.prepare(_source(asked))
        course.extend(asked.homework, learner, asked.until)
        due, source = course.due_dates(asked.homework).of(
            learner, getattr(roster.of_course(course.folder).by_id(learner), "section", "")
        )
        whose = {"learner": "their own", "section": "that of the section", "course": "that of the course", "": ""}
        print(f"{learner}, {asked.homework}: " + (f"due {dates.show(due)}, {whose[source]}" if due else "no due date"))
        if asked.cancel and source == "learner":
            print("  the roster has this date in its column; remove it there")
    return 0


def adjust(asked: argparse.Namespace) -> int:
    from helpers.grading.results import Adjustment, Kind, find_question

    kind: Kind = "drop" if asked.drop else "full" if asked.full else "points"
    if not asked.undo and not asked.reason.strip():
        raise ValueError("--reason is missing: learners read it in their feedback")
    with _course(asked) as course, course.writing():
        course.prepare(_source(asked))
        question = find_question(course.questions(asked.homework), asked.question)
        if kind == "points" and not asked.undo and not 0 <= asked.points <= question.max_points:
            raise ValueError(f"{question.name} has {question.max_points:g} points; --points takes 0 to that")
        before = course.results(asked.homework)
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}"
        adjustment = None if asked.undo else Adjustment(question.name, kind, asked.reason.strip(), asked.points, now)
        course.adjust(asked.homework, question.name, adjustment)
        after = course.results(asked.homework)
    changed = sum(before[each].points != after[each].points for each in after)
    print(f"{asked.homework}, {question.name}: {adjustment or 'counts as it did'}; {changed} of {len(after)} change")
    return 0


def merge(asked: argparse.Namespace) -> int:
    from helpers.grading.course import Course
    from helpers.grading.merge import merge

    with _course(asked) as course, course.writing():
        for folder in asked.other:
            with Course(folder, create=False) as other:
                for name, (learners, by_hand) in merge(course, other).items():
                    print(f"{other.folder}, {name}: {learners} learners, {by_hand} points and comments by hand")
    return 0


def roster(asked: argparse.Namespace) -> int:
    from helpers.grading.removal import forget

    with _course(asked) as course, course.writing():
        for learner in asked.learner:
            print(f"{learner}: removed from {', '.join(forget(course, learner))}")
    return 0


def grade(asked: argparse.Namespace) -> int:
    from helpers.grading import scheduler
    from helpers.grading.sandbox.host import check_available

    with _course(asked, create=True) as course, course.writing():
        scans = []
        for name in _handed_in(course, asked):
            prepared = course.prepare(_sources(asked)[name])
            scans.append((prepared, scheduler.scan(course, prepared, asked.only, asked.force)))
        if any(summary.waiting for _, summary in scans):
            if asked.scheduler:
                crew = scheduler.remote(asked.scheduler)
            else:
                check_available()
                crew = scheduler.local(asked.workers, asked.dashboard)
            with crew as client:
                if asked.dashboard:
                    print(f"what the workers do: {client.dashboard_link}", file=sys.stderr)
                for prepared, summary in scans:
                    if summary.waiting:
                        scheduler.grade(course, prepared, client, summary)
        for prepared, summary in scans:
            course.settle(prepared.assignment.name)
            _report_state(course, summary)
    return 0


def status(asked: argparse.Namespace) -> int:
    from helpers.grading import scheduler

    with _course(asked) as course:
        for name in _handed_in(course, asked):
            summary = scheduler.scan(course, course.prepare(_sources(asked)[name]))
            course.settle(name)
            _report_state(course, summary)
    return 0


def _report_state(course, summary) -> None:
    """Print what was graded, what needs a human, the dates, the decisions and who handed in nothing."""
    name = summary.assignment
    print(summary)
    due = course.due_dates(name)
    told = [f"due {dates.show(due.course)}"] * bool(due.course)
    told += [f"section {section}: {dates.show(when)}" for section, when in sorted(due.sections.items())]
    told += [f"{learner}: {dates.show(when)}" for learner, when in sorted(due.learners.items())]
    lines = ["; ".join(told)] * bool(told)
    lines += [f"{each.question}: {each} ({each.reason}, {each.recorded})" for each in course.adjustments(name)]
    for line in lines:
        print(f"  {files.printable(line)}")
    results = course.results(name)
    for learner, cells in course.manual_grades_to_review(name).items():
        _needs_a_human([f"{learner}: {', '.join(cells)} has points by hand and has changed since; look at it again"])
    _needs_a_human(
        f"{learner}: marked late without a time; with the extension it counts as on time, else write the time into "
        f"submitted/{learner}/{name}/timestamp.txt"
        for learner, result in results.items()
        if result.lateness.is_doubtful
    )
    late = [
        (learner, f"{result.lateness}, loses {result.penalty:g} points", "")
        for learner, result in results.items()
        if result.lateness.is_late
    ]
    _table([*late, *_without(course.folder, name)])


def formgrade(asked: argparse.Namespace) -> int:
    with _course(asked) as course:
        folder = course.folder
    print("in JupyterLab: menu Nbgrader, Formgrader", file=sys.stderr)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={asked.port}", *["--no-browser"] * asked.no_browser, *asked.jupyter]
    os.chdir(folder)  # where nbgrader looks for its settings
    os.execv(sys.executable, command)


def feedback(asked: argparse.Namespace) -> int:
    from helpers.grading.feedback import feedback
    from helpers.grading.lms.returns import feedback_zip

    with _course(asked) as course:
        for name in asked.homework or _graded(course):
            course.settle(name)
            pages, attention = feedback(course.folder, name, asked.only)
            print(f"{name}: {len(pages)} pages in {course.folder / 'feedback'}")
            if asked.format:
                path, without = feedback_zip(course.folder, name, asked.format, pages)
                attention += without
                print(f"wrote {path}" if path else f"{name}: no page belongs to {asked.format.capitalize()}, no zip")
            _needs_a_human(attention)
    return 0


def export(asked: argparse.Namespace) -> int:
    from helpers.grading.lms import roster
    from helpers.grading.lms.export import export

    titles = dict(title.partition("=")[::2] for title in asked.title)
    with _course(asked) as course:
        for name in asked.homework or _graded(course):
            course.settle(name)
        paths, attention = export(
            course.folder,
            asked.format,
            asked.homework or None,
            roster.read(asked.roster) if asked.roster else None,
            titles,
            asked.unfinished,
            asked.missing,
        )
    print("\n".join(f"wrote {path}" for path in paths))
    _needs_a_human(attention)
    return 0


def report(asked: argparse.Namespace) -> int:
    from helpers.grading.report import report

    with _course(asked) as course:
        for name in asked.homework or _graded(course):
            print("\n".join(f"wrote {path}" for path in report(course, name)))
    return 0


_FUNCTIONS = (release, collect, extend, roster, grade, adjust, merge, formgrade, feedback, export, report, status)
COMMANDS = {each.__name__: each for each in _FUNCTIONS}


TODO = {
    "refused": "ask for the notebook again",
    "asked": "settle whose it is, then collect again",
    "other": "ask for the notebook (.ipynb)",
}


def _without(folder: Path, homework: str) -> list[tuple[str, str, str]]:
    """Rows of the closing table for those of whom there is nothing to grade."""
    from helpers.grading.lms.collect import without_submission

    return [
        (learner, f"refused: {reason}" if reason else "handed in nothing", TODO["refused"] if reason else "")
        for learner, reason in without_submission(folder, homework).items()
    ]


def _table(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print learner, state and what to do, aligned; nothing without rows."""
    if not rows:
        return
    lines = [tuple(map(files.printable, line)) for line in [("learner", "state", "what to do"), *rows]]
    learner, state = (min(60, max(len(line[column]) for line in lines)) for column in (0, 1))
    for line in lines:
        print(f"  {line[0]:<{learner}}  {line[1]:<{state}}  {line[2]}".rstrip())


def _course(asked: argparse.Namespace, create: bool = False):
    """Open the course folder; only ``collect`` and ``grade`` make one."""
    from helpers.grading.course import Course

    os.umask(0o077)  # grades and submissions are readable by their owner only
    return Course(asked.course, create)


def _sources(asked: argparse.Namespace) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(asked.source.glob("*/*.ipynb")) if path.stem == path.parent.name}
    if not found:
        raise ValueError(f"there is no homework in {asked.source}; --source tells where the authors' notebooks are")
    return found


def _source(asked: argparse.Namespace) -> Path:
    """The author's notebook of the one homework that a command names."""
    known = _sources(asked)
    if asked.homework not in known:
        raise ValueError(f"no homework is called {asked.homework!r}; there are {', '.join(known)}")
    return known[asked.homework]


def _learner(course, text: str) -> str:
    """The id of a learner who is on the roster or has handed something in."""
    from helpers.grading.lms import roster

    if found := roster.of_course(course.folder).by_id(text):
        return found.id
    if (course.folder / "submitted" / text).is_dir() and "/" not in text and text.strip("."):
        return text
    raise ValueError(f"nobody in {course.folder} has the id {text!r}; it is neither in the roster nor in submitted/")


def _date(text: str) -> datetime:
    try:
        return dates.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _handed_in(course, asked: argparse.Namespace) -> list[str]:
    known = _sources(asked)
    if unknown := [name for name in asked.homework if name not in known]:
        raise ValueError(f"no homework is called {unknown[0]!r}; there are {', '.join(known)}")
    names = asked.homework or [name for name in known if course.learners(name)]
    if not names:
        raise ValueError(f"nothing was handed in yet in {course.folder / 'submitted'}; collect comes first")
    return names


def _graded(course) -> list[str]:
    return sorted({path.stem for path in (course.folder / "autograded").glob("*/*/*.ipynb")})


def _needs_a_human(lines: Iterable[str]) -> None:
    lines = list(lines)
    for line in ["needs a human:"] * bool(lines) + [f"  {line}" for line in lines]:
        print(files.printable(line))


if __name__ == "__main__":
    sys.exit(main())

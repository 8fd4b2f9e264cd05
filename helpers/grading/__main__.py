"""The instructor's command line: ``python -m helpers.grading COMMAND``, or ``make grading ARGS="COMMAND"``."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sqlite3
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.grading import dates, files
from helpers.grading.assignment import SOURCE

if TYPE_CHECKING:  # the commands import what they need, so that missing packages can be reported
    from helpers.grading.course import Course
    from helpers.grading.lms.collect import Collected
    from helpers.grading.scheduler import Summary

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
DISK_FULL = "{} cannot be written, the disk is full; free some space, and run the command again"
MISSING = "the packages for grading are missing; install them with make grading, or pip install -e '.[grading]'"


def parser() -> argparse.ArgumentParser:
    """The argument parser, with the commands in the order in which they are used."""
    top = argparse.ArgumentParser(prog="python -m helpers.grading", description="Release, collect and grade homeworks.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name != "release":
            command.add_argument(
                "--course", type=Path, default="~/embeddings-grading", help="the course folder (%(default)s)"
            )
        return command

    def add_homeworks(command: argparse.ArgumentParser, default: str) -> None:
        command.add_argument("homework", nargs="*", help=f"which homeworks (default: {default})")

    release = add("release", "write the student versions from the authors' notebooks")
    add_homeworks(release, "all")
    release.add_argument("--check", action="store_true", help="write nothing; report differences and leaks")
    release.add_argument("--retire", action="store_true", help="allow changes to questions that were released")

    collect = add("collect", "import submissions from folders, notebooks, or the zips of an LMS")
    collect.add_argument("path", nargs="+", type=Path, help="a folder, a zip or a notebook")
    collect.add_argument(
        "--homes",
        metavar="FOLDER",
        help="the path contains home folders, each with FOLDER/HOMEWORK/HOMEWORK.ipynb (needs --homework)",
    )
    collect.add_argument("--homework", help="the homework of all notebooks, regardless of their names")
    collect.add_argument("--roster", type=Path, help="CSV file of the learners; copied to COURSE/roster.csv")
    collect.add_argument("--due", type=_date, help="the due date of these learners, such as 2026-03-01T23:59+01:00")
    collect.add_argument("--section", help="set the due date of this section of the roster")

    extend = add("extend", "set the individual due date of a learner")
    extend.add_argument("learner", help="the id")
    extend.add_argument("homework")
    until = extend.add_mutually_exclusive_group(required=True)
    until.add_argument("--until", type=_date, help="the new due date, such as 2026-03-08T23:59+01:00")
    until.add_argument("--cancel", action="store_true", help="remove the extension")

    roster = add("roster", "delete all data of a learner from the course folder")
    roster.add_argument("action", choices=("remove",))
    roster.add_argument("learner", nargs="+", help="the id")

    grade = add("grade", "run and test the submissions in a sandbox; an interrupted run can be continued")
    add_homeworks(grade, "all that were submitted")
    grade.add_argument("--workers", type=int, help="number of processes (default: one per core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of a running dask scheduler")
    grade.add_argument("--dashboard", action="store_true", help="serve dask's dashboard")
    grade.add_argument(
        "--only", action="append", default=[], metavar="LEARNER", help="grade this learner only; may be repeated"
    )
    grade.add_argument("--force", action="store_true", help="grade again; points given by hand are kept")

    adjust = add("adjust", "change how a question counts for all learners; the points in the gradebook are kept")
    adjust.add_argument("homework")
    adjust.add_argument("question", help="its number, its title, or the id of one of its cells")
    how = adjust.add_mutually_exclusive_group(required=True)
    how.add_argument("--drop", action="store_true", help="exclude it from the points and from their maximum")
    how.add_argument("--full", action="store_true", help="give full points to all learners")
    how.add_argument("--points", type=float, metavar="N", help="give at least N points to all learners")
    how.add_argument("--undo", action="store_true", help="undo the adjustment")
    adjust.add_argument("--reason", default="", help="the reason, which learners see in their feedback")

    merge = add("merge", "add the grades of other graders from their course folders")
    merge.add_argument("other", nargs="+", type=Path, help="their course folders")

    formgrade = add("formgrade", "open JupyterLab with nbgrader's formgrader, for written answers and comments")
    formgrade.add_argument("--port", type=int, default=8888)
    formgrade.add_argument("--no-browser", action="store_true")
    formgrade.add_argument("jupyter", nargs="*", help="arguments for JupyterLab, after --")

    feedback = add("feedback", "write a feedback page for each learner")
    add_homeworks(feedback, "all that are graded")
    feedback.add_argument("--only", action="append", metavar="LEARNER", help="for this learner only; may be repeated")
    feedback.add_argument(
        "--format", choices=("moodle", "canvas"), help="also write a zip for uploading the pages there"
    )

    export = add("export", "write the grades as a table")
    add_homeworks(export, "all that are graded")
    export.add_argument("--format", choices=("csv", "canvas", "moodle"), default="csv")
    export.add_argument("--roster", type=Path, help="CSV file of the learners (default: COURSE/roster.csv)")
    export.add_argument("--title", action="append", default=[], metavar="HOMEWORK=TITLE", help="column title in Canvas")
    export.add_argument(
        "--unfinished", action="store_true", help="include scores of submissions that are not completely graded"
    )
    export.add_argument("--missing", type=float, help="the grade of learners without a submission (default: empty)")

    report = add("report", "write statistics of the class as a page without names, and as a table")
    add_homeworks(report, "all that are graded")

    similar = add("similar", "list pairs of unusually similar submissions, for review")
    add_homeworks(similar, "all that are graded")
    similar.add_argument("--at-least", type=float, default=20.0, metavar="SCORE", help="the lowest score (%(default)s)")
    similar.add_argument(
        "--most", type=int, default=50, metavar="PAIRS", help="the largest number of pairs (%(default)s)"
    )

    status = add("status", "show what is graded, what is waiting, and what needs attention")
    add_homeworks(status, "all that were submitted")
    for command in (release, collect, extend, grade, adjust, status):
        command.add_argument("--source", type=Path, default=SOURCE, help="the authors' notebooks (%(default)s)")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status. Expected errors are printed without a traceback."""
    args = parser().parse_args(arguments)
    try:
        return COMMANDS[args.command](args)
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command again to continue", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        print(f"{MISSING} ({error.name})", file=sys.stderr)
    except OSError as error:
        print(DISK_FULL.format(error.filename or "the disk") if error.errno in NO_SPACE else error, file=sys.stderr)
    except (ValueError, RuntimeError) as error:
        print(error, file=sys.stderr)
    except Exception as error:
        if not (problem := _database_problem(error)):
            raise
        print(problem, file=sys.stderr)
    return 1


def _database_problem(error: Exception) -> str:
    """The problem with the gradebook and its remedy; empty if the error is of another kind."""
    from sqlalchemy.exc import SQLAlchemyError

    if not isinstance(error, SQLAlchemyError | sqlite3.Error):
        return ""
    reason = str(getattr(error, "orig", None) or error)
    remedies = {
        "locked": "another program, such as formgrader, is writing to it; close that, and run the command again",
        "full": "free some space, and run the command again",
        "disk I/O": "free some space or check the disk, and run the command again",
        "readonly": "make it writable for you",
        "malformed": "restore it from a backup",
        "not a database": "restore it from a backup",
    }
    remedy = next((text for part, text in remedies.items() if part in reason), "data that were stored before are kept")
    return f"the gradebook cannot be used ({reason}): {remedy}"


def release(args: argparse.Namespace) -> int:
    """Write the student versions, or check them."""
    from helpers.grading.release import ReleaseError, problems, release

    paths = (args.source, args.source.parent / "release", args.source.parent / "questions.json")
    if args.check:
        found = problems(*paths)
        print("\n".join(found) or "the student versions are up to date")
        return 1 if found else 0
    try:
        changed = release(*paths, names=args.homework or None, retire=args.retire)
    except ReleaseError as reason:
        print(reason, file=sys.stderr)
        return 1
    print("\n".join(f"wrote {path}" for path in changed) or "nothing changed")
    return 0


def collect(args: argparse.Namespace) -> int:
    """Import submissions, and print what needs attention."""
    from helpers.grading.lms import roster
    from helpers.grading.lms.collect import STATES, collect
    from helpers.grading.lms.homes import copy_from_homes

    if args.homes is not None and not args.homework:
        raise ValueError("--homes requires --homework, the homework in the home folders")
    with _course(args, create=True) as course, contextlib.ExitStack() as stack:
        if args.roster:
            roster.read(args.roster)  # raises if it is invalid, before it replaces another
            files.write_atomic(course.folder / "roster.csv", args.roster.read_bytes())
        if args.section:
            _check_section(course, args)
        paths, refused = args.path, []
        if args.homes is not None:
            copies = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for homes in args.path:
                refused += copy_from_homes(homes, args.homes, args.homework, copies)[1]
            paths = [copies]
        collected = collect(
            course.folder,
            paths,
            homework=args.homework,
            homeworks=_sources(args),
        )
        if args.due:
            with course.writing():
                _set_due(course, args, collected)
    counts = Counter(outcome.state for outcome in collected.outcomes)
    print(
        ", ".join(f"{counts[state]} {name}" for state, name in STATES.items() if counts[state]) or "nothing collected"
    )
    _print_attention([*refused, *collected.attention])
    rows = [
        (outcome.learner or outcome.file, STATES[outcome.state], ACTIONS[outcome.state])
        for outcome in collected.outcomes
        if outcome.state in ACTIONS and not (outcome.state == "other" and not outcome.learner)
    ]
    rows += [(learner, "no submission", "") for learners in collected.missing.values() for learner in learners]
    _table(rows)
    return 0


def _check_section(course: Course, args: argparse.Namespace) -> None:
    """Raise ValueError for ``--section`` without ``--due``, and for a section that the roster does not have."""
    from helpers.grading.lms import roster

    if not args.due:
        raise ValueError("--section requires --due")
    sections = {learner.section for learner in roster.of_course(course.folder)} - {""}
    if args.section not in sections:
        raise ValueError(f"no section is called {args.section!r}; there are {', '.join(sorted(sections)) or 'none'}")


def _set_due(course: Course, args: argparse.Namespace, collected: Collected) -> None:
    """Set the due date of the collected homeworks, for a section if all learners are in the same one."""
    from helpers.grading.lms import roster

    learners = roster.of_course(course.folder)
    sections = {learner.section for learner in learners}
    valid = [outcome for outcome in collected.outcomes if outcome.state in ("taken", "unchanged", "older")]
    for name in sorted({outcome.homework for outcome in valid if outcome.learner} | ({args.homework} - {None})):
        ids = {outcome.learner for outcome in valid if outcome.learner and outcome.homework == name}
        collected_sections = {learner.section for id_ in ids if (learner := learners.by_id(id_))}
        section = args.section or (
            min(collected_sections) if len(collected_sections) == 1 and len(sections) > 1 else ""
        )
        course.prepare(_sources(args)[name])
        course.set_due(name, args.due, section, ids)
        scope = f"section {section}" if section else "all learners without another date"
        print(f"{name}: due {dates.show(args.due)} for {scope}")


def extend(args: argparse.Namespace) -> int:
    """Set or cancel the individual due date of a learner."""
    from helpers.grading.lms import roster

    with _course(args) as course, course.writing():
        learner = _learner(course, args.learner)
        course.prepare(_source(args))
        course.extend(args.homework, learner, args.until)
        due, source = course.due_dates(args.homework).of(
            learner, getattr(roster.of_course(course.folder).by_id(learner), "section", "")
        )
        origin = {
            "learner": "individual date",
            "section": "date of the section",
            "course": "date of the course",
            "": "",
        }
        print(f"{learner}, {args.homework}: " + (f"due {dates.show(due)} ({origin[source]})" if due else "no due date"))
        if args.cancel and source == "learner":
            print("  this date is in the roster; remove it there")
    return 0


def adjust(args: argparse.Namespace) -> int:
    """Adjust a question, or undo its adjustment."""
    from helpers.grading.results import Adjustment, Kind, find_question

    kind: Kind = "drop" if args.drop else "full" if args.full else "points"
    if not args.undo and not args.reason.strip():
        raise ValueError("--reason is required; learners see it in their feedback")
    with _course(args) as course, course.writing():
        course.prepare(_source(args))
        question = find_question(course.questions(args.homework), args.question)
        if kind == "points" and not args.undo and not 0 <= args.points <= question.max_points:
            raise ValueError(f"--points must be between 0 and {question.max_points:g}, the points of {question.name}")
        before = course.results(args.homework)
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}"
        adjustment = None if args.undo else Adjustment(question.name, kind, args.reason.strip(), args.points, now)
        course.adjust(args.homework, question.name, adjustment)
        after = course.results(args.homework)
    changed = sum(before[learner].points != after[learner].points for learner in after)
    print(f"{args.homework}, {question.name}: {adjustment or 'not adjusted'}; {changed} of {len(after)} scores changed")
    return 0


def merge(args: argparse.Namespace) -> int:
    """Merge other course folders."""
    from helpers.grading.course import Course
    from helpers.grading.merge import merge

    with _course(args) as course, course.writing():
        for folder in args.other:
            with Course(folder, create=False) as other:
                for name, (learners, by_hand) in merge(course, other).items():
                    print(f"{other.folder}, {name}: {learners} learners, {by_hand} points and comments by hand")
    return 0


def roster(args: argparse.Namespace) -> int:
    """Remove learners from the course."""
    from helpers.grading.removal import forget

    with _course(args) as course, course.writing():
        for learner in args.learner:
            print(f"{learner}: removed from {', '.join(forget(course, learner))}")
    return 0


def grade(args: argparse.Namespace) -> int:
    """Grade all submissions that are waiting."""
    from helpers.grading import cluster, scheduler
    from helpers.grading.sandbox.host import check_available

    with _course(args, create=True) as course, course.writing():
        scans = []
        for name in _submitted(course, args):
            prepared = course.prepare(_sources(args)[name])
            scans.append((prepared, scheduler.scan(course, prepared, args.only, args.force)))
        if any(summary.waiting for _, summary in scans):
            if args.scheduler:
                connection = cluster.remote(args.scheduler)
            else:
                check_available()
                connection = cluster.local(args.workers, args.dashboard)
            with connection as client:
                if args.dashboard:
                    print(f"dashboard: {client.dashboard_link}", file=sys.stderr)
                for prepared, summary in scans:
                    if summary.waiting:
                        scheduler.grade(course, prepared, client, summary)
        for prepared, summary in scans:
            course.update_late_penalties(prepared.assignment.name)
            _report_state(course, summary)
    return 0


def status(args: argparse.Namespace) -> int:
    """Print the state of the submissions."""
    from helpers.grading import scheduler

    with _course(args) as course:
        for name in _submitted(course, args):
            summary = scheduler.scan(course, course.prepare(_sources(args)[name]))
            course.update_late_penalties(name)
            _report_state(course, summary)
    return 0


def _report_state(course: Course, summary: Summary) -> None:
    """Print the summary, due dates, adjusted questions, lines for the instructor, and learners without a submission."""
    name = summary.assignment
    print(summary)
    due = course.due_dates(name)
    due_dates = [f"due {dates.show(due.course)}"] if due.course else []
    due_dates += [f"section {section}: {dates.show(when)}" for section, when in sorted(due.sections.items())]
    due_dates += [f"{learner}: {dates.show(when)}" for learner, when in sorted(due.learners.items())]
    lines = ["; ".join(due_dates)] * bool(due_dates)
    lines += [
        f"{change.question}: {change} ({change.reason}, {change.recorded})" for change in course.adjustments(name)
    ]
    for line in lines:
        print(f"  {files.printable(line)}")
    results = course.results(name)
    for learner, cells in course.manual_grades_to_review(name).items():
        _print_attention([f"{learner}: {', '.join(cells)} changed after being graded by hand; review the points"])
    _print_attention(
        f"{learner}: marked as late without a time, but counted as on time because of the extension; "
        f"if it is late, write the time to submitted/{learner}/{name}/timestamp.txt"
        for learner, result in results.items()
        if result.lateness.is_doubtful
    )
    late = [
        (learner, f"{result.lateness}, loses {result.penalty:g} points", "")
        for learner, result in results.items()
        if result.lateness.is_late
    ]
    rejected = [(learner, "rejected", ACTIONS["refused"]) for learner in summary.rejected]
    _table([*late, *rejected, *_without(course.folder, name)])


def formgrade(args: argparse.Namespace) -> int:
    """Replace this process by JupyterLab with formgrader."""
    with _course(args) as course:
        folder = course.folder
    print("in JupyterLab: menu Nbgrader, Formgrader", file=sys.stderr)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={args.port}", *["--no-browser"] * args.no_browser, *args.jupyter]
    os.chdir(folder)  # nbgrader reads nbgrader_config.py from the working directory
    os.execv(sys.executable, command)


def feedback(args: argparse.Namespace) -> int:
    """Write feedback pages, and a zip for an LMS."""
    from helpers.grading.feedback import feedback
    from helpers.grading.lms.returns import feedback_zip

    with _course(args) as course:
        for name in args.homework or _graded(course):
            course.update_late_penalties(name)
            pages, attention = feedback(course.folder, name, args.only)
            print(f"{name}: {len(pages)} pages in {course.folder / 'feedback'}")
            if args.format:
                path, without = feedback_zip(course.folder, name, args.format, pages)
                attention += without
                print(
                    f"wrote {path}"
                    if path
                    else f"{name}: no notebook was collected from {args.format.capitalize()}; no zip is written"
                )
            _print_attention(attention)
    return 0


def export(args: argparse.Namespace) -> int:
    """Write the grades as tables."""
    from helpers.grading.lms import roster
    from helpers.grading.lms.export import export

    titles = dict(title.partition("=")[::2] for title in args.title)
    with _course(args) as course:
        for name in args.homework or _graded(course):
            course.update_late_penalties(name)
        paths, attention = export(
            course.folder,
            args.format,
            args.homework or None,
            roster.read(args.roster) if args.roster else None,
            titles,
            args.unfinished,
            args.missing,
        )
    print("\n".join(f"wrote {path}" for path in paths))
    _print_attention(attention)
    return 0


def report(args: argparse.Namespace) -> int:
    """Write the reports on homeworks."""
    from helpers.grading.report import report

    with _course(args) as course:
        for name in args.homework or _graded(course):
            print("\n".join(f"wrote {path}" for path in report(course, name)))
    return 0


def similar(args: argparse.Namespace) -> int:
    """Write the lists of similar submissions."""
    from helpers.grading.report import similar

    with _course(args) as course:
        for name in args.homework or _graded(course):
            path, pairs = similar(course, name, args.at_least, args.most)
            print(f"wrote {path}: {pairs} pairs")
    return 0


_FUNCTIONS = (
    *(release, collect, extend, roster, grade, adjust, merge, formgrade),
    *(feedback, export, report, similar, status),
)
COMMANDS = {function.__name__: function for function in _FUNCTIONS}


MAX_EQUAL_ROWS = 5  # rows of the closing table with the same state and action
ACTIONS = {
    "refused": "ask for the notebook again",
    "unclear": "identify the learner, then collect again",
    "other": "ask for the notebook (.ipynb)",
}


def _without(folder: Path, homework: str) -> list[tuple[str, str, str]]:
    """Rows of the closing table, for learners without a submission that can be graded."""
    from helpers.grading.lms.collect import without_submission

    return [
        (learner, f"rejected: {reason}" if reason else "no submission", ACTIONS["refused"] if reason else "")
        for learner, reason in without_submission(folder, homework).items()
    ]


def _table(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print an aligned table of learner, state and action; nothing if there are no rows.

    If a state and its action apply to more than five learners, their names follow the table as one paragraph.
    """
    if not rows:
        return
    counts = Counter(row[1:] for row in rows)
    single = [row for row in rows if counts[row[1:]] <= MAX_EQUAL_ROWS]
    lines = [tuple(map(files.printable, line)) for line in [("learner", "state", "action"), *single]]
    learner, state = (min(60, max(len(line[column]) for line in lines)) for column in (0, 1))
    for line in lines if single else ():
        print(f"  {line[0]:<{learner}}  {line[1]:<{state}}  {line[2]}".rstrip())
    for (state_of_many, action), count in counts.items():
        if count > MAX_EQUAL_ROWS:
            names = ", ".join(files.printable(row[0]) for row in rows if row[1:] == (state_of_many, action))
            text = f"{count} {files.printable(state_of_many)}{f' ({action})' if action else ''}: {names}"
            print(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="    ", break_long_words=False))


def _course(args: argparse.Namespace, create: bool = False) -> Course:
    """Open the course folder; only ``collect`` and ``grade`` create one."""
    from helpers.grading.course import Course

    os.umask(0o077)  # grades and submissions are readable by their owner only
    return Course(args.course, create)


def _sources(args: argparse.Namespace) -> dict[str, Path]:
    """The authors' notebooks by homework."""
    sources = {path.stem: path for path in sorted(args.source.glob("*/*.ipynb")) if path.stem == path.parent.name}
    if not sources:
        raise ValueError(
            f"there is no homework in {args.source}; name the folder of the authors' notebooks with --source"
        )
    return sources


def _source(args: argparse.Namespace) -> Path:
    """The author's notebook of the one homework that a command names."""
    known = _sources(args)
    if args.homework not in known:
        raise ValueError(f"no homework is called {args.homework!r}; there are {', '.join(known)}")
    return known[args.homework]


def _learner(course: Course, text: str) -> str:
    """The id of a learner who is on the roster or has handed something in."""
    from helpers.grading.lms import roster

    if learner := roster.of_course(course.folder).by_id(text):
        return learner.id
    if (course.folder / "submitted" / text).is_dir() and "/" not in text and text.strip("."):
        return text
    raise ValueError(
        f"no learner in {course.folder} has the id {text!r}; it is neither in the roster nor in submitted/"
    )


def _date(text: str) -> datetime:
    try:
        return dates.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _submitted(course: Course, args: argparse.Namespace) -> list[str]:
    """The homeworks that a command names, by default those with submissions."""
    known = _sources(args)
    if unknown := [name for name in args.homework if name not in known]:
        raise ValueError(f"no homework is called {unknown[0]!r}; there are {', '.join(known)}")
    names = args.homework or [name for name in known if course.learners(name)]
    if not names:
        raise ValueError(f"there are no submissions in {course.folder / 'submitted'}; run collect first")
    return names


def _graded(course: Course) -> list[str]:
    """The homeworks with a graded submission."""
    return sorted({path.stem for path in (course.folder / "autograded").glob("*/*/*.ipynb")})


def _print_attention(lines: Iterable[str]) -> None:
    lines = list(lines)
    for line in ["needs attention:"] * bool(lines) + [f"  {line}" for line in lines]:
        print(files.printable(line))


if __name__ == "__main__":
    sys.exit(main())

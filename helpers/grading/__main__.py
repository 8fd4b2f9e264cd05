"""What an instructor does with a homework: ``python -m helpers.grading COMMAND``, ``make grading ARGS="COMMAND"``."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from helpers.grading import files
from helpers.grading.assignment import SOURCE

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
    collect.add_argument(
        "--homes",
        metavar="FOLDER",
        help="the path holds home folders, each with FOLDER/HOMEWORK/HOMEWORK.ipynb (needs --homework)",
    )
    collect.add_argument("--homework", help="what the notebooks are, whatever they are called")
    collect.add_argument("--roster", type=Path, help="who is in the course; it is kept as COURSE/roster.csv")
    collect.add_argument("--due", type=datetime.fromisoformat, help="when it was due: 2026-03-01T23:59+01:00")

    grade = add("grade", "run and test what was handed in, in a sandbox; ended at any moment, it goes on where it was")
    homeworks(grade, "all that were handed in")
    grade.add_argument("--workers", type=int, help="how many processes (one a core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of a dask scheduler that runs already")
    grade.add_argument("--dashboard", action="store_true", help="show what the workers do on a page of its own")
    grade.add_argument("--only", action="append", default=[], metavar="LEARNER", help="grade this one; may be repeated")
    grade.add_argument("--force", action="store_true", help="grade again what is graded; points by hand stay")

    formgrade = add("formgrade", "open JupyterLab with nbgrader's formgrader, for written answers and comments")
    formgrade.add_argument("--port", type=int, default=8888)
    formgrade.add_argument("--no-browser", action="store_true")
    formgrade.add_argument("jupyter", nargs="*", help="more for JupyterLab, after --")

    feedback = add("feedback", "write a page for each learner")
    homeworks(feedback, "all that are graded")
    feedback.add_argument("--only", action="append", metavar="LEARNER", help="for this one; may be repeated")

    export = add("export", "write the grades as a table")
    homeworks(export, "all that are graded")
    export.add_argument("--format", choices=("csv", "canvas", "moodle"), default="csv")
    export.add_argument("--roster", type=Path, help="who is in the course (COURSE/roster.csv)")
    export.add_argument("--title", action="append", default=[], metavar="HOMEWORK=TITLE", help="its column in Canvas")
    export.add_argument("--unfinished", action="store_true", help="points of those, too, who wait for some by hand")
    export.add_argument("--missing", type=float, help="the grade of those who handed in nothing (empty)")

    report = add("report", "write what the class understood as a page without names, and as a table")
    homeworks(report, "all that are graded")

    similar = add("similar", "list submissions that agree more than the task explains, as places to look at")
    homeworks(similar, "all that are graded")
    similar.add_argument("--at-least", type=float, default=20.0, metavar="SCORE", help="the lowest score (%(default)s)")
    similar.add_argument("--most", type=int, default=50, metavar="PAIRS", help="how many pairs at most (%(default)s)")

    status = add("status", "tell what is graded, what waits, and what needs a human")
    homeworks(status, "all that were handed in")
    for command in (release, collect, grade, status):
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
    except (ValueError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
    return 1


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
    from helpers.grading.lms.homes import copy_from_homes

    if asked.homes is not None and not asked.homework:
        raise ValueError("--homes needs --homework: which homework is in the home folders?")
    with _course(asked, create=True) as course, contextlib.ExitStack() as stack:
        if asked.roster:
            roster.read(asked.roster)  # a broken one is told before it replaces another
            files.write_atomic(course.folder / "roster.csv", asked.roster.read_bytes())
        paths, refused = asked.path, []
        if asked.homes is not None:
            copies = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for homes in asked.path:
                refused += copy_from_homes(homes, asked.homes, asked.homework, copies)[1]
            paths = [copies]
        found = collect(
            course.folder,
            paths,
            homework=asked.homework,
            homeworks=_sources(asked),
        )
        if asked.due:
            with course.writing():
                for name in sorted({path.stem for path in found.taken} | ({asked.homework} - {None})):
                    course.prepare(_sources(asked)[name])
                    course.set_due(name, asked.due)
    counts = Counter(outcome.state for outcome in found.outcomes)
    print(", ".join(f"{counts[state]} {name}" for state, name in STATES.items() if counts[state]) or "nothing came")
    _needs_a_human([*refused, *found.attention])
    rows = [
        (outcome.learner or outcome.file, STATES[outcome.state], TODO[outcome.state])
        for outcome in found.outcomes
        if outcome.state in TODO and not (outcome.state == "other" and not outcome.learner)
    ]
    rows += [(each, "handed in nothing", "") for learners in found.missing.values() for each in learners]
    _table(rows)
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
            print(summary)
            _table(_without(course.folder, prepared.assignment.name))
    return 0


def status(asked: argparse.Namespace) -> int:
    from helpers.grading import scheduler

    with _course(asked) as course:
        for name in _handed_in(course, asked):
            print(scheduler.scan(course, course.prepare(_sources(asked)[name])))
            _table(_without(course.folder, name))
    return 0


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

    with _course(asked) as course:
        for name in asked.homework or _graded(course):
            pages, attention = feedback(course.folder, name, asked.only)
            print(f"{name}: {len(pages)} pages in {course.folder / 'feedback'}")
            _needs_a_human(attention)
    return 0


def export(asked: argparse.Namespace) -> int:
    from helpers.grading.lms import roster
    from helpers.grading.lms.export import export

    titles = dict(title.partition("=")[::2] for title in asked.title)
    with _course(asked) as course:
        files, attention = export(
            course.folder,
            asked.format,
            asked.homework or None,
            roster.read(asked.roster) if asked.roster else None,
            titles,
            asked.unfinished,
            asked.missing,
        )
    print("\n".join(f"wrote {path}" for path in files))
    _needs_a_human(attention)
    return 0


def report(asked: argparse.Namespace) -> int:
    from helpers.grading.report import report

    with _course(asked) as course:
        for name in asked.homework or _graded(course):
            print("\n".join(f"wrote {path}" for path in report(course, name)))
    return 0


def similar(asked: argparse.Namespace) -> int:
    from helpers.grading.report import similar

    with _course(asked) as course:
        for name in asked.homework or _graded(course):
            path, pairs = similar(course, name, asked.at_least, asked.most)
            print(f"wrote {path}: {pairs} pairs")
    return 0


COMMANDS = {
    each.__name__: each for each in (release, collect, grade, formgrade, feedback, export, report, similar, status)
}


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


def _needs_a_human(lines: Sequence[str]) -> None:
    for line in ["needs a human:"] * bool(lines) + [f"  {line}" for line in lines]:
        print(files.printable(line))


if __name__ == "__main__":
    sys.exit(main())

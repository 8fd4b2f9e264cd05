"""The instructor's command line: ``python -m helpers.grading COMMAND``, or ``make grading ARGS="COMMAND"``."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from helpers.grading import files
from helpers.grading.assignment import SOURCE

MISSING = "the packages of graders are missing; install them: make grading, or pip install -e '.[grading]'"


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
    release.add_argument("--check", action="store_true", help="write nothing; report what differs or leaks")
    release.add_argument("--retire", action="store_true", help="allow changes to questions that were released")

    collect = add("collect", "import submissions: folders, notebooks, or the zips of Canvas and Moodle")
    collect.add_argument("path", nargs="+", type=Path, help="a folder, a zip or a notebook")
    collect.add_argument("--homework", help="the homework that the notebooks belong to, whatever their names")
    collect.add_argument("--roster", type=Path, help="CSV of the learners; stored as COURSE/roster.csv")
    collect.add_argument("--due", type=datetime.fromisoformat, help="due date, such as 2026-03-01T23:59+01:00")

    grade = add("grade", "run and test the submissions in a sandbox; an interrupted run can be continued")
    add_homeworks(grade, "all that were submitted")
    grade.add_argument("--workers", type=int, help="number of processes (default: one per core)")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of a running dask scheduler")
    grade.add_argument("--dashboard", action="store_true", help="serve dask's dashboard")
    grade.add_argument(
        "--only", action="append", default=[], metavar="LEARNER", help="grade this learner only; may be repeated"
    )
    grade.add_argument("--force", action="store_true", help="grade again; points given by hand are kept")

    formgrade = add("formgrade", "open JupyterLab with nbgrader's formgrader, for written answers and comments")
    formgrade.add_argument("--port", type=int, default=8888)
    formgrade.add_argument("--no-browser", action="store_true")
    formgrade.add_argument("jupyter", nargs="*", help="arguments for JupyterLab, after --")

    feedback = add("feedback", "write a feedback page for each learner")
    add_homeworks(feedback, "all that are graded")
    feedback.add_argument("--only", action="append", metavar="LEARNER", help="for this learner only; may be repeated")

    export = add("export", "write the grades as a table")
    add_homeworks(export, "all that are graded")
    export.add_argument("--format", choices=("csv", "canvas", "moodle"), default="csv")
    export.add_argument("--roster", type=Path, help="CSV of the learners (default: COURSE/roster.csv)")
    export.add_argument("--title", action="append", default=[], metavar="HOMEWORK=TITLE", help="column title in Canvas")
    export.add_argument("--unfinished", action="store_true", help="include scores that still lack points given by hand")
    export.add_argument("--missing", type=float, help="the grade of learners without a submission (default: empty)")

    report = add("report", "write what the class understood as a page without names, and as a table")
    add_homeworks(report, "all that are graded")

    similar = add("similar", "list submissions that agree more than the task explains, as places to look at")
    add_homeworks(similar, "all that are graded")
    similar.add_argument("--at-least", type=float, default=20.0, metavar="SCORE", help="the lowest score (%(default)s)")
    similar.add_argument("--most", type=int, default=50, metavar="PAIRS", help="how many pairs at most (%(default)s)")

    status = add("status", "show what is graded, what is waiting, and what needs attention")
    add_homeworks(status, "all that were submitted")
    for command in (release, collect, grade, status):
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
    except (ValueError, OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
    return 1


def release(args: argparse.Namespace) -> int:
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
    from helpers.grading.lms import roster
    from helpers.grading.lms.collect import STATES, collect

    with _course(args, create=True) as course:
        if args.roster:
            roster.read(args.roster)  # raises if it is invalid, before it replaces another
            files.write_atomic(course.folder / "roster.csv", args.roster.read_bytes())
        found = collect(
            course.folder,
            args.path,
            homework=args.homework,
            homeworks=_sources(args),
        )
        if args.due:
            with course.writing():
                for name in sorted({path.stem for path in found.taken} | ({args.homework} - {None})):
                    course.prepare(_sources(args)[name])
                    course.set_due(name, args.due)
    counts = Counter(outcome.state for outcome in found.outcomes)
    print(", ".join(f"{counts[state]} {name}" for state, name in STATES.items() if counts[state]) or "nothing found")
    _print_attention(found.attention)
    rows = [
        (outcome.learner or outcome.file, STATES[outcome.state], ACTIONS[outcome.state])
        for outcome in found.outcomes
        if outcome.state in ACTIONS and not (outcome.state == "other" and not outcome.learner)
    ]
    rows += [(learner, "no submission", "") for learners in found.missing.values() for learner in learners]
    _table(rows)
    return 0


def grade(args: argparse.Namespace) -> int:
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
            print(summary)
            _table(_without(course.folder, prepared.assignment.name))
    return 0


def status(args: argparse.Namespace) -> int:
    from helpers.grading import scheduler

    with _course(args) as course:
        for name in _submitted(course, args):
            print(scheduler.scan(course, course.prepare(_sources(args)[name])))
            _table(_without(course.folder, name))
    return 0


def formgrade(args: argparse.Namespace) -> int:
    with _course(args) as course:
        folder = course.folder
    print("in JupyterLab: menu Nbgrader, Formgrader", file=sys.stderr)
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={args.port}", *["--no-browser"] * args.no_browser, *args.jupyter]
    os.chdir(folder)  # nbgrader reads nbgrader_config.py from the working directory
    os.execv(sys.executable, command)


def feedback(args: argparse.Namespace) -> int:
    from helpers.grading.feedback import feedback

    with _course(args) as course:
        for name in args.homework or _graded(course):
            pages, attention = feedback(course.folder, name, args.only)
            print(f"{name}: {len(pages)} pages in {course.folder / 'feedback'}")
            _print_attention(attention)
    return 0


def export(args: argparse.Namespace) -> int:
    from helpers.grading.lms import roster
    from helpers.grading.lms.export import export

    titles = dict(title.partition("=")[::2] for title in args.title)
    with _course(args) as course:
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
    from helpers.grading.report import report

    with _course(args) as course:
        for name in args.homework or _graded(course):
            print("\n".join(f"wrote {path}" for path in report(course, name)))
    return 0


def similar(args: argparse.Namespace) -> int:
    from helpers.grading.report import similar

    with _course(args) as course:
        for name in args.homework or _graded(course):
            path, pairs = similar(course, name, args.at_least, args.most)
            print(f"wrote {path}: {pairs} pairs")
    return 0


COMMANDS = {
    function.__name__: function
    for function in (release, collect, grade, formgrade, feedback, export, report, similar, status)
}

ACTIONS = {
    "refused": "ask for the notebook again",
    "unclear": "find out whose it is, then collect again",
    "other": "ask for the notebook (.ipynb)",
}


def _without(folder: Path, homework: str) -> list[tuple[str, str, str]]:
    """Rows of the closing table, for learners without a submission that can be graded."""
    from helpers.grading.lms.collect import without_submission

    return [
        (learner, f"refused: {reason}" if reason else "no submission", ACTIONS["refused"] if reason else "")
        for learner, reason in without_submission(folder, homework).items()
    ]


def _table(rows: Sequence[tuple[str, str, str]]) -> None:
    """Print an aligned table of learner, state and action; nothing if there are no rows."""
    if not rows:
        return
    lines = [tuple(map(files.printable, line)) for line in [("learner", "state", "action"), *rows]]
    learner, state = (min(60, max(len(line[column]) for line in lines)) for column in (0, 1))
    for line in lines:
        print(f"  {line[0]:<{learner}}  {line[1]:<{state}}  {line[2]}".rstrip())


def _course(args: argparse.Namespace, create: bool = False):
    """Open the course folder; only ``collect`` and ``grade`` create one."""
    from helpers.grading.course import Course

    os.umask(0o077)  # grades and submissions are readable by their owner only
    return Course(args.course, create)


def _sources(args: argparse.Namespace) -> dict[str, Path]:
    found = {path.stem: path for path in sorted(args.source.glob("*/*.ipynb")) if path.stem == path.parent.name}
    if not found:
        raise ValueError(
            f"there is no homework in {args.source}; name the folder of the authors' notebooks with --source"
        )
    return found


def _submitted(course, args: argparse.Namespace) -> list[str]:
    known = _sources(args)
    if unknown := [name for name in args.homework if name not in known]:
        raise ValueError(f"no homework is called {unknown[0]!r}; there are {', '.join(known)}")
    names = args.homework or [name for name in known if course.learners(name)]
    if not names:
        raise ValueError(f"there are no submissions in {course.folder / 'submitted'}; run collect first")
    return names


def _graded(course) -> list[str]:
    return sorted({path.stem for path in (course.folder / "autograded").glob("*/*/*.ipynb")})


def _print_attention(lines: Sequence[str]) -> None:
    for line in ["needs attention:"] * bool(lines) + [f"  {line}" for line in lines]:
        print(files.printable(line))


if __name__ == "__main__":
    sys.exit(main())

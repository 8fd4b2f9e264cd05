"""The instructor's commands: from an archive of an LMS to grades and feedback pages."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from helpers.grading.__main__ import _table, main
from helpers.grading.course import REPOSITORY, Course
from helpers.grading.removal import forget
from tests.grading.test_course import by_hand, penalise, result
from tests.tools.homework import SMALL as NAME
from tests.tools.homework import answered_small, hand_in, require_bubblewrap

MOODLE = "assignsubmission_file"


def typed(*arguments: str, course: Path, code: int = 0) -> str:
    """Run a command as ``python -m helpers.grading`` does; return what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert main([arguments[0], f"--course={course}", *arguments[1:]]) == code, out.getvalue() + err.getvalue()
    return out.getvalue() if code == 0 else err.getvalue()


@dataclass(frozen=True)
class Term:
    """A homework from the archive of the LMS to the exported grades.

    Attributes:
        course: the folder as it is in the end.
        printed: by each command, by its name.
        pages: the HTML of the pages for Moodle, by the number of the participant.
        grades: the rows of the exported table by learner.
    """

    course: Path
    printed: dict[str, str]
    pages: dict[str, str]
    grades: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def term(tmp_path_factory: pytest.TempPathFactory, source: Path, release: NotebookNode) -> Term:
    """ada is right and bo and sean are half right, bo late and then forgiven; zoe sent no notebook,
    eve nothing, and the notebook of max is damaged."""
    require_bubblewrap()
    folder = tmp_path_factory.mktemp("term")
    course, authors, roster = folder / "course", f"--source={source.parent.parent}", folder / "roster.csv"
    roster.write_text(
        "id;name;section\nada;Ada Lovelace;A\nbo;Bo Diddley;A\nsean;Sean O'Brien;B\nzoe;Zoë Non;B\n"
        "eve;Eve;=1+1;\nmax;Max Frei;A\n"
    )
    half = {"double": "def double(x):\n    return x"}
    with zipfile.ZipFile(folder / "moodle.zip", "w") as archive:
        for learner, answers in (("Ada Lovelace_1", {}), ("Bo Diddley_2", half), ("Sean OBrien_3", half)):
            content = nbformat.writes(answered_small(release, **answers))
            archive.writestr(f"{learner}_{MOODLE}/{NAME}.ipynb", content)
        archive.writestr(f"Max Frei_5_{MOODLE}/{NAME}.ipynb", content[:-40])
        archive.writestr(f"Zoë Non_4_{MOODLE}/answers.pdf", b"%PDF")

    due = ["--homework", NAME, "--roster", str(roster), "--due", "2026-03-01T12:00+00:00"]
    printed = {"collect": typed("collect", str(folder / "moodle.zip"), *due, authors, course=course)}
    (course / "submitted" / "bo" / NAME / "timestamp.txt").write_text("2026-03-01 14:00:00 UTC\n")
    settings = course / "nbgrader_config.py"
    settings.write_text(settings.read_text() + '\nc.LateSubmissionPlugin.penalty_method = "zero"\n')
    for command in (
        ["grade", "--workers", "1"],
        ["extend", "bo", NAME, "--until", "2026-03-01T15:00+00:00"],
        ["adjust", NAME, "1", "--points", "6", "--reason", "unclear"],
        ["status"],
    ):
        printed[command[0]] = typed(*command, authors, course=course)
    printed["feedback"] = typed("feedback", "--format", "moodle", course=course)
    with zipfile.ZipFile(course / "exports" / f"feedback-moodle-{NAME}.zip") as archive:
        pages = {name.split("_")[1]: archive.read(name).decode() for name in archive.namelist()}
    typed("export", "--missing", "0", course=course)
    with (course / "exports" / "grades.csv").open(newline="", encoding="utf-8-sig") as lines:
        grades = {row["id"]: row for row in csv.DictReader(lines)}
    return Term(course, printed, pages, grades)


def test_collect_says_who_is_missing_and_when_it_is_due(term: Term) -> None:
    printed = term.printed["collect"]
    assert "4 imported, 1 not a notebook" in printed
    assert f"{NAME}: due 2026-03-01 12:00 UTC for all learners without" in printed
    assert re.search(r"zoe +not a notebook +ask for the notebook", printed)
    assert re.search(r"eve +no submission", printed)


def test_grade_says_who_is_late_or_refused(term: Term) -> None:
    printed = term.printed["grade"]
    assert "3 graded" in printed and re.search(r"bo +late by 2 hours, loses 5 points", printed)
    assert re.search(r"zoe +rejected: not a notebook: a PDF", printed)
    assert re.search(r"max +rejected +ask for the notebook again", printed)


def test_an_extension_and_an_adjusted_question_are_in_the_status(term: Term) -> None:
    assert term.printed["extend"] == f"bo, {NAME}: due 2026-03-01 15:00 UTC (individual date)\n"
    assert term.printed["adjust"] == f"{NAME}, Question 1: at least 6 points for everybody; 2 of 3 scores changed\n"
    printed = term.printed["status"]
    assert "late" not in printed and "bo: 2026-03-01 15:00 UTC" in printed and "unclear" in printed


def test_each_learners_page_goes_to_moodle_under_the_number_of_the_participant(term: Term) -> None:
    printed = term.printed["feedback"]
    assert f"{NAME}: 3 pages in" in printed
    assert f"wrote {term.course}/exports/feedback-moodle-{NAME}.zip" in printed
    learners = {number: re.findall(r"Learner: (\w+)", page)[0] for number, page in term.pages.items()}
    assert learners == {"1": "ada", "2": "bo", "3": "sean"}
    assert "Score: 6 of 11 points</strong> so far" in term.pages["2"] and "unclear" in term.pages["2"]


def test_the_table_has_every_learners_grade(term: Term) -> None:
    grades = {learner: (row["score"], row["state"].partition(":")[0]) for learner, row in term.grades.items()}
    assert grades == {
        "ada": ("8", "graded"), "bo": ("6", "graded"), "sean": ("6", "graded"), "zoe": ("", "refused"),
        "eve": ("0", "missing"), "max": ("", "ungraded"),
    }  # fmt: skip
    ada, bo = term.grades["ada"], term.grades["bo"]
    assert (bo["handed in"], bo["late"]) == ("2026-03-01 14:00 UTC", "on time")
    assert ada["handed in"] == "" and "unclear" in ada["adjusted"]


@pytest.mark.parametrize("format", ["canvas", "moodle"])
def test_grades_are_written_for_an_lms(term: Term, format: str) -> None:
    assert "wrote" in typed("export", "--format", format, "--unfinished", course=term.course)


def test_a_learner_is_removed_from_all_files(term: Term, tmp_path: Path) -> None:
    course = shutil.copytree(term.course, tmp_path / "course")
    printed = typed("roster", "remove", "bo", course=course)
    assert printed.startswith("bo: removed from submitted/bo, autograded/bo, feedback/bo, collected.json, roster.csv, ")
    assert b"Bo Diddley" not in everything(course)


def test_many_learners_of_one_state_are_listed_in_one_paragraph(capsys: pytest.CaptureFixture[str]) -> None:
    refused = [("ada", "refused", "ask for the notebook again")]
    _table([*refused, *((f"u{number:02}", "no submission", "") for number in range(30))])
    table, paragraph = capsys.readouterr().out.split("  30 no submission: ")
    assert re.search(r"ada +refused +ask for the notebook again", table) and "no submission" not in table
    assert re.findall(r"u\d\d", paragraph) == [f"u{number:02}" for number in range(30)]
    _table([("ada", "no submission", ""), *refused])
    assert re.search(r"ada +no submission\n", capsys.readouterr().out)


def everything(course: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(course.rglob("*")) if path.is_file())


def test_a_removed_learner_leaves_no_trace(course: Course, release: NotebookNode) -> None:
    word = b"a-word-of-adas"
    (course.folder / "roster.csv").write_text("id,name\nada,a-word-of-adas\nbo,Bo\n")
    for learner in ("ada", "bo"):
        hand_in(course.folder, learner, answered_small(release, why=f"a-word-of-{learner}s"))
        course.store(course.submission(NAME, learner), result())
    by_hand(course, "why", 1, "a-word-of-adas")
    course.extend(NAME, "ada", None)
    (course.folder / "exports").mkdir()
    (course.folder / "exports" / "grades.csv").write_text("a-word-of-adas")
    assert word in everything(course.folder)
    others = {path: path.read_bytes() for path in course.folder.rglob("bo/**/*.ipynb")}
    assert "gradebook.db" in forget(course, "ADA")  # ids of the roster are found in any case
    assert word not in everything(course.folder)
    assert course.results(NAME).keys() == {"bo"} == set(course.learners(NAME))
    assert (course.folder / "roster.csv").read_text() == "id,name\nbo,Bo\n"
    assert others == {path: path.read_bytes() for path in others}
    for wrong in ("ada", "nobody", "..", "", "a/b"):
        with pytest.raises(ValueError, match="contains no data of|is not a valid id"):
            forget(course, wrong)
    assert (course.folder / "source").is_dir() and course.results(NAME).keys() == {"bo"}


@pytest.fixture
def another(tmp_path: Path, entered: Path, source: Path) -> Callable[[str], Course]:
    """Make further courses with the small homework."""

    def make(name: str) -> Course:
        other = Course(tmp_path / name)
        other.prepare(source)
        return other

    return make


def graded(course: Course, release: NotebookNode, *learners: str, why: str = "so") -> None:
    for learner in learners:
        hand_in(course.folder, learner, answered_small(release, why=why))
        course.store(course.submission(NAME, learner), result())


def test_graders_with_other_learners_are_merged(course: Course, release: NotebookNode, another) -> None:
    with another("other") as other:
        graded(course, release, "ada")
        graded(other, release, "bo")
        by_hand(course, "why", 1, "good")
        by_hand(other, "why", 2, "better", learner="bo")
        expected = other.results(NAME)["bo"]
        assert main(["merge", f"--course={course.folder}", str(other.folder)]) == 0
    results = course.results(NAME)
    assert results.keys() == {"ada", "bo"} and results["bo"].points == expected.points == 10
    with Gradebook(course.db_url) as gradebook:
        assert gradebook.find_comment("why", NAME, NAME, "bo").comment == "better"
    assert course.records(NAME).keys() == {"ada", "bo"} and course.learners(NAME) == ["ada", "bo"]
    assert course.content(NAME, "bo")[2] == course.records(NAME)["bo"].digest  # not graded again


def test_graders_of_other_questions_are_merged_and_overlap_is_refused(
    course: Course, release: NotebookNode, another, capsys: pytest.CaptureFixture
) -> None:
    with another("other") as other:
        for each in (course, other):
            graded(each, release, "ada", "bo")
        by_hand(course, "why", 1, "mine")
        by_hand(other, "hidden_total", 0.5)
        merge = ["merge", f"--course={course.folder}", str(other.folder)]
        assert main(merge) == 0 and main(merge) == 0  # twice is once
        assert course.by_hand(NAME, "ada") == {
            ("why", "points"): 1, ("why", "a comment"): "mine", ("hidden_total", "points"): 0.5,
        }  # fmt: skip
        by_hand(other, "why", 3, "theirs")
        by_hand(other, "why", 3, learner="bo")
        before = course.by_hand(NAME, "bo")
        capsys.readouterr()
        assert main(merge) == 1
        printed = capsys.readouterr().err
        assert f"{NAME}: ada, why: both have points, 1.0 and 3.0" in printed
        assert "both have a comment, 'mine' and 'theirs'" in printed and "bo" not in printed.replace("both", "")
        assert course.by_hand(NAME, "bo") == before  # nothing was merged
        hand_in(other.folder, "bo", answered_small(release, why="another"))
        assert main(merge) == 1 and f"{NAME}: the notebooks of bo differ" in capsys.readouterr().err


def test_a_locked_gradebook_is_reported(course: Course, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.setattr(Course, "database_timeout", 0.1)
    course.close()
    with sqlite3.connect(course.folder / "gradebook.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        source = course.folder / "source"
        command = ["adjust", f"--course={course.folder}", f"--source={source}", NAME, "1", "--drop", "--reason=x"]
        assert main(command) == 1
        assert "gradebook cannot be used (database is locked): another program" in capsys.readouterr().err
        other.rollback()
    assert main(command) == 0


def test_a_damaged_gradebook_is_reported(course: Course, capsys: pytest.CaptureFixture) -> None:
    course.close()
    (course.folder / "gradebook.db").write_bytes(b"no database" * 1000)
    assert main(["status", f"--course={course.folder}", f"--source={course.folder / 'source'}", NAME]) == 1
    assert "gradebook cannot be used" in capsys.readouterr().err


def test_a_full_disk_is_reported(course: Course, release: NotebookNode) -> None:
    """A limit on the size of files simulates a full disk."""
    folder = course.folder.parent
    (folder / f"ada_{NAME}.ipynb").write_text(nbformat.writes(answered_small(release)) + " " * 400_000)
    command = (
        f"trap '' XFSZ; ulimit -f 300; exec {sys.executable} -m helpers.grading collect --course={course.folder} "
        f"--source={course.folder / 'source'} {folder}/ada_{NAME}.ipynb"
    )
    done = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, env=os.environ)
    assert (
        done.returncode == 1 and "the disk is full; free some space" in done.stderr and "Traceback" not in done.stderr
    )
    assert not (course.folder / "submitted" / "ada" / NAME / f"{NAME}.ipynb").exists()


def test_sections_are_collected_with_dates_of_their_own(
    course: Course, release: NotebookNode, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """B is collected with an earlier date: nobody of A becomes late, neither in the archive nor afterwards."""
    penalise(course)
    (tmp_path / "roster.csv").write_text("id,name,section\nada,,A\nal,,A\nbo,,B\nby,,B\n")
    where = [f"--course={course.folder}", f"--source={course.folder / 'source'}"]

    def collected(learner: str, handed_in: str, *arguments: str) -> str:
        folder = tmp_path / f"from_{learner}"
        path = folder / learner / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(answered_small(release)))
        path.with_name("timestamp.txt").write_text(handed_in)
        assert main(["collect", str(folder), *where, *arguments]) == 0
        course.store(course.submission(NAME, learner), result())
        return capsys.readouterr().out

    roster = f"--roster={tmp_path / 'roster.csv'}"
    assert "for section A" in collected("ada", "2026-03-05 10:00 UTC", "--due=2026-03-05T12:00+00:00", roster)
    assert "for section B" in collected("bo", "2026-03-01 13:00 UTC", "--due=2026-03-01T12:00+00:00")
    collected("al", "2026-03-05 11:00 UTC")
    collected("by", "2026-03-01 11:00 UTC")
    penalties = {learner: found.penalty for learner, found in course.results(NAME).items()}
    assert penalties == {"ada": 0, "al": 0, "bo": 8, "by": 0}
    assert main(["extend", "bo", NAME, "--until=2026-03-01T14:00+00:00", *where]) == 0
    assert course.results(NAME)["bo"].penalty == 0
    assert main(["extend", "bo", NAME, "--cancel", *where]) == 0
    assert capsys.readouterr().out.endswith("due 2026-03-01 12:00 UTC (date of the section)\n")
    assert course.results(NAME)["bo"].penalty == 8


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["extend", "nobody", NAME, "--cancel"], "no learner in .* has the id 'nobody'"),
        (["extend", "..", NAME, "--cancel"], "no learner in .* has the id '..'"),
        (["adjust", "hw9", "1", "--drop", "--reason=x"], f"no homework is called 'hw9'; there are {NAME}"),
        (["adjust", NAME, "9", "--drop", "--reason=x"], "no question is called '9'; there are Question 1"),
        (
            ["adjust", NAME, "1", "--points=12", "--reason=x"],
            "--points must be between 0 and 11, the points of Question 1",
        ),
        (
            ["adjust", NAME, "1", "--points=nan", "--reason=x"],
            "--points must be between 0 and 11, the points of Question 1",
        ),
        (["adjust", NAME, "1", "--points=9"], "--reason is required"),
        (["collect", "--section=C", "."], "--section requires --due"),
        (["collect", "--due=2026-03-01T12:00", "--section=C", "."], "no section is called 'C'; there are none"),
    ],
)
def test_invalid_arguments_are_reported(
    course: Course, capsys: pytest.CaptureFixture, command: list[str], why: str
) -> None:
    command = [*command, f"--course={course.folder}", f"--source={course.folder / 'source'}"]
    command = [str(course.folder / "feedback") if part == "." else part for part in command]
    assert main(command) == 1
    assert re.search(why, capsys.readouterr().err)

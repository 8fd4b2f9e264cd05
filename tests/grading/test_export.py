"""The tables, read as Canvas and Moodle read them, contain the right grades and no formulas."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from helpers.grading.course import Course
from helpers.grading.lms.export import export, read
from helpers.grading.lms.roster import Learner, Roster
from helpers.grading.results import Adjustment
from tests.tools.homework import SAMPLE as NAME

ROSTER = Roster(
    [
        Learner("ada", "Ada Lovelace", canvas_id="12345", email="ada@example.org", section="A"),
        Learner("bo", "Diddley, Bo", email="bo@example.org"),
        Learner("eve", '=HYPERLINK("https://tracker.example")', canvas_id="99", section="@SUM(1)"),
    ]
)
SECOND = "hw1_second"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, graded_sample: Path) -> Path:
    """ada: 4 of 6 and 1.5 by hand; bo: 1, half a point late, something waits; eve: nothing; zoe: on no roster."""
    folder = shutil.copytree(graded_sample, tmp_path_factory.mktemp("export") / "course")
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        for learner, points in (("ada", 1.5), ("zoe", 0.0)):
            grade = gradebook.find_grade("why", NAME, NAME, learner)
            grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.find_comment("why", NAME, NAME, "ada").manual_comment = "=1+1 <b>good</b>"
        gradebook.find_submission_notebook(NAME, NAME, "bo").late_submission_penalty = 0.5
        gradebook.add_assignment(SECOND)
        gradebook.db.commit()
    record = {NAME: {"bo": {"lms": "moodle", "student_id": "501"}, "zoe": {"lms": "canvas", "student_id": "777"}}}
    (folder / "collected.json").write_text(json.dumps(record))
    return folder


def table(course: Path, *arguments: Any, **more: Any) -> tuple[list[list[str]], list[str]]:
    """The rows of the file that an export writes, and its lines for the instructor."""
    options: dict[str, Any] = {"roster": ROSTER, "homeworks": [NAME], **more}
    [path], attention = export(course, *arguments, **options)
    with path.open(newline="", encoding="utf-8-sig") as lines:
        return list(csv.reader(lines)), attention


def columns(rows: list[list[str]], *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[rows[0].index(name)] for name in names) for row in rows[1:]]


def scores(rows: list[list[str]]) -> dict[str, str]:
    return {learner: score for learner, score in columns(rows, "id", "score")}


def test_the_spreadsheet_has_points_penalties_and_comments(course: Path) -> None:
    rows, attention = table(course)
    assert columns(rows, "id", "points", "late penalty", "score", "out of", "waits for a grade by hand") == [
        ("ada", "5.5", "0", "5.5", "6", ""),
        ("bo", "1", "0.5", "0.5", "6", "yes"),
        ("eve", "", "", "", "6", ""),
        ("zoe", "0", "0", "0", "6", ""),
    ]
    assert columns(rows, "comments")[0] == ("why: =1+1 <b>good</b>",)
    assert attention == [
        "1 submissions have ungraded written answers; their points so far are exported",
        f"{NAME}: 1 without a submission: eve",
        "not on the roster, and therefore without a name: zoe",
    ]
    assert (course / "exports/grades.csv").read_bytes().startswith(b"\xef\xbb\xbf")  # spreadsheets guess else


def test_all_homeworks_are_exported_with_a_grade_for_missing_submissions(course: Path) -> None:
    rows, _ = table(course, homeworks=None, missing=0.0)
    assert {tuple(pair) for pair in columns(rows, "homework", "id")} == {
        (name, who) for name in (NAME, SECOND) for who in ("ada", "bo", "eve", "zoe")
    }
    assert scores(rows)["eve"] == "0"


def test_cells_are_never_formulas(course: Path) -> None:
    for format in ("csv", "canvas", "moodle"):
        rows, _ = table(course, format)
        cells = [cell for row in rows for cell in row]
        assert any("'=HYPERLINK" in cell for cell in cells)
        assert [cell for cell in cells if cell.strip() and cell.strip()[0] in "=+@" or re.match(r"\s*-.", cell)] == []


@pytest.mark.parametrize("name", ["=1", "+1", "-1", "@a", "  =1", "＝1", "\tx"])
def test_every_start_of_a_formula_is_escaped(course: Path, name: str) -> None:
    rows, _ = table(course, roster=Roster([Learner("ada", name)]))
    assert columns(rows, "name")[0] == (f"'{name}",)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_formulas_are_escaped_for_other_separators(course: Path, separator: str) -> None:
    table(course, roster=Roster([Learner("ada", f"Eve{separator}=1+1"), Learner("bo", f"Bo{separator} @x")]))
    with (course / "exports/grades.csv").open(newline="", encoding="utf-8-sig") as lines:
        cells = [cell for row in csv.reader(lines, delimiter=separator) for cell in row]
    assert [cell for cell in cells if cell.strip()[:1] in ("=", "+", "@")] == []


def test_the_grade_for_missing_submissions_applies_to_these_only(course: Path) -> None:
    """Not to refused and ungraded submissions."""
    record = json.loads((course / "collected.json").read_text())
    refused = {**record, NAME: {**record[NAME], "eve": {"refused": "not JSON"}}}
    waiting = course / "submitted/fay" / NAME / f"{NAME}.ipynb"
    waiting.parent.mkdir(parents=True)
    waiting.touch()
    roster = Roster([*ROSTER, Learner("fay"), Learner("gil")])
    try:
        (course / "collected.json").write_text(json.dumps(refused))
        rows, attention = table(course, roster=roster, missing=0.0)
    finally:
        (course / "collected.json").write_text(json.dumps(record))
        shutil.rmtree(course / "submitted")
    found = {learner: (score, state) for learner, score, state in columns(rows, "id", "score", "state")}
    assert found["eve"] == ("", "refused: not JSON")
    assert found["fay"] == ("", "ungraded") and found["gil"] == ("0", "missing")
    assert f"{NAME}: submission rejected, the grade is empty: eve" in attention
    assert f"{NAME}: submitted but not graded: fay" in attention and f"{NAME}: 1 without a submission: gil" in attention


def canvas_reads(rows: list[list[str]]) -> tuple[dict[str, float], dict[str, dict[str, str]]]:
    """As Canvas' gradebook_importer.rb does: titles with their points, and for each person's number the grades."""
    header, *rest = rows
    assert len(header) > 3 and "Student" in header[0] and "ID" in header[1]
    people = 3
    if re.search(r"SIS\s+Login\s+ID", header[2]):
        people += 1
    elif re.search(r"SIS\s+User\s+ID", header[2]) and re.search(r"SIS\s+Login\s+ID", header[3]):
        people += 2
    assert "Section" in header[people - 1]
    titles = header[people:]
    points, grades = {}, {}
    for row in rest:
        assert len(row) == len(header)
        if "Points Possible" in row[0]:
            points = dict(zip(titles, map(float, row[people:]), strict=True))
        else:
            grades[row[1] or row[2]] = dict(zip(titles, row[people:], strict=True))
    return points, grades


def test_canvas(course: Path) -> None:
    rows, attention = table(course, "canvas", titles={NAME: "Homework 0 (4711)"})
    points, grades = canvas_reads(rows)
    assert points == {"Homework 0 (4711)": 6.0}
    assert {who: each["Homework 0 (4711)"] for who, each in grades.items()} == {
        "12345": "5.5", "bo": "", "99": "", "777": "0",
    }  # fmt: skip
    assert rows[1][0] == "    Points Possible" and rows[2][:5] == [
        "Lovelace, Ada", "12345", "ada", "ada@example.org", "A",
    ]  # fmt: skip
    assert "1 submissions have ungraded written answers; their grade is left empty" in attention
    assert "without a Canvas ID, so that Canvas matches them by id and name; check before you import: bo" in attention
    unfinished = canvas_reads(table(course, "canvas", unfinished=True)[0])[1]
    assert unfinished["bo"][NAME] == "0.5"


def test_canvas_with_several_homeworks(course: Path) -> None:
    points, grades = canvas_reads(table(course, "canvas", homeworks=None)[0])
    assert points == {NAME: 6.0, SECOND: 0.0}
    assert grades["12345"] == {NAME: "5.5", SECOND: ""} and len(grades) == 4


def test_a_title_that_canvas_would_ignore_is_refused(course: Path) -> None:
    with pytest.raises(ValueError, match="'My Final Score' contains the name of one of Canvas' own columns"):
        export(course, "canvas", titles={NAME: "My Final Score"})


def test_moodle(course: Path) -> None:
    """Moodle's worksheet needs three columns by their names; it cuts ``Participant `` off the first."""
    rows, attention = table(course, "moodle", unfinished=True)
    needed = ("Identifier", "Grade", "Last modified (grade)", "Feedback comments")
    read_back = {row[0].removeprefix("Participant "): row[1:] for row in columns(rows, *needed) if row[0]}
    assert read_back == {"501": ("0.5", "-", "")}
    assert columns(rows, "ID number", "Email address", "Grade", "Maximum Grade") == [
        ("ada", "ada@example.org", "5.5", "6"), ("bo", "bo@example.org", "0.5", "6"), ("eve", "", "", "6"),
        ("zoe", "", "0", "6"),
    ]  # fmt: skip
    assert columns(rows, "Feedback comments")[0] == ("why: =1+1 &lt;b&gt;good&lt;/b&gt;",)
    message = f"{NAME}: 2 graded learners were not collected from Moodle"
    assert f"{message}; import by ID number or email address, not as a grading worksheet" in attention
    paths, _ = export(course, "moodle", roster=ROSTER)
    assert [path.name for path in paths] == [f"moodle-{NAME}.csv", f"moodle-{SECOND}.csv"]


def test_a_penalty_never_makes_a_grade_negative(course: Path) -> None:
    row = next(row for row in read(course, [NAME], ROSTER) if row.learner.id == "bo")
    assert row.score == 0.5
    assert type(row)(**(row.__dict__ | {"penalty": 2.0})).score == 0.0


def test_ungraded_submissions_are_reported(course: Path) -> None:
    for learner in ("ada", "eve", "stranger"):
        path = course / "submitted" / learner / NAME / f"{NAME}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    try:
        assert f"{NAME}: submitted but not graded: eve, stranger" in table(course)[1]
    finally:
        shutil.rmtree(course / "submitted")


def test_invalid_arguments_raise(course: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="grade a homework first"):
        export(tmp_path)
    with pytest.raises(ValueError, match=f"'hw9' is not in the gradebook; there are {NAME}, {SECOND}"):
        export(course, homeworks=["hw9"])
    with pytest.raises(ValueError, match="there is no format 'xlsx'; choose from csv, canvas, moodle"):
        export(course, "xlsx")  # type: ignore[arg-type]


def test_dates_and_adjusted_questions_are_exported(course: Path, tmp_path: Path) -> None:
    """A dropped question lowers the maximum, which has to be set in the LMS; a full one raises the points."""
    shutil.copytree(course, tmp_path / "course")
    with Course(tmp_path / "course", create=False) as opened:
        first, _, third = opened.questions(NAME)
        opened.adjust(NAME, first.name, Adjustment(first.name, "full", "unclear"))
        opened.adjust(NAME, third.name, Adjustment(third.name, "drop", "not taught"))
        opened.set_due(NAME, datetime(2026, 3, 1, 12, tzinfo=UTC))
    rows, attention = table(tmp_path / "course")
    assert scores(rows) == {"ada": "4", "bo": "4", "eve": "", "zoe": "3"}
    assert {most for [most] in columns(rows, "out of")} == {"4"}
    assert columns(rows, "due", "handed in", "late")[0] == ("2026-03-01 12:00 UTC", "", "")
    told = f"{first.name}: full points for everybody (unclear)\n{third.name}: does not count (not taught)"
    assert columns(rows, "adjusted")[0] == (told,) and "dropped" not in str(attention)
    rows, attention = table(tmp_path / "course", "canvas")
    assert canvas_reads(rows)[0] == {NAME: 4.0}
    assert f"{NAME}: a question was dropped; set the maximum in Canvas to 4" in attention

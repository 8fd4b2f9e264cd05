"""Due dates, lateness and adjusted results, computed from plain values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.grading import dates
from helpers.grading.assignment import RELEASE, SOURCE, Question, questions
from helpers.grading.dates import DueDates, Lateness
from helpers.grading.results import Adjustment, CellGrade, dated, find_question, maximum, result

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("text", ["2026-03-01T13:00+01:00", " 2026-03-01 12:00Z ", "2026-03-01T07:00:00-05:00"])
def test_a_date_with_a_zone(text: str) -> None:
    assert dates.parse(text) == NOON and dates.show(dates.parse(text)) == "2026-03-01 12:00 UTC"


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-02-30T10:00", "9" * 400])
def test_invalid_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date; write it as 2026-03-01T23:59"):
        dates.parse(text)


@given(st.booleans(), st.booleans(), st.booleans())
def test_the_most_specific_due_date_counts(course: bool, section: bool, learner: bool) -> None:
    known = DueDates(
        NOON if course else None, {"A": NOON + HOUR} if section else {}, {"ada": NOON + 2 * HOUR} if learner else {}
    )
    of_section = (NOON + HOUR, "section") if section else (NOON, "course") if course else (None, "")
    assert known.of("ada", "A") == ((NOON + 2 * HOUR, "learner") if learner else of_section)
    assert known.of("bo", "A") == of_section
    assert known.of("bo", "") == known.of("bo", "B") == ((NOON, "course") if course else (None, ""))


@given(st.integers(-(10**7), 10**7))
def test_lateness_is_the_time_after_the_date(seconds: int) -> None:
    late = Lateness(NOON, "course", NOON + timedelta(seconds=seconds))
    assert late.seconds == max(0, seconds) and late.is_late == (seconds > 0)
    assert str(late).startswith("late by ") == (seconds > 0) and (str(late) == "on time") == (seconds <= 0)


@pytest.mark.parametrize(
    ("late", "shown"),
    [
        (Lateness(), ""),
        (Lateness(NOON), ""),
        (Lateness(marked=True), "late"),
        (Lateness(NOON, "course", marked=True), "late"),
        (Lateness(NOON, "learner", marked=True), "on time"),
        (Lateness(NOON, "course", NOON, marked=True), "on time"),  # the time that somebody wrote counts
        (Lateness(NOON, "course", NOON + 3 * HOUR), "late by 3 hours"),
        (Lateness(NOON, "course", NOON + timedelta(days=2)), "late by 2 days"),
        (Lateness(NOON, "course", NOON + timedelta(minutes=1)), "late by 1 minute"),
    ],
)
def test_lateness_in_words(late: Lateness, shown: str) -> None:
    assert str(late) == shown and late.is_late == shown.startswith("late")


TWO = (
    Question("1", "lookup", ("lookup", "test_lookup", "hidden_lookup"), {"test_lookup": 1.0, "hidden_lookup": 2.0}),
    Question("2", "why", ("why",), {"why": 4.0}),
)
GRADES = {
    "test_lookup": CellGrade(1, 1, 1),
    "hidden_lookup": CellGrade(0, 2, 0),
    "why": CellGrade(0, 4, waiting=True),
}


@pytest.mark.parametrize(
    ("adjustments", "points", "most", "waiting"),
    [
        ((), 1, 7, True),
        ((Adjustment(TWO[0].name, "drop", "x"),), 0, 4, True),
        ((Adjustment(TWO[0].name, "full", "x"),), 3, 7, True),
        ((Adjustment(TWO[0].name, "points", "x", 0.5),), 1, 7, True),
        ((Adjustment(TWO[0].name, "points", "x", 2.5),), 2.5, 7, True),
        ((Adjustment(TWO[1].name, "drop", "x"),), 1, 3, False),
        ((Adjustment(TWO[1].name, "full", "x"), Adjustment(TWO[0].name, "drop", "x")), 4, 4, False),
        ((Adjustment("another", "full", "x"),), 1, 7, True),
    ],
)
def test_adjusted_points(adjustments: tuple[Adjustment, ...], points: float, most: float, waiting: bool) -> None:
    found = result(TWO, GRADES, adjustments)
    assert (found.points, found.max_points, found.waiting) == (points, most, waiting)
    assert maximum(TWO, adjustments) == most
    assert dated(found, 2.0, Lateness()).score == max(0.0, points - 2.0)


def test_a_graded_cell_of_no_question_counts() -> None:
    assert result((), GRADES).points == 1 and result((), GRADES).max_points == 7 and maximum(()) is None


@pytest.mark.parametrize(("text", "index"), [("1", 0), ("Lookup", 0), (" question 2 – why ", 1), ("hidden_lookup", 0)])
def test_a_question_is_found_by_number_title_or_cell(text: str, index: int) -> None:
    assert find_question(TWO, text) is TWO[index]


def test_an_unknown_question_is_reported() -> None:
    with pytest.raises(ValueError, match="no question is called '3'; there are Question 1 – lookup, Question 2 – why"):
        find_question(TWO, "3")


def test_every_graded_cell_of_the_homeworks_belongs_to_one_numbered_question() -> None:
    for path in sorted(SOURCE.glob("*/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        found = questions(notebook)
        marks = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
        points = {mark.grade_id: mark.points for mark in marks if mark.grade}
        assert {cell: value for question in found for cell, value in question.points.items()} == points
        assert [question.number for question in found] == [str(number + 1) for number in range(len(found))]
        assert questions(nbformat.read(RELEASE / path.parent.name / path.name, as_version=4)) == found

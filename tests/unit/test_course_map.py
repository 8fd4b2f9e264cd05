"""The tables of lessons in the README and in lesson 00 agree with the lessons."""

import nbformat
import pytest

from tests.tools import course_map
from tests.tools.refresh import lessons

README = course_map.README.read_text(encoding="utf-8")


def test_readme_and_lesson_00_agree_with_the_lessons() -> None:
    table = course_map.rows(README, lessons())
    assert [row.title[:2] for row in table] == [f"{number:02}" for number in range(len(lessons()))]
    assert course_map.with_readme_table(README, table) == README, "run python -m tests.tools.course_map"
    cells = nbformat.read(course_map.START, as_version=4).cells
    found = [cell.source for cell in cells if cell.source.startswith(course_map.HEADING)]
    assert found == [course_map.start_table(table)], "run python -m tests.tools.course_map"


def test_a_changed_time_changes_the_table() -> None:
    table = course_map.rows(README, lessons())
    other = course_map.Row(table[0].file, table[0].title, table[0].learn, 99, 5)
    changed = course_map.with_readme_table(README, [other, *table[1:]])
    assert "| 99 min (+ 5) |" in changed
    assert len(changed.splitlines()) == len(README.splitlines())
    assert course_map.rows(changed, lessons()) == table


def test_a_lesson_without_a_row_is_named(tmp_path) -> None:
    path = tmp_path / "12_new.ipynb"
    with pytest.raises(ValueError, match=r"no row for 12_new\.ipynb"):
        course_map.rows(README, [path])

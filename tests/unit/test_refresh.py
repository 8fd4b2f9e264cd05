"""Refresh stores notebooks in a normal form, and refuses untagged errors and warnings."""

import copy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.figures.views import WIDGET_VIEW
from tests.tools.refresh import Refused, keep_stills, main, normalise, refresh, refuse

pytestmark = pytest.mark.slow

FIGURE = """from helpers import Slider, bars, live
@live("Bars", n=Slider(0, 3, 2))
def figure(n):
    return [bars([1, n + 1], title="Two bars")], f"The second bar is {n + 1} high."
"""


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    path = tmp_path / "lesson.ipynb"
    cells = [new_markdown_cell("# Title"), new_code_cell("print('a')\nprint('b')"), new_code_cell(FIGURE)]
    cells += [new_code_cell("recall = print\nrecall"), new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})]
    nbformat.write(new_notebook(cells=cells, metadata={"widgets": {"state": 1}, "author": "me"}), path)
    return path


def test_refresh_is_idempotent(lesson: Path) -> None:
    assert refresh(lesson)
    first = lesson.read_text()
    assert not refresh(lesson)
    assert lesson.read_text() == first


def test_stored_notebooks_have_the_normal_form(lesson: Path) -> None:
    refresh(lesson)
    text = lesson.read_text()
    for word in (
        "iopub",
        WIDGET_VIEW,
        "model_id",
        '"widgets"',
        '"author"',
        "site-packages",
        "Traceback",
        str(lesson.parent),
    ):
        assert word not in text
    notebook = nbformat.reads(text, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert [output.text for output in code[0].outputs] == ["a\nb\n"]
    assert len(code[1].outputs) == 1 and "The second bar is 3 high." in code[1].outputs[0].data["text/plain"]
    assert code[3].outputs[0].evalue == "division by zero"
    assert normalise(copy.deepcopy(notebook)) == notebook


def test_an_untagged_error_is_refused_and_the_file_stays(lesson: Path) -> None:
    before = lesson.read_text().replace("raises-exception", "exercise")
    lesson.write_text(before)
    with pytest.raises(Refused, match="ZeroDivisionError.*tag it raises-exception"):
        refresh(lesson)
    assert lesson.read_text() == before and list(lesson.parent.iterdir()) == [lesson]


def test_stderr_and_a_tag_without_its_error_are_refused() -> None:
    warns = new_code_cell("1", outputs=[new_output("stream", name="stderr", text="Warning: old\n")])
    stale = new_code_cell("1 + 1", metadata={"tags": ["raises-exception"]})
    for cell, message in ((warns, "wrote to stderr: 'Warning: old'"), (stale, "raises nothing")):
        with pytest.raises(Refused, match=message):
            refuse(new_notebook(cells=[cell]), "name")


def test_a_changed_picture_is_stored_and_an_equal_one_keeps_its_bytes(lesson: Path) -> None:
    refresh(lesson)
    old = nbformat.read(lesson, as_version=4)
    same = copy.deepcopy(old)
    keep_stills(same, old)
    assert same == old
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells[2].source = FIGURE.replace("[1, n + 1]", "[9, n + 1]")
    nbformat.write(notebook, lesson)
    refresh(lesson)
    assert nbformat.read(lesson, as_version=4).cells[2].outputs != old.cells[2].outputs


def test_an_unknown_lesson_is_reported(capsys) -> None:
    assert main(["99_nothing"]) == 1
    assert "no notebook is called 99_nothing" in capsys.readouterr().out

"""The zips of feedback pages reach the right learners: read as the importers do, and by the course's own collector."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from helpers.grading.lms.collect import collect
from helpers.grading.lms.returns import feedback_zip
from helpers.grading.lms.roster import Learner, Roster

HW = "hw1_word_embeddings"
ROSTER = Roster(
    [
        Learner("ada", "Ada Lovelace", canvas_id="12345"),
        Learner("anon", "Anna Non", canvas_id="77"),
        Learner("late", "LATE Nguyen 3", canvas_id="88"),
        Learner("7", "7 of Nine", canvas_id="99"),
        Learner("sean", "Sean O'Brien"),
        Learner("mary", "Mary_Ann_5 Smith"),
        Learner("jose", "José .Peña~"),
        Learner("si1", "Sam Iam", moodle_id="501"),
        Learner("si2", "Sam Iam", moodle_id="502"),
        Learner("li", "李小龍"),
        Learner("zoe", "Zoe by Mail"),
    ]
)
# What the LMS hands out: the file's name, and whose it is.
CANVAS = {
    "lovelaceada_12345_100_hw.ipynb": "ada",
    "nonanna_77_101_hw.ipynb": "anon",
    "nguyen3late_LATE_88_102_hw.ipynb": "late",
    "ofnine7_99_103_hw.ipynb": "7",
}
ANONYMOUS = {"anon_x7Kq2_201_hw.ipynb": "canvas-anon_x7Kq2", "LATE_anon_b33Zz_202_hw.ipynb": "canvas-anon_b33Zz"}
MOODLE = {
    f"Sean OBrien_8_assignsubmission_file/{HW}.ipynb": "sean",
    f"Mary Ann 5 Smith_9_assignsubmission_file/{HW}.ipynb": "mary",
    f"José .Peña~_10_assignsubmission_file/{HW}.ipynb": "jose",
    f"Sam Iam_501_assignsubmission_file/{HW}.ipynb": "si1",
    f"Sam Iam_502_assignsubmission_file/{HW}.ipynb": "si2",
    f"李小龍_11_assignsubmission_file/{HW}.ipynb": "li",
}


def zipped(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def collected(course: Path, names: dict[str, str], roster: Roster = ROSTER) -> None:
    """Collect one archive with these files, and a notebook that came by mail."""
    archive = zipped(course.parent / "handed_in.zip", dict.fromkeys(names, b"{}"))
    (course.parent / f"zoe_{HW}.ipynb").write_bytes(b"{}")
    paths = [archive, course.parent / f"zoe_{HW}.ipynb"]
    collect(course, paths, HW, roster, homeworks=[HW])
    found = {path.parts[-3] for path in course.glob("submitted/*/*/*.ipynb")}
    assert found == {*names.values(), "zoe"}


def returned(
    course: Path, format: Literal["moodle", "canvas"], roster: Roster = ROSTER
) -> tuple[Path, dict[str, str], list[str]]:
    """The path of the zip, the learner of each entry, and the lines for the instructor."""
    pages = []
    for learner in sorted(path.parts[-3] for path in course.glob("submitted/*/*/*.ipynb")):
        page = course / "feedback" / learner / HW / f"{HW}.html"
        page.parent.mkdir(parents=True)
        page.write_text(learner)
        pages.append(page)
    path, attention = feedback_zip(course, HW, format, pages, roster)
    assert path is not None
    with zipfile.ZipFile(path) as archive:
        return path, {name: archive.read(name).decode() for name in archive.namelist()}, attention


def moodle_imports(entry: str, participants: set[str]) -> tuple[str, str, str] | None:
    """Participant, plugin and file as Moodle's ``is_valid_filename_for_import`` reads a path, or ``None``."""
    if entry.rsplit("/")[-1].startswith((".", "~")):
        return None
    parts = entry.split("/")
    while parts:
        information = parts.pop(0).split("_", 4)
        if len(information) < 4 or not information[1].isdigit() or information[1] not in participants:
            continue
        rest = information[4:] or [""]
        return information[1], "_".join(information[2:4]), "/".join(rest + parts)
    return None


def canvas_imports(entry: str) -> tuple[str, str] | None:
    """Person and attachment as Canvas' ``infer_comment_context_from_filename`` reads a name, or ``None``."""
    parts = [part for part in entry.rsplit("/")[-1].split("_") if part != "LATE"]
    if parts[0] == "anon":
        return parts[1], parts[2]
    numbers = [part for part in parts if re.fullmatch(r"\d+", part)][:2]
    if len(numbers) < 2 or parts[-1].startswith("link") or entry.startswith("._"):
        return None
    return numbers[0], numbers[1]


def test_moodle_gives_each_page_to_its_learner(tmp_path: Path) -> None:
    collected(tmp_path / "course", MOODLE)
    _, entries, attention = returned(tmp_path / "course", "moodle")
    numbers = {name.split("_")[1]: learner for name, learner in MOODLE.items()}
    read = {moodle_imports(name, {*numbers, "1", "5"}): learner for name, learner in entries.items()}
    assert read == {
        (number, "assignfeedback_file", f"{HW}.html"): learner for number, learner in numbers.items()
    }  # one page each
    assert len(attention) == 1 and "no page for zoe in the zip" in attention[0]


@pytest.mark.parametrize("names", [CANVAS, ANONYMOUS])
def test_canvas_gives_each_page_to_its_learner(tmp_path: Path, names: dict[str, str]) -> None:
    collected(tmp_path / "course", names)
    _, entries, attention = returned(tmp_path / "course", "canvas")
    expected = {canvas_imports(name): learner for name, learner in names.items()}
    assert None not in expected and {canvas_imports(name): learner for name, learner in entries.items()} == expected
    assert len(entries) == len(names) and "no page for zoe in the zip" in attention[0]


@pytest.mark.parametrize(("format", "names"), [("moodle", MOODLE), ("canvas", CANVAS)])
def test_the_collector_reads_the_zip_back(
    tmp_path: Path, format: Literal["moodle", "canvas"], names: dict[str, str]
) -> None:
    """A notebook with the name of a page is assigned to the learner of the page."""
    collected(tmp_path / "course", names)
    _, entries, _ = returned(tmp_path / "course", format)
    back = zipped(
        tmp_path / "back.zip",
        {name.removesuffix(".html") + ".ipynb": learner.encode() for name, learner in entries.items()},
    )
    collect(tmp_path / "again", [back], HW, ROSTER, homeworks=[HW])
    found = {path.parts[-3]: path.read_text() for path in (tmp_path / "again").glob("submitted/*/*/*.ipynb")}
    assert found == {learner: learner for learner in names.values()}


def test_exchanged_numbers_are_detected(tmp_path: Path) -> None:
    """The check above fails when two learners' numbers are exchanged."""
    collected(tmp_path / "course", MOODLE)
    record = tmp_path / "course/collected.json"
    record.write_text(record.read_text().replace('"8"', '"x"').replace('"9"', '"8"').replace('"x"', '"9"'))
    _, entries, _ = returned(tmp_path / "course", "moodle")
    numbers = {name.split("_")[1]: learner for name, learner in MOODLE.items()}
    wrong = [learner for name, learner in entries.items() if numbers[name.split("_")[1]] != learner]
    assert sorted(wrong) == ["mary", "sean"]


def test_no_zip_is_written_without_pages_for_the_lms(tmp_path: Path) -> None:
    collected(tmp_path / "course", MOODLE)
    page = tmp_path / "course/feedback/zoe" / HW / f"{HW}.html"
    path, attention = feedback_zip(tmp_path / "course", HW, "canvas", [page], ROSTER)
    assert path is None and "were not collected from Canvas" in attention[0]
    assert not (tmp_path / "course/exports").exists()
    with pytest.raises(ValueError, match="no format is called 'blackboard'; there are moodle, canvas"):
        feedback_zip(tmp_path / "course", HW, cast(Any, "blackboard"), [page], ROSTER)

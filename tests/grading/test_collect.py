"""Collecting submissions: names of files, damaged and malicious archives, rosters."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from helpers.grading.__main__ import main
from helpers.grading.lms import archives
from helpers.grading.lms import collect as module
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.collect import collect
from helpers.grading.lms.filenames import parse_name, without_copy
from helpers.grading.lms.roster import Learner, Roster, clean_id
from tests.tools.homework import sample_homework, write
from tests.tools.refresh import ROOT

HW = "hw1_word_embeddings"
KNOWN = (HW, "hw2_positional_embeddings")
ROSTER = Roster(
    [
        Learner("ada", "Ada Lovelace", canvas_id="12345", email="ada@example.org"),
        Learner("bo", "Bo Diddley"),
        Learner("si1", "Sam Iam", moodle_id="501"),
        Learner("si2", "Sam Iam", moodle_id="502"),
    ]
)


def zipped(path: Path, files: dict[str, bytes], date: tuple = (2026, 3, 1, 12, 0, 0)) -> Path:
    """A zip with these files, all of one date."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, date), content, zipfile.ZIP_DEFLATED)
    return path


def submitted(course: Path) -> dict[str, bytes]:
    """Learner → content of the submitted notebook, for one homework; fails on any other file in the folder."""
    found = {}
    for path in sorted((course / "submitted").rglob("*")):
        if path.is_file() and path.name != "timestamp.txt":
            learner, homework, name = path.relative_to(course / "submitted").parts
            assert name == f"{homework}.ipynb" and homework in KNOWN
            found[learner] = path.read_bytes()
    return found


def run(course: Path, *paths: Path, **more: Any) -> module.Collected:
    options: dict[str, Any] = {"homework": HW, "roster": ROSTER, "homeworks": KNOWN, **more}
    return collect(course, paths, **options)


CANVAS = {
    "lovelaceada_12345_67890_hw.ipynb": ("12345", "lovelaceada", False, 67890, "hw"),
    "lovelaceada_LATE_12345_67890_hw-2.ipynb": ("12345", "lovelaceada", True, 67890, "hw-2"),
    "de_la_cruzmaría_7_8_my notes_1_2_x.ipynb": ("7", "de_la_cruzmaría", False, 8, "my notes_1_2_x"),
    "osheapat_7_8_hw (1).ipynb": ("7", "osheapat", False, 8, "hw (1)"),
    "anon_x7Kq2_67890_hw.ipynb": ("anon_x7Kq2", "", False, 67890, "hw"),
    "LATE_anon_x7Kq2_67890_hw.ipynb": ("anon_x7Kq2", "", True, 67890, "hw"),
}
MOODLE = {
    "Ada Lovelace_501_assignsubmission_file_/hw.ipynb": ("501", "Ada Lovelace", "hw"),
    "Ada Lovelace_501_assignsubmission_file/hw.ipynb": ("501", "Ada Lovelace", "hw"),
    "Ada Lovelace_501_assignsubmission_file_hw.ipynb": ("501", "Ada Lovelace", "hw"),
    "Group A-Ada Lovelace_501_assignsubmission_file_/sub/folder/hw.ipynb": ("501", "Group A-Ada Lovelace", "hw"),
    "O'Shea Pat_9_assignsubmission_file_/a_1_2_b.ipynb": ("9", "O'Shea Pat", "a_1_2_b"),
    "Bo_1_assignsubmission_file_/Ada Lovelace_501_assignsubmission_file_/hw.ipynb": ("1", "Bo", "hw"),
    "Bo_1_assignsubmission_file_Ada Lovelace_501_assignsubmission_file_hw.ipynb": (
        "1",
        "Bo",
        "Ada Lovelace_501_assignsubmission_file_hw",
    ),
    "Participant_77_assignsubmission_file_/hw.ipynb": ("77", "Participant", "hw"),
}


@pytest.mark.parametrize("name", CANVAS)
def test_canvas_names(name: str) -> None:
    found = parse_name(name, KNOWN)
    number, who, late, version, stem = CANVAS[name]
    assert found and found.lms == "canvas" and found.student_id == number and found.name == who
    assert bool(found.late) == late and found.version == version and found.file_id == stem


@pytest.mark.parametrize("name", MOODLE)
def test_moodle_names(name: str) -> None:
    found = parse_name(name, KNOWN)
    assert found and found.lms == "moodle"
    assert (found.student_id, found.name, found.file_id) == MOODLE[name]


@pytest.mark.parametrize(
    ("name", "learner"),
    [
        (f"ada/{HW}.ipynb", "ada"),
        (f"ada/{HW}/{HW}.ipynb", "ada"),
        (f"mallory/ada/{HW}/{HW}.ipynb", "mallory"),
        (f"mallory/ada_{HW}.ipynb", "mallory"),
        (f"ada_{HW}.ipynb", "ada"),
        (f"ada_b_{HW}-Copy1.ipynb", "ada_b"),
        (f"{HW}.ipynb", None),
        (f"{HW}/{HW}.ipynb", None),
        ("ada/notes.txt", None),
    ],
)
def test_folders(name: str, learner: str | None) -> None:
    found = parse_name(name, KNOWN)
    assert (found and found.student_id) == learner


def canvas_name(sortable: str, late: bool, user: int, file: int, display: str) -> str:
    """As Canvas' ``content_zipper.rb`` makes a file's name."""
    name = re.sub(r"^(\d+)$", r"\1", re.sub(r"_(\d+)_", r"\1", sortable)).lower()
    whole = re.sub(r"[^\w]", "", "_".join([name, *(["LATE"] if late else []), str(user)]))
    return f"{whole}_{file}_" + re.sub(r'[\x00/\\:*?"<>|]+', "_", display)


LETTERS = st.text(st.characters(whitelist_categories=("Lu", "Ll", "Zs"), whitelist_characters="-'.,"), min_size=1)
NUMBERS = st.integers(1, 10**9)


@given(LETTERS, st.booleans(), NUMBERS, NUMBERS, st.integers(0, 99))
def test_any_name_of_canvas_is_read_back(name: str, late: bool, user: int, file: int, copy: int) -> None:
    display = HW + (f"-{copy}" if copy else "") + ".ipynb"
    found = parse_name(canvas_name(name, late, user, file, display), KNOWN)
    assert found and found.lms == "canvas" and found.student_id == str(user) and found.version == file
    assert bool(found.late) == late and without_copy(found.file_id, KNOWN) == (HW, copy)


@given(LETTERS, NUMBERS, st.sampled_from(["_/", "/", "_", "_/sub/"]))
def test_any_name_of_moodle_is_read_back(name: str, number: int, joint: str) -> None:
    found = parse_name(f"{name}_{number}_assignsubmission_file{joint}{HW}.ipynb", KNOWN)
    assert found and found.lms == "moodle" and (found.name, found.student_id) == (name, str(number))
    assert found.file_id == HW


@given(st.text(max_size=120))
def test_ids_are_valid_folder_names(text: str) -> None:
    cleaned = clean_id(text)
    assert "/" not in cleaned and "\\" not in cleaned and " " not in cleaned and not cleaned.startswith((".", "-"))
    assert clean_id(cleaned) == cleaned
    assert cleaned.split(".")[0].casefold() not in rosters.RESERVED


def test_markers_of_copies_are_removed_from_names() -> None:
    assert without_copy("hw-1", ["hw-1"]) == ("hw-1", 0)
    assert without_copy("hw-1-3 (2)-Copy1", ["hw-1"]) == ("hw-1", 3)


def test_canvas(tmp_path: Path) -> None:
    """The learner is found by number, else by name; the highest file number is the newest; late work is recorded."""
    archive = zipped(
        tmp_path / "submissions.zip",
        {
            "lovelaceada_12345_100_x.ipynb": b"old",
            "lovelaceada_12345_900_x-1.ipynb": b"new",
            "lovelaceada_12345_1000_x.ipynb": b"newest",
            "diddleybo_LATE_777_5_y.ipynb": b"late",
            "nobodyzoe_999_6_z.ipynb": b"unknown",
            "nobodyzoe_999_7_picture.png": b"",
            "__MACOSX/._lovelaceada_12345_9999_x.ipynb": b"rubbish",
        },
    )
    course = tmp_path / "course"
    done = run(course, archive)
    assert submitted(course) == {"ada": b"newest", "bo": b"late", "canvas-999": b"unknown"}
    assert not list(course.rglob("timestamp.txt"))  # Canvas says that it is late, not when it came
    assert done.attention == (
        "submissions.zip: nobodyzoe_999_7_picture.png is not imported: not a notebook: an image",
        "submissions.zip: nobodyzoe_999_6_z.ipynb: 'nobodyzoe' is not on the roster; imported as 'canvas-999'",
    )
    record = json.loads((course / module.RECORD).read_text())[HW]
    assert record["bo"]["late"] and record["bo"]["student_id"] == "777" and not record["ada"]["late"]


def test_the_command_keeps_due_date_and_roster(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write(tmp_path / "source", HW, sample_homework())
    archive = zipped(tmp_path / "s.zip", {"diddleybo_LATE_777_5_y.ipynb": b"late"})
    (tmp_path / "roster.csv").write_text("id,name\nbo,Bo Diddley\n")
    where = [f"--course={tmp_path / 'course'}", f"--source={tmp_path / 'source'}", f"--roster={tmp_path}/roster.csv"]
    assert main(["collect", str(archive), "--homework", HW, "--due", "2026-03-01T13:00+01:00", *where]) == 0
    printed = f"{HW}: due 2026-03-01 12:00 UTC for all learners without another date\n1 imported\n"
    assert capsys.readouterr().out == printed
    with Gradebook(f"sqlite:///{tmp_path}/course/gradebook.db") as gradebook:
        assert gradebook.find_assignment(HW).duedate == datetime(2026, 3, 1, 12)
    assert (tmp_path / "course/roster.csv").read_text() == "id,name\nbo,Bo Diddley\n"
    (tmp_path / "roster.csv").write_text("name\nBo Diddley\n")
    assert main(["collect", str(archive), "--homework", HW, *where]) == 1
    assert "the column 'id' is missing" in capsys.readouterr().err
    assert (tmp_path / "course/roster.csv").read_text() == "id,name\nbo,Bo Diddley\n"


def test_moodle(tmp_path: Path) -> None:
    """The learner is found by name, and by number if two have the same name; unknown ones get ids of their own."""
    archive = zipped(
        tmp_path / "moodle.zip",
        {
            "Lovelace, Ada_501_assignsubmission_file_/hw.ipynb": b"ada: the number is somebody else's elsewhere",
            "Sam Iam_501_assignsubmission_file_/hw.ipynb": b"one",
            "Sam Iam_502_assignsubmission_file_/hw.ipynb": b"two",
            "Zoe Nobody_501_assignsubmission_file_/hw.ipynb": b"zoe",
        },
    )
    done = run(tmp_path / "course", archive)
    found = submitted(tmp_path / "course")
    assert {who: text.split(b":")[0] for who, text in found.items()} == {
        "ada": b"ada", "si1": b"one", "si2": b"two", "Zoe-Nobody": b"zoe",
    }  # fmt: skip
    assert len(done.attention) == 1 and "not on the roster" in done.attention[0]
    assert not list((tmp_path / "course").rglob("timestamp.txt"))


def test_two_learners_never_share_an_id(tmp_path: Path) -> None:
    files = {f"Sam Iam_{number}_assignsubmission_file_/hw.ipynb": str(number).encode() for number in (7, 8)}
    done = run(tmp_path / "course", zipped(tmp_path / "m.zip", files), roster=Roster())
    assert (
        submitted(tmp_path / "course") == {}
        and "moodle/7 and moodle/8 would both have the id 'Sam-Iam'" in done.attention[0]
    )
    one = zipped(tmp_path / "one.zip", {"diddleybo_1_5_y.ipynb": b"1"})
    other = zipped(tmp_path / "other.zip", {"diddleybo_2_9_y.ipynb": b"2"})
    run(tmp_path / "course", one)
    done = run(tmp_path / "course", other)
    assert submitted(tmp_path / "course") == {"bo": b"1"} and "would both have the id 'bo'" in done.attention[0]


def test_folders_of_notebooks(tmp_path: Path) -> None:
    for name in (f"ada/{HW}.ipynb", f"bo/{HW}/{HW}.ipynb", f"si1_{HW}-2.ipynb", "zoe/other.ipynb", f"{HW}.ipynb"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "in/ada/timestamp.txt").write_text("2026-03-01 10:00:00 +0200")
    (tmp_path / "in/bo/.ipynb_checkpoints").mkdir()
    (tmp_path / f"in/bo/.ipynb_checkpoints/{HW}.ipynb").write_text("checkpoint")
    done = run(tmp_path / "course", tmp_path / "in", homework=None)
    assert submitted(tmp_path / "course").keys() == {"ada", "bo", "si1"}
    assert (tmp_path / f"course/submitted/ada/{HW}/timestamp.txt").read_text() == "2026-03-01 08:00:00 UTC"
    assert any("zoe/other.ipynb is rejected: 'other' is not a homework" in line for line in done.attention)
    assert any("its name does not identify a learner" in line for line in done.attention)
    assert len(done.attention) == 2


def test_collecting_again_changes_nothing_and_older_work_is_ignored(tmp_path: Path) -> None:
    course = tmp_path / "course"
    first = zipped(tmp_path / "first.zip", {"lovelaceada_12345_100_x.ipynb": b"first"})
    second = zipped(tmp_path / "second.zip", {"lovelaceada_12345_200_x.ipynb": b"second"})
    assert len(run(course, first).taken) == 1
    assert run(course, first).taken == ()
    assert len(run(course, second).taken) == 1
    done = run(course, first)
    assert done.taken == () and "older than the one imported before" in done.attention[0]
    assert submitted(course) == {"ada": b"second"}


def test_the_notebook_with_the_name_of_the_homework_counts(tmp_path: Path) -> None:
    folder = "Ada Lovelace_1_assignsubmission_file_"
    files = {f"{folder}/{HW}.ipynb": b"right", f"{folder}/notes.ipynb": b"notes"}
    done = run(tmp_path / "course", zipped(tmp_path / "m.zip", files))
    assert submitted(tmp_path / "course") == {"ada": b"right"}
    assert done.attention == (f"m.zip: {folder}/notes.ipynb is not imported: {HW}.ipynb in the same archive counts",)


def test_a_name_that_differs_from_the_roster_is_reported(tmp_path: Path) -> None:
    done = run(tmp_path / "course", zipped(tmp_path / "s.zip", {"somebodyelse_12345_1_x.ipynb": b"?"}))
    assert done.attention == (
        "s.zip: somebodyelse_12345_1_x.ipynb: 12345 is 'somebodyelse' in Canvas and 'Ada Lovelace' in the roster; "
        "check whose it is",
    )


def test_a_file_from_a_folder_replaces_that_of_the_lms(tmp_path: Path) -> None:
    run(tmp_path / "course", zipped(tmp_path / "s.zip", {"lovelaceada_12345_100_x.ipynb": b"lms"}))
    (tmp_path / f"ada@example.org_{HW}.ipynb").write_bytes(b"mail")
    run(tmp_path / "course", tmp_path / f"ada@example.org_{HW}.ipynb")
    assert submitted(tmp_path / "course") == {"ada": b"mail"}


GOOD = "diddleybo_777_5_y.ipynb"


def _spoil(path: Path, change) -> Path:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return path


def _with(path: Path, name: str, mode: int = 0, content: bytes = b"bad", **attributes) -> Path:
    """A zip with a good notebook and one entry of a strange kind."""
    zipped(path, {GOOD: b"good"})
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.create_system = 3
        for key, value in attributes.items():
            setattr(entry, key, value)
        archive.writestr(entry, content)
    return path


def wrong_sum(path: Path) -> Path:
    zipped(path, {GOOD: b"good"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("lovelaceada_12345_1_x.ipynb", b"ORIGINAL")
    path.write_bytes(path.read_bytes().replace(b"ORIGINAL", b"0RIGINAL"))
    return path


def cut(path: Path) -> Path:
    path.write_bytes(zipped(path, {GOOD: os.urandom(999)}).read_bytes()[:500])
    return path


def no_zip(path: Path) -> Path:
    path.write_bytes(b"not a zip at all")
    return path


def encrypted(path: Path) -> Path:
    zipped(path, {"lovelaceada_12345_1_x.ipynb": b"x", GOOD: b"good"})

    def mark(content: bytearray) -> None:
        for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(sign) + offset] |= 1

    return _spoil(path, mark)


def duplicate(path: Path) -> Path:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return _with(path, GOOD)


def lying_size(path: Path) -> Path:
    """The archive's directory states four bytes for an entry of a hundred million."""
    zipped(path, {GOOD: b"good", "lovelaceada_12345_1_x.ipynb": b" " * 10**8})

    def shrink(content: bytearray) -> None:
        offset = content.rindex(b"PK\x01\x02")
        content[offset + 24 : offset + 28] = struct.pack("<I", 4)

    return _spoil(path, shrink)


def many(path: Path) -> Path:
    return zipped(path, {f"n_{number}_1_x.ipynb": b"" for number in range(archives.MAX_ENTRIES + 1)})


HOSTILE = {
    "is outside the archive": lambda path: _with(path, "../../lovelaceada_12345_1_x.ipynb"),
    "is an absolute path": lambda path: _with(path, "/tmp/lovelaceada_12345_1_x.ipynb"),
    "is an absolute path ": lambda path: _with(path, "C:/lovelaceada_12345_1_x.ipynb"),
    "is outside the archive ": lambda path: _with(path, "..\\lovelaceada_12345_1_x.ipynb"),
    "a link or a device": lambda path: _with(path, "lovelaceada_12345_1_x.ipynb", stat.S_IFLNK | 0o777, b"/etc/passwd"),
    "a link or a device ": lambda path: _with(path, "lovelaceada_12345_1_x.ipynb", stat.S_IFIFO | 0o666),
    "control character": lambda path: _with(path, "lovelaceada_12345_1_\n.ipynb"),
    "occurs twice": duplicate,
    "Bad CRC-32": wrong_sum,
    "20,001 entries": many,
    "Bad CRC-32 ": lying_size,
    "not a zip": no_zip,
    "not a zip ": cut,
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("why", HOSTILE)
def test_a_malicious_archive_is_rejected_and_the_others_are_collected(tmp_path: Path, why: str) -> None:
    bad = HOSTILE[why](tmp_path / "bad.zip")
    good = zipped(tmp_path / "good.zip", {"lovelaceada_12345_3_x.ipynb": b"ada"})
    done = run(tmp_path / "course", bad, good)
    assert submitted(tmp_path / "course") == {"ada": b"ada"}
    assert (
        len(done.attention) == 1
        and done.attention[0].startswith("bad.zip is rejected")
        and why.strip() in done.attention[0]
    )
    outside = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert outside == {"bad.zip", "good.zip", "course"}


def test_too_large_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ZIP_BYTES", 2 * archives.MEGABYTE)
    bad = zipped(tmp_path / "bad.zip", {f"n_{n}_1_x.ipynb": os.urandom(2**20) for n in (1, 2, 3)})
    assert "MB unpacked" in run(tmp_path / "course", bad).attention[0] and not submitted(tmp_path / "course")


def nested(*names: str) -> bytes:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name in names:
            archive.writestr(name, b"inner")
    return inner.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("lovelaceada_12345_1_x.ipynb", b" " * 9_000_000, "times its size"),
        ("lovelaceada_12345_1_x.ipynb", os.urandom(archives.MAX_NOTEBOOK_BYTES + 1), "MB, at most 10"),
        ("lovelaceada_12345_1_x.zip", nested("a.ipynb", "b.ipynb"), "a zip with 2 notebooks"),
        ("Ada Lovelace_5_assignsubmission_file_/aux.ipynb", b"x", "name is reserved on Windows"),
    ],
)
def test_a_rejected_file_does_not_affect_others(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    done = run(tmp_path / "course", zipped(tmp_path / "s.zip", {name: content, GOOD: b"good"}))
    assert submitted(tmp_path / "course") == {"bo": b"good"}
    assert len(done.attention) == 1 and why in done.attention[0] and name in done.attention[0]


def test_links_pipes_and_huge_files_in_a_folder_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for learner in ("ada", "bo", "si1", "si2"):
        (tmp_path / "in" / learner).mkdir(parents=True)
    (tmp_path / f"in/ada/{HW}.ipynb").symlink_to(secret)
    os.mkfifo(tmp_path / f"in/bo/{HW}.ipynb")
    (tmp_path / f"in/si1/{HW}.ipynb").write_bytes(b"x" * (archives.MAX_NOTEBOOK_BYTES + 1))
    (tmp_path / f"in/si2/{HW}.ipynb").write_bytes(b"good")
    (tmp_path / "in/si2/timestamp.txt").symlink_to(secret)
    (tmp_path / "in/si2/all.zip").write_bytes(nested(f"ada/{HW}.ipynb", f"bo/{HW}.ipynb"))
    (tmp_path / "in/linked").symlink_to(tmp_path)
    done = run(tmp_path / "course", tmp_path / "in")
    assert submitted(tmp_path / "course") == {"si2": b"good"}, done.attention
    whys = ("a zip with 2 notebooks", "a link", "not a file", "10 MB")
    assert len(done.attention) == 4 and all(why in line for why, line in zip(whys, done.attention, strict=True))
    assert not list((tmp_path / "course").rglob("timestamp.txt"))


def test_invalid_arguments_raise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no homework is called 'hw9'; there are hw1_word_embeddings, hw2"):
        run(tmp_path, homework="hw9")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        run(tmp_path, tmp_path / "nowhere.zip")


def test_the_roster_is_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text('\ufeffID,Name,canvas_id\nada,<b>Ada</b> Lovelace,1\n,,\nbo,"Diddley, Bo",\n', encoding="utf-8")
    learners = list(rosters.read(path))
    assert learners == [Learner("ada", "bAda/b Lovelace", "1"), Learner("bo", "Diddley, Bo")]
    run(tmp_path, zipped(tmp_path / "s.zip", {"diddleybo_7_8_x.ipynb": b"bo"}), roster=None)
    assert submitted(tmp_path) == {"bo": b"bo"}


def states(done: module.Collected) -> dict[str, str]:
    """File → its state; every file has exactly one outcome."""
    files = [outcome.file for outcome in done.outcomes]
    assert len(files) == len({*files})
    return {outcome.file.partition(": ")[2] or outcome.file: outcome.state for outcome in done.outcomes}


MOODLE_FILE = "assignsubmission_file_"


@pytest.mark.parametrize(
    ("file", "state"),
    [
        (f"{HW}.IPYNB", "taken"),
        (f"{HW}.ipynb.json", "taken"),
        (f"{HW}.ipynb.txt", "taken"),
        (f"Copy of {HW}.ipynb", "taken"),
        (f"Copy of Copy of {HW} (1).ipynb", "taken"),
        ("answers.pdf", "other"),
        ("answers.py", "other"),
        (f"{HW}.html", "other"),
        (f"{HW}.json", "other"),
        ("notes", "other"),
        ("answers.rar", "refused"),
    ],
)
@pytest.mark.parametrize("homework", [HW, None])
def test_every_file_type_has_an_outcome(tmp_path: Path, file: str, state: str, homework: str | None) -> None:
    name = f"Ada Lovelace_7_{MOODLE_FILE}/{file}"
    done = run(tmp_path / "course", zipped(tmp_path / "m.zip", {name: b"{}"}), homework=homework)
    assert states(done) == {name: state}
    assert bool(submitted(tmp_path / "course")) == (state == "taken")
    if state != "taken":
        assert (
            name in done.attention[0]
            and "not a notebook" in done.attention[0]
            or "unsupported type" in done.attention[0]
        )


@pytest.mark.parametrize("windows", [False, True])
def test_a_notebook_alone_in_a_zip_is_taken(tmp_path: Path, windows: bool) -> None:
    for name, inner in (
        (f"Ada Lovelace_7_{MOODLE_FILE}/work.zip", f"deep/{HW}.ipynb"),
        ("lovelaceada_12345_9_work.zip", f"{HW}.ipynb"),
    ):
        inner = inner.replace("/", "\\") if windows else inner
        course = tmp_path / name.partition("/")[0]
        done = run(course, zipped(tmp_path / "a.zip", {name: nested(inner)}))
        assert submitted(course) == {"ada": b"inner"}, done.attention
        bad = run(tmp_path / "bad", zipped(tmp_path / "b.zip", {name: b"PK no zip"}))
        assert [outcome.state for outcome in bad.outcomes] == ["refused"] and "cannot be read" in bad.attention[0]


@pytest.mark.parametrize(
    ("name", "learner"),
    [
        (f"Sean OBrien_8_{MOODLE_FILE}/{HW}.ipynb", "sean"),
        (f"Mary Ann Smith_9_{MOODLE_FILE}/{HW}.ipynb", "mary"),
        (f"Team 3-Ada Lovelace_7_{MOODLE_FILE}/{HW}.ipynb", "ada"),
        (f"Team A-B-Anne-Marie Dupont_7_{MOODLE_FILE}/{HW}.ipynb", "anne"),
        (f"Participant_501_{MOODLE_FILE}/{HW}.ipynb", "si1"),
        (f"Teilnehmer/in_502_{MOODLE_FILE}/{HW}.ipynb".replace("/in", "in"), "si2"),
        (f"Ada Lovelace_7_{MOODLE_FILE}\\{HW}.ipynb", "ada"),
        (f"HW1_ada_attempt_2026-03-01-10-00-00_{HW}.ipynb", "ada"),
        (f"1-2 - Ada Lovelace - 1 March, 2026 1159 PM/{HW}.ipynb", "ada"),
        (f"1-2 - Ada Lovelace - Mar 1, 2026 1159 PM/{HW}.ipynb", "ada"),
        (f"Jose\u0301 Lima_3_{MOODLE_FILE}/{HW}.ipynb", "jose"),
        (f"李小龍_4_{MOODLE_FILE}/{HW}.ipynb", "李小龍"),
    ],
)
def test_names_in_the_forms_of_an_lms_are_matched(tmp_path: Path, name: str, learner: str) -> None:
    people = [Learner("sean", "Sean O'Brien"), Learner("mary", "Mary_Ann Smith"), Learner("anne", "Anne-Marie Dupont")]
    roster = Roster([*ROSTER, *people, Learner("jose", "José Lima"), Learner("李小龍", "李小龍")])
    done = run(tmp_path / "course", zipped(tmp_path / "x.zip", {name: b"it"}), roster=roster)
    assert submitted(tmp_path / "course") == {learner: b"it"} and done.attention == ()


@pytest.mark.parametrize(
    ("old", "new", "when"),
    [
        ("HW1_ada_attempt_2026-03-01-10-00-00_a.ipynb", "HW1_ada_attempt_2026-03-02-09-00-00_a.ipynb", (2, 9, 0)),
        (
            "1-2 - Ada Lovelace - 1 March, 2026 1159 PM/a.ipynb",
            "7-2 - Ada Lovelace - 2 March, 2026 0905 AM/a.ipynb",
            (2, 9, 5),
        ),
    ],
)  # fmt: skip
def test_times_of_blackboard_and_brightspace_are_used(tmp_path: Path, old: str, new: str, when: tuple) -> None:
    """The newest attempt counts, and the time of handing in is the LMS' own."""
    done = run(tmp_path / "course", zipped(tmp_path / "x.zip", {new: b"new", old: b"old"}))
    assert submitted(tmp_path / "course") == {"ada": b"new"} and states(done) == {new: "taken", old: "older"}
    day, hour, minute = when
    expected = datetime(2026, 3, day, hour, minute).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    assert (tmp_path / f"course/submitted/ada/{HW}/timestamp.txt").read_text() == expected


def test_learners_with_the_same_name_are_reported(tmp_path: Path) -> None:
    name = f"Sam Iam_7_{MOODLE_FILE}/{HW}.ipynb"
    done = run(tmp_path / "course", zipped(tmp_path / "m.zip", {name: b"sam"}))
    assert states(done) == {name: "unclear"} and "enter 7 as the moodle_id of the right one" in done.attention[0]
    assert submitted(tmp_path / "course") == {}


@pytest.mark.parametrize(
    "name",
    [f"mallory/ada_{HW}.ipynb", f"mallory/ada/{HW}.ipynb", f"mallory/in/ada/{HW}/{HW}.ipynb", f"ada\u200b/{HW}.ipynb"],
)
def test_a_learner_cannot_take_the_id_of_another(tmp_path: Path, name: str) -> None:
    files = {f"ada/{HW}.ipynb": b"ada's own", f"bo/{HW}.ipynb": b"bo's", name: b"forged"}
    done = run(tmp_path / "course", zipped(tmp_path / "x.zip", files))
    found = submitted(tmp_path / "course")
    assert found["ada"] == b"ada's own" and found.get("mallory", b"forged") == b"forged"
    assert done.attention  # a learner who is not on the roster, or whose id would be that of another
    run(tmp_path / "alone", zipped(tmp_path / "y.zip", {name: b"forged", f"bo/{HW}.ipynb": b"bo's"}))
    assert "ada" not in submitted(tmp_path / "alone")


def test_a_top_level_folder_is_not_a_learner(tmp_path: Path) -> None:
    files = {f"export 2026/{name}/{HW}.ipynb": name.encode() for name in ("ada", "bo")}
    run(tmp_path / "course", zipped(tmp_path / "x.zip", files))
    assert submitted(tmp_path / "course") == {"ada": b"ada", "bo": b"bo"}
    run(tmp_path / "canvas", zipped(tmp_path / "c.zip", {"submissions/lovelaceada_12345_9_x.ipynb": b"c"}))
    assert submitted(tmp_path / "canvas") == {"ada": b"c"}
    deep = zipped(tmp_path / "d.zip", {f"all of them/ada/{HW}/{HW}.ipynb": b"d"})
    run(tmp_path / "deep", deep)
    assert submitted(tmp_path / "deep") == {"ada": b"d"}


def test_an_encrypted_notebook_does_not_affect_others(tmp_path: Path) -> None:
    done = run(tmp_path / "course", encrypted(tmp_path / "x.zip"))
    assert submitted(tmp_path / "course") == {"bo": b"good"}
    assert len(done.attention) == 1 and "it is encrypted" in done.attention[0]


def test_a_notebook_of_another_homework_is_refused(tmp_path: Path) -> None:
    """A notebook with the questions of homework 2 that was submitted as homework 1."""
    release = {path.stem: path for path in module.RELEASE.glob("*/*.ipynb")}
    content = release[KNOWN[1]].read_bytes()
    name = f"Ada Lovelace_7_{MOODLE_FILE}/{HW}.ipynb"
    done = run(tmp_path / "course", zipped(tmp_path / "x.zip", {name: content}), homeworks=release)
    assert submitted(tmp_path / "course") == {} and states(done) == {name: "refused"}
    assert f"its questions are those of {KNOWN[1]}" in done.attention[0]
    right = zipped(tmp_path / "y.zip", {name: release[HW].read_bytes()})
    assert run(tmp_path / "course", right, homeworks=release).attention == ()


def test_refused_learners_are_not_listed_as_missing(tmp_path: Path) -> None:
    files = {f"Ada Lovelace_7_{MOODLE_FILE}/{HW}.ipynb": b"{}", f"Bo Diddley_8_{MOODLE_FILE}/answers.pdf": b"%PDF"}
    done = run(tmp_path / "course", zipped(tmp_path / "x.zip", files))
    assert done.missing == {HW: ("si1", "si2")}
    record = json.loads((tmp_path / "course" / module.RECORD).read_text("utf-8"))[HW]
    assert record["bo"] == {"refused": "not a notebook: a PDF"} and "refused" not in record["ada"]


def test_equal_lines_are_combined(tmp_path: Path) -> None:
    files = {f"Who {number}_{number}_{MOODLE_FILE}/answers.pdf": b"%PDF" for number in range(100)}
    done = run(tmp_path / "course", zipped(tmp_path / "x.zip", files))
    assert len(done.outcomes) == 100 and len(done.attention) == 1
    assert done.attention[0].startswith("100 files (not a notebook): not a notebook: a PDF; the first is x.zip: Who 0_")


def test_an_edited_timestamp_is_kept(tmp_path: Path) -> None:
    """Also where there was none, and when a newer notebook comes, which is printed."""
    for name in ("diddleybo_LATE_777_5_y.ipynb", "HW1_bo_attempt_2026-03-01-10-00-00_y.ipynb"):
        course = tmp_path / name
        archive = zipped(tmp_path / "s.zip", {name: b"first"})
        run(course, archive)
        path = course / f"submitted/bo/{HW}/timestamp.txt"
        path.write_text("2026-03-01 11:00:00 UTC")
        for _ in range(2):
            assert run(course, archive).attention == ()
            assert path.read_text() == "2026-03-01 11:00:00 UTC"
        done = run(course, zipped(tmp_path / "t.zip", {name: b"second"}))
        assert path.read_text() == "2026-03-01 11:00:00 UTC" and submitted(course) == {"bo": b"second"}
        assert "the edited timestamp.txt is kept" in done.attention[0]


def test_a_huge_timestamp_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "in/ada").mkdir(parents=True)
    (tmp_path / f"in/ada/{HW}.ipynb").write_bytes(b"{}")
    (tmp_path / "in/ada/timestamp.txt").write_bytes(b"2026-03-01 10:00:00 UTC" + b" " * 10_000_000)
    run(tmp_path / "course", tmp_path / "in")
    assert not list((tmp_path / "course").rglob("timestamp.txt"))


# Collects an archive; has read collected.json and waits for a line of input before it writes it again.
PAUSED_COLLECT = """
import sys
from pathlib import Path
from helpers.grading import files
from helpers.grading.lms import collect

write_atomic = files.write_atomic

def pause(path, *content):
    if path.name == collect.RECORD:
        print("paused", flush=True)
        sys.stdin.readline()
    write_atomic(path, *content)

files.write_atomic = pause
collect.collect(Path(sys.argv[1]), [Path(sys.argv[2])], homework=sys.argv[3], homeworks=[sys.argv[3]])
"""


def test_concurrent_collections_lose_no_record(tmp_path: Path) -> None:
    """The second one is refused while the first runs; run again, it adds to the record of the first."""
    first = zipped(tmp_path / "first.zip", {"lovelaceada_12345_1_x.ipynb": b"ada"})
    second = zipped(tmp_path / "second.zip", {"diddleybo_777_5_y.ipynb": b"bo"})
    course = tmp_path / "course"
    command = [sys.executable, "-c", PAUSED_COLLECT, str(course), str(first), HW]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "paused\n"
        with pytest.raises(ValueError, match="another command is writing to .*course; wait until it ends"):
            run(course, second)
        process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    run(course, second)
    assert set(module.read_record(course)[HW]) == {"canvas-12345", "bo"}


def test_an_archive_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *arguments, **options) -> None:
            opened.append(arguments)
            super().__init__(*arguments, **options)

    archive = zipped(tmp_path / "s.zip", {f"name{n}_{n}_{n}_x.ipynb": b"x" for n in range(1, 40)})
    monkeypatch.setattr(archives.zipfile, "ZipFile", Counted)
    assert len(run(tmp_path / "course", archive).taken) == 39 and len(opened) == 1


ROWS = "id,name,section\njose,José Peña,A\nbo,Bo,B\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rosters_of_all_encodings_and_separators_are_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(ROWS.replace(",", delimiter).replace("\n", "\r\n").encode(encoding))
    assert list(rosters.read(path)) == [Learner("jose", "José Peña", section="A"), Learner("bo", "Bo", section="B")]


def test_the_gradebook_of_canvas_is_read_as_a_roster(tmp_path: Path) -> None:
    path = tmp_path / "canvas.csv"
    path.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (4711)\n"
        "    Points Possible,,,,,25\n"
        '"Lovelace, Ada",12345,al1,ada@example.org,A,12\n"Diddley, Bo",7,,bo,B,\n"Student, Test",8,,,A,\n'
    )
    assert list(rosters.read(path)) == [
        Learner("al1", "Lovelace, Ada", "12345", "", "ada@example.org", "A"),
        Learner("bo", "Diddley, Bo", "7", section="B"),
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"id,name\n", "roster.csv has no learners"),
        (b"", "roster.csv, line 1: the column 'id' is missing"),
        (b"name\nada\n", "roster.csv, line 1: the column 'id' is missing"),
        (b"id\nada\nADA\n", "roster.csv, line 3: .*occurs twice"),
        (b"id\n../ada\n", "roster.csv, line 2: .*cannot name a folder"),
        (b"id\ncon\n", "roster.csv, line 2: .*cannot name a folder"),
        (b"id,name\n,Ada\n", "roster.csv, line 2: .*has no id"),
        (b"id,name\nada,Ada\nbo,B\x81\xe9\n", "roster.csv, line 3: .* save it as .CSV UTF-8"),
        (b"id\n" + b"a" * 201, "roster.csv, line 2: the id has 201 bytes, at most 200; shorten it"),
        (b"id,mail\nada,x\n", "line 1: the column 'mail' is unknown; rename or remove it"),
    ],
)
def test_errors_in_a_roster_are_reported_with_line_and_remedy(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "roster.csv").write_bytes(content)
    with pytest.raises(ValueError, match=why):
        rosters.read(tmp_path / "roster.csv")


@pytest.mark.parametrize("name", ["zoë", "李小龍", "محمد", "अमित", "o.neil@example.org"])
def test_ids_of_any_script_are_kept(name: str) -> None:
    assert clean_id(name) == name


CANVAS_EXPORT = (
    'Student,ID,SIS User ID,Section,Homework\n    Points Possible,,,,25\n"Lovelace, Ada",1,al1,A,12\nBo,7,,B,\n'
)


@pytest.mark.parametrize(
    ("text", "learner", "kept"),
    [
        ('id;name\nada;"Ada; \n Lovelace"\nBO;Bo\n', "bo", 'id;name\nada;"Ada; \n Lovelace"\n'),
        ('id;name\nada;"Ada; \n Lovelace"\nbo;Bo\n', "ada", "id;name\nbo;Bo\n"),
        ("name,id,due hw\n\nx,ada,2026-03-01\ny,adam,\n", "ada", "name,id,due hw\n\ny,adam,\n"),
        (CANVAS_EXPORT, "al1", CANVAS_EXPORT.replace('"Lovelace, Ada",1,al1,A,12\n', "")),
        (CANVAS_EXPORT, "canvas-7", CANVAS_EXPORT.replace("Bo,7,,B,\n", "")),
        ("id\nada\n", "zoe", None),
    ],
)
def test_one_line_of_a_roster_is_removed(tmp_path: Path, text: str, learner: str, kept: str | None) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(text)
    assert rosters.remove(path, learner) == (kept is not None)
    assert path.read_text() == (text if kept is None else kept)


def test_a_roster_without_learners_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text("id,name\n\nada,Ada\n")
    assert rosters.remove(path, "ada") and len(rosters.of_course(tmp_path)) == 0 and not path.exists()


def test_due_dates_of_a_roster(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(f"id,due {HW}\nada,2026-03-08T12:00+00:00\nbo,\n")
    ada, bo = rosters.read(path)
    assert ada.due_of(HW) == datetime(2026, 3, 8, 12, tzinfo=UTC) and bo.due_of(HW) is None
    path.write_text(f"id,due {HW}\nada,soon\n")
    with pytest.raises(ValueError, match=f"line 2, column 'due {HW}': 'soon' is not a date"):
        rosters.read(path)

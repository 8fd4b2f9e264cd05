"""What learners hand in finds its place by name; what is damaged or hostile is refused by name, the rest goes on."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from helpers.grading.__main__ import main
from helpers.grading.lms import collect as module
from helpers.grading.lms import roster as rosters
from helpers.grading.lms.collect import collect, parse_name, without_copy
from helpers.grading.lms.roster import Learner, Roster, clean_id
from tests.grading import sample

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
    """Learner → the notebook that is in its place, for one homework; everything else in the folder is an error."""
    found = {}
    for path in sorted((course / "submitted").rglob("*")):
        if path.is_file() and path.name != "timestamp.txt":
            learner, homework, name = path.relative_to(course / "submitted").parts
            assert name == f"{homework}.ipynb" and homework in KNOWN
            found[learner] = path.read_bytes()
    return found


def run(course: Path, *paths: Path, **more) -> module.Collected:
    return collect(course, paths, **({"homework": HW, "roster": ROSTER, "homeworks": KNOWN} | more))


CANVAS = {
    "lovelaceada_12345_67890_hw.ipynb": ("12345", "lovelaceada", False, "67890", "hw"),
    "lovelaceada_LATE_12345_67890_hw-2.ipynb": ("12345", "lovelaceada", True, "67890", "hw-2"),
    "de_la_cruzmaría_7_8_my notes_1_2_x.ipynb": ("7", "de_la_cruzmaría", False, "8", "my notes_1_2_x"),
    "submissions/osheapat_7_8_hw (1).ipynb": ("7", "osheapat", False, "8", "hw (1)"),
    "anon_x7Kq2_67890_hw.ipynb": ("anon_x7Kq2", None, False, "67890", "hw"),
    "LATE_anon_x7Kq2_67890_hw.ipynb": ("anon_x7Kq2", None, True, "67890", "hw"),
}
MOODLE = {
    "Ada Lovelace_501_assignsubmission_file_/hw.ipynb": ("501", "Ada Lovelace", "hw"),
    "Ada Lovelace_501_assignsubmission_file/hw.ipynb": ("501", "Ada Lovelace", "hw"),
    "Ada Lovelace_501_assignsubmission_file_hw.ipynb": ("501", "Ada Lovelace", "hw"),
    "Group A-Ada Lovelace_501_assignsubmission_file_/sub/folder/hw.ipynb": ("501", "Group A-Ada Lovelace", "hw"),
    "Course 1/O'Shea Pat_9_assignsubmission_file_/a_1_2_b.ipynb": ("9", "O'Shea Pat", "a_1_2_b"),
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
    assert found["lms"] == "canvas" and found["student_id"] == number and found["name"] == who
    assert bool(found["late"]) == late and found["version"] == version and found["file_id"] == stem


@pytest.mark.parametrize("name", MOODLE)
def test_moodle_names(name: str) -> None:
    found = parse_name(name, KNOWN)
    assert found["lms"] == "moodle"
    assert (found["student_id"], found["name"], found["file_id"]) == MOODLE[name]


@pytest.mark.parametrize(
    ("name", "learner"),
    [
        (f"ada/{HW}.ipynb", "ada"),
        (f"ada/{HW}/{HW}.ipynb", "ada"),
        (f"all of them/ada/{HW}/{HW}.ipynb", "ada"),
        (f"ada_{HW}.ipynb", "ada"),
        (f"ada_b_{HW}-Copy1.ipynb", "ada_b"),
        (f"{HW}.ipynb", None),
        (f"{HW}/{HW}.ipynb", None),
        ("ada/notes.txt", None),
    ],
)
def test_folders(name: str, learner: str | None) -> None:
    found = parse_name(name, KNOWN)
    assert (found and found["student_id"]) == learner


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
    assert found["lms"] == "canvas" and found["student_id"] == str(user) and found["version"] == str(file)
    assert bool(found["late"]) == late and without_copy(found["file_id"], KNOWN) == (HW, copy)


@given(LETTERS, NUMBERS, st.sampled_from(["_/", "/", "_", "_/sub/"]))
def test_any_name_of_moodle_is_read_back(name: str, number: int, joint: str) -> None:
    found = parse_name(f"{name}_{number}_assignsubmission_file{joint}{HW}.ipynb", KNOWN)
    assert found["lms"] == "moodle" and (found["name"], found["student_id"]) == (name, str(number))
    assert found["file_id"] == HW


@given(st.text(max_size=120))
def test_an_id_is_a_folder_of_its_own(text: str) -> None:
    cleaned = clean_id(text)
    assert re.fullmatch(r"[A-Za-z0-9._@-]{0,65}", cleaned) and not cleaned.startswith((".", "-"))
    assert clean_id(cleaned) == cleaned
    assert cleaned.split(".")[0].casefold() not in rosters.RESERVED


def test_copies_are_told_from_names() -> None:
    assert without_copy("hw-1", ["hw-1"]) == ("hw-1", 0)
    assert without_copy("hw-1-3 (2)-Copy1", ["hw-1"]) == ("hw-1", 3)


def test_canvas(tmp_path: Path) -> None:
    """The number finds the learner, else the name; the highest number of the file is the newest; late is told."""
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
    done = run(course, archive, due=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert submitted(course) == {"ada": b"newest", "bo": b"late", "canvas-999": b"unknown"}
    times = {path.parts[-3]: path.read_text() for path in course.rglob("timestamp.txt")}
    assert times["bo"] == "2026-03-01 12:00:01 UTC" and times["ada"] == "2026-03-01 12:00:00 UTC"
    assert done.attention == (
        "submissions.zip: nobodyzoe_999_6_z.ipynb: 'nobodyzoe' is not on the roster; taken as 'canvas-999'",
    )
    record = json.loads((course / module.RECORD).read_text())[HW]
    assert record["bo"]["late"] and record["bo"]["student_id"] == "777" and not record["ada"]["late"]


def test_late_without_a_due_date_is_told(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "s.zip", {"diddleybo_LATE_777_5_y.ipynb": b"late"})
    assert "is late" in run(tmp_path / "course", archive).attention[0]
    assert not list((tmp_path / "course").rglob("timestamp.txt"))


def test_the_due_date_of_the_gradebook_counts(tmp_path: Path) -> None:
    course = sample.graded_course(tmp_path / "course", {}, name=HW)
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        gradebook.update_or_create_assignment(HW, duedate="2026-03-01 12:00:00 UTC")
    done = run(course, zipped(tmp_path / "s.zip", {"diddleybo_LATE_777_5_y.ipynb": b"late"}))
    assert done.attention == ()
    assert (course / f"submitted/bo/{HW}/timestamp.txt").read_text() == "2026-03-01 12:00:01 UTC"


def test_the_command_keeps_due_date_and_roster(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Late is late in the gradebook, too, once it is graded."""
    sample.write(tmp_path / "source", HW)
    archive = zipped(tmp_path / "s.zip", {"diddleybo_LATE_777_5_y.ipynb": b"late"})
    (tmp_path / "roster.csv").write_text("id,name\nbo,Bo Diddley\n")
    where = [f"--course={tmp_path / 'course'}", f"--source={tmp_path / 'source'}", f"--roster={tmp_path}/roster.csv"]
    assert main(["collect", str(archive), "--homework", HW, "--due", "2026-03-01T13:00+01:00", *where]) == 0
    assert capsys.readouterr().out == "1 taken\n"
    [timestamp] = [path.read_text() for path in (tmp_path / "course").rglob("timestamp.txt")]
    with Gradebook(f"sqlite:///{tmp_path}/course/gradebook.db") as gradebook:
        gradebook.update_or_create_student("bo")
        late = gradebook.update_or_create_submission(HW, "bo", timestamp=timestamp).total_seconds_late
    assert late == 1
    assert (tmp_path / "course/roster.csv").read_text() == "id,name\nbo,Bo Diddley\n"
    (tmp_path / "roster.csv").write_text("name\nBo Diddley\n")
    assert main(["collect", str(archive), "--homework", HW, *where]) == 1
    assert "the column 'id' is missing" in capsys.readouterr().err
    assert (tmp_path / "course/roster.csv").read_text() == "id,name\nbo,Bo Diddley\n"


def test_moodle(tmp_path: Path) -> None:
    """A name finds the learner; of two with one name the number does; without either nobody is mixed up."""
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


def test_two_people_never_become_one(tmp_path: Path) -> None:
    files = {f"Sam Iam_{number}_assignsubmission_file_/hw.ipynb": str(number).encode() for number in (7, 8)}
    done = run(tmp_path / "course", zipped(tmp_path / "m.zip", files), roster=Roster())
    assert submitted(tmp_path / "course") == {} and "moodle/7 and moodle/8 would both be 'Sam-Iam'" in done.attention[0]
    one = zipped(tmp_path / "one.zip", {"diddleybo_1_5_y.ipynb": b"1"})
    other = zipped(tmp_path / "other.zip", {"diddleybo_2_9_y.ipynb": b"2"})
    run(tmp_path / "course", one)
    done = run(tmp_path / "course", other)
    assert submitted(tmp_path / "course") == {"bo": b"1"} and "would both be 'bo'" in done.attention[0]


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
    assert any("zoe/other.ipynb is not taken: 'other' is no homework" in line for line in done.attention)
    assert any("no learner can be read" in line for line in done.attention)
    assert len(done.attention) == 2


def test_collected_twice_nothing_changes_and_older_work_never_returns(tmp_path: Path) -> None:
    course = tmp_path / "course"
    first = zipped(tmp_path / "first.zip", {"lovelaceada_12345_100_x.ipynb": b"first"})
    second = zipped(tmp_path / "second.zip", {"lovelaceada_12345_200_x.ipynb": b"second"})
    assert len(run(course, first).taken) == 1
    assert run(course, first).taken == ()
    assert len(run(course, second).taken) == 1
    done = run(course, first)
    assert done.taken == () and "older than what was collected before" in done.attention[0]
    assert submitted(course) == {"ada": b"second"}


def test_the_notebook_with_the_right_name_is_the_one(tmp_path: Path) -> None:
    folder = "Ada Lovelace_1_assignsubmission_file_"
    files = {f"{folder}/{HW}.ipynb": b"right", f"{folder}/notes.ipynb": b"notes"}
    done = run(tmp_path / "course", zipped(tmp_path / "m.zip", files))
    assert submitted(tmp_path / "course") == {"ada": b"right"}
    assert done.attention == (f"m.zip: {folder}/notes.ipynb is not taken, beside {HW}.ipynb",)


def test_a_name_that_is_not_the_rosters_is_told(tmp_path: Path) -> None:
    done = run(tmp_path / "course", zipped(tmp_path / "s.zip", {"somebodyelse_12345_1_x.ipynb": b"?"}))
    assert done.attention == (
        "s.zip: somebodyelse_12345_1_x.ipynb: Canvas calls 12345 'somebodyelse', the roster 'Ada Lovelace'; "
        "look whose it is",
    )


def test_a_file_by_mail_replaces_what_the_lms_had(tmp_path: Path) -> None:
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


def _with(path: Path, name: str, mode: int = 0, content: bytes = b"bad", **about) -> Path:
    """A zip with a good notebook and one entry of a strange kind."""
    zipped(path, {GOOD: b"good"})
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.create_system = 3
        for key, value in about.items():
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
    """Its directory says four bytes, it unpacks to a hundred million."""
    zipped(path, {GOOD: b"good", "lovelaceada_12345_1_x.ipynb": b" " * 10**8})

    def shrink(content: bytearray) -> None:
        place = content.rindex(b"PK\x01\x02")
        content[place + 24 : place + 28] = struct.pack("<I", 4)

    return _spoil(path, shrink)


def many(path: Path) -> Path:
    return zipped(path, {f"n_{number}_1_x.ipynb": b"" for number in range(module.MOST_ENTRIES + 1)})


HOSTILE = {
    "leaves its folder": lambda path: _with(path, "../../lovelaceada_12345_1_x.ipynb"),
    "is an absolute path": lambda path: _with(path, "/tmp/lovelaceada_12345_1_x.ipynb"),
    "is an absolute path ": lambda path: _with(path, "C:/lovelaceada_12345_1_x.ipynb"),
    "leaves its folder ": lambda path: _with(path, "..\\lovelaceada_12345_1_x.ipynb"),
    "a link or a device": lambda path: _with(path, "lovelaceada_12345_1_x.ipynb", stat.S_IFLNK | 0o777, b"/etc/passwd"),
    "a link or a device ": lambda path: _with(path, "lovelaceada_12345_1_x.ipynb", stat.S_IFIFO | 0o666),
    "control character": lambda path: _with(path, "lovelaceada_12345_1_\n.ipynb"),
    "is encrypted": encrypted,
    "is there twice": duplicate,
    "Bad CRC-32": wrong_sum,
    "20,001 entries": many,
    "Bad CRC-32 ": lying_size,
    "not a zip": no_zip,
    "not a zip ": cut,
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("why", HOSTILE)
def test_a_hostile_archive_is_refused_by_name_and_the_rest_goes_on(tmp_path: Path, why: str) -> None:
    bad = HOSTILE[why](tmp_path / "bad.zip")
    good = zipped(tmp_path / "good.zip", {"lovelaceada_12345_3_x.ipynb": b"ada"})
    done = run(tmp_path / "course", bad, good)
    assert submitted(tmp_path / "course") == {"ada": b"ada"}
    assert (
        len(done.attention) == 1
        and done.attention[0].startswith("bad.zip is refused")
        and why.strip() in done.attention[0]
    )
    outside = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert outside == {"bad.zip", "good.zip", "course"}


def test_more_than_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ZIP", 2 * module.MEGABYTE)
    bad = zipped(tmp_path / "bad.zip", {f"n_{n}_1_x.ipynb": os.urandom(2**20) for n in (1, 2, 3)})
    assert "MB unpacked" in run(tmp_path / "course", bad).attention[0] and not submitted(tmp_path / "course")


def nested(name: str = f"{HW}.ipynb") -> bytes:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr(name, b"inner")
    return inner.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("lovelaceada_12345_1_x.ipynb", b" " * 9_000_000, "times its size"),
        ("lovelaceada_12345_1_x.ipynb", os.urandom(module.LARGEST_NOTEBOOK + 1), "10.0 MB, at most 10"),
        ("lovelaceada_12345_1_x.zip", nested(), "an archive in an archive"),
        ("Ada Lovelace_5_assignsubmission_file_/aux.ipynb", b"x", "name of a device"),
    ],
)
def test_what_one_learner_can_spoil_costs_the_others_nothing(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    done = run(tmp_path / "course", zipped(tmp_path / "s.zip", {name: content, GOOD: b"good"}))
    assert submitted(tmp_path / "course") == {"bo": b"good"}
    assert len(done.attention) == 1 and why in done.attention[0] and name in done.attention[0]


def test_links_pipes_and_giants_in_a_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for learner in ("ada", "bo", "si1", "si2"):
        (tmp_path / "in" / learner).mkdir(parents=True)
    (tmp_path / f"in/ada/{HW}.ipynb").symlink_to(secret)
    os.mkfifo(tmp_path / f"in/bo/{HW}.ipynb")
    (tmp_path / f"in/si1/{HW}.ipynb").write_bytes(b"x" * (module.LARGEST_NOTEBOOK + 1))
    (tmp_path / f"in/si2/{HW}.ipynb").write_bytes(b"good")
    (tmp_path / "in/si2/timestamp.txt").symlink_to(secret)
    (tmp_path / "in/si2/all.zip").write_bytes(nested(f"bo/{HW}.ipynb"))
    (tmp_path / "in/linked").symlink_to(tmp_path)
    done = run(tmp_path / "course", tmp_path / "in")
    assert submitted(tmp_path / "course") == {"si2": b"good"}, done.attention
    whys = ("all.zip is not opened", "a link", "not a file", "10 MB")
    assert len(done.attention) == 4 and all(why in line for why, line in zip(whys, done.attention, strict=True))
    assert not list((tmp_path / "course").rglob("timestamp.txt"))


def test_mistakes_of_the_instructor_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no homework is called 'hw9'; there are hw1_word_embeddings, hw2"):
        run(tmp_path, homework="hw9")
    with pytest.raises(FileNotFoundError, match="is not there"):
        run(tmp_path, tmp_path / "nowhere.zip")


def test_the_roster_is_read(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text('\ufeffID,Name,canvas_id\nada,<b>Ada</b> Lovelace,1\n,,\nbo,"Diddley, Bo",\n', encoding="utf-8")
    learners = list(rosters.read(path))
    assert learners == [Learner("ada", "bAda/b Lovelace", "1"), Learner("bo", "Diddley, Bo")]
    run(tmp_path, zipped(tmp_path / "s.zip", {"diddleybo_7_8_x.ipynb": b"bo"}), roster=None)
    assert submitted(tmp_path) == {"bo": b"bo"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name\nada\n", "the column 'id' is missing"),
        ("id,mail\nada,x\n", "the column 'mail' is not known"),
        ("id\nada\nADA\n", "is there twice"),
        ("id\n../ada\n", "cannot name a folder"),
        ("id,name\n,Ada\n", "has no id"),
        ("id\ncon\n", "cannot name a folder"),
    ],
)
def test_a_broken_roster_is_told(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(ValueError, match=why):
        rosters.read(tmp_path / "roster.csv")

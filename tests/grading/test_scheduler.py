"""Grading on many processes: failures of workers, continuation, and hostile submissions."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import psutil
import pytest
from distributed import Client
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from helpers.grading import __main__ as commands
from helpers.grading import cluster, scheduler
from helpers.grading.course import Course, CourseError
from helpers.grading.scheduler import Stopped, Summary
from helpers.grading.version import grader_version
from tests.grading import fakes, hostile
from tests.grading.test_course import autograded, book
from tests.tools.homework import SMALL as NAME
from tests.tools.homework import answered_small, hand_in
from tests.tools.refresh import ROOT

RIGHT = ("ada", "bo", "cy")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with cluster.local(2, dashboard=True) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def sandboxed() -> None:
    """Skip where there is no bubblewrap; in CI there must be one."""
    if shutil.which("bwrap") is None and not os.environ.get("CI"):
        pytest.skip("bubblewrap is not installed")


def run(course: Course, source: Path, client: Client, **options: Any) -> Summary:
    """Prepare, scan and grade as the command does, by default with the fake grader."""
    chosen = {key: options.pop(key) for key in ("only", "force") if key in options}
    prepared = course.prepare(source)
    summary = scheduler.scan(course, prepared, **chosen)
    defaults: dict[str, Any] = {"work": fakes.work, "seconds": fakes.LIMIT, "progress": io.StringIO()}
    return scheduler.grade(course, prepared, client, summary, **(defaults | options))


def hand_in_all(course: Course, release: NotebookNode, **answers: str) -> None:
    for learner in RIGHT:
        hand_in(course.folder, learner, answered_small(release))
    for learner, answer in answers.items():
        hand_in(course.folder, learner, answered_small(release, double=answer))


def state(course: Course) -> tuple:
    """The result of grading: gradebook, records, and notebooks without run times."""
    paths = (course.folder / "autograded").rglob("*.ipynb")
    texts = {str(path.relative_to(course.folder)): path.read_text("utf-8") for path in paths}
    notebooks = {path: re.sub(r'"seconds": [\d.e-]+', '"seconds": 0', text) for path, text in texts.items()}
    records = {
        learner: (record.digest, record.quarantined, record.attention)
        for learner, record in course.records(NAME).items()
    }
    return book(course), records, notebooks


# What comes out.


def test_submissions_are_graded_once(course: Course, source: Path, client: Client, release: NotebookNode) -> None:
    hand_in_all(course, release, di="None", ed="no return either")
    hand_in(course.folder, "fay", "no notebook")
    bar = io.StringIO()
    summary = run(course, source, client, progress=bar)
    assert sorted(summary.graded) == ["ada", "bo", "cy", "di", "ed"] and not summary.unchanged
    assert summary.rejected == {"fay": "it is not JSON (Expecting value: line 1 column 1 (char 0))"}
    assert "6/6" in bar.getvalue() and "left" in bar.getvalue()
    assert summary.by_hand == 5 and summary.cpu_seconds == 2.5
    grades = book(course)
    assert grades["ada", "hidden_double"][0] == 2 and grades["di", "hidden_double"][0] == 0
    assert grades["ed", "test_double"][0] == 1 and ("fay", "why") not in grades
    before = state(course)
    again = run(course, source, client, work=None)  # nothing is sent to a worker
    assert sorted(again.unchanged) == sorted(summary.graded) and not again.graded
    assert again.rejected == summary.rejected and state(course) == before
    hand_in(course.folder, "di", answered_small(release))
    assert run(course, source, client).graded == ["di"] and book(course)["di", "hidden_double"][0] == 2
    assert run(course, source, client, only=["bo"], force=True).graded == ["bo"]
    with pytest.raises(CourseError, match="there is no submission of hw0_small by nobody"):
        run(course, source, client, only=["nobody"])


def test_the_summary_names_what_needs_attention_without_terminal_escapes() -> None:
    summary = Summary(
        NAME, graded=["ada"], rejected={"bo": "it is a link"}, quarantined={"cy": "its worker process died"}
    )
    summary.attention["ada"] = ("learner_id says '\x1b]0;owned\a'",)
    text = str(summary)
    assert text.startswith(f"{NAME}: 1 graded, 0 unchanged, 1 rejected, 1 quarantined\n  needs attention:\n")
    assert "ada: learner_id says '?]0;owned?'" in text and "bo: rejected, it is a link" in text


# Workers that die or hang.


def test_no_result_is_lost_if_a_worker_is_killed(
    course: Course, source: Path, client: Client, release: NotebookNode, tmp_path: Path
) -> None:
    hand_in_all(course, release, di=f"die once {tmp_path / 'died'}", ed="sleep 0.2")
    summary = run(course, source, client)
    assert (tmp_path / "died").exists()
    assert sorted(summary.graded) == ["ada", "bo", "cy", "di", "ed"] and not summary.quarantined
    assert {learner for learner, _ in book(course)} == {"ada", "bo", "cy", "di", "ed"}


def test_a_submission_that_ends_its_worker_is_quarantined_without_a_grade(
    course: Course, source: Path, client: Client, release: NotebookNode
) -> None:
    hand_in_all(course, release, kim="return 1")
    run(course, source, client, only=["kim"])
    before = book(course)["kim", "test_double"]
    hand_in_all(course, release, kim="die", lou="raise")
    summary = run(course, source, client)
    assert sorted(summary.graded) == sorted(RIGHT)
    assert summary.quarantined == {"kim": "its worker process died", "lou": "ZeroDivisionError: the grader has a bug"}
    assert book(course)["kim", "test_double"] == before and not [key for key in book(course) if key[0] == "lou"]
    again = run(course, source, client, work=None)
    assert again.quarantined == summary.quarantined and not again.graded
    hand_in(course.folder, "kim", answered_small(release))
    assert run(course, source, client).graded == ["kim"]


def test_a_hung_worker_is_replaced(
    course: Course, source: Path, client: Client, release: NotebookNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_GRACE", 60.0)  # the worker itself must end, and a new one may start slowly
    hand_in_all(course, release, kim="hang")
    summary = run(course, source, client, seconds=2.0)
    assert sorted(summary.graded) == sorted(RIGHT) and summary.quarantined == {"kim": "its worker process died"}
    client.wait_for_workers(2, timeout=120)


def test_a_stopped_worker_is_replaced(
    course: Course, source: Path, client: Client, release: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a worker is stopped, the scheduler's clock is 5 seconds later each time that it is read."""
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    seconds = itertools.count(5, 5)
    ahead = 0

    def monotonic() -> float:
        nonlocal ahead
        if any(psutil.pid_exists(int(path.name)) for path in stopped.iterdir()):
            ahead = next(seconds)
        return time.monotonic() + ahead

    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(scheduler, "_GRACE", 2.0)
    hand_in_all(course, release, kim=f"stop {stopped}")
    summary = run(course, source, client, seconds=12.0)
    why = "its worker did not answer within 12 seconds"
    assert sorted(summary.graded) == sorted(RIGHT) and summary.quarantined == {"kim": why}
    assert len(list(stopped.iterdir())) == 2
    client.wait_for_workers(2, timeout=120)


def test_without_a_sandbox_nothing_is_graded(
    course: Course, source: Path, client: Client, release: NotebookNode
) -> None:
    hand_in(course.folder, "ada", answered_small(release, double="unavailable"))
    hand_in(course.folder, "bo", answered_small(release))
    with pytest.raises(Stopped, match="bubblewrap is missing"):
        run(course, source, client, only=["ada"])
    assert book(course) == {} and course.records(NAME) == {}
    assert run(course, source, client, only=["bo"]).graded == ["bo"]


def test_a_worker_with_another_version_stops(course: Course, source: Path) -> None:
    assignment = course.prepare(source).assignment
    with pytest.raises(Stopped, match="another version of helpers"):
        scheduler.work(assignment, b"{}", "ada", "0", 1)
    assert len(grader_version(assignment)) == 64


def test_connections_without_the_certificate_are_refused(client: Client) -> None:
    address = client.scheduler_info()["address"]
    assert address.startswith("tls://127.0.0.1:")
    with pytest.raises((OSError, ValueError, TypeError)):
        Client(address, timeout=3)
    with pytest.raises(OSError):
        Client(address.replace("tls", "tcp"), timeout=3)


# The real grader.


def test_hostile_submissions_do_not_affect_others(
    tmp_path: Path, client: Client, request: pytest.FixtureRequest
) -> None:
    """All of them in one batch: their points, the others' points, the files outside, the processes."""
    source = tmp_path / "authors" / hostile.NAME / f"{hostile.NAME}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(hostile.source_notebook(), source)
    outside = hostile.prepare()
    request.addfinalizer(lambda: shutil.rmtree(hostile.OUTSIDE))
    cases = {f"{number:02}": case for number, case in enumerate(hostile.CASES)}
    with Course(tmp_path / "course") as course:
        prepared = course.prepare(source)
        for learner, case in cases.items():
            folder = course.folder / "submitted" / learner / hostile.NAME
            folder.mkdir(parents=True)
            case.write(folder)
        summary = scheduler.scan(course, prepared)
        scheduler.grade(course, prepared, client, summary, work=fakes.strict, progress=io.StringIO())
    with Gradebook(course.db_url) as gradebook:
        scores = {found.student.id: found.score for found in gradebook.assignment_submissions(hostile.NAME)}
        names = {student.id for student in gradebook.students}
    assert names == set(scores) == {learner for learner, case in cases.items() if case.expected is not None}
    assert scores == {learner: cases[learner].expected for learner in scores}
    assert set(summary.rejected) == {learner for learner, case in cases.items() if case.expected is None}
    assert not summary.quarantined
    steps = {"source", "release", "submitted", "autograded", "feedback"}
    assert {path.name for path in course.folder.iterdir()} == steps | {"gradebook.db", "nbgrader_config.py"}
    assert hostile.fingerprint() == outside and hostile.daemons() == []
    workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
    left = [child.cmdline() for worker in workers for child in worker.children(recursive=True)]
    assert left and all("guest.main()" in " ".join(line) for line in left)  # the warm sandboxes
    for learner in scores:
        notebook = nbformat.read(
            tmp_path / "course" / "autograded" / learner / hostile.NAME / f"{hostile.NAME}.ipynb", as_version=4
        )
        outputs = json.dumps([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
        assert hostile.SECRET not in outputs and hostile.CANARY not in outputs, cases[learner].name


def command(course: Path, source: Path) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "helpers.grading", "grade", f"--course={course}"]
    arguments += [f"--source={source.parent.parent}", "--workers=1"]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes that a command started, once its workers are among them."""
    started, lines = psutil.Process(process.pid).children(recursive=True), []
    for each in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            lines.append(" ".join(each.cmdline()))
    return started if any("spawn_main" in line for line in lines) else []


def test_a_killed_run_can_be_continued(
    course: Course,
    source: Path,
    release: NotebookNode,
    tmp_path: Path,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed when its worker starts, and when some results are stored: the result is that of an uninterrupted run."""
    learners = [f"learner{number}" for number in range(8)]
    for number, learner in enumerate(learners):
        wrong = {"total": "def total(xs):\n    return 0"} if number % 2 else {}
        hand_in(course.folder, learner, answered_small(release, learner_id=f"learner_id = {learner!r}", **wrong))
    course.close()
    shutil.copytree(course.folder, tmp_path / "whole")
    with Course(tmp_path / "whole") as whole:
        run(whole, source, client, work=scheduler.work, seconds=60)
        expected = state(whole)
    for wanted in (0, 2):
        process = command(course.folder, source)
        while not (started := workers_of(process)) or len(course.records(NAME)) < wanted:
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert {learner for learner, _ in book(course)} == set(course.records(NAME))
        ended, alive = psutil.wait_procs(started, timeout=60)
        assert ended and not alive
    graded = set(course.records(NAME))
    files = {learner: autograded_at(course, learner) for learner in graded}
    monkeypatch.setattr(cluster, "local", lambda *arguments: contextlib.nullcontext(client))
    assert commands.main(["grade", f"--course={course.folder}", f"--source={source.parent.parent}"]) == 0
    out, errors = capsys.readouterr()
    assert f"{8 - len(graded)}/{8 - len(graded)}" in errors
    assert f"{NAME}: {8 - len(graded)} graded, {len(graded)} unchanged" in out
    assert files == {learner: autograded_at(course, learner) for learner in graded}  # nothing was graded twice
    assert state(course) == expected
    assert book(course)["learner1", "hidden_total"] == (3, None, False)  # sum of nothing is 0
    assert book(course)["learner1", "test_total"] == (0, None, False)
    assert autograded(course, "learner0").cells[-1].source == "Because it is so."


def autograded_at(course: Course, learner: str) -> int:
    return (course.folder / "autograded" / learner / NAME / f"{NAME}.ipynb").stat().st_mtime_ns


# A running scheduler and its workers.


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        process.wait()


def test_remote_workers(course: Course, source: Path, release: NotebookNode, tmp_path: Path) -> None:
    """A scheduler and two workers in separate processes without the course folder; one worker is killed."""
    answers = {f"learner{number}": "sleep 0.4" for number in range(12)}
    hand_in_all(course, release, **answers)
    contact = tmp_path / "scheduler.json"
    worker = ["distributed.cli.dask_worker", "--scheduler-file", str(contact), "--nthreads", "1", "--host", "127.0.0.1"]
    worker += ["--local-directory", str(tmp_path / "scratch"), "--no-dashboard"]
    scheduler_command = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler_command += ["--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(contact)]
    with started(*scheduler_command), started(*worker, "--no-nanny") as doomed, started(*worker):
        while not contact.exists() or not contact.read_text():  # the scheduler creates the file, then fills it
            time.sleep(0.1)
        address = json.loads(contact.read_text())["address"]
        counts: list[dict] = []
        with cluster.remote(address) as client:
            client.wait_for_workers(2, timeout=120)
            done = threading.Event()

            def watch() -> None:
                dashboard = client.dashboard_link.removesuffix("/status")
                while not done.wait(0.2):
                    with urllib.request.urlopen(f"{dashboard}/json/counts.json", timeout=10) as reply:
                        counts.append(json.load(reply))
                    if len(course_graded()) >= 3 and doomed.poll() is None:
                        doomed.kill()
                with urllib.request.urlopen(client.dashboard_link, timeout=10) as reply:
                    assert reply.status == 200

            def course_graded() -> list[Path]:
                return list((course.folder / "autograded").glob(f"*/{NAME}/{NAME}.ipynb"))

            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                summary = run(course, source, client)
            finally:
                done.set()
                watcher.join()
    assert doomed.returncode == -signal.SIGKILL
    assert sorted(summary.graded) == sorted([*RIGHT, *answers]) and not summary.quarantined
    assert {count["workers"] for count in counts} >= {
        1,
        2,
    }  # a worker slow to hand over a result is replaced: 0 at times
    assert max(count["processing"] for count in counts) >= 1
    assert not list(course.folder.rglob("*scratch*"))


# The command.


# The clock.


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_certificate_is_valid_at_any_time(tmp_path: Path) -> None:
    security = cluster._security(tmp_path)
    assert security is not None and security.require_encryption
    certificate = str(tmp_path / "certificate.pem")
    for moment in ("1", "1000000000", "4000000000", "250000000000"):  # 1970, 2001, 2096, 9892
        command = ["openssl", "verify", "-CAfile", certificate, "-attime", moment, certificate]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.endswith("OK\n")
    wrong = ["openssl", "verify", "-attime", "1", certificate]  # nobody else vouches for it
    assert subprocess.run(wrong, capture_output=True).returncode != 0


def test_setting_the_clock_ends_no_worker(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler runs in this process: only its clock jumps."""
    workers = set(client.nthreads())
    assert client.cluster is not None
    for jump in (10**6, -(10**6)):
        monkeypatch.setattr("distributed.scheduler.time", lambda jump=jump: time.time() + jump)
        if client.cluster.scheduler.worker_ttl:  # then it does this by itself, once in a while
            client.sync(client.cluster.scheduler.check_worker_ttl)
        assert client.submit(abs, -jump).result(timeout=60) == abs(jump)
        assert set(client.nthreads()) == workers


def test_expected_errors_are_printed_as_one_line(
    course: Course, source: Path, release: NotebookNode, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def error_of(*arguments: str) -> str:
        assert commands.main([*arguments, f"--source={source.parent.parent}", f"--course={course.folder}"]) == 1
        out, error = capsys.readouterr()
        assert len(error.splitlines()) == 1 and "Traceback" not in error + out
        return error

    assert "there are no submissions in" in error_of("grade")
    assert "no homework is called 'hw7'; there are hw0_small" in error_of("grade", "hw7")
    hand_in(course.folder, "ada", answered_small(release))
    assert "there is no submission of hw0_small by nobody" in error_of("grade", "--only=nobody")
    monkeypatch.setenv("PATH", "/nowhere")
    assert "bubblewrap is missing" in error_of("grade") and book(course) == {}
    with course.writing():
        assert "another command is writing to" in error_of("grade")
    assert commands.main(["status", f"--source={source.parent.parent}", f"--course={course.folder}"]) == 0
    assert "1 to grade, 0 graded" in capsys.readouterr().out


def test_every_command_has_a_summary(capsys: pytest.CaptureFixture) -> None:
    for name in (None, *commands.COMMANDS):
        with pytest.raises(SystemExit) as end:
            commands.main([name, "--help"] if name else ["--help"])
        assert end.value.code == 0
    text = capsys.readouterr().out
    assert all(f"\n    {name}" in text and f"helpers.grading {name} [" in text for name in commands.COMMANDS)

"""Grade many submissions at once, on dask.distributed.

Workers get a notebook and the homework, and answer with what came out: they keep nothing, read no gradebook and share
no disk. This process alone reads submissions and writes results, each as soon as it is there, so that a run may be
ended at any moment, in any way, and the same command goes on where it was.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, wait
from distributed.comm import CommClosedError
from distributed.security import Security
from tqdm import tqdm

from helpers.grading import files, judge
from helpers.grading.assignment import Assignment
from helpers.grading.course import Course, CourseError, PreparedAssignment
from helpers.grading.judge import Graded
from helpers.grading.sandbox.host import DEFAULT_LIMITS, Limits, Sandbox, SandboxUnavailable
from helpers.grading.submission import RejectedSubmission, Submission
from helpers.grading.version import grader_version

LIMIT = 2 * DEFAULT_LIMITS.total_seconds  # when a worker without a result is replaced; the judge ends earlier
GONE = "the scheduler is gone; the same command goes on when it is back"
_GRACE = 10.0
_POLL = 1.0
PATIENCE = 600.0  # without any worker

Work = Callable[..., dict[str, Any]]


class Stopped(RuntimeError):
    """Nothing more can be graded, for a reason that no submission is to blame for."""


class _Failed(RuntimeError):
    """A submission was not graded: why, in a few words."""


@dataclass
class Summary:
    """What a run did with one homework."""

    assignment: str
    waiting: list[str] = field(default_factory=list)
    graded: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    quarantined: dict[str, str] = field(default_factory=dict)
    attention: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by_hand: int = 0
    cpu_seconds: float = 0.0

    def __str__(self) -> str:
        numbers = [f"{len(self.waiting)} to grade"] * bool(self.waiting)
        numbers += [f"{len(self.graded)} graded", f"{len(self.unchanged)} unchanged"]
        numbers += [f"{len(self.rejected)} rejected"] * bool(self.rejected)
        numbers += [f"{len(self.quarantined)} quarantined"] * bool(self.quarantined)
        lines = [f"{self.assignment}: {', '.join(numbers)}"]
        if self.by_hand:
            lines.append(f"  {self.by_hand} with a written answer to grade: python -m helpers.grading formgrade")
        told = [f"    {learner}: rejected, {why}" for learner, why in self.rejected.items()]
        told += [f"    {learner}: quarantined, {why}" for learner, why in self.quarantined.items()]
        told += [f"    {learner}: {line}" for learner, each in self.attention.items() for line in each]
        return "\n".join(files.printable(line) for line in lines + ["  needs a human:"] * bool(told) + sorted(told))


def work(
    assignment: Assignment, notebook: bytes, learner: str, version: str, seconds: float, limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """What a worker does: grade one notebook in the sandbox that its process keeps.

    Raises:
        Stopped: this worker grades by other code than the one who asks, or can start no sandbox.
    """
    if version != grader_version(assignment):
        raise Stopped("a worker has another version of helpers than this computer; install the same on both")
    with _one_at_a_time, _watchdog(seconds):
        return _graded(assignment, json.loads(notebook), learner, limits).as_dict()


@contextlib.contextmanager
def local(workers: int | None = None, dashboard: bool = False) -> Iterator[Client]:
    """Worker processes on this computer, one a core, that nobody else can talk to."""
    settings = {
        "distributed.scheduler.allowed-failures": 0,  # we try again ourselves, when nothing else runs
        "distributed.deploy.lost-worker-timeout": "1 hour",  # a new one has to load torch before it says hello
        "distributed.scheduler.worker-ttl": None,  # it reads the clock, which may be set; see _replace_hung
        "distributed.worker.profile.enabled": False,
        "distributed.admin.system-monitor.interval": "5s",
        "logging.distributed": "critical",
    }
    with dask.config.set(settings), tempfile.TemporaryDirectory() as keys:
        security = _security(Path(keys))
        cluster = LocalCluster(
            n_workers=workers or len(os.sched_getaffinity(0)),
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls://" if security else "tcp://",
            security=security,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": dashboard},
            silence_logs=logging.CRITICAL,
        )
        with cluster, Client(cluster, security=security) as client:
            yield client


@contextlib.contextmanager
def remote(address: str, patience: float = 60) -> Iterator[Client]:
    """The workers of a scheduler that runs already.

    Raises:
        Stopped: it does not answer, or has no worker.
    """
    try:
        client = Client(address, timeout=patience)
    except (OSError, ValueError) as error:
        raise Stopped(f"no scheduler answers at {address} ({error})") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError as error:
            raise Stopped(f"the scheduler at {address} has no worker") from error
        yield client


def scan(course: Course, prepared: PreparedAssignment, only: Sequence[str] = (), force: bool = False) -> Summary:
    """What waits for grading, and what is graded, rejected or quarantined already.

    Raises:
        CourseError: one of ``only`` has handed in nothing.
    """
    name = prepared.assignment.name
    learners, records = course.learners(name), course.records(name)
    if unknown := sorted(set(only) - set(learners)):
        raise CourseError(f"{', '.join(unknown)} handed in no {name}")
    summary = Summary(name, by_hand=course.count_waiting_for_manual_grade(name))
    for learner in only or learners:
        try:
            digest = course.content(name, learner)[2]
        except RejectedSubmission as reason:
            summary.rejected[learner] = str(reason)
            continue
        record = records.get(learner)
        if force or record is None or record.digest != digest:
            summary.waiting.append(learner)
        elif record.quarantined:
            summary.quarantined[learner] = record.quarantined
        else:
            summary.unchanged.append(learner)
            if record.attention:
                summary.attention[learner] = record.attention
    return summary


def grade(
    course: Course,
    prepared: PreparedAssignment,
    client: Client,
    summary: Summary,
    *,
    work: Work = work,
    seconds: float = LIMIT,
    progress: TextIO | None = None,
) -> Summary:
    """Grade what waits, and store each result as it comes.

    A submission that its worker does not survive, or that makes the grader fail, is tried once more when nothing else
    runs; then it is quarantined, without a grade.

    Args:
        work: what a worker does, see :func:`work`.
        seconds: when a worker that has not answered is replaced.
        progress: where the bar is drawn, ``sys.stderr`` if not told.

    Raises:
        Stopped: no sandbox can be started, or the scheduler is gone. What was stored stays.
    """
    with tqdm(
        total=len(summary.waiting),
        desc=prepared.assignment.name,
        file=progress,
        smoothing=0.05,
        dynamic_ncols=True,
        bar_format="{desc} {n_fmt}/{total_fmt} |{bar}| {elapsed} gone, {remaining} left",
    ) as bar:
        run = _Run(course, prepared, client, summary, work, seconds, bar)
        try:
            run.through(run.through(summary.waiting, alone=False), alone=True)
        except CommClosedError as error:
            raise Stopped(GONE) from error
    summary.waiting = []
    summary.by_hand = course.count_waiting_for_manual_grade(prepared.assignment.name)
    return summary


@dataclass
class _Running:
    submission: Submission
    since: float
    worker: str | None = None
    struck: bool = False


@dataclass
class _Run:
    course: Course
    prepared: PreparedAssignment
    client: Client
    summary: Summary
    work: Work
    seconds: float
    bar: tqdm

    def through(self, learners: Sequence[str], alone: bool) -> list[str]:
        """Grade these; returns who has to be tried again when nothing else runs."""
        waiting, again = deque(learners), []
        running: dict[Future, _Running] = {}
        looked = seen = time.monotonic() - 5 * _POLL
        while waiting or running:
            if time.monotonic() - looked >= 5 * _POLL:
                workers, looked = len(self.client.nthreads()), time.monotonic()
                seen = looked if workers else seen
                if looked - seen > PATIENCE:
                    raise Stopped("all workers are gone; the same command goes on when there are some")
                # One a worker, and a few that wait at their door.
                places = 1 if alone else workers + 1 + workers // 4
                self._replace_hung(running)
            self._fill(waiting, running, places)
            with contextlib.suppress(TimeoutError, CancelledError):
                wait(list(running), timeout=_POLL, return_when="FIRST_COMPLETED")
            for future in [each for each in running if each.done()]:
                entry = running.pop(future)
                try:
                    self._fill(waiting, running, places)  # first the workers, then our own part
                    if not self._settle(future, entry, alone):
                        again.append(entry.submission.learner)
                except TimeoutError:  # the worker with the result hangs: a new one will grade it again
                    running[future] = entry
                    self._restart(self.client.who_has([future]).get(future.key, ()))
        return again

    def _fill(self, waiting: deque[str], running: dict[Future, _Running], places: int) -> None:
        name = self.prepared.assignment.name
        while waiting and len(running) < places:
            learner = waiting.popleft()
            try:
                submission = self.course.submission(name, learner)
            except RejectedSubmission as reason:
                self.summary.rejected[learner] = str(reason)
                self.bar.update()
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a large notebook is no large graph
                future = self.client.submit(
                    self.work,
                    self.prepared.assignment,
                    submission.worker_input(),
                    learner,
                    grader_version(self.prepared.assignment),
                    self.seconds,
                    key=f"{name}-{uuid.uuid4().hex}",  # the dashboard shows keys: no names of learners
                    pure=False,
                )
            running[future] = _Running(submission, time.monotonic())

    def _settle(self, future: Future, entry: _Running, alone: bool) -> bool:
        """Store a result, or why there is none; whether that is final."""
        submission = entry.submission
        learner, name = submission.learner, submission.assignment
        try:
            graded = Graded.from_dict(self._result(future, entry))
            self.course.store(submission, graded)
        except (_Failed, CourseError) as error:
            if not alone:
                return False
            self.course.quarantine(name, learner, submission.digest, str(error))
            self.summary.quarantined[learner] = str(error)
        else:
            self.summary.graded.append(learner)
            self.summary.cpu_seconds += graded.cpu_seconds
            if attention := submission.attention_after(graded):
                self.summary.attention[learner] = attention
        self.bar.update()
        return True

    def _result(self, future: Future, entry: _Running) -> dict[str, Any]:
        """What a worker answered.

        Raises:
            _Failed: it did not, and the submission may be to blame.
            Stopped: it did not, and no submission is.
            TimeoutError: it did, and cannot be reached any more.
        """
        if entry.struck:
            raise _Failed(f"its worker did not answer within {self.seconds:.0f} seconds")
        if future.cancelled():
            raise Stopped(GONE)
        if future.status != "error":
            return future.result(timeout=_GRACE)
        error = future.exception()
        if isinstance(error, Stopped):
            raise error
        lost = isinstance(error, KilledWorker)
        raise _Failed("no worker survives it" if lost else f"{type(error).__name__}: {error}"[:300]) from error

    def _replace_hung(self, running: dict[Future, _Running]) -> None:
        """Replace workers that neither answer nor die, as their own watchdog would have made them."""
        at = {key: worker for worker, keys in self.client.processing().items() for key in keys}
        hung: dict[str, tuple[Future, _Running]] = {}
        for future, entry in running.items():
            worker = at.get(future.key)
            if worker != entry.worker:
                entry.worker, entry.since = worker, time.monotonic()
            # It may have waited for one other at its worker's door; the first that came is the one that runs.
            if worker and time.monotonic() - entry.since > 2 * self.seconds + _GRACE:
                hung.setdefault(worker, (future, entry))
        for future, entry in hung.values():
            entry.struck = True
            future.cancel(force=True)
        if hung:
            self._restart(hung)

    def _restart(self, workers: Iterable[str]) -> None:
        with contextlib.suppress(TimeoutError):
            self.client.restart_workers(list(workers), timeout=_GRACE, raise_for_error=False)


_one_at_a_time = threading.Lock()  # the sandbox of this process serves one submission after another
_sandbox: Sandbox | None = None


def _graded(assignment: Assignment, notebook: dict, learner: str, limits: Limits) -> Graded:
    """Grade in the warm sandbox of this process; a broken one is replaced."""
    global _sandbox
    try:
        _sandbox = _sandbox or Sandbox().__enter__()
        return judge.grade(assignment, notebook, learner, _sandbox, limits)
    except judge.GraderBroken as error:
        raise Stopped(str(error)) from None
    except SandboxUnavailable:
        if _sandbox:
            _sandbox.close()
            _sandbox = None
    try:
        _sandbox = Sandbox().__enter__()
    except SandboxUnavailable as error:
        raise Stopped(str(error)) from None
    return judge.grade(assignment, notebook, learner, _sandbox, limits)


@contextlib.contextmanager
def _watchdog(seconds: float) -> Iterator[None]:
    """End this process after some time, even when it hangs in foreign code: its nanny starts another."""
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _security(folder: Path) -> Security | None:
    """A certificate for this run: other people on this computer must not give orders to our workers."""
    if not shutil.which("openssl"):
        print("openssl is missing: others who are logged in to this computer can reach the workers", file=sys.stderr)
        return None
    key, request, certificate = (str(folder / name) for name in ("key.pem", "request.pem", "certificate.pem"))
    (folder / "openssl.cnf").write_text(_OPENSSL.format(folder=folder))
    (folder / "index.txt").touch()
    settings = ("-config", str(folder / "openssl.cnf"))
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)
    _openssl("req", *settings, "-new", *new_key, "-subj", "/CN=grading", "-out", request)
    # Valid at any time, as a clock may be set while a run goes on; only `openssl ca` takes a start in the past.
    always = ("-startdate", "19700101000000Z", "-enddate", "99991231235959Z")
    _openssl("ca", *settings, "-selfsign", "-batch", "-notext", *always, "-keyfile", key, "-in", request,
             "-out", certificate)  # fmt: skip
    roles = {
        f"tls_{role}_{part}": path
        for role in ("scheduler", "worker", "client")
        for part, path in (("key", key), ("cert", certificate))
    }
    return Security(require_encryption=True, tls_ca_file=certificate, **roles)


_OPENSSL = """[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
default_md = sha256
policy = names
rand_serial = yes
x509_extensions = authority
[names]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
[req]
distinguished_name = subject
[subject]
"""


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

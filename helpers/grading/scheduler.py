"""Grade many submissions in parallel with dask.distributed.

A worker receives a notebook and the homework and returns the result; it keeps no state, reads no gradebook and needs no
shared file system. Only this process reads submissions and writes results. It writes each result as soon as it arrives,
so that an interrupted run can be continued with the same command.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any, TextIO

from distributed import wait
from tqdm import tqdm

from helpers.grading import cluster, files, judge
from helpers.grading.assignment import Assignment
from helpers.grading.cluster import Client, CommClosedError, Future, KilledWorker, Stopped
from helpers.grading.course import Course, CourseError, PreparedAssignment
from helpers.grading.judge import Graded
from helpers.grading.sandbox.host import DEFAULT_LIMITS, Limits, Sandbox, SandboxUnavailable
from helpers.grading.submission import RejectedSubmission, Submission
from helpers.grading.version import grader_version

LIMIT = 2 * DEFAULT_LIMITS.total_seconds  # seconds until a worker without a result is replaced; the judge stops earlier
SCHEDULER_LOST = "the connection to the scheduler was lost; run the same command again to continue"
_GRACE = 10.0
_POLL = 1.0
PATIENCE = 600.0  # seconds without any worker

Work = Callable[..., dict[str, Any]]


class _Failed(RuntimeError):
    """A submission was not graded; the message is the reason in a few words."""


@dataclass
class Summary:
    """The submissions of one homework by their state, before or after a run.

    Attributes:
        assignment: the name of the homework.
        waiting: learners whose submissions have to be graded.
        graded: learners whose submissions were graded in this run.
        unchanged: learners whose submissions were graded before.
        rejected: learner → the reason why the submission cannot be read.
        quarantined: learner → the reason why the submission could not be graded.
        attention: learner → lines that the instructor should read.
        by_hand: the number of submissions that wait for a grade by hand.
        cpu_seconds: processor time of this run.
    """

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
            lines.append(
                f"  {self.by_hand} submissions with a written answer to grade: python -m helpers.grading formgrade"
            )
        lines_of_learners = [f"    {learner}: rejected, {why}" for learner, why in self.rejected.items()]
        lines_of_learners += [f"    {learner}: quarantined, {why}" for learner, why in self.quarantined.items()]
        lines_of_learners += [f"    {learner}: {line}" for learner, notes in self.attention.items() for line in notes]
        if lines_of_learners:
            lines += ["  needs attention:", *sorted(lines_of_learners)]
        return "\n".join(map(files.printable, lines))


def work(
    assignment: Assignment, notebook: bytes, learner: str, version: str, seconds: float, limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Grade one notebook on a worker, in the sandbox of its process.

    Args:
        assignment: the author's version of the homework.
        notebook: the notebook as JSON, see :meth:`helpers.grading.submission.Submission.worker_input`.
        learner: the learner's id.
        version: see :func:`helpers.grading.version.grader_version`.
        seconds: the time after which the worker process is ended.
        limits: resource limits of the submission.

    Returns:
        See :meth:`helpers.grading.judge.Graded.as_dict`.

    Raises:
        Stopped: the worker has another version of the grading code, or cannot start a sandbox.
    """
    if version != grader_version(assignment):
        raise Stopped("a worker has another version of helpers; install the same version on all computers")
    with _sandbox_lock, _watchdog(seconds):
        return _graded(assignment, json.loads(notebook), learner, limits).as_dict()


def scan(course: Course, prepared: PreparedAssignment, only: Sequence[str] = (), force: bool = False) -> Summary:
    """The submissions that are waiting, and those already graded, rejected or quarantined.

    Args:
        course: the course.
        prepared: the homework.
        only: consider only these learners.
        force: treat graded submissions as waiting.

    Raises:
        CourseError: a learner in ``only`` has no submission.
    """
    name = prepared.assignment.name
    learners, records = course.learners(name), course.records(name)
    if unknown := sorted(set(only) - set(learners)):
        raise CourseError(f"there is no submission of {name} by {', '.join(unknown)}")
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
    """Grade the waiting submissions, and store each result as soon as it arrives.

    A submission whose worker dies, or that makes the grader fail, is tried once more with no other submission running;
    if it fails again, it is quarantined without a grade.

    Args:
        course: the course.
        prepared: the homework.
        client: the connection to the workers.
        summary: the result of :func:`scan`; it is updated.
        work: the function that runs on the workers, see :func:`work`.
        seconds: the time after which a worker without a result is replaced.
        progress: the stream for the progress bar, by default ``sys.stderr``.

    Raises:
        Stopped: no sandbox can be started, or the scheduler is lost. Stored results are kept.
    """
    with tqdm(
        total=len(summary.waiting),
        desc=prepared.assignment.name,
        file=progress,
        smoothing=0.05,
        dynamic_ncols=True,
        bar_format="{desc} {n_fmt}/{total_fmt} |{bar}| {elapsed} elapsed, {remaining} left",
    ) as bar:
        run = _Run(course, prepared, client, summary, work, seconds, bar)
        try:
            run.grade(run.grade(summary.waiting, alone=False), alone=True)
        except CommClosedError as error:
            raise Stopped(SCHEDULER_LOST) from error
    summary.waiting = []
    summary.by_hand = course.count_waiting_for_manual_grade(prepared.assignment.name)
    return summary


@dataclass
class _Running:
    submission: Submission
    since: float
    worker: str | None = None
    is_cancelled: bool = False


@dataclass
class _Run:
    course: Course
    prepared: PreparedAssignment
    client: Client
    summary: Summary
    work: Work
    seconds: float
    bar: tqdm

    def grade(self, learners: Sequence[str], alone: bool) -> list[str]:
        """Grade submissions, and return the learners whose submission has to be tried again.

        Args:
            alone: whether to run one at a time, and to quarantine a submission that fails.
        """
        waiting, again = deque(learners), []
        running: dict[Future, _Running] = {}
        last_check = last_worker = time.monotonic() - 5 * _POLL
        while waiting or running:
            if time.monotonic() - last_check >= 5 * _POLL:
                workers, last_check = len(self.client.nthreads()), time.monotonic()
                last_worker = last_check if workers else last_worker
                if last_check - last_worker > PATIENCE:
                    raise Stopped("all workers were lost; start new ones, and run the same command again to continue")
                # One per worker, and a few queued ones so that no worker is idle.
                capacity = 1 if alone else workers + 1 + workers // 4
                self._replace_hung(running)
            self._fill(waiting, running, capacity)
            with contextlib.suppress(TimeoutError, CancelledError):
                wait(list(running), timeout=_POLL, return_when="FIRST_COMPLETED")
            for future in [future for future in running if future.done()]:
                entry = running.pop(future)
                try:
                    self._fill(waiting, running, capacity)  # keep the workers busy while the result is stored
                    if not self._store(future, entry, alone):
                        again.append(entry.submission.learner)
                except TimeoutError:  # the worker with the result hangs; another one will grade it again
                    running[future] = entry
                    cluster.restart_holders(self.client, future, _GRACE)
        return again

    def _fill(self, waiting: deque[str], running: dict[Future, _Running], capacity: int) -> None:
        name = self.prepared.assignment.name
        while waiting and len(running) < capacity:
            learner = waiting.popleft()
            try:
                submission = self.course.submission(name, learner)
            except RejectedSubmission as reason:
                self.summary.rejected[learner] = str(reason)
                self.bar.update()
                continue
            future = cluster.submit(
                self.client,
                f"{name}-{uuid.uuid4().hex}",  # shown in the dashboard, so it contains no names of learners
                self.work,
                self.prepared.assignment,
                submission.worker_input(),
                learner,
                grader_version(self.prepared.assignment),
                self.seconds,
            )
            running[future] = _Running(submission, time.monotonic())

    def _store(self, future: Future, entry: _Running, alone: bool) -> bool:
        """Store a result, or quarantine the submission; return ``False`` if it has to be tried again."""
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
        """The result that a worker returned.

        Raises:
            _Failed: there is none, possibly because of the submission.
            Stopped: there is none, for a reason that does not depend on a submission.
            TimeoutError: there is one, but its worker cannot be reached any more.
        """
        if entry.is_cancelled:
            raise _Failed(f"its worker did not answer within {self.seconds:.0f} seconds")
        if future.cancelled():
            raise Stopped(SCHEDULER_LOST)
        if future.status != "error":
            return future.result(timeout=_GRACE)
        error = future.exception()
        if isinstance(error, Stopped):
            raise error
        lost = isinstance(error, KilledWorker)
        raise _Failed("its worker process died" if lost else f"{type(error).__name__}: {error}"[:300]) from error

    def _replace_hung(self, running: dict[Future, _Running]) -> None:
        """Replace workers that neither return a result nor end, not even by their own watchdog."""
        workers = cluster.worker_by_key(self.client)
        hung: dict[str, tuple[Future, _Running]] = {}
        for future, entry in running.items():
            worker = workers.get(future.key)
            if worker != entry.worker:
                entry.worker, entry.since = worker, time.monotonic()
            # It may have been queued behind another on its worker; of several, the first one is running.
            if worker and time.monotonic() - entry.since > 2 * self.seconds + _GRACE:
                hung.setdefault(worker, (future, entry))
        for future, entry in hung.values():
            entry.is_cancelled = True
            cluster.cancel(future)
        if hung:
            cluster.restart(self.client, hung, _GRACE)


_sandbox_lock = threading.Lock()  # a Sandbox must not be used by two threads
_sandbox: Sandbox | None = None


def _graded(assignment: Assignment, notebook: dict, learner: str, limits: Limits) -> Graded:
    """Grade in the sandbox of this process, which is kept between calls and replaced if it fails."""
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
    """End this process after some time, even if it hangs in native code; its nanny starts a new one."""
    with open(os.devnull, "w") as devnull:
        faulthandler.dump_traceback_later(seconds, exit=True, file=devnull)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

"""Grade one submission: run a notebook, and return its outputs and a verdict for each test.

Two sessions of the sandbox exchange messages through this process, which forwards them without decoding. One runs the
submission. The other runs the author's tests; there, each answer is bound to its value or to a function that calls the
submission's function. Therefore the tests are never in the process of the submission, and messages of the submission
are decoded in the sandbox only.

Visible tests run before hidden ones, so that a function that stores its arguments cannot reveal those of hidden tests
in the messages of visible ones.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from helpers.grading.assignment import Assignment, Cell, Kind
from helpers.grading.sandbox.host import (
    DEFAULT_LIMITS,
    Limits,
    Sandbox,
    SandboxUnavailable,
    Session,
    SessionDied,
    clean,
    error_output,
    library_modules,
)
from helpers.grading.version import grading_modules

__all__ = ["Graded", "GraderBroken", "Limits", "Sandbox", "SandboxUnavailable", "Verdict", "grade"]

HIDDEN_FAILED = "hidden tests failed"
"""The message of a hidden test that failed; the names of its tests follow if they are known."""

_HIDDEN = "### BEGIN HIDDEN TESTS"
_HANDLE = re.compile(rb"#[0-9]{1,4} ")
_MAX_MESSAGE = 2_000
_MAX_ANSWERS = 32 * 2**20  # bytes of all answers that are values; they are kept, and sent to every new test runner
_OUT_OF_TIME = "was not run: the submission used up its time"
_MAX_ATTENTION = 30


class GraderBroken(RuntimeError):
    """The author's own cells raise an error; nothing was graded."""


@dataclass(frozen=True)
class Verdict:
    """The result of one test cell.

    Attributes:
        passed: whether the test passed.
        message: its printed text or its error message; for a hidden test, only the names of its tests.
        seconds: its run time.
    """

    passed: bool
    message: str
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Graded:
    """The result of one submission.

    Attributes:
        outputs: nbformat outputs of the code cells that ran, by index in the notebook's ``cells``.
        tests: the verdict of every test cell of the assignment, by id.
        attention: lines that the instructor should read.
        cpu_seconds: of submission and tests together.
    """

    outputs: dict[int, list[dict]]
    tests: dict[str, Verdict]
    attention: tuple[str, ...]
    cpu_seconds: float

    def as_dict(self) -> dict:
        """The result as a dict that can be converted to JSON."""
        return {**asdict(self), "outputs": {str(index): outputs for index, outputs in self.outputs.items()}}

    @classmethod
    def from_dict(cls, fields: dict) -> Graded:
        """The inverse of :meth:`as_dict`."""
        return cls(
            {int(index): outputs for index, outputs in fields["outputs"].items()},
            {name: Verdict(**verdict) for name, verdict in fields["tests"].items()},
            tuple(fields["attention"]),
            fields["cpu_seconds"],
        )


def grade(
    assignment: Assignment, notebook: dict, learner_id: str, sandbox: Sandbox, limits: Limits = DEFAULT_LIMITS
) -> Graded:
    """Run a submission and test it.

    Args:
        assignment: the author's version of the homework.
        notebook: see :meth:`helpers.grading.submission.Submission.worker_input`. Only its structure is trusted.
        learner_id: the id in the roster. Individual numbers are derived from the id that the learner typed; if the two
            differ, there is a line in ``attention``.
        sandbox: the sandbox to use.
        limits: resource limits of the submission.

    Raises:
        SandboxUnavailable: no session can be started; the submission is not graded.
        GraderBroken: the author's own cells raise an error.
    """
    deadline = time.monotonic() + limits.total_seconds
    attention: list[str] = []
    with contextlib.ExitStack() as stack:
        imported = _library(assignment, "setup")
        submission = stack.enter_context(SubmissionProcess(sandbox, limits, deadline, imported))
        test_runner = stack.enter_context(TestRunner(assignment, learner_id, submission, sandbox, limits, deadline))
        outputs: dict[int, list[dict]] = {}
        room = limits.all_output
        for index, source in _cells_to_run(assignment, notebook):
            cell_outputs, reason = submission.run(source)
            outputs[index] = cell_outputs if room > 0 else []
            room -= sum(len(str(output)) for output in cell_outputs)
            if reason or (reason := _error_in(cell_outputs)):
                attention.append(f"cell {index} {reason}")
        test_runner.prepare()
        tests = test_runner.run_tests()
        attention += [*submission.attention, *test_runner.attention]
        typed = test_runner.typed_id
    if typed == "":
        attention.insert(0, "learner_id is empty; questions with individual numbers are graded for an empty id")
    elif typed is not None and _normalised(typed) != _normalised(learner_id):
        attention.insert(0, f"learner_id is {typed[:80]!r} in the notebook and {learner_id!r} in the roster")
    if len(attention) > _MAX_ATTENTION:
        attention[_MAX_ATTENTION:] = [f"… and {len(attention) - _MAX_ATTENTION} more lines"]
    return Graded(outputs, tests, tuple(attention), round(submission.cpu_seconds + test_runner.cpu_seconds, 3))


def _normalised(text: str) -> str:
    return " ".join(text.split()).casefold()


def _cells_to_run(assignment: Assignment, notebook: dict) -> Iterator[tuple[int, str]]:
    """Index and source of the code cells that are not tests; the source of setup cells is the author's."""
    setup = {cell.id: cell.source for cell in assignment.of("setup")}
    tests = {cell.id for cell in assignment.of("test")}
    for index, cell in enumerate(notebook["cells"]):
        name = cell["metadata"].get("nbgrader", {}).get("grade_id")
        source = setup.get(name, cell["source"])
        if cell["cell_type"] == "code" and name not in tests and source.strip():
            yield index, source


class SubmissionProcess:
    """The process of a submission. If it dies, a new one is started, which first runs the earlier cells again."""

    def __init__(self, sandbox: Sandbox, limits: Limits, deadline: float, library: Mapping[str, str]):
        self.sandbox = sandbox
        self.library = library
        self.limits = limits
        self.deadline = deadline
        self.attention: list[str] = []
        self.cpu_seconds = 0.0
        self.restarts = limits.restarts
        self.ran: list[str] = []
        self.broken: dict[bytes, bytes] = {}
        self.session: Session | None = None

    def __enter__(self) -> SubmissionProcess:
        self.session = self.sandbox.session(self.limits, library=self.library)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, source: str) -> tuple[list[dict], str]:
        """The outputs of a cell, and the reason if its process died or was killed; else an empty string."""
        try:
            outputs = self._running_session().run(source, self._seconds(self.limits.cell_seconds))
        except SessionDied as death:
            self.end()
            return [*death.outputs, error_output("Stopped", f"this cell {death.reason}")], death.reason
        self.ran.append(source)
        return outputs, ""

    def request(self, verb: bytes, rest: bytes, answer: Callable[[bytes], bytes] | None = None) -> tuple[bytes, bytes]:
        """As :meth:`Session.request`, in a new process if the last one died."""
        session = self._running_session()
        try:
            return session.request(verb, rest, self._seconds(self.limits.call_seconds), answer)
        except SessionDied:
            # Also if the test runner died: the process of the submission would wait for its reply.
            if self.session is session:
                self.end()
            raise

    def call(self, line: bytes, answer: Callable[[bytes], bytes]) -> bytes:
        """Forward a call of an answer, and return the reply; an answer that ended its process is not called again."""
        name = line.partition(b" ")[0]
        if name not in self.broken:
            try:
                kind, rest = self.request(b"call", line, answer)
                return kind + b" " + rest
            except SessionDied as death:
                if death.test_runner:
                    raise
                message = f"{name.decode()} {death.reason}"
                self.attention.append(message)
                self.broken[name] = _raised("TimeoutError" if "longer" in death.reason else "RuntimeError", message)
        return self.broken[name]

    def end(self) -> None:
        """End the process; the next request starts a new one."""
        if self.session is not None:
            self.session.close()
            self.cpu_seconds += self.session.cpu_seconds
            self.session = None

    def _seconds(self, limit: float) -> float:
        return min(limit, self.deadline - time.monotonic())

    def _running_session(self) -> Session:
        while True:
            if time.monotonic() > self.deadline:
                raise SessionDied(_OUT_OF_TIME)
            if self.session is not None:
                return self.session
            if self.restarts <= 0:
                raise SessionDied("was not run: the submission ended its process too often")
            self.restarts -= 1
            self.session = self.sandbox.session(self.limits, library=self.library)
            for index, source in enumerate(self.ran):
                try:
                    self.session.run(source, self._seconds(self.limits.cell_seconds))
                except SessionDied:
                    del self.ran[index]
                    self.end()
                    break


class TestRunner:
    """Runs the author's setup and test cells in a separate session, in which answers are values or remote functions."""

    def __init__(
        self,
        assignment: Assignment,
        learner_id: str,
        submission: SubmissionProcess,
        sandbox: Sandbox,
        limits: Limits,
        deadline: float,
    ):
        self.assignment = assignment
        self.learner_id = learner_id
        self.submission = submission
        self.sandbox = sandbox
        self.limits = limits
        self.deadline = deadline
        self.attention: list[str] = []
        self.cpu_seconds = 0.0
        self.typed_id: str | None = None
        self.bound: dict[str, bytes] = {}
        self.done: list[Cell] = []
        self.not_run: list[str] = []
        self.depth = 0
        self.answer_failed = False
        self.session: Session | None = None

    def __enter__(self) -> TestRunner:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def prepare(self) -> None:
        """Fetch every answer once, and run the setup cells."""
        room = _MAX_ANSWERS
        for cell in self.assignment.of("answer"):
            value = self._fetch(cell.id)
            if len(value) > room:
                self.attention.append(f"{cell.id} is too large: all answers together may have {_MAX_ANSWERS:,} bytes")
                value = b"unsupported large_value"
            self.bound[cell.id] = value
            room -= len(value)
        if "learner_id" in self.bound:
            self.typed_id = _text_of(self.bound["learner_id"])
        learner_id = self.learner_id if self.typed_id is None else self.typed_id
        self.bound["learner_id"] = b"value " + json.dumps(learner_id).encode()
        self._begin()

    def run_tests(self) -> dict[str, Verdict]:
        """The verdicts of all test cells by id. Visible tests run first."""
        cells = self.assignment.of("test")
        verdicts = {}
        for cell in sorted(cells, key=is_hidden):
            start = time.monotonic()
            verdict = self._verdict(cell)
            verdicts[cell.id] = replace(verdict, seconds=round(time.monotonic() - start, 3))
        if self.not_run:
            names = f"{', '.join(self.not_run[:3])}{', …' * (len(self.not_run) > 3)}"
            self.attention.append(f"{len(self.not_run)} tests ({names}) were not run: the submission used up its time")
        return {cell.id: verdicts[cell.id] for cell in cells}

    def _fetch(self, name: str) -> bytes:
        """The binding of an answer in the submission, see :meth:`helpers.grading.sandbox.guest.RpcPeer.get`."""
        try:
            kind, rest = self.submission.request(b"get", name.encode())
        except SessionDied as death:
            self.submission.attention.append(f"{name} {death.reason}")
            return b"missing "
        binding, _, value = rest.partition(b" ")
        if kind != b"done" or binding not in (b"function", b"unsupported", b"value"):
            return b"missing "
        return binding + b" " + value

    def _begin(self) -> None:
        """Start a session, bind the answers in it, and run the setup cells."""
        library = _library(self.assignment, "setup", "test", "answer")
        self.session = self.sandbox.session(self.limits, test_runner=True, library=library)
        for name, value in self.bound.items():
            self.session.request(b"put", name.encode() + b" " + value, self.limits.cell_seconds)
        for cell in self.assignment.of("setup"):
            seconds = min(self.limits.cell_seconds, max(1.0, self.deadline - time.monotonic()))
            outputs = self.session.run(cell.source, seconds, track_changes=False, answer=self._route)
            error = next((output for output in outputs if output["output_type"] == "error"), None)
            if error is None:
                continue
            message = f"the setup cell {cell.id!r} of {self.assignment.name} fails: {error['ename']}: {error['evalue']}"
            # A setup cell that uses an answer may fail because of it.
            if not any(re.search(rf"\b{name}\b", cell.source) for name in self.bound):
                raise GraderBroken(message)
            self.attention.append(message)
        references = {cell.id: cell.source for cell in self.assignment.of("answer")}
        self.session.request(b"reference", json.dumps(references).encode(), self.limits.cell_seconds)

    def _end(self) -> None:
        if self.session is not None:
            self.session.close()
            self.cpu_seconds += self.session.cpu_seconds
            self.session = None

    def _verdict(self, cell: Cell) -> Verdict:
        """Run a test cell; if the session dies, try once more in a new one."""
        for is_last_attempt in (False, True):
            if time.monotonic() > self.deadline:
                # No session is started again, as there is no time left.
                self.not_run.append(cell.id)
                return Verdict(False, HIDDEN_FAILED if is_hidden(cell) else f"the test {_OUT_OF_TIME}")
            try:
                if self.session is None:
                    self._begin()
                    for earlier in self.done:
                        self._run(earlier)
                outputs = self._run(cell)
                break
            except SessionDied as death:
                self._end()
                self.submission.end()
                if is_last_attempt:
                    self.attention.append(f"{cell.id} {death.reason}; check the test")
                    return Verdict(False, HIDDEN_FAILED if is_hidden(cell) else f"the test {death.reason}")
        self.done.append(cell)
        error = next((output for output in outputs if output["output_type"] == "error"), None)
        printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout").strip()
        if error is not None and error["ename"] != "AssertionError" and not self.answer_failed:
            name = "an error" if is_hidden(cell) else error["ename"]
            self.attention.append(f"{cell.id} ended with {name} instead of a verdict; check the test")
        if is_hidden(cell):
            return Verdict(error is None, _names_only(cell, error, printed))
        if error is None:
            return Verdict(True, printed[:_MAX_MESSAGE])
        message = error["evalue"] if error["ename"] == "AssertionError" else f"{error['ename']}: {error['evalue']}"
        return Verdict(False, message[:_MAX_MESSAGE] or "the test failed")

    def _run(self, cell: Cell) -> list[dict]:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise SessionDied(_OUT_OF_TIME, test_runner=True)
        self.answer_failed = False
        # Changes to arguments are hidden from hidden tests, which may compute the expected result from the same tensor
        # after the call.
        assert self.session is not None
        return self.session.run(cell.source, seconds, track_changes=not is_hidden(cell), answer=self._route)

    def _route(self, line: bytes) -> bytes:
        """Forward a test's call of an answer, and return the reply."""
        name = line.partition(b" ")[0].decode("utf-8", "replace")
        if not self.bound.get(name, b"").startswith(b"function"):
            return _raised("NameError", f"{name[:80]} is not an answer")
        if self.depth > 10:
            return _raised("RecursionError", "unlimited recursion between functions and callbacks")
        self.depth += 1
        try:
            reply = self.submission.call(line, self._call_back)
        finally:
            self.depth -= 1
        self.answer_failed = reply.startswith(b"raised")
        return reply

    def _call_back(self, line: bytes) -> bytes:
        """Forward an answer's call of a function that a test passed to it, and return the reply."""
        if not _HANDLE.match(line):
            return _raised("PermissionError", "only functions that were passed as arguments can be called")
        assert self.session is not None
        kind, rest = self.session.request(b"call", line, self.limits.call_seconds, self._route)
        return kind + b" " + rest


@functools.cache
def _library(assignment: Assignment, *kinds: Kind) -> dict[str, str]:
    """The source of each library module of the course that cells of these kinds import, directly or not."""
    cells = tuple(cell for cell in assignment.cells if cell.kind in kinds)
    imported = grading_modules(Assignment(assignment.name, cells))
    return {name: imported[name].read_text(encoding="utf-8") for name in library_modules() if name in imported}


def _error_in(outputs: list[dict]) -> str:
    """The error of a cell as a predicate, "raised …"; empty if there was none."""
    error = next((output for output in outputs if output["output_type"] == "error"), None)
    if error is None:
        return ""
    reason = " ".join(f"raised {error['ename']}: {error['evalue']}".split())[:200]
    version = ".".join(map(str, sys.version_info[:2]))
    return f"{reason} (the grader has Python {version})" if error["ename"] == "SyntaxError" else reason


def _raised(kind: str, message: str) -> bytes:
    return b"raised " + json.dumps({"types": [kind], "message": message}).encode()


def is_hidden(cell: Cell) -> bool:
    """Whether a test cell contains hidden tests."""
    return _HIDDEN in cell.source


def _names_only(cell: Cell, error: dict | None, printed: str) -> str:
    """The names in the message of a hidden test that occur in its source; an answer can raise any message."""
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    arguments = [call.args[0] for call in calls if getattr(call.func, "id", "") == "hidden" and call.args]
    keys = [key for tests in arguments if isinstance(tests, ast.Dict) for key in tests.keys]
    known = {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    if error is None:
        return "\n".join(line for line in printed.splitlines() if line.removeprefix("Right ✓ hidden: ") in known)
    names = error["evalue"].removeprefix(f"{HIDDEN_FAILED}: ").split("; ")
    names = [name for name in names if name in known]
    return f"{HIDDEN_FAILED}: {'; '.join(names)}" if names else HIDDEN_FAILED


def _text_of(bound: bytes) -> str:
    """The text of an answer that is a short text or a whole number; empty otherwise."""
    kind, _, value = bound.partition(b" ")
    if kind != b"value" or len(value) > 1_000:
        return ""
    try:
        typed = json.loads(value)
    except (ValueError, RecursionError):
        return ""
    return clean(str(typed)) if isinstance(typed, str | int) else ""

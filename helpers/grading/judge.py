"""What a worker does with one submission: a notebook in, outputs and verdicts out.

Two sessions of the sandbox talk to each other through this process, which passes the lines on unread. In one the
submission runs. In the other the author's tests run, where each answer is bound to a function that calls the
submission's, or to its value. So the tests are never where the submission is, and what a submission says is read behind
a wall as well.

Visible tests run before the hidden ones: what a function saw of those can reach no message that its author reads.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from helpers.grading.assignment import Assignment, Cell
from helpers.grading.sandbox.host import USUAL, Gone, Limits, Sandbox, SandboxUnavailable, Session, clean, error_output

__all__ = ["Graded", "GraderBroken", "Limits", "Sandbox", "SandboxUnavailable", "Verdict", "grade"]

_HIDDEN = "### BEGIN HIDDEN TESTS"
_HANDED = re.compile(rb"#[0-9]{1,4} ")
_CELLS = 1000
_MESSAGE = 2_000
_LINES = 30


class GraderBroken(RuntimeError):
    """The author's own cells do not run; nothing was graded."""


@dataclass(frozen=True)
class Verdict:
    """What came of one test cell.

    Attributes:
        message: the line it printed or the error's text; of a hidden test the names of its tests and nothing else.
    """

    passed: bool
    message: str


@dataclass(frozen=True)
class Graded:
    """What came of one submission.

    Attributes:
        outputs: place in the submitted notebook's ``cells`` → nbformat outputs, of the code cells that ran.
        tests: id of every test cell of the assignment → verdict.
        attention: what a human should look at, one line each.
        cpu_seconds: what it cost, tests included.
    """

    outputs: dict[int, list[dict]]
    tests: dict[str, Verdict]
    attention: tuple[str, ...]
    cpu_seconds: float

    def as_dict(self) -> dict:
        """As JSON can hold it."""
        return {**asdict(self), "outputs": {str(place): cells for place, cells in self.outputs.items()}}

    @classmethod
    def from_dict(cls, told: dict) -> Graded:
        """What :meth:`as_dict` gave."""
        return cls(
            {int(place): cells for place, cells in told["outputs"].items()},
            {name: Verdict(**verdict) for name, verdict in told["tests"].items()},
            tuple(told["attention"]),
            told["cpu_seconds"],
        )


def grade(assignment: Assignment, notebook: dict, learner_id: str, sandbox: Sandbox, limits: Limits = USUAL) -> Graded:
    """Run a submission and test it.

    Args:
        notebook: nbformat 4 as JSON gives it; nothing in it is trusted.
        learner_id: what the roster says; the tests see this one.

    Raises:
        SandboxUnavailable: there is no sandbox; the submission is not graded.
        GraderBroken: the author's own cells fail.
    """
    deadline = time.monotonic() + limits.total_seconds
    attention: list[str] = []
    with contextlib.ExitStack() as stack:
        learner = stack.enter_context(_Learner(sandbox, limits, deadline))
        examiner = stack.enter_context(_Examiner(assignment, learner_id, learner, sandbox, limits, deadline))
        outputs = {}
        for place, source in _to_run(assignment, notebook, attention):
            printed, reason = learner.run(source)
            if place >= 0:
                outputs[place] = printed
            if reason:
                attention.append(f"cell {place} {reason}" if place >= 0 else f"a cell of the author's {reason}")
        examiner.prepare()
        tests = examiner.examine()
        attention += [*learner.attention, *examiner.attention]
        typed = examiner.typed_id
    if typed == "":
        attention.insert(0, "learner_id is not filled in")
    elif typed is not None and _plain(typed) != _plain(learner_id):
        attention.insert(0, f"learner_id says {typed[:80]!r}, the roster {learner_id!r}")
    if len(attention) > _LINES:
        attention[_LINES:] = [f"… and {len(attention) - _LINES} lines more"]
    return Graded(outputs, tests, tuple(attention), round(learner.cpu_seconds + examiner.cpu_seconds, 3))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _to_run(assignment: Assignment, notebook: Any, attention: list[str]) -> Iterator[tuple[int, str]]:
    """Place and source of the cells that run: no tests, and setup cells as their author wrote them."""
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    cells = cells if isinstance(cells, list) else []
    found = {place: _grade_id(cell) for place, cell in enumerate(cells[:_CELLS])}
    present = set(found.values())
    if len(cells) > _CELLS:
        attention.append(f"{len(cells):,} cells; only {_CELLS:,} were looked at")
    missing = [cell.id for cell in assignment.of("test") if cell.id not in present]
    if missing:
        attention.append(f"test cells were deleted: {', '.join(missing)}")
    setup = {cell.id: cell.source for cell in assignment.of("setup")}
    tests = {cell.id for cell in assignment.of("test")}
    for name, source in setup.items():
        if name not in present:
            yield -1, source
    for place, cell in enumerate(cells[:_CELLS]):
        source = _source(cell)
        if source is None or found[place] in tests:
            continue
        yield place, setup.pop(found[place], source)


def _grade_id(cell: Any) -> str | None:
    about = cell
    for key in ("metadata", "nbgrader", "grade_id"):
        about = about.get(key) if isinstance(about, dict) else None
    return about if isinstance(about, str) else None


def _source(cell: Any) -> str | None:
    """The code of a code cell that has any."""
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return None
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    return source if isinstance(source, str) and source.strip() else None


class _Learner:
    """The submission's side. A process that dies is replaced, and what ran before is run again without its killer."""

    def __init__(self, sandbox: Sandbox, limits: Limits, deadline: float):
        self.sandbox = sandbox
        self.limits = limits
        self.deadline = deadline
        self.attention: list[str] = []
        self.cpu_seconds = 0.0
        self.restarts = limits.restarts
        self.ran: list[str] = []
        self.broken: dict[bytes, bytes] = {}
        self.session: Session | None = None

    def __enter__(self) -> _Learner:
        self.session = self.sandbox.session(self.limits)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, source: str) -> tuple[list[dict], str]:
        """Outputs of a cell, and what was wrong with it if its process had to be ended."""
        try:
            outputs = self._living().run(source, self._seconds(self.limits.cell_seconds))
        except Gone as gone:
            self.end()
            return [*gone.outputs, error_output("Stopped", f"this cell {gone.reason}")], gone.reason
        self.ran.append(source)
        return outputs, ""

    def ask(self, verb: bytes, rest: bytes, answer: Callable[[bytes], bytes] | None = None) -> tuple[bytes, bytes]:
        """As :meth:`Session.ask`, in a process that lives."""
        session = self._living()
        try:
            return session.ask(verb, rest, self._seconds(self.limits.call_seconds), answer)
        except Gone:
            # Whichever side died, this process waits for a reply that will not come.
            if self.session is session:
                self.end()
            raise

    def call(self, line: bytes, back: Callable[[bytes], bytes]) -> bytes:
        """The reply to a call of an answer; one that ended its process is not called again."""
        name = line.partition(b" ")[0]
        if name not in self.broken:
            try:
                kind, rest = self.ask(b"call", line, back)
                return kind + b" " + rest
            except Gone as gone:
                if gone.examiner:
                    raise
                said = f"{name.decode()} {gone.reason}"
                self.attention.append(said)
                self.broken[name] = _raised("TimeoutError" if "longer" in gone.reason else "RuntimeError", said)
        return self.broken[name]

    def end(self) -> None:
        """End the process; the next question gets a new one."""
        if self.session is not None:
            self.session.close()
            self.cpu_seconds += self.session.cpu_seconds
            self.session = None

    def _seconds(self, most: float) -> float:
        return min(most, self.deadline - time.monotonic())

    def _living(self) -> Session:
        while True:
            if time.monotonic() > self.deadline:
                raise Gone("was not run: the submission used up its time")
            if self.session is not None:
                return self.session
            if self.restarts <= 0:
                raise Gone("was not run: the submission ended its process too often")
            self.restarts -= 1
            self.session = self.sandbox.session(self.limits)
            for place, source in enumerate(self.ran):
                try:
                    self.session.run(source, self._seconds(self.limits.cell_seconds))
                except Gone:
                    del self.ran[place]
                    self.end()
                    break


class _Examiner:
    """The author's side: setup and test cells, in a session that knows the answers only by what they reply."""

    def __init__(
        self,
        assignment: Assignment,
        learner_id: str,
        learner: _Learner,
        sandbox: Sandbox,
        limits: Limits,
        deadline: float,
    ):
        self.assignment = assignment
        self.learner_id = learner_id
        self.learner = learner
        self.sandbox = sandbox
        self.limits = limits
        self.deadline = deadline
        self.attention: list[str] = []
        self.cpu_seconds = 0.0
        self.typed_id: str | None = None
        self.bound: dict[str, bytes] = {}
        self.done: list[Cell] = []
        self.depth = 0
        self.answer_failed = False
        self.session: Session | None = None

    def __enter__(self) -> _Examiner:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def prepare(self) -> None:
        """Fetch every answer, once: what is a value now stays this value."""
        for cell in self.assignment.of("answer"):
            self.bound[cell.id] = self._fetch(cell.id)
        if "learner_id" in self.bound:
            self.typed_id = _text_of(self.bound["learner_id"])
        self.bound["learner_id"] = b"value " + json.dumps(self.learner_id).encode()
        self._begin()

    def examine(self) -> dict[str, Verdict]:
        """Run the test cells, the visible ones first."""
        cells = self.assignment.of("test")
        found = {cell.id: self._verdict(cell) for cell in sorted(cells, key=_is_hidden)}
        return {cell.id: found[cell.id] for cell in cells}

    def _fetch(self, name: str) -> bytes:
        try:
            kind, rest = self.learner.ask(b"get", name.encode())
        except Gone as gone:
            self.learner.attention.append(f"{name} {gone.reason}")
            return b"missing "
        what, _, value = rest.partition(b" ")
        if kind != b"done" or what not in (b"function", b"odd", b"value"):
            return b"missing "
        return what + b" " + value

    def _begin(self) -> None:
        self.session = self.sandbox.session(self.limits, examiner=True)
        for name, value in self.bound.items():
            self.session.ask(b"put", name.encode() + b" " + value, self.limits.cell_seconds)
        for cell in self.assignment.of("setup"):
            outputs = self.session.run(cell.source, self.limits.cell_seconds, watch=False, answer=self._route)
            error = next((output for output in outputs if output["output_type"] == "error"), None)
            if error is None:
                continue
            said = f"the setup cell {cell.id!r} of {self.assignment.name} fails: {error['ename']}: {error['evalue']}"
            # It may be an answer that makes it fail.
            if not any(re.search(rf"\b{name}\b", cell.source) for name in self.bound):
                raise GraderBroken(said)
            self.attention.append(said)

    def _end(self) -> None:
        if self.session is not None:
            self.session.close()
            self.cpu_seconds += self.session.cpu_seconds
            self.session = None

    def _verdict(self, cell: Cell) -> Verdict:
        for last in (False, True):
            try:
                if self.session is None:
                    self._begin()
                    for earlier in self.done:
                        self._run(earlier)
                outputs = self._run(cell)
                break
            except Gone as gone:
                self._end()
                self.learner.end()
                if last:
                    self.attention.append(f"{cell.id} {gone.reason}: look at this test")
                    return Verdict(False, "hidden tests failed" if _is_hidden(cell) else f"the test {gone.reason}")
        self.done.append(cell)
        error = next((output for output in outputs if output["output_type"] == "error"), None)
        printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout").strip()
        if error is not None and error["ename"] != "AssertionError" and not self.answer_failed:
            what = "an error" if _is_hidden(cell) else error["ename"]
            self.attention.append(f"{cell.id} ended in {what}, not in a verdict: look at it")
        if _is_hidden(cell):
            return Verdict(error is None, _names_only(cell, error, printed))
        if error is None:
            return Verdict(True, printed[:_MESSAGE])
        said = error["evalue"] if error["ename"] == "AssertionError" else f"{error['ename']}: {error['evalue']}"
        return Verdict(False, said[:_MESSAGE] or "the test failed")

    def _run(self, cell: Cell) -> list[dict]:
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise Gone("was not run: the submission used up its time", examiner=True)
        self.answer_failed = False
        # In hidden tests nothing that a function does to its arguments comes back: an expectation may be computed
        # from the same tensor after the call.
        return self.session.run(cell.source, seconds, watch=not _is_hidden(cell), answer=self._route)

    def _route(self, line: bytes) -> bytes:
        """From a test to an answer."""
        name = line.partition(b" ")[0].decode("utf-8", "replace")
        if not self.bound.get(name, b"").startswith(b"function"):
            return _raised("NameError", f"{name[:80]} is no answer")
        if self.depth > 10:
            return _raised("RecursionError", "functions that call each other without end")
        self.depth += 1
        try:
            reply = self.learner.call(line, self._back)
        finally:
            self.depth -= 1
        self.answer_failed = reply.startswith(b"raised")
        return reply

    def _back(self, line: bytes) -> bytes:
        """From an answer to a function that a test handed to it."""
        if not _HANDED.match(line):
            return _raised("PermissionError", "only what was handed over can be called")
        kind, rest = self.session.ask(b"call", line, self.limits.call_seconds, self._route)
        return kind + b" " + rest


def _raised(kind: str, message: str) -> bytes:
    return b"raised " + json.dumps({"types": [kind], "message": message}).encode()


def _is_hidden(cell: Cell) -> bool:
    return _HIDDEN in cell.source


def _names_only(cell: Cell, error: dict | None, printed: str) -> str:
    """Of a hidden test's message the names that its author wrote: a learner's function can raise what it has seen."""
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    named = [call.args[0] for call in calls if getattr(call.func, "id", "") == "hidden" and call.args]
    keys = [key for tests in named if isinstance(tests, ast.Dict) for key in tests.keys]
    written = {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}
    if error is None:
        return "\n".join(line for line in printed.splitlines() if line.removeprefix("✓ hidden: ") in written)
    names = error["evalue"].removeprefix("hidden tests failed: ").split("; ")
    names = [name for name in names if name in written]
    return f"hidden tests failed: {'; '.join(names)}" if names else "hidden tests failed"


def _text_of(bound: bytes) -> str:
    """The text or number that somebody typed; empty for everything else."""
    kind, _, value = bound.partition(b" ")
    if kind != b"value" or len(value) > 1_000:
        return ""
    try:
        typed = json.loads(value)
    except (ValueError, RecursionError):
        return ""
    return clean(str(typed)) if isinstance(typed, str | int) else ""

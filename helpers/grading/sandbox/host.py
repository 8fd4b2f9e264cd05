"""The trusted side of the sandbox: starts bubblewrap, and treats all output of the sandbox as untrusted.

Two layers confine a submission. In bubblewrap, only the Python environment and ``helpers`` are visible, read-only, and
nothing else of the host: no network, no other process, no home folder, no course folder. Inside,
:mod:`helpers.grading.sandbox.guest` runs each session in its own process and namespaces, without capabilities and with
dangerous system calls refused, so that a submission cannot reach the next one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from helpers.grading.assignment import SOURCE

_HERE = Path(__file__).parent
_HELPERS = _HERE.parent.parent
# check.py skips frames of files in site-packages when it quotes the line of an error.
_GUEST_FOLDER = "/course/site-packages"
_NOBODY = 65534
_SCRATCH = "/scratch"  # not /tmp, which may contain the course
_MAX_LINE = 16 * 2**20 + 1024  # of one message: codec.MAX_BYTES and a verb; codec imports torch
_CHUNK = 1 << 16
_MAX_MESSAGE = 20_000  # characters of an error's message

_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
_CONTROLS = {code: None for code in range(32) if chr(code) not in "\n\t\r"} | {0x7F: None}


class SandboxUnavailable(RuntimeError):
    """No sandbox can be started on this computer; nothing was graded."""


class SessionDied(RuntimeError):
    """A session ended before it replied.

    Attributes:
        reason: a predicate, such as "ran longer than 30 s" or "ended the process".
        test_runner: whether the session ran the author's tests.
        outputs: nbformat outputs of the text that was printed before.
    """

    def __init__(self, reason: str, test_runner: bool = False):
        super().__init__(reason)
        self.reason = reason
        self.test_runner = test_runner
        self.outputs: list[dict] = []


@dataclass(frozen=True)
class Limits:
    """Resource limits of one submission.

    Attributes:
        cell_seconds: run time of one cell.
        call_seconds: run time of one call of a function by a test.
        total_seconds: run time of all cells and tests.
        memory: bytes of address space in addition to what torch maps (about 0.7 GB).
        disk: bytes in its scratch folder.
        output: bytes of printed output that are kept of one cell.
        all_output: characters that are kept of the outputs of all cells.
        restarts: the number of times that a process that died or hung is replaced.
    """

    cell_seconds: float = 30.0
    call_seconds: float = 10.0
    total_seconds: float = 300.0
    memory: int = 2 * 2**30
    disk: int = 64 * 2**20
    output: int = 200_000
    all_output: int = 4_000_000
    restarts: int = 20


DEFAULT_LIMITS = Limits()


class Session:
    """One process in the sandbox; see :meth:`Sandbox.session`."""

    def __init__(
        self, channel: socket.socket, out: int, err: int, end: Callable[[], float], limits: Limits, test_runner: bool
    ):
        self.limits = limits
        self.test_runner = test_runner
        self.cpu_seconds = 0.0
        self._end: Callable[[], float] | None = end
        self._channel = channel
        self._pipes = {"stdout": out, "stderr": err}
        self._incoming = bytearray()
        self._outgoing = b""
        self._printed = _PrintedOutput(limits.output)
        self._selector = selectors.DefaultSelector()
        channel.setblocking(False)
        self._selector.register(channel, selectors.EVENT_READ, "channel")
        for name, descriptor in self._pipes.items():
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ, name)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the process and all of its child processes."""
        if self._end is None:
            return
        end, self._end = self._end, None
        self._selector.close()
        self._channel.close()
        for descriptor in self._pipes.values():
            os.close(descriptor)
        self.cpu_seconds = end()

    def run(
        self,
        source: str,
        seconds: float | None = None,
        *,
        track_changes: bool = False,
        answer: Callable[[bytes], bytes] | None = None,
    ) -> list[dict]:
        """Run a code cell.

        Args:
            source: the source of the cell.
            seconds: the time limit; by default ``cell_seconds`` of the limits.
            track_changes: whether called functions return the new values of arguments that they changed.
            answer: handles calls from the session, see :meth:`request`.

        Returns:
            nbformat outputs, only ``stream`` and ``error``.

        Raises:
            SessionDied: the process died, or it took longer than ``seconds``.
        """
        request = json.dumps({"source": source, "track_changes": track_changes}).encode()
        self._printed = _PrintedOutput(self.limits.output)
        try:
            _, rest = self.request(b"run", request, self.limits.cell_seconds if seconds is None else seconds, answer)
        except SessionDied as death:
            death.outputs = self._printed.outputs()
            raise
        return self._printed.outputs() + _error_outputs(rest)

    def request(
        self, verb: bytes, rest: bytes, seconds: float, answer: Callable[[bytes], bytes] | None = None
    ) -> tuple[bytes, bytes]:
        """Send a request, and return the reply: ``(b"done" or b"raised", …)``.

        Args:
            verb: ``run``, ``get``, ``put``, ``call``, ``library`` or ``reference``.
            rest: the arguments of the request.
            seconds: the time limit.
            answer: handles a call from the session: receives the text after ``call``, and returns the reply line.

        Raises:
            SessionDied: the process died, broke the protocol or took longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        try:
            self._outgoing += verb + b" " + rest + b"\n"
            while True:
                kind, _, reply = self._read_line(deadline).partition(b" ")
                if kind in (b"done", b"raised"):
                    return kind, reply
                if kind != b"call" or answer is None:
                    raise self._died("broke the protocol")
                self._outgoing += answer(reply) + b"\n"
        except TimeoutError:
            raise self._died(f"ran longer than {seconds:g} s") from None
        except (OSError, ValueError):
            raise self._died("ended the process") from None

    def _died(self, reason: str) -> SessionDied:
        return SessionDied(reason, self.test_runner)

    def _read_line(self, deadline: float) -> bytes:
        """The next line from the session; while waiting, queued data are sent and printed output is collected."""
        searched = 0
        while True:
            if self._end is None:
                raise self._died("ended the process")
            end = self._incoming.find(b"\n", searched)
            if end >= 0 and not self._outgoing:
                line = bytes(self._incoming[:end])
                del self._incoming[: end + 1]
                self._drain_pipes()
                return line
            searched = len(self._incoming) if end < 0 else end
            if len(self._incoming) > _MAX_LINE:
                raise self._died("broke the protocol")
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
            self._selector.modify(self._channel, events, "channel")
            if time.monotonic() >= deadline:
                raise TimeoutError
            for key, ready in self._selector.select(max(0.0, deadline - time.monotonic())):
                if key.data != "channel":
                    self._read_pipe(key.data)
                    continue
                if ready & selectors.EVENT_WRITE:
                    self._outgoing = self._outgoing[self._channel.send(self._outgoing[: 1 << 20]) :]
                if ready & selectors.EVENT_READ:
                    data = self._channel.recv(_CHUNK)
                    if not data:
                        raise ConnectionResetError
                    self._incoming += data

    def _drain_pipes(self) -> None:
        """Read output that was printed before the reply and is still in the pipes."""
        for name in list(self._pipes):
            for _ in range(32):
                if not self._read_pipe(name):
                    break

    def _read_pipe(self, name: str) -> bool:
        try:
            data = os.read(self._pipes[name], _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self._printed.add(name, data)
            return True
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._pipes[name])
        return False


class Sandbox:
    """Runs sessions in bubblewrap: ``with Sandbox() as sandbox: …``. It must be used by one thread only.

    Args:
        warm: whether sessions are forked from one process that has loaded torch; otherwise each session starts its own
            bubblewrap, which takes seconds. With ``None``, warm if the kernel supports it.
        secret: files and folders that must not be visible in the sandbox, in addition to the homeworks' sources.

    Raises:
        SandboxUnavailable: it does not start, or the probe finds that a session is not confined.
    """

    def __init__(self, warm: bool | None = None, secret: Sequence[Path] = ()):
        self.warm = warm
        self.secret = (SOURCE.parent, *secret)
        self._process: _Process | None = None

    def __enter__(self) -> Sandbox:
        check_available()
        if self.warm is None:
            self.warm = True
            try:
                return self.__enter__()
            except SandboxUnavailable:
                self.warm = False
        try:
            self._test()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill all sessions."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def session(
        self, limits: Limits = DEFAULT_LIMITS, *, test_runner: bool = False, library: Mapping[str, str] = {}
    ) -> Session:
        """Start a process in the sandbox. Closing the session kills it and deletes its files.

        Args:
            limits: resource limits.
            test_runner: whether it runs the author's tests. Its own functions then cannot be called by name.
            library: the modules of :func:`library_modules` that it may import: name → source.

        Raises:
            SandboxUnavailable: the process does not start or cannot be confined.
        """
        request = {
            "command": "start",
            "test_runner": test_runner,
            "environment": {"NBGRADER_EXECUTION": "autograde"} if test_runner else {},
            "memory": limits.memory,
            "disk": limits.disk,
            "cpu": int(limits.total_seconds) + 10,
        }
        process = self._warm_process() if self.warm else _Process(self.command("cold"))
        host_end, guest_end = socket.socketpair()
        (out, out_writer), (err, err_writer) = os.pipe(), os.pipe()
        try:
            child = process.start(request, [guest_end.fileno(), out_writer, err_writer], wait=bool(self.warm))
        except BaseException:
            for descriptor in (out, err):
                os.close(descriptor)
            host_end.close()
            raise
        finally:
            guest_end.close()
            os.close(out_writer)
            os.close(err_writer)
        session = Session(
            host_end, out, err, (lambda: process.kill(child)) if self.warm else process.close, limits, test_runner
        )
        try:
            status = session._read_line(time.monotonic() + 60)
        except (OSError, SessionDied) as error:
            status = str(error).encode()
        if not status.startswith(b"ready"):
            session.close()
            raise SandboxUnavailable(f"the session could not be confined: {status.decode('ascii', 'replace')[:500]}")
        session.request(b"library", json.dumps(dict(library)).encode(), 60)
        return session

    def _warm_process(self) -> _Process:
        if self._process is None or not self._process.alive():
            self.close()
            self._process = _Process(self.command("warm"))
        return self._process

    def command(self, mode: Literal["warm", "cold"]) -> list[str]:
        """The command line that starts the guest, without its last argument, the file descriptor of a socket."""
        shown = _environment()
        for secret in self.secret:
            if folder := visible_folder(secret):
                raise SandboxUnavailable(f"{secret} is in {folder}, which is visible in the sandbox; move one of them")
        user = "0" if _owns_devices() else str(_NOBODY)
        command = ["bwrap", "--unshare-all", "--unshare-user", "--uid", user, "--gid", user, "--cap-drop", "ALL"]
        if _owns_devices():  # for the change of user
            command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        command += ["--die-with-parent", "--new-session", "--hostname", "homework", "--clearenv"]
        for name, value in _VARIABLES.items():
            command += ["--setenv", name, value]
        for system in ("/bin", "/lib", "/lib64", "/sbin"):
            if os.path.islink(system):
                command += ["--symlink", os.readlink(system), system]
            else:
                command += ["--ro-bind-try", system, system]
        # bubblewrap makes missing parent folders readable by their owner only, who may be another user.
        for parent in _parents(*shown, Path(_GUEST_FOLDER, "guest.py"), Path("/dev/null"), Path("/etc/alternatives")):
            command += ["--dir", str(parent)]
        for path in shown:
            command += ["--ro-bind", str(path), str(path)]
        command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        command += ["--ro-bind-try", "/etc/alternatives", "/etc/alternatives"]
        command += ["--ro-bind", str(_HELPERS), "/course/helpers", "--tmpfs", "/course/helpers/grading"]
        for module in library_modules():
            shown_as = f"/course/{module.replace('.', '/')}.py"
            command += ["--ro-bind", str(_HERE / "withheld.py"), shown_as]
        for folder in {path.parent / "__pycache__" for path in library_modules().values()}:
            with contextlib.suppress(OSError):  # Python cannot create it, either, so that it never exists
                folder.mkdir(exist_ok=True)
            if folder.is_dir():  # it contains the same code, compiled
                empty = f"/course/{folder.relative_to(_HELPERS.parent)}"
                command += ["--tmpfs", empty, "--remount-ro", empty]
        for name in ("guest.py", "codec.py", "seccomp.py", "shell.py"):
            command += ["--ro-bind", str(_HERE / name), f"{_GUEST_FOLDER}/{name}"]
        command += ["--remount-ro", "/course/helpers/grading"]
        for device in ("null", "zero", "urandom", "random"):
            command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        command += ["--size", str(DEFAULT_LIMITS.disk), "--perms", "1777", "--tmpfs", _SCRATCH, "--proc", "/proc"]
        if mode == "cold":
            # A warm process needs both to make the namespaces of its children, which have neither.
            command += ["--remount-ro", "/proc", "--as-pid-1"]
            if not _owns_devices():  # it would prevent the change of user; seccomp refuses namespaces as well
                command += ["--disable-userns"]
        command += [
            "--remount-ro",
            "/",
            "--chdir",
            _SCRATCH,
            sys.executable,
            "-s",
            "-c",
            "import guest; guest.main()",
        ]
        return [*command, mode, str(_NOBODY)]

    def _test(self) -> None:
        """Run the probe in a session.

        Raises:
            SandboxUnavailable: the probe finds a violation.
        """
        with self.session() as session, tempfile.NamedTemporaryFile() as canary:
            secret = [str(path) for path in (*self.secret, Path(__file__), canary.name)]
            source = (_HERE / "probe.py").read_text(encoding="utf-8")
            try:
                outputs = session.run(f"{source}\nprint('; '.join(violations({secret})) or 'confined')", 60)
            except SessionDied as death:
                raise SandboxUnavailable(f"the probe of the sandbox {death.reason}") from None
        text = "".join(output.get("text", "") or output.get("evalue", "") for output in outputs)
        if text.strip() != "confined":
            raise SandboxUnavailable(f"the sandbox does not prevent: {text.strip()[:1000]}")


def check_available() -> None:
    """Check that bubblewrap is installed.

    Raises:
        SandboxUnavailable: it is not.
    """
    if shutil.which("bwrap") is None:
        raise SandboxUnavailable(
            "bubblewrap is missing, which is required to run submissions; install it: apt-get install bubblewrap"
        )


class _Process:
    """A bubblewrap that runs :mod:`helpers.grading.sandbox.guest`."""

    def __init__(self, command: Sequence[str]):
        self.control, guest_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.errors: IO[bytes] = tempfile.TemporaryFile()
        self.cpu_seconds = 0.0
        with contextlib.ExitStack() as stack, guest_end:
            passed = [guest_end.fileno()]
            if two_users := "--cap-add" in command:
                (info, info_writer), (blocked, blocker) = os.pipe(), os.pipe()
                info_file = stack.enter_context(open(info, "rb"))
                stack.enter_context(open(blocker, "wb"))  # bubblewrap continues when it is closed
                passed += [info_writer, blocked]
                command = ["bwrap", "--info-fd", f"{info_writer}", "--userns-block-fd", f"{blocked}", *command[1:]]
            try:
                self.process = subprocess.Popen(
                    [*command, str(guest_end.fileno())],
                    pass_fds=passed,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self.errors,
                    start_new_session=True,
                    env={"PATH": os.environ.get("PATH", "/usr/bin:/bin")},
                )
            except OSError as error:
                raise SandboxUnavailable(f"bubblewrap does not start: {error}") from None
            finally:
                for descriptor in passed[1:]:
                    os.close(descriptor)
            if two_users and (failure := _map_users(info_file.read())):
                self.close()
                raise SandboxUnavailable(failure)
        self.control.settimeout(120)
        try:
            status = self.control.recv(100)
        except OSError as error:
            status = str(error).encode()
        if status != b"ready":
            self.errors.seek(0)
            errors = self.errors.read(4000).decode("utf-8", "replace").strip().splitlines()
            self.close()
            raise SandboxUnavailable(f"the sandbox does not start: {errors[-1] if errors else status.decode()}")

    def alive(self) -> bool:
        """Whether the process is running."""
        return self.process.poll() is None

    def start(self, request: dict, descriptors: list[int], wait: bool) -> int:
        """Start a session; return its id if the process is warm, else 0."""
        try:
            socket.send_fds(self.control, [json.dumps(request).encode()], descriptors)
            return int(json.loads(self.control.recv(1000))["child"]) if wait else 0
        except (OSError, ValueError) as error:
            self.close()
            raise SandboxUnavailable(f"the sandbox ended: {error}") from None

    def kill(self, child: int) -> float:
        """Kill a session of a warm process; return the processor seconds that it used.

        Raises:
            SandboxUnavailable: the sandbox itself has died; the replies of its sessions must be discarded.
        """
        try:
            self.control.send(json.dumps({"command": "kill", "child": child}).encode())
            return float(json.loads(self.control.recv(1000))["cpu"])
        except (OSError, ValueError) as error:
            self.close()
            raise SandboxUnavailable(f"the sandbox ended on its own: {error}") from None

    def close(self) -> float:
        """Kill the process and all its sessions; return the processor seconds that it used."""
        if self.process.returncode is None:
            self.control.close()
            for seconds in (0.05, 0.1, 0.3):  # the guest exits when the socket is closed
                ended, status, usage = os.wait4(self.process.pid, os.WNOHANG)
                if ended:
                    break
                time.sleep(seconds)
            else:
                os.killpg(self.process.pid, signal.SIGKILL)  # with it a child that waits for its users to be mapped
                _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.errors.close()
            self.cpu_seconds = usage.ru_utime + usage.ru_stime
        return self.cpu_seconds


class _PrintedOutput:
    """The text that a cell printed, truncated to a limit."""

    def __init__(self, limit: int):
        self.limit = limit
        self.size = 0
        self.parts: list[tuple[str, bytearray]] = []

    def add(self, name: str, data: bytes) -> None:
        """Keep the data up to the limit."""
        room = self.limit - self.size
        self.size += len(data)
        if room > 0:
            if not self.parts or self.parts[-1][0] != name:
                self.parts.append((name, bytearray()))
            self.parts[-1][1].extend(data[:room])

    def outputs(self) -> list[dict]:
        """The text as nbformat outputs."""
        parts = [(name, clean(data.decode("utf-8", "replace"))) for name, data in self.parts]
        if self.size > self.limit:
            parts.append(("stderr", f"\n… truncated: at most {self.limit:,} bytes of a cell are kept\n"))
        return [{"output_type": "stream", "name": name, "text": text} for name, text in parts if text]


def clean(text: str) -> str:
    """Text without control characters and terminal escape sequences, encodable as UTF-8."""
    return _ESCAPES.sub("", text).translate(_CONTROLS).encode("utf-8", "replace").decode()


def error_output(name: str, message: str, lines: Sequence[str] = ()) -> dict:
    """An nbformat output of type ``error``."""
    name, message = clean(name)[:100], clean(message)[:_MAX_MESSAGE]
    return {
        "output_type": "error",
        "ename": name,
        "evalue": message,
        "traceback": [clean(line) for line in lines] or [f"{name}: {message}"],
    }


def _error_outputs(line: bytes) -> list[dict]:
    """The error that an untrusted line describes; an empty list if the line is empty."""
    if not line:
        return []
    description: Any = None
    if len(line) < 20 * _MAX_MESSAGE:
        with contextlib.suppress(ValueError, RecursionError):
            description = json.loads(line)
    description = description if isinstance(description, dict) else {}
    name, message, lines = (description.get(key) for key in ("ename", "evalue", "traceback"))
    if not (isinstance(name, str) and isinstance(message, str) and isinstance(lines, list)):
        return [error_output("Error", "an error without a readable description")]
    kept, room = [], _MAX_MESSAGE
    for text in lines:
        if isinstance(text, str) and (room := room - len(text)) >= 0:
            kept.append(text)
    return [error_output(name, message, kept)]


def library_modules() -> dict[str, Path]:
    """Modules of the course that may contain answers: a submission can import only those that its homework imports."""
    folders = {"helpers": _HELPERS.glob("*.py"), "helpers.exercises": _HELPERS.glob("exercises/lesson*.py")}
    modules = {f"{package}.{path.stem}": path for package, paths in folders.items() for path in sorted(paths)}
    return {name: path for name, path in modules.items() if path.stem not in ("__init__", "homework")}


def visible_folder(path: Path) -> Path | None:
    """The folder that contains a path and is visible in the sandbox; None if the path is not visible."""
    path = path.resolve()
    return next((folder for folder in (*_environment(), _HELPERS) if path.is_relative_to(folder.resolve())), None)


def _owns_devices() -> bool:
    """Whether this process runs as the owner of the device nodes, who could change them from inside a sandbox."""
    return os.stat("/dev/null").st_uid == os.geteuid()


def _map_users(info: bytes) -> str:
    """Map two users, root and nobody, into the user namespace of bubblewrap, which itself maps one.

    Args:
        info: the output of bubblewrap to its ``--info-fd``; empty if it ended before.

    Returns:
        The reason if this is impossible; else an empty text.
    """
    if info:
        process = json.loads(info)["child-pid"]
        try:
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{process}/{name}").write_text(f"0 0 1\n{_NOBODY} {_NOBODY} 1\n")
        except OSError as error:
            return f"submissions of root cannot run as another user ({error.strerror}): grade as an ordinary user"
    return ""


def _environment() -> list[Path]:
    """The folders that Python needs: the virtual environment and its base installation."""
    folders: list[Path] = []
    for name in ("/usr", sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)):
        path = Path(name)
        if not any(path.is_relative_to(folder) for folder in folders):
            folders.append(path)
    return folders


def _parents(*paths: Path) -> list[Path]:
    """All parent folders of these paths except the root, each after its own parents."""
    return sorted({parent for path in paths for parent in path.parents} - {Path("/")})


_VARIABLES = {
    "PYTHONPATH": f"{_GUEST_FOLDER}:/course",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    "HOME": _SCRATCH,
    "TMPDIR": _SCRATCH,
    "IPYTHONDIR": _SCRATCH,
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": _SCRATCH,
    "PATH": "/usr/bin",
    "USER": "learner",
    # There is one thread: torch.set_num_threads(2) would end the process.
    "OMP_NUM_THREADS": "1",
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

"""The sandbox confines sessions, and does not start if its probe finds that it does not."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

from helpers.grading.sandbox import host
from helpers.grading.sandbox.host import Limits, Sandbox, SandboxUnavailable, SessionDied, check_available, clean
from tests.grading.hostile import CANARY
from tests.grading.test_hostile import processes
from tests.tools.homework import require_bubblewrap
from tests.tools.refresh import ROOT


@pytest.fixture(scope="module", autouse=True)
def bubblewrap() -> None:
    require_bubblewrap()


def text(outputs: list[dict]) -> str:
    return "".join(output.get("text", "") + output.get("evalue", "") for output in outputs)


def test_a_cell_echoes_as_in_a_notebook(sandbox: Sandbox) -> None:
    source = "import sys\nprint('one')\nprint('two', file=sys.stderr)\ndisplay([3])\nx = 4\nx"
    with sandbox.session() as session:
        outputs = session.run(source)
        assert {output["output_type"] for output in outputs} == {"stream"}
        printed = {
            name: text([output for output in outputs if output["name"] == name]) for name in ("stdout", "stderr")
        }
        assert printed == {"stdout": "one\n[3]\n4\n", "stderr": "two\n"}
        (error,) = session.run("def f():\n    return 1 / 0\nf()")
        assert (error["output_type"], error["ename"], error["evalue"]) == (
            "error",
            "ZeroDivisionError",
            "division by zero",
        )
        assert "return 1 / 0" in "".join(error["traceback"])
        assert session.run("x; ") == session.run("y = x") == []
        (error,) = session.run("this is no Python")
        assert error["ename"] == "SyntaxError"
    assert session.cpu_seconds > 0


def test_sessions_are_isolated_from_each_other(sandbox: Sandbox) -> None:
    mark = "import builtins, torch\nbuiltins.mark = torch.mark = 1\nopen('mark', 'w').close()"
    look = "import builtins, os, torch\nhasattr(builtins, 'mark'), hasattr(torch, 'mark'), os.listdir()"
    with sandbox.session() as one, sandbox.session() as two:
        one.run(mark)
        assert text(one.run(look)) == "(True, True, ['mark'])\n"
        assert text(two.run(look)) == "(False, False, [])\n"
    with sandbox.session() as three:
        assert text(three.run(look)) == "(False, False, [])\n"


def test_a_hanging_cell_is_ended_and_its_output_is_kept(sandbox: Sandbox) -> None:
    before = processes()
    with sandbox.session() as session:
        assert processes() != before
        with pytest.raises(SessionDied, match="longer than 0.5 s") as death:
            session.run("print('so far')\nwhile True: pass", 0.5)
        assert text(death.value.outputs) == "so far\n"
    assert processes() == before
    with sandbox.session() as session, pytest.raises(SessionDied, match="ended the process"):
        session.run("import os\nos._exit(3)")


def test_output_is_capped_and_clean(sandbox: Sandbox) -> None:
    with sandbox.session(Limits(output=1000)) as session:
        printed = text(session.run("print('x' * 10**7)"))
        assert printed.startswith("x" * 1000 + "\n… truncated") and len(printed) < 1100
        assert text(session.run(r"print('\x1b[31mred\x1b[0m \x00\x08\ud800')")) == "red \\ud800\n"
    assert clean("\x1b]0;t\x07a\x9b\ud800") == "0;ta\x9b?"


def test_limits_are_enforced(sandbox: Sandbox) -> None:
    with sandbox.session(Limits(memory=300 * 2**20, disk=2**20)) as session:
        assert "MemoryError" in str(session.run("x = bytearray(4 * 10**8)"))
        assert session.run("x = bytearray(10**8)") == []
        assert "OSError" in str(session.run("with open('x', 'wb') as file:\n    file.write(bytes(2 * 2**20))"))
        assert "can't start new thread" in text(session.run("import threading\nthreading.Thread(target=int).start()"))
        assert "Operation not permitted" in text(session.run("import os\nos.fork()"))


def test_nothing_of_the_host_is_visible(sandbox: Sandbox) -> None:
    assert os.environ["HOSTILE_CANARY"] == CANARY  # set before the sandbox was started
    paths = [str(ROOT / name) for name in (".git", "notebooks", "tests", "helpers")] + [str(Path.home() / ".bashrc")]
    with sandbox.session() as session:
        assert text(session.run(f"import os\n[path for path in {paths} if os.path.exists(path)]")) == "[]\n"
        assert (
            text(session.run("'HOSTILE_CANARY' in os.environ, os.listdir('/proc'), os.getpid()")) == "(False, [], 1)\n"
        )
        assert text(session.run("sorted(os.listdir('/dev'))")) == "['null', 'random', 'urandom', 'zero']\n"


def test_the_probe_names_what_is_not_prevented(unconfined: Sandbox) -> None:
    with pytest.raises(SandboxUnavailable) as error:
        Sandbox._test(unconfined)
    for promise in ("a socket", "a process", "a thread", "writing to", "/etc/passwd", "other processes", "all memory"):
        assert promise in str(error.value)


# A guest whose request for a session names a function and the one that is called in its place.
FAULTY_GUEST = """
import guest
from unittest import mock

fork = guest._fork

def faulty_fork(descriptors, request, *more):
    name, replacement = request["fault"]
    with mock.patch(f"guest.{name}", eval(replacement)):
        return fork(descriptors, request, *more)

guest._fork = faulty_fork
guest.main()
"""


@pytest.fixture(scope="module")
def faulty() -> Iterator[Sandbox]:
    class Faulty(Sandbox):
        def command(self, mode: Literal["warm", "cold"]) -> list[str]:
            return [FAULTY_GUEST if part == "import guest; guest.main()" else part for part in super().command(mode)]

    sandbox = Faulty(warm=True)
    yield sandbox
    sandbox.close()


@pytest.fixture
def probe(faulty: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A function that runs the probe in a session with a fault."""
    start = host._Process.start

    def probe(name: str, replacement: str) -> None:
        def start_faulty(self: host._Process, request: dict, descriptors: list[int], wait: bool) -> int:
            return start(self, request | {"fault": [name, replacement]}, descriptors, wait)

        monkeypatch.setattr(host._Process, "start", start_faulty)
        faulty._test()

    return probe


def test_nothing_is_noticed_where_nothing_is_missing(probe: Callable[[str, str], None]) -> None:
    probe("_mount", "guest._mount")


@pytest.mark.parametrize(
    ("name", "replacement", "found"),
    [
        ("seccomp.refuse_calls", "lambda: None", "a process; a thread.*locks on files of the host; the host's page"),
        ("_mount", "lambda *a, **k: None", "other processes"),
        ("_drop_capabilities", "lambda: guest._LIBC.prctl(38, 1, 0, 0, 0)", "capabilities"),
        ("resource.setrlimit", "lambda *a: None", "all memory"),
        ("_unshare", "lambda flags: guest._checked(-1, 'unshare')", "not be confined: .*unshare"),
    ],
)
def test_a_missing_part_is_noticed(name: str, replacement: str, found: str, probe: Callable[[str, str], None]) -> None:
    with pytest.raises(SandboxUnavailable, match=found):
        probe(name, replacement)


def owner_of_devices() -> None:
    """Skip for a user to whom the device nodes do not belong."""
    if not host._owns_devices():
        pytest.skip("the device nodes belong to another user")


@pytest.mark.parametrize("warm", [True, False])
def test_submissions_of_root_run_as_nobody(warm: bool, sandbox: Sandbox) -> None:
    """A session of root runs as another user on the host, as root could change the device nodes."""
    owner_of_devices()
    devices = [Path("/dev", name) for name in ("null", "zero", "random", "urandom")]
    before, modes = processes(), [(device.stat().st_mode, device.stat().st_mtime_ns) for device in devices]
    attack = "import os\nfor name in os.listdir('/dev'):\n    os.chmod('/dev/' + name, 0)"
    with (sandbox if warm else Sandbox(warm=False)).session() as session:
        started = [psutil.Process(pid) for pid, _ in processes() - before]
        inside = [each for each in started if each.name().startswith("python")]
        assert inside and all({*each.uids(), *each.gids()} == {65534} for each in inside)
        assert "Operation not permitted" in text(session.run(attack))
    assert [(device.stat().st_mode, device.stat().st_mtime_ns) for device in devices] == modes


def test_root_in_the_sandbox_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    owner_of_devices()
    monkeypatch.setattr(host, "_owns_devices", lambda: False)
    with pytest.raises(SandboxUnavailable, match="changing /dev/null"), Sandbox():
        pass


def in_groups(groups: list[int]) -> list[int]:
    """The processes of these process groups that have not ended."""
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getpgid(process.pid) in groups:
                found.append(process.pid)
    return found


def test_root_without_a_second_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    owner_of_devices()
    groups, start = [], subprocess.Popen

    def record(*arguments: Any, **options: Any) -> subprocess.Popen:
        started = start(*arguments, **options)
        groups.append(started.pid)
        return started

    monkeypatch.setattr(host, "_NOBODY", 2**32 - 1)  # no user can have this number
    monkeypatch.setattr(subprocess, "Popen", record)
    before = processes()
    with pytest.raises(SandboxUnavailable, match="grade as an ordinary user"), Sandbox():
        pass
    assert processes() == before and groups
    for _ in range(100):  # a killed process takes a moment to end
        if not (waiting := in_groups(groups)):
            break
        time.sleep(0.05)
    assert not waiting, "a child of bubblewrap waits for its users to be mapped"


@pytest.mark.parametrize("prints", ["print('x' * 6 * 10**7)", "import os; os.write(2, b'x' * 6 * 10**7)"])
def test_much_output_of_many_calls_is_handled(sandbox: Sandbox, prints: str) -> None:
    with sandbox.session(Limits(memory=500 * 2**20)) as session:
        session.run(f"def loud():\n    {prints}\n    return 7")
        for _ in range(5):
            kind, reply = session.request(b"call", b'loud {"tuple":[[],{"dict":[]},false]}', 20)
            assert (kind, b"7" in reply) == (b"done", True)


def test_a_folder_too_many_is_noticed(tmp_path: Path) -> None:
    class Open(Sandbox):
        def command(self, mode: Literal["warm", "cold"]) -> list[str]:
            parents = [part for parent in host._parents(tmp_path) for part in ("--dir", str(parent))]
            return ["bwrap", *parents, "--ro-bind", str(tmp_path), str(tmp_path), *super().command(mode)[1:]]

    with pytest.raises(SandboxUnavailable, match=str(tmp_path)), Open(warm=False, secret=[tmp_path]):
        pass


def test_a_secret_in_what_is_shown_is_refused() -> None:
    with (
        pytest.raises(SandboxUnavailable, match="move one of them"),
        Sandbox(secret=[Path(sys.prefix) / "gradebook.db"]),
    ):
        pass


def test_without_bubblewrap_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        check_available()
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"), Sandbox():
        pass
    script = tmp_path / "bwrap"
    script.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    script.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match="No permissions to create new namespace"), Sandbox():
        pass


def test_a_sandbox_that_dies_is_replaced(sandbox: Sandbox) -> None:
    """Results of its sessions are discarded, and the next session starts a new one."""
    with pytest.raises(SandboxUnavailable), sandbox.session() as session:
        assert sandbox._process is not None
        os.kill(sandbox._process.process.pid, signal.SIGKILL)
        with pytest.raises(SessionDied):
            session.run("1 + 1", 20)
    with sandbox.session() as session:
        assert text(session.run("1 + 1")) == "2\n"


def test_nothing_stays_when_it_is_closed() -> None:
    before = processes()
    with Sandbox(warm=True) as sandbox:
        sandbox.session()
        started = processes() - before
        assert len(started) >= 3
    for _ in range(100):
        if processes() == before:
            break
        time.sleep(0.05)
    assert processes() == before


def test_cold_is_taken_where_warm_does_not_work_and_holds_as_well() -> None:
    """One bubblewrap a session, where nested namespaces are not to be had."""

    class OnlyCold(Sandbox):
        def command(self, mode: Literal["warm", "cold"]) -> list[str]:
            command = super().command(mode)
            return ["bwrap", "--disable-userns", *command[1:]] if mode == "warm" else command

    before = processes()
    with OnlyCold() as sandbox, sandbox.session(Limits(memory=300 * 2**20)) as session:
        assert sandbox.warm is False
        assert text(session.run("import torch\ntorch.ones(2).sum().item()")) == "2.0\n"
        assert "MemoryError" in str(session.run("x = bytearray(4 * 10**8)"))
        assert text(session.run("import os\nos.getpid()")) == "1\n"
        environment = text(session.run("print(open('/proc/1/environ').read())"))
        assert ("[Errno 13]" if host._owns_devices() else "PYTHONPATH=") in environment
        assert "HOSTILE_CANARY" not in environment
        with pytest.raises(SessionDied, match="longer"):
            session.run("while True: pass", 0.3)
    assert processes() == before


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="the other tests run as an ordinary user")
def test_an_ordinary_user_can_start_a_sandbox(tmp_path: Path) -> None:
    """What root may read is shown to a user who may not, and the sandbox is built by that user."""
    if shutil.which("setpriv") is None:
        pytest.skip("there is no setpriv")
    namespace = ["bwrap", "--dev-bind", "/", "/"]
    tops = {Path(*Path(name).parts[:3]) for name in (sys.base_prefix, sys.prefix, str(ROOT)) if name[:5] != "/usr/"}
    for top in {top.parent for top in tops}:
        namespace += ["--tmpfs", str(top)]
    for top in tops:
        namespace += ["--ro-bind", str(top), str(top)]
    code = (
        "from helpers.grading.sandbox.host import *\nwith Sandbox(True) as s, s.session() as t: print(t.run('6 * 7'))"
    )
    namespace += ["--chdir", str(ROOT), "setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
    done = subprocess.run([*namespace, sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "42" in done.stdout, done.stderr

"""Runs inside bubblewrap: a process that has torch loaded, and forks one confined child for each session.

In a child somebody's code runs, and it can do to this module what it likes: nothing on the other side may depend on
what comes out of here. A child is one process with one thread. It has no capability, no network, no file to write but
in a small scratch folder of its own, and the kernel refuses it every call of ``seccomp.REFUSED``.

Messages are lines, ``verb rest``. What this side is asked: ``run``, ``get``, ``put``, ``call``. It answers ``done`` or
``raised``; in between it may ask back: ``call``.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import signal
import socket
import struct
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import codec
import numpy as np
import seccomp
import torch
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from helpers.exercises import check

_LIBC = ctypes.CDLL(None, use_errno=True)

_CROSS = {"bool", "int", "float", "str", "list", "tuple", "dict", "Tensor", "ndarray"}

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000


def main() -> None:
    """``guest.py warm|cold DESCRIPTOR``: wait for orders on a socket."""
    mode, descriptor = sys.argv[1:]
    control = socket.socket(fileno=int(descriptor))
    importlib.import_module("helpers.homework")
    importlib.import_module("matplotlib.pyplot")
    repr(torch.ones(2, 2) @ torch.ones(2, 2))  # looks into /proc/cpuinfo once, which the children do not see
    if mode == "warm":
        _train()
    shell = _shell()
    children: dict[int, tuple[int, int]] = {}
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page that it shares
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 3)
        if not message:
            return
        order = json.loads(message)
        if order["do"] == "kill":
            control.send(json.dumps({"cpu": _kill(*children.pop(order["child"]))}).encode())
        elif mode == "cold":
            _live(descriptors, order, shell, control, nested=False)
        else:
            watcher, pidfd = _fork(descriptors, order, shell, control)
            children[watcher] = watcher, pidfd
            control.send(json.dumps({"child": watcher}).encode())


def _train() -> None:
    """One step, for the first one loads 800 modules: better here than in each child."""
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)
    (2 * weight).sum().backward()
    optimizer.step()


def _fork(descriptors: list[int], order: dict, shell: _Shell, control: socket.socket) -> tuple[int, int]:
    """A child in namespaces of its own, and the process that waits for it."""
    reader, writer = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        try:
            _unshare(_NEWUSER)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{os.getuid()} {os.getuid()} 1")
            _write("/proc/self/gid_map", f"{os.getgid()} {os.getgid()} 1")
            _unshare(_NEWPID | _NEWNS | _NEWNET | _NEWIPC)
            child = os.fork()
        except OSError as error:
            os.write(descriptors[0], f"failed {error}\n".encode())
            os._exit(1)
        if child == 0:
            _live(descriptors, order, shell, control, nested=True)
        os.write(writer, str(child).encode())
        os.closerange(0, 4096)
        os.waitpid(child, 0)
        os._exit(0)
    os.close(writer)
    child = int(os.read(reader, 32) or 0)
    for number in (reader, *descriptors):
        os.close(number)
    pidfd = -1
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(child) if child else -1
    return watcher, pidfd


def _kill(watcher: int, pidfd: int) -> float:
    """End a child with all that it has, and return the processor seconds that it took."""
    if pidfd >= 0:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
    usage = os.wait4(watcher, 0)[2]
    return usage.ru_utime + usage.ru_stime


def _live(descriptors: list[int], order: dict, shell: _Shell, control: socket.socket, nested: bool) -> NoReturn:
    """Be the child: confine yourself, then answer until the other side hangs up."""
    try:
        control.detach()
        # Out of the way of 0 to 3 first, which are given out next.
        channel, out, err = (_above(number) for number in descriptors)
        null = _above(os.open("/dev/null", os.O_RDWR))
        for place, number in enumerate((null, out, err, channel)):
            os.dup2(number, place)
        os.closerange(4, 4096)
        peer = _Peer(socket.socket(fileno=3), shell, examiner=bool(order["examiner"]))
        os.environ.update(order["environment"])
        try:
            _confine(order, nested)
        except OSError as error:
            peer.send(b"failed", f"{error}".encode())
            os._exit(1)
        peer.send(b"ready")
        peer.serve()
    finally:
        os._exit(1)


def _above(number: int) -> int:
    return fcntl.fcntl(number, fcntl.F_DUPFD, 100)


def _confine(order: dict, nested: bool) -> None:
    """Give everything up. What does not work raises: no submission runs half confined."""
    if nested:
        # Else a signal to the own process group reaches those outside.
        os.setsid()
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    if nested:
        _write("/proc/self/oom_score_adj", "500" if order["examiner"] else "1000")
        _write("/proc/sys/user/max_user_namespaces", "0")
        _mount(os.environ["HOME"], f"size={order['disk']},nr_inodes=2000,mode=1777")
        _mount("/proc", "size=4k,nr_inodes=1,mode=555", readonly=True)
    os.chdir(os.environ["HOME"])
    for name, value in {
        "AS": mapped + order["memory"],
        "CPU": order["cpu"],
        "FSIZE": order["disk"],
        "NOFILE": 256,
        "CORE": 0,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
        "NICE": 0,
        "RTPRIO": 0,
    }.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    _drop_capabilities()
    seccomp.refuse_calls()


def _unshare(flags: int) -> None:
    _checked(_LIBC.unshare(flags), "unshare")


def _mount(path: str, options: str, readonly: bool = False) -> None:
    flags = 2 | 4 | 8 | (1 if readonly else 0)  # nosuid, nodev, noexec, rdonly
    _checked(_LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", flags, options.encode()), f"mount {path}")


def _drop_capabilities() -> None:
    for capability in range(64):
        _LIBC.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; those that do not exist fail
    header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
    nothing = ctypes.create_string_buffer(24)
    _checked(_LIBC.capset(header, nothing), "capset")
    _checked(_LIBC.prctl(47, 4, 0, 0, 0), "PR_CAP_AMBIENT_CLEAR_ALL")
    _checked(_LIBC.prctl(38, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    _checked(_LIBC.prctl(4, 0, 0, 0, 0), "PR_SET_DUMPABLE")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


class _Display(DisplayHook):
    def write_output_prompt(self) -> None:
        """No ``Out[1]:``; nothing but the value."""

    def quiet(self) -> bool:
        return self.shell.source.rstrip().endswith(";")


class _Shell(InteractiveShell):
    displayhook_class = Type(_Display)
    source = ""
    failure: tuple[type, str, list[str]] | None = None

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.failure = etype, _text(evalue), [str(line) for line in stb]


def _shell() -> _Shell:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Context"
    return _Shell.instance(config=config, user_module=types.ModuleType("__main__"))


class _Peer:
    """One end of a conversation in which both sides call each other's functions."""

    def __init__(self, channel: socket.socket, shell: _Shell, examiner: bool):
        self.channel = channel
        self.stream = channel.makefile("rb")
        self.shell = shell
        self.examiner = examiner
        self.watch = False
        self.functions: list[Callable] = []
        if examiner:
            warnings.simplefilter("ignore")

    def send(self, verb: bytes, rest: bytes = b"") -> None:
        self.channel.sendall(verb + b" " + rest + b"\n")

    def receive(self) -> tuple[str, bytes]:
        line = self.stream.readline()
        if not line:
            os._exit(0)
        verb, _, rest = line.rstrip(b"\n").partition(b" ")
        return verb.decode(), rest

    def serve(self) -> NoReturn:
        while True:
            self.answer(*self.receive())

    def answer(self, verb: str, rest: bytes) -> None:
        """Do as asked, and reply with one line."""
        try:
            reply = {"run": self.run, "get": self.get, "put": self.put, "call": self.call}[verb](rest)
        except BaseException as error:
            self.send(b"raised", _describe(error))
        else:
            self.send(b"done", reply)

    def run(self, rest: bytes) -> bytes:
        order = json.loads(rest)
        self.watch = order["watch"]
        self.shell.source, self.shell.failure = order["source"], None
        self.shell.run_cell(order["source"])
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        if self.shell.failure is None:
            return b""
        kind, message, lines = self.shell.failure
        name = getattr(kind, "__name__", "Error")
        return json.dumps({"ename": name, "evalue": message[:20_000], "traceback": _capped(lines)}).encode()

    def get(self, rest: bytes) -> bytes:
        """A name's value: ``function``, ``function stub``, ``missing``, ``odd kind`` or ``value …``."""
        name = rest.decode()
        value = self.shell.user_ns.get(name, ...)
        if value is ...:
            return b"missing"
        try:
            return b"value " + codec.dumps(value)
        except codec.WireError:
            if not callable(value):
                return b"odd " + type(value).__name__.encode()
            return b"function stub" if check.is_stub(value) else b"function"

    def put(self, rest: bytes) -> bytes:
        name, kind, value = rest.split(b" ", 2)
        self.shell.user_ns[name.decode()] = self._bound(name.decode(), kind, value)
        return b""

    def _bound(self, name: str, kind: bytes, value: bytes) -> Any:
        if kind == b"function":
            function = self.remote(name)
            function.__dict__["is_stub"] = value == b"stub"
            return function
        if kind == b"missing":
            return ...
        if kind == b"value":
            with contextlib.suppress(codec.WireError):
                return codec.loads(value)
        return _odd(value)

    def call(self, rest: bytes) -> bytes:
        name, _, payload = rest.partition(b" ")
        if name.startswith(b"#"):
            function = self.functions[int(name[1:])]
        elif self.examiner:
            raise PermissionError("only what was handed over can be called")
        else:
            function = self.shell.user_ns[name.decode()]
        args, kwargs, watch = codec.loads(payload, function=None if self.examiner else self.remote)
        before = [_print(argument) for argument in args] if watch else []
        result = function(*args, **kwargs)
        changed = [
            (place, argument)
            for place, (argument, was) in enumerate(zip(args, before, strict=False))
            if _print(argument) not in (was, b"")
        ]
        try:
            return codec.dumps((result, changed))
        except codec.WireError as error:
            if type(result).__name__ in _CROSS:
                raise TypeError(f"what it returned cannot be graded: {error}") from None
            return b"odd " + type(result).__name__.encode()

    def remote(self, name: str) -> Callable:
        """What stands for a function of the other side."""

        def function(*args: Any, **kwargs: Any) -> Any:
            mark = len(self.functions)
            try:
                # A learner's function is no argument: it would be called outside of any test.
                payload = codec.dumps((args, kwargs, self.watch), function=self._hand_out if self.examiner else None)
                self.send(b"call", name.encode() + b" " + payload)
                verb, rest = self.receive()
                while verb not in ("done", "raised"):
                    self.answer(verb, rest)
                    verb, rest = self.receive()
            finally:
                # A handle is good for one call.
                del self.functions[mark:]
            if verb == "raised":
                raise _error(rest)
            if rest.startswith(b"odd "):
                return _odd(rest[4:])
            try:
                result, changed = codec.loads(rest)
                for place, argument in changed if self.watch else ():
                    _overwrite(args[place], argument)
            except (ValueError, TypeError, LookupError) as error:
                raise TypeError(f"what came back is no value: {error}") from None
            return result

        function.__name__ = function.__qualname__ = name if name.isidentifier() else "function"
        return function

    def _hand_out(self, function: Callable) -> str:
        self.functions.append(function)
        return f"#{len(self.functions) - 1}"


def _odd(kind: bytes) -> Any:
    """What stands for a value that does not cross: good for nothing but to be told its kind."""
    label = kind.decode("ascii", "replace")[:60]
    return ... if label == "ellipsis" else type(label if label.isidentifier() else "value", (), {})()


def _print(value: Any) -> bytes:
    """What a value looks like, to see whether a call changed it."""
    try:
        return codec.dumps(value, function=lambda _: "#0")
    except Exception:
        return b""


def _overwrite(mine: Any, other: Any) -> None:
    """Make of a value what the other side's copy of it became: a function that changes its input is to be seen."""
    if type(mine) is not type(other):
        return
    if isinstance(mine, list):
        mine[:] = other
    elif isinstance(mine, dict):
        mine.clear()
        mine.update(other)
    elif isinstance(mine, torch.Tensor) and (mine.shape, mine.dtype) == (other.shape, other.dtype):
        mine.detach().copy_(other)
    elif isinstance(mine, np.ndarray) and (mine.shape, mine.dtype) == (other.shape, other.dtype):
        mine[...] = other


def _describe(error: BaseException) -> bytes:
    names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, BaseException)]
    whole = isinstance(error, KeyError) and len(error.args) == 1  # str() of a KeyError adds quotes
    return json.dumps({"types": names[:20], "message": _text(error.args[0] if whole else error)[:2_000]}).encode()


def _error(line: bytes) -> Exception:
    """An exception of the other side: of a built-in type where there is one."""
    try:
        told = json.loads(line)
        names, message = told["types"], told["message"]
        if not (isinstance(message, str) and isinstance(names, list) and all(isinstance(n, str) for n in names)):
            raise ValueError
        label = names[0][:60] if names and names[0].isidentifier() else "Error"
    except (ValueError, TypeError, KeyError, RecursionError):
        return RuntimeError("an error that cannot be told")
    known = (getattr(builtins, name, None) for name in names)
    base = next((kind for kind in known if isinstance(kind, type) and issubclass(kind, Exception)), Exception)
    kind = base if base.__name__ == label else type(label, (base,), {})
    try:
        return kind(message)
    except TypeError:  # UnicodeDecodeError wants five arguments
        return RuntimeError(f"{label}: {message}")


def _capped(lines: list[str], most: int = 20_000) -> list[str]:
    kept = []
    for line in lines:
        most -= len(line)
        if most < 0:
            break
        kept.append(line)
    return kept


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return "(no message)"

"""Runs inside bubblewrap: loads torch once, and forks a confined child process for each session.

A child runs untrusted code, which can modify this module: the host must not trust its messages. A child is one process
with one thread. It has no capabilities, no network and no writable files except in its own small scratch folder, and
the kernel refuses the system calls in ``seccomp.REFUSED``.

Messages are lines, ``verb rest``. The host requests ``run``, ``get``, ``put`` and ``call``; the reply is ``done`` or
``raised``. Before the reply, a child may itself request ``call``.
"""

from __future__ import annotations

import builtins
import contextlib
import ctypes
import fcntl
import functools
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import codec
import numpy as np
import seccomp
import torch
from shell import Shell, make_shell, text_of

from helpers import homework
from helpers.exercises import check

_LIBC = ctypes.CDLL(None, use_errno=True)

_SUPPORTED = {"bool", "int", "float", "str", "list", "tuple", "dict", "Tensor", "ndarray"}

# linux/sched.h, asm-generic/mman-common.h, sys/mount.h, linux/prctl.h, linux/capability.h
_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER = 0x20000, 0x8000000, 0x10000000
_CLONE_NEWPID, _CLONE_NEWNET = 0x20000000, 0x40000000
_MADV_COLLAPSE = 25
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    """``guest.py warm|cold USER DESCRIPTOR``: serve the host's requests for sessions on a socket."""
    mode, user, descriptor = sys.argv[1:]
    if os.getuid() != int(user):
        _become(int(user))
    control = socket.socket(fileno=int(descriptor))
    importlib.import_module("matplotlib.pyplot")
    repr(torch.ones(2, 2) @ torch.ones(2, 2))  # reads /proc/cpuinfo once, which is not visible in the children
    if mode == "warm":
        _load_autograd()
    shell = make_shell()
    children: dict[int, tuple[int, int]] = {}
    gc.collect()
    gc.freeze()  # otherwise a collection in a child would copy the shared memory pages
    if mode == "warm":
        _use_huge_pages()
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 65536, 3)
        if not message:
            return
        request = json.loads(message)
        if request["command"] == "kill":
            control.send(json.dumps({"cpu": _kill(*children.pop(request["child"]))}).encode())
        elif mode == "cold":
            _run_child(descriptors, request, shell, control, nested=False)
        else:
            watcher, pidfd = _fork(descriptors, request, shell, control)
            children[watcher] = watcher, pidfd
            control.send(json.dumps({"child": watcher}).encode())


def _become(user: int) -> None:
    """Change to another user permanently, also on the host."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # A change of user resets both: write access to /proc/self, and the signal that is sent when the parent dies.
    _checked(_LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "PR_SET_DUMPABLE")
    _checked(_LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")


def _load_autograd() -> None:
    """Take one optimizer step, which imports about 800 modules that the children then share."""
    weight = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 0.1)
    (2 * weight).sum().backward()
    optimizer.step()


def _use_huge_pages() -> None:
    """Make a fork, and the end of a child, several times as fast; before Linux 6.1 nothing happens."""
    with open("/proc/self/maps") as file:
        lines = file.readlines()
    for line in lines:
        addresses, access, _, _, inode = line.split()[:5]
        if (access, inode) == ("rw-p", "0"):
            start, end = (int(address, 16) for address in addresses.split("-"))
            _LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)


def _fork(descriptors: list[int], request: dict, shell: Shell, control: socket.socket) -> tuple[int, int]:
    """Start a child in its own namespaces.

    Returns:
        The id of the process that waits for it, and a pidfd of the child.
    """
    reader, writer = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        try:
            _unshare(_CLONE_NEWUSER)
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{os.getuid()} {os.getuid()} 1")
            _write("/proc/self/gid_map", f"{os.getgid()} {os.getgid()} 1")
            _unshare(_CLONE_NEWPID | _CLONE_NEWNS | _CLONE_NEWNET | _CLONE_NEWIPC)
            child = os.fork()
        except OSError as error:
            os.write(descriptors[0], f"failed {error}\n".encode())
            os._exit(1)
        if child == 0:
            _run_child(descriptors, request, shell, control, nested=True)
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
    """Kill a child and everything in its namespaces; return the processor seconds that it used."""
    if pidfd >= 0:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)
    usage = os.wait4(watcher, 0)[2]
    return usage.ru_utime + usage.ru_stime


def _run_child(descriptors: list[int], request: dict, shell: Shell, control: socket.socket, nested: bool) -> NoReturn:
    """Confine this child process, then serve the host until it closes the channel."""
    try:
        control.detach()
        # Duplicate above 3 first: 0 to 3 are assigned below.
        channel, out, err = (_above(number) for number in descriptors)
        null = _above(os.open("/dev/null", os.O_RDWR))
        for target, number in enumerate((null, out, err, channel)):
            os.dup2(number, target)
        os.closerange(4, 4096)
        peer = RpcPeer(socket.socket(fileno=3), shell, test_runner=bool(request["test_runner"]))
        os.environ.update(request["environment"])
        try:
            _confine(request, nested)
        except OSError as error:
            peer.send(b"failed", f"{error}".encode())
            os._exit(1)
        peer.send(b"ready")
        peer.serve()
    finally:
        os._exit(1)


def _above(number: int) -> int:
    """Duplicate a file descriptor to a number of at least 100."""
    return fcntl.fcntl(number, fcntl.F_DUPFD, 100)


def _confine(request: dict, nested: bool) -> None:
    """Drop all privileges, and set resource limits.

    Raises:
        OSError: a step failed; the child must not run any code then.
    """
    if nested:
        # Otherwise a signal to the process group would reach processes outside the namespace.
        os.setsid()
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    if nested:
        _write("/proc/self/oom_score_adj", "500" if request["test_runner"] else "1000")
        _write("/proc/sys/user/max_user_namespaces", "0")
        _mount(os.environ["HOME"], f"size={request['disk']},nr_inodes=2000,mode=1777")
        _mount("/proc", "size=4k,nr_inodes=1,mode=555", readonly=True)
    os.chdir(os.environ["HOME"])
    for name, value in {
        "AS": mapped + request["memory"],
        "CPU": request["cpu"],
        "FSIZE": request["disk"],
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
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC | (_MS_RDONLY if readonly else 0)
    _checked(_LIBC.mount(b"tmpfs", path.encode(), b"tmpfs", flags, options.encode()), f"mount {path}")


def _drop_capabilities() -> None:
    for capability in range(64):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for capabilities that do not exist
    header = ctypes.create_string_buffer(struct.pack("Ii", _CAPABILITY_VERSION_3, 0))
    no_capabilities = ctypes.create_string_buffer(24)
    _checked(_LIBC.capset(header, no_capabilities), "capset")
    _checked(_LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT_CLEAR_ALL")
    _checked(_LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    _checked(_LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE")


def _checked(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


class _Library(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports modules whose source is in memory."""

    def __init__(self, sources: dict[str, str]):
        self.sources = sources

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname in self.sources else None

    def get_source(self, fullname: str) -> str:
        return self.sources[fullname]


class RpcPeer:
    """One end of a channel over which both sides call each other's functions."""

    def __init__(self, channel: socket.socket, shell: Shell, test_runner: bool):
        self.channel = channel
        self.stream = channel.makefile("rb")
        self.shell = shell
        self.test_runner = test_runner
        self.track_changes = False
        self.functions: list[Callable] = []
        if test_runner:
            warnings.simplefilter("ignore")

    def send(self, verb: bytes, rest: bytes = b"") -> None:
        """Send one message."""
        self.channel.sendall(verb + b" " + rest + b"\n")

    def receive(self) -> tuple[str, bytes]:
        """The next message; exit if the host closed the channel."""
        line = self.stream.readline()
        if not line:
            os._exit(0)
        verb, _, rest = line.rstrip(b"\n").partition(b" ")
        return verb.decode(), rest

    def serve(self) -> NoReturn:
        """Answer requests until the host closes the channel."""
        while True:
            self.answer(*self.receive())

    def answer(self, verb: str, rest: bytes) -> None:
        """Execute a request, and reply with one line."""
        try:
            requests = {"run": self.run, "get": self.get, "put": self.put, "call": self.call}
            reply = (requests | {"library": self.library, "reference": self.reference})[verb](rest)
        except BaseException as error:
            self.send(b"raised", _describe(error))
        else:
            self.send(b"done", reply)

    def library(self, rest: bytes) -> bytes:
        """Make modules importable: name → source."""
        sys.meta_path.insert(0, _Library(json.loads(rest)))
        return b""

    def reference(self, rest: bytes) -> bytes:
        """Make the author's answers available to tests: name → source."""
        namespace = dict(self.shell.user_ns)  # after the setup cells

        def evaluate(name: str, source: str) -> Any:
            copy = dict(namespace)
            exec(source, copy)
            return copy.get(name)

        for name, source in json.loads(rest).items():
            homework.references[name] = functools.partial(evaluate, name, source)
        return b""

    def run(self, rest: bytes) -> bytes:
        """Run a cell; the reply describes the error in which it ended, or is empty."""
        request = json.loads(rest)
        self.track_changes = request["track_changes"]
        self.shell.source, self.shell.failure = request["source"], None
        self.shell.run_cell(request["source"])
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        if self.shell.failure is None:
            return b""
        kind, message, lines = self.shell.failure
        name = getattr(kind, "__name__", "Error")
        return json.dumps({"ename": name, "evalue": message[:20_000], "traceback": _capped(lines)}).encode()

    def get(self, rest: bytes) -> bytes:
        """The binding of a name: ``function [stub]``, ``missing``, ``unsupported TYPE`` or ``value JSON``."""
        name = rest.decode()
        value = self.shell.user_ns.get(name, ...)
        if value is ...:
            return b"missing"
        try:
            return b"value " + codec.dumps(value)
        except codec.CodecError:
            if not callable(value):
                return b"unsupported " + type(value).__name__.encode()
            return b"function stub" if check.is_stub(value) else b"function"

    def put(self, rest: bytes) -> bytes:
        """Bind a name: ``NAME BINDING``, with a binding as :meth:`get` returns it."""
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
            with contextlib.suppress(codec.CodecError):
                return codec.loads(value)
        return _placeholder(value)

    def call(self, rest: bytes) -> bytes:
        """Call a function by its name or handle; the reply is the encoded result and changed arguments."""
        name, _, payload = rest.partition(b" ")
        if name.startswith(b"#"):
            function = self.functions[int(name[1:])]
        elif self.test_runner:
            raise PermissionError("only functions that were passed as arguments can be called")
        else:
            function = self.shell.user_ns[name.decode()]
        args, kwargs, track_changes = codec.loads(payload, function=None if self.test_runner else self.remote)
        before = [_fingerprint(argument) for argument in args] if track_changes else []
        result = function(*args, **kwargs)
        changed = [
            (index, argument)
            for index, (argument, fingerprint) in enumerate(zip(args, before, strict=False))
            if _fingerprint(argument) not in (fingerprint, b"")
        ]
        try:
            return codec.dumps((result, changed))
        except codec.CodecError as error:
            if type(result).__name__ in _SUPPORTED:
                raise TypeError(f"the returned value cannot be graded: {error}") from None
            return b"unsupported " + type(result).__name__.encode()

    def remote(self, name: str) -> Callable:
        """A function that calls the other side's function ``name``."""

        def function(*args: Any, **kwargs: Any) -> Any:
            mark = len(self.functions)
            try:
                # A submission must not pass functions, as they could be called outside of a test.
                payload = codec.dumps(
                    (args, kwargs, self.track_changes), function=self._handle if self.test_runner else None
                )
                self.send(b"call", name.encode() + b" " + payload)
                verb, rest = self.receive()
                while verb not in ("done", "raised"):
                    self.answer(verb, rest)
                    verb, rest = self.receive()
            finally:
                # Handles are valid only during this call.
                del self.functions[mark:]
            if verb == "raised":
                raise _error(rest)
            if rest.startswith(b"unsupported "):
                return _placeholder(rest.removeprefix(b"unsupported "))
            try:
                result, changed = codec.loads(rest)
                for index, argument in changed if self.track_changes else ():
                    _overwrite(args[index], argument)
            except (ValueError, TypeError, LookupError) as error:
                raise TypeError(f"it returned a value that cannot be decoded: {error}") from None
            return result

        function.__name__ = function.__qualname__ = name if name.isidentifier() else "function"
        return function

    def _handle(self, function: Callable) -> str:
        self.functions.append(function)
        return f"#{len(self.functions) - 1}"


def _placeholder(kind: bytes) -> Any:
    """An instance of an empty class named like the type of a value that cannot be encoded."""
    label = kind.decode("ascii", "replace")[:60]
    return ... if label == "ellipsis" else type(label if label.isidentifier() else "value", (), {})()


def _fingerprint(value: Any) -> bytes:
    """The encoding of a value, to compare it before and after a call; empty if it cannot be encoded."""
    try:
        return codec.dumps(value, function=lambda _: "#0")
    except Exception:
        return b""


def _overwrite(argument: Any, changed: Any) -> None:
    """Apply a change that a called function made to its copy of an argument to the argument itself."""
    if type(argument) is not type(changed):
        return
    if isinstance(argument, list):
        argument[:] = changed
    elif isinstance(argument, dict):
        argument.clear()
        argument.update(changed)
    elif isinstance(argument, torch.Tensor) and (argument.shape, argument.dtype) == (changed.shape, changed.dtype):
        argument.detach().copy_(changed)
    elif isinstance(argument, np.ndarray) and (argument.shape, argument.dtype) == (changed.shape, changed.dtype):
        argument[...] = changed


def _describe(error: BaseException) -> bytes:
    """The names of the types of an error and its message, as JSON."""
    names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, BaseException)]
    is_key_error = isinstance(error, KeyError) and len(error.args) == 1  # str() of a KeyError adds quotes
    message = text_of(error.args[0] if is_key_error else error)
    return json.dumps({"types": names[:20], "message": message[:2_000]}).encode()


def _error(line: bytes) -> Exception:
    """The exception that a line describes; its type is, or is derived from, the first built-in type in the line."""
    try:
        description = json.loads(line)
        names, message = description["types"], description["message"]
        if not (isinstance(message, str) and isinstance(names, list) and all(isinstance(n, str) for n in names)):
            raise ValueError
        label = names[0][:60] if names and names[0].isidentifier() else "Error"
    except (ValueError, TypeError, KeyError, RecursionError):
        return RuntimeError("an error without a readable description")
    known = (getattr(builtins, name, None) for name in names)
    base = next((kind for kind in known if isinstance(kind, type) and issubclass(kind, Exception)), Exception)
    kind = base if base.__name__ == label else type(label, (base,), {})
    try:
        return kind(message)
    except TypeError:  # UnicodeDecodeError needs five arguments
        return RuntimeError(f"{label}: {message}")


def _capped(lines: list[str], limit: int = 20_000) -> list[str]:
    """The first lines, with at most ``limit`` characters."""
    kept = []
    for line in lines:
        limit -= len(line)
        if limit < 0:
            break
        kept.append(line)
    return kept

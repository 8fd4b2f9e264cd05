"""Test the confinement from inside. The host runs the source of this file as the first cell of a session."""

import ctypes
import fcntl
import importlib
import os
import resource
import socket
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

_MUST_BE_HIDDEN = ("/etc/passwd", "/etc/hostname", "/sys", "/dev/shm", "/course/helpers/grading/sandbox/host.py")
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522
_SYSCALLS = {"x86_64": {"unshare": 272, "capget": 125}, "aarch64": {"unshare": 97, "capget": 90}}


def violations(secrets: Sequence[str]) -> list[str]:
    """The actions, paths and resources to which a session has access, but must not have.

    Args:
        secrets: paths on the host that must not be visible.
    """
    attempts: dict[str, Callable[[], object]] = {
        "the network": lambda: socket.create_connection(("127.0.0.1", 1), 1),
        "a socket": lambda: socket.socket(socket.AF_UNIX),
        "a process": _fork,
        "a thread": lambda: threading.Thread(target=int).start(),
        "namespaces": lambda: _syscall("unshare", _CLONE_NEWUSER),
        "capabilities": _have_capabilities,
        "the kernel's settings": lambda: open("/proc/sys/kernel/core_pattern", "r+"),
        "the course's library": lambda: importlib.import_module("helpers.positions"),
        "locks on files of the host": _lock,
        "the host's page cache": _evict,
    }
    for device in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"):
        attempts[f"changing {device}"] = partial(_change_mode, device)
        attempts[f"the times of {device}"] = partial(os.utime, device)
    for folder in ("/", "/dev", "/course", "/course/helpers", sys.prefix, sys.base_prefix, "/usr"):
        attempts[f"writing to {folder}"] = partial(_write, f"{folder}/probe")
    violated = [action for action, attempt in attempts.items() if _succeeds(attempt)]
    violated += [path for path in (*secrets, *_MUST_BE_HIDDEN) if os.path.exists(path)]
    if os.getuid() == 0 or sum(name.isdigit() for name in os.listdir("/proc")) > 2:
        violated.append("other processes")
    if any(_succeeds(partial(os.fstat, number)) for number in range(4, 256)):
        violated.append("an open file")
    if resource.getrlimit(resource.RLIMIT_AS)[1] == resource.RLIM_INFINITY:
        violated.append("all memory")
    return violated


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (OSError, RuntimeError, ImportError):
        return False
    return True


def _write(path: str) -> None:
    with open(path, "w"):
        os.remove(path)


def _change_mode(path: str) -> None:
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))  # to the present mode: only the permission is tested


def _lock() -> None:
    with open(os.__file__) as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def _evict() -> None:
    with open(os.__file__) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def _syscall(name: str, *arguments: object) -> None:
    number = _SYSCALLS[os.uname().machine][name]
    if ctypes.CDLL(None, use_errno=True).syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _have_capabilities() -> None:
    header, data = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _syscall("capget", header, data)
    if not any(data):
        raise OSError("no capability")

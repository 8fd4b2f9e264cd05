"""Run a command without a network: ``python -m tests.tools.offline COMMAND …``.

On Linux in a network namespace of its own, with nothing but a loopback (kernels and browsers need that one). Where
namespaces are not allowed, a guard in every Python process refuses to connect to anything but the loopback.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GUARD = """
import socket

_connect, _connect_ex, _lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def _local(host):
    return host in (None, "", "localhost", "::1") or str(host).startswith("127.")


def _refuse(host):
    raise OSError(101, f"the network is off: {host}")


def _guarded(original):
    def connect(self, address):
        if isinstance(address, tuple) and not _local(address[0]):
            _refuse(address[0])
        return original(self, address)

    return connect


def _guarded_lookup(host, *args, **kwargs):
    return _lookup(host, *args, **kwargs) if _local(host) else _refuse(host)


socket.socket.connect = _guarded(_connect)
socket.socket.connect_ex = _guarded(_connect_ex)
socket.getaddrinfo = _guarded_lookup
"""
_LOOPBACK_UP = """
import fcntl, os, socket, struct, sys
handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(handle, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP | IFF_RUNNING
os.execvp(sys.argv[1], sys.argv[1:])
"""


def namespace() -> list[str] | None:
    """The prefix that runs a command without a network, or None where that is not allowed."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        return None
    for flags in (["--net"], ["--user", "--map-root-user", "--net"]):
        prefix = ["unshare", *flags, sys.executable, "-c", _LOOPBACK_UP]
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return None


def run(command: list[str], force_guard: bool = False) -> int:
    """Run ``command`` offline; return its exit code."""
    prefix = None if force_guard else namespace()
    if prefix is not None:
        return subprocess.run([*prefix, *command]).returncode
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(GUARD)
        path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}).returncode


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("say what to run offline: python -m tests.tools.offline COMMAND …")
    sys.exit(run(sys.argv[1:]))

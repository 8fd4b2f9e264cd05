"""Adapter to dask.distributed: clusters of workers, and all code that depends on details of its API and settings.

:func:`api_changes` lists what an installed version lacks; :func:`local` and :func:`remote` call it.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster
from distributed.comm import CommClosedError
from distributed.security import Security

__all__ = ["CHECKED_VERSIONS", "Client", "CommClosedError", "Future", "KilledWorker", "Stopped", "local", "remote"]

CHECKED_VERSIONS = ">=2026.1,<2027"
"""The versions of distributed for which this module was written."""

_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # the scheduler module retries, with no other submission running
    "distributed.deploy.lost-worker-timeout": "1 hour",  # a new worker may start slowly
    "distributed.scheduler.worker-ttl": None,  # depends on the system clock, which may be set during a run
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "5s",
}
_PARAMETERS: list[tuple[Any, str, tuple[str, ...]]] = [
    (Client, "processing", ()),
    (Client, "restart_workers", ("workers", "timeout", "raise_for_error")),
    (Client, "submit", ("key", "pure")),
    (Client, "wait_for_workers", ("n_workers", "timeout")),
    (Client, "who_has", ("futures",)),
    (
        LocalCluster,
        "__init__",
        ("n_workers", "threads_per_worker", "host", "protocol", "security", "dashboard_address", "silence_logs"),
    ),
]


class Stopped(RuntimeError):
    """Grading cannot continue, for a reason that does not depend on a submission."""


def api_changes() -> list[str]:
    """The parts of distributed that this module needs and the installed version lacks, as sentences."""
    missing = object()  # None is a value of some settings
    changes = [
        f"distributed has no setting {name} any more" for name in _SETTINGS if dask.config.get(name, missing) is missing
    ]
    for owner, name, parameters in _PARAMETERS:
        method = getattr(owner, name, None)
        accepted = inspect.signature(method).parameters if method else {}
        if method is None or not set(parameters) <= set(accepted):
            changes.append(f"distributed.{owner.__name__}.{name} does not take ({', '.join(parameters)}) any more")
    return changes


def _check_api() -> None:
    """Raise Stopped if the installed distributed differs from the versions that this module was written for."""
    if changes := api_changes():
        raise Stopped(f"install distributed {CHECKED_VERSIONS}: {changes[0]}")


@contextlib.contextmanager
def local(workers: int | None = None, dashboard: bool = False) -> Iterator[Client]:
    """Worker processes on this computer, by default one per core, reachable by this user only (with openssl).

    Raises:
        Stopped: the installed distributed has another API.
    """
    _check_api()
    settings = _SETTINGS | {"logging.distributed": "critical"}
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
def remote(address: str, timeout: float = 60) -> Iterator[Client]:
    """The workers of a running scheduler.

    Args:
        address: the address of the scheduler.
        timeout: seconds to wait for the scheduler and for a worker.

    Raises:
        Stopped: it does not answer, or has no worker, or the installed distributed has another API.
    """
    _check_api()
    try:
        client = Client(address, timeout=timeout)
    except (OSError, ValueError) as error:
        raise Stopped(f"no scheduler answers at {address} ({error})") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=timeout)
        except TimeoutError as error:
            raise Stopped(f"the scheduler at {address} has no worker") from error
        yield client


def submit(client: Client, key: str, function: Callable[..., Any], *args: Any) -> Future:
    """Run a function on a worker; large arguments are allowed.

    Args:
        client: the connection to the workers.
        key: the unique name of the task, which is shown in the dashboard.
        function: the function.
        args: its arguments.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # distributed warns about large arguments
        return client.submit(function, *args, key=key, pure=False)


def worker_by_key(client: Client) -> dict[Any, str]:
    """The address of the worker to which each unfinished task is assigned."""
    return {key: worker for worker, keys in client.processing().items() for key in keys}


def cancel(future: Future) -> None:
    """Cancel a task, even if other clients wait for it."""
    future.cancel(force=True)


def restart(client: Client, workers: Iterable[str], timeout: float) -> None:
    """Replace worker processes, and wait for at most ``timeout`` seconds for the new ones.

    Workers that were started without a nanny cannot be replaced and stay as they are.
    """
    with contextlib.suppress(TimeoutError, ValueError):
        client.restart_workers(list(workers), timeout=timeout, raise_for_error=False)


def restart_holders(client: Client, future: Future, timeout: float) -> None:
    """Replace the worker processes that hold the result of a task."""
    restart(client, client.who_has([future]).get(future.key, ()), timeout)


def _security(folder: Path) -> Security | None:
    """TLS with a certificate for this run, so that other users of this computer cannot connect to the workers."""
    if not shutil.which("openssl"):
        print("openssl is missing: other users of this computer can connect to the workers", file=sys.stderr)
        return None
    key, request, certificate = (str(folder / name) for name in ("key.pem", "request.pem", "certificate.pem"))
    settings = folder / "openssl.cnf"
    settings.write_text(_OPENSSL.format(folder=folder))
    (folder / "index.txt").touch()
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
    # Valid at any time, as the clock may be set during a run; before OpenSSL 3.4 only "ca" accepts a start in the past.
    always = ["-startdate", "19700101000000Z", "-enddate", "99991231235959Z"]
    for command in (
        ["req", "-new", *new_key, "-subj", "/CN=grading", "-out", request],
        ["ca", "-selfsign", "-batch", "-notext", *always, "-keyfile", key, "-in", request, "-out", certificate],
    ):
        subprocess.run(["openssl", *command, "-config", str(settings)], check=True, capture_output=True)
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

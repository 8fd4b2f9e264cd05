"""The adapter to dask.distributed fits the installed version, or raises an error that names the difference."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster
from packaging.specifiers import SpecifierSet

from helpers.grading import cluster
from helpers.grading.cluster import CHECKED_VERSIONS, Stopped, api_changes


def test_the_installed_distributed_was_checked() -> None:
    installed = version("distributed")
    assert installed in SpecifierSet(CHECKED_VERSIONS), (
        f"distributed {installed} is outside {CHECKED_VERSIONS}: read its changelog, run tests/grading, and extend "
        "CHECKED_VERSIONS in helpers/grading/cluster.py"
    )


def test_distributed_has_what_the_adapter_needs() -> None:
    assert not api_changes(), "; ".join(api_changes())


@pytest.mark.parametrize(
    ("owner", "name", "replacement", "sentence"),
    [
        (Client, "restart_workers", None, r"Client.restart_workers does not take \(workers, timeout, raise_for_error"),
        (Client, "submit", lambda self, function, key: None, r"Client.submit does not take \(key, pure\)"),
        (LocalCluster, "__init__", lambda self, n_workers: None, r"LocalCluster.__init__ does not take \(n_workers"),
    ],
)
def test_a_changed_api_raises(
    owner: Any, name: str, replacement: Any, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if replacement is None:
        monkeypatch.delattr(owner, name)
    else:
        monkeypatch.setattr(owner, name, replacement)
    for connection in (cluster.local(1), cluster.remote("tcp://127.0.0.1:1", 1)):
        with pytest.raises(Stopped, match=f"install distributed .*: .*{sentence}"), connection:
            pass


def test_a_missing_setting_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(dask.config.config["distributed"]["scheduler"], "allowed-failures")
    assert api_changes() == ["distributed has no setting distributed.scheduler.allowed-failures any more"]


def test_a_setting_with_the_value_none_is_not_missing() -> None:
    with dask.config.set({"distributed.scheduler.worker-ttl": None}):
        assert api_changes() == []


def test_a_missing_scheduler_is_reported() -> None:
    with (
        pytest.raises(Stopped, match="no scheduler answers at tcp://127.0.0.1:1"),
        cluster.remote("tcp://127.0.0.1:1", 2),
    ):
        pass

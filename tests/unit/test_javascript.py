"""The command that checks the JavaScript: messages, skipping, and exit status."""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.tools import javascript


@pytest.mark.parametrize(("version", "message"), [(None, "not found"), (18, "version 18")])
def test_without_node_the_check_is_skipped_with_a_message(monkeypatch, capsys, version, message: str) -> None:
    monkeypatch.setattr(javascript, "node_version", lambda: version)
    assert javascript.main([]) == 77
    assert message in capsys.readouterr().out


def test_the_reason_of_npm_is_passed_on(monkeypatch, capsys) -> None:
    def fail() -> None:
        raise RuntimeError("npm could not install the packages:\nno network")

    monkeypatch.setattr(javascript, "node_version", lambda: 20)
    monkeypatch.setattr(javascript, "install", fail)
    assert javascript.main([]) == 1
    assert "no network" in capsys.readouterr().out


def test_parts_that_run_at_the_same_time_install_once(monkeypatch, tmp_path) -> None:
    running: list[int] = []

    def npm(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        running.append(1)
        time.sleep(0.05)
        assert len(running) == 1, "npm runs twice in one folder"
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", npm)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(javascript.install, tmp_path / "node") for _ in range(4)]:
            done.result()
    assert len(running) == 1

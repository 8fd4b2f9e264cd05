"""The two commands of the README on a machine where something is wrong: a sentence, no traceback, and recovery."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import bootstrap
from tests.refresh import ROOT


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of the course with nothing but its set-up, and pins that install nothing."""
    root = tmp_path / "course"
    (root / "helpers").mkdir(parents=True)
    (root / "tests").mkdir()
    for name in ("helpers/bootstrap.py", "Makefile"):
        shutil.copy(ROOT / name, root / name)
    shutil.copy(ROOT / "helpers/bootstrap.py", root / "helpers/bootstrap.py")
    (root / "pyproject.toml").write_text(
        '[project]\nname = "nothing"\nversion = "0"\n[tool.setuptools]\npy-modules = []\n'
    )
    for name in ("requirements.txt", "tests/requirements.txt"):
        (root / name).write_text("torch==0\n")
    return root


def fake_venv(root: Path, *, fails: bool = False) -> Path:
    """An environment whose interpreter notes what it is asked, and installs nothing."""
    python = root / ".venv/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    answer = "echo 'no route to host' >&2; exit 1" if fails else "exit 0"
    python.write_text(f'#!/bin/bash\necho "$@" >> {root}/asked\ncase "$*" in *install*) {answer};; esac\nexit 0\n')
    python.chmod(0o755)
    return root / "asked"


def boot(root: Path, *arguments: str, python: str = sys.executable, **environment: str) -> tuple[int, str]:
    command = [python, "helpers/bootstrap.py", *arguments]
    done = subprocess.run(
        command, cwd=root, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def test_a_second_run_installs_nothing_and_changed_pins_install_again(course: Path) -> None:
    asked = fake_venv(course)
    assert boot(course, "lab")[0] == 0
    first = asked.read_text()
    assert first.count("install") >= 2 and "jupyterlab notebooks/00_start_here.ipynb" in first
    assert "--ServerApp.ip=127.0.0.1" in first and "token" not in first
    assert boot(course, "lab")[0] == 0
    second = asked.read_text().removeprefix(first)
    assert "install" not in second and "jupyterlab" in second
    with (course / "requirements.txt").open("a") as pins:
        pins.write("# changed\n")
    boot(course, "lab")
    assert "install" in asked.read_text().removeprefix(first + second)


def test_the_tests_use_their_own_pins_and_the_lab_is_content_with_them(course: Path) -> None:
    asked = fake_venv(course)
    boot(course, "run", "-m", "tests")
    assert "tests/requirements.txt" in asked.read_text() and asked.read_text().endswith("-m tests\n")
    before = asked.read_text()
    boot(course, "lab")
    assert "install" not in asked.read_text().removeprefix(before)


def test_without_a_network_it_says_so_and_the_next_run_recovers(course: Path) -> None:
    fake_venv(course, fails=True)
    code, said = boot(course, "lab")
    assert code == 1 and "Are you online? Then run the same again." in said
    asked = fake_venv(course)
    assert boot(course, "lab")[0] == 0 and "jupyterlab" in asked.read_text()


def test_really_without_a_network(course: Path) -> None:
    """A real environment and a real pip that reaches nothing."""
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_INDEX": "",
        "PIP_FIND_LINKS": "",
    }
    code, said = boot(course, "lab", **nowhere)
    assert code == 1 and "Are you online?" in said


def test_a_half_made_environment_is_made_again(course: Path) -> None:
    broken = course / ".venv/bin"
    broken.mkdir(parents=True)
    (broken / "python").symlink_to("/nowhere/python")
    (course / ".venv/leftover").touch()
    boot(course, "lab", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert not (course / ".venv/leftover").exists()
    assert bootstrap.works(course / ".venv")


def test_a_taken_port_is_said(course: Path) -> None:
    fake_venv(course)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = boot(course, "lab", PORT=str(taken.getsockname()[1]))
    assert code == 1 and "is taken" in said and "make lab PORT=8899" in said
    assert "no port" in boot(course, "lab", PORT="many")[1]


def test_an_old_python_is_told_what_to_do(monkeypatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: None)
    with pytest.raises(bootstrap.Stop, match="3.11 or newer is needed.*PYTHON=python3.11"):
        bootstrap.find_python()
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "python3.12" else None)
    assert bootstrap.find_python() == "/usr/bin/python3.12"


def test_bootstrap_is_read_by_an_old_python() -> None:
    """It must get as far as its own message: nothing newer than Python 3.6 in its grammar."""
    import ast

    ast.parse((ROOT / "helpers/bootstrap.py").read_text(), feature_version=(3, 6))


def test_a_missing_venv_module_is_told(course: Path, monkeypatch) -> None:
    (course / "fake").write_text(f'#!/bin/bash\n[ "$1" = -m ] && exit 1\nexec {sys.executable} "$@"\n')
    (course / "fake").chmod(0o755)
    monkeypatch.setattr(bootstrap, "ROOT", course)
    monkeypatch.setattr(bootstrap, "find_python", lambda: str(course / "fake"))
    with pytest.raises(bootstrap.Stop, match="venv is missing.*apt install"):
        bootstrap.setup()


def test_make_alone_lists_the_targets() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True).stdout
    for target in ("help", "lab", "test", "quick", "refresh", "badges", "bench", "format", "lock", "clean"):
        assert f"\n{target} " in "\n" + said


def test_wrong_arguments_are_told(course: Path) -> None:
    assert boot(course, "dance") == (2, "say what to do: lab, or run ARGUMENTS OF PYTHON\n")

"""Binder gets the learners' pins, Python 3.11, a CPU torch and one thread; links come from one place."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from helpers.setup import badges
from tests.tools.lock import HEAD, for_binder
from tests.tools.refresh import ROOT, lessons


def pins(path: Path) -> list[str]:
    return path.read_text().removeprefix(HEAD).splitlines()


def test_binder_has_the_learners_pins() -> None:
    assert (ROOT / "binder/requirements.txt").read_text() == for_binder(pins(ROOT / "requirements.txt"))


def test_every_requirement_is_pinned_flat_and_without_a_graphics_card() -> None:
    names = ("requirements.txt", "tests/requirements.txt")
    for name in names:
        lines = pins(ROOT / name)
        assert len(lines) > 50 and all(re.match(r"[\w.-]+==[\w.+!]+( ; .+)?$", line) for line in lines)
        assert not any("nvidia" in line for line in lines)
        packages = [line.split("==")[0] for line in lines]
        assert len(set(packages)) == len(packages), "one version each: every learner sees the same numbers"
    learners, testers = ({line.split(" ;")[0] for line in pins(ROOT / name)} for name in names)
    assert learners <= testers


@pytest.fixture(scope="module")
def dockerfile() -> str:
    """What repo2docker would build."""
    command = ["--no-build", "--debug", "--user-id", "1000", "--user-name", "jovyan", str(ROOT)]
    done = subprocess.run([sys.executable, "-m", "repo2docker", *command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def test_repo2docker_reads_our_folder(dockerfile: str) -> None:
    assert "python=3.11" in dockerfile
    assert '--no-cache-dir -r "binder/requirements.txt"' in dockerfile
    assert "binder/postBuild" in dockerfile and "binder/start" in dockerfile


def test_torch_is_installed_before_the_lessons_are_copied(dockerfile: str) -> None:
    """Otherwise every commit to a lesson would reinstall torch."""
    copies = [match.start() for match in re.finditer(r"COPY --chown=\S+ src/ ", dockerfile)]
    assert copies and dockerfile.index('-r "binder/requirements.txt"') < copies[-1]


def test_start_hands_over_with_one_thread() -> None:
    start = ROOT / "binder/start"
    done = subprocess.run([start, "env"], capture_output=True, text=True)
    assert "OMP_NUM_THREADS=1" in done.stdout.splitlines()
    assert start.read_text().rstrip().endswith('exec "$@"')


def test_post_build_switches_the_news_off(tmp_path: Path) -> None:
    (tmp_path / "pip").write_text('#!/bin/bash\necho "$@" > "$NB_PYTHON_PREFIX/pip-was-asked"\n')
    (tmp_path / "pip").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NB_PYTHON_PREFIX": str(tmp_path)}
    subprocess.run([ROOT / "binder/postBuild"], env=environment, check=True, cwd=tmp_path)
    settings = json.loads((tmp_path / "share/jupyter/lab/settings/overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    assert "--no-deps -e ." in (tmp_path / "pip-was-asked").read_text()


def test_every_link_names_the_one_repository() -> None:
    repository = badges.stored()
    assert badges.readme_badges(repository) in (ROOT / "README.md").read_text()
    for path in lessons():
        if path.name[0].isdigit():
            assert badges.lesson_link(repository, path.name) in nbformat.read(path, as_version=4).cells[0].source


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path


def test_a_fork_gets_its_own_links(fork: Path) -> None:
    changed = badges.write("someone/their-course", fork)
    assert {"pyproject.toml", "README.md", "01_word_embeddings.ipynb"} <= set(changed)
    assert badges.write("someone/their-course", fork) == []
    text = "".join(path.read_text() for path in [fork / "README.md", *fork.glob("notebooks/*.ipynb")])
    assert f"gh/{badges.stored()}/" not in text and text.count("gh/someone/their-course/") > 3
    badges.write(badges.stored(), fork)
    assert (fork / "README.md").read_text() == (ROOT / "README.md").read_text()
    lesson = "notebooks/01_word_embeddings.ipynb"
    assert (fork / lesson).read_text() == (ROOT / lesson).read_text()


@pytest.mark.parametrize("name", ["", "course", "a/b/c", "a b/c", "owner/", 'x/y"\nz', "../x"])
def test_a_name_that_is_no_repository_is_refused(fork: Path, name: str) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        badges.write(name, fork)
    assert (fork / "README.md").read_text() == (ROOT / "README.md").read_text()

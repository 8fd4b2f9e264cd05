"""Binder gets the learners' pins, Python 3.11, a CPU torch and one thread; links come from one place."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from helpers.setup import badges
from tests.tools.lock import HEAD, for_binder
from tests.tools.refresh import ROOT


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


def test_repo2docker_reads_the_binder_folder(dockerfile: str) -> None:
    assert "python=3.11" in dockerfile
    assert '--no-cache-dir -r "binder/requirements.txt"' in dockerfile
    assert "binder/postBuild" in dockerfile and "binder/start" in dockerfile


def test_torch_is_installed_before_the_lessons_are_copied(dockerfile: str) -> None:
    """Otherwise every commit to a lesson would reinstall torch."""
    copies = [match.start() for match in re.finditer(r"COPY --chown=\S+ src/ ", dockerfile)]
    assert copies and dockerfile.index('-r "binder/requirements.txt"') < copies[-1]


def test_start_hands_over_with_one_thread() -> None:
    command = [str(ROOT / "binder/start"), "bash", "-c", "echo $$ $OMP_NUM_THREADS"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.communicate()[0]
    assert said == f"{process.pid} 1\n", "the command takes the place of the script, and gets its signals"


def test_post_build_disables_the_news_and_enables_the_server_extension(tmp_path: Path) -> None:
    (tmp_path / "pip").write_text('#!/bin/bash\necho "$@" > "$NB_PYTHON_PREFIX/pip-was-asked"\n')
    (tmp_path / "pip").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NB_PYTHON_PREFIX": str(tmp_path)}
    subprocess.run([ROOT / "binder/postBuild"], env=environment, check=True, cwd=ROOT)
    settings = json.loads((tmp_path / "share/jupyter/lab/settings/overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"
    extension = json.loads((tmp_path / "etc/jupyter/jupyter_server_config.d/embeddings_course.json").read_text())
    assert extension["ServerApp"]["jpserver_extensions"] == {"helpers.setup.server": True}
    assert "--no-deps -e ." in (tmp_path / "pip-was-asked").read_text()


def texts(root: Path) -> dict[str, str]:
    """Every file that holds links."""
    paths = [root / "README.md", root / badges.INSTRUCTORS, *sorted(root.glob("notebooks/[0-9]*.ipynb"))]
    return {path.name if path.suffix == ".ipynb" else str(path.relative_to(root)): path.read_text() for path in paths}


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path


def test_the_links_are_those_of_the_settings(fork: Path) -> None:
    assert badges.write(badges.stored(), fork) == []


def test_without_a_repository_there_are_no_links(fork: Path) -> None:
    badges.write(badges.Links("someone/their-course"), fork)
    badges.write(badges.Links(), fork)
    assert not [name for name, text in texts(fork).items() if "/v2/gh/" in text or "Run it without" in text]


def test_a_fork_gets_its_own_links(fork: Path) -> None:
    before = texts(fork)
    links = badges.Links("Someone/their-course", ("https://mybinder.org", "https://binder.example.org/b"))
    changed = badges.write(links, fork)
    assert {"pyproject.toml", "README.md", "01_word_embeddings.ipynb"} <= set(changed)
    assert badges.write(links, fork) == [] and badges.stored(fork) == links
    after = texts(fork)
    for name in before.keys() - {"README.md", badges.INSTRUCTORS}:
        assert f"gh/Someone/their-course/HEAD?urlpath=lab/tree/notebooks/{name})" in after[name]
        assert f"https://someone.github.io/their-course/{name.removesuffix('.ipynb')}.html" in after[name]
    assert "https://binder.example.org/b/v2/gh/Someone/their-course/HEAD" in after["README.md"]
    first = re.search(r"\]\((.+?)\)", after["README.md"])
    assert first and first[1] == links.site
    badges.write(badges.stored(), fork)
    assert texts(fork) == before


def test_a_hub_gets_links_that_pull_the_repository(fork: Path) -> None:
    badges.write(badges.Links("a/course", hub="https://hub.example.org/"), fork)
    text = (fork / badges.INSTRUCTORS).read_text()
    addresses = [urlsplit(found) for found in re.findall(r"\((https://hub[^)]*)\)", text)]
    assert len(addresses) >= 14 and {link.path for link in addresses} == {"/hub/user-redirect/git-pull"}
    query = parse_qs(addresses[0].query)
    assert query["repo"] == ["https://github.com/a/course"] and query["branch"] == ["main"]
    for link in addresses:
        folder, _, path = parse_qs(link.query)["urlpath"][0].removeprefix("lab/tree/").partition("/")
        assert folder == "course" and (fork / path).is_file()


@pytest.mark.parametrize("name", ["course", "a/b/c", "a b/c", "owner/", 'x/y"\nz', "../x"])
def test_an_invalid_repository_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        badges.Links(name)


@pytest.mark.parametrize("address", ["mybinder.org", "ftp://x", "https://x y", 'https://x/"'])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        badges.Links("a/b", binder=(address,))
    with pytest.raises(ValueError, match="is not an address"):
        badges.Links("a/b", hub=address)


@pytest.mark.parametrize(
    "address",
    [
        "git@github.com:owner/a.name.git",
        "https://github.com/owner/a.name",
        "https://github.com/owner/a.name.git",
        "ssh://git@github.com/owner/a.name.git",
    ],
)
def test_the_remote_names_the_repository(tmp_path: Path, address: str) -> None:
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    with pytest.raises(ValueError, match="make badges REPO=owner/name"):
        badges.remote(tmp_path)
    subprocess.run([*git, "remote", "add", "origin", address], check=True)
    assert badges.remote(tmp_path) == "owner/a.name"
    subprocess.run([*git, "remote", "set-url", "origin", "https://git.example.org/owner/name"], check=True)
    with pytest.raises(ValueError, match="not on GitHub"):
        badges.remote(tmp_path)

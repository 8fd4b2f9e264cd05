"""The course on a JupyterHub: two learners open a lesson by the links of ``make badges``, and hand in a homework."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from helpers.grading.__main__ import main
from helpers.grading.lms.homes import copy_from_homes
from helpers.setup.badges import Links
from tests.browser import lab
from tests.hub import hub as hubs
from tests.hub.hub import Hub
from tests.tools.javascript import OLDEST, install, node_version
from tests.tools.refresh import NOTEBOOKS, ROOT

USERS = ("ada", "bo")
REPOSITORY = "example/course"
RELEASE = "course/notebooks/homework/release"
LESSON = "notebooks/06_positional_embeddings.ipynb"
HOMEWORK = "hw1_word_embeddings"


def _or_skip(reason: str) -> None:
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub whose learners reach a copy of the course where they expect GitHub."""
    if (node_version() or 0) < OLDEST:
        _or_skip(f"Node {OLDEST} or newer with npm is needed for JupyterHub's proxy")
    install()
    folder = tmp_path_factory.mktemp("hub")
    repository = folder / "github" / REPOSITORY
    shutil.copytree(NOTEBOOKS, repository / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    git = ["git", "-C", str(repository), "-c", "user.name=course", "-c", "user.email=course@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "The course"]):
        subprocess.run([*git, *command], check=True)
    # git takes the local copy for the addresses that the links name.
    local = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{folder}/github/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }
    with hubs.serve(folder, USERS, local) as hub:
        yield hub


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if lab.find_chromium() is None:
        _or_skip("no Chromium found: install chromium or set CHROMIUM to the program")
    with sync_playwright() as playwright:
        browser = lab.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def learners(hub: Hub, browser: Browser) -> Iterator[dict[str, lab.Lab]]:
    """Each user's JupyterLab, opened by the link of a lesson and a log-in."""
    opened = {}
    for user in USERS:
        opened[user] = lab.Lab(browser, hub.address)
        page = opened[user].page
        page.goto(Links(REPOSITORY, hub=hub.address).pull(LESSON), timeout=90_000)
        page.fill("#username_input", user)
        page.fill("#password_input", hub.password)
        page.click("#login_submit")
        page.wait_for_selector(f"{lab.NOTEBOOK} .jp-Cell", timeout=180_000)
    yield opened
    for each in opened.values():
        each.close()


def test_a_lesson_runs_for_two_users_and_its_figures_are_updated(hub: Hub, learners: dict[str, lab.Lab]) -> None:
    for user, mine in learners.items():
        assert f"/user/{user}/lab" in mine.page.url
        mine.command("application:set-mode", mode="single-document")
        mine.run_all()
        figure = mine.figures()[0]
        slider = figure.locator("input[type=range]").first
        before = lab.wait_until_drawn(figure)
        slider.focus()
        slider.press("End" if slider.input_value() != slider.get_attribute("max") else "Home")
        after = lab.wait_until_drawn(figure, before)
        assert after["pixels"] != before["pixels"] and after["sentence"] != before["sentence"] and not after["error"]
        assert mine.execute("import os; print(os.getcwd())").strip() == str(hub.homes / user / "course" / "notebooks")
        used = hub.memory(user) / 2**20
        print(f"{user}: {used:.0f} MB with one lesson")
        assert 100 < used < 1000
    assert not [error for mine in learners.values() for error in mine.errors]


def test_homeworks_are_collected_from_home_folders(
    hub: Hub, learners: dict[str, lab.Lab], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for user in learners:
        path = hub.homes / user / RELEASE / HOMEWORK / f"{HOMEWORK}.ipynb"
        notebook = json.loads(path.read_text("utf-8"))
        cell = next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == "learner_id")
        cell["source"] = f"learner_id = {user!r}"
        path.write_text(json.dumps(notebook), "utf-8")
    course = tmp_path / "course"
    command = ["collect", str(hub.homes), "--homes", RELEASE, "--homework", HOMEWORK, "--course", str(course)]
    assert main(command) == 0
    assert "2 imported" in capsys.readouterr().out
    for user in USERS:
        assert f"learner_id = '{user}'" in (course / "submitted" / user / HOMEWORK / f"{HOMEWORK}.ipynb").read_text()
    assert main(command) == 0 and "2 already imported" in capsys.readouterr().out


def test_links_in_a_home_folder_are_not_followed(tmp_path: Path) -> None:
    """A learner could let a link lead to another learner's answer, or to a file of the instructor."""
    homes, to = tmp_path / "homes", tmp_path / "to"
    source = ROOT / "notebooks" / "homework" / "release" / HOMEWORK / f"{HOMEWORK}.ipynb"
    good = homes / "ada" / RELEASE / HOMEWORK
    good.mkdir(parents=True)
    shutil.copy(source, good)
    (homes / "cy" / RELEASE / HOMEWORK).mkdir(parents=True)
    (homes / "cy" / RELEASE / HOMEWORK / f"{HOMEWORK}.ipynb").symlink_to(good / f"{HOMEWORK}.ipynb")
    (homes / "dee").mkdir()
    (homes / "dee" / "course").symlink_to(homes / "ada" / "course")
    (homes / "eve").symlink_to(homes / "ada")
    (homes / "fay").mkdir()
    copied, refused = copy_from_homes(homes, RELEASE, HOMEWORK, to)
    assert copied == ["ada"] and [line.partition(":")[0] for line in refused] == ["cy", "dee"]
    assert [path.relative_to(to).as_posix() for path in to.rglob("*.ipynb")] == [f"ada/{HOMEWORK}.ipynb"]
    for within in ("../ada", "/etc", "course/../.."):
        with pytest.raises(ValueError, match="not a path inside a home folder"):
            copy_from_homes(homes, within, HOMEWORK, to)
    assert main(["collect", str(homes), "--homes", RELEASE, "--course", str(tmp_path / "course")]) == 1

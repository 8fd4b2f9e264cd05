"""One JupyterLab and one Chromium for all browser tests; without Chromium they are skipped, in CI they fail."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser import lab
from tests.tools.refresh import NOTEBOOKS, ROOT, lessons

ARTEFACTS = ROOT / ".artefacts"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if lab.find_chromium() is None:
        reason = "no Chromium found: install chromium or set CHROMIUM to the program"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = lab.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the notebooks, so that no test writes into the course."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return folder


@pytest.fixture(scope="session")
def address(browser: Browser, folder: Path) -> Iterator[str]:
    with lab.serve(folder) as address:
        yield address


@pytest.fixture(scope="session")
def notebook_7(address: str) -> str:
    """The address of Notebook 7 on the same server."""
    return address.replace(lab.PAGES["JupyterLab"], lab.PAGES["Notebook 7"])


@pytest.fixture(scope="session")
def shared(browser: Browser) -> BrowserContext:
    """A context for all pages without options of their own."""
    return lab.new_context(browser)


@pytest.fixture(scope="session")
def desk(shared: BrowserContext, address: str) -> Iterator[lab.Lab]:
    """One page of JupyterLab for tests that need no page of their own: each opens its notebook in it."""
    desk = lab.Lab(shared, address)
    yield desk
    desk.close()


@pytest.fixture(scope="session")
def touch_screen(browser: Browser, address: str) -> Iterator[lab.Lab]:
    """Another, on a device with a touch screen and a mouse."""
    touch_screen = lab.Lab(browser, address, has_touch=True)
    yield touch_screen
    touch_screen.close()


@pytest.fixture(scope="session", params=lessons(), ids=lambda path: path.stem)
def opened_lesson(request: pytest.FixtureRequest, desk: lab.Lab) -> lab.Lab:
    """Each lesson in JupyterLab, of which nothing has run."""
    desk.open(f"notebooks/{request.param.name}")
    desk.theme("JupyterLab Light")
    return desk


@pytest.fixture(scope="session")
def lesson(opened_lesson: lab.Lab) -> lab.Lab:
    """Each lesson in JupyterLab after it has run and has been saved."""
    opened_lesson.run_all()
    opened_lesson.save()
    return opened_lesson

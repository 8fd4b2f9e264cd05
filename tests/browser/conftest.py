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


@pytest.fixture
def page_of(browser: Browser, shared: BrowserContext, address: str) -> Iterator:
    """A function that opens a notebook in a page of its own."""
    opened: list[lab.Lab] = []

    def open_notebook(path: str, **options) -> lab.Lab:
        opened.append(lab.Lab(browser if options else shared, address, **options))
        opened[-1].open(path)
        return opened[-1]

    yield open_notebook
    for each in opened:
        each.close()


@pytest.fixture(scope="session", params=lessons(), ids=lambda path: path.stem)
def opened_lesson(request: pytest.FixtureRequest, shared: BrowserContext, address: str) -> Iterator[lab.Lab]:
    """Each lesson in JupyterLab, of which nothing has run."""
    opened = lab.Lab(shared, address)
    opened.open(f"notebooks/{request.param.name}")
    opened.theme("JupyterLab Light")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def lesson(opened_lesson: lab.Lab) -> lab.Lab:
    """Each lesson in JupyterLab after it has run and has been saved."""
    opened_lesson.run_all()
    opened_lesson.save()
    return opened_lesson

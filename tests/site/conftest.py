"""The site, built once for all its tests, and the two browsers that open it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.site import __main__ as site
from tests.tools.bidi import Page, required_firefox
from tests.tools.refresh import ROOT

VERIFY = (
    f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom tests.site.verify import verify\nverify(_folder, _lesson)"
)


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Filled by ``built``: a row for each exported figure."""
    return []


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, rows: list[dict]) -> Path:
    """The whole site; every exported picture has been compared with its figure in the lesson's own kernel."""
    output = tmp_path_factory.mktemp("built") / "site"
    rows += site.build(output, after=VERIFY)
    return output


@pytest.fixture(scope="session")
def firefox_page() -> Iterator[Page]:
    with required_firefox() as page:
        yield page

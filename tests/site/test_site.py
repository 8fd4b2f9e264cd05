"""The site as a reader opens it: from a folder or below a path, without a network, in Chromium and in Firefox."""

from __future__ import annotations

import contextlib
import functools
import http.server
import itertools
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from helpers.exercises.registry import QUESTIONS
from tests.browser import lab
from tests.tools import picture
from tests.tools.bidi import Page as FirefoxPage
from tests.tools.refresh import lessons

KEY_NAMES = {"\ue012": "ArrowLeft", "\ue013": "ArrowUp", "\ue014": "ArrowRight", "\ue015": "ArrowDown", " ": "Space"}
# The keys that move a control, by the type of its element: one of them does, wherever its default stands.
KEYS = {"range": "\ue014\ue012\ue012", "select-one": "\ue015\ue013\ue013", "checkbox": " ", "number": ""}
NAMES = [path.stem for path in lessons()]
MAX_PAGE_BYTES = 2_000_000  # of a page, its scripts, styles and still pictures, before a figure is reached


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = lab.launch(playwright)
        yield browser
        browser.close()


class Watched:
    """A page without a network that remembers its errors and requests."""

    def __init__(self, browser: Browser, width: int = 1280, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def _request(self, url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1")):
            self.problems.append(f"a request to {url}")


def step(page: Page, number: int) -> tuple[str, str]:
    """Reach a figure and move its controls by the keyboard; the sentences before and after."""
    box = page.locator(".living").nth(number)
    box.scroll_into_view_if_needed()
    page.wait_for_function("n => document.querySelectorAll('.living')[n].dataset.ready", arg=number)
    sentence = box.locator(".live-sentence")
    before = sentence.inner_text()
    for control in box.locator(".live-control :is(input, select)").all():
        control.focus()
        for key in KEYS[control.evaluate("element => element.type")]:
            page.keyboard.press(KEY_NAMES[key])
            with contextlib.suppress(AssertionError):
                expect(sentence).not_to_have_text(before, timeout=1_000)
                return before, sentence.inner_text()
    return before, before


def test_every_figure_of_the_notebooks_is_on_its_page(built: Path, rows: list[dict]) -> None:
    wanted = 0
    for path in lessons():
        cells = nbformat.read(path, as_version=4).cells
        count = sum(cell.source.count("@live(") for cell in cells if cell.cell_type == "code")
        assert (built / f"{path.stem}.html").read_text("utf-8").count('class="living"') == count
        wanted += count
    assert len(rows) == wanted > 0


@pytest.mark.parametrize("name", NAMES)
def test_controls_update_every_figure_in_chromium(built: Path, browser: Browser, name: str) -> None:
    watched = Watched(browser, offline=True)
    watched.page.goto((built / f"{name}.html").as_uri())
    for number in range(watched.page.locator(".living").count()):
        before, after = step(watched.page, number)
        assert before != after, f"figure {number + 1} did not move"
        assert not watched.page.locator(".living").nth(number).locator(".live-still").is_visible()
    assert watched.problems == []
    watched.context.close()


def test_a_mark_is_dragged_without_a_kernel(built: Path, browser: Browser) -> None:
    watched = Watched(browser, offline=True)
    page = watched.page
    page.goto((built / "00_start_here.html").as_uri())
    box = page.locator(".living").first
    box.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.living').dataset.ready")
    sentence, handle = box.locator(".live-sentence"), box.locator(".live-handle").first
    before = sentence.inner_text()
    sliders = box.locator(".live-number")
    start = [field.input_value() for field in sliders.all()]
    handle.scroll_into_view_if_needed()
    place = handle.bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y + 40, steps=6)
    page.mouse.up()
    expect(sentence).not_to_have_text(before)
    assert all(field.input_value() != value for field, value in zip(sliders.all(), start, strict=True))
    moved = sentence.inner_text()
    handle.press("ArrowRight")
    expect(sentence).not_to_have_text(moved)
    assert watched.problems == []
    watched.context.close()


def _moves(page: FirefoxPage, box: str, sentence: str, before: str) -> Iterator[bool]:
    """Whether the sentence changes, for each key on each control of a figure."""
    controls = f"{box}.querySelectorAll('.live-control :is(input, select)')"
    for index in range(page.evaluate(f"{controls}.length")):
        page.evaluate(f"{controls}[{index}].focus()")
        for key in KEYS[page.evaluate(f"{controls}[{index}].type")]:
            page.press(key)
            with contextlib.suppress(TimeoutError):
                page.wait_for(f"{sentence} !== {json.dumps(before)}", 1)
                yield True
            yield False


@pytest.mark.parametrize("name", NAMES)
def test_controls_update_every_figure_in_firefox(built: Path, firefox_page: FirefoxPage, name: str) -> None:
    firefox_page.resize(1280, 900)
    firefox_page.open((built / f"{name}.html").as_uri())
    for number in range(firefox_page.evaluate("document.querySelectorAll('.living').length")):
        box = f"document.querySelectorAll('.living')[{number}]"
        firefox_page.evaluate(f"{box}.scrollIntoView()")
        firefox_page.wait_for(f"{box}.dataset.ready")
        sentence = f"{box}.querySelector('.live-sentence').textContent"
        before = firefox_page.evaluate(sentence)
        assert any(_moves(firefox_page, box, sentence, before)), f"figure {number + 1} did not move"
    assert firefox_page.errors == []


# The contrast of a text follows from its style and those of the elements around it: axe looks at the first text of each
# kind (of two letters at least: it does not judge one). Thousands of words of code have a dozen colours; the elements
# of all but the first of a kind are removed.
RUN_AXE = """async (onlyContrast) => {
  const kinds = new Map([[null, ""]]);
  const first = new Map();
  for (const element of document.querySelectorAll("*")) {
    const { color, backgroundColor, backgroundImage, opacity, fontSize, fontWeight } = getComputedStyle(element);
    const style = [color, backgroundColor, backgroundImage, opacity, fontSize, fontWeight].join();
    const kind = `${kinds.get(element.parentElement)}\\n${element.tagName} ${element.className} ${style}`;
    kinds.set(element, kind);
    const words = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()[1]);
    if (first.has(kind) && element.matches("pre span[class]")) element.replaceWith(...element.childNodes);
    else if (!first.has(kind) && (words || element.matches("input, select")) && element.checkVisibility())
      first.set(kind, element);
  }
  const options = { preload: false, resultTypes: ["violations"] };
  const contrast = await axe.run([...first.values()], { ...options, runOnly: ["color-contrast"] });
  if (onlyContrast) return contrast.violations;
  const others = await axe.run({ ...options, rules: { "color-contrast": { enabled: false } } });
  return [...contrast.violations, ...others.violations];
}"""


def test_a_low_contrast_is_found_once_for_equal_words(browser: Browser) -> None:
    page = browser.new_page()
    words = "<span class='k'>for</span> x <span class='k'>in</span> y <span class='k' style='color: #ccc'>is</span>"
    texts = "<p>dark</p><p hidden style='color: #ccc'>aa</p><p style='color: #ccc'>bb</p><p style='color: #ccc'>cc</p>"
    page.set_content(f"<style>.k {{ color: #bbb }}</style><div class='highlight'><pre>{words}</pre></div>{texts}")
    page.evaluate(Axe().axe_script)
    found = {rule["id"]: [node["html"][-9:] for node in rule["nodes"]] for rule in page.evaluate(RUN_AXE, False)}
    assert page.locator("span").count() == 2
    assert found["color-contrast"] == ["or</span>", "is</span>", 'c">bb</p>'] and "document-title" in found
    page.close()


@pytest.mark.parametrize("name", ["index", "search", *NAMES])
def test_pages_pass_axe(built: Path, browser: Browser, name: str) -> None:
    """With all figures loaded, light and dark, on a laptop and on a phone."""
    watched = Watched(browser, offline=True, reduced_motion="reduce")
    page = watched.page
    page.goto((built / f"{name}.html").as_uri())
    for number in range(page.locator(".living").count()):
        page.locator(".living").nth(number).scroll_into_view_if_needed()
        page.wait_for_function("n => document.querySelectorAll('.living')[n].dataset.ready", arg=number)
    page.evaluate(Axe().axe_script)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for width, scheme in itertools.product((1280, 320), schemes):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(RUN_AXE, scheme == "dark")  # of all rules, contrast alone depends on the colours
        serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
        assert [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in serious] == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"scrolls sideways at {width}"
    watched.context.close()


def test_a_quiz_works_and_progress_can_be_cleared(built: Path, browser: Browser) -> None:
    watched = Watched(browser, offline=True)
    page = watched.page
    page.goto((built / "01_word_embeddings.html").as_uri())
    place = page.locator(".quiz-place").first
    form = place.locator("form.quiz")
    question = QUESTIONS[place.get_attribute("data-id") or ""]
    assert question.reason not in form.inner_text()
    wrong = next(index for index in range(len(question.options)) if index != question.answer)
    form.get_by_role("button", name="Check my answer").click()
    assert form.get_by_role("status").inner_text() and not place.get_attribute("data-solved")
    for index, solved in ((wrong, False), (question.answer, True)):
        form.get_by_role("radio").nth(index).check()
        form.get_by_role("button", name="Check my answer").click()
        assert (question.reason in form.get_by_role("status").inner_text()) is solved
        assert bool(place.get_attribute("data-solved")) is solved
    page.locator("label.done input").first.check()
    page.reload()
    assert page.locator("label.done input").first.is_checked() and page.locator("[data-solved]").count() == 1
    page.goto((built / "index.html").as_uri())
    assert "lesson 01: 2" in page.locator("section.progress").inner_text()
    page.get_by_role("button", name="Clear my progress").click()
    assert not page.locator("section.progress").is_visible()
    page.reload()
    assert not page.locator("section.progress").is_visible()
    assert watched.problems == []
    watched.context.close()


def test_without_javascript_stills_and_answers_remain(built: Path, browser: Browser) -> None:
    watched = Watched(browser, offline=True, java_script_enabled=False)
    watched.page.goto((built / "01_word_embeddings.html").as_uri())
    assert watched.page.locator(".live-still img").first.is_visible()
    answer = watched.page.locator(".quiz-place details").first
    assert answer.locator("summary").is_visible() and not answer.locator("p").first.is_visible()
    watched.context.close()


@pytest.mark.parametrize("words", ["lookup", "weight tying"])
def test_search_finds_words_of_the_lessons_offline(built: Path, browser: Browser, words: str) -> None:
    watched = Watched(browser, offline=True)
    watched.page.goto((built / "index.html").as_uri())
    watched.page.get_by_role("searchbox", name="Search").or_(watched.page.get_by_placeholder("Search")).first.fill(
        words
    )
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_selector("#search-results li a")
    assert watched.page.locator("#search-results li a", has_text="Word embeddings").count() >= 1
    assert watched.problems == []
    watched.context.close()


def test_the_site_works_below_a_path(built: Path, browser: Browser) -> None:
    handler = functools.partial(_Quiet, directory=str(built.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        watched = Watched(browser)
        watched.page.goto(f"http://127.0.0.1:{server.server_port}/{built.name}/index.html")
        watched.page.locator("article table a").first.click()
        before, after = step(watched.page, 0)
        assert before != after and watched.problems == []
        watched.context.close()
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def test_the_picture_of_the_readme_moves_and_is_small() -> None:
    with Image.open(picture.ANIMATED) as moving, Image.open(picture.STILL) as still:
        assert getattr(moving, "n_frames", 1) >= 10 and moving.size == still.size
    assert picture.ANIMATED.stat().st_size <= picture.MAX_BYTES


def test_links_are_valid(built: Path) -> None:
    for path in sorted(built.glob("*.html")):
        for target in re.findall(r'(?:href|src|srcset)="([^"#?]+)', path.read_text("utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("name", NAMES)
def test_a_page_without_its_figures_is_small(built: Path, name: str) -> None:
    text = (built / f"{name}.html").read_text("utf-8")
    targets = set(re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"#?]+)', text))
    local = [built / target for target in targets if (built / target).is_file()]
    total = len(text.encode()) + sum(path.stat().st_size for path in local)
    assert total < MAX_PAGE_BYTES, f"{total:,} bytes"

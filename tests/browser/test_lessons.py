"""Every lesson in a browser: run from the top, every control by keyboard and by mouse, light and dark."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator

from tests.browser.conftest import ARTEFACTS
from tests.browser.lab import NOTEBOOK, Lab, controls, kind, state, wait_until_drawn
from tests.tools.refresh import NOTEBOOKS

RELEASED = [str(path.relative_to(NOTEBOOKS)) for path in sorted(NOTEBOOKS.glob("homework/release/*/*.ipynb"))]
SERIOUS = ("serious", "critical")


def _by_keyboard(control: Locator) -> list:
    """Moves that between them must change something, as functions."""
    keys = {"checkbox": ["Space", "Space"], "select-one": ["End", "Home"]}.get(
        kind(control), ["Home", "End", "ArrowLeft"]
    )
    return [lambda key=key: control.press(key) for key in keys]


def _click(control: Locator, share: float) -> None:
    x, y, width, height = control.evaluate(_IN_VIEW)
    control.page.mouse.click(x + share * width, y + height / 2)


def _by_mouse(control: Locator) -> list:
    if kind(control) == "checkbox":
        return [control.click, control.click]
    if kind(control) == "select-one":  # the list that opens is the system's own and not on the page
        count = control.locator("option").count()
        return [lambda place=place: control.select_option(index=place) for place in (count - 1, 0)]
    return [lambda share=share: _click(control, share) for share in (0.97, 0.03, 0.5)]


# What each prediction says without a choice and for each of its options; its keys are tested in test_quiz.
ANSWERS = """[...document.querySelectorAll("form.quiz")].map((form) =>
  [null, ...form.querySelectorAll("input[type=radio]")].map((radio) => {
    radio?.click();
    form.querySelector("button").click();
    const status = form.querySelector("[role=status]");
    return status.checkVisibility() ? status.textContent : "not shown";
  }))"""
_IN_VIEW = """(control) => {
  control.scrollIntoView({ block: "nearest" });
  const { x, y, width, height } = control.getBoundingClientRect();
  return [x, y, width, height];
}"""
_SET = """(control, value) => {
  if (control.type === "checkbox") control.checked = value;
  else control.value = value;
  for (const name of ["input", "change"]) control.dispatchEvent(new Event(name, { bubbles: true }));
}"""


def drive(figure: Locator, name: str, control: Locator, moves: list) -> None:
    """Make the moves; the picture and the sentence must change, and no error show. Then put the control back."""
    start = control.evaluate("(control) => control.type === 'checkbox' ? control.checked : control.value")
    seen = [wait_until_drawn(figure)]
    for move in moves:
        move()
        seen.append(wait_until_drawn(figure, seen[-1]))
        assert seen[-1]["error"] == "", f"{name}: {seen[-1]['error']}"
        assert seen[-1]["sentence"].strip(), f"{name}: no sentence"
    assert len({each["pixels"] for each in seen}) > 1, f"{name} never changes a pixel"
    assert len({each["sentence"] for each in seen}) > 1, f"{name} never changes the sentence"
    control.evaluate(_SET, start)
    wait_until_drawn(figure)


def assert_one_option_is_right(verdicts: list[list[str]]) -> None:
    """Of each prediction, one option is right and the others are not; ``verdicts`` are the results of ANSWERS."""
    for first, *others in verdicts:
        assert first == "Choose one first."
        assert sum(text.startswith("Right ✓") for text in others) == 1, others
        assert all(text.startswith(("Right ✓", "Wrong ✗")) for text in others), others


def violations(lab: Lab) -> list[str]:
    """Serious findings of axe-core inside our figures."""
    found = (
        Axe().run(lab.page, ".live-figure", {"preload": False, "resultTypes": ["violations"]}).response["violations"]
    )
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["impact"] in SERIOUS]


def photograph(lab: Lab, name: str) -> None:
    ARTEFACTS.mkdir(exist_ok=True)
    scroller = lab.page.locator(f"{NOTEBOOK} .jp-WindowedPanel-outer")
    height = scroller.evaluate("(element) => element.scrollHeight")
    lab.page.set_viewport_size({"width": 1280, "height": min(int(height) + 150, 16_000)})
    lab.page.wait_for_timeout(300)
    scroller.evaluate("(element) => element.scrollTo(0, 0)")
    lab.page.wait_for_timeout(600)
    lab.page.screenshot(path=ARTEFACTS / f"{name}.jpg", quality=80)  # a PNG takes twice the time
    lab.page.set_viewport_size({"width": 1280, "height": 1000})


def stored_pictures(lab: Lab) -> Locator:
    return lab.page.locator(f"{NOTEBOOK} figure.live-still img")


def assert_errors_are_tagged(lab: Lab) -> None:
    tagged = lab.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.filter((cell) =>
             (cell.model.getMetadata("tags") ?? []).includes("raises-exception")).length"""
    )
    raised = lab.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.filter((cell) => cell.model.type === "code" &&
             cell.model.toJSON().outputs.some((output) => output.output_type === "error")).length"""
    )
    assert raised == tagged


def drive_all(figure: Locator) -> None:
    """Move every control of a figure by keyboard and by mouse."""
    start = state(figure)
    assert start["error"] == "" and start["draws"] >= 1
    assert len(set(figure.locator("canvas").first.evaluate(_COLOURS))) > 3, "the canvas is blank"
    for name, control in controls(figure).items():
        drive(figure, f"{name} by keyboard", control, _by_keyboard(control))
        drive(figure, f"{name} by mouse", control, _by_mouse(control))


def assert_readable_in_both_themes(lab: Lab, figures: list[Locator], stem: str) -> None:
    before: list[str] = []
    for theme in ("Dark", "Light"):
        lab.theme(f"JupyterLab {theme}")
        pixels = [state(figure)["pixels"] for figure in figures]
        assert all(one != other for one, other in zip(before, pixels, strict=False)), "the theme changes nothing"
        before = pixels
        photograph(lab, f"{stem}-{theme.lower()}")
        if figures:
            assert violations(lab) == []


def assert_whole_on_a_projector(lab: Lab, figures: list[Locator], stem: str) -> None:
    lab.execute("import helpers; helpers.projector()")
    lab.page.wait_for_timeout(500)
    for figure in figures:
        cut = figure.evaluate("(root) => root.scrollWidth > root.clientWidth + 1")
        assert not cut, "the enlarged figure is cut off"
    photograph(lab, f"{stem}-projector")
    lab.execute("helpers.projector(False)")


def test_stored_pictures_are_shown_and_no_widget_is_missing_before_a_lesson_runs(opened_lesson: Lab) -> None:
    lab = opened_lesson
    stills = stored_pictures(lab).all()
    assert stills
    for still in stills:
        assert still.evaluate("(image) => image.complete && image.naturalWidth > 300")
        assert len(still.get_attribute("alt") or "") > 20
    assert lab.figures() == []
    assert lab.page.get_by_text(re.compile("Error (displaying|rendering|creating) widget")).count() == 0


def test_lesson(lesson: Lab) -> None:
    lab, stem = lesson, Path(lesson.path or "").stem
    assert_errors_are_tagged(lab)
    figures = lab.figures()
    assert len(figures) == stored_pictures(lab).count()
    assert not any(picture.is_visible() for picture in stored_pictures(lab).all())
    for figure in figures:
        drive_all(figure)
    assert_one_option_is_right(lab.page.evaluate(f"() => {ANSWERS}"))
    assert_readable_in_both_themes(lab, figures, stem)
    assert_whole_on_a_projector(lab, figures, stem)
    assert lab.errors == []


@pytest.mark.parametrize("homework", RELEASED, ids=lambda path: path.rsplit("/", 1)[-1])
def test_a_released_homework_runs_and_no_check_is_attempted(desk: Lab, homework: str) -> None:
    """As a learner opens it: it runs to its end, and every check waits for an answer."""
    lab = desk
    lab.open(f"notebooks/{homework}")
    lab.theme("JupyterLab Light")
    lab.run_all()
    cells = lab.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => ({
             nbgrader: cell.model.getMetadata("nbgrader") ?? {}, outputs: cell.model.toJSON().outputs ?? [] }))"""
    )
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output["evalue"] for output in outputs if output["output_type"] == "error"]
    assert not [output["text"] for output in outputs if output.get("name") == "stderr"]
    checks = [cell for cell in cells if cell["nbgrader"].get("grade") and not cell["nbgrader"]["solution"]]
    said = ["".join(output.get("text", "") for output in cell["outputs"]) for cell in checks]
    assert any("Not attempted –" in text for text in said)
    assert all("✓" not in text and "✗" not in text for text in said), said
    photograph(lab, homework.rsplit("/", 1)[-1].removesuffix(".ipynb"))
    assert lab.errors == []


_COLOURS = """(canvas) => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [...new Set(new Uint32Array(data.buffer).filter((_, i) => i % 7 === 0))].slice(0, 50);
}"""

"""nbgrader's formgrader in JupyterLab: grades by hand, and learners' scripts that must not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from playwright.sync_api import Browser, Frame, expect

from helpers.grading.course import Course
from helpers.grading.feedback import feedback
from helpers.grading.sandbox.host import Sandbox
from tests.browser import lab
from tests.grading.test_feedback import HOSTILE
from tests.tools.homework import SAMPLE as NAME
from tests.tools.homework import (
    SAMPLE_COLUMNS,
    SAMPLE_RIGHT,
    find,
    grade_course,
    require_bubblewrap,
    sample_homework,
)

SCRIPT = "<script>window.hit = 'output'</script><img src=x onerror=\"window.hit = 'image'\">"
ANSWER = "Rows of one table.\n\n" + "\n\n".join(HOSTILE[name] for name in ("script", "handler", "svg", "frame"))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two graded submissions whose written answers wait; one of them, and an output of it, is full of scripts."""
    folder = tmp_path_factory.mktemp("course")
    require_bubblewrap()
    with Sandbox() as sandbox:
        submissions = {"ada": SAMPLE_RIGHT | {"why": ANSWER}, "bo": SAMPLE_COLUMNS}
        grade_course(folder, NAME, sample_homework(), submissions, sandbox)
    path = folder / "autograded" / "ada" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    find(notebook, "lookup").outputs = [
        new_output("display_data", data={"text/html": SCRIPT, "application/javascript": "window.hit = 'script'"}),
        new_output("stream", text=SCRIPT),
    ]
    nbformat.write(notebook, path)
    return folder


@pytest.fixture(scope="module")
def host(browser: Browser, course: Path) -> Iterator[str]:
    """JupyterLab over the course folder, as :func:`tests.browser.lab.serve` yields it."""
    with lab.serve(course, cwd=course) as address:
        yield address


def score(course: Path, learner: str) -> tuple[float, bool]:
    """A learner's points, and whether something waits for a grade by hand."""
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        submission = gradebook.find_submission(NAME, learner)
        return submission.score, bool(submission.needs_manual_grade)


def submission_id(course: Path, learner: str) -> str:
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        return gradebook.find_submission_notebook(NAME, NAME, learner).id


# What is typed before the grades have come is overwritten and not stored.
_LOADED = """() => typeof formgrader === "object" &&
  formgrader.loaded && formgrader.grades.loaded && formgrader.comments.loaded"""


def test_a_grade_by_hand_in_jupyterlab_is_stored(browser: Browser, course: Path, host: str) -> None:
    """Menu → Formgrader → Manual Grading → the submission: points and a comment are typed, and the totals follow."""
    assert score(course, "ada") == (4.0, True)
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(lab.ACTION_MS)
    origin, errors, elsewhere = host.split("/lab/")[0], [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith((origin, "data:", "blob:")) else elsewhere.append(request.url),
    )
    page.goto(host.replace("/tree/{path}", ""), timeout=90_000)
    page.get_by_text("Nbgrader", exact=True).click(timeout=90_000)
    page.get_by_role("menuitem", name="Formgrader", exact=True).click()
    grader = page.frame_locator("iframe")
    grader.get_by_role("link", name="Manual Grading").click()
    # By their addresses: the links of three pages carry the same name, and a click may come before the next page.
    grader.locator(f"a[href$='/gradebook/{NAME}']").click()
    grader.locator(f"a[href$='/gradebook/{NAME}/{NAME}']").click()
    row = grader.locator("#main-table tr", has_text="4 / 6")
    row.get_by_role("link").first.click()
    points = grader.locator("#why")
    expect(points).to_be_visible()
    frame = next(each for each in page.frames if "/formgrader/submissions/" in each.url)
    frame.wait_for_function(_LOADED)
    # The sign that it is stored is shown for a moment only, so the answer of the server is waited for.
    points.fill("1.5")
    with page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.ok):
        points.press("Tab")
    comment = grader.locator("#why-comment")
    comment.fill("Say which row.")
    with page.expect_response(lambda answer: "/api/comment/" in answer.url and answer.ok):
        comment.press("Tab")
    assert hits(frame) is None and "window.hit = 1" in frame.inner_text("body")
    grader.locator(f"a[href$='/gradebook/{NAME}/{NAME}']").click()
    expect(grader.locator("#main-table tr", has_text="5.5 / 6")).to_be_visible()
    page.context.close()
    assert score(course, "ada") == (5.5, False) and score(course, "bo") == (1.0, True)
    assert errors == [] and elsewhere == []


def hits(frame: Frame) -> str | None:
    """Marks that scripts of learners leave in a page, after a delay."""
    frame.wait_for_timeout(300)
    return frame.evaluate("() => window.hit ?? null")


def test_keys_work_without_network(browser: Browser, course: Path, host: str) -> None:
    """nbgrader sets its keys up once MathJax is there: the stub must do for it. Control-. leads to the next one."""
    page = browser.new_context().new_page()
    page.goto(host.replace("/tree/{path}", ""), timeout=90_000)  # logs in
    first, second = sorted(submission_id(course, learner) for learner in ("ada", "bo"))
    page.goto(f"{host.split('/lab/')[0]}/formgrader/submissions/{first}/")
    page.wait_for_function(_LOADED)
    page.locator("#why").focus()
    page.keyboard.press("Control+.")
    page.wait_for_url(f"**/formgrader/submissions/{second}/**")
    page.context.close()


def opened(browser: Browser, path: Path) -> str | None:
    page = browser.new_page()
    page.goto(path.as_uri())
    found = hits(page.main_frame)
    page.close()
    return found


def test_no_script_runs_on_a_feedback_page(browser: Browser, course: Path) -> None:
    [path], _ = feedback(course, NAME, ["ada"])
    assert opened(browser, path) is None


def test_scripts_run_on_the_page_that_nbgrader_itself_makes(browser: Browser, course: Path) -> None:
    """Shows that :func:`hits` detects scripts that run."""
    with Course(course) as folder:
        coursedir = folder.coursedir(NAME)
    coursedir.student_id = "ada"
    coursedir.feedback_directory = "stock"
    GenerateFeedback(coursedir=coursedir).start()
    assert opened(browser, course / "stock" / "ada" / NAME / f"{NAME}.html") in ("image", 1)

"""Feedback pages: content, hidden tests, and active content."""

from __future__ import annotations

import re
import shutil
import time
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from nbgrader.server_extensions.formgrader import handlers

from helpers.grading import feedback as module
from helpers.grading.course import Course
from helpers.grading.feedback import POLICY, feedback, inert_markdown
from helpers.grading.release import secrets
from helpers.grading.results import Adjustment
from tests.tools.homework import SAMPLE as NAME
from tests.tools.homework import find, homework, sample_homework, written_cell


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, graded_sample: Path) -> Path:
    """ada has points and a comment by hand, bo is late, zoe handed in the unchanged release."""
    folder = shutil.copytree(graded_sample, tmp_path_factory.mktemp("feedback") / "course")
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        grade = gradebook.find_grade("why", NAME, NAME, "ada")
        grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_comment("why", NAME, NAME, "ada").manual_comment = "Well *said*. <script>alert(1)</script>"
        late = gradebook.find_submission_notebook(NAME, NAME, "bo")
        late.late_submission_penalty = 0.5
        gradebook.update_or_create_assignment(NAME, duedate="2026-03-01 12:00:00 UTC")
        gradebook.find_submission(NAME, "bo").timestamp = datetime(2026, 3, 1, 15)
        gradebook.db.commit()
    return folder


@pytest.fixture(scope="module")
def pages(course: Path) -> dict[str, BeautifulSoup]:
    written, _ = feedback(course, NAME)
    return {path.parts[-3]: BeautifulSoup(path.read_text(), "html.parser") for path in written}


def test_points_comments_and_messages(pages: dict[str, BeautifulSoup]) -> None:
    assert pages.keys() == {"ada", "bo", "zoe"}
    ada, bo, zoe = (pages[name].get_text() for name in ("ada", "bo", "zoe"))
    assert "Score: 5.5 of 6 points" in ada and "Well said." in ada and "Right ✓ lookup" in ada
    assert "Score: 0.5 of 6 points so far; a part is not graded yet" in bo
    assert "AssertionError: Wrong ✗ lookup: these are columns: a token's vector is a row of the table" in bo
    assert "Score: 0 of 6 points" in zoe and "Not attempted – lookup" in zoe
    assert "Because one row answers." in bo and pages["bo"].find("strong", string="one row")


def test_dates_and_late_penalty(pages: dict[str, BeautifulSoup]) -> None:
    bo = " ".join(pages["bo"].select("#summary")[0].get_text().split())
    assert "handed in 2026-03-01 15:00 UTC · due 2026-03-01 12:00 UTC · late by 3 hours" in bo
    assert "Late penalty: 0.5 of your 1 points." in bo
    ada = pages["ada"].select("#summary")[0].get_text()
    assert "late" not in ada and "handed in" not in ada


def test_only_the_names_of_failed_hidden_tests_are_shown(pages: dict[str, BeautifulSoup]) -> None:
    assert "hidden tests failed: the same id twice; no ids at all" in pages["bo"].get_text()
    assert "the same id twice" not in pages["ada"].get_text()
    lines = [line for what, line in secrets(sample_homework()) if what.startswith("the hidden tests")]
    assert len(lines) == 4
    for soup in pages.values():
        assert not any(line in soup.get_text() or line in str(soup) for line in lines)
        assert "# Your function is tried on more tables." in soup.get_text()
        assert "HIDDEN TESTS" not in soup.get_text()


def test_no_solution_is_shown(pages: dict[str, BeautifulSoup]) -> None:
    assert "rows_of_the_answer" not in "".join(soup.get_text() for soup in pages.values())


def test_pages_contain_no_scripts_and_load_nothing(pages: dict[str, BeautifulSoup]) -> None:
    for soup in pages.values():
        assert not soup(["script", "iframe", "object", "embed", "link", "form"])
        assert soup.select("head meta")[0].attrs == {"http-equiv": "Content-Security-Policy", "content": POLICY}
        assert not [tag for tag in soup(True) if str(tag.get("src", "data:"))[:5] != "data:"]


def test_missing_grades_by_hand_are_shown(course: Path) -> None:
    written, attention = feedback(course, NAME, learners=["ada", "bo", "nobody"])
    assert [path.parts[-3] for path in written] == ["ada", "bo"]
    assert attention == [
        f"nobody: {NAME} is not graded",
        "Question 3 – why: 1 not graded by hand yet, as their pages state: bo",
    ]


def lost(soup: BeautifulSoup) -> list[tuple[str, list[str]]]:
    """The list of lost points: each question with its points, and the reasons below it."""
    found = []
    for line in soup.select("#lost + ul > li"):
        reasons = [" ".join(each.extract().get_text().split()) for each in line.select("li")]
        found.append((" ".join(line.get_text().split()), reasons))
    return found


def rows(soup: BeautifulSoup) -> list[list[str]]:
    return [[" ".join(cell.get_text().split()) for cell in row("td")] for row in soup.select("#summary tbody tr")]


def test_the_top_says_what_was_lost_and_why(pages: dict[str, BeautifulSoup]) -> None:
    assert lost(pages["ada"]) == [("Question 3 – why: 0.5 of 2 points lost, see the comment", [])]
    [(first, reasons)] = lost(pages["bo"])
    assert first == "Question 1 – lookup: 3 of 3 points lost"
    assert reasons == [
        "test_lookup: Wrong ✗ lookup: these are columns: a token's vector is a row of the table",
        "hidden_lookup: hidden tests failed: the same id twice; no ids at all",
    ]


def test_all_questions_are_listed(pages: dict[str, BeautifulSoup]) -> None:
    assert rows(pages["ada"]) == [
        ["Question 1 – lookup", "3 of 3", ""],
        ["Question 2 – parameters", "1 of 1", ""],
        ["Question 3 – why", "1.5 of 2", "comment"],
    ]
    assert rows(pages["bo"])[2] == ["Question 3 – why", "0 of 2", "not graded yet"]


def test_every_link_of_the_summary_leads_to_its_cell(pages: dict[str, BeautifulSoup]) -> None:
    for soup in pages.values():
        targets = {tag.get("name") or tag.get("id") for tag in soup(True)}
        links = [str(link["href"]) for link in soup.select("#summary a")]
        assert links and {link.removeprefix("#") for link in links} <= targets


def test_adjusted_and_regraded_questions_are_marked(course: Path, tmp_path: Path) -> None:
    shutil.copytree(course, tmp_path / "course")
    with Course(tmp_path / "course", create=False) as opened:
        first, second, third = opened.questions(NAME)
        opened.adjust(NAME, first.name, Adjustment(first.name, "full", "its statement was wrong"))
        opened.adjust(NAME, third.name, Adjustment(third.name, "drop", "not taught"))
        with opened._transaction() as book:
            book.put_answers(NAME, "bo", {}, {"test_parameters": 0.0})
    [path], attention = feedback(tmp_path / "course", NAME, ["bo"])
    soup = BeautifulSoup(path.read_text(), "html.parser")
    assert rows(soup) == [
        [first.name, "3 of 3", "full points for everybody, previously 0: its statement was wrong"],
        [second.name, "1 of 1", "graded again, previously 0 points"],
        [third.name, "0 of 0", "does not count: not taught"],
    ]
    assert lost(soup) == [] and attention == []
    assert "Score: 4 of 4 points" in soup.get_text()


def test_hostile_names_and_reasons_are_escaped(course: Path, tmp_path: Path) -> None:
    shutil.copytree(course, tmp_path / "course")
    with Course(tmp_path / "course", create=False) as opened:
        name = opened.questions(NAME)[0].name
        opened.adjust(NAME, name, Adjustment(name, "full", "<b onclick='x'>bold</b><script>1</script>"))
    [path], _ = feedback(tmp_path / "course", NAME, ["bo"])
    soup = BeautifulSoup(path.read_text(), "html.parser")
    assert not soup.select("#summary b, #summary script") and "<b onclick='x'>bold" in soup.get_text()


def test_missing_files_are_reported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"grade {NAME} first"):
        feedback(tmp_path, NAME)


def spoilt(course: Path, tmp_path: Path, change) -> tuple[list[Path], list[str]]:
    """Feedback for one learner whose graded notebook was changed afterwards."""
    folder = tmp_path / "course"
    parts = (f"source/{NAME}/{NAME}.ipynb", f"autograded/ada/{NAME}/{NAME}.ipynb")
    for part in (*parts, "gradebook.db", "nbgrader_config.py"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_bytes((course / part).read_bytes())
    path = folder / f"autograded/ada/{NAME}/{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.write_text(nbformat.writes(notebook))
    return feedback(folder, NAME)


def printed_secret(notebook) -> None:
    find(notebook, "lookup").outputs = [
        nbformat.v4.new_output("stream", text="secret_ids = torch.tensor([3, 3, 1])  # (3,)")
    ]


def secret_in_a_message(notebook) -> None:
    message = 'lambda: "the same id twice": lambda: same(lookup(secret_table, secret_ids), secret_table[[3, 3, 1]]),'
    find(notebook, "test_lookup").outputs = [nbformat.v4.new_output("error", ename="E", evalue=message, traceback=[])]


@pytest.mark.parametrize("change", [printed_secret, secret_in_a_message])
def test_a_page_with_a_line_of_a_hidden_test_is_not_written(course: Path, tmp_path: Path, change) -> None:
    written, attention = spoilt(course, tmp_path, change)
    assert written == [] and not list(tmp_path.rglob("*.html*"))
    assert len(attention) == 1 and attention[0].startswith(
        "ada: the page was not written: it would contain a line of a hidden test"
    )


def test_a_message_of_a_hidden_test_that_is_no_list_of_names_is_not_quoted(course: Path, tmp_path: Path) -> None:
    def change(notebook) -> None:
        find(notebook, "hidden_lookup").outputs = [
            nbformat.v4.new_output("stream", text="torch.tensor([3, 3, 1])"),
            nbformat.v4.new_output("error", ename="NameError", evalue="secret_table is 7", traceback=["secret"]),
        ]

    [path], _ = spoilt(course, tmp_path, change)
    text = BeautifulSoup(path.read_text(), "html.parser").get_text()
    assert "NameError: hidden tests failed\n" in text and "secret" not in text and "3, 3, 1" not in text


HOSTILE = {
    "script": "<script>window.hit = 1</script>",
    "handler": "<img src=x onerror='window.hit = 1'>",
    "svg": "<svg onload='window.hit = 1'><script>window.hit = 1</script></svg>",
    "link": "[click](javascript:window.hit=1)",
    "link with a mask": "[click](JaVa&#115;cript:window.hit=1)",
    "autolink": "<javascript:window.hit=1>",
    "html link": "<a href='&#x6A;avascript:window.hit=1'>click</a>",
    "page in a link": "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "frame": "<iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    "style": "<style>body { background: url(https://tracker.example) }</style>",
    "remote picture": "![x](https://tracker.example/a.png)",
    "page in a picture": "![x](data:text/html;base64,PHNjcmlwdD4=)",
    "form": "<form action='https://tracker.example'><input name=a></form>",
    "title": "[click](https://example.org '\" onmouseover=\"window.hit=1')",
    "math": "$<script>window.hit = 1</script>$",
    "code": "```html\n<script>window.hit = 1</script>\n```",
    "language": "```<script>window.hit=1</script>\nx\n```",
    "mermaid": "```mermaid\n<img src=x onerror='window.hit=1'>\n```",
    "heading": "# <img src=x onerror='window.hit = 1'>",
    "disguise": "<div id='why' class='score'>10 / 10</div>",
    "missing picture": "![x](attachment:gone.png)\n\n<script>window.hit = 1</script>",
    "unclosed": "<script>window.hit = 1",
    "tower": "> " * 3000 + "<script>window.hit = 1</script>",
}


def alive(soup: BeautifulSoup) -> list[str]:
    """What a browser would run, load or follow."""
    found = [str(tag)[:80] for tag in soup(["script", "iframe", "object", "embed", "form", "style", "svg", "input"])]
    for tag in soup(True):
        found += [
            f"{tag.name} {name}" for name in tag.attrs if name.startswith("on") or name in ("id", "class", "style")
        ]
        target = str(tag.get("href", tag.get("src", "https:")))
        if not target.startswith(("https:", "http:", "mailto:", "data:image/")) or (
            tag.name == "img" and "//" in target
        ):
            found.append(f"{tag.name} → {target[:80]}")
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_is_inert(name: str) -> None:
    assert alive(BeautifulSoup(inert_markdown({"cell": {}}, HOSTILE[name]), "html.parser")) == []


def test_harmless_markdown_is_kept() -> None:
    cell = {"attachments": {"a.png": {"image/png": "aGVsbG8="}}}
    html = inert_markdown(
        {"cell": cell},
        "## T\n\n1. *a* **b** `c<d`\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n"
        "[l](https://example.org) ![p](attachment:a.png)",
    )
    soup = BeautifulSoup(html, "html.parser")
    assert [len(soup(tag)) for tag in ("h2", "em", "strong", "table", "td")] == [1, 1, 1, 1, 2]
    assert soup("code")[0].text == "c<d" and soup("a")[-1]["href"] == "https://example.org"
    assert soup("img")[0]["src"] == "data:image/png;base64,aGVsbG8="


SLOW = {
    "spaces": "a" + " " * 19_998 + "b",
    "environments": "\\begin{a}",
    "tags": "<div>",
    "entities": "&#x",
    "comments": "<!--",
    "brackets": "[",
    "pictures": "![",
    "links": "[a](",
    "emphasis": "*a_",
    "quotes": "> ",
    "lists": "* a\n",
    "dollars": "$",
    "single dollars": "$ a$$ ",
    "backticks": "`a``",
    "cells": "|a",
}


@pytest.mark.parametrize("name", SLOW)
def test_markdown_is_rendered_in_linear_time(name: str) -> None:
    def seconds(length: int) -> float:
        pattern = SLOW[name]
        text = f"a{' ' * (length - 2)}b" if name == "spaces" else pattern * (length // len(pattern))
        start = time.process_time()
        inert_markdown({"cell": {}}, text)
        return time.process_time() - start

    short = min(seconds(4_000) for _ in range(3))
    # 25 times as long if it grew with the square. What disturbs the first measurement may spare the second.
    assert any(seconds(20_000) < 12 * short + 0.05 for _ in range(2))


def test_a_long_text_is_shown_as_typed() -> None:
    text = "*a* <b>" * 5_000
    assert BeautifulSoup(inert_markdown({"cell": {}}, text), "html.parser")("pre")[0].text == text
    assert not BeautifulSoup(inert_markdown({"cell": {}}, text), "html.parser")(["em", "b"])


def test_formulas_stay_as_typed() -> None:
    for text in ("$a*b*c$ and $x_i_j$", "$$\na*b*c\n$$", "costs $5"):
        assert BeautifulSoup(inert_markdown({"cell": {}}, text), "html.parser").text.strip() == text


def test_a_long_notebook_is_cut_off(course: Path, tmp_path: Path) -> None:
    def change(notebook) -> None:
        find(notebook, "why").source = "w" * 100_000
        find(notebook, "lookup").outputs = [nbformat.v4.new_output("stream", text="z" * 60_000)] * 3
        notebook.cells += [nbformat.v4.new_code_cell(f"# {'v' * 45_000}") for _ in range(40)]

    [path], _ = spoilt(course, tmp_path, change)
    text = BeautifulSoup(path.read_text(), "html.parser").get_text()
    assert len(text) < 800_000 and "truncated" in text
    assert text.count("w") < 60_000 and text.count("z") < 60_000
    assert "Grade cell: test_lookup" in text


def test_a_page_that_takes_too_long_is_not_written(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object) -> None:
        re.match("(a+)+$", "a" * 60 + "b")

    monkeypatch.setattr(module, "public", endless)
    monkeypatch.setattr(module, "PAGE_SECONDS", 0.5)
    written, attention = spoilt(course, tmp_path, lambda notebook: None)
    assert written == [] and attention == ["ada: the page was not written: it takes longer than 0.5 seconds"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_inert_on_the_page(course: Path, tmp_path: Path, name: str) -> None:
    def change(notebook) -> None:
        answer = find(notebook, "why")
        answer.source = HOSTILE[name]
        answer.metadata.nbgrader.grade_id = "why"
        find(notebook, "lookup").outputs = [
            nbformat.v4.new_output("display_data", data={"text/html": HOSTILE[name], "text/plain": HOSTILE[name]}),
            nbformat.v4.new_output("stream", text=HOSTILE[name]),
            nbformat.v4.new_output("error", ename="<b>E", evalue=HOSTILE[name], traceback=[HOSTILE[name]]),
        ]

    [path], _ = spoilt(course, tmp_path, change)
    soup = BeautifulSoup(path.read_text(), "html.parser")
    assert not soup(["script", "iframe", "object", "embed", "form", "svg"])
    assert not [tag for tag in soup(True) if any(attribute.startswith("on") for attribute in tag.attrs)]
    assert not [
        tag for tag in soup("a") if not str(tag.get("href", "#")).startswith(("#", "https://", "http://", "mailto:"))
    ]
    assert [str(tag) for tag in soup("style")] and "tracker.example)" not in "".join(tag.text for tag in soup("style"))


def test_forged_metadata_is_ignored(course: Path, tmp_path: Path) -> None:
    """A second cell that claims to be the test, and an id with markup in it, are shown as plain cells."""

    def change(notebook) -> None:
        forged = find(notebook, "test_lookup").copy()
        forged.source = "# forged"
        notebook.cells.append(forged)
        strange = nbformat.v4.new_code_cell(
            "1", metadata={"nbgrader": {"grade_id": "<script>1</script>", "grade": True}}
        )
        notebook.cells.append(strange)

    [path], _ = spoilt(course, tmp_path, change)
    text = BeautifulSoup(path.read_text(), "html.parser").get_text()
    assert text.count("Grade cell: test_lookup") == 1 and "Grade cell: <script>" not in text and "# forged" in text


def test_formgrader_uses_the_same_filter() -> None:
    """nbgrader's own page would run the script; with our settings it does not. Both are rendered here."""
    notebook = homework([written_cell("why", 2, HOSTILE["script"])])
    resources = {"submission_id": "1", "index": 0, "total": 1, "base_url": "", "notebook_id": "n"}
    settings = module.config()
    found = {}
    for name, base in (("stock", HTMLExporter().config), ("ours", settings)):
        base.HTMLExporter.template_name = "formgrade"
        base.HTMLExporter.extra_template_basedirs = [handlers.template_path]
        html, _ = HTMLExporter(config=base).from_notebook_node(notebook, resources)
        found[name] = "window.hit = 1" in "".join(tag.text for tag in BeautifulSoup(html, "html.parser")("script"))
    assert found == {"stock": True, "ours": False}

"""The report on a homework: its counts for a class with known mistakes, and the absence of names."""

from __future__ import annotations

import csv
import io
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from helpers.grading import assignment as homework
from helpers.grading.__main__ import main
from helpers.grading.analysis import (
    MIN_LEARNERS,
    ClassStatistics,
    Outcome,
    QuestionStatistics,
    Template,
    class_statistics,
    correlation,
    limits_met,
    outcomes,
    templates,
)
from helpers.grading.course import Course
from helpers.grading.gradebook import GradingRecord
from helpers.grading.judge import Graded, Verdict
from helpers.grading.report import page, read_results, report, table
from helpers.grading.sandbox.host import Limits, Sandbox
from tests.grading.mutants import Mutant, every
from tests.tools.homework import (
    SMALL,
    answer_cell,
    answered_small,
    graded_cell,
    hand_in,
    hidden_cell,
    judge_answers,
    setup_cell,
    text_cell,
)
from tests.tools.homework import homework as notebook_of
from tests.tools.refresh import homeworks

PATHS = {path.stem: path for path in homeworks()}


def statistics_of(path: Path, class_of: dict[str, Graded]) -> ClassStatistics:
    """The statistics of a class from the verdicts of each learner."""
    author = nbformat.read(path, as_version=4)
    assignment = homework.parse(path.stem, author)
    scores: dict[str, dict[str, float | None]] = {
        learner: {cell.id: cell.points * graded.tests[cell.id].passed for cell in assignment.of("test")}
        for learner, graded in class_of.items()
    }
    verdicts = {learner: graded.tests for learner, graded in class_of.items()}
    records = {learner: GradingRecord("", None, graded.attention, 1.0) for learner, graded in class_of.items()}
    return class_statistics(assignment, homework.questions(author), scores, verdicts, records)


# A class whose mistakes are known.


@pytest.mark.parametrize("name", PATHS)
def test_the_counts_are_those_of_the_planted_mistakes(name: str, judge_mutant: Callable[[Mutant], Graded]) -> None:
    """One, two or three learners hand in each mutant; each line counts those who got its message."""
    copies = {mutant: i % 3 + 1 for i, mutant in enumerate(every()) if mutant.homework == name}
    class_of = {f"{mutant} {i}": judge_mutant(mutant) for mutant, count in copies.items() for i in range(count)}
    results = statistics_of(PATHS[name], class_of)
    assert results.learners == sum(copies.values())
    visible = {test.id: question.name for question in results.questions for test in question.tests if not test.hidden}
    rows = {
        (question.name, text): count
        for question in results.questions
        for text, count in question.outcomes("mistake", hidden=False).items()
    }
    told: Counter[tuple[str, str]] = Counter()  # from the messages themselves, without the templates of the report
    for graded in class_of.values():
        messages = {(visible[test], verdict.message) for test, verdict in graded.tests.items() if test in visible}
        told.update(
            {row for row in rows for question, message in messages if row[0] == question and said(row[1], message)}
        )
    assert {row: count for row, count in rows.items() if told[row] != count} == {}
    for mutant in copies:
        if mutant.where == "hidden":
            names = [text for question in results.questions for text in question.outcomes("mistake", hidden=True)]
            assert any(mutant.message in text for text in names), mutant
    planted = [mutant for mutant in copies if mutant.where == "visible"]
    shown = {mutant: mutant.message.partition(" (it raised")[0] for mutant in planted}
    found = [mutant for mutant in planted if any(shown[mutant] in text for _, text in rows)]
    assert len(planted) - len(found) <= 3, set(planted) - set(found)  # told in the general words of the checks
    if name != "hw3_bug_hunt":  # there a wrong function makes its right test fail, too
        assert sum(rows.values()) == sum(copies[mutant] for mutant in planted if mutant in found)


def said(text: str, message: str) -> bool:
    """Whether a line of the report equals a message without the remark in brackets at its end."""
    reason = message.partition(": ")[2]
    if "…" not in text:
        return reason == text or reason.startswith(f"{text} (")
    return re.fullmatch(".+".join(map(re.escape, text.split("…"))), reason) is not None


@pytest.mark.parametrize("name", PATHS)
def test_hidden_tests_fail_where_visible_ones_pass(name: str, judge_mutant: Callable[[Mutant], Graded]) -> None:
    mutants = [mutant for mutant in every() if mutant.homework == name]
    results = statistics_of(PATHS[name], {str(mutant): judge_mutant(mutant) for mutant in mutants})
    assignment = homework.read(PATHS[name])
    hidden = {cell.id for cell in assignment.of("test") if "BEGIN HIDDEN TESTS" in cell.source}
    expected = sum(
        all(verdict.passed or test in hidden for test, verdict in judge_mutant(mutant).tests.items())
        for mutant in mutants
    )
    by_question = {question.name: question for question in results.questions}
    assert expected == sum(mutant.where == "hidden" for mutant in mutants)
    assert sum(question.hidden_failed for question in by_question.values()) >= expected
    for question in by_question.values():
        assert question.hidden_failed <= question.visible_passed <= results.learners


# The same in a course folder.


@pytest.fixture
def graded(course: Course, release: NotebookNode) -> Course:
    """Four learners: two with points by hand, one with a hostile message, one quarantined."""
    names = {"ada": (), "bo": ("hidden_double",), "cy": ("test_double", "hidden_double"), "<b>dee</b>": ("test_total",)}
    messages = {"test_double": "Wrong ✗ double: <script>alert(1)</script>", "hidden_double": "hidden tests failed"}
    for learner, failing in names.items():
        hand_in(course.folder, learner, answered_small(release))
        tests = {
            cell: Verdict(cell not in failing, messages.get(cell, "Wrong ✗ total: it raised KeyError: '=1+1'"), 0.25)
            for cell in ("test_double", "hidden_double", "test_total", "hidden_total")
        }
        attention = ("cell 3 ran longer than 30 s", "double ran longer than 10 s") if learner == "cy" else ()
        course.store(course.submission(SMALL, learner), Graded({}, tests, attention, 2.0))
    course.quarantine(SMALL, "eve", "digest", "no worker survives it")
    with Gradebook(course.db_url) as book:
        for learner, points in (("ada", 3.0), ("bo", 1.0)):
            grade = book.find_grade("why", SMALL, SMALL, learner)
            grade.manual_score, grade.needs_manual_grade = points, False
        book.db.commit()
    return course


def test_points_by_question(graded: Course) -> None:
    results = read_results(graded, SMALL)
    [question] = results.questions
    assert (results.learners, results.quarantined, question.points) == (4, 1, 11)
    assert question.scores == [11, 7] and question.waiting == 2
    assert (results.left_out, results.points, results.totals) == (["Question 1"], 0, [0, 0, 0, 0])
    assert (question.visible_passed, question.hidden_failed) == (2, 1)
    assert results.limits == {"a cell or a call ran longer than its limit": 1}
    assert {test.id: test.failed for test in question.tests} == {
        "test_double": 1, "hidden_double": 2, "test_total": 1, "hidden_total": 0,
    }  # fmt: skip
    assert {second for test in question.tests for second in test.seconds} == {0.25}


def test_the_page_contains_no_names_and_quotes_of_learners(graded: Course) -> None:
    html, numbers = (path.read_text("utf-8") for path in report(graded, SMALL))
    soup = BeautifulSoup(html, "html.parser")
    assert not soup.find_all(["script", "iframe", "img", "link"])
    assert soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    for text in (soup.get_text(), numbers):
        assert "it raised KeyError: …" in text
        for secret in ("ada", "dee", "cy", "alert", "=1+1", "no worker"):
            assert secret not in text.split() and f">{secret}" not in text
    assert "alert" not in html and "dee" not in html and "=1+1" not in html and "eve" not in soup.get_text().split()
    for figure in soup.select("svg[role=img]"):
        assert figure["aria-label"]
    assert all(cell.get("scope") for cell in soup.find_all("th"))


def test_the_texts_of_an_author_are_escaped() -> None:
    hostile = '</td><script>alert("x")</script>'
    test = graded_cell("test_f", 1, f"examine('f', f, [((2,), 4)], mistakes={{{hostile!r}: [5]}})")
    cells = [setup_cell("import torch"), text_cell("q", "**Question 1 – <b>f</b>**"), answer_cell("f", "f = 1"), test]
    author = notebook_of(cells)
    message = " ".join(f"Wrong ✗ f: {hostile}".split())
    verdicts = {"ada": {"test_f": Verdict(False, message)}}
    statistics = class_statistics(
        homework.parse("hw", author), homework.questions(author), {"ada": {"test_f": 0.0}}, verdicts, {}
    )
    assert statistics.questions[0].outcomes("mistake", hidden=False) == {hostile: 1}
    soup = BeautifulSoup(page(statistics), "html.parser")
    assert not soup.find_all(["script", "b"])
    assert hostile in [cell.get_text() for cell in soup.find_all("th")]


def test_the_csv_has_the_numbers_of_the_page(graded: Course) -> None:
    rows = list(csv.DictReader(io.StringIO(table(read_results(graded, SMALL)).removeprefix("\ufeff"))))
    passed = {row["test"]: int(row["learners"]) for row in rows if row["measure"] == "passed"}
    assert passed == {"test_double": 3, "hidden_double": 2, "test_total": 3, "hidden_total": 4}
    assert [
        (row["value"], row["learners"]) for row in rows if row["measure"] == "points" and row["question"] != "all"
    ] == [
        ("7", "1"),
        ("11", "1"),
    ]


def test_the_command_writes_page_and_table(graded: Course, capsys: pytest.CaptureFixture[str]) -> None:
    graded.close()
    assert main(["report", "--course", str(graded.folder)]) == 0
    wrote = [Path(line.removeprefix("wrote ")) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in wrote] == [f"{SMALL}.html", f"{SMALL}.csv"] and all(map(Path.is_file, wrote))
    assert wrote[0].parent.stat().st_mode & 0o077 == 0
    assert main(["report", "hw9", "--course", str(graded.folder)]) == 1
    assert "hw9 was not graded in" in capsys.readouterr().err
    assert main(["report", "--course", str(graded.folder / "nowhere")]) == 1


# Discrimination.


def test_item_rest_correlation_equals_numpy() -> None:
    numbers = random.Random(3)
    for learners in (MIN_LEARNERS, 47, 300):
        own = [float(numbers.randint(0, 3)) for _ in range(learners)]
        rest = [score + numbers.gauss(0, 2) for score in own]
        found = correlation(own, rest)
        assert found and found.r == pytest.approx(np.corrcoef(own, rest)[0, 1])
        assert -1 < found.low < found.r < found.high < 1
        z = (np.arctanh(found.high) - np.arctanh(found.low)) / 2
        assert z == pytest.approx(1.96 / np.sqrt(learners - 3))


def test_without_enough_learners_or_spread_there_is_no_correlation() -> None:
    rising = [float(i) for i in range(MIN_LEARNERS)]
    assert correlation(rising[1:], rising[1:]) is None
    assert correlation([2.0] * MIN_LEARNERS, rising) is None and correlation(rising, [2.0] * MIN_LEARNERS) is None
    found = correlation(rising, rising)
    assert found and (found.r, found.weak) == (pytest.approx(1), False)


def test_a_question_that_discriminates_badly_is_marked() -> None:
    """Two questions depend on the same ability; the third is random."""
    cells = [setup_cell("import torch")]
    for number in (1, 2, 3):
        cells += [text_cell(f"q{number}", f"**Question {number}**"), graded_cell(f"t{number}", 1, "pass")]
    author = notebook_of(cells)
    numbers = random.Random(5)
    scores: dict[str, dict[str, float | None]] = {}
    for learner in range(200):
        able = numbers.random() < 0.5
        scores[str(learner)] = {"t1": float(able), "t2": float(able), "t3": float(numbers.random() < 0.5)}
    verdicts = {
        learner: {test: Verdict(bool(points), "") for test, points in mine.items()} for learner, mine in scores.items()
    }
    results = class_statistics(homework.parse("hw", author), homework.questions(author), scores, verdicts, {})
    for question in results.questions:
        own = np.array([mine[f"t{question.name[-1]}"] for mine in scores.values()], dtype=float)
        total = np.array([sum(filter(None, mine.values())) for mine in scores.values()])
        assert question.correlation
        assert question.correlation.r == pytest.approx(np.corrcoef(own, total - own)[0, 1])
    weak = [question.name for question in results.questions if question.correlation and question.correlation.weak]
    assert weak == ["Question 3"]
    marked = BeautifulSoup(page(results), "html.parser").find("span", string="low discrimination")
    row = marked and marked.find_parent("tr")
    assert row and row.th and row.th.get_text() == "Question 3"
    few = dict(list(verdicts.items())[: MIN_LEARNERS - 1])
    results = class_statistics(homework.parse("hw", author), homework.questions(author), scores, few, {})
    assert "low discrimination" not in page(results) and "Nothing is reported for fewer than 30" in page(results)


# Messages.


def test_messages_are_reduced_to_their_templates() -> None:
    source = """
check({f"it lets the bug pass: {hint}": 1, "you count from 1; id 0 is the first row": 2, "no": 3})
fail(f"it stopped with {name}: {text}")
"""
    known = list(templates(source))
    assert Template(("no",)) not in known

    def say(message: str) -> list[Outcome]:
        return outcomes(Verdict(False, message), False, known)

    assert say("Wrong ✗ f: you count from 1; id 0 is the first row") == [
        Outcome("mistake", "you count from 1; id 0 is the first row")
    ]
    assert say("Wrong ✗ f: you count from 1; id 0 is the first row (it raised KeyError)")[0].kind == "mistake"
    assert say("Wrong ✗ f: it lets the bug pass: Ada Lovelace") == [Outcome("mistake", "it lets the bug pass: …")]
    assert say("it stopped with ValueError: Ada")[0].text == "it stopped with ValueError: …"
    assert say("Wrong ✗ f: it raised Ada: Lovelace (test case 2 of 3)") == [Outcome("reason", "it raised …: …")]
    assert say("Wrong ✗ f: your function returns None; end it with a return statement")[0].kind == "reason"
    assert say("Wrong ✗ f: Ada was here") == say("Ada was here") == [Outcome("other")]
    assert say("Not attempted – f") == [Outcome("not attempted")]
    assert outcomes(Verdict(True, "Right ✓ f"), False, known) == [Outcome("passed")]
    assert outcomes(Verdict(False, "hidden tests failed: one; two"), True, known) == [
        Outcome("mistake", "one"),
        Outcome("mistake", "two"),
    ]
    assert outcomes(Verdict(False, "hidden tests failed"), True, known) == [Outcome("other")]


def test_the_limits_of_the_grader_are_recognised(sandbox: Sandbox) -> None:
    """From the lines that the judge really writes."""
    tests = [
        graded_cell("test_f", 1, "assert f(1) == 1"),
        hidden_cell("hidden_f", 1, "hidden({'two': lambda: f(2) == 2})"),
    ]
    setup = setup_cell("from helpers.homework import hidden")
    assignment = homework.parse("hw", notebook_of([setup, answer_cell("f", "def f(x): return x"), *tests]))
    quick = Limits(cell_seconds=2, call_seconds=1, total_seconds=20, memory=400 * 2**20)
    answers = {
        "def f(x):\n    return x": set(),
        "def f(x):\n    while True: pass": {"a cell or a call ran longer than its limit"},
        "import os\ndef f(x):\n    os._exit(1)": {"its process ended (exit, crash or lack of memory)"},
    }
    for answer, expected in answers.items():
        graded = judge_answers(sandbox, assignment, {"f": answer}, limits=quick)
        assert limits_met(graded.attention) == expected, graded.attention
        assert all(verdict.seconds > 0 for verdict in graded.tests.values())
    short = Limits(cell_seconds=4, call_seconds=4, total_seconds=2, memory=400 * 2**20)
    graded = judge_answers(sandbox, assignment, {"f": "while True: pass"}, limits=short)
    assert "the submission used up its total time" in limits_met(graded.attention), graded.attention


def test_classes_of_zero_and_one_learner() -> None:
    author = nbformat.read(next(iter(PATHS.values())), as_version=4)
    assignment, questions = homework.parse("hw", author), homework.questions(author)
    assert "Nothing is graded yet" in page(class_statistics(assignment, questions, {}, {}, {}))
    tests = {cell.id: Verdict(False, "Not attempted – f") for cell in assignment.of("test")}
    scores: dict[str, float | None] = dict.fromkeys(tests, 0.0) | {cell.id: None for cell in assignment.of("written")}
    results = class_statistics(assignment, questions, {"ada": scores}, {"ada": tests}, {})
    assert "No submission contains a named misconception" in page(results)
    first = results.questions[0]
    assert isinstance(first, QuestionStatistics) and first.not_attempted == 1

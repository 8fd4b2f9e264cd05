"""Predictions: nothing is given away before a choice; progress: nothing is printed."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from ipywidgets.widgets.widget import _instances

from helpers import Progress, predict, recall
from helpers.exercises import registry
from helpers.exercises.exercise import Question
from helpers.exercises.quiz import verdict

OPTIONS = ["ten & more", "two"]
QUESTION = Question("01.count", "How many?", OPTIONS, answer=1, reason="Count <them>.")


@pytest.fixture
def shown(monkeypatch):
    """Ask, and return the displayed bundle with the widgets behind it."""
    InteractiveShell.instance()
    monkeypatch.setattr(registry, "QUESTIONS", {QUESTION.id: QUESTION})

    def ask(function=predict):
        with capture_output() as caught:
            function("01.count")
        assert caught.stdout == "" and len(caught.outputs) == 1
        bundle = caught.outputs[0].data
        box = _instances[bundle["application/vnd.jupyter.widget-view+json"]["model_id"]]
        return bundle, box.children

    return ask


@pytest.mark.parametrize("function", [predict, recall])
def test_the_page_says_the_question_and_not_the_answer(shown, function) -> None:
    bundle, (heading, choices, button, feedback) = shown(function)
    kind = function.__name__.capitalize()
    assert bundle["text/plain"] == f"{kind}: How many?\n  ( ) ten & more\n  ( ) two"
    assert choices.value is None and feedback.value == "" and "Count" not in str(bundle) + heading.value


def test_a_click_tells_in_words(shown) -> None:
    _, (_, choices, button, feedback) = shown()
    button.click()
    assert "Choose one first." in feedback.value
    choices.value = 0
    button.click()
    assert "✗ Not this one. Count &lt;them&gt;." in feedback.value
    choices.value = 1
    button.click()
    assert "✓ Right. Count &lt;them&gt;." in feedback.value


@pytest.mark.parametrize(("options", "answer"), [(["one"], 0), (["a", "a"], 0), (OPTIONS, 2), (OPTIONS, -1)])
def test_a_question_that_makes_no_sense_is_refused(options, answer) -> None:
    with pytest.raises(ValueError, match="two or more|index of one"):
        Question("01.odd", "?", options, answer, reason="")


def test_an_unknown_question_is_named_with_those_there_are() -> None:
    with pytest.raises(KeyError, match="no question '01.nothing'; there are 00"):
        predict("01.nothing")


def test_the_verdict_does_not_need_colour() -> None:
    lines = {verdict(choice, 1, "because") for choice in (None, 0, 1)}
    assert len(lines) == 3 and all('role="status"' in line for line in lines)


def test_progress_counts_and_prints_nothing(capsys) -> None:
    InteractiveShell.instance()
    with capture_output() as caught, Progress(10, "training") as progress:
        for _ in range(10):
            progress.step(note="loss 1.00")
        progress.step(5, note="loss 0.50")
    assert progress.done == 10 and progress._bar.value == 10 and progress._text.value == "training: 10 of 10, loss 0.50"
    assert caught.stdout == "" and caught.outputs[0].data["text/plain"] == "training"


def test_progress_says_where_it_stopped() -> None:
    with capture_output(), pytest.raises(KeyError):
        with Progress(10, "training") as progress:
            progress.step(4)
            raise KeyError
    assert progress._text.value == "training: stopped after 4 of 10"


def test_progress_needs_something_to_do() -> None:
    with pytest.raises(ValueError, match="positive"):
        Progress(0, "nothing")

"""Quizzes and progress bars: stored outputs, messages and errors."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from ipywidgets.widgets.widget import _instances

from helpers import Progress, predict, recall
from helpers.exercises import registry
from helpers.exercises.exercise import Question
from helpers.figures.views import WIDGET_VIEW

OPTIONS = ["ten & more", "two"]
QUESTION = Question("01.count", "How many?", OPTIONS, answer=1, reason="Count <them>.")


@pytest.fixture
def shown(monkeypatch):
    """Ask, and return the displayed bundle with the widget behind it."""
    InteractiveShell.instance()
    monkeypatch.setattr(registry, "QUESTIONS", {QUESTION.id: QUESTION})

    def ask(function):
        with capture_output() as caught:
            function("01.count")
        assert caught.stdout == "" and len(caught.outputs) == 1
        bundle = caught.outputs[0].data
        return bundle, _instances[bundle[WIDGET_VIEW]["model_id"]]

    return ask


@pytest.mark.parametrize("function", [predict, recall])
def test_the_stored_output_contains_the_question_but_not_the_answer(shown, function) -> None:
    bundle, _ = shown(function)
    kind = function.__name__.capitalize()
    assert bundle["text/plain"] == f"{kind}: How many?\n  ( ) ten & more\n  ( ) two"
    assert set(bundle) == {"text/plain", WIDGET_VIEW} and "Count" not in str(bundle)


def test_the_widget_contains_the_whole_question(shown) -> None:
    _, view = shown(predict)
    assert view.question == {
        "kind": "Predict",
        "text": "How many?",
        "options": OPTIONS,
        "answer": 1,
        "reason": "Count <them>.",
    }


@pytest.mark.parametrize(("options", "answer"), [(["one"], 0), (["a", "a"], 0), (OPTIONS, 2), (OPTIONS, -1)])
def test_an_invalid_question_is_refused(options, answer) -> None:
    with pytest.raises(ValueError, match="two or more|index of one"):
        Question("01.odd", "?", options, answer, reason="")


def test_an_unknown_question_raises_with_a_list_of_all() -> None:
    with pytest.raises(KeyError, match="no question '01.nothing'; there are 00"):
        predict("01.nothing")


def displayed(caught: RichOutput) -> list:
    """What a progress bar shows: how far its bar is, and the text beside it."""
    return [part.value for part in _instances[caught.data[WIDGET_VIEW]["model_id"]].children]


def test_progress_counts_and_prints_nothing() -> None:
    InteractiveShell.instance()
    with capture_output() as caught, Progress(10, "training") as progress:
        for _ in range(10):
            progress.step(note="loss 1.00")
        progress.step(5, note="loss 0.50")
    assert displayed(caught.outputs[0]) == [10, "training: 10 of 10, loss 0.50"] and progress.done == 10
    assert caught.stdout == "" and caught.outputs[0].data["text/plain"] == "training"


def test_progress_says_where_it_stopped() -> None:
    InteractiveShell.instance()
    with capture_output() as caught, pytest.raises(KeyError):
        with Progress(10, "training") as progress:
            progress.step(4)
            raise KeyError
    assert displayed(caught.outputs[0])[1] == "training: stopped after 4 of 10"


def test_progress_refuses_a_total_of_zero() -> None:
    with pytest.raises(ValueError, match="positive"):
        Progress(0, "nothing")

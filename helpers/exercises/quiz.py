"""Multiple-choice questions before and after the answer is on the page: choose, then see the reason."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets
from IPython.display import display

from helpers.exercises.exercise import Question


def predict(question_id: str) -> None:
    """Ask for a prediction; the answer and its reason appear only after a choice.

    Args:
        question_id: lesson and name of the question, ``"01.sum"``.

    Raises:
        KeyError: there is no such question.
    """
    _ask("Predict", _find(question_id))


def recall(question_id: str) -> None:
    """Ask about what the lesson has shown; otherwise the same as :func:`predict`."""
    _ask("Recall", _find(question_id))


def _find(question_id: str) -> Question:
    from helpers.exercises.registry import QUESTIONS

    if question_id not in QUESTIONS:
        raise KeyError(f"no question {question_id!r}; there are {', '.join(sorted(QUESTIONS))}")
    return QUESTIONS[question_id]


def verdict(chosen: int | None, answer: int, reason: str) -> str:
    """The HTML line for a choice: a sign and a word, so that colour is not needed."""
    if chosen is None:
        text = "Choose one first."
    elif chosen == answer:
        text = f"✓ Right. {reason}"
    else:
        text = f"✗ Not this one. {reason}"
    return f'<span role="status">{html.escape(text)}</span>'


def _ask(kind: str, question: Question) -> None:
    wide = ipywidgets.Layout(width="auto", max_width="100%")
    heading = ipywidgets.HTML(f"<b>{kind}: {html.escape(question.text)}</b>", layout=wide)
    choices = ipywidgets.RadioButtons(
        options=[(text, index) for index, text in enumerate(question.options)], value=None, layout=wide
    )
    button = ipywidgets.Button(
        description="Check my answer", layout=ipywidgets.Layout(width="auto", align_self="flex-start")
    )
    feedback = ipywidgets.HTML(layout=wide)

    def reveal(_: ipywidgets.Button) -> None:
        feedback.value = verdict(choices.value, question.answer, question.reason)

    button.on_click(reveal)
    text = "\n".join([f"{kind}: {question.text}", *(f"  ( ) {option}" for option in question.options)])
    show_widget(ipywidgets.VBox([heading, choices, button, feedback]), text)


def show_widget(widget: ipywidgets.Widget, text: str) -> None:
    """Display a widget with a stable text for every place where widgets do not live."""
    view: Callable = widget._repr_mimebundle_
    bundle = {name: data for name, data in (view() or {}).items() if "widget-view" in name}
    display(bundle | {"text/plain": text}, raw=True)

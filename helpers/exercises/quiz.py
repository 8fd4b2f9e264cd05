"""Questions to answer before, and after, the answer is on the page: choose, then reveal."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import ipywidgets
from IPython.display import display


def predict(question: str, options: Sequence[str], *, answer: int, because: str) -> None:
    """Ask for a prediction; the answer and its reason come only after a choice.

    Args:
        question: what is asked.
        options: two or more texts to choose from.
        answer: the index of the right one.
        because: the reason, shown after choosing.

    Raises:
        ValueError: fewer than two options, or an answer that is none of them.
    """
    _ask("Predict", question, options, answer, because)


def recall(question: str, options: Sequence[str], *, answer: int, because: str) -> None:
    """Ask a question about what the lesson has shown; otherwise as :func:`predict`."""
    _ask("Recall", question, options, answer, because)


def verdict(chosen: int | None, answer: int, because: str) -> str:
    """The HTML line for a choice: a sign and a word, so that colour is not needed."""
    if chosen is None:
        text = "Choose one first."
    elif chosen == answer:
        text = f"✓ Right. {because}"
    else:
        text = f"✗ Not this one. {because}"
    return f'<span role="status">{html.escape(text)}</span>'


def _ask(kind: str, question: str, options: Sequence[str], answer: int, because: str) -> None:
    if len(options) < 2 or not 0 <= answer < len(options):
        raise ValueError(
            f"{len(options)} options with answer {answer}: give two or more, and the index of the right one"
        )
    wide = ipywidgets.Layout(width="auto", max_width="100%")
    heading = ipywidgets.HTML(f"<b>{kind}: {html.escape(question)}</b>", layout=wide)
    choices = ipywidgets.RadioButtons(
        options=[(text, index) for index, text in enumerate(options)], value=None, layout=wide
    )
    button = ipywidgets.Button(
        description="Check my answer", layout=ipywidgets.Layout(width="auto", align_self="flex-start")
    )
    feedback = ipywidgets.HTML(layout=wide)

    def reveal(_: ipywidgets.Button) -> None:
        feedback.value = verdict(choices.value, answer, because)

    button.on_click(reveal)
    text = "\n".join([f"{kind}: {question}", *(f"  ( ) {option}" for option in options)])
    show_widget(ipywidgets.VBox([heading, choices, button, feedback]), text)


def show_widget(widget: ipywidgets.Widget, text: str) -> None:
    """Display a widget with a stable text for every place where widgets do not live."""
    view: Callable = widget._repr_mimebundle_
    bundle = {name: data for name, data in (view() or {}).items() if "widget-view" in name}
    display(bundle | {"text/plain": text}, raw=True)

"""Multiple-choice questions of the lessons, evaluated in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from helpers.exercises.exercise import Question
from helpers.figures.scripts import bundle
from helpers.figures.views import show_widget

_HERE = Path(__file__).parent


class QuizView(anywidget.AnyWidget):
    """The widget of a question; ``question`` is the result of :func:`as_data`."""

    _esm = bundle(_HERE.parent / "figures" / "widgets.js", _HERE / "quiz.js")
    _css = (_HERE / "quiz.css").read_text(encoding="utf-8")
    question = traitlets.Dict().tag(sync=True)


def predict(question_id: str) -> None:
    """Show a question that asks for a prediction; the reason appears after the right answer.

    Args:
        question_id: lesson and name of the question, ``"01.sum"``.

    Raises:
        KeyError: there is no such question.
    """
    _show("Predict", _find(question_id))


def recall(question_id: str) -> None:
    """As :func:`predict`, for a question on the content of the lesson."""
    _show("Recall", _find(question_id))


def _find(question_id: str) -> Question:
    from helpers.exercises.registry import QUESTIONS

    if question_id not in QUESTIONS:
        raise KeyError(f"no question {question_id!r}; there are {', '.join(sorted(QUESTIONS))}")
    return QUESTIONS[question_id]


def as_data(kind: str, question: Question) -> dict[str, Any]:
    """A question as plain JSON, for ``quiz.js``."""
    return {
        "kind": kind,
        "text": question.text,
        "options": list(question.options),
        "answer": question.answer,
        "reason": question.reason,
    }


def _show(kind: str, question: Question) -> None:
    view = QuizView(question=as_data(kind, question))
    show_widget(view, "\n".join([f"{kind}: {question.text}", *(f"  ( ) {option}" for option in question.options)]))

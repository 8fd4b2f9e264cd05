"""Convert stored notebooks to pages: quizzes and figures become elements that scripts fill."""

from __future__ import annotations

import ast
import base64
import copy
import html
import json
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_output

from helpers.exercises.exercise import Question
from helpers.exercises.quiz import as_data
from helpers.exercises.registry import QUESTIONS

_STILL = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"')


def page(notebook: NotebookNode, lesson: str, stills: Path) -> NotebookNode:
    """A copy of a notebook in the form in which the site shows it.

    Args:
        notebook: a stored lesson, with outputs.
        lesson: the two digits of its number.
        stills: the folder in which the still pictures are written, as ``LESSON-K.png``.
    """
    notebook = copy.deepcopy(notebook)
    figures = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        call = _call(cell.source)
        if call and call[0] in ("predict", "recall"):
            cell.metadata["tags"] = ["remove-input"]
            cell.outputs = [_html(quiz(call[0].capitalize(), QUESTIONS[call[1]]))]
        elif call and call[0] == "check":
            cell.outputs.append(_html(done(call[1])))
        else:
            for output in cell.outputs:
                markup = output.get("data", {}).get("text/html", "")
                if 'class="live-still"' in markup:
                    figures += 1
                    output.data["text/html"] = _figure(markup, f"{lesson}-{figures}", stills)
    return notebook


def _call(source: str) -> tuple[str, str] | None:
    """Name and first argument of the first call whose first argument is a text: ``check("01.lookup", answer)``."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return None
    for statement in body:
        match statement:
            case ast.Expr(ast.Call(ast.Name(name), [ast.Constant(str(argument)), *_])):
                return name, argument
    return None


def _html(markup: str) -> NotebookNode:
    return new_output("display_data", data={"text/html": markup})


def _figure(markup: str, key: str, stills: Path) -> str:
    """Write the still picture to a file; return the markup with an element for the live figure."""
    match = _STILL.search(markup)
    if match:
        stills.mkdir(parents=True, exist_ok=True)
        (stills / f"{key}.png").write_bytes(base64.b64decode(match.group(1)))
        markup = markup.replace(match.group(), f'src="_static/stills/{key}.png" loading="lazy"')
    return f'<div class="living" data-figure="{key}">{markup}<div class="living-place"></div></div>'


def quiz(kind: str, question: Question) -> str:
    """The element of a quiz, which a script fills; without JavaScript it shows the question and a folded answer."""
    text = html.escape(question.text)
    options = "".join(f"<li>{html.escape(option)}</li>" for option in question.options)
    data = html.escape(json.dumps(as_data(kind, question), ensure_ascii=False))
    return (
        f'<div class="quiz-place" data-id="{html.escape(question.id)}" data-question="{data}">'
        f"<p><strong>{kind}: {text}</strong></p><ul>{options}</ul>"
        f"<details><summary>Answer: {text}</summary><p>{html.escape(question.options[question.answer])}</p>"
        f"<p>{html.escape(question.reason)}</p></details></div>"
    )


def done(exercise_id: str) -> str:
    """A check box by which readers mark an exercise as solved; it is hidden without JavaScript."""
    name = html.escape(exercise_id)
    return (
        f'<label class="done" data-id="{name}" hidden><input type="checkbox"> '
        f"I have solved the exercise “{name.split('.', 1)[-1]}”</label>"
    )

"""Lessons through nbconvert's exporters, with the course's preprocessor: figures, questions, hints and answers."""

from __future__ import annotations

import ast
import copy
import html
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter, LatexExporter, MarkdownExporter, ScriptExporter, SlidesExporter
from traitlets.config import Config

from helpers.exercises.registry import QUESTIONS
from tests.tools.refresh import lessons

CONFIG = Config({"Exporter": {"preprocessors": ["helpers.setup.export.LessonPreprocessor"]}})
CHOSEN = [path for path in lessons() if path.name[:2] in ("00", "06")]
EXPORTERS = {"html": HTMLExporter, "markdown": MarkdownExporter, "slides": SlidesExporter, "latex": LatexExporter}


@pytest.fixture(scope="module", autouse=True)
def pandoc() -> None:
    """Pandoc, which the LaTeX exporter calls: the system's, or that of the package pypandoc_binary."""
    if shutil.which("pandoc") is None:
        pypandoc = pytest.importorskip("pypandoc", reason="no pandoc found")
        os.environ["PATH"] += os.pathsep + str(Path(pypandoc.get_pandoc_path()).parent)


@pytest.fixture(scope="module")
def exported() -> dict[tuple[str, str], tuple[str, dict]]:
    """Number of the lesson and format → text and resources."""
    made = {}
    for path in CHOSEN:
        for name, exporter in EXPORTERS.items():
            made[path.name[:2], name] = exporter(config=CONFIG).from_filename(str(path))
    return made


def stills(path: Path) -> list[str]:
    """The titles of a lesson's figures."""
    cells = nbformat.read(path, as_version=4).cells
    found = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])]
    return [html.unescape(title) for text in found for title in re.findall(r"<figcaption><strong>(.*?)</strong>", text)]


def plain(text: str, form: str) -> str:
    """A text without its markup, blanks as single spaces."""
    if form == "latex":
        text = re.sub(r"\\textbackslash\{?\}?", r"\\", re.sub(r"\\([&%$#_{}])", r"\1", text))
    return " ".join(html.unescape(text).split())


@pytest.mark.parametrize("form", EXPORTERS)
@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_every_figure_is_exported_once_with_its_title(exported, path: Path, form: str) -> None:
    text, resources = exported[path.name[:2], form]
    titles = stills(path)
    assert titles
    pictures = len(re.findall(r"\\includegraphics|\\adjustimage", text.partition(r"\begin{document}")[2]))
    if form != "latex":
        pictures = text.count('<figure class="live-still"><img')
    assert pictures == len(titles)
    caption = r"\textbf{%s}" if form == "latex" else "<strong>%s</strong>"
    for title in titles:
        assert plain(text, form).count(caption % title) == 1, title
    assert "widget-view" not in text
    if form == "latex":
        assert [data[:4] for data in resources["outputs"].values()] == [b"\x89PNG"] * len(titles)
        assert all(name in text for name in resources["outputs"])


@pytest.mark.parametrize("form", EXPORTERS)
@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_questions_are_exported_without_their_answers(exported, path: Path, form: str) -> None:
    text = plain(exported[path.name[:2], form][0], form)
    mine = [question for name, question in QUESTIONS.items() if name.startswith(path.name[:2])]
    assert mine
    for question in mine:
        if form != "latex":  # in LaTeX the text is split by markup
            assert plain(question.options[0], form) in text
        assert plain(question.reason, form) not in text


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_hints_are_folded_or_moved_to_the_end(exported, path: Path) -> None:
    folded = sum("<details>" in cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert folded
    for form in ("html", "markdown", "slides"):
        assert exported[path.name[:2], form][0].count("<details>") == folded
    latex = exported[path.name[:2], "latex"][0]
    body, _, end = latex.partition("Hints and answers}")
    assert "Hint" not in body.partition(r"\begin{document}")[2].replace("hint", "")
    assert len(re.findall(r"\\textbf\{(?:Hint|Answer)", end)) == folded and "details" not in latex


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_slides_begin_at_headings_and_exercises(exported, path: Path) -> None:
    text = exported[path.name[:2], "slides"][0]
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
    starts = [source for source in sources if source.startswith(("# ", "## ", "> **Exercise"))]
    assert text.count("<section") == len(starts) + sum(source.startswith(("# ", "## ")) for source in starts)
    assert "scroll-wrapper" in text or "overflow-y" in text


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_a_script_is_a_python_file(path: Path) -> None:
    text, resources = ScriptExporter(config=CONFIG).from_filename(str(path))
    assert resources["output_extension"] == ".py"
    assert ast.parse(text).body


def test_a_view_that_was_saved_is_not_exported() -> None:
    notebook = nbformat.read(CHOSEN[0], as_version=4)
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2, "version_minor": 0}}
    cell = next(cell for cell in notebook.cells if cell.source.startswith("predict("))
    cell.outputs[0].data |= view
    cell.outputs[0].metadata = {"embeddings_course": {"pid": 1}}
    state = {"x": {"model_name": "AnyModel", "model_module": "anywidget", "state": {}}}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"version_major": 2, "state": state}}
    text = HTMLExporter(config=CONFIG).from_notebook_node(copy.deepcopy(notebook))[0]
    assert "Predict:" in text and "widget-view" not in text
    assert "widget-view" in HTMLExporter().from_notebook_node(copy.deepcopy(notebook))[0], "the fault that it prevents"

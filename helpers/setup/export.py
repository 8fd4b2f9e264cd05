"""A preprocessor of nbconvert for lessons.

``helpers.setup.server`` adds the preprocessor to JupyterLab's *Save and Export Notebook As*; on the command line:
``jupyter nbconvert --to slides --Exporter.preprocessors=helpers.setup.export.LessonPreprocessor LESSON.ipynb``.
"""

from __future__ import annotations

import base64
import html
import re
from typing import Any

from nbconvert.exporters import HTMLExporter, LatexExporter, MarkdownExporter, NotebookExporter, SlidesExporter
from nbconvert.exporters.webpdf import WebPDFExporter
from nbconvert.filters.latex import escape_latex
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from helpers.figures.views import strip_views

_STILL = re.compile(
    r'<figure class="live-still">.*?base64,([^"]+)".*?<strong>(.*?)</strong>(.*?)</figcaption>', re.DOTALL
)
_FOLDED = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
_EXERCISE = re.compile(r"^> \*\*Exercise – (.+?)\*\*")


class LessonPreprocessor(Preprocessor):
    """Prepares a lesson for an exporter.

    - Widget views are removed from outputs, so that the still picture or the question is shown.
    - For LaTeX, each still becomes a PNG file with its title and sentence as the caption.
    - Slides begin at headings and exercises, and long ones scroll.
    - In formats without folding, hints and answers are moved to the end.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        strip_views(nb)
        if isinstance(self.parent, SlidesExporter):
            _split_slides(nb)
            resources.setdefault("reveal", {})["scroll"] = True
        if isinstance(self.parent, LatexExporter):
            _extract_stills(nb, resources)
        web = isinstance(self.parent, HTMLExporter) and not isinstance(self.parent, WebPDFExporter)
        if not web and not isinstance(self.parent, MarkdownExporter | NotebookExporter):
            _move_folded(nb)
        return nb, resources


def _split_slides(nb: NotebookNode) -> None:
    """Mark where slides begin, unless the notebook has such marks."""
    if any("slideshow" in cell.metadata for cell in nb.cells):
        return
    for cell in nb.cells:
        kind = "-"
        if cell.cell_type == "markdown":
            kind = "slide" if re.match(r"##? ", cell.source) else "subslide" if _EXERCISE.match(cell.source) else "-"
        cell.metadata.slideshow = NotebookNode(slide_type=kind)


def _extract_stills(nb: NotebookNode, resources: dict[str, Any]) -> None:
    """Replace each still by a picture in a file of its own and a caption."""
    folder, key = resources.get("output_files_dir") or "", resources.get("unique_key", "output")
    count = 0
    for cell in nb.cells:
        outputs = []
        for output in cell.get("outputs", []):
            still = _STILL.search(output.get("data", {}).get("text/html", ""))
            if not still:
                outputs.append(output)
                continue
            count += 1
            name = "/".join(filter(None, [folder, f"{key}_figure_{count}.png"]))
            resources["outputs"][name] = base64.b64decode(still[1])
            picture = new_output("display_data", {"image/png": still[1]})
            picture.metadata.filenames = {"image/png": name}
            title, sentence = (escape_latex(html.unescape(text)) for text in (still[2], still[3]))
            caption = rf"\textbf{{{title}}}{sentence}"
            outputs += [picture, new_output("display_data", {"text/latex": caption})]
        if cell.cell_type == "code":
            cell.outputs = outputs


def _move_folded(nb: NotebookNode) -> None:
    """Move folded hints and answers to the end, each below the name of its exercise."""
    exercise, moved = "", []
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            continue
        if match := _EXERCISE.match(cell.source):
            exercise = match[1]
        for summary, body in _FOLDED.findall(cell.source):
            name = f"{summary}: {exercise}" if exercise and exercise not in summary else summary
            moved.append(new_markdown_cell(f"**{name}**\n\n{body.strip()}"))
        cell.source = _FOLDED.sub("", cell.source).strip()
    nb.cells = [cell for cell in nb.cells if cell.source or cell.cell_type == "code"]
    if moved:
        nb.cells += [new_markdown_cell("## Hints and answers"), *moved]

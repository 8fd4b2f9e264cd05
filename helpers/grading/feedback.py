"""Pages for learners: their notebook with points, comments and messages; nothing hidden in it, nothing alive in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bleach
import nbformat
from bs4 import BeautifulSoup
from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades
from tqdm import tqdm
from traitlets.config import Config

from helpers.grading import files
from helpers.grading.assignment import parse
from helpers.grading.release import public_tests, secrets

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
HIDDEN = "hidden tests failed"

_TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_LINK = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*$")
_MATHJAX = re.compile(r"<!-- Load mathjax -->.*<!-- End of mathjax configuration -->", re.DOTALL)
_STUB = """<script>
window.MathJax = {Hub: {Startup: {signal: {Interest: function (tell) { setTimeout(function () { tell("End"); }); }}}}};
</script>"""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Leak(Exception):
    """A page that would tell a learner what is hidden; it is not written."""


def config() -> Config:
    """What nbconvert must know so that no page of nbgrader runs what a learner wrote, formgrader's included.

    nbgrader's own templates put Markdown on their pages as it comes, scripts and ``javascript:`` links too; the filter
    that turns it into HTML is replaced. ``sanitize_html`` is for the rest, the outputs. MathJax, which those pages load
    from elsewhere, gives way to a stub: what can change grades runs only what nbgrader ships, and without network, too.
    """
    settings = Config()
    settings.HTMLExporter.sanitize_html = True
    settings.HTMLExporter.template_file = str(Path(__file__).parent / "templates" / "inert.html.j2")
    settings.HTMLExporter.filters = {
        "markdown2html": "helpers.grading.feedback.inert_markdown",
        "without_mathjax": "helpers.grading.feedback.without_mathjax",
    }
    return settings


@pass_context
def inert_markdown(context: Any, source: str) -> str:
    """Markdown → HTML of plain tags: no script, no style, no id or class that a page could take for its own."""
    attachments = (context.get("cell") or {}).get("attachments", {})
    try:
        html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, attachments=attachments)).render(source)
    except Exception:  # a picture that is not there, a tower of lists: one answer must not break a grader's page
        return f"<pre>{bleach.clean(source, tags=set())}</pre>"
    return bleach.clean(html, tags=_TAGS, attributes=_harmless, protocols={"http", "https", "mailto", "data"})


def without_mathjax(head: str) -> str:
    """A page's head with a stub where nbconvert loads MathJax; formgrader starts its keys when MathJax says ``End``."""
    return _MATHJAX.sub(_STUB, head)


def _harmless(tag: str, name: str, value: str) -> bool:
    if tag == "a":
        return (name == "href" and bool(_LINK.match(value.strip()))) or name == "title"
    if tag == "img":
        return (name == "src" and bool(_PICTURE.match(value))) or name in ("alt", "title")
    return tag in ("td", "th") and name in ("colspan", "rowspan") and value.isdigit() and len(value) < 3


def feedback(
    course: Path, homework: str, learners: Sequence[str] | None = None, source: Path | None = None
) -> tuple[list[Path], list[str]]:
    """Write ``course/feedback/<learner>/<homework>/<homework>.html`` for all who are graded, or for those named.

    Args:
        source: the author's notebook, by default ``course/source/<homework>/<homework>.ipynb``.

    Returns:
        The pages, and what a human should know, one line each: who waits for a grade by hand, whose page was refused.

    Raises:
        FileNotFoundError: no author's notebook, no gradebook.
    """
    source = source or course / "source" / homework / f"{homework}.ipynb"
    database = course / "gradebook.db"
    for path in (source, database):
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: grade {homework} first")
    author = nbformat.read(source, as_version=4)
    pages, attention = [], []
    graded = sorted((course / "autograded").glob(f"*/{homework}/{homework}.ipynb"))
    known = [path.parts[-3] for path in graded]
    attention += [f"{learner}: {homework} is not graded" for learner in learners or () if learner not in known]
    exporter = _exporter()
    with Gradebook(f"sqlite:///{database}") as gradebook:
        waiting = {
            each.student.id: {
                grade.name
                for notebook in each.notebooks
                for grade in notebook.grades
                if grade.needs_manual_grade and grade.manual_score is None
            }
            for each in gradebook.assignment_submissions(homework)
        }
    chosen = [path for path in graded if learners is None or path.parts[-3] in learners]
    by_hand: dict[str, list[str]] = {}
    for path in tqdm(chosen, desc=homework, unit="page", disable=None):
        learner = path.parts[-3]
        try:
            soup = page(exporter, nbformat.read(path, as_version=4), author, homework, learner, database)
        except Leak as reason:
            attention.append(f"{learner}: the page is not written, {reason}")
            continue
        if waiting[learner]:
            by_hand.setdefault(", ".join(sorted(waiting[learner])), []).append(learner)
        _name_questions(soup, waiting[learner])
        place = course / "feedback" / learner / homework / f"{homework}.html"
        files.write_atomic(place, str(soup))
        pages.append(place)
    for cells, names in by_hand.items():
        attention.append(f"{cells}: {len(names)} wait for a grade by hand, and their pages say so: {', '.join(names)}")
    return pages, attention


def page(
    exporter: HTMLExporter, graded: NotebookNode, author: NotebookNode, homework: str, learner: str, database: Path
) -> BeautifulSoup:
    """One learner's page.

    Raises:
        Leak: a line of a hidden test is on it.
    """
    about = {"notebook": homework, "assignment": homework, "student": learner, "db_url": f"sqlite:///{database}"}
    shown = public(graded, author)
    own = "\n".join(cell.source for cell in shown.cells if not utils.is_locked(cell))
    shown, resources = GetGrades().preprocess(shown, {"nbgrader": about, "unique_key": homework})
    html, _ = exporter.from_notebook_node(shown, resources)
    soup = BeautifulSoup(html, "html.parser")
    for script in soup(["script", "iframe", "object", "embed", "base", "form"]):
        script.decompose()
    policy = soup.new_tag("meta")
    policy.attrs = {"http-equiv": "Content-Security-Policy", "content": POLICY}
    assert soup.head is not None  # nbconvert's templates have one
    soup.head.insert(0, policy)
    text = soup.get_text()
    for line in _hidden_lines(author):
        if line in text and line not in own:
            raise Leak(f"a line of a hidden test would be on it: {line!r}")
    return soup


def _name_questions(soup: BeautifulSoup, waiting: set[str]) -> None:
    """Say in the list at the top which question is which, and which has no points yet because nobody read it."""
    for link in soup.select("#toc a"):
        question = str(link["href"]).removeprefix("#")
        if not question.startswith("comment-"):
            link.string = question
        if question in waiting and link.parent is not None:
            link.parent.append(" – not graded yet")


def public(graded: NotebookNode, author: NotebookNode) -> NotebookNode:
    """A graded notebook without hidden tests and tracebacks, and with no metadata but the author's marks."""
    assignment = {cell.id: cell for cell in parse("homework", author).cells}
    marks = {about["grade_id"]: about for about in (cell.metadata.get("nbgrader") for cell in author.cells) if about}
    cells = []
    for cell in graded.cells:
        about = cell.metadata.get("nbgrader", {})
        grade_id = about.get("grade_id")
        mine = assignment.pop(grade_id, None) if isinstance(grade_id, str) else None
        if cell.cell_type not in ("code", "markdown"):
            continue
        new = NotebookNode(cell_type=cell.cell_type, source=str(cell.source), metadata=NotebookNode())
        if cell.cell_type == "code":
            new.execution_count = None
            new.outputs = list(_plain(cell.outputs, hidden=mine is not None and "BEGIN HIDDEN TESTS" in mine.source))
        elif isinstance(cell.get("attachments"), dict):
            new.attachments = cell.attachments
        if mine is not None:
            new.metadata.nbgrader = NotebookNode(marks[grade_id])
            if mine.kind in ("test", "setup"):
                new.source = public_tests(mine.source)
        cells.append(new)
    # Of a format in which cells have no ids.
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}, nbformat_minor=4)


def _plain(outputs: Sequence[NotebookNode], hidden: bool) -> Iterator[NotebookNode]:
    """Text and messages; of a hidden test nothing but the line with the names."""
    for output in outputs:
        if output.output_type == "error":
            line = _ANSI.sub("", f"{output.evalue}")
            if hidden and not line.startswith(HIDDEN + ": "):
                line = HIDDEN
            line = line.splitlines()[0] if hidden else line
            name = _ANSI.sub("", f"{output.ename}")
            yield nbformat.v4.new_output("error", ename=name, evalue=line, traceback=[f"{name}: {line}"])
        elif hidden:
            continue
        elif output.output_type == "stream":
            yield nbformat.v4.new_output("stream", name="stdout", text=f"{output.text}")
        elif "text/plain" in output.get("data", {}):
            yield nbformat.v4.new_output("stream", name="stdout", text=f"{output.data['text/plain']}\n")


def _hidden_lines(author: NotebookNode) -> Iterator[str]:
    return (line for what, line in secrets(author) if what.startswith("the hidden tests"))


def _exporter() -> HTMLExporter:
    """nbgrader's feedback template with harmless filters."""
    settings = GenerateFeedback(coursedir=None).config
    settings.merge(config())
    exporter = HTMLExporter(config=settings)
    exporter.register_preprocessor(CSSHTMLHeaderPreprocessor, enabled=True)
    return exporter

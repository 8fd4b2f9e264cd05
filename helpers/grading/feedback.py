"""Feedback pages: a learner's notebook with points, comments and messages, without hidden tests and scripts."""

from __future__ import annotations

import contextlib
import html
import re
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import bleach
import nbformat
from bs4 import BeautifulSoup
from jinja2 import pass_context
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from nbconvert.exporters import HTMLExporter
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades
from tqdm import tqdm
from traitlets.config import Config

from helpers.grading import dates, files
from helpers.grading.assignment import parse
from helpers.grading.release import public_tests, secrets
from helpers.grading.results import QuestionResult, Result

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
HIDDEN = "hidden tests failed"
MAX_MARKDOWN = 20_000  # characters of one text that is rendered
MAX_CELL, MAX_PAGE = 50_000, 500_000  # characters of one cell and its outputs, and of all cells of a learner's page
PAGE_SECONDS = 60.0
TEMPLATES = Path(__file__).parent / "templates"

_TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_LINK = re.compile(r"(?:https?|mailto):", re.IGNORECASE)
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif);base64,[A-Za-z0-9+/=\s]*$")
_MATHJAX = re.compile(r"<!-- Load mathjax -->.*<!-- End of mathjax configuration -->", re.DOTALL)
_STUB = """<script>
window.MathJax = {Hub: {Startup: {signal: {Interest: function (call) { setTimeout(function () { call("End"); }); }}}}};
</script>"""
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Leak(Exception):
    """A page contains a line of a hidden test and is not written."""


class TooSlow(Exception):
    """A page takes longer than :data:`PAGE_SECONDS` and is not written."""


def config() -> Config:
    """nbconvert options with which no page of nbgrader, including formgrader, runs code of a learner.

    nbgrader's templates do not sanitise Markdown, so the filter that converts it to HTML is replaced; ``sanitize_html``
    applies to the outputs. MathJax, which the pages would load from a CDN, is replaced by a stub: pages that can change
    grades run only code of nbgrader, and work without a network.
    """
    settings = Config()
    settings.HTMLExporter.sanitize_html = True
    settings.HTMLExporter.template_file = str(TEMPLATES / "inert.html.j2")
    settings.HTMLExporter.filters = {
        "markdown2html": "helpers.grading.feedback.inert_markdown",
        "without_mathjax": "helpers.grading.feedback.without_mathjax",
    }
    return settings


def _math(state: StateInline, silent: bool) -> bool:
    """A rule for :class:`MarkdownIt`: the text between dollar signs stays as it was typed."""
    mark = "$$" if state.src.startswith("$$", state.pos) else "$"
    if not state.src.startswith(mark, state.pos):
        return False
    start = state.pos + len(mark)
    end = state.src.find(mark, start)
    if end < 0:
        return False
    if not silent:
        state.push("text", "", 0).content = state.src[state.pos : end + len(mark)]
    state.pos = end + len(mark)
    return True


# Unlike that of nbconvert's renderer, its run time is proportional to the length of the text.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_MARKDOWN.inline.ruler.before("escape", "math", _math)


@pass_context
def inert_markdown(context: Any, source: str) -> str:
    """Convert Markdown to HTML without scripts, styles, ids and classes; HTML tags in it are shown as text.

    A text of more than :data:`MAX_MARKDOWN` characters is shown as it was typed.
    """
    attachments = (context.get("cell") or {}).get("attachments", {})
    if len(source) > MAX_MARKDOWN:
        return f"<pre>{html.escape(source)}</pre>"
    try:
        environment: dict[str, Any] = {}
        tokens = _MARKDOWN.parse(source, environment)
        for token in tokens:
            for child in token.children or ():
                if child.type == "image" and str(child.attrGet("src")).startswith("attachment:"):
                    child.attrSet("src", _attached(attachments, str(child.attrGet("src"))))
        rendered = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, environment)
    except Exception:  # such as a missing picture: a single answer must not prevent a page
        return f"<pre>{html.escape(source)}</pre>"
    return bleach.clean(rendered, tags=_TAGS, attributes=_harmless, protocols={"http", "https", "mailto", "data"})


def _attached(attachments: dict, source: str) -> str:
    """The ``data:`` address of a picture that is attached to a cell."""
    ((kind, data), *_) = attachments[unquote(source.removeprefix("attachment:"))].items()
    return f"data:{kind};base64,{data if isinstance(data, str) else ''.join(data)}"


def without_mathjax(head: str) -> str:
    """A page's head with a stub for MathJax that reports the signal ``End``, at which formgrader enables its keys."""
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
    """Write ``course/feedback/<learner>/<homework>/<homework>.html`` for all graded learners, or for ``learners``.

    Args:
        course: the course folder.
        homework: the name of the homework.
        learners: by default all with a graded submission.
        source: the author's notebook, by default ``course/source/<homework>/<homework>.ipynb``.

    Returns:
        The pages, and lines for the instructor: ungraded written answers, and pages that were not written.

    Raises:
        FileNotFoundError: the author's notebook or the gradebook does not exist.
    """
    from helpers.grading.course import Course  # imported here because it imports this module

    source = source or course / "source" / homework / f"{homework}.ipynb"
    database = course / "gradebook.db"
    for path in (source, database):
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist: grade {homework} first")
    author = nbformat.read(source, as_version=4)
    pages, attention = [], []
    graded = sorted((course / "autograded").glob(f"*/{homework}/{homework}.ipynb"))
    known = [path.parts[-3] for path in graded]
    attention += [f"{learner}: {homework} is not graded" for learner in learners or () if learner not in known]
    exporter = _exporter()
    with Course(course, create=False) as opened:
        results, earlier = opened.results(homework), opened.earlier_points(homework)
    chosen = [path for path in graded if path.parts[-3] in results and (learners is None or path.parts[-3] in learners)]
    by_hand: dict[str, list[str]] = {}
    for path in tqdm(chosen, desc=homework, unit="page", disable=None):
        learner = path.parts[-3]
        result = results[learner]
        try:
            notebook = nbformat.read(path, as_version=4)
            with _time_limit(PAGE_SECONDS):
                soup = page(exporter, notebook, author, homework, learner, database, result, earlier.get(learner, {}))
        except (Leak, TooSlow) as reason:
            attention.append(f"{learner}: the page was not written: {reason}")
            continue
        if waiting := [each.question.name for each in result.questions if each.waiting]:
            by_hand.setdefault(", ".join(waiting), []).append(learner)
        target = course / "feedback" / learner / homework / f"{homework}.html"
        files.write_atomic(target, str(soup))
        pages.append(target)
    for questions, names in by_hand.items():
        waiting_pages = f"{len(names)} not graded by hand yet, as their pages state"
        attention.append(f"{questions}: {waiting_pages}: {', '.join(names)}")
    return pages, attention


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`TooSlow` after some time; there is no limit outside the main thread, which handles signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise TooSlow(f"it takes longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def page(
    exporter: HTMLExporter,
    graded: NotebookNode,
    author: NotebookNode,
    homework: str,
    learner: str,
    database: Path,
    result: Result,
    earlier: Mapping[str, float],
) -> BeautifulSoup:
    """The HTML of one learner's page.

    Args:
        exporter: see :func:`_exporter`.
        graded: the graded notebook.
        author: the author's notebook.
        homework: the name of the homework.
        learner: the learner's id.
        database: the gradebook.
        result: the learner's result.
        earlier: the points of graded cells before the submission was graded again, if they were different.

    Raises:
        Leak: it contains a line of a hidden test.
    """
    names: dict[str, Any] = {"notebook": homework, "assignment": homework, "student": learner}
    names["db_url"] = f"sqlite:///{database}"
    shown = public(graded, author)
    learner_text = "\n".join(cell.source for cell in shown.cells if not utils.is_locked(cell))
    shown, resources = GetGrades().preprocess(shown, {"nbgrader": names, "unique_key": homework})
    names["summary"] = _summary(shown, homework, learner, result, earlier)
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
        if line in text and line not in learner_text:
            raise Leak(f"it would contain a line of a hidden test: {line!r}")
    return soup


def _summary(
    shown: NotebookNode, homework: str, learner: str, result: Result, earlier: Mapping[str, float]
) -> dict[str, Any]:
    """The summary at the top of a page, for the template ``page.html.j2``."""
    cells = {name: cell for cell in shown.cells if (name := cell.metadata.get("nbgrader", {}).get("grade_id"))}
    questions = [_question_summary(each, cells, earlier) for each in result.questions]
    lateness = result.lateness
    return {
        "homework": homework,
        "learner": learner,
        "score": result.score,
        "points": result.points,
        "max_points": result.max_points,
        "penalty": result.penalty,
        "waiting": result.waiting,
        "handed_in": dates.show(lateness.handed_in) if lateness.handed_in else "",
        "due": dates.show(lateness.due) if lateness.due else "",
        "extended": lateness.source == "learner",
        "late": str(lateness),
        "questions": questions,
        "lost": [each for each in questions if each["lost"] > 0],
    }


def _question_summary(
    result: QuestionResult, cells: Mapping[str, NotebookNode], earlier: Mapping[str, float]
) -> dict[str, Any]:
    graded = [cells[name] for name in result.question.points if name in cells]
    reasons = []
    for cell in graded:
        metadata = cell.metadata.nbgrader
        failed = [output.evalue for output in cell.get("outputs", []) if output.output_type == "error"]
        if failed and metadata.score < metadata.points:
            reasons.append({"cell": metadata.grade_id, "text": failed[0]})
    remarks = ["not graded yet"] * result.waiting
    if result.adjustment:
        before = "" if result.points == result.earned else f", previously {result.earned:g}"
        remarks.append(f"{result.adjustment}{before}: {result.adjustment.reason}")
    if regraded := {name: points for name, points in earlier.items() if name in result.question.points}:
        now = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.score for cell in graded}
        before = result.earned - sum(now[name] - points for name, points in regraded.items() if name in now)
        remarks.append(f"graded again, previously {before:g} points")
    commented = [
        name for name in result.question.cells if name in cells and cells[name].metadata.nbgrader.get("comment")
    ]
    first_lost = next((each["cell"] for each in reasons), None)
    return {
        "name": result.question.name,
        "link": first_lost or next(iter(result.question.points)),
        "points": result.points,
        "max_points": result.max_points,
        # Points that are not graded yet are not lost.
        "lost": 0.0 if result.waiting and not reasons else result.lost,
        "reasons": reasons if result.lost else [],
        "remarks": remarks,
        "comment": commented[0] if commented else "",
    }


def public(graded: NotebookNode, author: NotebookNode) -> NotebookNode:
    """A graded notebook without hidden tests and tracebacks, and with only the author's metadata."""
    assignment = {cell.id: cell for cell in parse("homework", author).cells}
    all_metadata = (cell.metadata.get("nbgrader") for cell in author.cells)
    metadata_by_id = {metadata["grade_id"]: metadata for metadata in all_metadata if metadata}
    cells, room = [], MAX_PAGE
    for cell in graded.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        author_cell = assignment.pop(grade_id, None) if isinstance(grade_id, str) else None
        if cell.cell_type not in ("code", "markdown"):
            continue
        new = NotebookNode(cell_type=cell.cell_type, source=str(cell.source), metadata=NotebookNode())
        if cell.cell_type == "code":
            new.execution_count = None
            new.outputs = list(
                _plain(cell.outputs, hidden=author_cell is not None and "BEGIN HIDDEN TESTS" in author_cell.source)
            )
        elif isinstance(cell.get("attachments"), dict):
            new.attachments = cell.attachments
        if author_cell is not None:
            new.metadata.nbgrader = NotebookNode(metadata_by_id[grade_id])
            if author_cell.kind in ("test", "setup"):
                new.source = public_tests(author_cell.source)
        if author_cell is None or author_cell.kind in ("answer", "written"):
            room -= _cut(new, min(MAX_CELL, max(room, 0)))
        cells.append(new)
    # nbformat 4.4: cells have no ids.
    return nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}, nbformat_minor=4)


def _cut(cell: NotebookNode, room: int) -> int:
    """Shorten the source and the outputs of a cell to ``room`` characters in total; return their length."""
    limit = room
    for part in (cell, *cell.get("outputs", ())):
        for key in ("source", "text", "evalue", "traceback"):
            if key not in part:
                continue
            text = "\n".join(part[key]) if key == "traceback" else part[key]
            if len(text) > room:
                text = f"{text[:room]}\n… truncated"
            part[key] = [text] if key == "traceback" else text
            room = max(room - len(text), 0)
    return limit - room


def _plain(outputs: Sequence[NotebookNode], hidden: bool) -> Iterator[NotebookNode]:
    """Outputs as plain text; for hidden tests, only the line with the names of failed tests."""
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
    return (line for part, line in secrets(author) if part.startswith("the hidden tests"))


def _exporter() -> HTMLExporter:
    """An exporter with nbgrader's feedback template and the options of :func:`config`."""
    settings = GenerateFeedback(coursedir=None).config
    settings.merge(config())
    settings.HTMLExporter.template_file = str(TEMPLATES / "page.html.j2")
    exporter = HTMLExporter(config=settings)
    exporter.register_preprocessor(CSSHTMLHeaderPreprocessor, enabled=True)
    return exporter

"""Checks of notebooks that nbval does not make: ``python -m tests.tools.lint``. Nothing is executed.

nbval passes a cell that never ran, cells that ran out of order, a missing picture, stored warnings and a misspelt tag.
The lint closes those holes and holds the house style.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.figures.views import WIDGET_VIEW
from helpers.grading.assignment import parse
from tests.tools.refresh import ROOT, homeworks, lessons, normalise

TAGS = {"raises-exception", "nbval-ignore-output", "exercise", "check"}
VERSION_CELL = ("00_start_here.ipynb", "platform.python_version")
CODE_LINES, CODE_COLUMNS, PROSE_WORDS, ALT_LETTERS = 20, 100, 120, 20  # beyond 105 columns, code scrolls at 1280 px
WORDS_PER_MINUTE, LESSON_MINUTES, TIME_TOLERANCE = 150, 60, 0.2
MINUTES = re.compile(r"^> \*\*Exercise – .+\*\* · [●○]{3} · (\d+) minutes")
TIME = re.compile(r"\*\*Time:\*\* (\d+) minutes(?:, and (\d+) minutes of optional sections)?\.")
OPTIONAL = re.compile(r"^## .+ \*\(optional, (\d+) minutes\)\*$")
LEAKS = {
    "an address": re.compile(r"\b0x[0-9a-fA-F]{6,}"),
    "a path of a machine": re.compile(r"(?<![\w.])/(?:home|root|tmp|Users|usr|opt|var|work|mnt)/\w|site-packages"),
    "a long decimal": re.compile(r"\d\.\d{4,}"),
    "a time of day": re.compile(r"\b\d\d:\d\d:\d\d\b"),
}
FORBIDDEN_CODE = {
    "a marker comment (use a tag)": re.compile(r"#\s*(?:NBVAL|PYTEST_VALIDATE|nbval)", re.IGNORECASE),
    "a trailing semicolon (it breaks nbval's comparison)": re.compile(r";\s*$", re.MULTILINE),
    "a magic or shell line": re.compile(r"^\s*[%!]", re.MULTILINE),
    "pyplot (its state is shared between threads)": re.compile(r"pyplot"),
    "a global seed (use a local torch.Generator)": re.compile(r"(?:torch|random)\.(?:manual_)?seed\("),
}
BELITTLING = re.compile(r"\b(?:simply|obviously|just|of course|trivial(?:ly)?)\b", re.IGNORECASE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)[^)]*\)")
IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
STILL = re.compile(r'^<figure class="live-still"><img alt="([^"]+)" src="data:image/png;base64,iVBOR[^"]+"', re.DOTALL)
SEEDS = {"01_word_embeddings.ipynb": "word_embeddings", "06_positional_embeddings.ipynb": "positional_embeddings"}


def seed(lesson: str) -> tuple[str, str]:
    """The original cell of a lesson and every line it prints."""
    folder = ROOT / "tests" / "notebooks" / "seed"
    code, printed = ((folder / f"{SEEDS[lesson]}.{part}.txt").read_text().rstrip("\n") for part in ("code", "printed"))
    return code, printed


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _prose(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def _start(cell: NotebookNode) -> str:
    return repr((cell.source.splitlines() or [""])[0][:60])


def _texts(cell: NotebookNode) -> Iterator[str]:
    """Every stored text of a cell's outputs, pictures left out."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield output.get("evalue", "")
        for kind, data in output.get("data", {}).items():
            if isinstance(data, str) and not kind.startswith("image/"):
                yield re.sub(r"base64,[A-Za-z0-9+/=]+", "", data)


def executed_in_order(name: str, notebook: NotebookNode) -> Iterator[str]:
    counts = [cell.execution_count for cell in _code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells were not executed once each and in order: {counts}"
    for cell in notebook.cells:
        if not cell.source.strip():
            yield "an empty cell"


def normal_form(name: str, notebook: NotebookNode) -> Iterator[str]:
    if normalise(copy.deepcopy(notebook)) != notebook:
        yield "not in normal form (timestamps, widget state, foreign metadata, …): make refresh"


def stored_outputs(name: str, notebook: NotebookNode) -> Iterator[str]:
    for cell in _code(notebook):
        tagged = "raises-exception" in cell.metadata.get("tags", [])
        if tagged != any(output.output_type == "error" for output in cell.outputs):
            yield f"cell {_start(cell)}: the tag raises-exception and a stored error go together"
        for output in cell.outputs:
            if output.get("name") == "stderr":
                yield f"cell {_start(cell)} stores stderr"
            printed = output.get("text", "") if output.output_type == "stream" else ""
            if max(map(len, printed.splitlines()), default=0) > CODE_COLUMNS:
                yield f"cell {_start(cell)} prints a line of more than {CODE_COLUMNS} characters: it wraps"
            if WIDGET_VIEW in output.get("data", {}):
                yield f"cell {_start(cell)} stores a widget view"
        for text in _texts(cell):
            for what, pattern in LEAKS.items():
                found = pattern.search(text)
                if found and "nbval-ignore-output" not in cell.metadata.get("tags", []):
                    yield f"cell {_start(cell)} prints {what}: {found.group()!r}"


def tags(name: str, notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag not in TAGS:
                yield f"cell {_start(cell)}: no tag is called {tag!r}; there are {', '.join(sorted(TAGS))}"
            elif tag == "nbval-ignore-output" and (name != VERSION_CELL[0] or VERSION_CELL[1] not in cell.source):
                yield f"cell {_start(cell)}: only the version cell of {VERSION_CELL[0]} may ignore its output"


def pictures(name: str, notebook: NotebookNode) -> Iterator[str]:
    for cell in _code(notebook):
        stills = 0
        for output in cell.outputs:
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                yield f"cell {_start(cell)} shows an image without alt text: use a live figure"
            markup = data.get("text/html", "")
            match = STILL.match(markup)
            if match:
                stills += 1
                if data.get("text/plain", "").strip() == "" or len(match.group(1)) < ALT_LETTERS:
                    yield f"cell {_start(cell)}: its picture has no sentence"
            elif "<img" in markup:
                yield f"cell {_start(cell)}: a picture that is no still with its sentence"
        wanted = cell.source.count("@live(")
        if stills != wanted:
            yield f"cell {_start(cell)}: {wanted} figures, {stills} stored stills"


def _links(text: str, folder: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for bang, words, target in LINK.findall(text):
        if bang and not words.strip():
            yield f"an image without alt text: {target}"
        if not words.strip():
            yield f"a link without words: {target}"
        if re.match(r"https?://|#|mailto:", target):
            continue
        if target.startswith("/") or not (folder / target.split("#")[0]).exists():
            yield f"a link that leads nowhere: {target}"
    for tag in IMAGE.findall(text):
        alt = re.search(r'alt="([^"]*)"', tag)
        if not alt or not alt.group(1).strip():
            yield f"an image without alt text: {tag[:60]}"
        source = re.search(r'src="([^"]*)"', tag)
        if source and not re.match(r"https?://|data:", source.group(1)) and not (folder / source.group(1)).exists():
            yield f"an image that is not there: {source.group(1)}"


def _import_lines(source: str) -> int:
    """The number of lines of import statements at the top level."""
    nodes = (node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom))
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes)


def style(name: str, notebook: NotebookNode) -> Iterator[str]:
    original = seed(name)[0] if name in SEEDS else None
    for cell in _code(notebook):
        graded = cell.metadata.get("nbgrader", {}).get("grade")  # tests of a homework: no learner has to read them
        lines = len(cell.source.splitlines()) - _import_lines(cell.source)
        if lines > CODE_LINES and not graded and cell.source.rstrip("\n") != original:
            yield f"cell {_start(cell)} has {lines} lines, at most {CODE_LINES}: split it, or move a part to helpers"
        columns = max(map(len, cell.source.splitlines()), default=0)
        if columns > CODE_COLUMNS and cell.source.rstrip("\n") != original:
            yield f"cell {_start(cell)} has a line of {columns} characters, at most {CODE_COLUMNS}: wrap it"
        for what, pattern in FORBIDDEN_CODE.items():
            if pattern.search(cell.source):
                yield f"cell {_start(cell)} holds {what}"
    for cell in _prose(notebook):
        words = len(re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL).split())
        table = cell.source.count("\n|") > 2
        if words > PROSE_WORDS and not table:
            yield f"cell {_start(cell)} has {words} words, at most {PROSE_WORDS}"
        found = BELITTLING.search(re.sub(r"`[^`]*`|\*[^*]*\*", "", cell.source))
        if found:
            yield f"cell {_start(cell)} belittles: {found.group()!r}"


def lesson_form(name: str, notebook: NotebookNode) -> Iterator[str]:
    first = notebook.cells[0].source
    parts = (f"# {name[:2]} · ", "**After this lesson you can**", "**Time:**", "*Run → Run All Cells*")
    if not first.startswith(parts[0]) or not all(part in first for part in parts):
        yield "the first cell holds `# NN · Title`, the objectives, the time, and *Run → Run All Cells*"
    if "torch.set_num_threads(1)" not in _code(notebook)[0].source:
        yield "the first code cell holds torch.set_num_threads(1)"
    calls = [cell.source.split("(")[0] for cell in _code(notebook)]
    if "predict" not in calls or calls.count("recall") != 3:
        yield "a lesson asks for a prediction, and at its end three recall questions"
    if not any("@live(" in cell.source for cell in _code(notebook)):
        yield "a lesson has a live figure"
    if name != VERSION_CELL[0] and not any(cell.source.startswith("## Sources") for cell in _prose(notebook)):
        yield "a lesson names its sources under ## Sources"
    exercises = 0
    for index, cell in enumerate(notebook.cells):
        if "exercise" not in cell.metadata.get("tags", []):
            continue
        exercises += 1
        before, after = notebook.cells[index - 1].source, notebook.cells[index + 1 : index + 4]
        boxed = re.match(r"> \*\*Exercise – (.+)\*\* · [●○]{3} · \d+ minutes", before)
        folded = "".join(cell.source for cell in after[1:])
        checked = after and "check" in after[0].metadata.get("tags", [])
        if not (boxed and checked and "<summary>Hint" in folded and "<summary>Answer" in folded):
            yield f"exercise {_start(cell)} needs its box before it, its check, a hint and an answer after it"
        elif any(f"<summary>{word}: {boxed[1]}</summary>" not in folded for word in ("Hint", "Answer")):
            yield f"hint and answer are called after their exercise: <summary>Hint: {boxed[1]}</summary>"
    if not exercises:
        yield "a lesson has an exercise"


def neighbours(name: str, notebook: NotebookNode) -> Iterator[str]:
    names = [path.name for path in lessons()]
    last = notebook.cells[-1].source
    index = names.index(name)
    for word, other in (("Previous", index - 1), ("Next", index + 1)):
        if 0 <= other < len(names) and not re.search(rf"\*\*{word}:\*\* \[[^\]]+\]\({re.escape(names[other])}\)", last):
            yield f"the last cell links to **{word}:** {names[other]}"


def seeds(name: str, notebook: NotebookNode) -> Iterator[str]:
    if name not in SEEDS:
        return
    code, printed = seed(name)
    for cell in _code(notebook):
        if cell.source.rstrip("\n") == code:
            stored = "".join(output.get("text", "") for output in cell.outputs)
            if stored.rstrip("\n") != printed:
                yield "the original cell does not print its original lines to the letter"
            return
    yield "the original cell is not there to the letter"


def homework_form(name: str, notebook: NotebookNode) -> Iterator[str]:
    """Answers named like what they define, each tested in sight and out of sight, and one question graded by hand."""
    try:
        homework = parse(name.removesuffix(".ipynb"), notebook)
    except ValueError as error:
        yield str(error)
        return
    if len(homework.of("written")) != 1:
        yield f"a homework has one written question, this has {len(homework.of('written'))}"
    boxes = [cell.source for cell in _prose(notebook) if cell.source.startswith("> **Question")]
    form = re.compile(r"> \*\*Question \d+ – .+\*\* · [●○]{3} · \d+ minutes · (\d+) points")
    matches = [form.match(box) for box in boxes]
    for box, match in zip(boxes, matches, strict=True):
        if not match:
            yield f"{box.splitlines()[0]!r} is not '> **Question 1 – name** · ●○○ · 8 minutes · 3 points'"
    if not boxes:
        yield "a homework has questions in boxes"
    total = sum(int(match[1]) for match in matches if match)
    if total != homework.points:
        yield f"the boxes promise {total} points, the cells are worth {homework.points:g}"


def cell_minutes(cell: NotebookNode) -> float:
    """How long a cell takes: 150 words a minute, one minute for a code cell, and what the box of an exercise says.

    Not counted: folded hints and answers, the list of sources, and the code and check of an exercise.
    """
    tags = cell.metadata.get("tags", [])
    if cell.cell_type == "code":
        return 0.0 if "exercise" in tags or "check" in tags else 1.0
    if "<details>" in cell.source or cell.source.startswith("## Sources"):
        return 0.0
    exercise = MINUTES.match(cell.source)
    words = len(re.sub(r"```.*?```|\]\([^)]*\)", " ", cell.source, flags=re.DOTALL).split())
    return words / WORDS_PER_MINUTE + (float(exercise[1]) if exercise else 0.0)


def lesson_minutes(notebook: NotebookNode) -> tuple[float, list[tuple[str, int, float]]]:
    """The minutes of a lesson without its optional sections, and of each of these: heading, stated, computed.

    A section reaches from its ``## `` heading to the next.
    """
    required, optional, inside = 0.0, [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            heading = cell.source.splitlines()[0]
            stated = OPTIONAL.match(heading)
            inside = stated is not None
            if stated:
                optional.append((heading, int(stated[1]), 0.0))
        if inside:
            heading, said, computed = optional[-1]
            optional[-1] = (heading, said, computed + cell_minutes(cell))
        else:
            required += cell_minutes(cell)
    return required, optional


def _agree(stated: float, computed: float) -> bool:
    return abs(stated - computed) <= max(TIME_TOLERANCE * computed, 1.0)


def times(name: str, notebook: NotebookNode) -> Iterator[str]:
    """The stated times are within 20 % (or a minute) of :func:`lesson_minutes`, and at most an hour is required."""
    stated = TIME.search(notebook.cells[0].source)
    if not stated:
        yield "the first cell says **Time:** N minutes. or **Time:** N minutes, and M minutes of optional sections."
        return
    required, optional = lesson_minutes(notebook)
    if not _agree(int(stated[1]), required):
        yield f"the time is said to be {stated[1]} minutes, and computes to {required:.0f}"
    if int(stated[1]) > LESSON_MINUTES:
        yield f"{stated[1]} minutes are more than {LESSON_MINUTES}: mark sections as optional or move them"
    for heading, said, computed in optional:
        if not _agree(said, computed):
            yield f"{heading!r} computes to {computed:.0f} minutes"
    total = sum(said for _, said, _ in optional)
    if total != int(stated[2] or 0):
        yield f"the optional sections add up to {total} minutes, the first cell says {stated[2] or 0}"


Rule = Callable[[str, NotebookNode], Iterator[str]]
EVERYWHERE: list[Rule] = [executed_in_order, normal_form, stored_outputs, tags, pictures, style]
LESSON: list[Rule] = [lesson_form, times, neighbours, seeds]
HOMEWORK: list[Rule] = [homework_form]


def lint(path: Path, notebook: NotebookNode | None = None) -> list[str]:
    """What is wrong with a stored notebook of the course; an empty list if nothing is."""
    notebook = notebook or nbformat.read(path, as_version=4)
    rules = EVERYWHERE + (HOMEWORK if "homework" in path.parts else LESSON)
    found = [problem for rule in rules for problem in rule(path.name, notebook)]
    for cell in _prose(notebook):
        found += _links(cell.source, path.parent)
    return found


def main(names: list[str]) -> int:
    chosen = [path for path in lessons() + homeworks() if not names or any(name in str(path) for name in names)]
    pages = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("notebooks/**/*.md")) if not names]
    problems = [(path, problem) for path in chosen for problem in lint(path)]
    problems += [(path, problem) for path in pages for problem in _links(path.read_text(encoding="utf-8"), path.parent)]
    for path, problem in problems:
        print(f"{path.relative_to(ROOT)}: {problem}")
    print(f"{len(chosen)} notebooks and {len(pages)} pages read, {len(problems)} problems")
    return 1 if problems or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Make student versions from authors' notebooks with nbgrader's steps, and check that they contain no solutions."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import IncludeHeaderFooter, InstantiateTests, SaveCells
from traitlets.config import Config

from helpers.grading import files
from helpers.grading.assignment import RELEASE, SOURCE, parse

QUESTIONS = SOURCE.parent / "questions.json"
STUB = "...  # your code here"
WRITE_HERE = "*Write your answer here.*"

_NOTEBOOK_METADATA = {
    "kernelspec": ("display_name", "language", "name"),
    "language_info": ("file_extension", "mimetype", "name", "nbconvert_exporter"),
}
_CELL_METADATA = ("deletable", "editable", "nbgrader", "tags")
_NBGRADER_METADATA = {
    "cell_type", "checksum", "grade", "grade_id", "locked", "points", "schema_version", "solution", "task",
}  # fmt: skip
_SHORTEST_SECRET = 10  # word characters; shorter lines, such as "else:", are not secret


class ReleaseError(ValueError):
    """A homework cannot be released; the message is the reason."""


def config() -> Config:
    """nbgrader options that determine the student version."""
    settings = Config()
    settings.ClearSolutions.code_stub = {"python": STUB}
    settings.ClearSolutions.text_stub = WRITE_HERE
    return settings


def student_version(notebook: NotebookNode) -> NotebookNode:
    """The author's notebook without solutions, hidden tests and outputs, in a normal form.

    Raises:
        RuntimeError, nbgrader's ValidationError: its markers or its metadata are invalid.
    """
    new = copy.deepcopy(notebook)
    for step in GenerateAssignment().preprocessors:
        if step not in (IncludeHeaderFooter, InstantiateTests, SaveCells):  # no header, no generated test, no gradebook
            new, _ = step(config=config()).preprocess(new, {})
    metadata = {
        key: {part: new.metadata[key][part] for part in parts if part in new.metadata[key]}
        for key, parts in _NOTEBOOK_METADATA.items()
        if key in new.metadata
    }
    new.metadata = nbformat.from_dict(metadata)
    for cell in new.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in _CELL_METADATA if key in cell.metadata})
        if nbgrader:
            cell.metadata.nbgrader = {key: value for key, value in nbgrader.items() if key in _NBGRADER_METADATA}
        if nbgrader.get("solution"):
            cell.pop("attachments", None)  # nbgrader replaces the text of an answer, not its images
    return new


def release(
    source: Path = SOURCE,
    release: Path = RELEASE,
    questions: Path = QUESTIONS,
    names: Iterable[str] | None = None,
    retire: bool = False,
) -> list[Path]:
    """Write the student version of each homework, or of those in ``names``. Idempotent.

    Args:
        source: the folder of the authors' notebooks, ``NAME/NAME.ipynb``.
        release: the folder of the student versions.
        questions: the JSON file with the ids and points of all released questions.
        names: the homeworks; by default all.
        retire: whether to allow changes to released questions.

    Returns:
        The files that changed.

    Raises:
        ReleaseError: a homework does not exist or is invalid, or a released question changed without ``retire``.
            Nothing is written then.
    """
    sources = _notebooks(source)
    for name in names or sources:
        if name not in sources:
            raise ReleaseError(f"no homework is called {name!r}; there are {', '.join(sources) or 'none'} in {source}")
    known = _read_questions(questions)
    new: dict[Path, str] = {}
    for name in names or sources:
        notebook = nbformat.read(sources[name], as_version=4)
        changes = list(_changed_questions(name, notebook, known, retire))
        if changes:
            raise ReleaseError("\n".join(changes))
        known[name] = _recorded(notebook, known.get(name))
        new[release / name / f"{name}.ipynb"] = _written(name, notebook)
    new[questions] = json.dumps(known, indent=1) + "\n"
    changed = [path for path, text in new.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        files.write_atomic(path, new[path])
    return changed


def problems(source: Path = SOURCE, release: Path = RELEASE, questions: Path = QUESTIONS) -> list[str]:
    """The problems of the stored student versions, as sentences."""
    sources, released = _notebooks(source), _notebooks(release)
    known = _read_questions(questions)
    messages = [f"{name} is released but has no source" for name in released if name not in sources]
    for name, path in sources.items():
        notebook = nbformat.read(path, as_version=4)
        if name not in known:
            messages.append(f"{name} is not in {questions.name}; run release")
        else:
            messages += _changed_questions(name, notebook, known, retire=False)
        if name not in released:
            messages.append(f"{name} is not released")
            continue
        student = nbformat.read(released[name], as_version=4)
        messages += (f"{name}: {leak}" for leak in leaks(notebook, student))
        try:
            if released[name].read_text(encoding="utf-8") != _written(name, notebook):
                messages.append(f"{name} is out of date; run release")
        except ReleaseError as reason:
            messages.append(str(reason))
    return messages


def leaks(source: NotebookNode, student: NotebookNode) -> Iterator[str]:
    """Lines of solutions and hidden tests, outputs and foreign metadata in a student version, as sentences."""
    everything = "\n".join(_strings(student))
    public = "\n".join(_public(source))
    for part, line in secrets(source):
        if everything.count(line) > public.count(line):
            yield f"a line of {part} is in the release: {line!r}"
    for number, cell in enumerate(student.cells):
        nbgrader = cell.metadata.get("nbgrader", {})
        if cell.get("outputs") or cell.get("execution_count"):
            yield f"cell {number} of the release has outputs"
        foreign = (set(cell.metadata) - set(_CELL_METADATA)) | (set(nbgrader) - _NBGRADER_METADATA)
        if foreign:
            yield f"cell {number} of the release has unexpected metadata: {', '.join(sorted(foreign))}"
        if nbgrader.get("solution") and cell.get("attachments"):
            yield f"cell {number} of the release contains an image of the answer"
    foreign = set(student.metadata) - set(_NOTEBOOK_METADATA)
    if foreign:
        yield f"the release has unexpected metadata: {', '.join(sorted(foreign))}"


def secrets(source: NotebookNode) -> Iterator[tuple[str, str]]:
    """Pairs of part and stripped line for every line of a solution or hidden test, except for very short lines.

    A line may also occur outside the markers; :func:`leaks` compares the counts.
    """
    for cell in source.cells:
        nbgrader = cell.metadata.get("nbgrader", {})
        for part, line in _marked(cell):
            if part and len(re.sub(r"\W", "", line)) >= _SHORTEST_SECRET:
                yield f"the {part} of {nbgrader.get('grade_id', 'a cell')!r}", line.strip()


def public_tests(source: str) -> str:
    """A test cell's source without its hidden part."""
    return "\n".join(line for part, line in _parts(source) if not part and not _MARK.search(line))


_MARK = re.compile(r"### (BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)")


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of region and line; the region is ``solution``, ``hidden tests``, ``mark scheme`` or empty."""
    inside = ""
    for line in text.splitlines():
        mark = _MARK.search(line)
        if mark:
            inside = mark[2].lower() if mark[1] == "BEGIN" else ""
        yield (inside if not mark else ""), line


def _marked(cell: NotebookNode) -> Iterator[tuple[str, str]]:
    lines = list(_parts(cell.source))
    whole = cell.metadata.get("nbgrader", {}).get("solution") and "### BEGIN SOLUTION" not in cell.source
    for part, line in lines:
        yield ("solution" if whole else part), line


def _public(source: NotebookNode) -> Iterator[str]:
    for cell in source.cells:
        yield from (line for part, line in _marked(cell) if not part)


def _strings(value: Any) -> Iterator[str]:
    """All strings of a notebook: sources, outputs, keys and values of metadata, attachments."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _notebooks(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*/*.ipynb")) if path.stem == path.parent.name}


def _written(name: str, notebook: NotebookNode) -> str:
    try:
        parse(name, notebook)
        return nbformat.writes(student_version(notebook)) + "\n"
    except Exception as error:  # nbgrader raises bare RuntimeErrors and its own ValidationError
        raise ReleaseError(f"{name}: {error}") from error


def _read_questions(path: Path) -> dict[str, dict]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _points(notebook: NotebookNode) -> dict[str, float]:
    cells = (cell.metadata.get("nbgrader") for cell in notebook.cells)
    return {metadata["grade_id"]: float(metadata.get("points", 0)) for metadata in cells if metadata}


def _recorded(notebook: NotebookNode, before: dict | None) -> dict[str, dict[str, float]]:
    now = _points(notebook)
    before = before or {"questions": {}, "retired": {}}
    removed = {name: points for name, points in before["questions"].items() if name not in now}
    return {"questions": now, "retired": before["retired"] | removed}


def _changed_questions(name: str, notebook: NotebookNode, known: dict[str, dict], retire: bool) -> Iterator[str]:
    if name not in known:
        return
    before, now = known[name], _points(notebook)
    for question in now:
        if question in before["retired"]:
            yield f"{name}: the id {question!r} belonged to a retired question; choose another"
    if retire:
        return
    for question, points in before["questions"].items():
        if question not in now:
            yield f"{name}: the question {question!r} was released and is missing; restore it, or release with --retire"
        elif now[question] != points:
            yield (
                f"{name}: {question!r} was released with {points:g} points and has {now[question]:g} now; "
                "restore them, or release with --retire"
            )
    for question in now:
        if question not in before["questions"] and question not in before["retired"]:
            yield f"{name}: the question {question!r} is new in a released homework; release with --retire"

"""Every check of notebooks fails for the faults that it is meant to detect."""

import copy
import http.server
import os
import shutil
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.__main__ import DRIFT, NBVAL, OTHER_MACHINE
from tests.tools import lint
from tests.tools.offline import namespace, run
from tests.tools.refresh import ENVIRONMENT, NOTEBOOKS, ROOT, refresh

FIGURE = """
@live("Squares", top=Slider(1, 9, 4), sign=Toggle(False))
def squares(top, sign):
    values = [n * n * (-1 if sign else 1) for n in range(top + 1)]
    return [lines(values, title="Squares", x="number", y="square")], f"The largest square is {values[-1]}."
"""
IMPORTS = "from helpers import Slider, Toggle, lines, live"
DEAD = FIGURE.replace("range(top + 1)", "range(5)")
LATE = FIGURE.replace("    values", "    assert top < 9, 'too far'\n    values")
MUTE = FIGURE.replace("{values[-1]}", "big")
EMPTY = FIGURE.replace('f"The largest square is {values[-1]}."', '"" if sign else f"The largest is {values[-1]}."')


def store(folder: Path, name: str, *sources: str, tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    """A small notebook, executed and stored as a lesson is; ``tags`` are those of its last cell."""
    path = folder / f"{name}.ipynb"
    cells = [new_code_cell(source) for source in sources]
    cells[-1].metadata.tags = list(tags)
    nbformat.write(new_notebook(cells=cells), path)
    refresh(path)
    return nbformat.read(path, as_version=4)


def nbval(
    folder: Path, *more: str, command: list[str] = NBVAL, environment: dict[str, str] | None = None
) -> dict[str, str]:
    """Run one of the course's own nbval commands over a folder: notebook → what failed in it."""
    report = folder / "report.xml"
    subprocess.run(
        [*command, *more, f"--junitxml={report}", str(folder)],
        cwd=ROOT, env=os.environ | ENVIRONMENT | (environment or {}), capture_output=True,
    )  # fmt: skip
    failed: dict[str, str] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = case.get("classname", "").removesuffix(".ipynb").split(".")[-1]
        failed.setdefault(name, "")
        for problem in case.findall("failure") + case.findall("error"):
            failed[name] += problem.get("message", "") + (problem.text or "")
    return failed


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One nbval run over a sound notebook and one notebook a fault."""
    folder = tmp_path_factory.mktemp("faults")
    sound = store(folder, "sound", "print('seven is', 7)", "6 * 7", IMPORTS, FIGURE)
    faulty = {"Dead": DEAD, "Late": LATE, "Mute": MUTE, "Empty": EMPTY}
    store(folder, "figures", IMPORTS, *(code.replace('"Squares"', f'"{title}"', 1) for title, code in faulty.items()))

    store(folder, "greedy", "size = len(b'x' * 700_000_000)")

    fails = ("import torch", "torch.nn.Embedding(4, 3)(torch.tensor([12]))")
    store(folder, "unfolded", *fails, tags=("raises-exception",))
    store(folder, "folded", IMPORTS, *fails, tags=("raises-exception",))

    def spoil(name: str, change) -> None:
        spoilt = copy.deepcopy(sound)
        change(spoilt.cells)
        nbformat.write(spoilt, folder / f"{name}.ipynb")

    def set_output(cells, place, **new):
        cells[place].outputs[0].update(new)

    spoil("number", lambda cells: set_output(cells, 0, text="seven is 8\n"))
    spoil("result", lambda cells: set_output(cells, 1, data={"text/plain": "43"}))
    spoil("dropped", lambda cells: cells[0].outputs.clear())
    spoil("sentence", lambda cells: cells[3].outputs[0].data.update({"text/plain": "The largest square is 25."}))
    return nbval(folder)


def test_a_sound_notebook_passes(outcome: dict[str, str]) -> None:
    assert outcome["sound"] == outcome["folded"] == ""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("figures", "'Dead': top never changes the picture"),
        ("figures", "'Late' at {'top': 9, 'sign': False}: AssertionError: too far"),
        ("figures", "'Mute': sign never changes the sentence"),
        ("figures", "'Empty' at {'top': 1, 'sign': True}: TypeError: 'Empty' must return a sentence"),
        ("greedy", "600 at most"),
        ("unfolded", "a traceback of"),
        ("number", "seven is 8"),
        ("result", "43"),
        ("dropped", "Unexpected output fields from running code: {'stdout'}"),
        ("sentence", "The largest square is 25."),
    ],
)
def test_nbval_and_the_control_sweep_catch(outcome: dict[str, str], fault: str, message: str) -> None:
    assert message in outcome[fault]


def test_the_mutation_check_catches_a_greedy_sanitizer(tmp_path: Path) -> None:
    store(tmp_path, "sound", "print('seven is', 7)")
    greedy = tmp_path / "greedy.cfg"
    greedy.write_text("[numbers]\nregex: \\d+\nreplace: N\n")
    failed = nbval(tmp_path, f"--nbval-sanitize-with={greedy}")
    assert "7 + 1 at 9 would not be noticed" in failed["sound"]


@pytest.fixture
def download():
    """The address of a small file on this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"data")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()


def test_drift_catches_what_depends_on_the_machine(tmp_path: Path, download: str) -> None:
    """Threads, processor, hash seed and network at once; also with a nbval that counts cells from 1 (its issue 171)."""
    fetch = f"import urllib.request\nprint('fetched', urllib.request.urlopen({download!r}, timeout=5).read())"
    store(
        tmp_path, "machine", "import torch\ntorch.set_num_threads(1)", "print('threads', torch.get_num_threads())",
        "print('processor', torch.backends.cpu.get_cpu_capability())", fetch,
        "print(list({'the', 'cat', 'sat', 'on', 'a', 'mat'}))", "print('sound', torch.arange(3), sorted({'b', 'a'}))",
    )  # fmt: skip
    assert nbval(tmp_path) == {"machine": ""}, "on the machine that stored it, it passes"
    shutil.copy(tmp_path / "machine.ipynb", tmp_path / "from_1.ipynb")
    renumber = "def pytest_itemcollected(item):\n    item.cell_num += 'from_1' in item.nodeid\n"
    (tmp_path / "conftest.py").write_text(renumber)
    outcome = nbval(tmp_path, command=DRIFT, environment=OTHER_MACHINE)
    assert outcome.keys() == {"machine", "from_1"}
    for failed in outcome.values():
        assert "threads 2" in failed and "processor DEFAULT" in failed and "print(list({" in failed
        if namespace() is not None:  # without one a guard lets the loopback through: it is tested below
            assert "URLError" in failed
        assert "print('sound'" not in failed


@pytest.mark.parametrize("force_guard", [True, False])
def test_offline_runs_have_no_network(force_guard: bool, capfd: pytest.CaptureFixture) -> None:
    for call in ("socket.create_connection(('192.0.2.1', 80), 2)", "socket.getaddrinfo('example.org', 80)"):
        assert run([sys.executable, "-c", f"import socket\n{call}"], force_guard) != 0
        assert "OSError" in (trace := capfd.readouterr().err) or "gaierror" in trace, trace
        if force_guard:
            assert "the network is off" in trace


def test_a_run_without_nbval_fails(tmp_path: Path) -> None:
    store(tmp_path, "sound", "print(1)")
    base = [part for part in NBVAL if part != "--nbval"]
    for command, code in (([*base, "tests/unit/test_controls.py"], 1), ([*NBVAL, str(tmp_path)], 0)):
        done = subprocess.run([*command, f"--expect-notebooks={tmp_path}"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stdout
        assert ("not every notebook and cell was run" in done.stdout) == bool(code)


LESSON = NOTEBOOKS / "01_word_embeddings.ipynb"


def _first(notebook, wanted):
    return next(cell for cell in notebook.cells if wanted(cell))


def _printing(notebook):
    return _first(notebook, lambda cell: cell.cell_type == "code" and cell.outputs and "text" in cell.outputs[0])


def _figure(notebook):
    return _first(notebook, lambda cell: "@live(" in cell.source)


def _set(cell, **new):
    cell.update(new)


def _print(notebook, text, **more):
    _printing(notebook).outputs[0].update(text=text, **more)


def _tag(notebook, tag):
    _printing(notebook).metadata["tags"] = [tag]


def _say(text):
    return lambda notebook: notebook.cells.insert(3, new_markdown_cell(text))


def _code_cell(text):
    return lambda notebook: _set(_printing(notebook), source=text)


def _swap(notebook):
    first, second = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    first.execution_count, second.execution_count = 2, 1


def _replace(old, new):
    def spoil(notebook):
        cell = _first(notebook, lambda cell: old in cell.source)
        cell.source = cell.source.replace(old, new)

    return spoil


def _no_alt(notebook):
    data = _figure(notebook).outputs[0].data
    data["text/html"] = data["text/html"].replace('alt="', 'alt="" title="')


def _seed_changed(notebook):
    cell = _first(notebook, lambda cell: "num_embeddings=10000: vocabulary" in cell.source)
    cell.outputs[0].text = cell.outputs[0].text.replace("7,680,000", "7,680,001")


FAULTS = {
    "a cell that never ran": (lambda n: _set(_printing(n), execution_count=None, outputs=[]), "not executed once each"),
    "cells out of order": (_swap, "not executed once each"),
    "a printed line that wraps": (lambda n: _print(n, "x" * 101), "more than 100 characters"),
    "stored stderr": (lambda n: _print(n, "warning", name="stderr"), "stores stderr"),
    "an address": (lambda n: _print(n, "<object at 0x7f35fce46350>"), "prints an address"),
    "a path": (lambda n: _print(n, "saved to /home/me/table.pt"), "a path of a machine"),
    "a long decimal": (lambda n: _print(n, "0.123456"), "a long decimal"),
    "a time": (lambda n: _print(n, "done at 12:30:15"), "a time of day"),
    "a misspelt tag": (lambda n: _tag(n, "raises_exception"), "no tag is called"),
    "an ignored output": (lambda n: _tag(n, "nbval-ignore-output"), "only the version cell"),
    "a stale error tag": (lambda n: _tag(n, "raises-exception"), "go together"),
    "a lost picture": (lambda n: _figure(n).outputs.clear(), "1 figures, 0 stored stills"),
    "a picture without alt": (_no_alt, "a picture that is no still"),
    "an image without alt": (_say("![](picture.png)"), "an image without alt text"),
    "a broken link": (_say("See [lesson 99](99_nothing.ipynb)."), "leads nowhere"),
    "a long cell": (_code_cell("x = 1\n" * 21), "21 lines, at most 20"),
    "a long line": (_code_cell("x = " + "1" * 97), "a line of 101 characters, at most 100"),
    "an essay": (_say("word " * 121), "121 words, at most 120"),
    "belittling": (_say("This is obviously easy."), "belittles"),
    "a marker comment": (_code_cell("1 + 1  # NBVAL_IGNORE_OUTPUT"), "a marker comment"),
    "a semicolon": (_code_cell("print(1);"), "a trailing semicolon"),
    "pyplot": (_code_cell("import matplotlib.pyplot as plt"), "pyplot"),
    "a global seed": (_code_cell("torch.manual_seed(0)"), "a global seed"),
    "a timestamp": (lambda n: _printing(n).metadata.update(execution={"iopub.status.busy": "t"}), "not in normal form"),
    "a wrong time": (_replace("**Time:** ", "**Time:** 9"), "and computes to"),
    "no word on Run All": (_replace("*Run → Run All Cells*", "Start"), "and *Run → Run All Cells*"),
    "no time": (_replace("**Time:** ", "**Time:** about "), "the first cell says **Time:**"),
    "a lesson that is too long": (_replace("**Time:** ", "**Time:** 9"), "minutes are more than 60"),
    "an optional section": (_replace("## Predict", "## Predict *(optional, 30 minutes)*"), "computes to"),
    "a changed original": (_seed_changed, "original lines to the letter"),
    "no original": (
        lambda n: _set(_first(n, lambda c: "10000: v" in c.source), source="1"),
        "not there",
    ),
    "no recall": (lambda n: n.cells.remove(_first(n, lambda c: c.source.startswith("recall("))), "three recall"),
    "no way on": (lambda n: _set(n.cells[-1], source="The end."), r"links to **Next:**"),
    "a hint without its exercise": (_replace("<summary>Hint: ", "<summary>Hint: of "), "called after their exercise"),
    "no hint": (lambda n: n.cells.remove(_first(n, lambda c: "<summary>Hint" in c.source)), "a hint and an answer"),
}


HOMEWORK = NOTEBOOKS / "homework/source/hw1_word_embeddings/hw1_word_embeddings.ipynb"


def _graded(notebook, grade_id):
    return _first(notebook, lambda cell: cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def _mark(grade_id, /, **new):
    return lambda notebook: _graded(notebook, grade_id).metadata.nbgrader.update(new)


def _box(notebook):
    return _first(notebook, lambda cell: cell.source.startswith("> **Question 1"))


def _written(notebook):
    return _first(
        notebook, lambda cell: cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("grade")
    )


HOMEWORK_FAULTS = {
    "two cells of one id": (_mark("test_lookup", grade_id="hidden_lookup"), "two cells are called 'hidden_lookup'"),
    "an answer called like nothing": (_mark("lookup", grade_id="question 3"), "must be called like the name"),
    "a test without points": (_mark("test_lookup", points=0), "'test_lookup' is worth nothing"),
    "points that differ": (_mark("test_lookup", points=7), "the boxes promise"),
    "a box without a clock": (lambda n: _set(_box(n), source="> **Question 1 – encode**"), "is not '> **Question 1"),
    "no written question": (lambda n: n.cells.remove(_written(n)), "one written question, this has 0"),
    "a long decimal": (lambda n: _print(n, "0.123456"), "a long decimal"),
    "a long line in a test": (
        lambda n: _set(_graded(n, "test_lookup"), source="x = " + "1" * 97),
        "a line of 101 characters, at most 100",
    ),
}


@pytest.mark.parametrize("path", [LESSON, HOMEWORK], ids=lambda path: path.stem)
def test_a_sound_lesson_passes_the_lint(path: Path) -> None:
    assert lint.lint(path) == []


@pytest.mark.parametrize(
    ("path", "fault"), [(LESSON, name) for name in FAULTS] + [(HOMEWORK, name) for name in HOMEWORK_FAULTS]
)
def test_lint_catches(path: Path, fault: str) -> None:
    spoil, message = (FAULTS if path == LESSON else HOMEWORK_FAULTS)[fault]
    notebook = nbformat.read(path, as_version=4)
    spoil(notebook)
    assert any(message in problem for problem in lint.lint(path, notebook)), lint.lint(path, notebook)

"""A notebook whose visible checks are all right gets all visible points, or a line for the instructor with the reason.

A notebook is run by a real kernel, as "Restart and Run All" does, and handed in with the outputs that it has then. All
tests share one kernel, because it takes seconds to start, each with an empty namespace and a folder of its own. Where
other tests show what the checks say, their lines are stored instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.grading import judge
from helpers.grading.course import Course
from helpers.grading.sandbox.host import Sandbox
from tests.tools import homework
from tests.tools.homework import answer_cell, find, graded_cell, hidden_cell, setup_cell, text_cell, written_cell
from tests.tools.refresh import ENVIRONMENT

NAME = "hw0_agreement"
SETUP = "import torch\nfrom helpers.homework import examine, examine_value, fails, own_numbers"
PROMPT = "> **Question 5 – why** · ●○○ · 5 minutes · 1 point\n\nWhy is it so?"
DOUBLE = "def double(x):\n    return 2 * x"
IDS = "def ids(words):\n    return {word: i for i, word in enumerate(words)}"
HUNT = "def test_add(add):\n    assert add(torch.ones(2))[0] == 2"
OWN = 'size = sum(own_numbers(learner_id, "size", (1, 10**6)))'
AUTHOR = homework.homework(
    [
        text_cell("title", "# Agreement"),
        setup_cell(SETUP),
        answer_cell("learner_id", 'learner_id = "reference"'),
        answer_cell("double", DOUBLE),
        graded_cell("test_double", 1, 'table = torch.ones(3)\nexamine("double", double, [((table,), 2 * table)])'),
        answer_cell("ids", IDS),
        graded_cell("test_ids", 1, 'examine("ids", ids, [((["b", "a"],), {"b": 0, "a": 1})])'),
        answer_cell("test_add", HUNT),
        graded_cell(
            "test_test_add",
            1,
            "def add(x):\n    return x + 1\n\ncaught = [fails(test_add, wrong) for wrong in (add, torch.clone)]\n"
            'examine_value("test_add", caught, [False, True], mistakes={"it rejects a right function": [True, True]})',
        ),
        answer_cell("size", OWN),
        graded_cell("test_size", 1, f'examine_value("size", size, {OWN.partition(" = ")[2]})'),
        text_cell("q5", PROMPT),
        written_cell("why", 1, "Because."),
        hidden_cell("hidden_double", 1, "assert double(2) == 4"),
    ]
)
VISIBLE = ["test_double", "test_ids", "test_test_add", "test_size"]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    with Course(tmp_path_factory.mktemp("agreement") / "course") as course:
        course.prepare(homework.write(course.folder.with_name("authors"), NAME, AUTHOR))
        yield course


@pytest.fixture(scope="module")
def kernel() -> Iterator[NotebookClient]:
    client = NotebookClient(new_notebook(), timeout=120, kernel_name="python3", allow_errors=True)
    with client.setup_kernel(env=os.environ | ENVIRONMENT):
        yield client


class Learner:
    """Answers, runs and hands in; the answers are right unless others are given.

    Attributes:
        notebook: the learner's copy.
        claims: whether all visible checks are right in the notebook as it is handed in.
        lost: ids of the visible tests that failed.
        lines: what the instructor is told.
    """

    def __init__(self, course: Course, kernel: NotebookClient, sandbox: Sandbox, folder: Path):
        self.course, self.kernel, self.sandbox, self.folder = course, kernel, sandbox, folder
        release = nbformat.read(course.folder / "release" / NAME / f"{NAME}.ipynb", as_version=4)
        right = {"learner_id": 'learner_id = "ada"', "double": DOUBLE, "ids": IDS, "test_add": HUNT, "size": OWN}
        self.notebook = homework.answered(release, right | {"why": "Because."})
        self.claims = False
        self.lost: list[str] = []
        self.lines: tuple[str, ...] = ()

    def change(self, grade_id: str, source: str) -> None:
        find(self.notebook, grade_id).source = source

    def insert(self, grade_id: str, cell: NotebookNode, offset: int = 0) -> None:
        """Put a cell of the learner's own before the one with this id, or ``offset`` cells further down."""
        index = self.notebook.cells.index(find(self.notebook, grade_id))
        self.notebook.cells.insert(index + offset, cell)

    def run_all(self) -> None:
        """Run all cells, whether the checks are right or not."""
        self.kernel.nb = self.notebook
        for index, cell in enumerate([new_code_cell(f"%reset -f\n%cd -q {self.folder}"), *self.notebook.cells]):
            self.kernel.execute_cell(cell, index - 1)

    def run(self) -> None:
        """Run all cells: every visible check must be right."""
        self.run_all()
        self.claims = True
        for name in VISIBLE:
            outputs = find(self.notebook, name).outputs
            assert outputs and outputs[0].get("text", "").startswith("Right ✓"), (name, outputs)

    def pretend_to_run(self) -> None:
        """Store what a kernel with other packages, or another version of Python, would print."""
        for name in VISIBLE:
            text = f"Right ✓ {name.removeprefix('test_')}\n"
            find(self.notebook, name).outputs = [new_output("stream", name="stdout", text=text)]
        self.claims = True

    def hand_in(self) -> judge.Graded:
        """Have it graded, and check the invariant."""
        assignment = self.course.prepare(self.course.folder.with_name("authors") / NAME / f"{NAME}.ipynb").assignment
        homework.hand_in(self.course.folder, "ada", self.notebook, NAME)
        submission = self.course.submission(NAME, "ada")
        graded = judge.grade(assignment, submission.notebook, "ada", self.sandbox)
        self.course.store(submission, graded)
        self.lost = [name for name in VISIBLE if not graded.tests[name].passed]
        self.lines = self.course.records(NAME)["ada"].attention
        for name in self.lost if self.claims else ():
            assert any(
                line.startswith(f"{name} was right in the notebook and failed in grading: ") for line in self.lines
            )
        return graded


@pytest.fixture
def learner(course: Course, kernel: NotebookClient, sandbox: Sandbox, tmp_path: Path) -> Learner:
    return Learner(course, kernel, sandbox, tmp_path)


def test_right_answers_get_all_points_without_lines_for_the_instructor(learner: Learner) -> None:
    learner.run()
    assert all(verdict.passed for verdict in learner.hand_in().tests.values())
    assert (learner.lost, learner.lines) == ([], ())


LINES = """%matplotlib inline
%matplotlib notebook
%pylab inline --no-import-all
%config InlineBackend.figure_format = 'retina'
%load_ext autoreload
%autoreload 2
%autoreload 0
!pip --version
%pip --version
!ls
%ls
%run script.py
%mkdir results
files = !ls
text = !!ls
%env COURSE=embeddings
%timeit -n 1 -r 1 1 + 1
%cd ."""


def test_magics_and_shell_lines_do_not_affect_the_rest_of_a_cell(learner: Learner) -> None:
    (learner.folder / "script.py").write_text("print('a script of the learner')\n")
    lines = LINES.replace("text = !!ls\n", "").splitlines()
    for number, line in enumerate(lines):
        learner.insert("double", new_code_cell(f"{line}\ndef helper_{number}(x):\n    return x"))
    for _ in range(2):
        for program in ("bash", "sh"):
            learner.insert("double", new_code_cell(f"%%{program}\nls"))
    used = "".join(f"helper_{number}(" for number in range(len(lines)))
    learner.change("double", f"def double(x):\n    return 2 * {used}x{')' * len(lines)}")
    learner.run()
    graded = learner.hand_in()
    assert (learner.lost, learner.lines) == ([], ())
    printed = "".join(output.get("text", "") for outputs in graded.outputs.values() for output in outputs)
    assert all(f"skipped while grading: {line}" in printed for line in ("!ls", "%%bash", "%%sh", "%run script.py"))


@pytest.mark.parametrize("line", ["%matplotlib widget", "%pylab widget", "%lprun -f len len('')", "%conda list"])
def test_magics_of_packages_that_are_not_installed_are_skipped(line: str, learner: Learner) -> None:
    learner.change("double", f"{line}\n{DOUBLE}")
    learner.pretend_to_run()
    learner.hand_in()
    assert (learner.lost, learner.lines) == ([], ())


def test_a_magic_that_runs_code_raises_what_the_code_raises(learner: Learner) -> None:
    (learner.folder / "script.py").write_text("print('a script of the learner')\n")
    learner.insert("double", new_code_cell("%time 1 / 0\nlater = 1"))
    learner.run()
    learner.hand_in()
    assert learner.lines == ("cell 3 raised ZeroDivisionError: division by zero",)


def test_names_defined_in_test_cells_are_not_available(learner: Learner) -> None:
    """Test cells do not run in the learner's process; their names are missing there."""
    learner.change("ids", f"{IDS}\nprint(table)")
    learner.change("test_add", "def test_add(add):\n    assert add(table)[0] == 2")
    learner.run()
    learner.hand_in()
    assert learner.lost == ["test_test_add"]
    assert learner.lines == (
        "test_test_add was right in the notebook and failed in grading: Wrong ✗ test_add: it rejects a right function",
        "cell 5 raised NameError: name 'table' is not defined",
    )


def test_names_added_to_the_locked_set_up_cell_are_defined(learner: Learner) -> None:
    learner.change("setup", f"{SETUP}\nimport numpy as np\n\ndef twice(x):\n    return 2 * np.asarray(x)")
    learner.change("double", "def double(x):\n    return torch.tensor(twice(x))")
    learner.run()
    learner.hand_in()
    assert learner.lost == []
    assert learner.lines == ("the locked cell setup was changed; the released version runs first, then the learner's",)


def test_a_set_up_cell_without_its_lines_is_restored(learner: Learner) -> None:
    learner.change("setup", "raise SystemExit")
    learner.pretend_to_run()
    learner.hand_in()
    assert learner.lost == []
    assert "cell 2 raised SystemExit" in learner.lines[1]


def test_a_changed_test_cell_is_restored(learner: Learner) -> None:
    learner.change("double", "def double(x):\n    return 3 * x")
    learner.change("test_double", 'print("Right ✓ double")')
    learner.run()
    learner.hand_in()
    assert learner.lost == ["test_double"]
    assert learner.lines[1] == "the locked cell test_double was changed; the released version counts"


def test_a_learners_test_may_use_pytest(learner: Learner) -> None:
    source = """import pytest

def test_add(add):
    with pytest.raises(IndexError):
        add(torch.ones(2))[2]
    if add(torch.ones(2))[0] != 2:
        pytest.fail("it is not added")"""
    learner.change("test_add", source)
    learner.run()
    learner.hand_in()
    assert (learner.lost, learner.lines) == ([], ())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("assert add(torch.ones(3 * 2**20))[0] == 2", "it rejects a right function"),
        ("assert len(add(torch.ones(60_000)).tolist()) == 60_000\n    assert add(torch.ones(2))[0] == 2", ""),
        ("x = torch.ones(2, requires_grad=True)\n    add(x).sum().backward()\n    assert add(x)[0] == 2", "rejects"),
    ],
    ids=["12 MB", "60,000 numbers", "gradients"],
)
def test_arguments_of_learners_tests_are_limited(body: str, reason: str, learner: Learner) -> None:
    learner.change("test_add", f"def test_add(add):\n    {body}")
    learner.run()
    learner.hand_in()
    assert learner.lost == (["test_test_add"] if reason else [])
    assert any(reason in line for line in learner.lines) or not reason


@pytest.mark.parametrize("place", ["below", "above", "raw", "below its stub"])
def test_a_written_answer_in_another_cell_is_moved(place: str, learner: Learner) -> None:
    stub = "*Write your answer here.*"
    answer = "Because the weights say so."
    learner.change("why", f"{stub}\n\n{answer}" if place == "below its stub" else stub)
    if place == "raw":
        learner.insert("why", nbformat.v4.new_raw_cell(answer), 1)
    elif place != "below its stub":
        learner.insert("why", new_markdown_cell(answer), 1 if place == "below" else 0)
    learner.pretend_to_run()
    learner.hand_in()
    stored = nbformat.read(learner.course.folder / "autograded" / "ada" / NAME / f"{NAME}.ipynb", as_version=4)
    assert answer in find(stored, "why").source and PROMPT not in find(stored, "why").source
    assert learner.course.count_waiting_for_manual_grade(NAME) == 1
    moved = "why was empty; text of another cell was moved there: check whether it is the answer"
    assert learner.lines == (() if place == "below its stub" else (moved,))


def test_an_unanswered_written_question_is_not_reported(learner: Learner) -> None:
    learner.change("why", "*Write your answer here.*")
    learner.pretend_to_run()
    learner.hand_in()
    assert learner.lines == () and learner.course.count_waiting_for_manual_grade(NAME) == 0


@pytest.mark.parametrize(("typed", "line"), [('"eve"', "learner_id is 'eve'"), ('""', "learner_id is empty")])
def test_another_learner_id_is_reported(typed: str, line: str, learner: Learner) -> None:
    learner.change("learner_id", f"learner_id = {typed}")
    learner.pretend_to_run()
    learner.hand_in()
    assert learner.lost == [] and len(learner.lines) == 1 and learner.lines[0].startswith(line)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\n\ndef ids(words):\n    return {w: i for i, w in enumerate(np.array(words))}",
        "import numpy as np\n\ndef ids(words):\n    return dict(zip(np.array(words), np.arange(len(words))))",
        "from collections import OrderedDict\n\ndef ids(words):\n    return OrderedDict(zip(words, range(len(words))))",
        "def ids(words):\n    return {w: torch.tensor(i) for i, w in enumerate(words)}",
        "class Ids:\n    def __call__(self, words):\n        return dict(zip(words, range(len(words))))\n\nids = Ids()",
    ],
)
def test_values_of_other_types_are_accepted(source: str, learner: Learner) -> None:
    learner.change("ids", source)
    learner.pretend_to_run()
    learner.hand_in()
    assert (learner.lost, learner.lines) == ([], ())


def test_syntax_of_a_newer_python_is_reported(learner: Learner) -> None:
    """Here by a statement that no Python can read."""
    learner.change("double", "lazy import math\n" + DOUBLE)
    learner.pretend_to_run()
    learner.hand_in()
    assert learner.lost == ["test_double"]
    assert learner.lines[0].endswith("Not attempted – double")
    assert "cell 3 raised SyntaxError" in learner.lines[1] and "(the grader has Python 3." in learner.lines[1]


def test_checks_that_were_wrong_in_the_notebook_are_not_reported(learner: Learner) -> None:
    learner.change("double", "def double(x):\n    return 3 * x")
    learner.run_all()
    learner.hand_in()
    assert learner.lost == ["test_double"] and learner.lines == ()

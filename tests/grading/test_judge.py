"""Grading a single submission in the sandbox."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from helpers.grading.assignment import Assignment, Cell
from helpers.grading.judge import Graded, GraderBroken, Limits, Sandbox, Verdict, grade

SETUP = """import torch
from helpers.homework import examine, examine_value, fails, hidden, own_numbers, same"""
QUICK = Limits(cell_seconds=4, call_seconds=2, total_seconds=60, memory=400 * 2**20)


def assignment(tests: Mapping[str, str], *answers: str, setup: str = SETUP) -> Assignment:
    cells = [Cell("setup", "setup", setup), *(Cell(name, "answer", "") for name in answers)]
    return Assignment("hw8", (*cells, *(Cell(name, "test", source, 1.0) for name, source in tests.items())))


def hide(body: str) -> str:
    return f"# more\n### BEGIN HIDDEN TESTS\n{body}\n### END HIDDEN TESTS"


def notebook(*sources: str) -> dict:
    """A sanitised submission: the setup cell, then others."""
    setup = {"cell_type": "code", "source": "raise SystemExit", "metadata": {"nbgrader": {"grade_id": "setup"}}}
    return {"cells": [setup, *({"cell_type": "code", "source": source, "metadata": {}} for source in sources)]}


def judge(
    sandbox: Sandbox, tests: Mapping[str, str], submission: Mapping[str, str], *more: str, **options: Any
) -> Graded:
    """Grade one cell for each answer, and more cells after them."""
    homework = assignment(tests, *submission, setup=options.pop("setup", SETUP))
    learner = options.pop("learner", "bob")
    return grade(homework, notebook(*submission.values(), *more), learner, sandbox, options.pop("limits", QUICK))


def points(graded: Graded) -> str:
    return "".join("✓" if verdict.passed else "✗" for verdict in graded.tests.values())


def test_messages_of_visible_tests_are_those_that_learners_see(sandbox: Sandbox) -> None:
    tests = {"test_f": "examine('f', f, [((2,), 4)], mistakes={'that is a square': [5]}, right='so it is')"}
    messages = {
        "def f(x):\n    return 2 * x": "Right ✓ f – so it is",
        "def f(x):\n    return 5": "Wrong ✗ f: that is a square",
        "def f(x):\n    return 6": "Wrong ✗ f: value 6 is not the expected number",
        "f = ...": "Not attempted – f",
        "def f(x):\n    ...": "Not attempted – f",
        "f = 3": "Wrong ✗ f: expected a function, got 3; pass the function itself, without calling it",
        "def f(x):\n    raise KeyError('k')": "Wrong ✗ f: it raised KeyError: 'k'",
        "class Mine(ValueError):\n    pass\ndef f(x):\n    raise Mine('no')": "Wrong ✗ f: it raised Mine: no",
        "def f(x):\n    return {1}": "Wrong ✗ f: expected an integer, got a set",
        "def f(x):\n    return ...": "Not attempted – f",
        "def f(x):\n    return [{1}]": "Wrong ✗ f: it raised TypeError: the returned value cannot be graded: "
        "a set cannot be encoded",
    }
    for code, message in messages.items():
        verdict = judge(sandbox, tests, {"f": code}).tests["test_f"]
        assert (verdict.message, verdict.passed) == (message, message.startswith("Right ✓"))


def test_answers_may_be_values_functions_or_other_objects(sandbox: Sandbox) -> None:
    tests = {
        "test_a": "assert same(a, torch.ones(2)) and type(a) is torch.Tensor",
        "test_b": "assert b == [1, (2.5, None)]",
        "test_c": "assert type(c).__name__ == 'Odd' and not callable(c)",
        "test_d": "assert d is ...",
        "test_e": "assert callable(e) and e(3, by=2) == 6 and e.__name__ == 'e'",
    }
    answers = {
        "a": "a = torch.ones(2)",
        "b": "b = [1, (2.5, None)]",
        "c": "class Odd:\n    pass\nc = Odd()",
        "d": "pass",
        "e": "class Net(torch.nn.Module):\n    def forward(self, x, by):\n        return x * by\ne = Net()",
    }
    assert points(judge(sandbox, tests, answers)) == "✓✓✓✓✓"


def test_nbgrader_execution_is_set_for_the_tests_only(sandbox: Sandbox) -> None:
    code = "import os\ndef f():\n    return 'NBGRADER_EXECUTION' in os.environ"
    tests = {"test_f": "import os\nassert not f() and os.environ['NBGRADER_EXECUTION']"}
    assert points(judge(sandbox, tests, {"f": code})) == "✓"


def test_individual_numbers_are_derived_from_the_typed_id(sandbox: Sandbox) -> None:
    """Another id than that of the roster, or none, is reported to the instructor and loses no points."""
    tests = {"test_n": "examine_value('n', n, sum(own_numbers(learner_id, 'n', (1, 10**9))))"}
    code = "from helpers.homework import own_numbers\nn = own_numbers(learner_id, 'n', (1, 10**9))[0]"
    empty = "learner_id is empty; questions with individual numbers are graded for an empty id"
    for typed, attention in {
        "learner_id = ' bob  b'": (),
        "learner_id = 'eve'": ("learner_id is 'eve' in the notebook and 'Bob B' in the roster",),
        "learner_id = 7": ("learner_id is '7' in the notebook and 'Bob B' in the roster",),
        "learner_id = ...": (empty,),
        "learner_id = lambda: 0": (empty,),
    }.items():
        graded = judge(sandbox, tests, {"learner_id": typed, "n": code}, learner="Bob B")
        assert (points(graded), graded.attention) == ("✓", attention)
        copied = code.replace("learner_id", "'a neighbour'")
        assert points(judge(sandbox, tests, {"learner_id": typed, "n": copied}, learner="Bob B")) == "✗"


HUNT = {
    "test_test_f": """def right(x):
    return x + 1
test_f(right)
assert fails(test_f, lambda x: x), "your test passes on a wrong function"
print("caught")""",
    "hidden_test_f": hide("""def secret_variant(x):
    return x + 1 if x < 5 else x
hidden({"a variant": lambda: fails(test_f, secret_variant)})"""),
}


def test_a_learners_test_is_run_on_hidden_implementations(sandbox: Sandbox) -> None:
    good = "def test_f(f):\n    assert f(1) == 2\n    assert f(9) == 10, 'large'"
    weak = "def test_f(f):\n    assert f(1) == 2"
    blind = "def test_f(f):\n    pass"
    wrong = "def test_f(f):\n    assert f(1) == 3"
    assert [points(judge(sandbox, HUNT, {"test_f": code})) for code in (good, weak, blind, wrong)] == [
        "✓✓",
        "✓✗",
        "✗✗",
        "✗✓",
    ]


def test_a_handle_gives_access_to_its_function_only(sandbox: Sandbox) -> None:
    """Functions passed to an answer expose no internals, and cannot be called after the call has ended."""
    code = """kept = []
def test_f(f):
    try:
        internals = [f.__code__.co_consts, f.__globals__.keys(), f.__closure__]
        print(internals)
    except Exception:
        pass
    kept.append(f)
    if len(kept) > 1:
        assert kept[0] is not f
    assert f(1) == 2
    assert f(9) == 10
    raise AssertionError(str(internals))"""
    graded = judge(sandbox, HUNT, {"test_f": code})
    assert "secret_variant" not in json.dumps(graded.as_dict())
    tests = {
        "test_f": "f(lambda: 1)",
        "test_g": "assert fails(g), 'called after its time'",
    }
    answers = {"f": "kept = []\ndef f(x):\n    kept.append(x)\n    assert x() == 1", "g": "def g():\n    kept[0]()"}
    assert points(judge(sandbox, tests, answers)) == "✓✓"


def test_an_authors_function_may_be_called_with_any_arguments(sandbox: Sandbox) -> None:
    """Hostile arguments affect only the test that passed the function."""
    tests = {
        "test_f": "def table(n):\n    return torch.ones(n, n).sum()\nf(table)",
        "test_g": "assert g() == 1",
    }
    for attack in ("x(10**6)", "x('no')", "x([[0] * 10**5])", "[x(n) for n in range(10**9)]", "x(x)", "x()"):
        answers = {"f": f"def f(x):\n    {attack}", "g": "def g():\n    return 1"}
        assert points(judge(sandbox, tests, answers)) == "✗✓", attack
    forever = {"test_f": "import time\ndef wait():\n    time.sleep(60)\nf(wait)", "test_g": "assert g() == 1"}
    graded = judge(sandbox, forever, {"f": "def f(x):\n    x()", "g": "def g():\n    return 1"})
    assert points(graded) == "✗✓"


def test_unlimited_recursion_between_answer_and_test_is_stopped(sandbox: Sandbox) -> None:
    tests = {"test_f": "def mine(n):\n    return f(mine, n + 1)\nmine(0)", "test_g": "assert g() == 1"}
    answers = {"f": "def f(x, n):\n    return x(n)", "g": "def g():\n    return 1"}
    graded = judge(sandbox, tests, answers)
    assert points(graded) == "✗✓"
    assert "RecursionError" in graded.tests["test_f"].message


def test_changed_arguments_are_visible_to_visible_tests_only(sandbox: Sandbox) -> None:
    code = "def f(x):\n    x.zero_()\n    return x.clone()"
    tests = {
        "test_f": "examine('f', f, [((torch.zeros(2),), torch.zeros(2)), ((torch.ones(2),), torch.zeros(2))])",
        "hidden_f": hide("x = torch.ones(3)\nhidden({'doubled': lambda: same(f(x), 2 * x)})"),
    }
    graded = judge(sandbox, tests, {"f": code})
    assert points(graded) == "✗✗"
    assert "changed its input (argument 1)" in graded.tests["test_f"].message
    for argument, change in {"[1, 2]": "x.append(3)", "{'a': 1}": "x.clear()", "np.ones(2)": "x += 1"}.items():
        tests = {"test_f": f"import numpy as np\nx = {argument}\nf(x)\nassert str(x) != str({argument})"}
        assert points(judge(sandbox, tests, {"f": f"def f(x):\n    {change}"})) == "✓", argument


def test_messages_of_hidden_tests_contain_only_their_names(sandbox: Sandbox) -> None:
    tests = {
        "hidden_f": hide("print('the secret')\nhidden({'one': lambda: f(1) == 1, 'two': lambda: f(2) == 'secret'})"),
        "hidden_g": hide("value = g('secret')\nhidden({'three': lambda: value == 1})"),
        "hidden_h": hide("raise ValueError('secret')"),
        "hidden_i": hide("print('the secret')\nhidden({'four': lambda: f(1) == 1})"),
    }
    answers = {"f": "def f(x):\n    return x", "g": "def g(x):\n    raise AssertionError('hidden tests failed: ' + x)"}
    graded = judge(sandbox, tests, answers)
    assert "secret" not in json.dumps(graded.as_dict())
    assert points(graded) == "✗✗✗✓"
    assert [verdict.message for verdict in graded.tests.values()] == [
        "hidden tests failed: two",
        "hidden tests failed",
        "hidden tests failed",
        "Right ✓ hidden: four",
    ]


def test_visible_tests_run_first_and_share_names(sandbox: Sandbox) -> None:
    tests = {
        "hidden_f": hide("hidden({'later': lambda: f(data) == 2})"),
        "test_f": "data = helper(2)\nassert f(data) == 1",
    }
    answers = {"f": "calls = []\ndef f(x):\n    calls.append(x)\n    return len(calls)"}
    graded = judge(sandbox, tests, answers, setup=SETUP + "\ndef helper(n):\n    return [0] * n")
    assert list(graded.tests) == ["hidden_f", "test_f"]
    assert points(graded) == "✓✓"


def test_a_process_that_ends_affects_its_own_question_only(sandbox: Sandbox) -> None:
    """After each death, the cells that ran before are run again, without the one that ended the process."""
    tests = {
        "test_f": "assert fails(f)",
        "test_g": "assert g() == 7",
        "test_h": "assert fails(h)",
        "test_i": "assert i() == 7",
    }
    answers = {
        "f": "import os\ndef f():\n    os._exit(1)",
        "g": "state = 7\ndef g():\n    return state",
        "h": "def h():\n    while True: pass",
        "i": "def i():\n    return state",
    }
    graded = judge(sandbox, tests, answers, "os._exit(1)", "print('after')")
    assert points(graded) == "✓✓✓✓"
    assert graded.outputs[5][-1]["evalue"] == "this cell ended the process"
    assert graded.outputs[6] == [{"output_type": "stream", "name": "stdout", "text": "after\n"}]
    assert {"cell 5 ended the process", "f ended the process", "h ran longer than 2 s"} <= set(graded.attention)


def test_time_and_restarts_are_limited(sandbox: Sandbox) -> None:
    limits = Limits(cell_seconds=1, call_seconds=1, total_seconds=4, restarts=3)
    graded = judge(
        sandbox, {"test_f": "f()"}, {"f": "def f(): pass"}, *["import time\ntime.sleep(60)"] * 40, limits=limits
    )
    assert points(graded) == "✗"
    assert len(graded.attention) <= 31
    assert any("used up its time" in line or "too often" in line for line in graded.attention)


def test_no_test_is_started_after_the_deadline(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Remaining tests fail at once, without a new session."""
    started: list[float] = []
    session = Sandbox.session

    def counted(self: Sandbox, *arguments: Any, **options: Any) -> Any:
        started.append(time.monotonic())
        return session(self, *arguments, **options)

    monkeypatch.setattr(Sandbox, "session", counted)
    tests = {f"test_{i}": f"assert f({i}) == 1" for i in range(30)}
    limits = Limits(cell_seconds=20, call_seconds=4, total_seconds=5)
    begin = time.monotonic()
    code = {"f": "import time\ndef f(i):\n    time.sleep(0.9)\n    return 1"}
    graded = judge(sandbox, tests, code, limits=limits)
    assert points(graded).endswith("✗" * 24)
    assert max(started) < begin + 5 and len(started) <= 2
    (line,) = [line for line in graded.attention if "used up its time" in line]
    assert "tests (test_" in line
    assert graded.tests["test_29"].message == "the test was not run: the submission used up its time"


def test_the_total_size_of_answers_and_outputs_is_limited(sandbox: Sandbox) -> None:
    """A submission can forge what its answers are, and print in any number of cells."""
    forge = "import codec\ncodec.dumps = lambda *a, **k: b'\"' + b'x' * (15 * 2**20) + b'\"'"
    answers = {"f0": f"f0 = 0\n{forge}", **{f"f{i}": f"f{i} = {i}" for i in range(1, 14)}, "g": "def g(): return 1"}
    prints = ["print('y' * 150_000)"] * 50
    tracemalloc.start()
    graded = judge(sandbox, {"test_f": "f13", "test_g": "assert g() == 1"}, answers, *prints)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * 2**20
    assert sum(len(str(outputs)) for outputs in graded.outputs.values()) < 5_000_000
    assert sum("is too large" in line for line in graded.attention) >= 11


LIBRARY = "from helpers.positions import frequencies\ndef f(n):\n    return frequencies(n).tolist()"


def test_the_library_can_be_imported_only_if_the_homework_does(sandbox: Sandbox) -> None:
    tests = {"test_f": "from helpers.positions import frequencies\nassert f(4) == frequencies(4).tolist()"}
    graded = judge(sandbox, tests, {"f": LIBRARY})
    assert points(graded) == "✗"
    assert "helpers.positions is not available while a homework is graded" in json.dumps(graded.outputs)
    assert points(judge(sandbox, tests, {"f": LIBRARY}, setup=f"{SETUP}\nimport helpers.positions")) == "✓"
    own = "def f(n):\n    return [10_000 ** (-2 * i / n) for i in range(n // 2)]"
    assert points(judge(sandbox, tests, {"f": own})) == "✓"


def test_withheld_modules_cannot_be_read(sandbox: Sandbox) -> None:
    """Neither from files, nor from compiled files, nor from memory; figures and checks are available."""
    look = """import gc, glob, importlib, types
found = []
for name in ("attention", "geometry", "positions", "training", "tasks", "exercises.lesson03"):
    try:
        found.append(importlib.import_module(f"helpers.{name}"))
    except ImportError:
        pass
for path in glob.glob("**/*.py*", root_dir="/course", recursive=True):
    found += [path] * (b"def rope_angles" in open(f"/course/{path}", "rb").read())
found += [o for o in gc.get_objects() if isinstance(o, types.CodeType) and o.co_name == "rope_angles"]
from helpers import check, heatmap
print("found", found)"""
    graded = judge(sandbox, {"test_f": "assert f() == 1"}, {"f": "def f(): return 1"}, look, limits=Limits())
    assert graded.outputs[2] == [{"output_type": "stream", "name": "stdout", "text": "found []\n"}]


BUG_HUNT = {
    "check_test_f": """found = rejections(test_f, [lambda x: x, lambda x: 0 * x], [f, reference("f")])
assert found == ([True, True], [False, False]), str(found)""",
    "hidden_test_f": hide("""def strange_name(x):
    return x + 1 if x < 5 else x
hidden({
    "rejects large": lambda: fails(test_f, strange_name),
    "accepts a sum": lambda: not fails(test_f, lambda x: sum([x, 1])),
    "rejects two": lambda: fails(test_f, lambda x: x + 2),
})"""),
}
GOOD_TEST = "def test_f(implementation):\n    assert implementation(1) == 2\n    assert implementation(9) == 10"


def hunt(sandbox: Sandbox, test: str, function: str = "def f(x):\n    return x + 1") -> Graded:
    """Grade a learner's test, and the function that the learner corrected."""
    setup = f"{SETUP}\nfrom helpers.homework import reference, rejections"
    homework = assignment(BUG_HUNT, "test_f", "f", setup=setup)
    cells = [Cell("f", "answer", "def f(x):\n    return 1 + x") if cell.id == "f" else cell for cell in homework.cells]
    homework = Assignment("hw8", tuple(cells))
    return grade(homework, notebook(test, function), "bob", sandbox, QUICK)


def test_a_good_learners_test_gets_all_points(sandbox: Sandbox) -> None:
    assert points(hunt(sandbox, GOOD_TEST)) == "✓✓"
    assert (
        points(hunt(sandbox, GOOD_TEST, "def f(x):\n    return x")) == "✗✓"
    )  # it rejects a wrong function of one's own


@pytest.mark.parametrize("looks", ["", "try:\n        implementation(1)\n    except Exception:\n        pass\n    "])
@pytest.mark.parametrize("accepted", [{3, 4, 5}, {4, 5}, {1, 4, 5, 7}, set(range(4, 100)), set(range(0, 100, 2))])
def test_a_learners_test_that_counts_its_calls_gets_no_points(sandbox: Sandbox, looks: str, accepted: set[int]) -> None:
    counts = f"n = 0\ndef test_f(implementation):\n    global n\n    n += 1\n    {looks}assert n in {accepted}"
    assert points(hunt(sandbox, counts)) == "✗✗"


@pytest.mark.parametrize("says", ["assert implementation(1, 2, 3) == 'mine'", "assert implementation(0) == 'mine'"])
def test_a_signal_between_answer_and_learners_test_gets_no_points(sandbox: Sandbox, says: str) -> None:
    sign = "def f(x, *more):\n    return 'mine' if more or not x else x + 1"
    assert points(hunt(sandbox, f"def test_f(implementation):\n    {says}", sign)) == "✗✗"


@pytest.mark.parametrize("call", ["()", "(1, 2, 3, 4)", "(x=1)", "(y=1)"])
def test_errors_do_not_identify_the_implementation(sandbox: Sandbox, call: str) -> None:
    kept = f"""said = set()
def test_f(implementation):
    try:
        implementation{call}
    except Exception as error:
        said.add(f"{{type(error).__name__}} {{error}} {{implementation.__name__}}")
    assert implementation(1) == 2 and implementation(9) == 10, said
def show():
    return sorted(said)"""
    setup = f"{SETUP}\nfrom helpers.homework import reference, rejections"
    tests = {**BUG_HUNT, "test_show": "said = show()\nassert len(said) == 1 and 'strange' not in said[0], said"}
    homework = assignment(tests, "test_f", "f", "show", setup=setup)
    cells = [Cell("f", "answer", "def f(x):\n    return 1 + x") if cell.id == "f" else cell for cell in homework.cells]
    submission = notebook(kept, "def f(y):\n    return y + 1")
    # Only visible tests tell what they found; the hidden one must have run before.
    order = sorted(cells, key=lambda cell: cell.id == "test_show")
    shown = [replace(cell, source=cell.source.replace("HIDDEN TESTS", "TESTS")) for cell in order]
    graded = grade(Assignment("hw8", tuple(shown)), submission, "bob", sandbox, QUICK)
    assert graded.tests["test_show"] == Verdict(True, ""), graded.tests


def test_from_dict_inverts_as_dict(sandbox: Sandbox) -> None:
    graded = judge(
        sandbox, {"test_f": "assert f() == 1"}, {"f": "def f(): return 1"}, "1 / 0", "import os; os._exit(1)"
    )
    assert graded.outputs[2][0]["ename"] == "ZeroDivisionError" and "cell 3 ended the process" in graded.attention
    assert Graded.from_dict(json.loads(json.dumps(graded.as_dict()))) == graded


def test_errors_in_the_authors_cells_are_reported(sandbox: Sandbox) -> None:
    answers = {"f": "def f(): return 1"}
    with pytest.raises(GraderBroken, match="setup.*no_such_module"):
        judge(sandbox, {"test_f": "f()"}, answers, setup="import no_such_module")
    graded = judge(
        sandbox, {"test_f": "no_such_name", "test_g": "import os\nos._exit(1)", "test_h": "assert f()"}, answers
    )
    assert points(graded) == "✗✗✓"
    assert "test_f ended with NameError instead of a verdict; check the test" in graded.attention
    assert "test_g ended the process; check the test" in graded.attention


def test_the_setup_of_the_author_runs_in_place_of_the_learners(sandbox: Sandbox) -> None:
    cells = notebook("def f():\n    return helper()")
    homework = assignment({"test_f": "assert f() == 3"}, "f", setup="def helper():\n    return 3")
    graded = grade(homework, cells, "bob", sandbox)
    assert points(graded) == "✓"
    assert graded.outputs[0] == []

"""What a submission's answers are worth, whatever else it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from helpers.grading.assignment import Assignment, Cell
from helpers.grading.judge import Graded, GraderBroken, Limits, Sandbox, grade
from tests.grading.test_hostile import available

SETUP = """import torch
from helpers.homework import examine, examine_value, fails, hidden, own_numbers, same"""
QUICK = Limits(cell_seconds=4, call_seconds=2, total_seconds=60, memory=400 * 2**20)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    available()
    with Sandbox(warm=True) as sandbox:
        yield sandbox


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
    tests = {"test_f": "examine('f', f, [((2,), 4)], says={'that is a square': [5]}, right='so it is')"}
    told = {
        "def f(x):\n    return 2 * x": "Right ✓ f – so it is",
        "def f(x):\n    return 5": "Wrong ✗ f: that is a square",
        "def f(x):\n    return 6": "Wrong ✗ f: value 6 is not the expected number",
        "f = ...": "Not attempted – f",
        "def f(x):\n    ...": "Not attempted – f",
        "f = 3": "Wrong ✗ f: a function is asked for, but this is 3; pass the function itself, without calling it",
        "def f(x):\n    raise KeyError('k')": "Wrong ✗ f: it raised KeyError: 'k'",
        "class Mine(ValueError):\n    pass\ndef f(x):\n    raise Mine('no')": "Wrong ✗ f: it raised Mine: no",
        "def f(x):\n    return {1}": "Wrong ✗ f: expected a whole number, got a set",
        "def f(x):\n    return ...": "Not attempted – f",
        "def f(x):\n    return [{1}]": "Wrong ✗ f: it raised TypeError: what it returned cannot be graded: "
        "a set cannot be handed over",
    }
    for code, message in told.items():
        verdict = judge(sandbox, tests, {"f": code}).tests["test_f"]
        assert (verdict.message, verdict.passed) == (message, message.startswith("Right ✓"))


def test_values_functions_and_other_things(sandbox: Sandbox) -> None:
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


def test_grading_is_known_to_the_tests_only(sandbox: Sandbox) -> None:
    """Also the roster's id is; whoever typed another one, or none, is told to a human."""
    code = "import os\ndef f():\n    return 'NBGRADER_EXECUTION' in os.environ"
    tests = {"test_f": "import os\nassert not f() and os.environ['NBGRADER_EXECUTION'] and learner_id == 'Bob B'"}
    for typed, attention in {
        "learner_id = ' bob  b'": (),
        "learner_id = 'eve'": ("learner_id says 'eve', the roster 'Bob B'",),
        "learner_id = ...": ("learner_id is not filled in",),
        "learner_id = lambda: 0": ("learner_id is not filled in",),
    }.items():
        graded = judge(sandbox, tests, {"learner_id": typed, "f": code}, learner="Bob B")
        assert points(graded) == "✓"
        assert tuple(line for line in graded.attention if "learner_id" in line) == attention


def test_numbers_of_ones_own(sandbox: Sandbox) -> None:
    tests = {"test_n": "examine_value('n', n, sum(own_numbers(learner_id, 'n', (1, 10**9))))"}
    code = "from helpers.homework import own_numbers\nn = own_numbers(learner_id, 'n', (1, 10**9))[0]"
    assert points(judge(sandbox, tests, {"learner_id": "learner_id = 'bob'", "n": code})) == "✓"
    assert points(judge(sandbox, tests, {"learner_id": "learner_id = 'eve'", "n": code})) == "✗"


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


def test_a_learners_test_is_tried_on_functions_that_it_does_not_see(sandbox: Sandbox) -> None:
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


def test_a_handle_opens_nothing_else(sandbox: Sandbox) -> None:
    """The functions handed over show neither code nor neighbours, and are dead after the call."""
    code = """kept = []
def test_f(f):
    try:
        told = [f.__code__.co_consts, f.__globals__.keys(), f.__closure__]
        print(told)
    except Exception:
        pass
    kept.append(f)
    if len(kept) > 1:
        assert kept[0] is not f
    assert f(1) == 2
    assert f(9) == 10
    raise AssertionError(str(told))"""
    graded = judge(sandbox, HUNT, {"test_f": code})
    assert "secret_variant" not in json.dumps(graded.as_dict())
    tests = {
        "test_f": "f(lambda: 1)",
        "test_g": "assert fails(g), 'called after its time'",
    }
    answers = {"f": "kept = []\ndef f(x):\n    kept.append(x)\n    assert x() == 1", "g": "def g():\n    kept[0]()"}
    assert points(judge(sandbox, tests, answers)) == "✓✓"


def test_an_authors_function_is_called_with_anything(sandbox: Sandbox) -> None:
    """Hostile arguments cost the test that handed the function over, and no other."""
    tests = {
        "test_f": "def table(n):\n    return torch.ones(n, n).sum()\nf(table)",
        "test_g": "assert g() == 1",
    }
    for attack in ("x(10**6)", "x('no')", "x([[0] * 10**5])", "[x(n) for n in range(10**9)]", "x(x)", "x()"):
        answers = {"f": f"def f(x):\n    {attack}", "g": "def g():\n    return 1"}
        assert points(judge(sandbox, tests, answers)) == "✗✓", attack
    forever = {"test_f": "def wait():\n    while True: pass\nf(wait)", "test_g": "assert g() == 1"}
    graded = judge(sandbox, forever, {"f": "def f(x):\n    x()", "g": "def g():\n    return 1"})
    assert points(graded) == "✗✓"


def test_functions_that_call_each_other_without_end(sandbox: Sandbox) -> None:
    tests = {"test_f": "def mine(n):\n    return f(mine, n + 1)\nmine(0)", "test_g": "assert g() == 1"}
    answers = {"f": "def f(x, n):\n    return x(n)", "g": "def g():\n    return 1"}
    graded = judge(sandbox, tests, answers)
    assert points(graded) == "✗✓"
    assert "RecursionError" in graded.tests["test_f"].message


def test_a_changed_input_is_seen_where_it_helps_and_not_where_it_cheats(sandbox: Sandbox) -> None:
    code = "def f(x):\n    x.zero_()\n    return x.clone()"
    tests = {
        "test_f": "examine('f', f, [((torch.zeros(2),), torch.zeros(2)), ((torch.ones(2),), torch.zeros(2))])",
        "hidden_f": hide("x = torch.ones(3)\nhidden({'doubled': lambda: same(f(x), 2 * x)})"),
    }
    graded = judge(sandbox, tests, {"f": code})
    assert points(graded) == "✗✗"
    assert "changed its input (argument 1)" in graded.tests["test_f"].message
    for argument, change in {"[1, 2]": "x.append(3)", "{'a': 1}": "x.clear()", "np.ones(2)": "x += 1"}.items():
        seen = {"test_f": f"import numpy as np\nx = {argument}\nf(x)\nassert str(x) != str({argument})"}
        assert points(judge(sandbox, seen, {"f": f"def f(x):\n    {change}"})) == "✓", argument


def test_hidden_tests_tell_their_names_only(sandbox: Sandbox) -> None:
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


def test_what_ends_a_process_costs_its_own_question(sandbox: Sandbox) -> None:
    """Cells that ran before are run again, once for each death, without the one that killed."""
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


def test_there_is_an_end_to_everything(sandbox: Sandbox) -> None:
    limits = Limits(cell_seconds=1, call_seconds=1, total_seconds=4, restarts=3)
    graded = judge(sandbox, {"test_f": "f()"}, {"f": "def f(): pass"}, *["while True: pass"] * 40, limits=limits)
    assert points(graded) == "✗"
    assert len(graded.attention) <= 31
    assert any("used up its time" in line or "too often" in line for line in graded.attention)


def test_a_result_survives_json(sandbox: Sandbox) -> None:
    graded = judge(
        sandbox, {"test_f": "assert f() == 1"}, {"f": "def f(): return 1"}, "1 / 0", "import os; os._exit(1)"
    )
    assert graded.outputs[2][0]["ename"] == "ZeroDivisionError" and "cell 3 ended the process" in graded.attention
    assert Graded.from_dict(json.loads(json.dumps(graded.as_dict()))) == graded


def test_an_author_who_errs_gives_no_zeros(sandbox: Sandbox) -> None:
    answers = {"f": "def f(): return 1"}
    with pytest.raises(GraderBroken, match="setup.*no_such_module"):
        judge(sandbox, {"test_f": "f()"}, answers, setup="import no_such_module")
    graded = judge(
        sandbox, {"test_f": "no_such_name", "test_g": "import os\nos._exit(1)", "test_h": "assert f()"}, answers
    )
    assert points(graded) == "✗✗✓"
    assert "test_f ended in NameError, not in a verdict: look at it" in graded.attention
    assert "test_g ended the process: look at this test" in graded.attention


def test_the_setup_of_the_author_runs_in_place_of_the_learners(sandbox: Sandbox) -> None:
    cells = notebook("def f():\n    return helper()")
    homework = assignment({"test_f": "assert f() == 3"}, "f", setup="def helper():\n    return 3")
    graded = grade(homework, cells, "bob", sandbox)
    assert points(graded) == "✓"
    assert graded.outputs[0] == []

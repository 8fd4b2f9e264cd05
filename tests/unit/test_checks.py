"""Checks of answers: printed lines, reasons, and robustness against any answer."""

import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from helpers.exercises import check as checks
from helpers.exercises import registry
from helpers.exercises.check import Verdict, check, is_stub, judge
from helpers.exercises.comparison import Agreement, difference
from helpers.exercises.exercise import Exercise, Mistake

VALUE = Exercise("99.value", torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), right="a fact")
DOUBLE = Exercise(
    "99.double",
    lambda x: 2 * x,
    cases=[(torch.tensor([1.0, 2.0]),), (torch.zeros(3),)],
    mistakes=[Mistake(lambda x: x + 2, "you add two"), Mistake(lambda x: x**2, "you square")],
    raises=[((torch.zeros(0),), ValueError, "an empty tensor must be refused")],
)


def double(x):
    if x.numel() == 0:
        raise ValueError("empty")
    return x * 2


@pytest.fixture
def verdict(monkeypatch, capsys):
    monkeypatch.setattr(registry, "EXERCISES", {each.id: each for each in (VALUE, DOUBLE)})

    def ask(name, answer):
        check(f"99.{name}", answer)
        printed = capsys.readouterr().out
        assert printed.endswith("\n") and printed.count("\n") == 1
        return printed.strip()

    return ask


def test_right_wrong_and_not_attempted(verdict) -> None:
    assert verdict("value", VALUE.reference.clone()) == "Right ✓ value – a fact"
    assert verdict("value", None) == verdict("value", ...) == "Not attempted – value"
    assert verdict("double", double) == "Right ✓ double"
    assert verdict("double", lambda x: None) == "Not attempted – double"

    def stub(x):
        raise NotImplementedError

    assert verdict("double", stub) == "Not attempted – double"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (torch.ones(3, 2), "shape (3, 2), expected (2, 3)"),
        (torch.ones(2, 3, dtype=torch.bool), "dtype bool, expected float32"),
        (torch.tensor([[1.0, 2, 3], [4, 5, 7]]), "value at [1, 2]: 7, expected 6"),
        (torch.full((2, 3), math.nan), "value at [0, 0] is NaN, expected 1"),
        ([[1, 2, 3], [4, 5, 7]], "value at [1, 2]: 7, expected 6"),
        ([[1, 2, 3], [4, 5]], "expected a tensor of shape (2, 3), got [[1, 2, 3], [4, 5]]"),
        ("text", "expected a tensor of shape (2, 3), got 'text'"),
        (double, "expected a value, got the function double"),
    ],
)
def test_the_reason_names_the_difference(verdict, answer, reason: str) -> None:
    assert verdict("value", answer).startswith(f"Wrong ✗ value: {reason}")


def test_misconceptions_are_named(verdict) -> None:
    assert verdict("double", lambda x: x + 2) == "Wrong ✗ double: you add two"
    assert verdict("double", lambda x: x * x) == "Wrong ✗ double: you square"
    assert verdict("double", lambda x: 2 * x) == "Wrong ✗ double: an empty tensor must be refused"
    assert "pass the function itself" in verdict("double", torch.ones(2))


def broken(x):
    return x.undefined_name


def in_place(x):
    if x.numel() == 0:
        raise ValueError("empty")
    return x.mul_(2)


def endless():
    while True:
        yield 1


class Hostile:
    def __eq__(self, other):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


def deep(x):
    return deep(x)


def leave(x):
    raise SystemExit(3)


def test_an_error_in_an_answer_is_reported_with_its_line(verdict) -> None:
    line = verdict("double", broken)
    assert "AttributeError" in line and "return x.undefined_name" in line
    assert "RecursionError" in verdict("double", deep)
    assert "SystemExit" in verdict("double", leave)
    assert "changed its input (argument 1)" in verdict("double", in_place)
    assert verdict("double", lambda: 1).startswith("Wrong ✗ double: it raised TypeError")


@pytest.mark.parametrize(
    "answer",
    [
        Hostile(),
        [Hostile()],
        float("nan"),
        float("inf"),
        10**10_000,
        "x" * 10**6,
        b"\xff",
        object,
        endless(),
        {1: Hostile()},
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_a_check_never_raises_an_exception(verdict, answer) -> None:
    for given_answer in (answer, lambda x: answer):
        for name in ("value", "double"):
            line = verdict(name, given_answer)
            assert line.startswith("Wrong ✗ ") and len(line) < 600


def test_an_answer_may_print(capsys, monkeypatch) -> None:
    monkeypatch.setattr(registry, "EXERCISES", {DOUBLE.id: DOUBLE})

    def talkative(x):
        print("here")
        return double(x)

    check("99.double", talkative)
    assert capsys.readouterr().out.splitlines()[-1] == "Right ✓ double"


def test_an_unknown_exercise_raises_a_key_error() -> None:
    with pytest.raises(KeyError, match="no exercise '99.nothing'"):
        check("99.nothing", 1)


def test_checks_raise_errors_only_while_grading(monkeypatch, capsys) -> None:
    monkeypatch.setattr(registry, "EXERCISES", {VALUE.id: VALUE})
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    check("99.value", VALUE.reference)
    for wrong in (None, 1):
        with pytest.raises(AssertionError):
            check("99.value", wrong)


_PLAIN = st.recursive(
    st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(_PLAIN)
def test_a_value_never_differs_from_itself(value) -> None:
    assert difference(value, value) == ""


@given(_PLAIN, _PLAIN)
def test_agreement_of_plain_values_is_equality(one, other) -> None:
    if difference(one, other, 0.0) == "":
        assert one == other


@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=6), st.integers(0, 5))
def test_one_changed_number_is_found(values, place) -> None:
    right = torch.tensor(values)
    wrong = right.clone()
    wrong[place % len(values)] += 1
    assert difference(right.clone(), right) == ""
    assert f"value at [{place % len(values)}]" in difference(wrong, right)


def test_numbers_and_tensors_without_dimensions_are_equal() -> None:
    assert difference(3, torch.tensor(3)) == "" and difference(torch.tensor(2.5), 2.5) == ""
    assert difference(True, 1) != "" and difference(1, True) != ""
    assert difference(torch.Size([2, 3]), (2, 3)) == ""
    assert difference(float("nan"), float("nan")) == "" and difference(1.0, float("nan")) != ""


def test_a_check_that_accepts_everything_is_detected(monkeypatch) -> None:
    monkeypatch.setattr(checks, "compare", lambda *_, **__: Agreement(""))
    assert judge(DOUBLE, lambda x: x + 2).text != "you add two"


def test_a_function_that_returns_none_gets_a_message(verdict, capsys) -> None:
    def prints(x):
        print(2 * x)

    def forgets(x):
        x = 2 * x

    def sometimes(x):
        if x.any():
            return 2 * x

    judged = [judge(DOUBLE, answer) for answer in (prints, forgets, sometimes)]
    assert [each.status for each in judged] == ["wrong"] * 3
    assert judged[0].text.startswith("your function prints and returns None")
    assert judged[1].text.startswith("your function returns None") and "(test case 2 of 2)" in judged[2].text
    assert "tensor" in capsys.readouterr().out  # what a learner prints is not swallowed


def test_a_body_of_a_docstring_is_a_stub() -> None:
    def documented(x):
        """(d,) → (d,)."""

    def ellipsis(x):
        """(d,) → (d,)."""
        ...

    assert is_stub(documented) and is_stub(ellipsis) and is_stub(lambda x: None)
    assert not is_stub(double) and not is_stub(broken) and not is_stub(len) and not is_stub(torch.nn.Identity())


def test_accepted_forms_are_noted_before_the_remark(verdict) -> None:
    line = verdict("value", VALUE.reference.tolist())
    assert line == "Right ✓ value – a list here; later layers need a tensor – a fact"
    noted = judge(DOUBLE, lambda x: double(x).numpy())
    assert noted == Verdict("right", "a numpy array here; later layers need a tensor")


def test_answers_that_raise_are_a_mistake_only_if_it_is_declared() -> None:
    def wrong(x):
        return x @ torch.ones(4, 4)

    undeclared = replace(DOUBLE, mistakes=[Mistake(wrong, "you multiply by a matrix")])
    declared = replace(DOUBLE, mistakes=[Mistake(wrong, "you multiply by a matrix", error="cannot be multiplied")])
    assert judge(undeclared, wrong).text.startswith("it raised RuntimeError")
    assert judge(declared, wrong).text == "you multiply by a matrix"
    assert judge(declared, lambda x: x + torch.ones(7)).text.startswith("it raised RuntimeError")
    assert judge(declared, lambda x: [][0]).text.startswith("it raised IndexError")


def test_a_required_error_must_mention_the_required_texts() -> None:
    def refuses(text):
        def answer(x):
            if not x.numel():
                raise ValueError(text)
            return 2 * x

        return answer

    exercise = replace(DOUBLE, raises=[((torch.zeros(0),), ValueError, "refuse an empty tensor", ("0", "empty"))])
    assert judge(exercise, refuses("0 numbers: empty")).status == "right"
    assert judge(exercise, refuses("0 numbers")).text == "the message of your ValueError does not contain empty"
    assert judge(exercise, lambda x: 2 * x).text == "refuse an empty tensor"


def test_pytest_outcomes_are_treated_as_errors(verdict) -> None:
    assert "it raised Failed: no" in verdict("double", lambda x: pytest.fail("no"))


@pytest.mark.parametrize("source", ["def f(x:\n    return x", "def f(x):\n    return undefined\n\nf(1)"])
def test_an_unattempted_check_reports_an_error_of_the_previous_cell(source: str) -> None:
    shell = InteractiveShell.instance()
    try:
        shell.run_cell(source)
        told = judge(DOUBLE, None)
        assert told.status == "not attempted" and re.match("the cell .* stopped with (Syntax|Name)Error: ", told.text)
        assert judge(DOUBLE, lambda x: ...) == told and judge(DOUBLE, double).status == "right"
        shell.run_cell("1 + 1")
        assert judge(DOUBLE, None) == Verdict("not attempted")
    finally:
        InteractiveShell.clear_instance()


CHOICES = Exercise(
    "99.choices",
    ["cat", "dog", "owl"],
    mistakes=[Mistake(["cow", "dog", "owl"], "a cow is none"), Mistake(["cat", "elk", "ant"], "two are exchanged")],
)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (["cow", "dog", "owl"], "a cow is none"),
        (["Cow ", "dog", "bee"], "a cow is none"),
        (("cow", "elk", "ant"), "a cow is none; two are exchanged"),
        (["cat", "elk", "owl"], "item 1: 'elk' is not the expected string"),
        (["cow", "dog"], "2 items, expected 3"),
        ([{1}, "elk", "ant"], "two are exchanged"),
    ],
)
def test_every_mistake_in_an_answer_of_several_choices_is_reported(answer: list | tuple, says: str) -> None:
    assert judge(CHOICES, answer) == Verdict("wrong", says)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (["B", "A"], ""),
        (["A"], "B is missing"),
        (["c", "A"], "B is missing; C is right"),
        ([], "2 items are missing"),
    ],
)
def test_missing_and_surplus_choices_in_any_order_are_reported(answer: list, says: str) -> None:
    mistakes = [
        Mistake(["A"], "B is missing"),
        Mistake(["A", "B", "C"], "C is right"),
        Mistake([], "2 items are missing"),
    ]
    exercise = Exercise("99.some", ["A", "B"], mistakes=mistakes, any_order=True)
    assert judge(exercise, answer) == Verdict("wrong" if says else "right", says)


def test_dicts_with_other_keys_are_compared_as_a_whole() -> None:
    """Dicts with other keys are compared as a whole."""
    exercise = Exercise("99.numbers", {"a": 1}, mistakes=[Mistake({"a": 2}, "you count from 1")])
    assert judge(exercise, {"a": 2, "b": 3}) == Verdict("wrong", "key 'b' is not expected")

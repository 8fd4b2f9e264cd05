"""Functions for test cells of homeworks: printed lines, errors while grading, and hidden tests."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.homework import examine, examine_value, fails, hidden, own_numbers, plausible, same

EXAMPLES = [((3,), [0, 1, 2]), ((1,), [0])]


def count(n):
    if n < 0:
        raise ValueError("negative")
    return list(range(n))


def from_one(n):
    return list(range(1, n + 1))


def line(capsys, test, *arguments, **options) -> str:
    assert test(*arguments, **options) is None
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and printed.endswith("\n")
    return printed.strip()


def error(monkeypatch, test, *arguments, **options) -> str:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError) as caught:
        test(*arguments, **options)
    monkeypatch.delenv("NBGRADER_EXECUTION")
    return str(caught.value)


# ---------------------------------------------------------------- examine


def test_a_worked_example_is_right_wrong_or_not_attempted(capsys) -> None:
    assert line(capsys, examine, "count", count, EXAMPLES, right="from 0") == "Right ✓ count – from 0"
    assert line(capsys, examine, "count", from_one, EXAMPLES).startswith("Wrong ✗ count: item 0: value 1")
    for stub in (None, ..., lambda n: None, lambda n: ...):
        assert line(capsys, examine, "count", stub, EXAMPLES) == "Not attempted – count"


def test_the_first_example_alone_is_not_enough(capsys) -> None:
    assert "test case 2 of 2" in line(capsys, examine, "count", lambda n: [0, 1, 2], EXAMPLES)


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        ([[1, 2, 3]], from_one),
        ([[1, 2, 3], [1]], from_one),
        ([IndexError], lambda n: [][n]),
        ([lambda got: got[0] == 1], from_one),
        ([[0, 1, 2], lambda got: len(got) == 2], lambda n: list(range(max(n, 2)))),
    ],
)
def test_known_mistakes_may_be_values_errors_or_functions(wrong, answer, capsys) -> None:
    mistakes = {"another mistake": [["x"]], "this mistake": wrong}
    assert line(capsys, examine, "count", answer, EXAMPLES, mistakes=mistakes) == "Wrong ✗ count: this mistake"
    assert line(capsys, examine, "count", count, EXAMPLES, mistakes=mistakes) == "Right ✓ count"


@pytest.mark.parametrize(
    "claim", [lambda got: got[9] == 1, lambda got: 1, lambda got: torch.tensor(True), lambda got: False]
)
def test_predicates_of_mistakes_must_return_true(claim, capsys) -> None:
    assert "this mistake" not in line(capsys, examine, "count", from_one, EXAMPLES, mistakes={"this mistake": [claim]})


def test_an_error_does_not_match_a_value_of_a_mistake(capsys) -> None:
    mistakes = {"this mistake": [lambda got: True]}
    assert "it raised" in line(capsys, examine, "count", lambda n: [][n], EXAMPLES, mistakes=mistakes)


def test_calls_that_must_fail(capsys) -> None:
    raises = [((-1,), ValueError, "a negative n must raise ValueError")]
    assert line(capsys, examine, "count", count, EXAMPLES, raises=raises) == "Right ✓ count"
    silent = line(capsys, examine, "count", lambda n: list(range(n)), EXAMPLES, raises=raises)
    assert silent == "Wrong ✗ count: a negative n must raise ValueError"
    other = line(capsys, examine, "count", lambda n: [n][-(n < 0) * 2] and list(range(n)), EXAMPLES, raises=raises)
    assert other == "Wrong ✗ count: a negative n must raise ValueError (it raised IndexError)"


def test_checks_raise_errors_only_while_grading(monkeypatch) -> None:
    assert error(monkeypatch, examine, "count", from_one, EXAMPLES).startswith("Wrong ✗ count")
    assert "Not attempted –" in error(monkeypatch, examine, "count", ..., EXAMPLES)
    assert "Not attempted –" in error(monkeypatch, plausible, "size", ..., {})
    assert error(monkeypatch, examine_value, "size", 3, 4).startswith("Wrong ✗ size")


# ---------------------------------------------------------------- values


def test_a_value_and_its_known_mistakes(capsys) -> None:
    mistakes = {"you add": 5, "you count bits": 48}
    assert line(capsys, examine_value, "size", 6, 6, mistakes=mistakes, right="2 × 3") == "Right ✓ size – 2 × 3"
    assert line(capsys, examine_value, "size", 48, 6, mistakes=mistakes) == "Wrong ✗ size: you count bits"
    assert line(capsys, examine_value, "size", 7, 6, mistakes=mistakes).startswith("Wrong ✗ size: value 7")
    assert line(capsys, examine_value, "size", ..., 6) == "Not attempted – size"


def test_plausible_checks_the_claims(capsys) -> None:
    claims = {"a whole number is asked for": lambda got: type(got) is int, "it is even": lambda got: got % 2 == 0}
    assert line(capsys, plausible, "size", 6, claims, right="may be") == "Right ✓ size – may be"
    assert line(capsys, plausible, "size", "", claims) == "Wrong ✗ size: a whole number is asked for"
    assert line(capsys, plausible, "size", [6], claims) == "Wrong ✗ size: a whole number is asked for"
    assert line(capsys, plausible, "size", 7, claims) == "Wrong ✗ size: it is even"
    assert line(capsys, plausible, "size", None, claims) == "Not attempted – size"
    assert line(capsys, plausible, "size", {}, {"it is even": lambda got: got % 2 == 0}) == "Wrong ✗ size: it is even"


# ---------------------------------------------------------------- hidden


def test_hidden_tests_print_only_their_names(monkeypatch, capsys) -> None:
    tests = {"fine": lambda: True, "unequal": lambda: False, "broken": lambda: 1 / 0, "nearly": lambda: 1}
    hidden(tests)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "Right ✓ hidden: fine",
        "Wrong ✗ hidden: unequal",
        "Wrong ✗ hidden: broken",
        "Wrong ✗ hidden: nearly",
    ]
    assert error(monkeypatch, hidden, tests) == "hidden tests failed: unequal; broken; nearly"
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    hidden({"fine": lambda: True})
    assert capsys.readouterr().out == "Right ✓ hidden: fine\n"


def test_same_compares_within_a_tolerance() -> None:
    ones = torch.ones(2)
    assert same(ones, ones + 1e-5) and not same(ones, ones + 1e-3) and not same(ones, ones + 1e-5, 0.0)
    assert same(ones, ones.double()) and not same(ones, ones.double(), requires=["dtype"])
    assert not same(ones, torch.ones(1, 2)) and not same(..., ones)
    assert same([1, 2.0], (1, 2.0)) and not same([1, 2], [2, 1]) and not same(None, [1])


def test_fails_detects_errors() -> None:
    assert fails(count, -1) and fails(lambda: 1 / 0)
    assert not fails(count, 3)


# ---------------------------------------------------------------- numbers of one's own


@given(st.text() | st.integers(), st.tuples(st.integers(-50, 50), st.integers(0, 50)))
def test_own_numbers_stay_within_their_ranges_and_the_same(learner, bounds) -> None:
    ranges = [(bounds[0], bounds[0] + bounds[1])] * 5
    numbers = own_numbers(learner, "q", *ranges)
    assert numbers == own_numbers(learner, "q", *ranges)
    assert len(numbers) == 5 and all(low <= number <= high for number, (low, high) in zip(numbers, ranges, strict=True))


def test_own_numbers_differ_between_learners_and_questions() -> None:
    def numbers(learner, question="q"):
        return tuple(own_numbers(learner, question, (0, 10**6), (0, 10**6)))

    learners = [f"learner {i}" for i in range(500)]
    assert len({numbers(learner) for learner in learners}) == 500
    assert numbers("ada") != numbers("ada", "r") and numbers("ada")[0] != numbers("ada")[1]
    assert numbers(" Ada  L ") == numbers("ada l") and numbers(17) == numbers("17")
    assert numbers(...) == numbers(None) == numbers("") != numbers("ada")


def test_all_numbers_of_a_range_occur() -> None:
    assert {own_numbers(i, "q", (3, 6))[0] for i in range(200)} == {3, 4, 5, 6}


def test_own_numbers_are_the_same_in_another_process() -> None:
    code = "from helpers.homework import own_numbers; print(own_numbers('ada', 'q', (0, 10**9)))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(own_numbers("ada", "q", (0, 10**9)))

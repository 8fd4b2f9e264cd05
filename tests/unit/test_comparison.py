"""Comparison by value; the form matters only if an exercise requires it."""

import numpy as np
import pytest
import torch

from helpers.exercises.comparison import compare, difference, unchanged

FLOATS = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
IDS = torch.tensor([3, 0, 2])


@pytest.mark.parametrize(
    "form",
    [
        FLOATS.double(),
        FLOATS.half(),
        FLOATS.bfloat16(),
        FLOATS.numpy(),
        FLOATS.tolist(),
        tuple(map(tuple, FLOATS.tolist())),
        list(FLOATS),
        [[torch.tensor(0.1), np.float32(0.2)], [0.3, 0.4]],
        FLOATS.clone().requires_grad_(),
        FLOATS.to_sparse(),
    ],
    ids=str,
)
def test_floats_of_any_kind_and_container_agree(form) -> None:
    assert difference(form, FLOATS, 1e-9) == ""
    assert difference(FLOATS, form if isinstance(form, torch.Tensor | np.ndarray) else FLOATS, 1e-9) == ""
    wrong = form if isinstance(form, torch.Tensor) else torch.as_tensor(np.array(form, dtype=float))
    assert difference(wrong.to_dense() + 0.1, FLOATS).startswith("value at [0, 0]: 0.2")


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.float32])
def test_integers_of_any_kind_agree(dtype) -> None:
    assert difference(IDS.to(dtype), IDS) == difference(IDS.to(dtype).numpy(), IDS) == ""
    assert difference(IDS.to(dtype) + 1, IDS) == difference((IDS + 1).tolist(), IDS) != ""


def test_only_exact_integers_agree_with_integers() -> None:
    large = torch.tensor([100_000])
    assert difference(torch.tensor([100_001.0]), large) != "" and difference(100_001.0, 100_000) != ""
    assert difference(100_000.0, 100_000) == "" and difference(2.5, 2) != ""


def test_the_tolerance_is_that_of_the_coarser_dtype() -> None:
    exact = torch.tensor([1 / 3], dtype=torch.float64)
    assert difference(exact.half(), exact, 0.0) == difference(exact.half().numpy(), exact, 0.0) == ""
    assert difference(exact + 1e-6, exact, 0.0) != ""
    assert difference(exact.half() + 0.05, exact, 0.0) != ""
    assert difference(torch.tensor([1 / 3]), [1 / 3], 1e-12) == ""


@pytest.mark.parametrize("one", [3, 3.0, np.int32(3), np.float64(3), torch.tensor(3), torch.tensor([3.0]), np.array(3)])
def test_a_number_is_accepted_in_any_form(one) -> None:
    for same in (3, 3.0, torch.tensor(3), torch.tensor(3.0, dtype=torch.float64), np.int64(3)):
        assert difference(one, same) == ""
    for other in (4, 3.1, torch.tensor(2), True, "3", None):
        assert difference(one, other) != ""


@pytest.mark.parametrize("true", [True, np.True_, torch.tensor(True)])
def test_booleans_are_not_numbers(true) -> None:
    assert difference(true, True) == difference(true, torch.tensor(True)) == ""
    assert "" not in (difference(true, False), difference(true, 1), difference(1, True), difference(true, 1.0))
    assert difference(torch.ones(2), torch.ones(2).bool()) == "dtype float32, expected bool"


def test_shapes_must_agree() -> None:
    assert difference(FLOATS.flatten(), FLOATS) == "shape (4,), expected (2, 2)"
    assert difference([[1, 2], [3]], torch.ones(2, 2)).startswith("expected a tensor of shape (2, 2)")
    assert difference([], torch.empty(0, 3)) == "" and difference([1], torch.empty(0, 3)) != ""
    assert difference(torch.ones(1, 3), torch.ones(3)) != "" and difference(torch.ones(2), 1) != ""


def test_lists_tuples_and_arrays_of_the_same_items_agree() -> None:
    for form in ([3, 0, 2], (3, 0, 2), IDS, IDS.numpy(), np.array([3.0, 0, 2]), IDS.int()):
        assert difference(form, [3, 0, 2]) == difference(form, (3, 0, 2)) == ""
        assert difference(form, [3, 0, 1]).startswith("item 2") and difference(form, [3, 0]) != ""
    assert difference(np.array(["a", "b"]), ["a", "b"]) == "" and difference(range(3), [0, 1, 2]) == ""
    assert "no order" in difference({"a", "b"}, ["a", "b"])
    assert difference({"b", "a"}, ["a", "b"], any_order=True) == ""
    assert difference(["b", "a", "a"], ["a", "b", "a"], any_order=True) == ""
    assert difference(["b", "a", "b"], ["a", "b", "a"], any_order=True) != ""


def test_texts_are_compared_exactly_or_without_case() -> None:
    assert difference(np.str_("king"), "king") == "" and difference("King", "king") != ""
    assert difference([" King "], ["king"], ignore_case=True) == ""
    assert difference(["quean"], ["king"], ignore_case=True) != ""
    assert difference({np.str_("king"): 1}, {"king": 1}) == ""


@pytest.mark.parametrize(
    ("got", "expected", "note"),
    [
        (FLOATS.tolist(), FLOATS, "a list here; later layers need a tensor"),
        (FLOATS.numpy(), FLOATS, "a numpy array here; later layers need a tensor"),
        (IDS.double(), IDS, "floats here; only integers can be used as an index"),
        (IDS, [3, 0, 2], "a tensor here; a list is asked for"),
        (torch.tensor([2.0]), 2.0, "a tensor of shape (1,) here; one number is asked for"),
        (torch.tensor([2.0]), torch.tensor(2.0), "shape (1,) here; shape () is asked for"),
    ],
)
def test_accepted_differences_that_matter_later_are_noted(got, expected, note: str) -> None:
    assert compare(got, expected).notes == (note,)


@pytest.mark.parametrize(("got", "expected"), [(FLOATS.double(), FLOATS), (IDS.int(), IDS), ((3, 0), [3, 0]), (1, 1.0)])
def test_irrelevant_differences_are_not_noted(got, expected) -> None:
    assert compare(got, expected).reason == "" and compare(got, expected).notes == ()


def test_required_properties_must_agree() -> None:
    assert difference(IDS.double(), IDS, requires=["kind"]) == "dtype float64, expected int64"
    assert difference(2.0, 2, requires=["kind"]) != "" and difference(IDS.int(), IDS, requires=["kind"]) == ""
    assert difference(FLOATS.double(), FLOATS, requires=["dtype"]) == "dtype float64, expected float32"
    for given in (FLOATS.tolist(), FLOATS.numpy()):
        assert "expected a tensor of shape (2, 2), got a" in difference(given, FLOATS, requires=["container"])
    assert difference((1, 2), [1, 2], requires=["container"]) == "expected 2 items in a list, got a tuple"


def test_a_number_is_reported_without_an_index() -> None:
    assert difference(0.25, torch.tensor(0.5)) == "value: 0.25, expected 0.5"
    assert difference(torch.tensor(0.25), torch.tensor(0.5)) == "value: 0.25, expected 0.5"


def test_unchanged_compares_exactly() -> None:
    for before, after in [(FLOATS, FLOATS + 1e-7), (FLOATS, FLOATS.double()), ([1, 2], (1, 2)), ({"a": 1}, {"a": 2})]:
        assert unchanged(before, before) and not unchanged(after, before)

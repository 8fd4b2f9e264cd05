"""Comparison of values by the policy "What counts as right" of CONTRIBUTING.md."""

from __future__ import annotations

import math
from collections.abc import Collection, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

_MAX_QUOTED = 160  # characters of a value or message that a line quotes
_COARSE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 5e-2}  # tolerance between different dtypes


@dataclass(frozen=True)
class Agreement:
    """The result of comparing two values.

    Attributes:
        reason: the first difference in the order type, shape, dtype, value; empty if they agree.
        notes: accepted differences of form that matter in later lessons.
    """

    reason: str
    notes: tuple[str, ...] = ()


def compare(
    got: Any,
    expected: Any,
    tolerance: float = 1e-4,
    *,
    requires: Collection[str] = (),
    any_order: bool = False,
    ignore_case: bool = False,
) -> Agreement:
    """Compare by value: the kinds of numbers and of containers may differ.

    NaN equals NaN only, a boolean is not a number, and a tensor's shape is part of its value.

    Args:
        got: the learner's value.
        expected: the right value.
        tolerance: largest absolute and relative difference of floats; at least that of the coarser of two dtypes.
        requires: properties that must also agree: ``"kind"`` (integers or floats), ``"dtype"``, ``"container"``.
        any_order: whether the order of a list is ignored.
        ignore_case: whether case and surplus blanks of texts are ignored.
    """
    comparison = _Comparison(tolerance, frozenset(requires), any_order, ignore_case)
    try:
        reason = comparison.differ(got, expected)
    except Exception as error:  # raised by methods of the learner's own classes
        return Agreement(f"the answer cannot be compared ({type(error).__name__}); expected {quote(expected)}")
    return Agreement(reason, () if reason else tuple(dict.fromkeys(comparison.notes)))


def difference(got: Any, expected: Any, tolerance: float = 1e-4, **options: Any) -> str:
    """The reason of :func:`compare`; empty if the values agree."""
    return compare(got, expected, tolerance, **options).reason


def unchanged(after: Any, before: Any) -> bool:
    """Whether two values are equal in type, dtype and value."""
    return not difference(after, before, 0.0, requires=("dtype", "container"))


@dataclass
class _Comparison:
    """One comparison; its methods return the reason of a difference, or an empty text, and collect notes."""

    tolerance: float
    requires: frozenset[str]
    any_order: bool
    ignore_case: bool
    notes: list[str] = field(default_factory=list)

    def differ(self, got: Any, expected: Any) -> str:
        """The first difference between two values; empty if they agree."""
        if isinstance(expected, torch.Tensor | np.ndarray | np.generic):
            right = as_tensor(expected)
            if right is not None:
                return self._tensors(got, right, isinstance(expected, torch.Tensor))
        if isinstance(expected, bool | int | float):
            return self._number(got, expected)
        if isinstance(expected, str):
            return self._text(got, expected)
        if isinstance(expected, tuple | list):
            return self._items(got, expected)
        if isinstance(expected, dict):
            return self._dict(got, expected)
        if type(got) is type(expected) and bool(got == expected):
            return ""
        return f"expected {quote(expected)}, got {quote(got)}"

    def _tensors(self, got: Any, expected: torch.Tensor, is_tensor: bool) -> str:
        tensor = as_tensor(got)
        if tensor is None:
            return f"expected {_shape(expected)}, got {quote(got)}"
        if is_tensor and expected.ndim and not isinstance(got, torch.Tensor):
            if "container" in self.requires:
                return f"expected {_shape(expected)}, got {_container(got)}; torch.tensor(…) makes a tensor of it"
            self.notes.append(f"{_container(got)} here; later layers need a tensor")
        if tensor.shape != expected.shape:
            if tensor.numel() == expected.numel() == 1 and 0 in (tensor.ndim, expected.ndim):
                self.notes.append(f"shape {tuple(tensor.shape)} here; shape {tuple(expected.shape)} is asked for")
                tensor = tensor.reshape(expected.shape)
            elif not (isinstance(got, list | tuple) and not got and expected.shape[:1] == (0,)):
                return f"shape {tuple(tensor.shape)}, expected {tuple(expected.shape)}"
        if not expected.numel():
            return ""
        return self._dtypes(tensor, expected) or self._values(tensor, expected)

    def _dtypes(self, got: torch.Tensor, expected: torch.Tensor) -> str:
        kinds = _number_kind(got), _number_kind(expected)
        strict = {"dtype": got.dtype != expected.dtype, "kind": kinds[0] != kinds[1]}
        if any(strict[name] for name in self.requires & strict.keys()) or (
            kinds[0] != kinds[1] and {"booleans", "complex numbers"} & set(kinds)
        ):
            return f"dtype {got.dtype}, expected {expected.dtype}".replace("torch.", "")
        if kinds == ("floats", "integers") and got.ndim:
            self.notes.append("floats here; only integers can be used as an index")
        return ""

    def _values(self, got: torch.Tensor, expected: torch.Tensor) -> str:
        kinds = _number_kind(got), _number_kind(expected)
        if kinds in (("integers", "integers"), ("booleans", "booleans")):
            same = got.long() == expected.long()
        else:
            wide = torch.complex128 if "complex numbers" in kinds else torch.float64
            rtol = atol = self._tolerance(got, expected)
            if kinds[1] == "integers":
                rtol = 0.0
            same = torch.isclose(got.to(wide), expected.to(wide), rtol=rtol, atol=atol, equal_nan=True)
        if bool(same.all()):
            return ""
        first = torch.nonzero(~same)[0].tolist() if same.ndim else []
        where = f"value at {first}" if first else "value"
        actual, right = (tensor[tuple(first)].item() for tensor in (got, expected))
        if isinstance(actual, float) and math.isnan(actual):
            return f"{where} is NaN, expected {right:.4g}"
        shown = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in (actual, right)]
        return f"{where}: {shown[0]}, expected {shown[1]}"

    def _tolerance(self, got: torch.Tensor, expected: torch.Tensor) -> float:
        if got.dtype == expected.dtype:
            return self.tolerance
        return max(self.tolerance, *(_COARSE.get(tensor.dtype, 0.0) for tensor in (got, expected)))

    def _number(self, got: Any, expected: bool | int | float) -> str:
        tensor = as_tensor(got)
        if tensor is None or isinstance(got, list | tuple):
            return f"expected {_kind(expected)}, got {quote(got)}"
        if tensor.numel() != 1:
            return f"expected one number, got {_shape(tensor)}"
        if tensor.ndim:
            self.notes.append(f"{_shape(tensor)} here; one number is asked for")
        value = got if isinstance(got, int) else tensor.item()
        if isinstance(expected, bool) != isinstance(value, bool):
            return f"expected {_kind(expected)}, got {_kind(value)}: {quote(value)}"
        if "kind" in self.requires and type(value) is not type(expected):
            return f"expected {_kind(expected)}, got {_kind(value)}: {quote(value)}"
        right = torch.tensor(expected, dtype=torch.float64) if isinstance(expected, float) else None
        if _close(value, expected, self.tolerance if right is None else self._tolerance(tensor, right)):
            return ""
        return f"value {quote(value)} is not the expected {'answer' if isinstance(expected, bool) else 'number'}"

    def _text(self, got: Any, expected: str) -> str:
        if not isinstance(got, str):
            return f"expected a string, got {quote(got)}"
        actual, right = (plain(got), plain(expected)) if self.ignore_case else (str(got), expected)
        return "" if actual == right else f"{quote(str(got))} is not the expected string"

    def _items(self, got: Any, expected: tuple | list) -> str:
        if isinstance(got, set | frozenset) and not self.any_order:
            return f"expected {_count(expected)} in a {_kind(expected)}, got a set, which has no order"
        if "container" in self.requires and type(got) is not type(expected):
            return f"expected {_count(expected)} in a {_kind(expected)}, got {_container(got)}"
        if isinstance(got, torch.Tensor | np.ndarray) and got.ndim:
            return self._array_items(got, expected)
        if not isinstance(got, tuple | list | range | set | frozenset):
            return f"expected {_count(expected)} in a {_kind(expected)}, got {quote(got)}"
        if len(got) != len(expected):
            return f"{_count(got)}, expected {len(expected)}"
        if self.any_order:
            return self._unordered(list(got), expected)
        for index, (item, right) in enumerate(zip(list(got), list(expected), strict=True)):
            reason = self.differ(item, right)
            if reason:
                return f"item {index}: {reason}"
        return ""

    def _array_items(self, got: torch.Tensor | np.ndarray, expected: tuple | list) -> str:
        """Compare an array with a list, with the tolerance of the array's dtype."""
        self.notes.append(f"{_container(got)} here; a {_kind(expected)} is asked for")
        dtype = getattr(as_tensor(got), "dtype", torch.float64)
        comparison = _Comparison(
            max(self.tolerance, _COARSE.get(dtype, 0.0)), self.requires, self.any_order, self.ignore_case
        )
        return comparison.differ(got.tolist(), expected)

    def _unordered(self, got: list, expected: tuple | list) -> str:
        remaining = list(got)
        for right in expected:
            index = next((i for i, item in enumerate(remaining) if not self.differ(item, right)), None)
            if index is None:
                return f"{quote(remaining[0])} is not one of the expected items"
            del remaining[index]
        return ""

    def _dict(self, got: Any, expected: dict) -> str:
        if not isinstance(got, dict):
            return f"expected a dict, got {quote(got)}"
        missing = [key for key in expected if key not in got]
        extra = [key for key in got if key not in expected]
        if missing or extra:
            return f"key {quote(missing[0])} is missing" if missing else f"key {quote(extra[0])} is not expected"
        for key, right in expected.items():
            reason = self.differ(got[key], right)
            if reason:
                return f"at {quote(key)}: {reason}"
        return ""


def as_tensor(value: Any) -> torch.Tensor | None:
    """Convert numbers in any form to a tensor; None for everything else, and for rows of different lengths."""
    if isinstance(value, torch.Tensor):
        dense = value if value.layout is torch.strided else value.to_dense()
        return dense.detach().as_subclass(torch.Tensor)
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biufc":
            return None
        array = np.asarray(value)
        if array.dtype.kind == "u":  # torch supports little arithmetic for unsigned integers
            array = array.astype(np.int64)
        return torch.tensor(array)
    if isinstance(value, bool):
        return torch.tensor(bool(value))
    if isinstance(value, int):
        return torch.tensor(int(value)) if abs(value) < 2**63 else torch.tensor(float("inf"), dtype=torch.float64)
    if isinstance(value, float):
        return torch.tensor(float(value), dtype=torch.float64)
    if not isinstance(value, list | tuple | range):
        return None
    items = [as_tensor(item) for item in value]
    tensors = [item for item in items if item is not None]
    if len(tensors) < len(items) or len({item.shape for item in tensors}) > 1:
        return None
    return torch.stack(tensors) if tensors else torch.empty(0)


def _number_kind(tensor: torch.Tensor) -> str:
    if tensor.dtype is torch.bool:
        return "booleans"
    if tensor.dtype.is_complex:
        return "complex numbers"
    return "floats" if tensor.dtype.is_floating_point else "integers"


def _close(got: float, expected: float, tolerance: float) -> bool:
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(got, float) and math.isnan(got)
    if isinstance(expected, float):
        return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
    return abs(got - expected) <= tolerance if isinstance(got, float) else got == expected


def plain(text: str) -> str:
    """A text in lower case without surplus blanks."""
    return " ".join(text.split()).casefold()


def _kind(value: Any) -> str:
    names = {bool: "True or False", int: "an integer", float: "a number", tuple: "tuple", list: "list"}
    return names.get(type(value), type(value).__name__)


def _shape(tensor: torch.Tensor) -> str:
    return f"a tensor of shape {tuple(tensor.shape)}" if tensor.ndim else "a number"


def _count(items: Sized) -> str:
    return "1 item" if len(items) == 1 else f"{len(items)} items"


def _container(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return "a tensor"
    return "a numpy array" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def describe_error_text(value: Any) -> str:
    """``str(value)``, or a placeholder if that raises an exception."""
    try:
        return str(value)
    except Exception:
        return "(no message)"


def shorten(text: str) -> str:
    """A text in one line, cut off after 160 characters."""
    text = " ".join(text.split())
    return text if len(text) <= _MAX_QUOTED else text[: _MAX_QUOTED - 1] + "…"


def name_of(function: Any) -> str:
    """The name of a function, or of the type of another callable."""
    return shorten(str(getattr(function, "__name__", type(function).__name__)))


def quote(value: Any) -> str:
    """A short description of any value; it never raises an exception."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, list | tuple | dict | set | str) and len(value) > 200:
        return f"a {type(value).__name__} of {len(value):,} items"
    if isinstance(value, bool | float | str | list | tuple | dict) or value is None:
        try:
            return shorten(repr(value))
        except Exception:
            return f"a {type(value).__name__}"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else "a very large integer"
    return f"a {type(value).__name__}"

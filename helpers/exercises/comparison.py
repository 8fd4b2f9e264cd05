"""How two values differ, in one short sentence, whatever they are."""

from __future__ import annotations

import math
from typing import Any

import torch

_LONGEST = 160  # characters of a value or message that a line quotes


def difference(got: Any, expected: Any, tolerance: float = 1e-4) -> str:
    """What distinguishes two values, in the order type, shape, dtype, value; empty when they agree.

    A Python number may stand for a zero-dimensional tensor and back; ``torch.Size``, tuple and list of the same items
    are the same; NaN equals NaN only. A boolean is not a number.
    """
    try:
        return _difference(got, expected, tolerance)
    except Exception as error:  # a value built to break comparisons
        return f"the answer cannot be compared ({type(error).__name__}); expected {quote(expected)}"


def _difference(got: Any, expected: Any, tolerance: float) -> str:
    if isinstance(expected, torch.Tensor):
        if expected.ndim == 0 and type(got) in (int, float, bool):
            return _difference(got, expected.item(), tolerance)
        if not isinstance(got, torch.Tensor):
            return f"expected a tensor of shape {tuple(expected.shape)}, got {quote(got)}"
        return _tensors(got.detach().as_subclass(torch.Tensor), expected.detach(), tolerance)
    if isinstance(got, torch.Tensor) and type(expected) in (int, float, bool):
        if got.numel() != 1:
            return f"expected one number, got a tensor of shape {tuple(got.shape)}"
        return _difference(got.detach().item(), expected, tolerance)
    if type(expected) in (bool, int, float):
        if type(got) not in (bool, int, float):
            return f"expected {_kind(expected)}, got {quote(got)}"
        if isinstance(expected, bool) != isinstance(got, bool):
            return f"expected {_kind(expected)}, got {_kind(got)}: {quote(got)}"
        if _close(got, expected, tolerance):
            return ""
        return f"value {quote(got)} is not the expected {'answer' if isinstance(expected, bool) else 'number'}"
    if isinstance(expected, str):
        if type(got) is not str:
            return f"expected a text, got {quote(got)}"
        return "" if got == expected else f"{quote(got)} is not the expected text"
    if isinstance(expected, tuple | list):
        if not isinstance(got, tuple | list):
            return f"expected {len(expected)} items in a {_kind(expected)}, got {quote(got)}"
        if len(got) != len(expected):
            return f"{len(got)} items, expected {len(expected)}"
        for place, (mine, right) in enumerate(zip(list(got), list(expected), strict=True)):
            reason = _difference(mine, right, tolerance)
            if reason:
                return f"item {place}: {reason}"
        return ""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"expected a dict, got {quote(got)}"
        missing = [key for key in expected if key not in got]
        extra = [key for key in got if key not in expected]
        if missing or extra:
            return f"key {quote(missing[0])} is missing" if missing else f"key {quote(extra[0])} is not expected"
        for key, right in expected.items():
            reason = _difference(got[key], right, tolerance)
            if reason:
                return f"at {quote(key)}: {reason}"
        return ""
    return (
        "" if type(got) is type(expected) and bool(got == expected) else f"expected {quote(expected)}, got {quote(got)}"
    )


def _tensors(got: torch.Tensor, expected: torch.Tensor, tolerance: float) -> str:
    if got.shape != expected.shape:
        return f"shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    if got.dtype != expected.dtype:
        return f"dtype {got.dtype}, expected {expected.dtype}".replace("torch.", "")
    if got.dtype.is_floating_point or got.dtype.is_complex:
        same = torch.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    else:
        same = got == expected
    if bool(same.all()):
        return ""
    first = torch.nonzero(~same.reshape(expected.shape))[0].tolist()
    mine, right = (tensor[tuple(first)].item() for tensor in (got, expected))
    if isinstance(mine, float) and math.isnan(mine):
        return f"value at {first} is NaN, expected {right:.4g}"
    shown = [f"{value:.4g}" if isinstance(value, float) else str(value) for value in (mine, right)]
    return f"value at {first}: {shown[0]}, expected {shown[1]}"


def _close(got: float, expected: float, tolerance: float) -> bool:
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(got, float) and math.isnan(got)
    if isinstance(expected, float) or isinstance(got, float):
        return math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
    return got == expected


def _kind(value: Any) -> str:
    names = {bool: "True or False", int: "a whole number", float: "a number", tuple: "tuple", list: "list"}
    return names.get(type(value), type(value).__name__)


def describe_error_text(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return "(no message)"


def shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def name_of(function: Any) -> str:
    return shorten(str(getattr(function, "__name__", type(function).__name__)))


def quote(value: Any) -> str:
    """A short, safe description of any value."""
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
        return str(value) if abs(value) < 10**30 else "a very large whole number"
    return f"a {type(value).__name__}"

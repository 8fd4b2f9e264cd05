"""Encode plain values as JSON and decode them, for messages of the sandbox. Decoding never executes code.

=================== =====================================
value               JSON
=================== =====================================
None, bool, int,    unchanged; NaN and infinities:
float, str, list    ``{"float": "nan"}``
tuple, torch.Size   ``{"tuple": [item, …]}``
dict                ``{"dict": [[key, value], …]}``
tensor, array,      ``{"tensor": [dtype, shape, base64]}``,
numpy's scalars     ``{"array": …}``, ``{"scalar": …}``
function            ``{"function": handle}``
=================== =====================================
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

MAX_BYTES = 16 * 2**20  # of one message
MAX_ITEMS = 200_000  # in all containers of one message
MAX_DEPTH = 32
MAX_BITS = 4096  # of an int
_MAX_ELEMENTS = 2**40  # of a tensor, zeros in its shape counted as ones

_TENSORS = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    )
}
_ARRAYS = {np.dtype(name).name: np.dtype(name) for name in "?,u1,u2,u4,u8,i1,i2,i4,i8,<f2,<f4,<f8,<c8,<c16".split(",")}
_HANDLE = re.compile(r"#[0-9]{1,4}")


class CodecError(ValueError):
    """A value that cannot be encoded, or a message that cannot be decoded."""


def dumps(value: Any, function: Callable[[Callable], str] | None = None) -> bytes:
    """Encode a value as one line of ASCII.

    Args:
        value: the value.
        function: returns a handle for a function; without it functions cannot be encoded.

    Raises:
        CodecError: the value's type cannot be encoded, or the value is too large.
    """
    try:
        text = json.dumps(_Encoder(function).encode(value, 0), allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise CodecError("nested too deeply to be encoded") from None
    if len(text) > MAX_BYTES:
        raise CodecError(f"too large to be encoded: {len(text):,} characters, at most {MAX_BYTES:,}")
    return text.encode("ascii")


def loads(line: bytes, function: Callable[[str], Callable] | None = None) -> Any:
    """Decode an untrusted line.

    Args:
        line: the encoded value.
        function: returns a function for a handle; without it functions cannot be decoded.

    Raises:
        CodecError: the line is not a message, or is too large.
    """
    if len(line) > MAX_BYTES:
        raise CodecError(f"a message of {len(line):,} bytes, at most {MAX_BYTES:,}")
    # Counted before parsing: an empty list takes two bytes of text, but about fifty bytes of memory.
    if sum(line.count(mark) for mark in (b",", b"[", b"{")) > MAX_ITEMS:
        raise CodecError(f"a message of more than {MAX_ITEMS:,} items")
    try:
        tree = json.loads(line.decode("ascii"), parse_constant=_no_constant)
        return _decode(tree, function, 0)
    except CodecError:
        raise
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise CodecError(f"not a message ({type(error).__name__})") from None


class _Encoder:
    def __init__(self, function: Callable[[Callable], str] | None):
        self.function = function
        self.items = 0
        self.bytes = 0

    def encode(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise CodecError(f"nested more than {MAX_DEPTH} deep")
        self.items += 1
        if self.items > MAX_ITEMS // 4:
            raise CodecError(f"more than {MAX_ITEMS // 4:,} items")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is int:
            return _whole(value)
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind is str:
            self._add(len(value))
            return value
        if isinstance(value, torch.Tensor):
            return {"tensor": self._tensor(value)}
        # A subclass (numpy's strings, Counter, namedtuple) is encoded as its base class.
        if isinstance(value, str):
            return self.encode(str.__str__(value), depth)
        if isinstance(value, np.ndarray) and value.dtype.kind in "UO":
            return self.encode(value.tolist(), depth)
        if isinstance(value, np.ndarray | np.generic):
            return {"array" if isinstance(value, np.ndarray) else "scalar": self._array(value)}
        if isinstance(value, int | float):
            return self.encode(int(value) if isinstance(value, int) else float(value), depth)
        if isinstance(value, list):
            return [self.encode(item, depth + 1) for item in list.__iter__(value)]
        if isinstance(value, range):
            return [self.encode(item, depth + 1) for item in value]
        if isinstance(value, tuple):
            return {"tuple": [self.encode(item, depth + 1) for item in tuple.__iter__(value)]}
        if isinstance(value, dict):
            pairs = dict.items(value)
            return {"dict": [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in pairs]}
        if self.function and callable(value):
            return {"function": self.function(value)}
        raise CodecError(f"a {kind.__name__} cannot be encoded")

    def _add(self, size: int) -> None:
        self.bytes += size
        if self.bytes > MAX_BYTES // 2:
            raise CodecError(f"more than {MAX_BYTES // 2:,} bytes")

    def _tensor(self, value: torch.Tensor) -> list:
        with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
            name = str(value.dtype).removeprefix("torch.")
            if value.layout is not torch.strided and value.device.type == "cpu":
                self._add(value.numel() * value.element_size())
                value = value.to_dense()
            if name not in _TENSORS or value.layout is not torch.strided or value.device.type != "cpu":
                raise CodecError(f"a tensor of {value.dtype}, {value.layout} on {value.device} cannot be encoded")
            self._add(value.numel() * value.element_size())
            plain = torch.Tensor.detach(value).resolve_conj().resolve_neg().contiguous()
            raw = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
            return [name, list(value.shape), base64.b64encode(raw).decode("ascii")]

    def _array(self, value: np.ndarray | np.generic) -> list:
        if value.dtype.name not in _ARRAYS:
            raise CodecError(f"an array of {value.dtype} cannot be encoded")
        self._add(value.nbytes)
        plain = np.asarray(value, dtype=_ARRAYS[value.dtype.name])
        return [plain.dtype.name, list(plain.shape), base64.b64encode(plain.tobytes()).decode("ascii")]


def _decode(tree: Any, function: Callable[[str], Callable] | None, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise CodecError(f"nested more than {MAX_DEPTH} deep")
    if tree is None or isinstance(tree, bool | str):
        return tree
    if isinstance(tree, int):
        return _whole(tree)
    if isinstance(tree, float):
        if not math.isfinite(tree):  # 1e999
            raise CodecError("a number that is not finite")
        return tree
    if isinstance(tree, list):
        return [_decode(item, function, depth + 1) for item in tree]
    if len(tree) != 1:
        raise CodecError("an object of unknown kind")
    ((kind, body),) = tree.items()
    if kind == "float" and body in ("nan", "inf", "-inf"):
        return float(body)
    if kind == "tuple" and isinstance(body, list):
        return tuple(_decode(item, function, depth + 1) for item in body)
    if kind == "dict" and isinstance(body, list):
        return _dict(body, function, depth)
    if kind == "function" and function and isinstance(body, str) and _HANDLE.fullmatch(body):
        return function(body)
    if kind == "tensor":
        return _read_tensor(body)
    if kind in ("array", "scalar"):
        return _read_array(body, scalar=kind == "scalar")
    raise CodecError("an object of unknown kind")


def _dict(pairs: list, function: Callable[[str], Callable] | None, depth: int) -> dict:
    decoded = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise CodecError("a dict whose items are not pairs")
        key, value = (_decode(item, function, depth + 1) for item in pair)
        try:
            decoded[key] = value
        except TypeError:
            raise CodecError(f"a {type(key).__name__} cannot be a key") from None
    return decoded


def _buffer(body: Any, sizes: dict[str, int]) -> tuple[str, tuple[int, ...], bytes]:
    """Name of the dtype, shape and bytes of an array, whose sizes agree.

    Raises:
        CodecError: the sizes do not agree, or the description is invalid.
    """
    if not isinstance(body, list) or len(body) != 3:
        raise CodecError("an array needs dtype, shape and bytes")
    name, shape, text = body
    if not isinstance(name, str) or name not in sizes or not isinstance(text, str):
        raise CodecError("an array of unknown dtype")
    if (
        not isinstance(shape, list)
        or len(shape) > 16
        or not all(type(n) is int and 0 <= n <= _MAX_ELEMENTS for n in shape)
    ):
        raise CodecError("an array without a shape")
    if math.prod(max(n, 1) for n in shape) > _MAX_ELEMENTS:
        raise CodecError("an array that is too large")
    raw = base64.b64decode(text, validate=True)
    if len(raw) != math.prod(shape) * sizes[name]:
        raise CodecError(f"{len(raw)} bytes for an array of shape {tuple(shape)}")
    return name, tuple(shape), raw


def _read_tensor(body: Any) -> torch.Tensor:
    name, shape, raw = _buffer(body, {name: dtype.itemsize for name, dtype in _TENSORS.items()})
    dtype = _TENSORS[name]
    if not raw:
        return torch.empty(shape, dtype=dtype)
    flat = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
    # A boolean byte other than 0 and 1 would compare equal to both, or to neither.
    return (flat != 0 if dtype is torch.bool else flat.view(dtype)).reshape(shape)


def _read_array(body: Any, scalar: bool) -> Any:
    name, shape, raw = _buffer(body, {name: dtype.itemsize for name, dtype in _ARRAYS.items()})
    if scalar and shape:
        raise CodecError("a scalar with a shape")
    dtype = _ARRAYS[name]
    flat = np.frombuffer(raw, dtype=np.uint8) != 0 if name == "bool" else np.frombuffer(raw, dtype=dtype)
    array = flat.reshape(shape).copy()
    return array[()] if scalar else array


def _whole(value: int) -> int:
    """Return an integer; raise CodecError if it is too large."""
    if value.bit_length() > MAX_BITS:
        raise CodecError(f"an integer of {value.bit_length():,} bits, at most {MAX_BITS:,}")
    return value


def _no_constant(name: str) -> Any:
    raise CodecError(f"{name} is not JSON")

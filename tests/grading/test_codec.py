"""Values are encoded and decoded unchanged or refused, and any message can be read safely."""

from __future__ import annotations

import base64
import collections
import enum
import json
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.grading.sandbox import codec, host
from helpers.grading.sandbox.codec import CodecError, dumps, loads

DTYPES = [getattr(torch, name) for name in codec._TENSORS]
scalars = st.none() | st.booleans() | st.integers(-(10**600), 10**600) | st.floats() | st.text()
keys = st.booleans() | st.integers() | st.text() | st.tuples(st.integers(), st.text())


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Any dtype, any bytes, any of several shapes."""
    shape = draw(st.sampled_from([(), (0,), (3,), (2, 3), (0, 4), (1, 2, 1, 2)]))
    dtype = draw(st.sampled_from(DTYPES))
    size = math.prod(shape) * dtype.itemsize
    raw = draw(st.binary(min_size=size, max_size=size))
    if dtype is torch.bool:
        return torch.tensor([byte % 2 for byte in raw], dtype=torch.bool).reshape(shape)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape) if raw else torch.empty(shape, dtype=dtype)


arrays = tensors().filter(lambda tensor: tensor.dtype is not torch.bfloat16).map(lambda tensor: tensor.numpy())
values = st.recursive(
    scalars | tensors() | arrays,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner),
    max_leaves=12,
)


def alike(one: Any, other: Any) -> bool:
    """Whether two values have the same type and exactly the same content."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        raw = [tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other)]
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(*raw)
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return alike(list(one.items()), list(other.items()))
    if isinstance(one, float):
        return np.float64(one).tobytes() == np.float64(other).tobytes() or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


@settings(deadline=None, max_examples=300)
@given(values)
def test_encoded_values_are_decoded_unchanged(value: Any) -> None:
    line = dumps(value)
    assert b"\n" not in line and line.isascii()
    assert alike(loads(line), value)


@settings(deadline=None, max_examples=300)
@given(st.binary() | st.text().map(str.encode) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["float", "tuple", "dict", "tensor", "array", "scalar", "function", "x"]), inner, max_size=2
    ),
).map(lambda tree: json.dumps(tree).encode()))  # fmt: skip
def test_a_line_of_anything_is_a_value_or_a_codec_error(line: bytes) -> None:
    try:
        value = loads(line)
    except CodecError:
        return
    dumps(value)


@settings(deadline=None, max_examples=200)
@given(values, st.data())
def test_a_damaged_line_is_a_value_or_a_codec_error(value: Any, data: st.DataObject) -> None:
    line = bytearray(dumps(value))
    for _ in range(data.draw(st.integers(1, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        loads(bytes(line))
    except CodecError:
        pass


def tensor(dtype: object = "float32", shape: object = (2,), raw: object = bytes(8)) -> bytes:
    text = base64.b64encode(raw).decode() if isinstance(raw, bytes) else raw
    return json.dumps({"tensor": [dtype, shape, text]}).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 10**6,
        b'{"tuple":' * 10**5,
        b"[" * 5000 + b"]" * 5000,
        b"[" * 100 + b"]" * 100,
        b"[" + b"0," * 10**6 + b"0]",
        b"9" * 5000,
        b"-" + b"9" * 4000,
        b"1e999",
        b"NaN",
        b"-Infinity",
        b'{"float": "1.0"}',
        b'{"float": NaN}',
        b'{"float": ["nan"]}',
        b"{}",
        b'{"tuple": [], "dict": []}',
        b'{"tuple": {"0": 1}}',
        b'{"pickle": "gASVAAAA"}',
        b'{"function": "#0"}',
        b'{"dict": [[1]]}',
        b'{"dict": [[[1], 2]]}',
        b'{"dict": [[{"dict": []}, 2]]}',
        b'{"tensor": {}}',
        b"\xff\xfe",
        "ä".encode(),
        b"",
        b"1 2",
        tensor(dtype="object"),
        tensor(dtype="__class__"),
        tensor(dtype=["float32"]),
        tensor(shape=[3]),
        tensor(shape=[-2]),
        tensor(shape=[True, 2]),
        tensor(shape=[2.0]),
        tensor(shape="2"),
        tensor(shape=[0, 2**41], raw=b""),
        tensor(shape=[0] + [2**20] * 5, raw=b""),
        tensor(shape=[1] * 17, raw=bytes(4)),
        tensor(shape=[10**9]),
        tensor(raw="AAAA AAAA"),
        tensor(raw="AA*="),
        tensor(raw=None),
        json.dumps({"scalar": ["float64", [1], "AAAAAAAAAAA="]}).encode(),
        json.dumps({"array": ["object", [1], "AAAAAAAAAAA="]}).encode(),
        b'"' + b"x" * (codec.MAX_BYTES + 1) + b'"',
    ],
    ids=lambda line: repr(line[:40]),
)
def test_hostile_lines_are_refused(line: bytes) -> None:
    with pytest.raises(CodecError):
        loads(line)


class Liar(dict):
    """A dict whose methods return other content than it contains."""

    def items(self) -> Any:
        return [("x", 1)]

    def __iter__(self) -> Any:
        return iter(["x"])


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


class Point(NamedTuple):
    x: int
    y: int


def test_subclasses_are_encoded_as_their_base_class() -> None:
    assert loads(dumps(Liar(a=2))) == {"a": 2}
    assert loads(dumps(collections.Counter("aab"))) == {"a": 2, "b": 1}
    assert loads(dumps(Point(1, 2))) == (1, 2)
    assert loads(dumps(torch.Size([2, 3]))) == (2, 3)
    assert alike(loads(dumps(torch.nn.Parameter(torch.ones(2)))), torch.ones(2))
    assert alike(loads(dumps(np.ones((1, 2)).view(np.recarray))), np.ones((1, 2)))
    assert alike(loads(dumps({Text("x"): Colour.RED})), {"x": 1})
    assert alike(loads(dumps({np.str_("x"): np.str_("y")})), {"x": "y"})


def test_ranges_string_arrays_and_sparse_tensors_are_converted() -> None:
    assert alike(loads(dumps(range(3))), [0, 1, 2])
    assert alike(loads(dumps(np.array(["x", "y"]))), ["x", "y"])
    assert alike(loads(dumps(torch.eye(2).to_sparse())), torch.eye(2))


def test_views_are_encoded_with_their_visible_values() -> None:
    table = torch.arange(6.0).reshape(2, 3)
    assert alike(loads(dumps(table.T)), table.T.contiguous())
    assert alike(loads(dumps(table[:, ::2])), table[:, ::2].contiguous())
    assert alike(loads(dumps(torch.ones(1).expand(3))), torch.ones(3))
    assert alike(loads(dumps(torch.tensor([1 + 2j]).conj())), torch.tensor([1 - 2j]))
    assert alike(loads(dumps(np.arange(3, dtype=">i4"))), np.arange(3, dtype="i4"))
    assert alike(loads(dumps(np.float64(2.5))), np.float64(2.5))


def test_booleans_are_decoded_as_true_or_false() -> None:
    """A byte of 2 in a boolean tensor would be neither True nor False."""
    decoded = loads(tensor(dtype="bool", shape=[3], raw=b"\x02\x00\xff"))
    assert decoded.tolist() == [True, False, True]
    assert bool((decoded == torch.tensor([True, False, True])).all())


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_unsupported_values_are_refused() -> None:
    endless: list = []
    endless.append(endless)
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    for value in (
        *({1}, b"x", object(), range(10**9), 1j, len, iter([]), 1 << 5000, endless, deep),
        *(np.array([{1}]), np.array([b"x"]), np.datetime64("2020"), [0] * 10**6, "x" * codec.MAX_BYTES),
        *(
            torch.zeros(1).expand(10**15),
            torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0), (10**9, 10**9)),
            torch.zeros(2, device="meta"),
        ),
    ):
        with pytest.raises(CodecError):
            dumps(value)


def test_the_host_forwards_every_message() -> None:
    """It states the size of a message itself: codec imports torch."""
    assert host._MAX_LINE > codec.MAX_BYTES + len("unsupported ")


def test_functions_are_encoded_as_handles_only_if_allowed() -> None:
    line = dumps((len, 1), function=lambda function: "#7")
    assert loads(line, function={"#7": len}.__getitem__) == (len, 1)
    for handle in ("len", "#", "#x", "#12345", "#1\n", 7):
        with pytest.raises(CodecError):
            loads(json.dumps({"function": handle}).encode(), function=lambda handle: len)

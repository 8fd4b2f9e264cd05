"""The vocabulary: order, encoding and decoding, and errors."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.vocabulary import PAD_ID, UNK_ID, Vocabulary

TEXTS = [["b", "a", "c"], ["a", "b"], ["a", "d"]]
WORDS = st.lists(st.lists(st.text("abcdef", min_size=1, max_size=3), max_size=6), min_size=1, max_size=8)


def test_order_is_frequency_then_alphabet() -> None:
    vocabulary = Vocabulary.build(TEXTS)
    assert vocabulary.words == ("<pad>", "<unk>", "a", "b", "c", "d")
    assert vocabulary.counts == (0, 0, 3, 2, 1, 1)
    assert Vocabulary.build([["b", "a"]]).words[2:] == ("a", "b")


@given(WORDS.filter(any), st.randoms())
def test_order_of_texts_does_not_matter(texts: list[list[str]], chance: random.Random) -> None:
    shuffled = [chance.sample(text, len(text)) for text in chance.sample(texts, len(texts))]
    assert Vocabulary.build(shuffled) == Vocabulary.build(texts)


@given(WORDS.filter(any))
def test_decode_inverts_encode(texts: list[list[str]]) -> None:
    vocabulary = Vocabulary.build(texts)
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == text
        assert all(vocabulary.words[vocabulary.id(word)] == word for word in text)
    batch = vocabulary.batch(texts)
    assert [vocabulary.decode(row) for row in batch] == texts
    assert sum(vocabulary.counts) == sum(map(len, texts))


def test_rare_words_are_unknown_and_counted() -> None:
    vocabulary = Vocabulary.build(TEXTS, min_count=2)
    assert vocabulary.words[2:] == ("a", "b")
    assert vocabulary.counts[UNK_ID] == 2
    assert vocabulary.encode(["a", "c", "never read"]) == [2, UNK_ID, UNK_ID]
    assert vocabulary.decode([2, UNK_ID, PAD_ID]) == ["a", "<unk>"]
    assert Vocabulary.build(TEXTS, max_size=3).words[2:] == ("a",)


def test_sentences_may_be_iterators() -> None:
    vocabulary = Vocabulary.build(iter(map(iter, TEXTS)))
    assert vocabulary == Vocabulary.build(TEXTS)
    assert vocabulary.encode(map(str.lower, ["A", "B"])) == [2, 3]
    assert vocabulary.batch(word.split() for word in ("a b", "c")).tolist() == [[2, 3], [4, 0]]


@pytest.mark.parametrize(
    "ids",
    [[3, 2, 0], (3, 2), iter([3, 2]), np.array([3, 2, 0]), np.array([3, 2], dtype=np.uint8), list(np.array([3, 2]))]
    + [torch.tensor([3, 2, 0]), torch.tensor([3, 2], dtype=torch.int32), list(torch.tensor([3, 2]))],
    ids=lambda ids: type(ids).__name__,
)
def test_ids_may_be_integers_of_any_type(ids) -> None:
    assert Vocabulary.build(TEXTS).decode(ids) == ["b", "a"]


def test_batches_are_padded_on_the_right() -> None:
    batch = Vocabulary.build(TEXTS).batch([["a"], ["b", "a", "c"], []])
    assert batch.dtype == torch.long
    assert batch.tolist() == [[2, 0, 0], [3, 2, 4], [0, 0, 0]]
    assert Vocabulary.build(TEXTS).batch(TEXTS, max_len=2).shape == (3, 2)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda v: v.encode("a b"), TypeError, r"string 'a b'; split it"),
        (lambda v: v.encode(["a", 3]), TypeError, r"3 \(int\)"),
        (lambda v: v.decode([2, 6]), IndexError, r"id 6 at position 1 .*0\.\.5"),
        (lambda v: v.decode([-1]), IndexError, "id -1 at position 0"),
        (lambda v: v.decode(np.array([2, 6])), IndexError, "id 6 at position 1"),
        (lambda v: v.decode([1.0]), TypeError, r"integers .*got 1\.0 at position 0"),
        (lambda v: v.decode([2, np.float32(3)]), TypeError, r"got 3\.0 at position 1"),
        (lambda v: v.decode([True]), TypeError, "got True"),
        (lambda v: v.decode([np.bool_(True)]), TypeError, "got True"),
        (lambda v: v.decode("23"), TypeError, "got '2'"),
        (lambda v: v.decode(2), TypeError, "put a single id into a list"),
        (lambda v: v.decode(torch.tensor(2)), TypeError, "put a single id into a list"),
        (lambda v: v.decode(torch.tensor([[1], [2]])), TypeError, r"\(T,\), got \[1\]"),
        (lambda v: v.decode([torch.tensor([1])]), TypeError, r"got \[1\]"),
        (lambda v: v.encode(iter(["a", 3])), TypeError, r"3 \(int\)"),
        (lambda v: v.id("z"), KeyError, "'z' is not among"),
        (lambda v: v.batch([]), ValueError, "at least one word"),
        (lambda v: v.batch([[], []]), ValueError, "2 texts without"),
        (lambda v: Vocabulary.build(["a b"]), TypeError, "split it"),
        (lambda v: Vocabulary.build([]), ValueError, "add text"),
        (lambda v: Vocabulary.build(TEXTS, min_count=9), ValueError, "most frequent: 3"),
        (lambda v: Vocabulary.build(TEXTS, min_count=0), ValueError, "at least 1"),
        (lambda v: Vocabulary.build([["<pad>"]]), ValueError, "rename"),
    ],
)
def test_invalid_arguments_raise(call, error, says) -> None:
    with pytest.raises(error, match=says):
        call(Vocabulary.build(TEXTS))

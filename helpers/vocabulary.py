"""A vocabulary: words and their ids, in an order that depends on the text alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

PAD, UNK = "<pad>", "<unk>"
PAD_ID, UNK_ID = 0, 1
SPECIALS = (PAD, UNK)


@dataclass(frozen=True)
class Vocabulary:
    """Words and their ids: ``<pad>`` is 0, ``<unk>`` is 1, then words by decreasing frequency, ties broken
    alphabetically. Made by :meth:`build`.

    Attributes:
        words: the word of every id.
        counts: how often each word occurs; for ``<unk>``, how many tokens belong to words without an id.
    """

    words: tuple[str, ...]
    counts: tuple[int, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {word: i for i, word in enumerate(self.words)})

    @classmethod
    def build(cls, texts: Iterable[Iterable[str]], *, min_count: int = 1, max_size: int | None = None) -> Vocabulary:
        """Give an id to every word that occurs at least ``min_count`` times.

        Args:
            texts: sentences, each an iterable of words.
            min_count: rarer words become ``<unk>``.
            max_size: the largest number of ids, the two special ones included; the rarest words become ``<unk>``.

        Raises:
            TypeError: a sentence that is a string instead of a list of words.
            ValueError: ``min_count`` below 1 or ``max_size`` below 3, no word that occurs often enough, or a word
                called ``<pad>`` or ``<unk>``.
        """
        if min_count < 1 or (max_size is not None and max_size <= len(SPECIALS)):
            raise ValueError(f"min_count must be at least 1 and max_size more than 2, got {min_count} and {max_size}")
        counter: Counter[str] = Counter()
        for text in texts:
            counter.update(_words(text))
        for special in SPECIALS:
            if special in counter:
                raise ValueError(f"the text holds the word {special!r}, which is reserved; rename it")
        frequent = [(word, count) for word, count in counter.items() if count >= min_count]
        if not frequent:
            most = max(counter.values(), default=0)
            raise ValueError(f"no word occurs {min_count} times or more (the most frequent: {most}); add text")
        frequent.sort(key=lambda item: (-item[1], item[0]))
        kept = frequent[: None if max_size is None else max_size - len(SPECIALS)]
        rare = sum(counter.values()) - sum(count for _, count in kept)
        return cls((*SPECIALS, *(word for word, _ in kept)), (0, rare, *(count for _, count in kept)))

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def id(self, word: str) -> int:
        """The id of a word of the vocabulary.

        Raises:
            KeyError: the word has no id; :meth:`encode` gives that of ``<unk>`` instead.
        """
        if word not in self._ids:
            raise KeyError(f"{word!r} is not among the {len(self):,} words of the vocabulary")
        return self._ids[word]

    def encode(self, words: Iterable[str]) -> list[int]:
        """The id of every word; a word without one gets that of ``<unk>``.

        Raises:
            TypeError: a string instead of a list of words, or an item that is not a string.
        """
        return [self._ids.get(word, UNK_ID) for word in _words(words)]

    def decode(self, token_ids: Iterable[Any]) -> list[str]:
        """The words of one sequence of ids, without ``<pad>``.

        Args:
            token_ids: ``(T,)``: a tensor, a numpy array, or any iterable of integers of Python, numpy or torch.

        Raises:
            TypeError: ids that are not integers, or not in one dimension.
            IndexError: an id outside the vocabulary; the message states the id and its position.
        """
        ids = _plain(token_ids)
        if not isinstance(ids, Iterable):
            raise TypeError(f"ids of shape (T,) are expected, got {token_ids!r}; put a single id into a list")
        ids = [_plain(i) for i in ids]
        for position, i in enumerate(ids):
            if not isinstance(i, int) or isinstance(i, bool):
                raise TypeError(f"ids are integers of shape (T,), got {i!r} at position {position}")
            if not 0 <= i < len(self):
                raise IndexError(
                    f"id {i} at position {position} is outside a vocabulary of {len(self)} (0..{len(self) - 1})"
                )
        return [self.words[i] for i in ids if i != PAD_ID]

    def batch(self, texts: Iterable[Iterable[str]], max_len: int | None = None) -> torch.Tensor:
        """Encode texts into one int64 tensor ``(B, T)``, shorter texts padded with ``<pad>`` on the right.

        Args:
            texts: sentences, each an iterable of words; ``T`` is the length of the longest.
            max_len: the number of words after which longer sentences are cut.

        Raises:
            TypeError: as :meth:`encode`.
            ValueError: no text, or only empty ones.
        """
        rows = [self.encode(text)[:max_len] for text in texts]
        longest = max(map(len, rows), default=0)
        if not longest:
            raise ValueError(f"a batch needs a text with at least one word, got {len(rows)} texts without")
        token_ids = torch.full((len(rows), longest), PAD_ID)  # (B, T)
        for index, row in enumerate(rows):
            token_ids[index, : len(row)] = torch.tensor(row, dtype=torch.long)
        return token_ids


def _words(text: Iterable[str]) -> list[str]:
    """``text`` as a list.

    Raises:
        TypeError: it is a string, or an item is none.
    """
    if isinstance(text, str | bytes):
        raise TypeError(f"a list of words is expected, got the string {text[:30]!r}; split it first: text.split()")
    words = list(text)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"a list of words is expected, got one with {word!r} ({type(word).__name__}) in it")
    return words


def _plain(value: Any) -> Any:
    """Convert tensors, arrays and scalars of torch or numpy to lists and numbers; return anything else unchanged."""
    return value.tolist() if hasattr(value, "tolist") else value

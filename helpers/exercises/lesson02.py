"""Lesson 02: a vocabulary, padding, subword tokens, and a lookup as a matrix product."""

import itertools
from collections import Counter

import torch
import torch.nn.functional as F

from helpers.exercises.exercise import Exercise, Mistake, Question

_IDS = {"<pad>": 0, "<unk>": 1, "the": 2, "cat": 3, "saw": 4, "dog": 5, "a": 6}
_WORDS = list(_IDS)
_WEIGHT = torch.arange(56, dtype=torch.float64).reshape(7, 8) / 8 + 1  # (V, d)
_ORDER = torch.tensor([3, 0, 4, 6, 1, 2, 5])  # no word keeps its id, and the inverse is another order


def _batch(texts: list[list[str]], ids: dict[str, int], pad: int = 0, unknown: int = 1) -> torch.Tensor:
    rows = [[ids.get(word, unknown) for word in text] for text in texts]
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows], dtype=torch.long)


def _left(texts: list[list[str]], ids: dict[str, int]) -> torch.Tensor:
    rows = [[ids.get(word, 1) for word in text] for text in texts]
    longest = max(map(len, rows))
    return torch.tensor([[0] * (longest - len(row)) + row for row in rows])


def _short(texts: list[list[str]], ids: dict[str, int]) -> torch.Tensor:
    return _batch(texts, ids)[:, : min(map(len, texts))]


def _one_hot(token_ids: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return F.one_hot(token_ids, len(weight)).to(weight.dtype)


def _renumber(weight: torch.Tensor, token_ids: torch.Tensor, order: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return weight[torch.argsort(order)], order[token_ids]


def _words_by_count(texts: list[list[str]], min_count: int) -> list[str]:
    counter = Counter(word for text in texts for word in text)
    kept = [word for word in counter if counter[word] >= min_count]
    return ["<pad>", "<unk>", *sorted(kept, key=lambda word: (-counter[word], word))]


def _first_read(texts: list[list[str]], min_count: int) -> list[str]:
    counter = Counter(word for text in texts for word in text)
    return ["<pad>", "<unk>", *(word for word, count in counter.most_common() if count >= min_count)]


def _by_text(texts: list[list[str]], min_count: int) -> list[str]:
    counter = Counter(word for text in texts for word in set(text))
    kept = [word for word in counter if counter[word] >= min_count]
    return ["<pad>", "<unk>", *sorted(kept, key=lambda word: (-counter[word], word))]


def _reversed_ties(texts: list[list[str]], min_count: int) -> list[str]:
    counter = Counter(word for text in texts for word in text)
    kept = [word for word in counter if counter[word] >= min_count]
    return ["<pad>", "<unk>", *sorted(kept, key=lambda word: (counter[word], word), reverse=True)]


_Words = dict[tuple[str, ...], int]


def _pair_counts(words: _Words, weighted: bool = True) -> Counter[tuple[str, str]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for word, count in words.items():
        for pair in zip(word, word[1:], strict=False):
            pairs[pair] += count if weighted else 1
    return pairs


def _join(word: tuple[str, ...], pair: tuple[str, str], first_only: bool = False) -> tuple[str, ...]:
    tokens, i, merged = [], 0, False
    while i < len(word):
        size = 2 if word[i : i + 2] == pair and not (first_only and merged) else 1
        merged = merged or size == 2
        tokens.append("".join(word[i : i + size]))
        i += size
    return tuple(tokens)


def _merge(words: _Words, weighted: bool = True, first_only: bool = False) -> tuple[tuple[str, str], _Words]:
    pairs = _pair_counts(words, weighted)
    best = max(pairs, key=pairs.__getitem__)
    return best, {_join(word, best, first_only): count for word, count in words.items()}


def _overlapping(words: _Words) -> tuple[tuple[str, str], _Words]:
    """Merge every occurrence, including those that share a token with the previous one."""
    best, _ = _merge(words)
    merged = {}
    for word, count in words.items():
        tokens = ["".join(pair) if pair == best else pair[0] for pair in zip(word, (*word[1:], ""), strict=True)]
        kept = [t for i, t in enumerate(tokens) if not (i and word[i - 1 : i + 1] == best and t == word[i])]
        merged[tuple(kept)] = count
    return best, merged


def _table(values: torch.Tensor, padding_idx: int | None, row: int | None = None) -> torch.Tensor:
    table = values.clone()
    if padding_idx is not None:
        table[padding_idx if row is None else row] = 0.0
    return table


def _zero_column(values: torch.Tensor, padding_idx: int | None) -> torch.Tensor:
    table = values.clone()
    if padding_idx is not None:
        table[:, padding_idx] = 0.0
    return table


def _truthy(values: torch.Tensor, padding_idx: int | None) -> torch.Tensor:
    return _table(values, padding_idx or None)


EXERCISES = [
    Exercise(
        id="02.encode",
        reference=_batch,
        cases=[
            ([["the", "cat", "saw", "a", "dog"], ["the", "dog"]], _IDS),
            ([["a", "zebra", "saw"], ["the", "cat", "saw", "a"]], _IDS),
            ([["the", "dog"], ["a", "unicorn"]], _IDS),
            ([["dog"], ["cat", "dog"]], {"<pad>": 0, "<unk>": 1, "dog": 2, "cat": 3}),
        ],
        mistakes=[
            Mistake(
                lambda texts, ids: torch.tensor(
                    [[ids[word] for word in text] + [0] * (max(map(len, texts)) - len(text)) for text in texts]
                ),
                "a word without an id raises KeyError; give it the id of <unk>",
                error="zebra|unicorn",
            ),
            Mistake(
                lambda texts, ids: _batch(texts, ids, unknown=0),
                "you give unknown words the id of <pad>; then nothing shows that there was a word",
            ),
            Mistake(
                lambda texts, ids: _batch(texts, ids, pad=1),
                "you pad with <unk>; a padding position is not an unknown word, it gets <pad>",
            ),
            Mistake(
                lambda texts, ids: _batch([[word for word in text if word in ids] for text in texts], ids),
                "you drop unknown words; then the words after them move to other positions",
            ),
            Mistake(_left, "you pad on the left; here the padding is on the right"),
            Mistake(_short, "you truncate every text to the shortest; pad the short ones to the longest"),
            Mistake(
                lambda texts, ids: _batch(texts, ids).double(),
                "your ids are floats; an id is an integer (torch.long)",
            ),
        ],
        requires=["kind"],
        right="models take such a tensor, together with its padding mask",
    ),
    Exercise(
        id="02.decode",
        reference=lambda token_ids, words: [words[i] for i in token_ids.tolist() if i != 0],
        cases=[
            (torch.tensor([2, 3, 4, 6, 5]), _WORDS),
            (torch.tensor([2, 5, 0, 0]), _WORDS),
            (torch.tensor([6, 1, 4, 0]), _WORDS),
            (torch.tensor([0, 0, 2, 0, 5]), _WORDS),
            (torch.tensor([2, 0, 3]), ["<pad>", "<unk>", "red", "barn"]),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, words: [words[i] for i in token_ids.tolist()],
                "you keep the padding; leave <pad> out",
            ),
            Mistake(
                lambda token_ids, words: [words[i] for i in token_ids.tolist() if i > 1],
                "you leave <unk> out, too; there was a word, only nobody knows which",
            ),
            Mistake(
                lambda token_ids, words: [words[i - 1] for i in token_ids.tolist() if i != 0],
                "you count from 1; id 0 is the first word of the list",
            ),
            Mistake(
                lambda token_ids, words: " ".join(words[i] for i in token_ids.tolist() if i != 0),
                "the words are right, but they are one string; the exercise asks for a list of words",
            ),
            Mistake(
                lambda token_ids, words: [words[i] for i in itertools.takewhile(bool, token_ids.tolist())],
                "you stop at the first padding; leave out id 0 wherever it is, and go on",
            ),
            Mistake(
                lambda token_ids, words: [words[i] for i in token_ids[: int((token_ids != 0).sum())].tolist()],
                "you assume that the padding is at the end; leave out id 0 wherever it is",
            ),
        ],
        right="what was unknown stays unknown: <unk> cannot be decoded",
    ),
    Exercise(
        id="02.embed_by_matmul",
        reference=lambda token_ids, weight: _one_hot(token_ids, weight) @ weight,
        cases=[
            (torch.tensor([6, 2, 2, 3]), _WEIGHT),
            (torch.tensor([[0, 4], [5, 1], [3, 3]]), _WEIGHT),
            (torch.tensor([1]), _WEIGHT),
            (torch.tensor([5, 2]), _WEIGHT.flip(0) / 2),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, weight: F.one_hot(token_ids).to(weight.dtype) @ weight,
                "one_hot makes only as many columns as the largest id needs; pass the vocabulary size",
                error="shapes cannot be multiplied",
            ),
            Mistake(
                lambda token_ids, weight: F.one_hot(token_ids, len(weight)) @ weight,
                "one_hot gives integers and the matrix holds floats; convert with .to(weight.dtype)",
                error="have the same dtype",
            ),
            Mistake(
                _one_hot,
                "you stop at the one-hot rows; multiply them by the matrix",
            ),
            Mistake(
                lambda token_ids, weight: token_ids[..., None].to(weight.dtype) * weight[0],
                "you multiply by the id; an id is a label, and one_hot says which row it means",
            ),
            Mistake(
                lambda token_ids, weight: (_one_hot(token_ids, weight) @ weight).flatten(0, -2),
                "you lose the batch: the shape of token_ids stays, and d is appended as the last dimension",
            ),
        ],
        tolerance=1e-9,
        right="all zeros but one: a product that selects rows",
    ),
    Exercise(
        id="02.renumber",
        reference=_renumber,
        cases=[
            (_WEIGHT, torch.tensor([2, 3, 4]), _ORDER),
            (_WEIGHT, torch.tensor([[0, 6], [5, 5]]), _ORDER),
            (_WEIGHT.flip(1) / 2, torch.tensor([1, 4]), torch.tensor([2, 5, 6, 0, 3, 1, 4])),
        ],
        mistakes=[
            Mistake(
                lambda weight, token_ids, order: (weight[order], order[token_ids]),
                "weight[new_ids] moves the rows the other way round; old row i must arrive at row new_ids[i]",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight, order[token_ids]),
                "you renumber the ids and leave the matrix; every word now gets another word's vector",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight[torch.argsort(order)], token_ids),
                "you move the rows and leave the ids; every word now gets another word's vector",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight[order], torch.argsort(order)[token_ids]),
                "the vectors stay right, but your new id of word i is not new_ids[i]",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight[:, order], order[token_ids]),
                "you permute the columns; each word is a row of the matrix",
            ),
        ],
        right="ids are labels: renumber them and move the rows along, and nothing has changed",
    ),
    Exercise(
        id="02.pad_row",
        reference=_table,
        cases=[(_WEIGHT, 0), (_WEIGHT, 3), (_WEIGHT[:, :5], None)],
        mistakes=[
            Mistake(
                lambda values, padding_idx: values.clone(),
                "the row of padding_idx is not zero; new values overwrite the zeros of nn.Embedding",
            ),
            Mistake(
                lambda values, padding_idx: _table(values, padding_idx, row=0),
                "you always clear row 0; clear the row that padding_idx names",
            ),
            Mistake(_zero_column, "you clear a column; the vector of <pad> is a row"),
            Mistake(
                lambda values, padding_idx: _table(values, 0 if padding_idx is None else padding_idx),
                "without a padding_idx no row is special; you cleared one",
            ),
            Mistake(_truthy, "you ask whether padding_idx is true, and 0 is not; ask whether it is None"),
        ],
        right="every library that draws its own initial weights has to do this",
    ),
    Exercise(
        id="02.vocabulary",
        reference=_words_by_count,
        cases=[
            ([["the", "dog", "saw", "the", "cat"], ["a", "cat", "saw"], ["the", "dog"]], 2),
            ([["b", "c", "a"], ["c", "b", "d", "d", "d"], ["e"]], 1),
            ([["x", "x", "x", "y"], ["z", "y", "w"]], 3),
        ],
        mistakes=[
            Mistake(
                lambda texts, min_count: _words_by_count(texts, min_count)[2:],
                "<pad> and <unk> are missing; they come first, with the ids 0 and 1",
            ),
            Mistake(
                lambda texts, min_count: _words_by_count(texts, min_count + 1),
                "you drop words that occur exactly min_count times; “at least” keeps them",
            ),
            Mistake(
                lambda texts, min_count: _words_by_count(texts, 1),
                "you keep rare words; drop those that occur less than min_count times",
            ),
            Mistake(_first_read, "words of equal count are in order of appearance; sort these alphabetically"),
            Mistake(_reversed_ties, "words of equal count are in reverse order; sort these from a to z"),
            Mistake(
                lambda texts, min_count: ["<pad>", "<unk>", *sorted(_words_by_count(texts, min_count)[2:])],
                "you sort alphabetically only; the most frequent word comes first",
            ),
            Mistake(_by_text, "you count in how many texts a word occurs; count all its occurrences"),
        ],
        right="the order follows from the texts alone, so it is the same tomorrow",
    ),
    Exercise(
        id="02.merge",
        reference=_merge,
        cases=[
            ({("c", "a", "t"): 1, ("c", "a", "r"): 1, ("c", "a", "b"): 1, ("a", "r", "t"): 9},),
            ({("lo", "w"): 2, ("lo", "w", "e", "s", "t"): 3, ("n", "e", "w", "e", "s", "t"): 6, ("e", "s"): 1},),
            ({("h", "a", "h", "a"): 3, ("a", "h", "a"): 1, ("o", "h"): 5},),
            ({("a", "a", "a"): 4, ("b", "a"): 1, ("a", "a", "a", "a", "b"): 1},),
        ],
        mistakes=[
            Mistake(
                lambda words: _merge(words, weighted=False),
                "you count every word once; a word counts as often as it occurs",
            ),
            Mistake(
                lambda words: _merge(words, first_only=True),
                "you merge the pair once per word; merge all its occurrences",
            ),
            Mistake(lambda words: (_merge(words)[0], words), "you find the pair, but do not merge it in the words"),
            Mistake(lambda words: _merge(words)[::-1], "you return the words first; the pair comes first"),
            Mistake(
                lambda words: ("".join(_merge(words)[0]), _merge(words)[1]),
                "you return the merged token; return the pair, a tuple of two tokens",
            ),
            Mistake(_overlapping, "you use one token for two merges; continue after the merged pair"),
        ],
        right="thousands of such merges make a tokenizer",
    ),
]

QUESTIONS = [
    Question(
        "02.set_order",
        "You run list(set(words)) today, and again tomorrow, with the same words. Do the words get the same ids?",
        ["Yes, the words are the same", "Yes, until a word is added", "No, the order can change with every run"],
        answer=2,
        reason="Python hashes strings with a random seed in every process, and a set is ordered by hashes.",
    ),
    Question(
        "02.unknown_words",
        "Neither “dinosaur” nor “smiled” is in the vocabulary. What does decode(encode(['the', 'dinosaur', 'smiled']))"
        " return?",
        ["the dinosaur smiled", "the", "the <unk> <unk>"],
        answer=2,
        reason="Both words have the id 1, like every other unknown word. Which they were is lost.",
    ),
    Question(
        "02.one_hot_memory",
        "How much memory do the one-hot rows of this batch take?",
        ["about 64 kB, like the ids", "about 40 MB", "about 1.6 GB"],
        answer=2,
        reason="8 × 1,024 tokens × 50,257 numbers × 4 bytes: 8,192 ones, and zeros everywhere else.",
    ),
    Question(
        "02.padding_idx",
        "nn.Embedding(V, d, padding_idx=0): what does it guarantee about row 0?",
        [
            "It stays zero, whatever happens",
            "It is zero at the start, and the lookup gives it no gradient",
            "Later layers ignore its positions",
        ],
        answer=1,
        reason="These two things and no more. Optimiser, tied weights and re-initialisation can still change the row.",
    ),
    Question(
        "02.leading_space",
        "Does “kitten” get the same tokens at the start of a text and after a space?",
        ["Yes, spaces are removed first", "Yes, the space is a token of its own", "No, the space is part of the token"],
        answer=2,
        reason="“␣kitt” begins with the space. Without it, “kitten” is split into other tokens, with other vectors.",
    ),
    Question(
        "02.larger_vocabulary",
        "A tokenizer with a larger vocabulary makes the sequences…",
        [
            "shorter, and the embedding matrix larger",
            "longer, and the matrix smaller",
            "shorter, and the matrix smaller",
        ],
        answer=0,
        reason="Frequent words become one token. Each token needs a row: shorter sequences cost more rows.",
    ),
    Question(
        "02.why_not_a_set",
        "Why does list(set(words)) not serve as a vocabulary?",
        [
            "A set forgets how often a word occurs",
            "Its order can differ in every Python process",
            "A set cannot hold <pad> and <unk>",
        ],
        answer=1,
        reason="Ids must mean the same tomorrow, because the rows of a saved embedding matrix stay where they are.",
    ),
    Question(
        "02.padding_mask_or_padding_idx",
        "A batch is padded, and row 0 of the matrix is zero. What does mean pooling need to be right?",
        [
            "Nothing more: zeros do not change a sum",
            "The padding mask, to divide by the number of tokens",
            "padding_idx=0, to leave the padding out",
        ],
        answer=1,
        reason="The sum is right, but the mean divides by T. padding_idx concerns the row, not the positions.",
    ),
    Question(
        "02.reinitialised_padding",
        "You re-initialise all weights of a model after building it. What about the row of padding_idx?",
        [
            "It stays zero: padding_idx guards it",
            "It is random, and training sets it back to zero",
            "It is random, and the lookup gives it no gradient",
        ],
        answer=2,
        reason="The zeros were written once, when the layer was built. Set the row to zero again yourself.",
    ),
]

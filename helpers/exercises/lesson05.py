"""Lesson 05: attention does not see order."""

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def _softmax_mix(vectors: torch.Tensor) -> torch.Tensor:
    return torch.softmax(vectors @ vectors.T, dim=-1) @ vectors


def _number_the_rows(vectors: torch.Tensor) -> torch.Tensor:
    return vectors + torch.arange(len(vectors), dtype=vectors.dtype)[:, None]


def _mean(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.mean(dim=0, keepdim=True).expand_as(vectors)


def _is_equivariant(function, vectors: torch.Tensor, shuffle: torch.Tensor) -> bool:
    return torch.allclose(function(vectors)[shuffle], function(vectors[shuffle]))


def _swap_neighbours(vectors: torch.Tensor) -> torch.Tensor:
    """Equivariant to some orders only."""
    return vectors[[1, 0, 3, 2]]


def _number_if_positive(vectors: torch.Tensor) -> torch.Tensor:
    return _number_the_rows(vectors) if vectors.sum() > 0 else vectors


_SHUFFLE = torch.tensor([2, 0, 3, 1])
_TEXTS = [[1, 2, 3], [3, 2, 1], [2, 1, 3], [4, 4, 5], [4, 5, 4], [6, 7]]
_LABELS = [1, 0, 1, 1, 1, 0]


def _best_without_order(texts: list, labels: list) -> float:
    bags: dict = {}
    for text, label in zip(texts, labels, strict=True):
        bags.setdefault(tuple(sorted(text)), []).append(label)
    return sum(max(bag.count(0), bag.count(1)) for bag in bags.values()) / len(texts)


EXERCISES = [
    Exercise(
        id="05.is_equivariant",
        reference=_is_equivariant,
        cases=[
            (_softmax_mix, _draw(4, 3), _SHUFFLE),
            (_number_the_rows, _draw(4, 3), _SHUFFLE),
            (_mean, _draw(4, 3), _SHUFFLE),
            (torch.exp, _draw(4, 3), _SHUFFLE),
            (lambda vectors: vectors.cumsum(dim=0), _draw(4, 3), _SHUFFLE),
            (_swap_neighbours, _draw(4, 3), _SHUFFLE),
            (_swap_neighbours, _draw(4, 3), torch.tensor([2, 3, 0, 1])),
            (_number_if_positive, _draw(4, 3).abs(), _SHUFFLE),
            (_number_if_positive, -_draw(4, 3).abs(), _SHUFFLE),
        ],
        mistakes=[
            Mistake(
                lambda function, vectors, shuffle: torch.allclose(function(vectors), function(vectors[shuffle])),
                "you test invariance: the outputs must be shuffled alike, not stay where they were",
            ),
            Mistake(
                lambda function, vectors, shuffle: torch.allclose(function(vectors[shuffle]), vectors[shuffle]),
                "you compare outputs with inputs; compare the outputs of the two orders",
            ),
            Mistake(
                lambda function, vectors, shuffle: function(vectors)[shuffle].shape == function(vectors[shuffle]).shape,
                "you compare shapes only; every function here keeps the shape",
            ),
        ],
        right="a shuffle before equals a shuffle behind",
    ),
    Exercise(
        id="05.best_without_order",
        reference=_best_without_order,
        cases=[
            (_TEXTS, _LABELS),
            ([[0, 1, 2], [1, 0, 2]], [1, 0]),
            ([[0, 1], [2, 3], [1, 0], [3, 2]], [1, 1, 1, 0]),
            ([[5, 5], [5]], [0, 1]),
        ],
        mistakes=[
            Mistake(
                lambda texts, labels: max(labels.count(0), labels.count(1)) / len(labels),
                "you give one answer to all texts; a model without order still sees the words of each",
            ),
            Mistake(
                lambda texts, labels: 1.0, "you let every text have its own answer; two orders of one bag look alike"
            ),
            Mistake(
                lambda texts, labels: _best_without_order([sorted(set(text)) for text in texts], labels),
                "you drop repeated words (a set); a bag counts how often each word occurs",
            ),
        ],
        right="more data or a larger model cannot lift this bound",
    ),
    Exercise(
        id="05.tokens_seen",
        reference=lambda length: torch.arange(1, length + 1),
        cases=[(4,), (1,), (7,)],
        mistakes=[
            Mistake(lambda length: torch.arange(length), "you count from 0; a token sees itself, too"),
            Mistake(
                lambda length: torch.full((length,), length), "you let every token see all; that is without the mask"
            ),
            Mistake(
                lambda length: torch.arange(length, 0, -1), "you mask the past; a causal mask hides what comes later"
            ),
        ],
        right="the number of tokens seen tells the place",
    ),
]

QUESTIONS = [
    Question(
        "05.shuffle_five_words",
        "We shuffle the five words and run attention again. The five outputs are…",
        [
            "different vectors: each word has new neighbours",
            "the same vectors, shuffled alike",
            "the same vectors at the same places",
        ],
        answer=1,
        reason="A query meets all keys, wherever they stand, and a sum does not know its order.",
    ),
    Question(
        "05.model_without_positions",
        ("A model without positions trains on thousands of these texts. On new ones it is right in about…"),
        ["50 %: like a coin", "75 %: it learns a part", "100 %: the task is easy"],
        answer=0,
        reason=("Both answers occur with the same bags equally often, and the bag is all that it sees."),
    ),
    Question(
        "05.attention_without_positions",
        "Attention without positions and without a mask is…",
        [
            "invariant to the order of its input",
            "equivariant to the order of its input",
            "sensitive to the order of its input",
        ],
        answer=1,
        reason="The outputs are shuffled like the inputs. Only a mean over them is invariant.",
    ),
    Question(
        "05.model_without_positions_2",
        "A model without positions is right in 50 % of the texts. What helps?",
        ["More layers", "More training texts", "Positions, or a causal mask"],
        answer=2,
        reason=("What is built of equivariant parts is equivariant, and texts with one bag stay alike."),
    ),
    Question(
        "05.causal_model_tell",
        "How can a causal model tell the third place from the tenth?",
        ["It cannot", "By how many words it can see", "By the value of the ids"],
        answer=1,
        reason="The third sees three words, the tenth ten; a mixture of them depends on that number.",
    ),
]

"""Lesson 05: self-attention without positions is permutation-equivariant."""

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


def _add_python_sum(vectors: torch.Tensor) -> torch.Tensor:
    """Equivariant up to rounding: 0.1 + 0.2 + 0.3 depends on the order of the terms."""
    return vectors + sum(vectors)


def _reverse(vectors: torch.Tensor) -> torch.Tensor:
    return vectors.flip(0)


def _number_if_positive(vectors: torch.Tensor) -> torch.Tensor:
    return _number_the_rows(vectors) if vectors.sum() > 0 else vectors


def _is_equivariant(function, vectors: torch.Tensor, permutation: torch.Tensor) -> bool:
    return torch.allclose(function(vectors)[permutation], function(vectors[permutation]))


def _swap_neighbours(vectors: torch.Tensor) -> torch.Tensor:
    """Equivariant to some orders only."""
    return vectors[[1, 0, 3, 2]]


_PERMUTATION = torch.tensor([2, 0, 3, 1])
_SEQUENCES = [[1, 2, 3], [3, 2, 1], [2, 1, 3], [4, 4, 5], [4, 5, 4], [6, 7]]
_LABELS = [1, 0, 1, 1, 1, 0]


def _best_without_order(sequences: list, labels: list) -> float:
    bags: dict = {}
    for sequence, label in zip(sequences, labels, strict=True):
        bags.setdefault(tuple(sorted(sequence)), []).append(label)
    return sum(max(bag.count(0), bag.count(1)) for bag in bags.values()) / len(sequences)


def _unchanged_outputs(permutation: torch.Tensor) -> torch.Tensor:
    positions = torch.arange(len(permutation))
    return (permutation == positions) & (permutation.cummax(dim=0).values == positions)


EXERCISES = [
    Exercise(
        id="05.is_equivariant",
        reference=_is_equivariant,
        cases=[
            (_softmax_mix, _draw(4, 3), _PERMUTATION),
            (_number_the_rows, _draw(4, 3), _PERMUTATION),
            (_number_the_rows, _draw(4, 3), torch.arange(4)),
            (_mean, _draw(4, 3), _PERMUTATION),
            (torch.exp, _draw(4, 3), _PERMUTATION),
            (lambda vectors: vectors.cumsum(dim=0), _draw(4, 3), _PERMUTATION),
            (_reverse, _draw(4, 3), torch.tensor([3, 2, 1, 0])),
            (_reverse, _draw(4, 3), torch.tensor([1, 0, 2, 3])),
            (_number_if_positive, _draw(4, 3).abs(), _PERMUTATION),
            (_number_if_positive, -_draw(4, 3).abs(), _PERMUTATION),
            (_add_python_sum, torch.tensor([[0.1], [0.2], [0.3]], dtype=torch.float64), torch.tensor([1, 2, 0])),
            (_softmax_mix, _draw(4, 3), _PERMUTATION),
            (_number_the_rows, _draw(4, 3), _PERMUTATION),
            (_mean, _draw(4, 3), _PERMUTATION),
            (torch.exp, _draw(4, 3), _PERMUTATION),
            (lambda vectors: vectors.cumsum(dim=0), _draw(4, 3), _PERMUTATION),
            (_swap_neighbours, _draw(4, 3), _PERMUTATION),
            (_swap_neighbours, _draw(4, 3), torch.tensor([2, 3, 0, 1])),
            (_number_if_positive, _draw(4, 3).abs(), _PERMUTATION),
            (_number_if_positive, -_draw(4, 3).abs(), _PERMUTATION),
        ],
        mistakes=[
            Mistake(
                lambda function, vectors, permutation: torch.allclose(
                    function(vectors), function(vectors[permutation])
                ),
                "you test invariance: the outputs must be permuted as well",
            ),
            Mistake(
                lambda function, vectors, permutation: torch.allclose(
                    function(vectors[permutation]), vectors[permutation]
                ),
                "you compare outputs with inputs; compare the outputs of the two orders",
            ),
            Mistake(
                lambda function, vectors, permutation: (
                    function(vectors)[permutation].shape == function(vectors[permutation]).shape
                ),
                "your answer is always True, as when only shapes are compared; compare the values",
            ),
            Mistake(
                lambda function, vectors, permutation: torch.equal(
                    function(vectors)[permutation], function(vectors[permutation])
                ),
                "you compare bit by bit; a sum in another order is rounded differently, so use torch.allclose",
            ),
            Mistake(
                lambda function, vectors, permutation: torch.allclose(
                    function(vectors)[permutation.argsort()], function(vectors[permutation])
                ),
                "you apply the inverse permutation to the outputs; apply the same one",
            ),
        ],
        right="use it on every layer that should not depend on order",
    ),
    Exercise(
        id="05.best_without_order",
        reference=_best_without_order,
        cases=[
            (_SEQUENCES, _LABELS),
            ([[0, 1, 2], [1, 0, 2]], [1, 0]),
            ([[0, 1], [2, 3], [1, 0], [3, 2]], [1, 1, 1, 0]),
            ([[5, 5], [5]], [0, 1]),
            ([[1, 2], [2, 1], [2, 1], [9]], [0, 0, 1, 0]),
        ],
        mistakes=[
            Mistake(
                lambda sequences, labels: max(labels.count(0), labels.count(1)) / len(labels),
                "you give one answer to all sequences; a model without order still knows the words of each",
            ),
            Mistake(
                lambda sequences, labels: 1.0,
                "you give every sequence its own answer; sequences with the same bag must share one",
            ),
            Mistake(
                lambda sequences, labels: _best_without_order([sorted(set(each)) for each in sequences], labels),
                "you drop repeated words (a set); a bag of words counts how often each word occurs",
            ),
            Mistake(
                lambda sequences, labels: _best_without_order(sequences, labels) * len(sequences),
                "you return the number of right answers; divide it by the number of sequences",
            ),
        ],
        right="more data or a larger model cannot exceed this bound",
    ),
    Exercise(
        id="05.unchanged_outputs",
        reference=_unchanged_outputs,
        cases=[
            (torch.tensor([0, 2, 1, 3]),),
            (torch.tensor([1, 0, 2, 3, 4]),),
            (torch.tensor([0, 1, 4, 3, 2]),),
            (torch.tensor([2, 0, 1]),),
            (torch.arange(4),),
            (torch.tensor([0, 1, 3, 2, 5, 4, 6]),),
        ],
        mistakes=[
            Mistake(
                lambda permutation: permutation == torch.arange(len(permutation)),
                "you compare positions only; a token at the same position can have other tokens before it",
            ),
            Mistake(
                lambda permutation: permutation.cummax(dim=0).values == torch.arange(len(permutation)),
                "you compare the first t + 1 tokens with the old ones; this token may have been elsewhere",
            ),
            Mistake(
                lambda permutation: (permutation == torch.arange(len(permutation))).cumprod(dim=0).bool(),
                "you ask for the same order of the earlier tokens; one layer sees only which tokens they are",
            ),
            Mistake(
                lambda permutation: torch.arange(len(permutation)) == len(permutation) - 1,
                "you name the last position only; look at the earlier ones, and at what the last one held before",
            ),
        ],
        right="with two layers, only an unchanged beginning of the sequence keeps its outputs",
    ),
]

QUESTIONS = [
    Question(
        "05.permuted_input",
        "We permute the five words and run attention again. The five outputs are…",
        [
            "different vectors: each word has new neighbours",
            "the same vectors, permuted in the same way",
            "the same vectors in the same order as before",
        ],
        answer=1,
        reason="A query is compared with all keys, and a sum does not depend on the order of its terms.",
    ),
    Question(
        "05.accuracy_without_positions",
        "A model without positions is trained on thousands of these sequences. Its accuracy on new ones is about…",
        [
            "50 %: it can only guess",
            "75 %: the other tokens give some evidence",
            "100 %: attention compares token 0 with token 1",
        ],
        answer=0,
        reason="Both answers are equally frequent for every bag of words, and the bag is all that the model sees.",
    ),
    Question(
        "05.causal_last_output",
        "One causal layer without positions. We permute all tokens but the last. Which outputs depend on the order?",
        [
            "all of them: the mask reveals every position",
            "only the last: it attends to the most tokens",
            "all but the last: it attends to the same tokens as before",
        ],
        answer=2,
        reason="The mask hides nothing from the last token, so its output is a function of a bag of words and itself.",
    ),
    Question(
        "05.equivariant_or_invariant",
        "Self-attention without positions and without a mask is…",
        [
            "permutation-invariant",
            "permutation-equivariant",
            "neither, because the softmax depends on the order",
        ],
        answer=1,
        reason="The outputs are permuted like the inputs. Their mean is invariant.",
    ),
    Question(
        "05.what_raises_accuracy",
        "A bidirectional model without positions answers 50 % of the questions about order. What raises this?",
        ["more layers", "more training data", "positional information"],
        answer=2,
        reason="Any depth is equivariant, and data cannot separate two sequences with the same bag of words.",
    ),
    Question(
        "05.causal_last_output_depth",
        "In a causal model without positional embeddings, the last output depends on the order of earlier tokens…",
        ["in no layer", "from the first layer on", "from the second layer on"],
        answer=2,
        reason="In the first layer it depends on their bag only; the second reads outputs that depend on the order.",
    ),
]

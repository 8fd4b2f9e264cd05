"""Lesson 08: information in the sum of a word and a position embedding."""

import math

import torch
from torch.nn.functional import normalize, one_hot

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int, seed: int = 8) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _scores(vectors: torch.Tensor, classes: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    return new @ (torch.linalg.pinv(vectors) @ one_hot(classes).double())


def _probe(vectors: torch.Tensor, classes: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    return _scores(vectors, classes, new).argmax(dim=1)


def _with_bias(vectors: torch.Tensor) -> torch.Tensor:
    return torch.cat([vectors, torch.ones(len(vectors), 1, dtype=vectors.dtype)], dim=1)


def _probe_case(seed: int, num_classes: int, dim: int, count: int, num_new: int) -> tuple[torch.Tensor, ...]:
    """Overlapping classes in correlated dimensions of unequal scale, so that the nearest mean is often wrong.

    Returns:
        vectors (count, dim), classes (count,) and up to ``num_new`` new vectors whose best two scores differ by 0.1.
    """
    mixing = _draw(dim, dim, seed=seed) * torch.logspace(0, 1.3, dim, dtype=torch.float64)
    total = count + 4 * num_new
    classes = torch.randint(num_classes, (total,), generator=torch.Generator().manual_seed(seed + 2))
    centres, noise = 2 * _draw(num_classes, dim, seed=seed + 1), _draw(total, dim, seed=seed + 3)
    vectors = (centres[classes] + noise) @ mixing
    seen, labels, new = vectors[:count], classes[:count], vectors[count:]
    best = _scores(seen, labels, new).topk(2).values
    return seen, labels, new[best[:, 0] - best[:, 1] > 0.1][:num_new]


def _score_terms(
    words: torch.Tensor, positions: torch.Tensor, w_query: torch.Tensor, w_key: torch.Tensor
) -> torch.Tensor:
    parts = (words, positions)
    return torch.stack([(a @ w_query) @ (b @ w_key).T for a in parts for b in parts])


EXERCISES = [
    Exercise(
        id="08.as_concatenation",
        reference=lambda weight: torch.cat([weight, weight], dim=1),
        cases=[(_draw(3, 4),), (_draw(5, 2),), (_draw(4, 4),)],
        mistakes=[
            Mistake(
                lambda weight: torch.cat([weight, weight], dim=0),
                "you stack the copies vertically, which doubles the output; the input is what doubles",
            ),
            Mistake(
                lambda weight: torch.cat([weight, torch.zeros_like(weight)], dim=1),
                "you multiply the position by zeros, so it is lost; in a sum both parts meet the same weights",
            ),
            Mistake(
                lambda weight: torch.block_diag(weight, weight), "you keep word and position apart; the sum mixes them"
            ),
            Mistake(
                lambda weight: 2 * weight,
                "you double the values of the weights; the matrix needs twice as many columns",
            ),
        ],
        right="for a linear layer, adding is concatenating with one weight matrix used twice",
    ),
    Exercise(
        id="08.balancing_factor",
        reference=lambda std, d_model: math.sqrt(d_model / 2) / (std * math.sqrt(d_model)),
        cases=[(1.0, 768), (0.02, 768), (1 / math.sqrt(512), 512), (0.1, 10)],
        mistakes=[
            Mistake(
                lambda std, d_model: std * math.sqrt(2),
                "you return the norm of the word divided by that of the position; the factor is the inverse",
            ),
            Mistake(
                lambda std, d_model: 1 / std,
                "you take √d for the norm of the position; a sinusoidal one has √(d/2)",
            ),
            Mistake(
                lambda std, d_model: math.sqrt(d_model),
                "√d is the right order only for std = 1/√d; let the factor depend on std",
            ),
            Mistake(
                lambda std, d_model: math.sqrt(d_model / 2) / std,
                "you take std for the norm of the word; with d dimensions it is std · √d",
            ),
        ],
        right="√(1/2) / std, whatever d is; for std = 1/√d that is √(d/2)",
    ),
    Exercise(
        id="08.probe",
        reference=_probe,
        cases=[_probe_case(20, 3, 6, 40, 16), _probe_case(30, 5, 6, 60, 24)],
        mistakes=[
            Mistake(
                lambda vectors, classes, new: _probe(vectors, classes, vectors),
                "you predict the vectors that the matrix was fitted on; predict the new ones",
            ),
            Mistake(
                lambda vectors, classes, new: (
                    (new @ (torch.linalg.pinv(vectors) @ classes.double())).round().long().clamp(0, int(classes.max()))
                ),
                "you fitted the class number itself; class numbers are labels, so fit one-hot rows",
            ),
            Mistake(_scores, "you return the scores; the prediction is the class with the largest score, argmax"),
            Mistake(
                lambda vectors, classes, new: (new @ (vectors.T @ one_hot(classes).double())).argmax(dim=1),
                "you use the transpose instead of the pseudoinverse (the sum of each class); fit by least squares",
            ),
            Mistake(
                lambda vectors, classes, new: classes[torch.cdist(new, vectors).argmin(dim=1)],
                "you copy the class of the nearest vector; fit one matrix by least squares",
            ),
            Mistake(
                lambda vectors, classes, new: classes[
                    (normalize(new, dim=1) @ normalize(vectors, dim=1).T).argmax(dim=1)
                ],
                "you copy the class of the vector with the largest cosine; fit one matrix by least squares",
            ),
            Mistake(
                lambda vectors, classes, new: _probe(_with_bias(vectors), classes, _with_bias(new)),
                "you fit a bias as well; the exercise asks for a matrix alone",
            ),
        ],
        right="a linear probe measures what one linear layer can read from a vector",
    ),
    Exercise(
        id="08.score_terms",
        reference=_score_terms,
        cases=[
            (_draw(3, 4), _draw(3, 4, seed=9), _draw(4, 4, seed=10), _draw(4, 4, seed=11)),
            (_draw(5, 2), _draw(5, 2, seed=9), _draw(2, 2, seed=10), _draw(2, 2, seed=11)),
            (_draw(4, 4), _draw(4, 4, seed=9), _draw(4, 4, seed=10), _draw(4, 4, seed=11)),
        ],
        mistakes=[
            Mistake(
                lambda words, positions, w_query, w_key: _score_terms(words, positions, w_query, w_key)[[0, 2, 1, 3]],
                "you swapped the two mixed terms: in word–position the query is a word and the key a position",
            ),
            Mistake(
                lambda words, positions, w_query, w_key: _score_terms(words, positions, w_query, w_key).mT,
                "you swapped the axes: the row belongs to the query, the column to the key",
            ),
            Mistake(
                lambda words, positions, w_query, w_key: _score_terms(words, positions, w_key, w_query),
                "you swapped the projections of query and key",
            ),
            Mistake(
                lambda words, positions, w_query, w_key: _score_terms(words, positions, w_query, w_key).sum(dim=0),
                "you return the score itself; return its four terms",
            ),
            Mistake(
                lambda words, positions, w_query, w_key: (
                    _score_terms(words, positions, w_query, w_key) / math.sqrt(words.shape[1])
                ),
                "you divide by √d; the exercise asks for the terms before that",
            ),
        ],
        right="TUPE keeps the first and the last term, with separate projections for positions",
    ),
]

QUESTIONS = [
    Question(
        "08.weights_after_concatenation",
        "A linear layer from dimension 768 to 768 has 589,824 weights. How many for concatenated word and position?",
        ["589,824: it still has 768 outputs", "1,179,648: twice as many", "2,359,296: four times as many"],
        answer=1,
        reason="The input has dimension 1,536 and the output 768: 1,536 × 768.",
    ),
    Question(
        "08.what_a_probe_reads",
        "Two probes predict the word and the (sinusoidal) position of unseen sums. How often are they right?",
        [
            "word and position nearly always",
            "the word nearly always, the position about half of the time",
            "the word nearly always, the position no better than chance",
        ],
        answer=1,
        reason="Neighbouring sinusoidal positions have a cosine of 0.97, so noise makes the probe confuse them.",
    ),
    Question(
        "08.what_concatenation_adds",
        "What can a linear layer compute from concatenated vectors that it cannot compute from their sum?",
        [
            "anything that depends on the position",
            "different linear functions of word and position",
            "nothing: the two are equivalent",
        ],
        answer=1,
        reason="On the sum, the same weights act on word and position.",
    ),
    Question(
        "08.small_words_large_positions",
        "Word embeddings with std 0.02 and sinusoidal positions (d = 768) are added as they are. What happens?",
        [
            "the position dominates the sum",
            "the word dominates the sum",
            "both have about the same norm",
        ],
        answer=0,
        reason="The norms are 0.55 and 19.6: the word is 35 times smaller.",
    ),
    Question(
        "08.why_sqrt_d",
        "Why does the original transformer multiply word embeddings by √d?",
        [
            "the paper proves that √d gives the smallest loss",
            "the paper gives no reason; weight tying and the norm of the positions offer an explanation",
            "it undoes the division by √d in the attention score",
        ],
        answer=1,
        reason="A tied matrix should have small rows as output layer, and rows comparable to the positions as input.",
    ),
]

"""Lesson 08: what a sum of word and position keeps."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int, seed: int = 8) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _classes(count: int, number: int, seed: int) -> torch.Tensor:
    return torch.randint(number, (count,), generator=torch.Generator().manual_seed(seed))


def _probe(vectors: torch.Tensor, classes: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    wanted = torch.nn.functional.one_hot(classes).double()
    return (new @ (torch.linalg.pinv(vectors) @ wanted)).argmax(dim=1)


_CENTRES = 3 * torch.cat([torch.eye(4), -torch.ones(1, 4)]).double()  # five, around the origin
_SEEN, _NEW = _classes(60, 5, 2), _classes(20, 5, 3)
_POINTS, _OTHERS = _CENTRES[_SEEN] + _draw(60, 4, seed=4) / 4, _CENTRES[_NEW] + _draw(20, 4, seed=5) / 4


def _beside_noise(vectors: torch.Tensor, seed: int) -> torch.Tensor:
    """The vectors with one more component, of large random numbers: a fitted matrix ignores it, distances do not."""
    return torch.cat([vectors, 50 * _draw(len(vectors), 1, seed=seed)], dim=1)


EXERCISES = [
    Exercise(
        id="08.as_concatenation",
        reference=lambda weight: torch.cat([weight, weight], dim=1),
        cases=[(_draw(3, 4),), (_draw(5, 2),), (_draw(4, 4),)],
        mistakes=[
            Mistake(
                lambda weight: torch.cat([weight, weight], dim=0),
                "you put the copies below each other: that doubles the output; the input is what doubles",
            ),
            Mistake(
                lambda weight: torch.cat([weight, torch.zeros_like(weight)], dim=1),
                "your position is multiplied by zeros: it is lost; in a sum both parts meet the same weights",
            ),
            Mistake(
                lambda weight: torch.block_diag(weight, weight), "you keep word and position apart; the sum mixes them"
            ),
            Mistake(
                lambda weight: 2 * weight, "you double the weights; the input is twice as wide, so they must be, too"
            ),
        ],
        right="adding is concatenating with one weight matrix used twice",
    ),
    Exercise(
        id="08.probe",
        reference=_probe,
        cases=[
            (_POINTS, _SEEN, _OTHERS),
            (_POINTS[:40], _SEEN[:40], _POINTS[40:]),
            (_beside_noise(_POINTS, 6), _SEEN, _beside_noise(_OTHERS, 7)),
        ],
        mistakes=[
            Mistake(
                lambda vectors, classes, new: _probe(vectors, classes, vectors),
                "you answer for the vectors you fitted on; answer for the new ones",
            ),
            Mistake(
                lambda vectors, classes, new: (
                    (new @ (torch.linalg.pinv(vectors) @ classes.double())).round().long().clamp(0, 4)
                ),
                "you fitted the class number itself; classes are labels, so fit a one-hot row for each",
            ),
            Mistake(
                lambda vectors, classes, new: (
                    new @ (torch.linalg.pinv(vectors) @ torch.nn.functional.one_hot(classes).double())
                ),
                "you give the scores; the answer is the class with the largest score, argmax",
            ),
        ],
        right="a linear probe shows what a vector holds in reach of a single layer",
    ),
    Exercise(
        id="08.loudness",
        reference=lambda std, d_model: std * math.sqrt(d_model) / math.sqrt(d_model / 2),
        cases=[(1.0, 768), (0.02, 768), (1 / math.sqrt(512), 512)],
        mistakes=[
            Mistake(
                lambda std, d_model: std * math.sqrt(d_model), "you give the word's norm; divide by the position's"
            ),
            Mistake(
                lambda std, d_model: 1 / (std * math.sqrt(2)),
                "you give position over word; the word is asked over the position",
            ),
            Mistake(
                lambda std, d_model: std * math.sqrt(d_model) / math.sqrt(d_model),
                "you take sqrt(d) for the position; a sinusoidal one is sqrt(d / 2) long",
            ),
        ],
        right="0.02 makes the word 35 times quieter than its place",
    ),
]

QUESTIONS = [
    Question(
        "08.layer_numbers_weights",
        (
            "A layer from 768 to 768 numbers has 589,824 weights. How many for concatenated vectors, "
            "both parts 768 wide?"
        ),
        ["589,824", "1,179,648", "2,359,296"],
        answer=1,
        reason="The input is 1,536 wide: 768 × 1,536.",
    ),
    Question(
        "08.probe_reads_word",
        ("The probe reads the word from unseen sums, and, with another matrix, the place. How often is it right?"),
        ["Neither: they are mixed for good", "The word nearly always, the place by chance", "Both nearly always"],
        answer=2,
        reason="In 128 dimensions 50 words and 32 places find room for directions of their own.",
    ),
    Question(
        "08.layer_concatenated_vectors",
        "What can a layer do with concatenated vectors that it cannot do with a sum?",
        ["Read the place at all", "Use different weights for word and place", "Nothing"],
        answer=1,
        reason="For the sum both halves of its weights are equal. That is the only difference.",
    ),
    Question(
        "08.words_std_sinusoidal",
        "Words with std 0.02 and sinusoidal places, added as they are. What happens?",
        ["The place drowns the word", "The word drowns the place", "They are balanced"],
        answer=0,
        reason="0.55 beside 19.6: the word is 35 times quieter.",
    ),
    Question(
        "08.original_transformer_multiply",
        "Why does the original transformer multiply word vectors by sqrt(d)?",
        ["It is proved to be best", "The paper does not say", "To make training faster"],
        answer=1,
        reason=("It balances the two norms for words of std 1/sqrt(d); the paper itself gives no reason."),
    ),
]

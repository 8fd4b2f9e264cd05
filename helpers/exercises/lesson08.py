"""Lesson 08: what a sum of word and position keeps."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake


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
        cases=[(_POINTS, _SEEN, _OTHERS), (_POINTS[:40], _SEEN[:40], _POINTS[40:])],
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

"""Lesson 07: sinusoidal positions."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question


def _frequencies(d_model: int, base: float) -> torch.Tensor:
    return base ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)


def _table(length: int, frequencies: torch.Tensor, start: int = 0) -> torch.Tensor:
    angles = torch.arange(start, start + length, dtype=torch.float64)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _sinusoid(length: int, d_model: int, base: float) -> torch.Tensor:
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    return _table(length, _frequencies(d_model, base))


def _halves(length: int, d_model: int, base: float) -> torch.Tensor:
    table = _sinusoid(length, d_model, base)
    return torch.cat([table[:, 0::2], table[:, 1::2]], dim=1)


def _shift(offset: int, d_model: int, base: float, sign: float = 1.0) -> torch.Tensor:
    angles = offset * _frequencies(d_model, base)
    cos, sin = torch.diag(angles.cos()), sign * torch.diag(angles.sin())
    return torch.cat([torch.cat([cos, sin], dim=1), torch.cat([-sin, cos], dim=1)])


def _interleaved_shift(offset: int, d_model: int, base: float) -> torch.Tensor:
    order = torch.arange(d_model).reshape(2, -1).T.flatten()  # sine 0, cosine 0, sine 1, …
    return _shift(offset, d_model, base)[order][:, order]


def _base_for_length(length: int, d_model: int) -> float:
    return (length / (2 * math.pi)) ** (d_model / (d_model - 2))


EXERCISES = [
    Exercise(
        id="07.sinusoid",
        reference=_sinusoid,
        cases=[(5, 6, 10_000.0), (40, 16, 10_000.0), (7, 4, 100.0), (1, 2, 10.0)],
        mistakes=[
            Mistake(
                lambda length, d_model, base: _table(length, 1 / _frequencies(d_model, base)),
                "you lost the minus sign of the exponent: the frequencies grow instead of shrinking",
            ),
            Mistake(_halves, "you put all sines before all cosines; interleave them: sine, cosine, sine, cosine"),
            Mistake(
                lambda length, d_model, base: _table(length, _frequencies(d_model, base), start=1),
                "you count positions from 1; the first row is position 0",
            ),
            Mistake(
                lambda length, d_model, base: _table(length, base ** (-torch.arange(d_model // 2).double() / d_model)),
                "you use −i / d in the exponent; it is −2i / d, so that the last frequency comes near to 1 / base",
            ),
            Mistake(
                lambda length, d_model, base: _table(length, _frequencies(d_model, base)).roll(1, dims=1),
                "you shifted the dimensions by one; dimension 0 is a sine",
            ),
            Mistake(
                lambda length, d_model, base: (
                    _table(length, _frequencies(d_model, base)).reshape(length, -1, 2).flip(2).flatten(1)
                ),
                "you put the cosine first; the even dimensions hold the sines",
            ),
        ],
        raises=[((4, 5, 100.0), ValueError, "an odd d_model must raise a ValueError: one sine would have no cosine")],
        tolerance=1e-6,
        right="nothing in this table is trained",
    ),
    Exercise(
        id="07.base_for_length",
        reference=_base_for_length,
        cases=[(512, 64), (100, 4), (8192, 128), (1024, 6)],
        mistakes=[
            Mistake(
                lambda length, d_model: length / (2 * math.pi),
                "you take base^1 for the slowest pair; its exponent is (d − 2)/d",
            ),
            Mistake(
                lambda length, d_model: (length / (2 * math.pi)) ** ((d_model - 2) / d_model),
                "you raise to (d − 2)/d; to solve base^((d − 2)/d) for the base, raise to d/(d − 2)",
            ),
            Mistake(
                lambda length, d_model: float(length) ** (d_model / (d_model - 2)),
                "you forgot 2π: a full turn is 2π radians, so the frequency is 2π / length",
            ),
            Mistake(
                lambda length, d_model: 2 * math.pi * length ** (d_model / (d_model - 2)),
                "you have 2π on the wrong side: divide length by 2π before you take the power",
            ),
        ],
        tolerance=1e-6,
        right="lesson 11 looks at the bases that models use for long contexts",
    ),
    Exercise(
        id="07.shift_matrix",
        reference=_shift,
        cases=[(3, 4, 100.0), (-2, 6, 10_000.0), (0, 4, 100.0), (50, 8, 10_000.0)],
        mistakes=[
            Mistake(
                lambda offset, d_model, base: _shift(offset, d_model, base, sign=-1.0),
                "you rotate in the opposite direction: this matrix takes p to p − offset",
            ),
            Mistake(
                _interleaved_shift,
                "this matrix is for interleaved sines and cosines; here all sines come first",
            ),
            Mistake(
                lambda offset, d_model, base: _shift(offset, d_model, 1.0),
                "you rotate every pair by the same angle; pair i rotates by offset × frequency i",
            ),
            Mistake(
                lambda offset, d_model, base: _shift(1, d_model, base),
                "you rotate by one position only; multiply the frequencies by the offset",
            ),
        ],
        tolerance=1e-6,
        right="one matrix for every position: RoPE (lesson 09) applies this rotation to queries and keys",
    ),
]

QUESTIONS = [
    Question(
        "07.fastest_dimensions",
        "Which dimensions of the vector change fastest from one position to the next?",
        [
            "the first: pair 0 rotates by one radian per position",
            "the last: the frequency grows with the index of the pair",
            "none: all pairs rotate at the same rate, from different angles",
        ],
        answer=0,
        reason="The frequency is base^(−2i/d): 1 for i = 0, and nearly 1/10,000 for the last pair.",
    ),
    Question(
        "07.dot_product_of_offsets",
        "Compare the dot product of positions 10 and 13 with that of positions 200 and 203.",
        [
            "the first is larger: early positions are more similar",
            "the second is larger: the slow pairs have rotated further",
            "they are equal",
        ],
        answer=2,
        reason="The angle between two pairs is 3 × frequency in both cases.",
    ),
    Question(
        "07.trained_parameters",
        "How many trained parameters does a sinusoidal table of 512 positions with dimension 768 have?",
        ["393,216, one per entry", "384, one frequency per pair", "none"],
        answer=2,
        reason="All entries and frequencies follow from the formula. The learned matrix of lesson 06 has 393,216.",
    ),
    Question(
        "07.what_dot_products_tell",
        "What does the dot product of two sinusoidal positions tell you?",
        [
            "roughly how far apart they are",
            "which one comes first",
            "how far apart they are, and which one comes first",
        ],
        answer=0,
        reason="It is the same for +k and −k, and falls with the distance only as a trend.",
    ),
    Question(
        "07.shift_by_k",
        "What takes PE(p) to PE(p + k)?",
        [
            "a rotation that depends on p and k",
            "one rotation that depends on k alone",
            "adding a vector that depends on k alone",
        ],
        answer=1,
        reason="Each pair rotates by k times its frequency, whatever p is.",
    ),
]

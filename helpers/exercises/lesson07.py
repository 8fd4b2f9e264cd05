"""Lesson 07: sines and cosines, a clock with many hands."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question


def _speeds(d_model: int, base: float) -> torch.Tensor:
    return base ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)


def _table(length: int, speeds: torch.Tensor, start: int = 0) -> torch.Tensor:
    angles = torch.arange(start, start + length, dtype=torch.float64)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _sinusoid(length: int, d_model: int, base: float) -> torch.Tensor:
    if d_model % 2:
        raise ValueError(f"d_model must be even, got {d_model}")
    return _table(length, _speeds(d_model, base))


def _halves(length: int, d_model: int, base: float) -> torch.Tensor:
    table = _sinusoid(length, d_model, base)
    return torch.cat([table[:, 0::2], table[:, 1::2]], dim=1)


def _shift(offset: int, d_model: int, base: float, sign: float = 1.0) -> torch.Tensor:
    matrix = torch.zeros(d_model, d_model, dtype=torch.float64)
    for i, speed in enumerate(_speeds(d_model, base).tolist()):
        cos, sin = math.cos(offset * speed), sign * math.sin(offset * speed)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.tensor([[cos, sin], [-sin, cos]])
    return matrix


def _wavelengths(d_model: int, base: float) -> torch.Tensor:
    return 2 * math.pi / _speeds(d_model, base)


EXERCISES = [
    Exercise(
        id="07.sinusoid",
        reference=_sinusoid,
        cases=[(5, 6, 10_000.0), (40, 16, 10_000.0), (7, 4, 100.0), (1, 2, 10.0)],
        mistakes=[
            Mistake(
                lambda length, d_model, base: _table(length, 1 / _speeds(d_model, base)),
                "you lost the minus sign of the exponent: the frequencies grow instead of shrinking",
            ),
            Mistake(_halves, "you put all sines before all cosines; here they alternate: sine, cosine, sine, cosine"),
            Mistake(
                lambda length, d_model, base: _table(length, _speeds(d_model, base), start=1),
                "you count positions from 1; the first row is position 0",
            ),
            Mistake(
                lambda length, d_model, base: _table(length, base ** (-torch.arange(d_model // 2).double() / d_model)),
                "you use i / d in the exponent; it is 2i / d, so that the last pair comes near to the base",
            ),
            Mistake(
                lambda length, d_model, base: _table(length, _speeds(d_model, base)).roll(1, dims=1),
                "you start a pair with the wrong half; the even dimensions hold the sines",
            ),
            Mistake(
                lambda length, d_model, base: (
                    _table(length, _speeds(d_model, base)).reshape(length, -1, 2).flip(2).flatten(1)
                ),
                "you put the cosine first; the even dimensions hold the sines",
            ),
        ],
        raises=[((4, 5, 100.0), ValueError, "an odd width must raise ValueError: one sine would have no cosine")],
        tolerance=1e-6,
        right="nothing in this table is trained",
    ),
    Exercise(
        id="07.shift_matrix",
        reference=_shift,
        cases=[(3, 4, 100.0), (-2, 6, 10_000.0), (0, 4, 100.0), (50, 8, 10_000.0)],
        mistakes=[
            Mistake(
                lambda offset, d_model, base: _shift(offset, d_model, base, sign=-1.0),
                "you turn the other way: this matrix takes p to p − offset",
            ),
            Mistake(
                lambda offset, d_model, base: _shift(offset, d_model, 1.0),
                "you turn every pair by the same angle; pair i turns by offset × speed i",
            ),
            Mistake(
                lambda offset, d_model, base: _shift(1, d_model, base),
                "you turn by one position only; multiply the speeds by the offset",
            ),
        ],
        tolerance=1e-6,
        right="one matrix for every position: to move is to turn",
    ),
    Exercise(
        id="07.wavelengths",
        reference=_wavelengths,
        cases=[(8, 10_000.0), (4, 100.0), (2, 10.0)],
        mistakes=[
            Mistake(
                _speeds, "you give the speeds; the wavelength is the number of positions to a full turn: 2π / speed"
            ),
            Mistake(
                lambda d_model, base: _wavelengths(d_model, base).flip(0),
                "you have the order reversed: the first pair is the fastest, with the shortest wave",
            ),
            Mistake(lambda d_model, base: 1 / _speeds(d_model, base), "you forgot 2π: a full turn is 2π, not 1"),
        ],
        tolerance=1e-6,
        right="from 6.28 positions up to nearly 2π × base",
    ),
]

QUESTIONS = [
    Question(
        "07.numbers_vector_change",
        "Which numbers of the vector change fastest from place to place?",
        [
            "The first: hand 0 turns by a whole radian a step",
            "The last: they have the largest index",
            "All change alike",
        ],
        answer=0,
        reason=(
            "The speed is base^(−2i/d): 1 for i = 0, and nearly 1/10,000 for the last hand. Often taught reversed."
        ),
    ),
    Question(
        "07.dot_product_places",
        "The dot product of places 10 and 13, and of places 200 and 203:",
        ["the first is larger", "the second is larger", "they are equal"],
        answer=2,
        reason="Between the hands stands the angle 3 × speed, wherever the two begin.",
    ),
    Question(
        "07.numbers_sinusoidal_table",
        "How many numbers of a sinusoidal table of 512 × 768 are trained?",
        ["393,216", "768", "None"],
        answer=2,
        reason="It is a formula. The learned table of lesson 06 has 393,216.",
    ),
    Question(
        "07.dot_product_position",
        "What does the dot product of two position vectors tell?",
        ["How far apart they are, roughly", "Which one comes first", "Both"],
        answer=0,
        reason="It is the same for +k and −k, and falls with the distance only as a trend.",
    ),
    Question(
        "07.takes",
        "What takes PE(p) to PE(p + k)?",
        ["A matrix that depends on p and k", "One rotation that depends on k alone", "Adding a vector for k"],
        answer=1,
        reason="Each hand turns by k × its speed, wherever it stands.",
    ),
]

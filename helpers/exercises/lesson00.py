"""Lesson 00: two small exercises that show that everything works."""

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question


def _vectors(*pairs: tuple[list[float], list[float]]) -> list[tuple]:
    return [tuple(torch.tensor(vector, dtype=torch.float64) for vector in pair) for pair in pairs]


EXERCISES = [
    Exercise(
        id="00.first_tensor",
        reference=torch.arange(6).reshape(2, 3),
        requires=["kind"],
        mistakes=[
            Mistake(torch.arange(6), "you have the right numbers in one row; fold them with .reshape(2, 3)"),
            Mistake(torch.arange(6).reshape(3, 2), "you swapped the sides: rows come first, then columns"),
            Mistake(torch.arange(6).reshape(3, 2).T, "you count down the columns; reading order goes along the rows"),
            Mistake(
                torch.arange(1, 7).reshape(2, 3),
                "you count from 1; here, as everywhere in Python, counting starts at 0",
            ),
            Mistake(
                torch.arange(6.0).reshape(2, 3), "you have floats (0. 1. 2.); whole numbers are asked for, as ids are"
            ),
        ],
        right="torch, the kernel and the checks all work",
    ),
    Exercise(
        id="00.cosine",
        reference=lambda a, b: (a @ b) / (a.norm() * b.norm()),
        cases=_vectors(([3.0, 4.0], [5.0, 12.0]), ([1.0, 2.0, 2.0], [-2.0, 1.0, 0.5]), ([0.1, 0.2], [-0.1, -0.2])),
        mistakes=[
            Mistake(lambda a, b: a @ b, "you have the dot product; divide it by both lengths"),
            Mistake(
                lambda a, b: (a @ b) / a.norm() * b.norm(),
                "you divide by one length and multiply by the other; put parentheses around the product of the lengths",
            ),
            Mistake(
                lambda a, b: (a @ b) / ((a @ a) * (b @ b)),
                "you divide by the squared lengths; take a.norm(), not a @ a",
            ),
            Mistake(
                lambda a, b: (a * b) / (a.norm() * b.norm()),
                "you multiply number by number and never add up; a @ b does both",
            ),
            Mistake(
                lambda a, b: 1 - (a @ b) / (a.norm() * b.norm()), "you have the cosine distance, 1 minus the cosine"
            ),
        ],
        right="the length of the vectors does not matter",
    ),
]

QUESTIONS = [
    Question(
        "00.tensor_holds_sentences",
        ("A tensor holds 2 sentences of 5 words, and each word is 8 numbers. How many numbers is that?"),
        ["15", "80", "58"],
        answer=1,
        reason=("2 × 5 × 8 = 80. A tensor is a box of numbers, and its shape lists the sides of the box."),
    ),
    Question(
        "00.variable_seems_value",
        "A variable seems to have a value that no cell gives it. What do you do first?",
        ["Restart the kernel and run all cells", "Run the last cell again", "Close the browser"],
        answer=0,
        reason=("The kernel remembers cells that you have changed or deleted since. A restart forgets them."),
    ),
    Question(
        "00.question",
        "x has the shape (B, T, d). Which shape has x[0]?",
        ["(B, T)", "(T, d)", "(d,)"],
        answer=1,
        reason="An index removes one side from the front: B is gone, T and d remain.",
    ),
    Question(
        "00.double_length_vector",
        "You double the length of a vector. What happens to its cosine with another vector?",
        ["It doubles", "It halves", "It stays the same"],
        answer=2,
        reason=("The cosine divides by the lengths, so only the direction counts. The dot product doubles."),
    ),
]

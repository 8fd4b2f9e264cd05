"""Lesson 00: two small exercises to test the installation."""

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
            Mistake(torch.arange(6), "you have the right numbers in one dimension; use .reshape(2, 3)"),
            Mistake(torch.arange(6).reshape(3, 2), "you swapped rows and columns: rows come first"),
            Mistake(torch.arange(6).reshape(3, 2).T, "you fill the columns first; reading order goes along the rows"),
            Mistake(
                torch.arange(1, 7).reshape(2, 3),
                "you count from 1; here, as everywhere in Python, counting starts at 0",
            ),
            Mistake(
                torch.arange(6.0).reshape(2, 3),
                "you have floats (0. 1. 2.); the exercise asks for integers (torch.long)",
            ),
        ],
        right="torch, the kernel and the checks work",
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
                "you multiply number by number and do not add up; a @ b does both",
            ),
            Mistake(lambda a, b: (a @ b) / a.norm(), "you divide by the length of a only; divide by both lengths"),
            Mistake(lambda a, b: (a @ b) / b.norm(), "you divide by the length of b only; divide by both lengths"),
            Mistake(
                lambda a, b: (a @ b) / (len(a) * len(b)),
                "len(a) is the number of dimensions; the length of a vector is a.norm()",
            ),
            Mistake(
                lambda a, b: (a @ b) / len(a),
                "len(a) is the number of dimensions, not a length; divide by a.norm() and by b.norm()",
            ),
            Mistake(lambda a, b: (a @ b) / (a.norm() + b.norm()), "you add the two lengths; divide by their product"),
            Mistake(
                lambda a, b: torch.rad2deg(torch.acos(((a @ b) / (a.norm() * b.norm())).clamp(-1, 1))),
                "you have the angle in degrees; its cosine is asked for",
            ),
            Mistake(
                lambda a, b: ((a @ b) / (a.norm() * b.norm())).abs(),
                "you take the absolute value; opposite directions have a negative cosine",
            ),
            Mistake(
                lambda a, b: torch.acos(((a @ b) / (a.norm() * b.norm())).clamp(-1, 1)),
                "you have the angle in radians; the exercise asks for its cosine",
            ),
            Mistake(
                lambda a, b: 1 - (a @ b) / (a.norm() * b.norm()), "you have the cosine distance, 1 minus the cosine"
            ),
        ],
        right="the lengths of the vectors do not matter",
    ),
]

QUESTIONS = [
    Question(
        "00.count_the_numbers",
        "An array holds 2 sentences of 5 words, with 8 numbers for each word. How many numbers is that?",
        ["15", "18", "80"],
        answer=2,
        reason="2 × 5 × 8 = 80. The number of elements is the product of the sizes in the shape.",
    ),
    Question(
        "00.strange_variable",
        "A variable seems to have a value that no cell gives it. What do you do first?",
        ["Restart the kernel and run all cells", "Run the last cell again", "Close the notebook and open it again"],
        answer=0,
        reason="The kernel keeps the variables of changed and deleted cells, even when you close the notebook.",
    ),
    Question(
        "00.shape_after_index",
        "x has the shape (B, T, d). What is the shape of x[:, 0]?",
        ["(T, d)", "(B, d)", "(B, 1, d)"],
        answer=1,
        reason="The slice : keeps B, and the integer 0 removes T.",
    ),
    Question(
        "00.longer_vector",
        "You double the length of a vector. What happens to its cosine with another vector?",
        ["It doubles", "It halves", "It stays the same"],
        answer=2,
        reason="The cosine divides by the lengths, so only the direction counts. The dot product doubles.",
    ),
]

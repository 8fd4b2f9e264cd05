"""Lesson 06: a position is a second lookup, added to the first."""

import torch

from helpers.exercises.exercise import Exercise, Mistake

_TABLE = torch.arange(24, dtype=torch.float64).reshape(6, 4) ** 2 / 10  # (max_len, d), six unlike rows


def _words(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def _add_positions(vectors: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    if vectors.shape[1] > len(table):
        raise ValueError(f"{vectors.shape[1]} tokens, but the table has {len(table)} positions")
    return vectors + table[: vectors.shape[1]]


def _texts_per_row(lengths: list[int], max_len: int) -> torch.Tensor:
    return torch.tensor([sum(length > row for length in lengths) for row in range(max_len)])


EXERCISES = [
    Exercise(
        id="06.add_positions",
        reference=_add_positions,
        cases=[
            (_words(2, 3, 4), _TABLE),
            (_words(3, 3, 4), _TABLE),
            (_words(1, 6, 4), _TABLE),
            (_words(4, 2, 4), _TABLE),
        ],
        mistakes=[
            Mistake(
                lambda vectors, table: vectors + table[: vectors.shape[0]].unsqueeze(1),
                "you let the position run along the batch: every token of text b gets the vector of position b",
            ),
            Mistake(
                lambda vectors, table: vectors + table[: vectors.shape[0]],
                "you cut the table to B rows; the tokens of a text are counted by T, the second side of the shape",
            ),
            Mistake(
                lambda vectors, table: torch.cat([vectors, table[: vectors.shape[1]].expand_as(vectors)], dim=-1),
                "you attach the position, so the width doubles; a position is added",
            ),
            Mistake(
                lambda vectors, table: vectors,
                "you give the word vectors back unchanged; the positions were never added",
            ),
            Mistake(
                lambda vectors, table: vectors + table[torch.arange(1, vectors.shape[1] + 1).clamp(max=len(table) - 1)],
                "you count positions from 1; the first token takes row 0",
            ),
            Mistake(
                lambda vectors, table: vectors + table[len(table) - vectors.shape[1] :],
                "you take the last T rows of the table; the first token takes row 0",
            ),
            Mistake(lambda vectors, table: vectors + table[0], "you give every token the vector of position 0"),
            Mistake(
                lambda vectors, table: vectors * table[: vectors.shape[1]],
                "you multiply by the position; it is added",
            ),
        ],
        raises=[
            (
                (_words(2, 7, 4), _TABLE),
                ValueError,
                "7 tokens and a table of 6 positions: raise a ValueError that says so, do not cut or wrap in silence",
            ),
        ],
        right="every text of the batch gets the same positions",
    ),
    Exercise(
        id="06.texts_per_row",
        reference=_texts_per_row,
        cases=[([3, 5, 2], 8), ([4, 4, 4], 4), ([1], 3), ([6, 1, 3, 3], 6)],
        mistakes=[
            Mistake(
                lambda lengths, max_len: torch.tensor(
                    [sum(length >= row for length in lengths) for row in range(max_len)]
                ),
                "you count one row too many: a text of 3 tokens uses rows 0, 1 and 2",
            ),
            Mistake(
                lambda lengths, max_len: torch.bincount(torch.tensor(lengths) - 1, minlength=max_len),
                "you count only where each text ends; it uses every row up to there",
            ),
            Mistake(
                lambda lengths, max_len: (_texts_per_row(lengths, max_len) > 0).long(),
                "you say whether a row was used; how many texts used it is asked for",
            ),
            Mistake(
                lambda lengths, max_len: torch.full((max_len,), len(lengths)),
                "you let every text train every row; a short text never reaches the late rows",
            ),
            Mistake(
                lambda lengths, max_len: _texts_per_row(lengths, max(lengths)),
                "your result ends with the longest text; the rows after it exist too, with a count of 0",
            ),
        ],
        right="late rows see few texts, the last ones often none",
    ),
    Exercise(
        id="06.bugs",
        reference=["swapped", "batch", "unused", "typed"],
        mistakes=[
            Mistake(
                ["batch", "swapped", "unused", "typed"],
                "you exchanged A and B: look at which table gets token_ids in A, and at which side B counts",
            ),
            Mistake(
                ["swapped", "batch", "typed", "unused"],
                "you exchanged C and D: in one of them the positions never reach the result",
            ),
            Mistake(
                ["swapped", "typed", "unused", "batch"],
                "you exchanged B and D: one counts the texts, the other holds numbers that somebody typed",
            ),
            Mistake(
                ["unused", "batch", "swapped", "typed"],
                "you exchanged A and C: both tables are used in A, only one of them in C",
            ),
        ],
        right="all four ran without an error; only a look at the numbers finds them",
    ),
]

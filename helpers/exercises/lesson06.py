"""Lesson 06: learned positional embeddings, added to word embeddings."""

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question

_TABLE = torch.arange(24, dtype=torch.float64).reshape(6, 4) ** 2 / 10  # (max_len, d), six different rows


def _words(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def _add_positions(vectors: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    if vectors.shape[1] > len(table):
        raise ValueError(f"{vectors.shape[1]} tokens, but the table has {len(table)} positions")
    return vectors + table[: vectors.shape[1]]


def _interpolate(table: torch.Tensor, new_len: int, swapped: bool = False) -> torch.Tensor:
    old = torch.linspace(0, len(table) - 1, new_len, dtype=table.dtype)
    low = old.floor().long().clamp(max=len(table) - 2)
    weight = (old - low).unsqueeze(1)
    weight = 1 - weight if swapped else weight
    return (1 - weight) * table[low] + weight * table[low + 1]


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
            (_words(2, 3, 4), _TABLE.flip(0)[:5]),
        ],
        mistakes=[
            Mistake(
                lambda vectors, table: vectors + table[: vectors.shape[0]].unsqueeze(1),
                "you let the position run along the batch: every token of sequence b gets the vector of position b",
            ),
            Mistake(
                lambda vectors, table: vectors + table[: vectors.shape[0]],
                "you take B rows of the table; the number of tokens is T, the second dimension",
                error="must match the size",
            ),
            Mistake(
                lambda vectors, table: torch.cat([vectors, table[: vectors.shape[1]].expand_as(vectors)], dim=-1),
                "you concatenate the position, so the dimension doubles; add it",
            ),
            Mistake(
                lambda vectors, table: vectors,
                "you return the word vectors unchanged; the positions were never added",
            ),
            Mistake(
                lambda vectors, table: vectors + table[torch.arange(1, vectors.shape[1] + 1).clamp(max=len(table) - 1)],
                "you count positions from 1; the first token takes row 0",
            ),
            Mistake(
                lambda vectors, table: vectors + table[1 : vectors.shape[1] + 1],
                "you take the rows from 1 on; the first token takes row 0",
                error="must match the size",
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
                "7 tokens and a table of 6 positions: raise a ValueError; do not truncate or wrap silently",
                ("7", "6"),
            ),
        ],
        right="every sequence of the batch gets the same positions",
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
                "you count one row too many: a text of 3 tokens looks up rows 0, 1 and 2",
            ),
            Mistake(
                lambda lengths, max_len: torch.bincount(torch.tensor(lengths) - 1, minlength=max_len),
                "you count only where each text ends; it uses every row up to there",
            ),
            Mistake(
                lambda lengths, max_len: (_texts_per_row(lengths, max_len) > 0).long(),
                "you return whether a row is used; the exercise asks how many texts use it",
            ),
            Mistake(
                lambda lengths, max_len: torch.full((max_len,), len(lengths)),
                "you count every text for every row; a short text never reaches the late rows",
            ),
            Mistake(
                lambda lengths, max_len: _texts_per_row(lengths, max(lengths)),
                "your result ends with the longest text; the later rows exist, too, with a count of 0",
            ),
        ],
        right="late rows see few texts, the last ones often none",
    ),
    Exercise(
        id="06.bugs",
        reference=["swapped", "batch", "unused", "hard-coded"],
        mistakes=[
            Mistake(
                ["batch", "swapped", "unused", "hard-coded"],
                "you swapped A and B: look at which embedding gets the token ids in A, and at which axis B counts",
            ),
            Mistake(
                ["swapped", "batch", "hard-coded", "unused"],
                "you swapped C and D: in one of them the positions never reach the result",
            ),
            Mistake(
                ["swapped", "hard-coded", "unused", "batch"],
                "you swapped B and D: one counts the sequences, the other has hard-coded ids",
            ),
            Mistake(
                ["unused", "batch", "swapped", "hard-coded"],
                "you swapped A and C: both embeddings are used in A, only one of them in C",
            ),
        ],
        right="all four ran without an error; only a test of the values finds them",
    ),
    Exercise(
        id="06.interpolate",
        reference=_interpolate,
        cases=[(_TABLE, 11), (_TABLE, 9), (_TABLE, 6), (_TABLE[:2], 5), (_TABLE, 4), (_words(5, 3).float(), 8)],
        mistakes=[
            Mistake(
                lambda table, new_len: table[torch.linspace(0, len(table) - 1, new_len).floor().long()],
                "you take the lower row as it is; weight it and the next row by the fraction",
            ),
            Mistake(
                lambda table, new_len: table[torch.linspace(0, len(table) - 1, new_len).round().long()],
                "you take the nearest row; interpolate linearly between the two neighbours",
            ),
            Mistake(
                lambda table, new_len: (
                    torch.nn.functional.interpolate(table.T[None], new_len, mode="linear", align_corners=False)[0].T
                ),
                "your ends are shifted (align_corners=False); row 0 and the last row must be kept",
            ),
            Mistake(
                lambda table, new_len: _interpolate(table, new_len, swapped=True),
                "you swapped the two weights: a fraction near 0 belongs to the lower row",
            ),
            Mistake(
                lambda table, new_len: torch.cat(
                    [table, table.new_zeros(max(new_len - len(table), 0), table.shape[1])]
                )[:new_len],
                "you append zeros (or cut) instead of interpolating between the rows",
            ),
        ],
        right="every new position lies between two trained ones",
    ),
]

QUESTIONS = [
    Question(
        "06.dimension_of_the_sum",
        "A word embedding has dimension 768, a positional embedding too. What is the dimension of the token's vector?",
        [
            "1,536: the two are joined end to end (concatenated)",
            "769: the position id is appended to the word embedding",
            "768: the two are added element by element",
        ],
        answer=2,
        reason="The first element of the word and the first element of the position are added, and so on for all 768.",
    ),
    Question(
        "06.broadcast_over_the_batch",
        "What is (B, T, d) + (T, d)?",
        [
            "an error: the shapes differ",
            "(B, T, d): all sequences get the same positions",
            "(B, T, d): sequence b gets position b",
        ],
        answer=1,
        reason="torch aligns shapes from the right: d with d, T with T. Along B the positions are repeated.",
    ),
    Question(
        "06.rows_beyond_training_length",
        "We train with plain gradient descent (SGD) on sequences of 32 tokens. What is in rows 32 to 63 afterwards?",
        [
            "vectors that continue the pattern of rows 0 to 31",
            "vectors close to zero, since they were never needed",
            "their random initial values",
        ],
        answer=2,
        reason="A row that is never looked up has gradient 0, so SGD leaves it as it was initialised.",
    ),
    Question(
        "06.longer_than_training",
        "A model with 512 learned positions was trained on sequences of up to 128 tokens. You give it 300 tokens.",
        [
            "an error at position 128",
            "it runs, with untrained vectors at positions 128 to 299",
            "it runs as well as on 128 tokens",
        ],
        answer=1,
        reason="The rows exist, so there is no error. But no gradient ever reached them.",
    ),
    Question(
        "06.no_error_when_b_equals_t",
        "Words (8, 8, 64) and positions (8, 64) were added without an error. What do you know?",
        [
            "each token received its position in the sequence",
            "every sequence received the same positions",
            "neither: with B = T a mixed-up axis raises no error",
        ],
        answer=2,
        reason="If the data are (T, B, d), all tokens of a sequence received the same position. Test with B ≠ T.",
    ),
    Question(
        "06.why_added",
        "What is an advantage of adding positional embeddings over concatenating them?",
        [
            "the embedding dimension stays the same",
            "concatenation would hide the word from attention",
            "concatenation cannot be trained with the model",
        ],
        answer=0,
        reason="Concatenation works as well, but it needs a larger dimension, or takes some of it from the words.",
    ),
]

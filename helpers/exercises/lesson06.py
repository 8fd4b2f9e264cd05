"""Lesson 06: a position is a second lookup, added to the first."""

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question

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
            (_words(2, 3, 4), _TABLE.flip(0)[:5]),
        ],
        mistakes=[
            Mistake(
                lambda vectors, table: vectors + table[: vectors.shape[0]].unsqueeze(1),
                "you let the position run along the batch: every token of text b gets the vector of position b",
            ),
            Mistake(
                lambda vectors, table: vectors + table[: vectors.shape[0]],
                "you cut the table to B rows; the tokens of a text are counted by T, the second side of the shape",
                error="must match the size",
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
                ("7", "6"),
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

QUESTIONS = [
    Question(
        "06.sentences_hold_words",
        ("Two sentences hold the same words in another order. Their word vectors are added up. The sums are…"),
        ["different: the order has changed", "the same: a sum does not know its order"],
        answer=1,
        reason="Each word brings the same vector wherever it stands, and a + b = b + a.",
    ),
    Question(
        "06.word_vector_numbers",
        ("A word vector has 768 numbers, a position vector too. How many numbers has a token with its position?"),
        ["1,536: one behind the other", "769: the vector and its place number", "768: added number by number"],
        answer=2,
        reason=("The first number of the word and the first number of the position are added, and so on for all 768."),
    ),
    Question(
        "06.question",
        "What is (B, T, d) + (T, d)?",
        [
            "An error: the shapes differ",
            "(B, T, d): all texts get the same positions",
            "(B, T, d): text b gets position b",
        ],
        answer=1,
        reason=(
            "torch lines shapes up from the right: d with d, T with T. B has no partner, so each text gets them all."
        ),
    ),
    Question(
        "06.training_texts_tokens",
        "After training on texts of 32 tokens, what is in rows 32 to 63?",
        ["Sensible vectors: the table continues the pattern", "Zeros", "The random numbers they started with"],
        answer=2,
        reason="A row that is never looked up gets no gradient. It exists, and it knows nothing.",
    ),
    Question(
        "06.model_table_positions",
        ("A model has a table of 512 positions and was trained on texts of up to 128 tokens. You give it 300 tokens."),
        ["An error", "It runs, and positions 128 to 299 are noise", "It runs as well as before"],
        answer=1,
        reason="The rows exist, so nothing fails. But no gradient ever reached them.",
    ),
    Question(
        "06.words_positions_were",
        "Words (8, 8, 64) and positions (8, 64) were added without an error. What do you know?",
        [
            "The positions are right",
            "Every text got the same positions",
            "Nothing: with B = T a mixed-up axis is silent",
        ],
        answer=2,
        reason="The shapes fit either way round. Try again with B and T that differ.",
    ),
    Question(
        "06.position_added_attached",
        "Why is the position added and not attached?",
        ["Adding keeps the width of the vectors", "Attaching would lose the word", "Attaching is impossible in torch"],
        answer=0,
        reason=("Attaching works as well, but every layer after it must be wider. Adding costs no width."),
    ),
]

"""Lesson 01: an embedding is a table, and a lookup selects rows."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question

_WEIGHT = torch.arange(48, dtype=torch.float64).reshape(6, 8)  # (V, d); its columns can be mistaken for rows


def _bad_places(token_ids: torch.Tensor, vocab_size: int) -> list[int]:
    return [place for place, i in enumerate(token_ids.tolist()) if not 0 <= i < vocab_size]


EXERCISES = [
    Exercise(
        id="01.lookup",
        reference=lambda weight, token_ids: weight[token_ids],
        cases=[
            (_WEIGHT, torch.tensor([4, 1, 2])),
            (_WEIGHT, torch.tensor([[5, 0, 5], [1, 3, 0]])),
            (_WEIGHT, torch.tensor([2])),
            (_WEIGHT.flip(0) / 2, torch.tensor([4, 3])),
        ],
        mistakes=[
            Mistake(
                lambda weight, token_ids: weight[:, token_ids], "you select columns; each word is a row of the table"
            ),
            Mistake(lambda weight, token_ids: weight[token_ids - 1], "you count from 1; id 0 is the first row"),
            Mistake(
                lambda weight, token_ids: weight[: token_ids.shape[-1]],
                "you take the first rows of the table; take the rows that token_ids names",
            ),
            Mistake(
                lambda weight, token_ids: weight[token_ids.flatten()],
                "you lose the batch: the shape of token_ids must stay, with the width behind it",
            ),
            Mistake(
                lambda weight, token_ids: token_ids[..., None] * weight[0],
                "you multiply by the id; an id is a label and only says which row",
            ),
        ],
        right="that is all nn.Embedding does on the way forward",
    ),
    Exercise(
        id="01.shapes",
        reference=lambda ids_shape, d_model: (*ids_shape, d_model),
        cases=[((3,), 768), ((2, 5), 16), ((4, 1), 8), ((), 32)],
        mistakes=[
            Mistake(
                lambda ids_shape, d_model: (math.prod(ids_shape), d_model),
                "you pour all texts into one row; the shape of the ids stays as it is",
            ),
            Mistake(lambda ids_shape, d_model: (d_model, *ids_shape), "you put the width first; it comes last"),
            Mistake(
                lambda ids_shape, d_model: (*ids_shape[-1:], d_model),
                "you lose the batch: every side of the ids' shape stays, not only the last",
            ),
            Mistake(
                lambda ids_shape, d_model: (*ids_shape[:-1], d_model),
                "you replace T by the width; the width is added behind T",
            ),
            Mistake(
                lambda ids_shape, d_model: ids_shape,
                "you have the shape of the ids; each id becomes a row of d_model numbers",
            ),
        ],
        right="a single id, of shape (), gives (d,)",
    ),
    Exercise(
        id="01.repeated_ids",
        reference=lambda token_ids, vocab_size: torch.bincount(token_ids.flatten(), minlength=vocab_size),
        cases=[
            (torch.tensor([[1, 3, 1]]), 5),
            (torch.tensor([[0, 2, 2], [2, 0, 4]]), 8),
            (torch.tensor([[5, 5], [5, 5]]), 6),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids.flatten(), minlength=vocab_size).clamp(max=1),
                "you count each row once; a row that is used twice gets its gradient added up twice",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids.flatten()),
                "your result ends at the largest id; rows that are never used belong to the table too",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids[0], minlength=vocab_size),
                "you count the first text only; all B texts of the batch use the same table",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids.flatten(), minlength=vocab_size).double(),
                "your counts are floats; whole numbers are asked for",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.ones(vocab_size, dtype=torch.long),
                "you let every row take part; only rows that are looked up get a gradient",
            ),
        ],
        requires=["kind"],
        right="the other rows of the table stay where they are",
    ),
    Exercise(
        id="01.bad_id",
        reference=_bad_places,
        cases=[
            (torch.tensor([3, 5, 0, 9]), 5),
            (torch.tensor([0, 4, 2]), 5),
            (torch.tensor([-1, 4, 7, -5, 6]), 7),
            (torch.tensor([2, 2]), 2),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if i < 0 or i > vocab_size],
                "you let the id vocab_size pass; the last row of a table with 5 rows is row 4",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if i >= vocab_size],
                "you let negative ids pass; there is no row below 0",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if i > vocab_size],
                "you let the id vocab_size pass, and negative ids too; the rows are 0 to vocab_size - 1",
            ),
            Mistake(
                lambda token_ids, vocab_size: [i for i in token_ids.tolist() if not 0 <= i < vocab_size],
                "you list the bad ids; their places in token_ids are asked for",
            ),
            Mistake(
                lambda token_ids, vocab_size: _bad_places(token_ids, vocab_size)[:1],
                "you stop at the first bad id; list all of their places",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if 0 <= i < vocab_size],
                "you list the good places; the bad ones are asked for",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if not 0 < i < vocab_size],
                "you refuse the id 0; it is the first row of the table",
            ),
        ],
        right="your message is better than torch's: it says where to look",
    ),
]

QUESTIONS = [
    Question(
        "01.numbers_table_hold",
        "How many numbers does the table hold?",
        ["3 × 768 = 2,304", "10,000 + 768 = 10,768", "10,000 × 768 = 7,680,000"],
        answer=2,
        reason=("One row for each word that could appear, whether it does or not, and 768 numbers in each row."),
    ),
    Question(
        "01.layer_vector",
        "How does the layer get the vector of id 45?",
        ["It multiplies 45 by a matrix", "It copies row 45 of its table", "It computes a formula of 45"],
        answer=1,
        reason=("Nothing is calculated. The layer keeps a table, embedding.weight, and hands out the row you ask for."),
    ),
    Question(
        "01.token_ids_table",
        ("token_ids has shape (2, 3) and the table is (10000, 768). Which shape has embedding(token_ids)?"),
        ["(2, 3, 768)", "(6, 768)", "(2, 768)"],
        answer=0,
        reason=("Each id is replaced by its row. The shape of the ids stays, and the width is written behind it."),
    ),
    Question(
        "01.rows_gradient_zero",
        "Of the 10,000 rows, how many get a gradient that is not zero?",
        ["3", "78", "all 10,000"],
        answer=0,
        reason=("Only rows 12, 45 and 78 took part in the result. A row that was not looked up changed nothing in it."),
    ),
    Question(
        "01.fresh_table_word",
        "In a fresh table, which word is most like “cat”?",
        ["dog, an animal too", "sat, its neighbour in “the cat sat”", "some word, by accident"],
        answer=2,
        reason="The numbers are drawn at random, so the nearest word is an accident of the draw.",
    ),
    Question(
        "01.embedding_layer",
        "What does an embedding layer do with the id 45?",
        ["It selects row 45 of a table", "It multiplies the table by 45", "It searches for the 45th word of the text"],
        answer=0,
        reason="A lookup selects a row. Ids are labels, so nothing is ever multiplied by them.",
    ),
    Question(
        "01.word_vocabulary_never",
        ("A word of your vocabulary never appears in the training text. What is its vector after training?"),
        ["All zeros", "The average of all other vectors", "The random numbers it started with"],
        answer=2,
        reason="Its row got no gradient, so plain gradient descent never moved it.",
    ),
    Question(
        "01.token_ids_embedding",
        "token_ids has shape (4, 10) and d is 32. Which shape has embedding(token_ids)?",
        ["(40, 32)", "(4, 10, 32)", "(4, 32)"],
        answer=1,
        reason="The shape of the ids stays; the width is written behind it.",
    ),
]

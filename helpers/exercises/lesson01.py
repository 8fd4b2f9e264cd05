"""Lesson 01: an embedding layer is a matrix, and a lookup selects rows."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question

_WEIGHT = torch.arange(48, dtype=torch.float64).reshape(6, 8)  # (V, d); its columns can be mistaken for rows


def _invalid(token_ids: torch.Tensor, vocab_size: int) -> list[int]:
    return [position for position, i in enumerate(token_ids.tolist()) if not 0 <= i < vocab_size]


def _with_means(weight: torch.Tensor, parts: list[list[int]]) -> torch.Tensor:
    new = [weight[ids].mean(dim=0) if ids else weight.mean(dim=0) for ids in parts]
    return torch.cat([weight, torch.stack(new)]) if new else weight.clone()


def _with_sums(weight: torch.Tensor, parts: list[list[int]]) -> torch.Tensor:
    return torch.stack([*weight, *(weight[ids].sum(dim=0) if ids else weight.mean(dim=0) for ids in parts)])


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
                lambda weight, token_ids: weight[:, token_ids], "you select columns; each token is a row of the matrix"
            ),
            Mistake(lambda weight, token_ids: weight[token_ids - 1], "you count from 1; id 0 is the first row"),
            Mistake(
                lambda weight, token_ids: weight[: token_ids.shape[-1]],
                "you take the first rows of the matrix; take the rows that token_ids names",
            ),
            Mistake(
                lambda weight, token_ids: weight[token_ids.flatten()],
                "you lose the batch: the shape of token_ids stays, and d is appended as the last dimension",
            ),
            Mistake(
                lambda weight, token_ids: token_ids[..., None] * weight[0],
                "you multiply by the id; an id is a label and only says which row to take",
            ),
        ],
        right="that is all nn.Embedding does in the forward pass",
    ),
    Exercise(
        id="01.shapes",
        reference=lambda ids_shape, d_model: (*ids_shape, d_model),
        cases=[((3,), 768), ((2, 5), 16), ((4, 1), 8), ((), 32)],
        mistakes=[
            Mistake(
                lambda ids_shape, d_model: (math.prod(ids_shape), d_model),
                "you merge all sequences into one; the shape of the ids stays as it is",
            ),
            Mistake(
                lambda ids_shape, d_model: (d_model, *ids_shape), "you put the embedding dimension first; it comes last"
            ),
            Mistake(
                lambda ids_shape, d_model: (*ids_shape[-1:], d_model),
                "you lose the batch: every dimension of the ids stays, not only the last",
            ),
            Mistake(
                lambda ids_shape, d_model: (*ids_shape[:-1], d_model),
                "you replace T by d; d is appended after T",
            ),
            Mistake(
                lambda ids_shape, d_model: ids_shape,
                "you have the shape of the ids; each id becomes a vector of d_model numbers",
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
                "you count each row once; a row that is used twice gets the sum of two gradients",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids.flatten()),
                "your result ends at the largest id; rows that are never used count too, with 0",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids[0], minlength=vocab_size),
                "you count the first sequence only; all B sequences of the batch use the same matrix",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.bincount(token_ids.flatten(), minlength=vocab_size).double(),
                "your counts are floats; the exercise asks for integers (torch.long)",
            ),
            Mistake(
                lambda token_ids, vocab_size: torch.ones(vocab_size, dtype=torch.long),
                "you let every row take part; only rows that are looked up get a gradient",
            ),
        ],
        requires=["kind"],
        right="a row with count 0 gets no gradient from the lookup",
    ),
    Exercise(
        id="01.bad_id",
        reference=_invalid,
        cases=[
            (torch.tensor([3, 5, 0, 9]), 5),
            (torch.tensor([0, 4, 2]), 5),
            (torch.tensor([-1, 4, 7, -5, 6]), 7),
            (torch.tensor([2, 2]), 2),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if i < 0 or i > vocab_size],
                "you let the id vocab_size pass; the last row of a matrix with 5 rows is row 4",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if i >= vocab_size],
                "you let negative ids pass; the layer rejects them too",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if i > vocab_size],
                "you let the id vocab_size pass, and negative ids too; the rows are 0 to vocab_size - 1",
            ),
            Mistake(
                lambda token_ids, vocab_size: [i for i in token_ids.tolist() if not 0 <= i < vocab_size],
                "you list the invalid ids; the exercise asks for their positions in token_ids",
            ),
            Mistake(
                lambda token_ids, vocab_size: _invalid(token_ids, vocab_size)[:1],
                "you stop at the first invalid id; list the positions of all",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if 0 <= i < vocab_size],
                "you list the positions of valid ids; the exercise asks for those of invalid ids",
            ),
            Mistake(
                lambda token_ids, vocab_size: [p for p, i in enumerate(token_ids.tolist()) if not 0 < i < vocab_size],
                "you reject the id 0; it is the first row of the matrix",
            ),
        ],
        right="your function is better than torch's message: it says where to look",
    ),
    Exercise(
        id="01.new_tokens",
        reference=_with_means,
        cases=[
            (_WEIGHT, [[1, 2], [5], []]),
            (_WEIGHT[:, :3] ** 2, [[0, 3, 5], [4, 4, 1]]),
            (_WEIGHT.float()[:4], []),
        ],
        mistakes=[
            Mistake(_with_sums, "you add the rows of the parts up; take their mean"),
            Mistake(
                lambda weight, parts: torch.stack([*weight, *(weight[ids].mean(dim=0) for ids in parts)]),
                "a token without parts gives NaN, the mean of nothing; start it as the mean of all old rows",
            ),
            Mistake(
                lambda weight, parts: torch.stack(
                    [*weight, *(weight[ids].mean(dim=0) if ids else torch.zeros_like(weight[0]) for ids in parts)]
                ),
                "a token without parts starts at zero; start it as the mean of all old rows",
            ),
            Mistake(
                lambda weight, parts: torch.stack([*weight, *(weight.mean(dim=0) for _ in parts)]),
                "you start every new row as the mean of all rows; take the rows of its parts",
            ),
            Mistake(
                lambda weight, parts: _with_means(weight, parts)[len(weight) :],
                "you return the new rows only; the old rows come first",
            ),
            Mistake(
                lambda weight, parts: _with_means(weight, parts).roll(len(parts), dims=0),
                "you put the new rows first; then every old id gets the vector of another token",
            ),
        ],
        right="the old ids give the old vectors, so a trained model goes on as before",
    ),
]

QUESTIONS = [
    Question(
        "01.parameter_count",
        "How many parameters does this layer have?",
        ["3 × 768 = 2,304", "10,000 × 768 = 7,680,000", "10,000 × 768 + 10,000 = 7,690,000"],
        answer=1,
        reason="One row of 768 numbers for each of the 10,000 ids, whether it is looked up or not, and no bias.",
    ),
    Question(
        "01.lookup_method",
        "How does the layer get the vector of id 45?",
        ["It multiplies 45 by a matrix", "It copies row 45 of a matrix", "It computes a hash of 45"],
        answer=1,
        reason="Nothing is calculated. The layer keeps the matrix embedding.weight and returns the row you ask for.",
    ),
    Question(
        "01.batch_shape",
        "token_ids has the shape (2, 3) and the embedding matrix (10000, 768). What is the shape of the result?",
        ["(2, 3, 768)", "(6, 768)", "(2, 768)"],
        answer=0,
        reason="Each id is replaced by its row. The shape of the ids stays, and d is appended as the last dimension.",
    ),
    Question(
        "01.rows_with_gradient",
        "Which rows of the embedding matrix have a gradient that is not zero?",
        ["rows 12, 45 and 78", "rows 0 to 78", "all 10,000 rows"],
        answer=0,
        reason="Only these rows took part in the result. A row that is not looked up does not change it.",
    ),
    Question(
        "01.rows_when_tied",
        "The matrices are tied. Which of the 104 rows get a gradient when the model learns “the cat sat”?",
        ["the inputs: the, cat", "inputs and targets: the, cat, sat", "all 104"],
        answer=2,
        reason="The softmax compares the right token with all others, so every row takes part through the logits.",
    ),
    Question(
        "01.random_neighbour",
        "In a randomly initialised embedding matrix, which word is most similar to “cat”?",
        ["dog, an animal too", "sat, its neighbour in “the cat sat”", "some word, by chance"],
        answer=2,
        reason="The numbers are drawn at random, so the nearest word is an accident of the draw.",
    ),
    Question(
        "01.what_a_lookup_does",
        "What does an embedding layer do with the id 45?",
        [
            "It selects row 45 of a matrix",
            "It scales a vector by 45",
            "It computes a vector from the letters of the word",
        ],
        answer=0,
        reason="A lookup selects a row. Ids are labels; nothing is multiplied by them, and the spelling plays no part.",
    ),
    Question(
        "01.row_never_read",
        "A word of the vocabulary never occurs in the training text. When does its row keep its first values?",
        [
            "Always: a row that is not read gets no gradient",
            "With plain gradient descent and a separate output embedding",
            "With AdamW and weight tying",
        ],
        answer=1,
        reason="Tying gives every row a gradient through the logits, and AdamW's weight decay shrinks all rows.",
    ),
    Question(
        "01.output_embedding_shape",
        "Vectors of shape (B, T, d) become logits of shape (B, T, V). What is the shape of nn.Linear's weight?",
        ["(V, d)", "(d, V)", "(T, V)"],
        answer=0,
        reason="nn.Linear(d, V) stores one row per output, so its weight can be the embedding matrix itself.",
    ),
]

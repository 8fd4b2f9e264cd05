"""Lesson 02: a vocabulary, padding, and a lookup as a product of matrices."""

import torch
import torch.nn.functional as F

from helpers.exercises.exercise import Exercise, Mistake, Question

_IDS = {"<pad>": 0, "<unk>": 1, "the": 2, "cat": 3, "saw": 4, "dog": 5, "a": 6}
_WORDS = list(_IDS)
_WEIGHT = torch.arange(56, dtype=torch.float64).reshape(7, 8) / 8 + 1  # (V, d)
_ORDER = torch.tensor([3, 0, 4, 6, 1, 2, 5])  # no word keeps its id, and going back is another order


def _batch(texts: list[list[str]], ids: dict[str, int], pad: int = 0, unknown: int = 1) -> torch.Tensor:
    rows = [[ids.get(word, unknown) for word in text] for text in texts]
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def _left(texts: list[list[str]], ids: dict[str, int]) -> torch.Tensor:
    rows = [[ids.get(word, 1) for word in text] for text in texts]
    longest = max(map(len, rows))
    return torch.tensor([[0] * (longest - len(row)) + row for row in rows])


def _short(texts: list[list[str]], ids: dict[str, int]) -> torch.Tensor:
    return _batch(texts, ids)[:, : min(map(len, texts))]


def _one_hot(token_ids: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return F.one_hot(token_ids, len(weight)).to(weight.dtype)


def _renumber(weight: torch.Tensor, token_ids: torch.Tensor, order: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return weight[torch.argsort(order)], order[token_ids]


def _table(values: torch.Tensor, padding_idx: int | None, row: int | None = None) -> torch.Tensor:
    table = values.clone()
    if padding_idx is not None:
        table[padding_idx if row is None else row] = 0.0
    return table


def _zero_column(values: torch.Tensor, padding_idx: int | None) -> torch.Tensor:
    table = values.clone()
    if padding_idx is not None:
        table[:, padding_idx] = 0.0
    return table


def _truthy(values: torch.Tensor, padding_idx: int | None) -> torch.Tensor:
    return _table(values, padding_idx or None)


EXERCISES = [
    Exercise(
        id="02.encode",
        reference=_batch,
        cases=[
            ([["the", "cat", "saw", "a", "dog"], ["the", "dog"]], _IDS),
            ([["a", "zebra", "saw"], ["the", "cat", "saw", "a"]], _IDS),
            ([["the", "dog"], ["a", "unicorn"]], _IDS),
            ([["dog"], ["cat", "dog"]], {"<pad>": 0, "<unk>": 1, "dog": 2, "cat": 3}),
        ],
        mistakes=[
            Mistake(
                lambda texts, ids: torch.tensor(
                    [[ids[word] for word in text] + [0] * (max(map(len, texts)) - len(text)) for text in texts]
                ),
                "a word without an id stops you; give it the id of <unk>",
                error="zebra|unicorn",
            ),
            Mistake(
                lambda texts, ids: _batch(texts, ids, unknown=0),
                "you give unknown words the id of <pad>; then nobody can tell that a word stood there",
            ),
            Mistake(
                lambda texts, ids: _batch(texts, ids, pad=1),
                "you fill up with <unk>; an empty place is no unknown word, it is <pad>",
            ),
            Mistake(
                lambda texts, ids: _batch([[word for word in text if word in ids] for text in texts], ids),
                "you drop unknown words; then the others move to places where they did not stand",
            ),
            Mistake(_left, "you fill up on the left; here the empty places are on the right"),
            Mistake(_short, "you cut every text to the shortest; fill the short ones up to the longest"),
            Mistake(
                lambda texts, ids: _batch(texts, ids).double(),
                "your ids are floats; an id is a whole number (torch.long)",
            ),
        ],
        requires=["kind"],
        right="models want such a rectangle, and a note where its empty places are",
    ),
    Exercise(
        id="02.decode",
        reference=lambda token_ids, words: [words[i] for i in token_ids.tolist() if i != 0],
        cases=[
            (torch.tensor([2, 3, 4, 6, 5]), _WORDS),
            (torch.tensor([2, 5, 0, 0]), _WORDS),
            (torch.tensor([6, 1, 4, 0]), _WORDS),
            (torch.tensor([2, 0, 3]), ["<pad>", "<unk>", "red", "barn"]),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, words: [words[i] for i in token_ids.tolist()],
                "you read the empty places aloud; leave <pad> out",
            ),
            Mistake(
                lambda token_ids, words: [words[i] for i in token_ids.tolist() if i > 1],
                "you leave <unk> out, too; a word stood there, only nobody knows which",
            ),
            Mistake(
                lambda token_ids, words: [words[i - 1] for i in token_ids.tolist() if i != 0],
                "you count from 1; id 0 is the first word",
            ),
            Mistake(
                lambda token_ids, words: " ".join(words[i] for i in token_ids.tolist() if i != 0),
                "the words are right, but they are one string; a list of words is asked for",
            ),
        ],
        right="what was unknown stays unknown: <unk> cannot be turned back",
    ),
    Exercise(
        id="02.embed_by_matmul",
        reference=lambda token_ids, weight: _one_hot(token_ids, weight) @ weight,
        cases=[
            (torch.tensor([6, 2, 2, 3]), _WEIGHT),
            (torch.tensor([[0, 4], [5, 1], [3, 3]]), _WEIGHT),
            (torch.tensor([1]), _WEIGHT),
            (torch.tensor([5, 2]), _WEIGHT.flip(0) / 2),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, weight: F.one_hot(token_ids).to(weight.dtype) @ weight,
                "one_hot makes only as many columns as the largest id needs; tell it the vocabulary size",
                error="shapes cannot be multiplied",
            ),
            Mistake(
                lambda token_ids, weight: F.one_hot(token_ids, len(weight)) @ weight,
                "one_hot gives whole numbers and the table holds floats; make both the same with .to(weight.dtype)",
                error="have the same dtype",
            ),
            Mistake(
                _one_hot,
                "you stop at the one-hot rows; multiply them with the table",
            ),
            Mistake(
                lambda token_ids, weight: token_ids[..., None].to(weight.dtype) * weight[0],
                "you multiply with the id; an id is a label, and one_hot says which row it means",
            ),
            Mistake(
                lambda token_ids, weight: (_one_hot(token_ids, weight) @ weight).flatten(0, -2),
                "you lose the batch: the shape of token_ids must stay, with the width behind it",
            ),
        ],
        tolerance=1e-9,
        right="all zeros but one: a product that selects",
    ),
    Exercise(
        id="02.renumber",
        reference=_renumber,
        cases=[
            (_WEIGHT, torch.tensor([2, 3, 4]), _ORDER),
            (_WEIGHT, torch.tensor([[0, 6], [5, 5]]), _ORDER),
            (_WEIGHT.flip(1) / 2, torch.tensor([1, 4]), torch.tensor([2, 5, 6, 0, 3, 1, 4])),
        ],
        mistakes=[
            Mistake(
                lambda weight, token_ids, order: (weight[order], order[token_ids]),
                "weight[order] moves the rows the other way round; old row i must arrive at row order[i]",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight, order[token_ids]),
                "you renumber the ids and leave the table; every word now gets another word's vector",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight[torch.argsort(order)], token_ids),
                "you move the rows and leave the ids; every word now gets another word's vector",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight[order], torch.argsort(order)[token_ids]),
                "the vectors stay right, but your new id of word i is not order[i]",
            ),
            Mistake(
                lambda weight, token_ids, order: (weight[:, order], order[token_ids]),
                "you shuffle the columns; each word is a row of the table",
            ),
        ],
        right="ids are labels: change them all, move the rows along, and nothing has changed",
    ),
    Exercise(
        id="02.pad_row",
        reference=_table,
        cases=[(_WEIGHT, 0), (_WEIGHT, 3), (_WEIGHT[:, :5], None)],
        mistakes=[
            Mistake(
                lambda values, padding_idx: values.clone(),
                "the row of padding_idx is not zero; new values wipe out the zeros that nn.Embedding had put there",
            ),
            Mistake(
                lambda values, padding_idx: _table(values, padding_idx, row=0),
                "you always clear row 0; clear the row that padding_idx names",
            ),
            Mistake(_zero_column, "you clear a column; the vector of <pad> is a row"),
            Mistake(
                lambda values, padding_idx: _table(values, 0 if padding_idx is None else padding_idx),
                "without a padding_idx no row is special; you cleared one",
            ),
            Mistake(_truthy, "you ask whether padding_idx is true, and 0 is not; ask whether it is None"),
        ],
        right="every library that draws its own start values has to do this",
    ),
]

QUESTIONS = [
    Question(
        "02.run_list_set",
        ("You run list(set(words)) today, and again tomorrow, with the same words. Do the words get the same ids?"),
        ["Yes, the words are the same", "No, the order changes from run to run"],
        answer=1,
        reason=("Python salts the hash of a string anew whenever it starts, and a set is ordered by hashes."),
    ),
    Question(
        "02.encode_dinosaur_smiled",
        (
            "encode(['the', 'dinosaur', 'smiled']) and then decode. Neither “dinosaur” nor “smiled” was"
            " ever read. You get…"
        ),
        ["the dinosaur smiled", "the", "the <unk> <unk>"],
        answer=2,
        reason=("Both words have the id 1 now, like every other unknown word. What they were is lost for good."),
    ),
    Question(
        "02.much_memory_hot",
        "How much memory do the one-hot rows of this batch take?",
        ["about 64 kB, like the ids", "about 40 MB", "about 1.6 GB"],
        answer=2,
        reason="8 × 1,024 tokens × 50,257 places × 4 bytes. All of it zeros, but for 8,192 ones.",
    ),
    Question(
        "02.embedding_padding_idx",
        "nn.Embedding(V, d, padding_idx=0): what does it promise about row 0?",
        [
            "It always returns zeros",
            "It starts as zeros, and training does not change it",
            "Later layers leave its places out",
        ],
        answer=1,
        reason=("Two things, no more: zeros at the start, and no gradient. It does not watch over anything else."),
    ),
    Question(
        "02.tokenizer_pieces_larger",
        "A tokenizer with more pieces (a larger vocabulary) makes a text…",
        ["shorter, and the table larger", "longer, and the table smaller", "shorter, and the table smaller"],
        answer=0,
        reason=("Frequent words become one piece. Each piece needs a row: length is paid for with rows."),
    ),
    Question(
        "02.list_set_words",
        "Why is list(set(words)) no vocabulary?",
        ["A set forgets how often a word occurs", "Its order changes when Python starts again", "A set is too slow"],
        answer=1,
        reason="Ids must mean the same tomorrow, because the table's rows stay where they are.",
    ),
    Question(
        "02.embedding_linear_bias",
        "nn.Embedding(V, d) and nn.Linear(V, d, bias=False) on one-hot rows: how do they compare?",
        [
            "They have nothing in common",
            "The same map; the weights are transposed",
            "Only the embedding can be trained",
        ],
        answer=1,
        reason=("One fetches rows, the other multiplies with mostly zeros. The result is the same, the price is not."),
    ),
    Question(
        "02.initialise_weights_model",
        "You re-initialise all weights of a model after building it. What about the padding row?",
        [
            "It stays zero: padding_idx sees to it",
            "It is noise now, and training will mend it",
            "It is noise now, for ever",
        ],
        answer=2,
        reason=(
            "The zeros were written once, when the layer was built. The row gets no gradient, so nothing repairs it."
        ),
    ),
]

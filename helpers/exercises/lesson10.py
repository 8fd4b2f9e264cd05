"""Lesson 10: interpretation of results, and the input of a transformer layer."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.exercises.exercise import Exercise, Mistake, Question

_TRUTH = {1: False, 2: True, 3: False, 4: False, 5: False, 6: True, 7: False, 8: True}
_EXPLANATIONS = {
    1: "without positions and without a mask the model sees a bag of tokens, and both answers have the same bags",
    2: "with a causal mask each position sees a different number of tokens; it was solved",
    3: "ALiBi subtracts a distance, and a distance is not a direction: without a mask it stayed at chance",
    4: "the rows of a learned table beyond the training length were never trained",
    5: "sinusoids can be computed there, but the layers never saw these rows in training",
    6: "ALiBi lost less than 0.15 for every seed; 'near rather than far' is true at every length",
    7: "one block of ALiBi gives nearer keys of equal content the higher score; it was not solved",
    8: "for RoPE offset 3 is the same angle everywhere; at twice the length it was above 0.9, at 4 times at chance",
}


def _flipped(statement: int) -> dict[int, bool]:
    return _TRUTH | {statement: not _TRUTH[statement]}


def _keeps(short: dict, long: dict, chance: float) -> list:
    return [name for name in short if short[name] > chance + 0.25 and long[name] > short[name] - 0.15]


def _draw(*shape: int, seed: int = 10) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _prepare(token_ids: Tensor, segment_ids: Tensor, tables: tuple, pad_id: int) -> tuple[Tensor, Tensor]:
    tokens, positions, segments = tables
    if token_ids.shape[1] > len(positions):
        raise ValueError(f"{token_ids.shape[1]} tokens, but the table has {len(positions)} positions")
    return tokens[token_ids] + positions[: token_ids.shape[1]] + segments[segment_ids], token_ids == pad_id


def _added(look_up: Callable) -> Callable:
    """An answer whose positions come from ``look_up(positions, token_ids)``."""

    def prepare(token_ids: Tensor, segment_ids: Tensor, tables: tuple, pad_id: int) -> tuple[Tensor, Tensor]:
        tokens, positions, segments = tables
        return tokens[token_ids] + look_up(positions, token_ids) + segments[segment_ids], token_ids == pad_id

    return prepare


_TABLES = (_draw(5, 4), _draw(6, 4, seed=11), _draw(2, 4, seed=12))
_OTHER_TABLES = (_draw(7, 3), _draw(5, 3, seed=11), _draw(2, 3, seed=12))

EXERCISES = [
    Exercise(
        id="10.predictions",
        reference=_TRUTH,
        mistakes=[Mistake(_flipped(number), f"statement {number}: {text}") for number, text in _EXPLANATIONS.items()],
        right="as measured",
    ),
    Exercise(
        id="10.keeps",
        reference=_keeps,
        cases=[
            (
                {"none": 0.5, "learned": 1.0, "rope": 1.0, "alibi": 0.9},
                {"none": 0.5, "learned": 0.55, "rope": 0.8, "alibi": 0.8},
                0.5,
            ),
            ({"none": 0.3, "alibi": 0.7, "t5": 0.9}, {"none": 0.3, "alibi": 0.66, "t5": 0.5}, 0.25),
            ({"rope": 0.9, "t5": 0.8, "none": 0.75}, {"rope": 0.9, "t5": 0.7, "none": 0.75}, 0.5),
            ({"alibi": 0.9, "rope": 0.9}, {"alibi": 0.75, "rope": 0.8}, 0.5),
            ({"t5": 0.8, "rope": 0.95, "none": 0.2}, {"t5": 0.7, "rope": 0.82, "none": 0.2}, 0.125),
            ({"alibi": 0.45, "sinusoidal": 0.9}, {"alibi": 0.45, "sinusoidal": 0.2}, 0.25),
            ({"learned": 0.6, "none": 0.52}, {"learned": 0.47, "none": 0.36}, 0.3),
        ],
        mistakes=[
            Mistake(
                lambda short, long, chance: [name for name in short if long[name] > short[name] - 0.15],
                "you count schemes that never learned anything: they lose nothing, because they are near chance",
            ),
            Mistake(
                lambda short, long, chance: [name for name in short if long[name] > chance + 0.25],
                "you look at the long sequences alone; compare each scheme with itself at the training length",
            ),
            Mistake(
                lambda short, long, chance: [name for name in short if short[name] > chance + 0.25],
                "you look at the training length alone; compare each scheme with itself on long sequences",
            ),
            Mistake(
                lambda short, long, chance: [
                    name for name in short if short[name] > 0.25 and long[name] > short[name] - 0.15
                ],
                "you compare with 0.25; the exercise asks for more than 0.25 above chance",
            ),
            Mistake(
                lambda short, long, chance: [max(long, key=long.__getitem__)],
                "you name the best scheme; the exercise asks for all that keep what they learned",
            ),
        ],
        right="each scheme is compared with chance and with itself",
    ),
    Exercise(
        id="10.surprises",
        reference=("B", "C"),
        mistakes=[
            Mistake(
                ("A", "C"),
                "the first: all three seeds solved it, far above chance; chance does not repeat three times",
            ),
            Mistake(
                ("C", "C"),
                "the first: token embeddings are the same at every position; what differs between positions?",
            ),
            Mistake(
                ("B", "A"),
                "the second: three times as many steps did not help either, nor a wider block; three wider blocks did",
            ),
            Mistake(("B", "B"), "the second: the mask hides later tokens only, and four other schemes solve the task"),
        ],
        right="both follow from the measurements above",
    ),
    Exercise(
        id="10.prepare",
        reference=_prepare,
        cases=[
            (
                torch.tensor([[3, 1, 0], [2, 0, 0], [1, 1, 4]]),
                torch.tensor([[0, 0, 0], [0, 1, 1], [0, 1, 1]]),
                _TABLES,
                0,
            ),
            (torch.tensor([[1, 2, 4, 4]]), torch.tensor([[0, 1, 1, 1]]), _OTHER_TABLES, 4),
            (torch.tensor([[1, 2, 3, 0, 1, 2]]), torch.tensor([[1, 1, 1, 0, 0, 0]]), _TABLES, 4),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, segment_ids, tables, pad_id: (
                    _prepare(token_ids, segment_ids, tables, pad_id)[0],
                    token_ids != pad_id,
                ),
                "the mask is inverted: True marks padding",
            ),
            Mistake(
                lambda token_ids, segment_ids, tables, pad_id: (
                    _prepare(token_ids, segment_ids, tables, pad_id)[0],
                    token_ids == 0,
                ),
                "your mask takes 0 for the padding id; it is `pad_id`",
            ),
            Mistake(
                _added(lambda positions, token_ids: positions[: len(token_ids), None]),
                "row b got position b: positions run along the batch axis; they belong to the second axis, T",
            ),
            Mistake(
                _added(lambda positions, token_ids: 0),
                "the positions were not added: the layer cannot see order",
            ),
            Mistake(
                _added(lambda positions, token_ids: positions[token_ids]),
                "you looked up positions by token id; the positions of a sequence are 0, 1, 2, …",
            ),
            Mistake(
                lambda token_ids, segment_ids, tables, pad_id: (
                    tables[0][token_ids] + tables[1][: token_ids.shape[1]],
                    token_ids == pad_id,
                ),
                "the segments were not added",
            ),
        ],
        raises=[
            (
                (torch.ones(1, 7, dtype=torch.long), torch.zeros(1, 7, dtype=torch.long), _TABLES, 0),
                ValueError,
                "7 tokens with a table of 6 positions must raise a ValueError",
            ),
        ],
        right="BERT then applies LayerNorm, and its first layer begins",
    ),
]

QUESTIONS = [
    Question(
        "10.is_mask_needed",
        "With `padding_idx=0` padding starts as a vector of zeros. Is the padding mask still needed?",
        [
            "No: a vector of zeros adds nothing to a weighted sum",
            "Yes: padding gets attention weight, too",
            "Only with positions, whose vectors are not zero",
        ],
        answer=1,
        reason="A score of 0 is not a weight of 0. And after a position is added, the vector is not zero at all.",
    ),
    Question(
        "10.row_one_million",
        "Sinusoids have a row for position one million. What follows?",
        [
            "A model that uses them works there",
            "The row can be computed; whether the model works there has to be tested",
            "The row must be trained before it can be added",
        ],
        answer=1,
        reason="The layers after the sum were trained only on rows within the training length.",
    ),
    Question(
        "10.stays_at_chance",
        "A scheme stays at 0.50 from short to long sequences; chance is 0.50. The scheme…",
        [
            "extrapolates perfectly: it loses nothing",
            "needs longer sequences in training",
            "learned nothing, so it has nothing to lose",
        ],
        answer=2,
        reason="Compare with chance first, then with itself.",
    ),
    Question(
        "10.causal_without_scheme",
        "How did one causal block without positional embeddings solve *order*?",
        [
            "Each position sees a different number of tokens, and the model averages over positions",
            "Its last position sees all tokens in their order",
            "Its token embeddings learned the positions",
        ],
        answer=0,
        reason="The last position of one such block sees a bag of words; the mean over positions depends on the order.",
    ),
]

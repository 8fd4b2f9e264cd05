"""Lesson 10: what was expected, what was measured, and vectors ready for a transformer layer."""

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question

_TRUTH = {1: False, 2: True, 3: False, 4: False, 5: False, 6: True, 7: False, 8: True}
_SAYS = {
    1: "without positions and without a mask the bag of tokens is all there is, and both answers have the same bags",
    2: "a causal mask is itself positional information, the first token sees one token, the tenth ten",
    3: "ALiBi subtracts a distance, and a distance is not a direction: without a mask, a text equals its mirror image",
    4: "rows of a learned table that exist, but were never trained, know nothing",
    5: "that the formula of the sinusoids continues does not mean that the model works there: it never saw those rows",
    6: "ALiBi with a mask needs no more than 'near rather than far', which is true at every length",
    7: "ALiBi favours the near, so 'exactly three back' always loses against one and two back",
    8: "for RoPE the offset 3 is the same angle at every place; at twice the length that still carries",
}


def _flipped(statement: int) -> dict[int, bool]:
    return _TRUTH | {statement: not _TRUTH[statement]}


def _keeps(short: dict, long: dict, chance: float) -> list:
    return [name for name in short if short[name] > chance + 0.25 and long[name] > short[name] - 0.15]


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(10))


def _prepare(token_ids, words, positions, pad_id):
    return words[token_ids] + positions[: token_ids.shape[1]], token_ids == pad_id


EXERCISES = [
    Exercise(
        id="10.predictions",
        reference=_TRUTH,
        mistakes=[Mistake(_flipped(number), f"statement {number}: {says}") for number, says in _SAYS.items()],
        right="now see it happen",
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
        ],
        mistakes=[
            Mistake(
                lambda short, long, chance: [name for name in short if long[name] > short[name] - 0.15],
                "you count a model that never learned anything: it keeps what it has, and it has chance",
            ),
            Mistake(
                lambda short, long, chance: [name for name in short if long[name] > chance + 0.25],
                "you look at the long texts alone: compare each scheme with itself at the length of training",
            ),
            Mistake(
                lambda short, long, chance: [max(long, key=long.get)],
                "you name the best one; asked for are all that keep what they had",
            ),
        ],
        right="a fair reading: against chance, and against itself",
    ),
    Exercise(
        id="10.surprises",
        reference=("B", "C"),
        mistakes=[
            Mistake(
                ("A", "C"), "the first: three seeds did it, and its score is far above chance; luck does not repeat"
            ),
            Mistake(("C", "C"), "the first: this model adds no vector at all; what else differs from place to place?"),
            Mistake(("B", "A"), "the second: the shares at the length of training are as low; more steps do not help"),
            Mistake(("B", "B"), "the second: the mask is the same for all six, and four of them solve the task"),
        ],
        right="evidence first, then the reason",
    ),
    Exercise(
        id="10.prepare",
        reference=_prepare,
        cases=[
            (torch.tensor([[3, 1, 0], [2, 0, 0], [1, 1, 4]]), _draw(5, 4), _draw(6, 4), 0),
            (torch.tensor([[1, 2, 4, 4]]), _draw(5, 4), _draw(6, 4), 4),
            (torch.tensor([[3, 0, 0]]), _draw(5, 4).flip(0), _draw(6, 4).flip(0), 0),
        ],
        mistakes=[
            Mistake(
                lambda token_ids, words, positions, pad_id: (
                    words[token_ids] + positions[: token_ids.shape[1]],
                    token_ids != pad_id,
                ),
                "the mask is upside down: for torch, True means 'leave this one out'",
            ),
            Mistake(
                lambda token_ids, words, positions, pad_id: (
                    words[token_ids] + positions[: len(token_ids), None],
                    token_ids == pad_id,
                ),
                "row b got position b: positions run over the batch axis; they belong to the second axis, T",
            ),
            Mistake(
                lambda token_ids, words, positions, pad_id: (words[token_ids], token_ids == pad_id),
                "the positions were not added: the layer cannot see order",
            ),
            Mistake(
                lambda token_ids, words, positions, pad_id: (
                    words[token_ids] + positions[token_ids],
                    token_ids == pad_id,
                ),
                "you looked up positions by token id; a position is the place in the text: 0, 1, 2, …",
            ),
        ],
        right="this is what every transformer gets",
    ),
]

QUESTIONS = [
    Question(
        "10.padding_idx_keeps",
        "`padding_idx=0` keeps the vector of token 0 at zero. Is the mask still needed?",
        [
            "No: a vector of zeros changes nothing",
            "Yes: zeros get their share of attention, too",
            "Only without positions",
        ],
        answer=1,
        reason=(
            "A score of zero is not a share of zero. And behind the sum with its place, the vector is not zero at all."
        ),
    ),
    Question(
        "10.sinusoids_row_place",
        "Sinusoids have a row for place one million. What follows?",
        ["A model with them works there", "It can be computed there, no more", "They must be learned"],
        answer=1,
        reason="The weights behind the rows were fitted to rows that training reached.",
    ),
    Question(
        "10.scheme_stays_short",
        "A scheme stays at 0.50 from short to long texts; chance is 0.50. It…",
        ["extrapolates perfectly", "learned nothing, so it has nothing to lose", "needs a longer text"],
        answer=1,
        reason="Compare with chance first, then with itself.",
    ),
    Question(
        "10.positions_causal_model",
        "Which positions does a causal model without any scheme have?",
        ["None: it cannot solve order", "The number of tokens that each place sees", "The ids of its tokens"],
        answer=1,
        reason="The mask is positional information. On the order task that was enough.",
    ),
]

"""Lesson 11: position ids with a cache and with padding, bugs that raise no error, context extension."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.exercises.exercise import Exercise, Mistake, Question
from helpers.positions import frequencies, rope_angles, rotate

Cache = tuple[Tensor, Tensor]


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(11), dtype=torch.float64)


def _position_ids(mask: Tensor) -> Tensor:
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


def _by_parts(freqs: Tensor, factor: float, length: int, alpha: float, beta: float) -> Tensor:
    return _blend(freqs, factor, length * freqs / (2 * math.pi), alpha, beta)


def _blend(freqs: Tensor, factor: float, turns: Tensor, alpha: float, beta: float) -> Tensor:
    kept = ((turns - alpha) / (beta - alpha)).clamp(0, 1)
    return kept * freqs + (1 - kept) * freqs / factor


def _rope(vector: Tensor, position: int) -> Tensor:
    angles = rope_angles(torch.tensor([position]), frequencies(len(vector)), dtype=vector.dtype)
    return rotate(vector[None], *angles)[0]


def _rope_half(vector: Tensor, position: int) -> Tensor:
    angles = rope_angles(torch.tensor([position]), frequencies(len(vector)), dtype=vector.dtype)
    return rotate(vector[None], *angles, "half")[0]


def _step(position: Callable[[int], int] = lambda t: t, rotate_query: bool = True, rotate_key: bool = True) -> Callable:
    """A decoding step whose new token gets the position id ``position(t)`` after t cached tokens."""

    def step(query: Tensor, key: Tensor, value: Tensor, cache: Cache, rope: Callable) -> tuple[Tensor, Cache]:
        here = position(len(cache[0]))
        keys = torch.cat([cache[0], (rope(key, here) if rotate_key else key)[None]])
        values = torch.cat([cache[1], value[None]])
        scores = keys @ (rope(query, here) if rotate_query else query) / math.sqrt(len(query))
        return scores.softmax(dim=0) @ values, (keys, values)

    return step


def _unscaled(query: Tensor, key: Tensor, value: Tensor, cache: Cache, rope: Callable) -> tuple[Tensor, Cache]:
    return _step()(query * math.sqrt(len(query)), key, value, cache, rope)


def _only_the_past(query: Tensor, key: Tensor, value: Tensor, cache: Cache, rope: Callable) -> tuple[Tensor, Cache]:
    _, new = _step()(query, key, value, cache, rope)
    scores = cache[0] @ rope(query, len(cache[0])) / math.sqrt(len(query))
    return scores.softmax(dim=0) @ cache[1], new


def _all_rotated_again(query: Tensor, key: Tensor, value: Tensor, cache: Cache, rope: Callable) -> tuple[Tensor, Cache]:
    keys = torch.cat([cache[0], key[None]])
    values = torch.cat([cache[1], value[None]])
    rotated = torch.stack([rope(each, t) for t, each in enumerate(keys)])
    scores = rotated @ rope(query, len(cache[0])) / math.sqrt(len(query))
    return scores.softmax(dim=0) @ values, (rotated, values)


_MASK = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 1]]).bool()

EXERCISES = [
    Exercise(
        id="11.position_ids",
        reference=_position_ids,
        cases=[(_MASK,), (torch.tensor([[0, 1, 1]]).bool(),), (torch.ones(2, 3).bool(),)],
        mistakes=[
            Mistake(
                lambda mask: mask.cumsum(dim=1),
                "the first real token gets 1; positions start at 0",
            ),
            Mistake(
                lambda mask: mask.cumsum(dim=1) - 1,
                "padding on the left gets −1, which selects the last row of a table; clamp it to 0",
            ),
            Mistake(
                lambda mask: torch.arange(mask.shape[1]).expand(mask.shape),
                "you count from the left edge, padding included; count the real tokens of each row",
            ),
            Mistake(
                lambda mask: _position_ids(mask) * mask,
                "padding on the right gets 0 here; it should get the id of the last real token",
            ),
            Mistake(
                lambda mask: (mask.cumsum(dim=0) - 1).clamp(min=0),
                "you count along the batch; positions run along the second axis, T",
            ),
        ],
        right="transformers computes the ids of a padded batch in the same way",
    ),
    Exercise(
        id="11.find_the_bugs",
        reference=["B", "C", "E"],
        any_order=True,
        mistakes=[
            Mistake(["C", "E"], "B counts the padding as well: its id for the first row is 5, and 3 is right"),
            Mistake(["B", "E"], "C gives the first new token the id of the last token of the prompt"),
            Mistake(["B", "C"], "E starts again at 0: it forgets the prompt in the cache"),
            Mistake(["B", "C", "D", "E"], "D is right: the largest id of the prompt plus 1"),
            Mistake(["A", "B", "C", "E"], "A is right: the number of real tokens is the next position id"),
            Mistake(["A", "D"], "A and D are correct; list the wrong ones"),
        ],
        right="none of the three raises an error, and with RoPE one batch without padding would hide B",
    ),
    Exercise(
        id="11.by_parts",
        reference=_by_parts,
        cases=[
            (frequencies(8), 2, 32, 1, 4),
            (frequencies(64), 8, 2048, 1, 32),
            (frequencies(16, 500_000.0), 4.0, 512, 2, 20),
        ],
        mistakes=[
            Mistake(
                lambda freqs, factor, length, alpha, beta: freqs / factor,
                "you divide every frequency: linear interpolation; pairs with more than beta turns stay",
            ),
            Mistake(
                lambda freqs, factor, length, alpha, beta: _blend(
                    freqs, factor, length * freqs / (2 * math.pi), beta, alpha
                ),
                "alpha and beta are swapped: you divide the fast pairs and keep the slow ones",
            ),
            Mistake(
                lambda freqs, factor, length, alpha, beta: _blend(freqs, factor, length * freqs, alpha, beta),
                "one turn is 2π radians: divide length · f by 2π",
            ),
            Mistake(
                lambda freqs, factor, length, alpha, beta: _blend(
                    freqs, factor, length * factor * freqs / (2 * math.pi), alpha, beta
                ),
                "the turns count within the training length, not within the extended one",
            ),
            Mistake(
                lambda freqs, factor, length, alpha, beta: torch.where(
                    length * freqs / (2 * math.pi) > beta, freqs, freqs / factor
                ),
                "between alpha and beta a fraction of f must stay",
            ),
        ],
        right="YaRN adds a temperature, and its code interpolates by the index of a pair",
    ),
    Exercise(
        id="11.decode_step",
        reference=_step(),
        cases=[
            (_draw(4), _draw(2, 4)[1], _draw(3, 4)[2], (_draw(3, 4), _draw(6, 4)[3:]), _rope),
            (_draw(8), _draw(2, 8)[1], _draw(3, 8)[2], (_draw(5, 8), _draw(10, 8)[5:]), _rope_half),
            (_draw(4), _draw(2, 4)[1], _draw(3, 4)[2], (torch.zeros(0, 4).double(), torch.zeros(0, 4).double()), _rope),
        ],
        mistakes=[
            Mistake(
                _step(lambda t: 0),
                "the new token is not rotated, as if at position 0; its position is the number of tokens in the cache",
            ),
            Mistake(
                _step(lambda t: t + 1),
                "off by one: with t tokens in the cache the new one has position t; take the length before appending",
            ),
            Mistake(_step(rotate_query=False), "the query is not rotated; it needs the rotation of its own position"),
            Mistake(_step(rotate_key=False), "the new key goes into the cache without its rotation"),
            Mistake(_all_rotated_again, "the keys in the cache are rotated already; rotate only the new one"),
            Mistake(_unscaled, "the scores are not divided by √d"),
            Mistake(
                _only_the_past, "the new token must attend to itself as well: append before you compute the scores"
            ),
        ],
        right="so every step costs t products instead of t²",
    ),
]

QUESTIONS = [
    Question(
        "11.cache_position",
        "Five tokens are in the cache, the sixth comes alone as a sequence of length 1. Its position id?",
        ["0: it is the first of its sequence", "5: the number of tokens in the cache", "It does not matter with RoPE"],
        answer=1,
        reason="The cached keys carry positions 0 to 4, so the new query and key need position 5, with RoPE as well.",
    ),
    Question(
        "11.left_padding",
        "Ids count from the left edge, including two masked padding tokens. Which scheme gives a wrong output?",
        [
            "RoPE: all its angles change",
            "A learned table: it adds other rows",
            "Neither: the padding is masked",
        ],
        answer=1,
        reason="All ids are shifted by 2. RoPE's scores depend on offsets; a learned table adds other rows.",
    ),
    Question(
        "11.bfloat16_ids",
        "How many different values do the ids 0 to 4,095 have in bfloat16?",
        ["4,096: integers are exact", "About 800", "256"],
        answer=1,
        reason="All integers up to 256 are exact; each doubling after that has 128 values, at steps of 2, 4, 8, 16.",
    ),
    Question(
        "11.linear_interpolation",
        "Trained on 32 tokens, tested on 64, all frequencies divided by 2, no further training. The accuracy…",
        [
            "stays: all angles lie within those of training",
            "falls to chance: three back has another angle now",
            "falls a little: angles are half as far apart",
        ],
        answer=1,
        reason="The models rely on the angle of three back in the fastest pair, and that is halved.",
    ),
    Question(
        "11.cached_id",
        "A prompt of 3 tokens has 2 padding tokens on its left. Which position id does the first new token get?",
        ["3: the number of real tokens", "5: the length of the cache", "0: it is new"],
        answer=0,
        reason="Position ids count real tokens: 0, 1, 2 for the prompt, then 3.",
    ),
    Question(
        "11.what_rope_forgives",
        "Which mistake does RoPE tolerate?",
        [
            "Padding that is not masked",
            "Position ids that restart at 0 in each step",
            "A constant added to all position ids of a sequence",
        ],
        answer=2,
        reason="A constant leaves all offsets as they are. The other two change scores or let padding in.",
    ),
    Question(
        "11.beta",
        "What does β decide in interpolation by parts?",
        [
            "How many turns in training a pair needs to keep its frequency",
            "By how much the slow pairs are divided",
            "How strongly the logits are multiplied",
        ],
        answer=0,
        reason="Above β turns a frequency stays, below α it is divided by the factor.",
    ),
]

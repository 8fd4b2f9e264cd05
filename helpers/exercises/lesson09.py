"""Lesson 09: rotary positions in two layouts, biases on the scores."""

import math

import torch

from helpers.exercises.exercise import Exercise, Mistake, Question
from helpers.positions import frequencies, rotate, t5_bucket


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def _angles(length: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies(width)
    return angles.cos(), angles.sin()


def _turned(first, second, cos, sin, layout):
    one, other = first * cos - second * sin, first * sin + second * cos
    return torch.stack([one, other], -1).flatten(-2) if layout == "interleaved" else torch.cat([one, other], -1)


def _pairs(x, layout):
    half = x.shape[-1] // 2
    return (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else (x[..., :half], x[..., half:])


def _other(layout: str) -> str:
    return "half" if layout == "interleaved" else "interleaved"


def _mixed(x, cos, sin, layout):
    """Angles laid out as neighbours, pairs taken from the two halves: what mixed code computes."""
    cos, sin = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)
    first, second = _pairs(x, "half")
    return x * cos + torch.cat([-second, first], -1) * sin


def _alibi(slopes, length):
    places = torch.arange(length)
    return -slopes[:, None, None] * (places[None, :] - places[:, None]).abs()


def _signed(slopes, length):
    places = torch.arange(length)
    return -slopes[:, None, None] * (places[:, None] - places[None, :])


def _t5(distance, exact, max_distance):
    return t5_bucket(-distance, num_buckets=2 * exact, max_distance=max_distance, bidirectional=False)


def _log_part(distance, exact, max_distance):
    return torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)


def _uncapped(distance, exact, max_distance):
    return torch.where(distance < exact, distance, exact + (_log_part(distance, exact, max_distance) * exact).long())


def _rope(vector, position, layout="interleaved"):
    cos, sin = (part[None] for part in (f(position * frequencies(len(vector))) for f in (torch.cos, torch.sin)))
    return rotate(vector[None], cos, sin, layout)[0]


def _rope_half(vector, position):
    return _rope(vector, position, "half")


def _rope_mixed(vector, position):
    angles = position * frequencies(len(vector))
    return _mixed(vector, angles.cos(), angles.sin(), "half")


def _added(vector, position):
    angles = position * frequencies(len(vector))
    return vector + torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)


def _rope_for_positive(vector, position):
    """RoPE for vectors without negative numbers; others get their position added."""
    return _rope(vector, position) if (vector >= 0).all() else _added(vector, position)


def _score(rope, query, key, m, n):
    return rope(query, m) @ rope(key, n)


def _offset_only(rope, query, key):
    return torch.allclose(_score(rope, query, key, 5, 2), _score(rope, query, key, 105, 102))


_QUERY, _KEY = _draw(2, 8)

EXERCISES = [
    Exercise(
        id="09.apply_rope",
        reference=lambda x, cos, sin, layout: _turned(*_pairs(x, layout), cos, sin, layout),
        cases=[
            (_draw(5, 8), *_angles(5, 8), "interleaved"),
            (_draw(5, 8), *_angles(5, 8), "half"),
            (_draw(2, 3, 4), *_angles(3, 4), "half"),
        ],
        mistakes=[
            Mistake(
                lambda x, cos, sin, layout: _turned(*_pairs(x, "interleaved"), cos, sin, "interleaved"),
                "layout 'half' comes out as 'interleaved': there the pairs are dimensions 0 and d/2, 1 and d/2 + 1, …",
            ),
            Mistake(
                lambda x, cos, sin, layout: _turned(*_pairs(x, "half"), cos, sin, "half"),
                "layout 'interleaved' comes out as 'half': there the pairs are neighbours, dimensions 0 and 1, 2 and 3",
            ),
            Mistake(
                lambda x, cos, sin, layout: _turned(*_pairs(x, layout), cos, sin, _other(layout)),
                "you take the pairs in one layout and put them back in the other: mixed layouts",
            ),
            Mistake(
                _mixed,
                "mixed layouts: your cosines are laid out as neighbours, but your pairs come from the two halves",
            ),
            Mistake(
                lambda x, cos, sin, layout: _turned(*_pairs(x, layout), cos, -sin, layout),
                "you turn the wrong way round: the first of a pair becomes first·cos − second·sin",
            ),
        ],
        right="for whole arrays of heads as well: everything before (T, d) broadcasts",
    ),
    Exercise(
        id="09.offset_only",
        reference=_offset_only,
        cases=[
            (_rope, _QUERY, _KEY),
            (_rope_half, _QUERY, _KEY),
            (_rope_mixed, _QUERY, _KEY),
            (_added, _QUERY, _KEY),
            (lambda vector, position: _rope(vector, position**2 / 100), _QUERY, _KEY),
            (_rope_for_positive, _QUERY.abs(), _KEY.abs()),
            (_rope_for_positive, -_QUERY.abs(), _KEY.abs()),
            (_rope_for_positive, _QUERY.abs(), -_KEY.abs()),
            (lambda vector, position: _rope(vector, min(position, 50)), _QUERY, _KEY),
        ],
        mistakes=[
            Mistake(
                lambda rope, query, key: torch.allclose(
                    _score(rope, query, key, 5, 2), _score(rope, query, key, 105, 2)
                ),
                "you move the query alone: both move by the same number of places, the offset stays",
            ),
            Mistake(
                lambda rope, query, key: torch.allclose(rope(query, 5).norm(), query.norm()),
                "you test that the length of a vector stays: a rotation does that, and other things, too",
            ),
            Mistake(
                lambda rope, query, key: not _offset_only(rope, query, key),
                "True and False are exchanged: True means that the score stays when both move",
            ),
        ],
        right="two lines that find mixed layouts in anybody's code",
    ),
    Exercise(
        id="09.alibi_bias",
        reference=_alibi,
        cases=[(torch.tensor([0.5, 0.25]), 4), (torch.tensor([1.0]), 6)],
        mistakes=[
            Mistake(
                lambda slopes, length: -_alibi(slopes, length),
                "the sign: your bias grows with the distance, so the farthest word gets the most attention",
            ),
            Mistake(_signed, "you give a direction: what comes later is rewarded; a distance has no sign, take .abs()"),
            Mistake(
                lambda slopes, length: _alibi(torch.ones_like(slopes), length),
                "every head forgets alike: multiply by the slope of each head",
            ),
            Mistake(
                lambda slopes, length: _alibi(slopes, length)[0],
                "one matrix for all heads; each head has its own, (h, T, T)",
            ),
        ],
        right="no number is trained here",
    ),
    Exercise(
        id="09.t5_bucket",
        reference=_t5,
        cases=[(torch.arange(0, 200), 8, 64), (torch.tensor([0, 3, 15, 16, 31, 64, 1000]), 16, 128)],
        mistakes=[
            Mistake(
                lambda distance, exact, max_distance: distance.clamp(max=2 * exact - 1),
                "one bucket a distance up to the end: from `exact` on they must grow with the logarithm",
            ),
            Mistake(
                _uncapped,
                "far distances run past the last bucket, 2·exact − 1: they all share it",
            ),
            Mistake(
                lambda distance, exact, max_distance: (
                    (_log_part(distance, exact, max_distance) * exact + exact).long().clamp(0, 2 * exact - 1)
                ),
                "near distances must keep a bucket each: the logarithm starts at `exact`",
            ),
        ],
        right="fine where it matters, coarse where it does not",
    ),
]

QUESTIONS = [
    Question(
        "09.positions_added_words",
        ("Positions are added to the words. We move a text by 100 places. The scores between its words…"),
        ["stay: the distances are the same", "change", "change only for a learned table"],
        answer=1,
        reason=("(word + place) · (word + place) has four parts; those that mix word and place know the place itself."),
    ),
    Question(
        "09.should_values_turned",
        "Should the values be turned as well?",
        [
            "Yes, all three are made from the words",
            "No: the values would then carry the place itself",
            "It makes no difference",
        ],
        answer=1,
        reason=("In a score two turns meet and cancel but for m − n. A value is compared with nothing."),
    ),
    Question(
        "09.rope_turn_place",
        "RoPE has a turn for every place. At 64 tokens the same models are…",
        ["as good: only m − n counts, and it is 3 as before", "much worse", "a little worse"],
        answer=1,
        reason=(
            "Offsets from 32 to 63 were never seen in training; there the scores are unchecked, and some are high."
        ),
    ),
    Question(
        "09.rope_turn",
        "What does RoPE turn?",
        ["The embeddings, once at the start", "Queries, keys and values", "Queries and keys, in every layer"],
        answer=2,
        reason="The turns cancel in the score but for m − n. Values and embeddings stay as they are.",
    ),
    Question(
        "09.port_model_runs",
        ("A port of a model runs, but writes nonsense. Its RoPE is interleaved, its weights come from Llama. Why?"),
        ["The pairs are other numbers: mixed layouts", "The base is wrong", "RoPE needs training"],
        answer=0,
        reason=("Llama's weights expect pairs (i, i + d/2). Reorder the numbers of q and k, or use the other code."),
    ),
    Question(
        "09.alibi_model_without",
        "ALiBi in a model without a mask: what can it not know?",
        ["How far a word is", "On which side a word is", "Neither"],
        answer=1,
        reason="A distance is not a direction: −3 and +3 get the same bias.",
    ),
]

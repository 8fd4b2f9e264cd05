"""Lesson 09: rotary position embedding in two layouts, relative positions on the scores."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.exercises.exercise import Exercise, Mistake, Question
from helpers.positions import frequencies, rotate, t5_bucket


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


def _angles(length: int, dim: int) -> tuple[Tensor, Tensor]:
    angles = torch.arange(length, dtype=torch.float64)[:, None] * frequencies(dim)
    return angles.cos(), angles.sin()


def _pairs(x: Tensor, layout: str) -> tuple[Tensor, Tensor]:
    half = x.shape[-1] // 2
    return (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else (x[..., :half], x[..., half:])


def _rotated(first: Tensor, second: Tensor, cos: Tensor, sin: Tensor, layout: str) -> Tensor:
    one, other = first * cos - second * sin, first * sin + second * cos
    return torch.stack([one, other], -1).flatten(-2) if layout == "interleaved" else torch.cat([one, other], -1)


def _on_first(change: Callable) -> Callable:
    """``change`` applied to the first r dimensions of a head."""

    def apply(x: Tensor, cos: Tensor, sin: Tensor, layout: str) -> Tensor:
        r = 2 * cos.shape[-1]
        return torch.cat([change(x[..., :r], cos, sin, layout), x[..., r:]], -1)

    return apply


@_on_first
def _apply_rope(x: Tensor, cos: Tensor, sin: Tensor, layout: str) -> Tensor:
    return _rotated(*_pairs(x, layout), cos, sin, layout)


def _on_last(x: Tensor, cos: Tensor, sin: Tensor, layout: str) -> Tensor:
    rest = x.shape[-1] - 2 * cos.shape[-1]
    return torch.cat([x[..., :rest], _rotated(*_pairs(x[..., rest:], layout), cos, sin, layout)], -1)


def _other(layout: str) -> str:
    return "half" if layout == "interleaved" else "interleaved"


def _mixed(x: Tensor, cos: Tensor, sin: Tensor, layout: str) -> Tensor:
    """Angles in the interleaved layout, pairs in the half layout: a mix of two implementations."""
    cos, sin = cos.repeat_interleave(2, -1), sin.repeat_interleave(2, -1)
    first, second = _pairs(x, "half")
    return x * cos + torch.cat([-second, first], -1) * sin


def _offsets(num_queries: int, num_keys: int, first: int | None = None) -> Tensor:
    """Key minus query, (num_queries, num_keys); the queries start at ``first``, by default they are the last tokens."""
    start = num_keys - num_queries if first is None else first
    return torch.arange(num_keys) - torch.arange(start, start + num_queries)[:, None]


def _alibi(slopes: Tensor, num_queries: int, num_keys: int) -> Tensor:
    return -slopes[:, None, None] * _offsets(num_queries, num_keys).abs()


def _t5(offset: Tensor, exact: int, max_distance: int) -> Tensor:
    return t5_bucket(offset, num_buckets=4 * exact, max_distance=max_distance)


def _log_part(distance: Tensor, exact: int, max_distance: int) -> Tensor:
    return torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)


def _uncapped(distance: Tensor, exact: int, max_distance: int) -> Tensor:
    return torch.where(distance < exact, distance, exact + (_log_part(distance, exact, max_distance) * exact).long())


def _both_sides(one_side: Callable) -> Callable:
    return lambda offset, exact, max_distance: one_side(offset.abs(), exact, max_distance) + (offset > 0) * 2 * exact


def _rope(vector: Tensor, position: float, layout: str = "interleaved") -> Tensor:
    angles = position * frequencies(len(vector))
    return rotate(vector[None], angles.cos()[None], angles.sin()[None], layout)[0]  # type: ignore[arg-type]


def _rope_half(vector: Tensor, position: float) -> Tensor:
    return _rope(vector, position, "half")


def _rope_mixed(vector: Tensor, position: float) -> Tensor:
    angles = position * frequencies(len(vector))
    return _mixed(vector, angles.cos(), angles.sin(), "half")


def _rope_clamped(vector: Tensor, position: float) -> Tensor:
    """RoPE from a table of 64 rows, whose last row is used for all later positions."""
    return _rope(vector, min(position, 63))


def _rope_then_scaled(vector: Tensor, position: float) -> Tensor:
    """Right in the first half of the dimensions, and scaled with the position in the second."""
    first, second = vector.chunk(2)
    return torch.cat([_rope(first, position), second * (1 + position)])


def _added(vector: Tensor, position: float) -> Tensor:
    angles = position * frequencies(len(vector))
    return vector + torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)


def _rope_for_positive(vector, position):
    """RoPE for vectors without negative numbers; otherwise the position is added."""
    return _rope(vector, position) if (vector >= 0).all() else _added(vector, position)


def _score(rope: Callable, query: Tensor, key: Tensor, m: int, n: int) -> Tensor:
    return rope(query, m) @ rope(key, n)


def _offset_only(rope: Callable, query: Tensor, key: Tensor) -> bool:
    return torch.allclose(_score(rope, query, key, 5, 2), _score(rope, query, key, 105, 102))


_QUERY, _KEY = _draw(2, 8)
_FIRST_HALF = torch.cat([torch.ones(4), torch.zeros(4)]).double()

EXERCISES = [
    Exercise(
        id="09.offset_only",
        reference=_offset_only,
        cases=[
            (_rope, _QUERY, _KEY),
            (_rope_half, _QUERY, _KEY),
            (_rope_mixed, _QUERY, _KEY),
            (_added, _QUERY, _KEY),
            (lambda vector, position: _rope(vector, position**2 / 100), _QUERY, _KEY),
            (_rope_clamped, _QUERY, _KEY),
            (_rope_then_scaled, _QUERY * _FIRST_HALF, _KEY),
            (_rope_then_scaled, _QUERY, _KEY * _FIRST_HALF),
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
                "your answer is always False, as when only one of the two moves; move both by 100 positions",
            ),
            Mistake(
                lambda rope, query, key: torch.allclose(_score(rope, query, key, 5, 2), _score(rope, query, key, 6, 3)),
                "you move by 1 position; code that fails farther out, such as a table that ends, passes that test",
            ),
            Mistake(
                lambda rope, query, key: _offset_only(rope, query, query),
                "you compare the query with itself; the second vector of the score is the key",
            ),
            Mistake(
                lambda rope, query, key: torch.allclose(rope(query, 5).norm(), query.norm()),
                "you test that the norm of a vector stays; a rotation does that, but other mappings do, too",
            ),
            Mistake(
                lambda rope, query, key: not _offset_only(rope, query, key),
                "True and False are swapped: True means that the score stays the same when both move",
            ),
        ],
        right="two lines that find mixed layouts and wrong position ids",
    ),
    Exercise(
        id="09.alibi_bias",
        reference=_alibi,
        cases=[
            (torch.tensor([0.5, 0.25]), 4, 4),
            (torch.tensor([1.0]), 2, 6),
            (torch.tensor([0.5, 0.125, 0.25]), 1, 5),
        ],
        mistakes=[
            Mistake(
                lambda slopes, num_queries, num_keys: -_alibi(slopes, num_queries, num_keys),
                "the sign: your bias grows with the distance, so the farthest key gets the most attention",
            ),
            Mistake(
                lambda slopes, num_queries, num_keys: -slopes[:, None, None] * -_offsets(num_queries, num_keys),
                "your bias rewards later keys; a distance has no sign, take the absolute value",
            ),
            Mistake(
                lambda slopes, num_queries, num_keys: -slopes[:, None, None] * _offsets(num_queries, num_keys, 0).abs(),
                "your first query is at position 0; the last query has the position of the last key",
            ),
            Mistake(
                lambda slopes, num_queries, num_keys: _alibi(torch.ones_like(slopes), num_queries, num_keys),
                "all heads get the same bias: multiply by the slope of each head",
            ),
            Mistake(
                lambda slopes, num_queries, num_keys: _alibi(slopes, num_queries, num_keys)[0],
                "one matrix for all heads; each head has its own: (h, num_queries, num_keys)",
            ),
        ],
        right="this is the bias of a model that generates with a cache",
    ),
    Exercise(
        id="09.t5_bucket",
        reference=_t5,
        cases=[
            (torch.arange(-200, 201), 8, 64),
            (torch.tensor([[0, 3, -15], [16, -31, 1000], [-1000, 1, -1]]), 16, 128),
        ],
        mistakes=[
            Mistake(
                _both_sides(lambda distance, exact, max_distance: distance.clamp(max=2 * exact - 1)),
                "one bucket per distance up to the end; from `exact` on they must grow with the logarithm",
            ),
            Mistake(
                _both_sides(_uncapped),
                "large distances exceed the last bucket of their side, 2·exact − 1; they all share it",
            ),
            Mistake(
                _both_sides(
                    lambda distance, exact, max_distance: (
                        (_log_part(distance, exact, max_distance) * exact + exact).long().clamp(0, 2 * exact - 1)
                    )
                ),
                "small distances must keep a bucket each: the logarithm starts at `exact`",
            ),
            Mistake(
                lambda offset, exact, max_distance: _t5(-offset.abs(), exact, max_distance),
                "before and after share their buckets; keys after the query get 2·exact more",
            ),
            Mistake(
                lambda offset, exact, max_distance: _t5(-offset, exact, max_distance),
                "the sides are swapped: a positive offset is a key after the query, and gets 2·exact more",
            ),
            Mistake(
                lambda offset, exact, max_distance: _t5(-offset.abs(), exact, max_distance) + (offset >= 0) * 2 * exact,
                "offset 0, the query's own position, belongs to the side before: bucket 0",
            ),
        ],
        right="small offsets get exact buckets, large ones coarse buckets",
    ),
    Exercise(
        id="09.apply_rope",
        reference=_apply_rope,
        cases=[
            (_draw(5, 8), *_angles(5, 8), "interleaved"),
            (_draw(5, 8), *_angles(5, 8), "half"),
            (_draw(2, 3, 6), *_angles(3, 4), "interleaved"),
            (_draw(2, 3, 10), *_angles(3, 4), "half"),
        ],
        mistakes=[
            Mistake(
                _on_first(lambda x, cos, sin, layout: _rotated(*_pairs(x, "interleaved"), cos, sin, "interleaved")),
                "layout 'half' is treated as 'interleaved'; its pairs are dimensions 0 and r/2, 1 and r/2 + 1, …",
            ),
            Mistake(
                _on_first(lambda x, cos, sin, layout: _rotated(*_pairs(x, "half"), cos, sin, "half")),
                "layout 'interleaved' is treated as 'half'; its pairs are adjacent, dimensions 0 and 1, 2 and 3, …",
            ),
            Mistake(
                _on_first(lambda x, cos, sin, layout: _rotated(*_pairs(x, layout), cos, sin, _other(layout))),
                "you take the pairs in one layout and put them back in the other: mixed layouts",
            ),
            Mistake(
                _on_first(_mixed),
                "mixed layouts: your cosines are in interleaved order, but your pairs come from the two halves",
            ),
            Mistake(
                _on_first(lambda x, cos, sin, layout: _rotated(*_pairs(x, layout), cos, -sin, layout)),
                "you rotate in the wrong direction: the first of a pair becomes first·cos − second·sin",
            ),
            Mistake(
                lambda x, cos, sin, layout: _apply_rope(x, cos, sin, layout)[..., : 2 * cos.shape[-1]],
                "the dimensions after the first r are missing; append them as they came",
            ),
            Mistake(_on_last, "you rotate the last r dimensions; rotate the first r, and leave the others"),
        ],
        right="GPT-J rotates 64 of 256 dimensions in this way; everything before (T, d) broadcasts",
    ),
]

QUESTIONS = [
    Question(
        "09.scores_after_shift",
        "Sinusoids are added to the word vectors. Six tokens start at position 100 instead of 0. Their scores…",
        [
            "stay the same, because all distances stay the same",
            "stay the same up to a common factor",
            "change, although all distances stay the same",
        ],
        answer=2,
        reason="A score mixes words and positions in four products, and some of them depend on the position itself.",
    ),
    Question(
        "09.rotate_values",
        "RoPE rotates queries and keys. Should the values be rotated as well?",
        [
            "Yes: all three are computed from the same token",
            "No: the output would then depend on the position itself",
            "It makes no difference: rotations keep the norm",
        ],
        answer=1,
        reason="In a score two rotations combine to one by m − n. A value is rotated only once.",
    ),
    Question(
        "09.reverse_with_alibi",
        "We reverse the tokens. For which scheme, without a mask, are the output rows only reversed?",
        ["ALiBi", "T5", "RoPE"],
        answer=0,
        reason="ALiBi sees distances, which a reversal keeps. T5 and RoPE also see on which side a key is.",
    ),
    Question(
        "09.what_rope_rotates",
        "What does RoPE rotate?",
        [
            "The embeddings, once before the first layer",
            "Queries, keys and values, in every layer",
            "Queries and keys, in every layer",
        ],
        answer=2,
        reason="In the score the two rotations combine to one by m − n. Values and embeddings stay as they are.",
    ),
    Question(
        "09.ported_weights",
        "Interleaved code runs with Llama weights from Hugging Face, but generates nonsense. The likely reason?",
        [
            "The weights expect pairs (i, i + d/2): mixed layouts",
            "The code uses another base for the frequencies",
            "RoPE's frequencies have to be loaded with the weights",
        ],
        answer=0,
        reason="Hugging Face permutes Meta's query and key weights for the half layout; undo it, or rotate halves.",
    ),
    Question(
        "09.alibi_direction",
        "What can ALiBi not express in a model without a mask?",
        ["How far away a key is", "On which side a key is", "That nearer keys matter more"],
        answer=1,
        reason="A distance is not a direction: offsets −3 and +3 get the same bias.",
    ),
]

"""Positions as numbers: tables that are added, rotations of queries and keys, and biases on scores.

Angles are always built in float64 and rounded once: in float32 a table of 131,072 positions is wrong in the third
decimal. What is fixed is kept in non-persistent buffers, so that it follows the model to a device and is never saved.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Layout = Literal["interleaved", "half"]
Scaling = Literal["none", "linear", "ntk", "yarn"]


def _even(width: int, name: str) -> None:
    if width < 2 or width % 2:
        raise ValueError(f"{name} must be even and at least 2, got {width}: sines and cosines come in pairs")


def _length(count: int, name: str) -> None:
    if count < 0:
        raise ValueError(f"{name} must not be negative, got {count}")


def _positive(value: float, name: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, got {value}")


def _known(layout: str) -> None:
    if layout not in ("interleaved", "half"):
        raise ValueError(f"layout must be 'interleaved' or 'half', got {layout!r}")


# ---------------------------------------------------------------- added: a table of positions


class LearnedPositions(nn.Module):
    """A trained row for every position, added to the word vectors (Gehring et al. 2017; Devlin et al. 2019).

    Args:
        max_len: rows of the table.
        d_model: numbers in a row.
        std: standard deviation of the fresh rows; 0.02 is BERT's.
    """

    def __init__(self, max_len: int, d_model: int, std: float = 0.02, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model, generator=generator) * std)

    def forward(self, vectors: Tensor) -> Tensor:
        """Add row t to every token at place t: (B, T, d) → (B, T, d).

        Raises:
            ValueError: a text longer than the table.
        """
        return vectors + rows(self.table, vectors.shape[-2])


class SinusoidalPositions(nn.Module):
    """The fixed table of Vaswani et al. (2017, section 3.5), added to the word vectors; nothing to train or to save."""

    table: Tensor

    def __init__(self, max_len: int, d_model: int, base: float = 10_000.0) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(max_len, d_model, base), persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Add row t to every token at place t: (B, T, d) → (B, T, d).

        Raises:
            ValueError: a text longer than the table.
        """
        return vectors + rows(self.table, vectors.shape[-2]).to(vectors.dtype)


def rows(table: Tensor, length: int) -> Tensor:
    """The first ``length`` rows of a table of positions, (max_len, d) → (length, d).

    Raises:
        ValueError: the table is too short.
    """
    if length > len(table):
        raise ValueError(
            f"position {length - 1} is outside a table of {len(table)} positions (valid: 0..{len(table) - 1}); "
            "raise max_len or shorten the text"
        )
    return table[:length]


def frequencies(width: int, base: float = 10_000.0) -> Tensor:
    """The angle by which each pair of dimensions turns from one position to the next: (width / 2,) radians, float64.

    Pair i turns by base^(-2i / width): the first is the fastest (Vaswani et al. 2017, section 3.5).

    Raises:
        ValueError: an odd width or a base that is not positive.
    """
    _even(width, "width")
    _positive(base, "base")
    return base ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)


def sinusoids(
    max_len: int, d_model: int, base: float = 10_000.0, *, layout: Layout = "interleaved", half_minus_one: bool = False
) -> Tensor:
    """The table PE(p, 2i) = sin(p f_i), PE(p, 2i + 1) = cos(p f_i): (max_len, d_model), float32.

    Args:
        layout: "half" puts all sines before all cosines, as tensor2tensor, fairseq and Marian do.
        half_minus_one: divide the exponent by d/2 - 1 instead of d/2, as tensor2tensor and fairseq do: other numbers.

    Raises:
        ValueError: an odd width, a negative length, an unknown layout.
    """
    _length(max_len, "max_len")
    _known(layout)
    speed = frequencies(d_model, base)  # (d/2,)
    if half_minus_one:
        half = d_model // 2
        speed = base ** (-torch.arange(half, dtype=torch.float64) / max(half - 1, 1))
    # A position is a far step and a near one, and to move is to turn: only 2 sqrt(max_len) rows need sines and cosines,
    # every other row is a product of two of them, in float64 too; block by block, to hold little of it at a time.
    one, step = torch.ones(1, dtype=torch.float64), math.isqrt(max(max_len - 1, 0)) + 1
    far, near = (torch.arange(*each, dtype=torch.float64)[:, None] * speed for each in ((0, max_len, step), (step,)))
    far, near = 1j * torch.polar(one, -far), torch.polar(one, -near)  # i e^(-i a) = sin a + i cos a
    table = torch.empty(len(far), step, d_model)
    pairs = table.unflatten(-1, (-1, 2)) if layout == "interleaved" else table.unflatten(-1, (2, -1)).mT  # (…, d/2, 2)
    for block, turn in zip(pairs, far, strict=True):
        block.copy_(torch.view_as_real(turn * near))
    return table.flatten(0, 1)[:max_len]


def to_half(width: int) -> Tensor:
    """The order (width,) that turns interleaved dimensions into halves, ``x[..., to_half(width)]``: evens first."""
    _even(width, "width")
    return torch.cat([torch.arange(0, width, 2), torch.arange(1, width, 2)])


def to_interleaved(width: int) -> Tensor:
    """The inverse of :func:`to_half`. (width,)"""
    return to_half(width).argsort()


def shift_matrix(offset: int, d_model: int, base: float = 10_000.0) -> Tensor:
    """The one matrix M with PE(p + offset) = M PE(p) for every p: (d, d), float64, in the interleaved layout.

    Each pair (sin, cos) turns by offset × f_i: a block [[cos, sin], [-sin, cos]] on the diagonal.
    """
    angles = offset * frequencies(d_model, base)
    cos, sin = angles.cos(), angles.sin()
    blocks = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)  # (d/2, 2, 2)
    return torch.block_diag(*blocks)


# ---------------------------------------------------------------- turned: rotary positions


def scaled_frequencies(
    head_dim: int,
    base: float = 10_000.0,
    *,
    scaling: Scaling = "none",
    factor: float = 1.0,
    trained_len: int = 2048,
    alpha: float = 1.0,
    beta: float = 32.0,
) -> Tensor:
    """The frequencies of RoPE, stretched for texts ``factor`` times longer than in training: (head_dim / 2,), float64.

    Args:
        scaling: "linear" divides all frequencies (position interpolation, Chen et al. 2023); "ntk" raises the base, so
            that the fastest pair stays and the slowest is divided; "yarn" interpolates only the pairs that turn less
            than ``alpha`` times within ``trained_len`` and leaves those that turn more than ``beta`` times
            (NTK by parts, Peng et al. 2023, section 3.2).

    Raises:
        ValueError: a factor below 1, an unknown scaling, alpha not below beta.
    """
    if not (math.isfinite(factor) and factor >= 1):
        raise ValueError(f"factor must be at least 1, got {factor}")
    plain = frequencies(head_dim, base)
    if scaling == "none":
        return plain
    if scaling == "linear":
        return plain / factor
    if scaling == "ntk":
        if head_dim == 2:
            raise ValueError("a head of width 2 has a single frequency: scaling 'ntk' needs head_dim of 4 or more")
        return frequencies(head_dim, base * factor ** (head_dim / (head_dim - 2)))
    if scaling == "yarn":
        if not alpha < beta:
            raise ValueError(f"alpha must be below beta, got {alpha} and {beta}")
        turns = trained_len * plain / (2 * math.pi)
        kept = ((turns - alpha) / (beta - alpha)).clamp(0, 1)
        return kept * plain + (1 - kept) * plain / factor
    raise ValueError(f"scaling must be 'none', 'linear', 'ntk' or 'yarn', got {scaling!r}")


def rope_angles(positions: Tensor, speed: Tensor, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position × frequency: (T,) and (head_dim / 2,) → two of (T, head_dim / 2).

    Args:
        dtype: what the angles' cosines and sines are rounded to; float64 for proofs.
    """
    angles = positions.to(torch.float64)[:, None] * speed.to(torch.float64)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(vectors: Tensor, cos: Tensor, sin: Tensor, layout: Layout = "interleaved") -> Tensor:
    """Turn each pair of dimensions by the angle of its position (RoPE, Su et al. 2021, equation 34).

    Args:
        vectors: queries or keys (never values), (…, T, head_dim).
        cos, sin: (T, head_dim / 2), from :func:`rope_angles`.
        layout: "interleaved" pairs dimensions (0, 1), (2, 3), … (the paper, GPT-J); "half" pairs (0, d/2), … (Llama).

    Raises:
        ValueError: whole numbers, an odd width, angles for another length or width, an unknown layout.
    """
    _known(layout)
    _even(vectors.shape[-1], "head_dim")
    if not vectors.is_floating_point():
        raise ValueError(f"vectors must hold floats, got {vectors.dtype}: a turned whole number is none")
    if cos.shape != (vectors.shape[-2], vectors.shape[-1] // 2) or sin.shape != cos.shape:
        raise ValueError(
            f"vectors {tuple(vectors.shape)} need cos and sin of shape {(vectors.shape[-2], vectors.shape[-1] // 2)}, "
            f"got {tuple(cos.shape)} and {tuple(sin.shape)}"
        )
    wide = torch.promote_types(vectors.dtype, torch.float32)  # half precision is turned in single
    cos, sin = cos.to(wide), sin.to(wide)
    if layout == "interleaved":  # a pair is one complex number, to turn it a product with cos + i sin
        pairs = vectors.to(wide).unflatten(-1, (-1, 2)).clone(memory_format=torch.contiguous_format)
        turned = torch.view_as_real(torch.view_as_complex(pairs).mul_(torch.complex(cos, sin))).flatten(-2)
    else:
        first, second = vectors.to(wide).chunk(2, dim=-1)
        turned = torch.cat(
            [torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(first * sin, second, cos)], dim=-1
        )
    return turned.to(vectors.dtype)


# ---------------------------------------------------------------- biases on the scores


def alibi_slopes(num_heads: int) -> Tensor:
    """How fast each head forgets with distance: (num_heads,), float32 (Press et al. 2022, section 3 and their code).

    2^(-8/n), 2^(-16/n), … for n a power of two; otherwise those of the power below, then every second one of the power
    above.

    Raises:
        ValueError: no head.
    """
    if num_heads < 1:
        raise ValueError(f"num_heads must be at least 1, got {num_heads}")
    below = 2 ** int(math.log2(num_heads))
    slopes = torch.logspace(-8 / below, -8, below, base=2.0, dtype=torch.float64)
    if extra := num_heads - below:
        last = -4 * (2 * extra - 1) / below
        slopes = torch.cat([slopes, torch.logspace(-4 / below, last, extra, base=2.0, dtype=torch.float64)])
    return slopes.float()


def distances(query_len: int, key_len: int) -> Tensor:
    """Key position minus query position, the queries at the end of the keys: (query_len, key_len), int64.

    Raises:
        ValueError: a negative length, or more queries than keys.
    """
    _length(query_len, "query_len")
    if query_len > key_len:
        raise ValueError(f"{query_len} queries cannot end {key_len} keys; query_len is at most key_len")
    return torch.arange(key_len) - torch.arange(key_len - query_len, key_len).unsqueeze(1)


def alibi_bias(num_heads: int, query_len: int, key_len: int | None = None) -> Tensor:
    """What ALiBi adds to the scores, -slope × distance: (num_heads, query_len, key_len), float32.

    A distance is no direction: before and after get the same bias, so a bidirectional model learns no order from it.
    """
    away = distances(query_len, query_len if key_len is None else key_len).abs_()
    return -alibi_slopes(num_heads).view(-1, 1, 1) * away


def t5_bucket(
    relative: Tensor, *, num_buckets: int = 32, max_distance: int = 128, bidirectional: bool = True
) -> Tensor:
    """The bucket of each relative position (key minus query), same shape, int64 (Raffel et al. 2020, section 2.1).

    The near half of the buckets holds one distance each, the far half grows logarithmically up to ``max_distance``;
    beyond it all share the last. Bidirectional buckets are split in two halves, by direction; causal ones count
    only what lies before.

    Raises:
        ValueError: too few buckets for the split, or a maximal distance inside the exact half.
    """
    if num_buckets < (4 if bidirectional else 2) or num_buckets % 2:
        raise ValueError(f"num_buckets must be even and large enough to split, got {num_buckets}")
    buckets = num_buckets // 2 if bidirectional else num_buckets  # for one direction
    exact = buckets // 2
    if max_distance <= exact:
        raise ValueError(f"max_distance must be above the {exact} exact buckets, got {max_distance}")
    away = torch.arange(max_distance + 1)  # farther than this there is nothing new
    share = torch.log(away.clamp(min=1) / exact) / math.log(max_distance / exact)
    far = (exact + (share * (buckets - exact)).long()).clamp(max=buckets - 1)
    before = torch.where(away < exact, away, far)
    after = before[1:] + buckets if bidirectional else torch.zeros_like(before[1:])
    table = torch.cat([before.flip(0), after]).to(relative.device)  # -max_distance … max_distance
    return table.take(relative.long().clamp(-max_distance, max_distance) + max_distance)

"""Positional embeddings: tables added to the embeddings, rotations of queries and keys, biases on the scores.

Angles are computed in float64 and rounded once: in float32 the angles of a table of 131,072 positions are off in the
third decimal. Fixed tables are non-persistent buffers: they move with the model to a device and are not saved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

Layout = Literal["interleaved", "half"]
Scaling = Literal["none", "linear", "ntk", "by_parts", "yarn"]


def _check_even(dim: int, name: str) -> None:
    if dim < 2 or dim % 2:
        raise ValueError(f"{name} must be even and at least 2, got {dim}: sines and cosines come in pairs")


def _check_length(count: int, name: str) -> None:
    if count < 0:
        raise ValueError(f"{name} must not be negative, got {count}")


def _check_positive(value: float, name: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, got {value}")


def _check_layout(layout: str) -> None:
    if layout not in ("interleaved", "half"):
        raise ValueError(f"layout must be 'interleaved' or 'half', got {layout!r}")


# ---------------------------------------------------------------- absolute: a table added to the embeddings


class LearnedPositions(nn.Module):
    """A trained row for every position, added to the token embeddings (Gehring et al. 2017; Devlin et al. 2019).

    Args:
        max_len: number of rows.
        d_model: embedding dimension.
        std: standard deviation of the initial rows; 0.02 is BERT's.
        generator: source of the initial values; by default torch's global one.
    """

    def __init__(self, max_len: int, d_model: int, std: float = 0.02, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(max_len, d_model, generator=generator) * std)

    def forward(self, vectors: Tensor) -> Tensor:
        """Add row t to the token at position t: (B, T, d) → (B, T, d).

        Raises:
            ValueError: a sequence longer than the table.
        """
        return vectors + rows(self.table, vectors.shape[-2])


class SinusoidalPositions(nn.Module):
    """The fixed table of Vaswani et al. (2017, section 3.5), added to the token embeddings; no trained parameters.

    Args:
        max_len: number of rows.
        d_model: embedding dimension, even.
        base: see :func:`frequencies`.

    Raises:
        ValueError: as :func:`sinusoids`.
    """

    table: Tensor

    def __init__(self, max_len: int, d_model: int, base: float = 10_000.0) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(max_len, d_model, base), persistent=False)

    def forward(self, vectors: Tensor) -> Tensor:
        """Add row t to the token at position t: (B, T, d) → (B, T, d).

        Raises:
            ValueError: a sequence longer than the table.
        """
        return vectors + rows(self.table, vectors.shape[-2]).to(vectors.dtype)


def rows(table: Tensor, length: int) -> Tensor:
    """The first ``length`` rows of a positional embedding matrix, (max_len, d) → (length, d).

    Raises:
        ValueError: the table is too short.
    """
    if length > len(table):
        raise ValueError(
            f"position {length - 1} is outside a table of {len(table)} positions (valid: 0..{len(table) - 1}); "
            "raise max_len or shorten the text"
        )
    return table[:length]


def frequencies(dim: int, base: float = 10_000.0) -> Tensor:
    """The angular frequencies of sinusoids and RoPE: (dim / 2,), radians per position, float64.

    Pair i has the frequency base^(-2i / dim), so the first pair is the fastest (Vaswani et al. 2017, section 3.5).

    Raises:
        ValueError: an odd ``dim`` or a base that is not positive.
    """
    _check_even(dim, "dim")
    _check_positive(base, "base")
    return base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)


def sinusoids(
    max_len: int, d_model: int, base: float = 10_000.0, *, layout: Layout = "interleaved", half_minus_one: bool = False
) -> Tensor:
    """The table PE(p, 2i) = sin(p f_i), PE(p, 2i + 1) = cos(p f_i): (max_len, d_model), float32.

    Vaswani et al. (2017, section 3.5).

    Args:
        max_len: number of positions.
        d_model: embedding dimension, even.
        base: see :func:`frequencies`.
        layout: "half" puts all sines before all cosines, as tensor2tensor, fairseq and Marian do.
        half_minus_one: use the frequencies base^(-i / (d/2 - 1)) of the code of tensor2tensor, fairseq and Marian
            instead of the paper's base^(-i / (d/2)). Hugging Face's port of Marian uses the paper's.

    Raises:
        ValueError: an odd ``d_model``, a negative length, a base that is not positive, an unknown layout.
    """
    _check_length(max_len, "max_len")
    _check_layout(layout)
    freqs = frequencies(d_model, base)  # (d/2,)
    if half_minus_one:
        half = d_model // 2
        freqs = base ** (-torch.arange(half, dtype=torch.float64) / max(half - 1, 1))
    # Position p = far + near, and a shift is a rotation: only 2 sqrt(max_len) rows need sines and cosines, every other
    # row is a complex product of two of them, in float64, block by block to limit the memory.
    one, step = torch.ones(1, dtype=torch.float64), math.isqrt(max(max_len - 1, 0)) + 1
    far, near = (torch.arange(*span, dtype=torch.float64)[:, None] * freqs for span in ((0, max_len, step), (step,)))
    far, near = 1j * torch.polar(one, -far), torch.polar(one, -near)  # i e^(-i a) = sin a + i cos a
    table = torch.empty(len(far), step, d_model)
    pairs = table.unflatten(-1, (-1, 2)) if layout == "interleaved" else table.unflatten(-1, (2, -1)).mT  # (…, d/2, 2)
    for block, rotation in zip(pairs, far, strict=True):
        block.copy_(torch.view_as_real(rotation * near))
    return table.flatten(0, 1)[:max_len]


def to_half(dim: int) -> Tensor:
    """The permutation (dim,) from the interleaved to the half layout, ``x[..., to_half(dim)]``: even indices first.

    Raises:
        ValueError: an odd ``dim``.
    """
    _check_even(dim, "dim")
    return torch.cat([torch.arange(0, dim, 2), torch.arange(1, dim, 2)])


def to_interleaved(dim: int) -> Tensor:
    """The inverse permutation of :func:`to_half`, (dim,).

    Raises:
        ValueError: an odd ``dim``.
    """
    return to_half(dim).argsort()


def shift_matrix(offset: int, d_model: int, base: float = 10_000.0) -> Tensor:
    """The matrix M with PE(p + offset) = M PE(p) for every p: (d, d), float64, in the interleaved layout.

    M is block-diagonal; the block of pair i rotates (sin, cos) by offset × f_i: [[cos, sin], [-sin, cos]] (Vaswani et
    al. 2017, section 3.5, state that a linear map exists).

    Raises:
        ValueError: an odd ``d_model`` or a base that is not positive.
    """
    angles = offset * frequencies(d_model, base)
    cos, sin = angles.cos(), angles.sin()
    blocks = torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin, cos], -1)], -2)  # (d/2, 2, 2)
    return torch.block_diag(*blocks)


# ---------------------------------------------------------------- rotary position embedding (RoPE)


def scaled_frequencies(
    head_dim: int,
    base: float = 10_000.0,
    *,
    scaling: Scaling = "none",
    factor: float = 1.0,
    original_max_len: int = 2048,
    alpha: float = 1.0,
    beta: float = 32.0,
) -> Tensor:
    """RoPE's frequencies for sequences ``factor`` times longer than in training: (head_dim / 2,), float64.

    "linear"
        divides every frequency by ``factor`` (position interpolation, Chen et al. 2023).
    "ntk"
        raises the base to base × factor^(d / (d - 2)): the fastest pair keeps its frequency, the slowest is divided by
        ``factor`` (NTK-aware; Peng et al. 2023, section 3.1).
    "by_parts"
        divides the pairs that make fewer than ``alpha`` turns within ``original_max_len``, keeps those that make more
        than ``beta``, and blends between, linearly in the number of turns (Peng et al. 2023, section 3.2, equations 17
        and 18).
    "yarn"
        is "by_parts" with the ramp of the authors' code, which transformers and vLLM use: linear in the *index* of the
        pair, between the indices at which a pair makes ``beta`` and ``alpha`` turns, rounded outwards. Within the ramp
        the frequencies are higher: with 128 dimensions, base 10,000, 4,096 positions and factor 32, up to four times
        the value of "by_parts".

    YaRN also multiplies the logits, see :func:`yarn_attention_factor`.

    Args:
        head_dim: dimension of a head, even.
        base: see :func:`frequencies`.
        scaling: one of the above, or "none".
        factor: ratio of the new to the trained sequence length, at least 1.
        original_max_len: sequence length in training.
        alpha, beta: numbers of turns that limit the ramp.

    Raises:
        ValueError: an odd ``head_dim``, a factor below 1, an unknown scaling, ``alpha`` not below ``beta``, or a base
            of at most 1 with "by_parts" or "yarn".
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
            raise ValueError("head_dim 2 has a single frequency: scaling 'ntk' needs head_dim of 4 or more")
        return frequencies(head_dim, base * factor ** (head_dim / (head_dim - 2)))
    if scaling not in ("by_parts", "yarn"):
        raise ValueError(f"scaling must be 'none', 'linear', 'ntk', 'by_parts' or 'yarn', got {scaling!r}")
    _check_positive(original_max_len, "original_max_len")
    if not 0 < alpha < beta:
        raise ValueError(f"alpha must be positive and below beta, got {alpha} and {beta}")
    if base <= 1:
        raise ValueError(f"base must be above 1, got {base}")
    if scaling == "by_parts":
        turns = original_max_len * plain / (2 * math.pi)
        kept = (turns - alpha) / (beta - alpha)
    else:
        low, high = (  # the index of the pair that makes this number of turns
            head_dim * math.log(original_max_len / (turns * 2 * math.pi)) / (2 * math.log(base))
            for turns in (beta, alpha)
        )
        low, high = max(math.floor(low), 0), min(math.ceil(high), head_dim - 1)
        kept = 1 - (torch.arange(head_dim // 2, dtype=torch.float64) - low) / (high - low if high != low else 0.001)
    kept = kept.clamp(0, 1)
    return kept * plain + (1 - kept) * plain / factor


def yarn_attention_factor(factor: float) -> float:
    """0.1 ln(factor) + 1, by which YaRN multiplies queries and keys, or their cosines and sines.

    The logits are multiplied by its square, which is 1 / t for the temperature t of Peng et al. (2023, section 3.3,
    equations 21 and 22).

    Raises:
        ValueError: a factor below 1.
    """
    if not (math.isfinite(factor) and factor >= 1):
        raise ValueError(f"factor must be at least 1, got {factor}")
    return 0.1 * math.log(factor) + 1


def rope_angles(position_ids: Tensor, freqs: Tensor, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Cosine and sine of position × frequency: (…, T) and (r / 2,) → two of (…, T, r / 2), for :func:`rotate`.

    Args:
        position_ids: integers, (T,), or (B, T) if they differ between sequences (left padding, packing, a cache).
        freqs: radians per position, one per pair, from :func:`frequencies` or :func:`scaled_frequencies`.
        dtype: of the result; the angles themselves are float64.

    Raises:
        ValueError: position ids of type bfloat16 or float16, which represent integers exactly up to 256 and 2,048
            only.
    """
    if position_ids.dtype in (torch.bfloat16, torch.float16):
        raise ValueError(
            f"position_ids are {position_ids.dtype}, which rounds integers above "
            f"{256 if position_ids.dtype == torch.bfloat16 else 2048:,}; keep them torch.long"
        )
    angles = position_ids.to(torch.float64)[..., None] * freqs.to(torch.float64)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def multi_axis_angles(
    position_ids: Tensor, freqs: Tensor, axis_of_pair: Sequence[int] | Tensor, *, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """As :func:`rope_angles` for positions with several coordinates: (A, …, T) and (r / 2,) → two of (…, T, r / 2).

    Pair i rotates by its frequency times the coordinate ``axis_of_pair[i]``. If all coordinates are equal, the result
    is exactly that of one axis. Qwen2-VL's M-RoPE has the axes time, height and width in three blocks of pairs
    (Wang et al. 2024, section 2.1), Qwen3-VL interleaves them; two blocks with a set of frequencies each,
    ``torch.cat([frequencies(r // 2)] * 2)``, are the axial 2-D RoPE of vision transformers (Heo et al. 2024).

    Args:
        position_ids: one set of positions per axis, (A, …, T).
        freqs: radians per position, one per pair.
        axis_of_pair: the axis of each pair, r / 2 integers in 0 … A - 1.
        dtype: of the result.

    Raises:
        ValueError: not one axis per pair, an axis that does not exist, or position ids as in :func:`rope_angles`.
    """
    axes = torch.as_tensor(axis_of_pair, device=position_ids.device)
    if axes.shape != freqs.shape:
        raise ValueError(f"axis_of_pair needs one axis for each of {len(freqs)} pairs, got shape {tuple(axes.shape)}")
    if not bool(((axes >= 0) & (axes < len(position_ids))).all()):
        raise ValueError(
            f"axis_of_pair must lie in 0..{len(position_ids) - 1}, the axes of position_ids "
            f"{tuple(position_ids.shape)}; got {sorted(set(axes.tolist()))}"
        )
    per_axis = zip(*(rope_angles(ids, freqs, dtype=dtype) for ids in position_ids), strict=True)
    cos, sin = (torch.stack(parts, -1) for parts in per_axis)  # (…, T, r / 2, A)
    index = axes.expand(cos.shape[:-1])[..., None]
    return cos.gather(-1, index)[..., 0], sin.gather(-1, index)[..., 0]


def rotate(
    vectors: Tensor, cos: Tensor, sin: Tensor, layout: Layout = "interleaved", *, rotary_dim: int | None = None
) -> Tensor:
    """Rotate each pair of dimensions by its angle (RoPE; Su et al. 2021, equation 34): same shape and dtype.

    Args:
        vectors: queries or keys (not values), (…, T, head_dim).
        cos, sin: (T, r / 2), or (B, T, r / 2) for vectors (B, …, T, head_dim), from :func:`rope_angles`.
        layout: "interleaved" pairs dimensions (0, 1), (2, 3), …, as the paper, GPT-J and Meta's Llama code do; "half"
            pairs (0, r/2), (1, r/2 + 1), …, as GPT-NeoX and Hugging Face's Llama do.
        rotary_dim: r, the number of leading dimensions that are rotated (GPT-J: 64 of 256); by default all of them.

    Raises:
        ValueError: integers, an odd or too large r, angles of another shape, an unknown layout.
    """
    _check_layout(layout)
    if not vectors.is_floating_point():
        raise ValueError(f"vectors must be floating point, got {vectors.dtype}: rotated integers are not integers")
    if rotary_dim is None:
        rotary_dim = vectors.shape[-1]
        _check_even(rotary_dim, "head_dim")
    _check_even(rotary_dim, "rotary_dim")
    if rotary_dim > vectors.shape[-1]:
        raise ValueError(f"rotary_dim {rotary_dim} is larger than the head dimension {vectors.shape[-1]}")
    batch = cos.ndim - 2
    fits = 0 <= batch <= vectors.ndim - 2 and cos.shape == (*vectors.shape[:batch], vectors.shape[-2], rotary_dim // 2)
    if not fits or sin.shape != cos.shape:
        raise ValueError(
            f"vectors {tuple(vectors.shape)} need cos and sin of shape {(vectors.shape[-2], rotary_dim // 2)}, "
            f"or with the batch before it, got {tuple(cos.shape)} and {tuple(sin.shape)}"
        )
    if rotary_dim < vectors.shape[-1]:
        rotated = rotate(vectors[..., :rotary_dim], cos, sin, layout)
        return torch.cat([rotated, vectors[..., rotary_dim:]], dim=-1)
    wide = torch.promote_types(vectors.dtype, torch.float32)  # half precision is rotated in single precision
    heads = (1,) * (vectors.ndim - cos.ndim)  # the axes between batch and T share the angles
    cos, sin = (part.to(wide).reshape(*part.shape[:batch], *heads, *part.shape[batch:]) for part in (cos, sin))
    if layout == "interleaved":  # a pair is a complex number, its rotation a product with cos + i sin
        pairs = vectors.to(wide).unflatten(-1, (-1, 2)).clone(memory_format=torch.contiguous_format)
        rotated = torch.view_as_real(torch.view_as_complex(pairs).mul_(torch.complex(cos, sin))).flatten(-2)
    else:
        first, second = vectors.to(wide).chunk(2, dim=-1)
        rotated = torch.cat(
            [torch.addcmul(first * cos, second, sin, value=-1), torch.addcmul(first * sin, second, cos)], dim=-1
        )
    return rotated.to(vectors.dtype)


# ---------------------------------------------------------------- biases on the scores


def alibi_slopes(num_heads: int) -> Tensor:
    """The slope of each head, by which its scores decrease per position: (num_heads,), float32.

    2^(-8/n), 2^(-16/n), … for n a power of two; otherwise those of the power of two below, then every second one of the
    power above (Press et al. 2022, section 3 and the authors' code).

    Raises:
        ValueError: fewer than one head.
    """
    if num_heads < 1:
        raise ValueError(f"num_heads must be at least 1, got {num_heads}")
    below = 2 ** int(math.log2(num_heads))
    slopes = torch.logspace(-8 / below, -8, below, base=2.0, dtype=torch.float64)
    if extra := num_heads - below:
        last = -4 * (2 * extra - 1) / below
        slopes = torch.cat([slopes, torch.logspace(-4 / below, last, extra, base=2.0, dtype=torch.float64)])
    return slopes.float()


def relative_positions(query_len: int, key_len: int) -> Tensor:
    """Key position minus query position, with the queries at the end of the keys: (query_len, key_len), int64.

    Raises:
        ValueError: a negative length, or more queries than keys.
    """
    _check_length(query_len, "query_len")
    if query_len > key_len:
        raise ValueError(f"{query_len} queries cannot be the last of {key_len} keys; query_len must be at most key_len")
    return torch.arange(key_len) - torch.arange(key_len - query_len, key_len).unsqueeze(1)


def alibi_bias(num_heads: int, query_len: int, key_len: int | None = None) -> Tensor:
    """ALiBi's bias on the scores, -slope × distance: (num_heads, query_len, key_len), float32.

    Press et al. (2022, section 3). The bias depends on the distance only, not on the direction: without a mask or
    another scheme, a bidirectional model cannot tell earlier from later tokens.

    Args:
        num_heads: number of heads.
        query_len: number of queries, which are the last tokens.
        key_len: number of keys; by default ``query_len``.

    Raises:
        ValueError: fewer than one head, or lengths as in :func:`relative_positions`.
    """
    distance = relative_positions(query_len, query_len if key_len is None else key_len).abs_()
    return -alibi_slopes(num_heads).view(-1, 1, 1) * distance


def t5_bucket(
    relative: Tensor, *, num_buckets: int = 32, max_distance: int = 128, bidirectional: bool = True
) -> Tensor:
    """The bucket of each relative position (key minus query), same shape, int64 (Raffel et al. 2020, section 2.1).

    Each bucket of the first half holds one distance; those of the second half grow logarithmically up to
    ``max_distance``, beyond which all distances share the last bucket. If ``bidirectional``, the buckets are split into
    two such sets, one per direction; otherwise every later key is in bucket 0.

    Raises:
        ValueError: too few buckets for the split, or a maximal distance among the exact buckets.
    """
    if num_buckets < (4 if bidirectional else 2) or num_buckets % 2:
        raise ValueError(f"num_buckets must be even and large enough to split, got {num_buckets}")
    buckets = num_buckets // 2 if bidirectional else num_buckets  # per direction
    exact = buckets // 2
    if max_distance <= exact:
        raise ValueError(f"max_distance must be above the {exact} exact buckets, got {max_distance}")
    distance = torch.arange(max_distance + 1)  # all larger distances share a bucket
    fraction = torch.log(distance.clamp(min=1) / exact) / math.log(max_distance / exact)
    far = (exact + (fraction * (buckets - exact)).long()).clamp(max=buckets - 1)
    before = torch.where(distance < exact, distance, far)
    after = before[1:] + buckets if bidirectional else torch.zeros_like(before[1:])
    table = torch.cat([before.flip(0), after]).to(relative.device)  # -max_distance … max_distance
    return table.take(relative.long().clamp(-max_distance, max_distance) + max_distance)

"""Multi-head self-attention and a transformer block, causal or not, with any positional scheme."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from helpers import positions

ADDED = ("none", "learned", "sinusoidal")  # no scheme, and schemes that are added to the embeddings
INSIDE = ("rope", "alibi", "t5")  # schemes that act on queries, keys or scores
SCHEMES = ADDED + INSIDE


def attend(
    queries: Tensor, keys: Tensor, values: Tensor, *, bias: Tensor | None = None, causal: bool = False
) -> Tensor:
    """Scaled dot-product attention, softmax(q kᵀ / sqrt(d) + bias) v (Vaswani et al. 2017, equation 1).

    Args:
        queries: (…, Tq, d).
        keys: (…, Tk, d).
        values: (…, Tk, dv).
        bias: added to the scores, (num_heads, Tq, Tk) or any shape that broadcasts to theirs.
        causal: mask every later token. With fewer queries than keys (a cache), the queries are the last tokens.

    Returns:
        (…, Tq, dv).

    Raises:
        ValueError: queries and keys of different dimension, keys and values of different length.
    """
    if queries.shape[-1] != keys.shape[-1] or keys.shape[-2] != values.shape[-2]:
        raise ValueError(
            f"queries {tuple(queries.shape)}, keys {tuple(keys.shape)} and values {tuple(values.shape)} do not fit: "
            "queries and keys share their last dimension, keys and values their length"
        )
    scores = queries @ keys.mT / math.sqrt(queries.shape[-1])  # (…, Tq, Tk)
    if bias is not None:
        scores = scores + bias
    if causal:
        past = keys.shape[-2] - queries.shape[-2]
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1 + past)
        scores = scores.masked_fill(later, -math.inf)
    return scores.softmax(dim=-1) @ values


class Attention(nn.Module):
    """Multi-head self-attention whose positional scheme, if any, acts on queries, keys or scores.

    Args:
        d_model: embedding dimension, a multiple of ``num_heads``.
        num_heads: number of heads.
        scheme: one of :data:`SCHEMES`; those that are added to the embeddings have no effect here.
        causal: mask every later token.

    Raises:
        ValueError: a ``d_model`` that is no multiple of ``num_heads``, an odd head dimension with RoPE, an unknown
            scheme.
    """

    def __init__(self, d_model: int, num_heads: int, scheme: str = "none", *, causal: bool = False) -> None:
        super().__init__()
        if scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}; got {scheme!r}")
        if num_heads < 1 or d_model % num_heads:
            raise ValueError(f"d_model must be a multiple of num_heads, got {d_model} and {num_heads}")
        self.num_heads, self.scheme, self.causal = num_heads, scheme, causal
        self.project = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.freqs: Tensor
        if scheme == "rope":
            self.register_buffer("freqs", positions.frequencies(d_model // num_heads), persistent=False)
        if scheme == "t5":
            self.bucket_bias = nn.Embedding(32, num_heads)

    def bias(self, length: int) -> Tensor | None:
        """The bias on the scores of a sequence of this length, (num_heads, T, T); None for a scheme without one."""
        if self.scheme == "alibi":
            return positions.alibi_bias(self.num_heads, length)
        if self.scheme == "t5":
            buckets = positions.t5_bucket(positions.relative_positions(length, length), bidirectional=not self.causal)
            return self.bucket_bias(buckets.to(self.bucket_bias.weight.device)).permute(2, 0, 1)
        return None

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, d_model) → (B, T, d_model)."""
        heads = self.project(vectors).unflatten(-1, (3, self.num_heads, -1))  # (B, T, 3, h, d/h)
        queries, keys, values = heads.permute(2, 0, 3, 1, 4)  # three of (B, h, T, d/h)
        if self.scheme == "rope":
            position_ids = torch.arange(vectors.shape[1], device=vectors.device)
            angles = positions.rope_angles(position_ids, self.freqs, dtype=vectors.dtype)
            queries, keys = positions.rotate(queries, *angles), positions.rotate(keys, *angles)
        bias = self.bias(vectors.shape[1])
        mixed = attend(queries, keys, values, bias=None if bias is None else bias.to(vectors), causal=self.causal)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-LayerNorm transformer block: attention and a feed-forward layer, each with a residual connection.

    Xiong et al. (2020), figure 1b. The arguments and errors are those of :class:`Attention`.
    """

    def __init__(self, d_model: int, num_heads: int, scheme: str = "none", *, causal: bool = False) -> None:
        super().__init__()
        self.attention = Attention(d_model, num_heads, scheme, causal=causal)
        self.norms = nn.ModuleList([nn.LayerNorm(d_model), nn.LayerNorm(d_model)])
        self.feed_forward = nn.Sequential(nn.Linear(d_model, 2 * d_model), nn.GELU(), nn.Linear(2 * d_model, d_model))

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, T, d_model) → (B, T, d_model)."""
        vectors = vectors + self.attention(self.norms[0](vectors))
        return vectors + self.feed_forward(self.norms[1](vectors))

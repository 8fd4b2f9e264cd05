"""Toy tasks that cannot be solved without order, and the small model that lessons train on them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.attention import Block
from helpers.positions import LearnedPositions, SinusoidalPositions

FIRST, SECOND = 0, 1  # the two tokens whose order is asked


def order_batch(batch: int, length: int, vocab_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Texts that hold FIRST and SECOND once each: does FIRST come before SECOND?

    Returns:
        token ids (B, T) and labels (B,), 1.0 for yes; both answers are equally likely.

    Raises:
        ValueError: a text too short for two tokens, or a vocabulary without a third.
    """
    if length < 2 or vocab_size < 3:
        raise ValueError(f"need length >= 2 and vocab_size >= 3, got {length} and {vocab_size}")
    token_ids = torch.randint(2, vocab_size, (batch, length), generator=generator)
    places = torch.rand(batch, length, generator=generator).argsort(dim=1)[:, :2]  # two different places a text
    token_ids.scatter_(1, places, torch.tensor([[FIRST, SECOND]]).expand(batch, 2))
    return token_ids, (places[:, 0] < places[:, 1]).float()


class OrderModel(nn.Module):
    """Word vectors, positions of a scheme, one block, the mean over the text, one number.

    Args:
        scheme: one of ``helpers.attention.SCHEMES``.
        max_len: rows of a learned or sinusoidal table.
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int,
        num_heads: int,
        scheme: str = "none",
        *,
        causal: bool = False,
        max_len: int = 64,
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab_size, d_model)
        added = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions}
        self.positions = added[scheme](max_len, d_model) if scheme in added else nn.Identity()
        self.block = Block(d_model, num_heads, scheme, causal=causal)
        self.answer = nn.Linear(d_model, 1)

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) → (B,), above zero for "yes"."""
        return self.answer(self.block(self.positions(self.words(token_ids))).mean(dim=1)).squeeze(-1)


def accuracy(model: nn.Module, token_ids: Tensor, labels: Tensor) -> float:
    """The share of texts answered rightly."""
    with torch.no_grad():
        return ((model(token_ids) > 0) == (labels > 0.5)).float().mean().item()


def train_order(
    scheme: str,
    *,
    causal: bool = False,
    length: int = 12,
    steps: int = 250,
    d_model: int = 16,
    num_heads: int = 2,
    vocab_size: int = 8,
    max_len: int = 64,
    lr: float = 1e-2,
    seed: int = 0,
    told: Callable[[], None] | None = None,
) -> OrderModel:
    """A model trained on :func:`order_batch`, the same for the same seed; ``told`` is called after every step."""
    with torch.random.fork_rng(devices=[]):  # the model's fresh numbers, without touching the learner's generator
        torch.manual_seed(seed)
        model = OrderModel(vocab_size, d_model, num_heads, scheme, causal=causal, max_len=max_len)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        token_ids, labels = order_batch(64, length, vocab_size, generator)
        loss = binary_cross_entropy_with_logits(model(token_ids), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if told is not None:
            told()
    return model.eval()

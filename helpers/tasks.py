"""Toy tasks that cannot be solved without order, and small transformers that are trained on them side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, layer_norm, pad
from torch.optim.adam import adam

from helpers import positions
from helpers.attention import SCHEMES, attend

FIRST, SECOND = 0, 1  # the two tokens whose order is asked
IGNORED = -100  # a target that is not asked for; cross_entropy leaves it out
MAX_SCORES = 1_000_000  # attention scores computed at once in `accuracy`, to bound the memory
KEYS, VALUES = 4, 4  # of the task "latest": token = key × VALUES + value


def order_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences of 8 token types that hold FIRST and SECOND once each: does FIRST come before SECOND?

    Returns:
        token ids (B, T) and targets (B, 1), 1 for yes; both are equally likely.

    Raises:
        ValueError: fewer than two tokens.
    """
    _check_length(length, 2)
    token_ids = torch.randint(2, 8, (batch, length), generator=generator)
    drawn = torch.rand(batch, length, generator=generator).argsort(dim=1)[:, :2]  # two different positions each
    token_ids.scatter_(1, drawn, torch.tensor([[FIRST, SECOND]]).expand(batch, 2))
    return token_ids, (drawn[:, :1] < drawn[:, 1:]).long()


def latest_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each token is a key with a value: which value did this key have at its previous occurrence?

    Returns:
        token ids (B, T), key × VALUES + value, and targets (B, T); IGNORED where the key is new.
    """
    _check_length(length, 2)
    keys = torch.randint(KEYS, (batch, length), generator=generator)
    values = torch.randint(VALUES, (batch, length), generator=generator)
    targets = torch.full((batch, length), IGNORED)
    for key in range(KEYS):
        here = keys == key
        last = torch.where(here, torch.arange(length), -1).cummax(dim=1).values  # (B, T) position of the key, or -1
        before = pad(last[:, :-1], (1, 0), value=-1)
        targets = torch.where(here & (before >= 0), values.gather(1, before.clamp(min=0)), targets)
    return keys * VALUES + values, targets


def recall_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random tokens of 8 types: which token stands exactly three positions back? Token ids (B, T), targets (B, T)."""
    _check_length(length, 4)
    token_ids = torch.randint(8, (batch, length), generator=generator)
    return token_ids, pad(token_ids[:, :-3], (3, 0), value=IGNORED)


def _check_length(length: int, least: int) -> None:
    if length < least:
        raise ValueError(f"this task needs sequences of at least {least} tokens, got {length}")


@dataclass(frozen=True)
class Task:
    """How batches are drawn, the number of classes, and whether there is one target per sequence or per position."""

    batch: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    vocab_size: int
    num_classes: int
    per_sequence: bool = False


ORDER = Task(order_batch, vocab_size=8, num_classes=2, per_sequence=True)
LATEST = Task(latest_batch, vocab_size=KEYS * VALUES, num_classes=VALUES)
RECALL = Task(recall_batch, vocab_size=8, num_classes=8)


@dataclass(frozen=True)
class Entry:
    """One model of a comparison: its positional scheme, its mask, and the seed of its initial weights."""

    scheme: str
    causal: bool = False
    seed: int = 0


class ParallelModels(nn.Module):
    """Small transformers of equal size that run side by side: each weight has a leading dimension M, one per model.

    They share every matrix product, so that 36 of them cost little more than six. Each has the blocks of
    :class:`helpers.attention.Block`, without bias terms, between an embedding and a linear classifier; a task with one
    target per sequence averages over the positions before the classifier.

    Args:
        entries: the models; those of one scheme must be adjacent.
        max_len: rows of the learned and of the sinusoidal table.

    Raises:
        ValueError: no entry, an unknown scheme, a scheme whose entries are not adjacent, no layer, an odd head
            dimension.
    """

    def __init__(
        self,
        task: Task,
        entries: Sequence[Entry],
        *,
        d_model: int = 16,
        num_heads: int = 2,
        num_layers: int = 1,
        max_len: int = 128,
    ) -> None:
        super().__init__()
        self.entries, self.per_sequence = list(entries), task.per_sequence
        self.num_heads, self.num_layers = num_heads, num_layers
        schemes = [entry.scheme for entry in self.entries]
        if not schemes or any(scheme not in SCHEMES for scheme in schemes):
            raise ValueError(f"entries need a scheme out of {', '.join(SCHEMES)}; got {schemes}")
        self.slices = {name: slice(schemes.index(name), schemes.index(name) + schemes.count(name)) for name in schemes}
        if any(set(schemes[where]) != {name} for name, where in self.slices.items()):
            raise ValueError(f"entries of one scheme must be adjacent, got {schemes}")
        if d_model % (2 * num_heads):
            raise ValueError(f"d_model must be a multiple of 2 × num_heads, got {d_model} and {num_heads}")
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}")
        layer = {"project": (d_model, 3 * d_model), "out": (d_model, d_model)}
        layer |= {"up": (d_model, 2 * d_model), "down": (2 * d_model, d_model)}
        shapes = {"tokens": (task.vocab_size, d_model)} | {f"{name}0": shape for name, shape in layer.items()}
        shapes |= {"classifier": (d_model, task.num_classes), "learned": (max_len, d_model), "t5": (32, num_heads)}
        shapes |= {f"{name}{n}": shape for n in range(1, num_layers) for name, shape in layer.items()}
        self.weights = nn.ParameterDict({name: self._init(n, name, *shapes[name]) for n, name in enumerate(shapes)})
        self.sinusoids = positions.sinusoids(max_len, d_model)
        self.set_frequencies(positions.frequencies(d_model // num_heads))

    def _init(self, number: int, name: str, rows: int, columns: int) -> nn.Parameter:
        """(M, rows, columns), normal; the same seed gives the same initial weights, whatever the scheme."""
        std = {"tokens": 1.0, "learned": 0.02, "t5": 0.02}.get(name, rows**-0.5)
        drawn = torch.zeros(0, rows, columns)
        for entry in self.entries:
            if name not in ("learned", "t5") or name == entry.scheme:
                generator = torch.Generator().manual_seed(100 * entry.seed + number)
                drawn = torch.cat([drawn, torch.randn(1, rows, columns, generator=generator) * std])
        return nn.Parameter(drawn)

    def set_frequencies(self, freqs: Tensor, *, attention_factor: float = 1.0) -> None:
        """Let RoPE use these frequencies, (head_dim / 2,), and YaRN's factor on its cosines and sines."""
        self.freqs, self.attention_factor = freqs, attention_factor
        self._cached: tuple[int, tuple[Tensor, Tensor, tuple[Tensor, Tensor]]] | None = None

    def _positions(self, length: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """What depends on the length alone: mask and ALiBi (M, h, T, T), T5's buckets (M', T, T), RoPE's angles."""
        if self._cached is None or self._cached[0] != length:
            relative = positions.relative_positions(length, length)
            fixed = torch.zeros(len(self.entries), self.num_heads, length, length)
            if "alibi" in self.slices:
                fixed[self.slices["alibi"]] = positions.alibi_bias(self.num_heads, length)
            causal = torch.tensor([entry.causal for entry in self.entries])
            fixed.masked_fill_(causal[:, None, None, None] & (relative > 0), -math.inf)
            t5 = causal[self.slices.get("t5", slice(0))]
            buckets = [positions.t5_bucket(relative, bidirectional=not each) for each in t5]
            cos, sin = positions.rope_angles(torch.arange(length), self.freqs)
            angles = cos * self.attention_factor, sin * self.attention_factor
            self._cached = length, (fixed, torch.stack(buckets) if buckets else relative[None, :0], angles)
        return self._cached[1]

    def _change(self, values: Tensor, scheme: str, how: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply ``how`` to the models of one scheme, (M, …) → (M, …)."""
        if scheme not in self.slices:
            return values
        where = self.slices[scheme]
        return torch.cat([values[: where.start], how(values[where]), values[where.stop :]])

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) → logits (M, B, T, num_classes), or (M, B, 1, num_classes) with one target per sequence."""
        weights, length = self.weights, token_ids.shape[1]
        fixed, buckets, angles = self._positions(length)
        x = weights["tokens"][:, token_ids]  # (M, B, T, d)
        x = self._change(x, "learned", lambda each: each + self._rows(weights["learned"], length)[:, None])
        x = self._change(x, "sinusoidal", lambda each: each + positions.rows(self.sinusoids, length))
        bias = self._change(fixed, "t5", lambda each: each + self._t5_bias(buckets))

        def times(vectors: Tensor, name: str) -> Tensor:  # (M, B, T, …) with the weight of each model
            return torch.bmm(vectors.flatten(1, 2), weights[name]).unflatten(1, vectors.shape[1:3])

        def rotated(vectors: Tensor) -> Tensor:
            return self._change(vectors, "rope", lambda each: positions.rotate(each, *angles))

        d_model = x.shape[-1:]
        for layer in range(self.num_layers):
            heads = times(layer_norm(x, d_model), f"project{layer}").unflatten(-1, (3, self.num_heads, -1))
            queries, keys, values = heads.permute(3, 0, 1, 4, 2, 5)  # three of (M, B, h, T, d/h)
            mixed = attend(rotated(queries), rotated(keys), values, bias=bias[:, None])  # (M, B, h, T, d/h)
            x = x + times(mixed.transpose(2, 3).flatten(3), f"out{layer}")
            x = x + times(gelu(times(layer_norm(x, d_model), f"up{layer}")), f"down{layer}")
        return times(x.mean(dim=2, keepdim=True) if self.per_sequence else x, "classifier")

    @staticmethod
    def _rows(tables: Tensor, length: int) -> Tensor:
        """The first rows of each table, (M', max_len, d) → (M', T, d)."""
        return positions.rows(tables.transpose(0, 1), length).transpose(0, 1)

    def _t5_bias(self, buckets: Tensor) -> Tensor:
        """(M', T, T) → (M', h, T, T)."""
        tables = zip(self.weights["t5"], buckets, strict=True)
        return torch.stack([table[bucket] for table, bucket in tables]).permute(0, 3, 1, 2)


def train_all(
    task: Task,
    entries: Sequence[Entry],
    *,
    length: int,
    steps: int = 200,
    batch: int = 32,
    lr: float = 1e-2,
    seed: int = 0,
    on_step: Callable[[ParallelModels], None] | None = None,
    **sizes: int,
) -> ParallelModels:
    """Train all entries on the same sequences of one length with Adam; ``on_step`` gets the models after every step.

    Each model has a loss and weights of its own: the result is the same as when it is trained alone.

    Args:
        sizes: ``d_model``, ``num_heads``, ``num_layers`` and ``max_len`` of :class:`ParallelModels`.
    """
    models = ParallelModels(task, entries, **sizes)
    weights: list[Tensor] = [
        weight for weight in models.parameters() if len(weight)
    ]  # a table without its scheme is empty
    means, squares = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    counts = [torch.zeros(()) for _ in weights]
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        token_ids, targets = task.batch(batch, length, generator)
        logits = models(token_ids)  # (M, B, T, num_classes)
        expected = targets.expand(logits.shape[:-1])
        loss = cross_entropy(logits.flatten(0, 2), expected.flatten(), ignore_index=IGNORED) * len(models.entries)
        models.zero_grad()
        loss.backward()
        gradients: Any = [weight.grad for weight in weights]
        with torch.no_grad():  # the function behind torch.optim.Adam; the class imports 75 MB of torch._dynamo
            options: dict[str, Any] = {"amsgrad": False, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-8}
            adam(weights, gradients, means, squares, [], counts, fused=True, lr=lr, maximize=False, **options)
        if on_step is not None:
            on_step(models)
    return models.eval()


def accuracy(models: ParallelModels, task: Task, length: int, *, num_sequences: int = 256, seed: int = 1) -> Tensor:
    """The accuracy of each model on new sequences of a length, (M,); counted in the last quarter of each sequence."""
    generator = torch.Generator().manual_seed(seed)
    hits, asked = torch.zeros(len(models.entries)), 0
    at_once = max(1, MAX_SCORES // (len(models.entries) * models.num_heads * length**2))  # sequences
    with torch.no_grad():
        for start in range(0, num_sequences, 32):
            token_ids, targets = task.batch(min(32, num_sequences - start), length, generator)
            targets[:, : targets.shape[1] * 3 // 4] = IGNORED
            counted = targets != IGNORED
            predicted = torch.cat([models(some).argmax(-1) for some in token_ids.split(at_once)], dim=1)  # (M, B, T)
            hits += ((predicted == targets) & counted).sum(dim=(1, 2))
            asked += int(counted.sum())
    return hits / asked

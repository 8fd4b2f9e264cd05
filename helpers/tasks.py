"""Toy tasks that depend on the order of tokens, and small transformers that are trained on them in parallel."""

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

FIRST, SECOND = 0, 1  # the two tokens whose order is to be found
IGNORED = -100  # target of a position without a question; cross_entropy ignores it
MAX_SCORES = 1_000_000  # attention scores computed at once in `accuracy`, to limit the memory
KEYS, VALUES = 4, 4  # of the task "latest": token = key × VALUES + value


def order_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Task "order": sequences of 8 token types with FIRST and SECOND once each; is FIRST before SECOND?

    Returns:
        token ids (B, T) and targets (B, 1), 1 for yes; both are equally likely.

    Raises:
        ValueError: fewer than two tokens.
    """
    _check_length(length, 2)
    token_ids = torch.randint(2, 8, (batch, length), generator=generator)
    chosen = torch.rand(batch, length, generator=generator).argsort(dim=1)[:, :2]  # two different positions each
    token_ids.scatter_(1, chosen, torch.tensor([[FIRST, SECOND]]).expand(batch, 2))
    return token_ids, (chosen[:, :1] < chosen[:, 1:]).long()


def latest_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Task "latest": each token is a key with a value; which value did the key have at its previous occurrence?

    Returns:
        token ids (B, T), key × VALUES + value, and targets (B, T); IGNORED where the key is new.

    Raises:
        ValueError: fewer than two tokens.
    """
    _check_length(length, 2)
    keys = torch.randint(KEYS, (batch, length), generator=generator)
    values = torch.randint(VALUES, (batch, length), generator=generator)
    targets = torch.full((batch, length), IGNORED)
    for key in range(KEYS):
        is_key = keys == key
        last = torch.where(is_key, torch.arange(length), -1).cummax(dim=1).values  # (B, T) position of the key, or -1
        before = pad(last[:, :-1], (1, 0), value=-1)
        targets = torch.where(is_key & (before >= 0), values.gather(1, before.clamp(min=0)), targets)
    return keys * VALUES + values, targets


def recall_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Task "recall": random tokens of 8 types; which token is exactly three positions before?

    Returns:
        token ids (B, T) and targets (B, T); IGNORED at the first three positions.

    Raises:
        ValueError: fewer than four tokens.
    """
    _check_length(length, 4)
    token_ids = torch.randint(8, (batch, length), generator=generator)
    return token_ids, pad(token_ids[:, :-3], (3, 0), value=IGNORED)


def _check_length(length: int, minimum: int) -> None:
    if length < minimum:
        raise ValueError(f"this task needs sequences of at least {minimum} tokens, got {length}")


@dataclass(frozen=True)
class Task:
    """A classification task on sequences of tokens.

    Attributes:
        batch: a function of batch size, length and generator that returns token ids (B, T) and targets, (B, T) or
            (B, 1).
        vocab_size: number of token types.
        num_classes: number of classes.
        per_sequence: whether there is one target per sequence, instead of one per position.
    """

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
    """Small transformers of equal size in one module: each weight has a leading dimension M, one per model.

    All models share each batched matrix product, so that 36 of them cost little more than six. Each has the blocks of
    :class:`helpers.attention.Block`, without bias terms, between an embedding and a linear classifier; a task with one
    target per sequence averages over the positions before the classifier.

    Args:
        task: determines the numbers of token types and classes.
        entries: the models; those of one scheme must be adjacent.
        d_model: embedding dimension, a multiple of ``2 * num_heads``.
        num_heads: number of heads.
        num_layers: number of blocks.
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
        if any(set(schemes[span]) != {name} for name, span in self.slices.items()):
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
        """(M, rows, columns), normally distributed; the values depend on the seed of each entry, not on its scheme."""
        std = {"tokens": 1.0, "learned": 0.02, "t5": 0.02}.get(name, rows**-0.5)
        values = torch.zeros(0, rows, columns)
        for entry in self.entries:
            if name not in ("learned", "t5") or name == entry.scheme:
                generator = torch.Generator().manual_seed(100 * entry.seed + number)
                values = torch.cat([values, torch.randn(1, rows, columns, generator=generator) * std])
        return nn.Parameter(values)

    def set_frequencies(self, freqs: Tensor, *, attention_factor: float = 1.0) -> None:
        """Set the frequencies of RoPE, (head_dim / 2,), and YaRN's factor on its cosines and sines."""
        self.freqs, self.attention_factor = freqs, attention_factor
        self._cached: tuple[int, tuple[Tensor, Tensor, tuple[Tensor, Tensor]]] | None = None

    def _positions(self, length: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """What depends on the length only: mask and ALiBi (M, h, T, T), T5's buckets (M', T, T), RoPE's angles."""
        if self._cached is None or self._cached[0] != length:
            relative = positions.relative_positions(length, length)
            fixed = torch.zeros(len(self.entries), self.num_heads, length, length)
            if "alibi" in self.slices:
                fixed[self.slices["alibi"]] = positions.alibi_bias(self.num_heads, length)
            causal = torch.tensor([entry.causal for entry in self.entries])
            fixed.masked_fill_(causal[:, None, None, None] & (relative > 0), -math.inf)
            t5 = causal[self.slices.get("t5", slice(0))]
            buckets = [positions.t5_bucket(relative, bidirectional=not is_causal) for is_causal in t5]
            cos, sin = positions.rope_angles(torch.arange(length), self.freqs)
            angles = cos * self.attention_factor, sin * self.attention_factor
            self._cached = length, (fixed, torch.stack(buckets) if buckets else relative[None, :0], angles)
        return self._cached[1]

    def _apply_to(self, scheme: str, values: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply a function to the models of one scheme, (M, …) → (M, …)."""
        if scheme not in self.slices:
            return values
        span = self.slices[scheme]
        return torch.cat([values[: span.start], function(values[span]), values[span.stop :]])

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) → logits (M, B, T, num_classes), or (M, B, 1, num_classes) with one target per sequence."""
        weights, length = self.weights, token_ids.shape[1]
        fixed, buckets, angles = self._positions(length)
        x = weights["tokens"][:, token_ids]  # (M, B, T, d)
        x = self._apply_to("learned", x, lambda part: part + self._rows(weights["learned"], length)[:, None])
        x = self._apply_to("sinusoidal", x, lambda part: part + positions.rows(self.sinusoids, length))
        bias = self._apply_to("t5", fixed, lambda part: part + self._t5_bias(buckets))

        def multiply(vectors: Tensor, name: str) -> Tensor:  # (M, B, T, …) by the weight of each model
            return torch.bmm(vectors.flatten(1, 2), weights[name]).unflatten(1, vectors.shape[1:3])

        def rotated(vectors: Tensor) -> Tensor:
            return self._apply_to("rope", vectors, lambda part: positions.rotate(part, *angles))

        d_model = x.shape[-1:]
        for layer in range(self.num_layers):
            heads = multiply(layer_norm(x, d_model), f"project{layer}").unflatten(-1, (3, self.num_heads, -1))
            queries, keys, values = heads.permute(3, 0, 1, 4, 2, 5)  # three of (M, B, h, T, d/h)
            mixed = attend(rotated(queries), rotated(keys), values, bias=bias[:, None])  # (M, B, h, T, d/h)
            x = x + multiply(mixed.transpose(2, 3).flatten(3), f"out{layer}")
            x = x + multiply(gelu(multiply(layer_norm(x, d_model), f"up{layer}")), f"down{layer}")
        return multiply(x.mean(dim=2, keepdim=True) if self.per_sequence else x, "classifier")

    @staticmethod
    def _rows(tables: Tensor, length: int) -> Tensor:
        """The first rows of each table, (M', max_len, d) → (M', T, d)."""
        return positions.rows(tables.transpose(0, 1), length).transpose(0, 1)

    def _t5_bias(self, buckets: Tensor) -> Tensor:
        """Look up the biases of buckets: (M', T, T) → (M', h, T, T)."""
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
    """Train all entries on the same sequences of one length with Adam.

    The losses and weights of the models are independent: the result is the same as when each is trained alone.

    Args:
        task: provides the batches.
        entries: the models.
        length: tokens per sequence.
        steps: number of steps.
        batch: sequences per step.
        lr: learning rate.
        seed: seed of the sequences.
        on_step: called with the models after every step.
        sizes: ``d_model``, ``num_heads``, ``num_layers`` and ``max_len`` of :class:`ParallelModels`.

    Returns:
        The trained models, in evaluation mode.

    Raises:
        ValueError: as :class:`ParallelModels`, or sequences that are too short for the task or longer than ``max_len``.
    """
    models = ParallelModels(task, entries, **sizes)
    weights: list[Tensor] = [weight for weight in models.parameters() if len(weight)]  # unused tables are empty
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
    """The accuracy of each model on new sequences of a length, (M,).

    If the task has a target per position, only those in the last quarter of each sequence count.
    """
    generator = torch.Generator().manual_seed(seed)
    correct, total = torch.zeros(len(models.entries)), 0
    chunk = max(1, MAX_SCORES // (len(models.entries) * models.num_heads * length**2))  # sequences
    with torch.no_grad():
        for start in range(0, num_sequences, 32):
            token_ids, targets = task.batch(min(32, num_sequences - start), length, generator)
            targets[:, : targets.shape[1] * 3 // 4] = IGNORED
            counted = targets != IGNORED
            predicted = torch.cat([models(part).argmax(-1) for part in token_ids.split(chunk)], dim=1)  # (M, B, T)
            correct += ((predicted == targets) & counted).sum(dim=(1, 2))
            total += int(counted.sum())
    return correct / total

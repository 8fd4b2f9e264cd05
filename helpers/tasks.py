"""Toy tasks that cannot be solved without order, and small models that are trained on them side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, layer_norm, pad

from helpers import positions
from helpers.attention import SCHEMES, attend

FIRST, SECOND = 0, 1  # the two tokens whose order is asked
IGNORED = -100  # a target that is not asked for; cross_entropy leaves it out
MOST_SCORES = 2_500_000  # of attention at once: they grow with the square of the length, and with the models
KEYS, VALUES = 4, 4  # of the task "latest": token = key × VALUES + value


def order_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Texts of 8 tokens that hold FIRST and SECOND once each: does FIRST come before SECOND?

    Returns:
        token ids (B, T) and answers (B, 1), 1 for yes; both are equally likely.

    Raises:
        ValueError: a text too short for two tokens.
    """
    _long_enough(length, 2)
    token_ids = torch.randint(2, 8, (batch, length), generator=generator)
    places = torch.rand(batch, length, generator=generator).argsort(dim=1)[:, :2]  # two different places a text
    token_ids.scatter_(1, places, torch.tensor([[FIRST, SECOND]]).expand(batch, 2))
    return token_ids, (places[:, :1] < places[:, 1:]).long()


def latest_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Each token is a key with a value: which value had this key the last time?

    Returns:
        token ids (B, T), key × VALUES + value, and answers (B, T); IGNORED where the key is new.
    """
    _long_enough(length, 2)
    keys = torch.randint(KEYS, (batch, length), generator=generator)
    values = torch.randint(VALUES, (batch, length), generator=generator)
    answers = torch.full((batch, length), IGNORED)
    for key in range(KEYS):
        here = keys == key
        last = torch.where(here, torch.arange(length), -1).cummax(dim=1).values  # (B, T) where the key was, or -1
        before = pad(last[:, :-1], (1, 0), value=-1)
        answers = torch.where(here & (before >= 0), values.gather(1, before.clamp(min=0)), answers)
    return keys * VALUES + values, answers


def recall_batch(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Eight tokens at random: which stood exactly three places before? Token ids (B, T), answers (B, T)."""
    _long_enough(length, 4)
    token_ids = torch.randint(8, (batch, length), generator=generator)
    return token_ids, pad(token_ids[:, :-3], (3, 0), value=IGNORED)


def _long_enough(length: int, least: int) -> None:
    if length < least:
        raise ValueError(f"this task needs texts of at least {least} tokens, got {length}")


@dataclass(frozen=True)
class Task:
    """What is asked: the texts, how many answers there are, and whether a text has one answer or each place its own."""

    batch: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    vocab_size: int
    answers: int
    one_answer: bool = False


ORDER = Task(order_batch, vocab_size=8, answers=2, one_answer=True)
LATEST = Task(latest_batch, vocab_size=KEYS * VALUES, answers=VALUES)
RECALL = Task(recall_batch, vocab_size=8, answers=8)


@dataclass(frozen=True)
class Entry:
    """One model of a race: its positional scheme, its mask, and the seed of its first numbers."""

    scheme: str
    causal: bool = False
    seed: int = 0


class Runners(nn.Module):
    """One-block transformers of equal size, side by side: each weight has a first dimension M, one slice a model.

    They share every matrix product, so that 36 of them cost little more than six; what differs between them is data.
    Each is a :class:`helpers.attention.Block` without offsets, between a table of words and a linear answer.

    Args:
        entries: the models; those of one scheme must stand together.
        max_len: rows of the learned and of the sinusoidal table.

    Raises:
        ValueError: no entry, an unknown scheme, a scheme whose entries do not stand together, a width that the heads
            do not share evenly.
    """

    def __init__(
        self, task: Task, entries: Sequence[Entry], *, d_model: int = 16, num_heads: int = 2, max_len: int = 128
    ) -> None:
        super().__init__()
        self.entries, self.one_answer, self.num_heads = list(entries), task.one_answer, num_heads
        schemes = [entry.scheme for entry in self.entries]
        if not schemes or any(scheme not in SCHEMES for scheme in schemes):
            raise ValueError(f"entries need a scheme out of {', '.join(SCHEMES)}; got {schemes}")
        self.places = {name: slice(schemes.index(name), schemes.index(name) + schemes.count(name)) for name in schemes}
        if any(set(schemes[place]) != {name} for name, place in self.places.items()):
            raise ValueError(f"entries of one scheme must stand together, got {schemes}")
        if d_model % (2 * num_heads):
            raise ValueError(f"{num_heads} heads cannot share a width of {d_model} in pairs")
        shapes = {"words": (task.vocab_size, d_model), "project": (d_model, 3 * d_model), "out": (d_model, d_model)}
        shapes |= {"up": (d_model, 2 * d_model), "down": (2 * d_model, d_model), "answer": (d_model, task.answers)}
        shapes |= {"learned": (max_len, d_model), "t5": (32, num_heads)}
        self.weights = nn.ParameterDict({name: self._fresh(n, name, *shapes[name]) for n, name in enumerate(shapes)})
        self.sinusoids = positions.sinusoids(max_len, d_model)
        self.turn_by(positions.frequencies(d_model // num_heads))

    def _fresh(self, number: int, name: str, rows: int, columns: int) -> nn.Parameter:
        """(M, rows, columns): the same seed gives the same first numbers, whatever the scheme."""
        std = {"words": 1.0, "learned": 0.02, "t5": 0.02}.get(name, rows**-0.5)
        drawn = torch.zeros(0, rows, columns)
        for entry in self.entries:
            if name not in ("learned", "t5") or name == entry.scheme:
                generator = torch.Generator().manual_seed(100 * entry.seed + number)
                drawn = torch.cat([drawn, torch.randn(1, rows, columns, generator=generator) * std])
        return nn.Parameter(drawn)

    def turn_by(self, speed: Tensor) -> None:
        """Let RoPE turn by these angles a position, (head_dim / 2,): those of training, or stretched ones."""
        self.speed = speed
        self._known: tuple[int, tuple[Tensor, Tensor, tuple[Tensor, Tensor]]] | None = None

    def _positions(self, length: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """What depends on the length alone: mask and ALiBi (M, h, T, T), T5's buckets (M', T, T), RoPE's angles."""
        if self._known is None or self._known[0] != length:
            away = positions.distances(length, length)
            fixed = torch.zeros(len(self.entries), self.num_heads, length, length)
            if "alibi" in self.places:
                fixed[self.places["alibi"]] = positions.alibi_bias(self.num_heads, length)
            causal = torch.tensor([entry.causal for entry in self.entries])
            fixed.masked_fill_(causal[:, None, None, None] & (away > 0), -math.inf)
            kinds = [positions.t5_bucket(away, bidirectional=not c) for c in causal[self.places.get("t5", slice(0))]]
            angles = positions.rope_angles(torch.arange(length), self.speed)
            self._known = length, (fixed, torch.stack(kinds) if kinds else away[None, :0], angles)
        return self._known[1]

    def _change(self, values: Tensor, scheme: str, how: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply ``how`` to the models of one scheme, (M, …) → (M, …)."""
        if scheme not in self.places:
            return values
        place = self.places[scheme]
        return torch.cat([values[: place.start], how(values[place]), values[place.stop :]])

    def forward(self, token_ids: Tensor) -> Tensor:
        """(B, T) → scores of the answers (M, B, T, answers), or (M, B, 1, answers) if a text has one answer."""
        weights, length = self.weights, token_ids.shape[1]
        fixed, buckets, angles = self._positions(length)
        x = weights["words"][:, token_ids]  # (M, B, T, d)
        x = self._change(x, "learned", lambda words: words + self._rows(weights["learned"], length)[:, None])
        x = self._change(x, "sinusoidal", lambda words: words + positions.rows(self.sinusoids, length))

        def times(vectors: Tensor, name: str) -> Tensor:  # (M, B, T, …) with the weight of each model
            return torch.bmm(vectors.flatten(1, 2), weights[name]).unflatten(1, vectors.shape[1:3])

        width = x.shape[-1:]
        heads = times(layer_norm(x, width), "project").unflatten(-1, (3, self.num_heads, -1))
        queries, keys, values = heads.permute(3, 0, 1, 4, 2, 5)  # three of (M, B, h, T, d/h)
        queries, keys = (self._change(v, "rope", lambda v: positions.rotate(v, *angles)) for v in (queries, keys))
        bias = self._change(fixed, "t5", lambda mask: mask + self._t5_bias(buckets))
        mixed = attend(queries, keys, values, bias=bias[:, None])  # (M, B, h, T, d/h)
        x = x + times(mixed.transpose(2, 3).flatten(3), "out")
        x = x + times(gelu(times(layer_norm(x, width), "up")), "down")
        return times(x.mean(dim=2, keepdim=True) if self.one_answer else x, "answer")

    @staticmethod
    def _rows(tables: Tensor, length: int) -> Tensor:
        """The first rows of each table, (M', max_len, d) → (M', T, d)."""
        return positions.rows(tables.transpose(0, 1), length).transpose(0, 1)

    def _t5_bias(self, buckets: Tensor) -> Tensor:
        """(M', T, T) → (M', h, T, T)."""
        tables = zip(self.weights["t5"], buckets, strict=True)
        return torch.stack([table[bucket] for table, bucket in tables]).permute(0, 3, 1, 2)


def race(
    task: Task,
    entries: Sequence[Entry],
    *,
    length: int,
    steps: int = 200,
    batch: int = 32,
    lr: float = 1e-2,
    seed: int = 0,
    told: Callable[[Runners], None] | None = None,
    **sizes: int,
) -> Runners:
    """Train all entries on the same texts of one length; ``told`` hears of the models after every step.

    Each model has a loss and weights of its own: beside the others it learns what it would learn alone.

    Args:
        sizes: ``d_model``, ``num_heads`` and ``max_len`` of :class:`Runners`.
    """
    models = Runners(task, entries, **sizes)
    optimizer = torch.optim.Adam(models.parameters(), lr=lr, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        token_ids, answers = task.batch(batch, length, generator)
        scores = models(token_ids)  # (M, B, T, answers)
        wanted = answers.expand(scores.shape[:-1])
        loss = cross_entropy(scores.flatten(0, 2), wanted.flatten(), ignore_index=IGNORED) * len(models.entries)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if told is not None:
            told(models)
    return models.eval()


def right(models: Runners, task: Task, length: int, *, texts: int = 256, seed: int = 1) -> Tensor:
    """The share of right answers on fresh texts of a length, in the last quarter of each: (M,)."""
    generator = torch.Generator().manual_seed(seed)
    hits, asked = torch.zeros(len(models.entries)), 0
    at_once = max(1, MOST_SCORES // (len(models.entries) * models.num_heads * length**2))  # texts
    with torch.no_grad():
        for start in range(0, texts, 32):
            token_ids, answers = task.batch(min(32, texts - start), length, generator)
            answers[:, : answers.shape[1] * 3 // 4] = IGNORED
            wanted = answers != IGNORED
            found = torch.cat([models(some).argmax(-1) for some in token_ids.split(at_once)], dim=1)  # (M, B, T)
            hits += ((found == answers) & wanted).sum(dim=(1, 2))
            asked += int(wanted.sum())
    return hits / asked

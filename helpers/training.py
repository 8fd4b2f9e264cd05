"""Three ways to learn word vectors from company, and what they have in common: counts of words that stand together.

Each returns a table ``(V, d)``. The rows of ``<pad>`` and ``<unk>`` are never trained and are zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.geometry import fixed_signs

OnStep = Callable[[int, float, Tensor], None]
"""Called after every step with its number (from 1), the loss, and the table as it is (clone it to keep it)."""

MAX_VOCAB = 4_000  # tables of V × V floats: beyond this a lesson's memory does not hold them
_TABLES = 7  # V × V tables that live at once at the worst moment
SPECIAL_IDS = 2  # <pad> and <unk> keep no company


def word_pairs(token_ids: Tensor, window: int = 5) -> Tensor:
    """Every word with every neighbour at most ``window`` places away, in both directions.

    Args:
        token_ids: ``(B, T)``, padded; ids 0 and 1 (``<pad>``, ``<unk>``) take no part.

    Returns:
        ``(P, 2)`` of int64: a centre and one word of its context.

    Raises:
        ValueError: ids of another shape, a window below 1, or texts in which no two words stand together.
    """
    pairs = torch.cat([_at(token_ids, offset) for offset in _offsets(token_ids, window)])
    if not len(pairs):
        raise ValueError("no two known words stand together: give longer texts, or a vocabulary with more words")
    return torch.cat([pairs, pairs.flip(1)])


def cooccurrence(token_ids: Tensor, vocab_size: int, window: int = 5) -> Tensor:
    """How often two words stand together, nearer ones counting more: ``(window + 1 - distance) / window``.

    Args:
        token_ids: ``(B, T)``, padded; ids 0 and 1 (``<pad>``, ``<unk>``) take no part.

    Returns:
        ``(V, V)`` of float32, symmetric.

    Raises:
        ValueError: as :func:`word_pairs`; ids beyond the vocabulary; a vocabulary of more than 4,000 words, with the
            memory it would need.
    """
    _check_size(vocab_size)
    if token_ids.numel() and not 0 <= int(token_ids.min()) <= int(token_ids.max()) < vocab_size:
        raise ValueError(_outside(token_ids, vocab_size))
    counts = torch.zeros(vocab_size * vocab_size)
    for offset in _offsets(token_ids, window):
        both = (token_ids[:, :-offset] * vocab_size + token_ids[:, offset:]).flatten()  # one number a pair
        counts.scatter_add_(0, both, torch.full(both.shape, (window + 1 - offset) / window))
    counts = counts.view(vocab_size, vocab_size)
    counts[:SPECIAL_IDS] = 0.0
    counts[:, :SPECIAL_IDS] = 0.0
    if not counts.any():
        raise ValueError("no two known words stand together: give longer texts, or a vocabulary with more words")
    return counts + counts.T


def skipgram(
    pairs: Tensor,
    vocab_size: int,
    *,
    d_model: int = 64,
    epochs: int = 1,
    batch_size: int = 2048,
    negatives: int = 32,
    lr: float = 0.02,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Tensor:
    """Skip-gram with negative sampling, one batch of pairs at a time (Mikolov et al. 2013, equation 4).

    The negatives of a batch are shared by all its pairs and drawn by frequency to the power 3/4.

    Args:
        pairs: ``(P, 2)`` from :func:`word_pairs`.
        negatives: how many noise words a batch is compared with; together they weigh as much as five a pair.

    Raises:
        ValueError: no pairs, or ids outside the vocabulary.
        FloatingPointError: the loss is no number any more.
    """
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"pairs must have shape (P, 2) and P > 0, got {tuple(pairs.shape)}")
    if not 0 <= int(pairs.min()) <= int(pairs.max()) < vocab_size:
        raise ValueError(_outside(pairs, vocab_size))
    generator = torch.Generator().manual_seed(seed)
    start = (
        torch.rand(vocab_size, d_model, generator=generator) - 0.5
    ) / d_model  # (V, d) small: large ones learn worse
    centres = nn.Embedding.from_pretrained(start, freeze=False)
    contexts = nn.Embedding.from_pretrained(torch.zeros(vocab_size, d_model), freeze=False)
    noise = torch.bincount(pairs[:, 1], minlength=vocab_size).float() ** 0.75  # (V,)
    optimiser = torch.optim.Adam([centres.weight, contexts.weight], lr=lr)
    step = 0
    for _ in range(epochs):
        for batch in pairs[torch.randperm(len(pairs), generator=generator)].split(batch_size):
            noise_ids = torch.multinomial(noise, negatives, replacement=True, generator=generator)  # (K,)
            centre = centres(batch[:, 0])  # (B, d)
            together = (centre * contexts(batch[:, 1])).sum(dim=1)  # (B,)
            apart = centre @ contexts(noise_ids).T  # (B, K)
            loss = -F.logsigmoid(together).mean() - 5 * F.logsigmoid(-apart).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            _tell(on_step, step, loss.item(), centres.weight.detach())
    return _without_specials(centres.weight.detach())


def count_skipgram(
    counts: Tensor,
    *,
    d_model: int = 64,
    steps: int = 30,
    lr: float = 0.2,
    negatives: float = 2.0,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> tuple[Tensor, Tensor]:
    """The same objective on the counts, all pairs at once, with gradients by hand and Adam.

    Its gradient is zero where ``centre · context = PMI - log(negatives)`` (Levy & Goldberg 2014, section 3.1;
    here with noise by frequency to the power 3/4). A step costs V², however long the text is.

    Args:
        counts: ``(V, V)`` from :func:`cooccurrence`.
        negatives: noise words a pair.

    Returns:
        The tables of centres and of contexts, ``(V, d)`` each.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large.
        FloatingPointError: the loss is no number any more.
    """
    real, noise = expected_pairs(counts, negatives)
    vocab_size = len(real)
    generator = torch.Generator().manual_seed(seed)
    tables = [(torch.rand(vocab_size, d_model, generator=generator) - 0.5) / d_model, torch.zeros(vocab_size, d_model)]
    means, squares = ([torch.zeros(vocab_size, d_model) for _ in tables] for _ in range(2))
    both = real + noise
    for step in range(1, steps + 1):
        centre, context = tables
        scores = centre @ context.T  # (V, V)
        loss = math.nan if on_step is None else _loss(scores, real, both)
        slope = scores.sigmoid_().mul_(both).sub_(real)  # (V, V) dLoss/dscore
        gradients = (slope @ context, slope.T @ centre)
        for table, mean, square, gradient in zip(tables, means, squares, gradients, strict=True):
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient * gradient, 0.001)
            table -= lr * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
        if on_step is not None:
            _tell(on_step, step, loss, tables[0])
    if not torch.isfinite(tables[0]).all():
        _tell(None, steps, math.nan, tables[0])
    return _without_specials(tables[0]), _without_specials(tables[1])


def expected_pairs(counts: Tensor, negatives: float = 2.0) -> tuple[Tensor, Tensor]:
    """The weight of real and of noise pairs in the objective, ``(V, V)`` each; a word meets ``V`` pairs on average.

    Noise pairs a centre with a context drawn by frequency to the power 3/4, ``negatives`` a real pair.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large.
    """
    _check_counts(counts)
    real = counts * (len(counts) / counts.sum())
    draw = counts.sum(dim=0) ** 0.75
    return real, negatives * real.sum(dim=1, keepdim=True) * (draw / draw.sum())


def pmi(counts: Tensor, *, power: float = 1.0) -> Tensor:
    """Pointwise mutual information, ``log p(centre, context) / (p(centre) p(context))``, -inf where never together.

    Args:
        power: flattens ``p(context)``; 0.75 is skip-gram's noise (Levy, Goldberg, Dagan 2015).

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large.
    """
    _check_counts(counts)
    draw = counts.sum(dim=0) ** power
    expected = counts.sum(dim=1, keepdim=True) * (draw / draw.sum())  # (V, V)
    return torch.where(counts > 0, (counts / expected).log(), -math.inf)


def ppmi_svd(counts: Tensor, *, d_model: int = 64, shift: float = 1.0, seed: int = 0) -> Tensor:
    """No training: the positive part of PMI - log(shift), squeezed to ``d_model`` numbers a word by a truncated SVD.

    Singular values enter by their square root (Levy, Goldberg, Dagan 2015, section 3.3).

    Args:
        counts: ``(V, V)`` from :func:`cooccurrence`.
        shift: below 1, pairs that stand together a little less than by chance are kept, too; that helps when text is
            scarce.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large; more numbers a
            word than words.
    """
    if not 1 <= d_model <= len(counts):
        raise ValueError(f"d_model must be between 1 and the {len(counts)} words, got {d_model}")
    positive = (pmi(counts, power=0.75) - math.log(shift)).clamp(min=0)  # (V, V)
    generator = torch.Generator().manual_seed(seed)
    probe = torch.randn(len(counts), min(len(counts), 2 * d_model), generator=generator)  # (V, 2 d)
    for _ in range(3):  # a randomised SVD by subspace iteration (Halko, Martinsson, Tropp 2011)
        probe = torch.linalg.qr(positive @ (positive.T @ probe)).Q
    left, values, _ = torch.linalg.svd(probe.T @ positive, full_matrices=False)
    left = probe @ left[:, :d_model]  # (V, d)
    return _without_specials(left * fixed_signs(left.T) * values[:d_model].sqrt())


def _offsets(token_ids: Tensor, window: int) -> range:
    """The distances that exist in these texts."""
    if token_ids.ndim != 2 or token_ids.dtype != torch.long:
        raise ValueError(
            f"texts must be one batch (B, T) of int64 ids, got {tuple(token_ids.shape)} of {token_ids.dtype}; "
            "Vocabulary.batch makes one"
        )
    if window < 1:
        raise ValueError(f"a window is at least 1 word wide, got {window}")
    if token_ids.shape[1] < 2:
        raise ValueError("no two known words stand together: every text is one word long")
    return range(1, min(window, token_ids.shape[1] - 1) + 1)


def _at(token_ids: Tensor, offset: int) -> Tensor:
    """All pairs of known words ``offset`` places apart, ``(P, 2)``, in reading order."""
    pairs = torch.stack([token_ids[:, :-offset], token_ids[:, offset:]], dim=-1).reshape(-1, 2)
    return pairs[(pairs >= SPECIAL_IDS).all(dim=1)]


def _loss(scores: Tensor, real: Tensor, both: Tensor) -> float:
    """Skip-gram's loss a real pair: ``-log sigmoid(score)`` for real pairs, ``-log sigmoid(-score)`` for noise."""
    return ((both * F.softplus(scores) - real * scores).sum() / real.sum()).item()


def _outside(ids: Tensor, vocab_size: int) -> str:
    span = f"{int(ids.min())}..{int(ids.max())}"
    return f"ids run over {span}, the vocabulary has {vocab_size} words (0..{vocab_size - 1}); do they belong together?"


def _check_size(vocab_size: int) -> None:
    if vocab_size > MAX_VOCAB:
        gigabytes = _TABLES * 4 * vocab_size**2 / 1e9
        raise ValueError(
            f"{vocab_size:,} words would need about {gigabytes:.1f} GB for tables of {vocab_size:,} × {vocab_size:,}; "
            f"at most {MAX_VOCAB:,} words: raise min_count or set max_size"
        )


def _check_counts(counts: Tensor) -> None:
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts must be square, (V, V), got {tuple(counts.shape)}")
    _check_size(len(counts))
    if not torch.isfinite(counts).all() or (counts < 0).any() or not counts.any():
        raise ValueError("counts must be finite, not negative, and not all zero: is the text empty?")


def _tell(on_step: OnStep | None, step: int, loss: float, table: Tensor) -> None:
    if not math.isfinite(loss):
        raise FloatingPointError(f"training came apart at step {step}: the loss is {loss}; lower the learning rate")
    if on_step is not None:
        on_step(step, loss, table)


def _without_specials(table: Tensor) -> Tensor:
    table = table.clone()
    table[:SPECIAL_IDS] = 0.0
    return table

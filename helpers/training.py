"""Word vectors from co-occurrence: skip-gram on pairs, the same objective on counts, and PPMI with an SVD.

Each returns an embedding matrix ``(V, d)``. The rows of ``<pad>`` and ``<unk>`` are not trained and are zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers.geometry import fixed_signs

OnStep = Callable[[int, float, Tensor], None]
"""Called after every step with its number (from 1), the loss, and the current table (clone it to keep it)."""

MAX_VOCAB = 4_000  # larger V × V matrices do not fit into the memory of a lesson
_MATRICES = 7  # V × V matrices that exist at the same time at the peak
SPECIAL_IDS = 2  # <pad> and <unk> are not counted
_TEXTS_PER_CHUNK = 1_000  # limits the memory for counting pairs


def word_pairs(token_ids: Tensor, window: int = 5) -> Tensor:
    """All pairs of words that are at most ``window`` positions apart, in both directions.

    Args:
        token_ids: ``(B, T)``, padded; ids 0 and 1 (``<pad>``, ``<unk>``) are left out.
        window: the largest distance.

    Returns:
        ``(P, 2)`` of int64: a centre word and a context word.

    Raises:
        ValueError: ids of another shape or dtype, a window below 1, or texts without any pair of known words.
    """
    pairs = torch.cat([_pairs_at(token_ids, offset) for offset in _offsets(token_ids, window)])
    if not len(pairs):
        raise ValueError("no two known words co-occur: use longer texts, or a vocabulary with more words")
    return torch.cat([pairs, pairs.flip(1)])


def cooccurrence(token_ids: Tensor, vocab_size: int, window: int = 5) -> Tensor:
    """Co-occurrence counts, each weighted by ``(window + 1 - distance) / window``.

    These are the expected counts of word2vec, which draws the size of the window for each centre word uniformly from 1
    to ``window`` (the "dynamic window"; Levy, Goldberg, Dagan 2015, section 3.1).

    Args:
        token_ids: ``(B, T)``, padded; ids 0 and 1 (``<pad>``, ``<unk>``) are left out.
        vocab_size: the number of ids, ``V``.
        window: the largest distance.

    Returns:
        ``(V, V)`` of float32, symmetric.

    Raises:
        ValueError: as :func:`word_pairs`; ids outside the vocabulary; a vocabulary of more than 4,000 words.
    """
    _check_size(vocab_size)
    if token_ids.numel() and not 0 <= int(token_ids.min()) <= int(token_ids.max()) < vocab_size:
        raise ValueError(_outside_message(token_ids, vocab_size))
    counts = torch.zeros(vocab_size * vocab_size)
    for offset in _offsets(token_ids, window):
        for texts in token_ids.split(_TEXTS_PER_CHUNK):
            cells = (texts[:, :-offset] * vocab_size + texts[:, offset:]).flatten()  # one number per pair
            counts.scatter_add_(0, cells, torch.full(cells.shape, (window + 1 - offset) / window))
    counts = counts.view(vocab_size, vocab_size)
    counts[:SPECIAL_IDS] = 0.0
    counts[:, :SPECIAL_IDS] = 0.0
    if not counts.any():
        raise ValueError("no two known words co-occur: use longer texts, or a vocabulary with more words")
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
        vocab_size: the number of ids, ``V``.
        d_model: embedding dimension.
        epochs: passes over all pairs.
        batch_size: pairs per step.
        negatives: number of negative samples that a batch shares; their total weight is that of five per pair.
        lr: learning rate of Adam.
        seed: seed of the initial values, of the order of the pairs and of the negatives.
        on_step: see :data:`OnStep`.

    Returns:
        The table of centre vectors, ``(V, d_model)``.

    Raises:
        ValueError: no pairs, or ids outside the vocabulary.
        FloatingPointError: the loss is NaN or infinite.
    """
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"pairs must have shape (P, 2) and P > 0, got {tuple(pairs.shape)}")
    if not 0 <= int(pairs.min()) <= int(pairs.max()) < vocab_size:
        raise ValueError(_outside_message(pairs, vocab_size))
    generator = torch.Generator().manual_seed(seed)
    start = (torch.rand(vocab_size, d_model, generator=generator) - 0.5) / d_model  # (V, d) as word2vec does
    centres = nn.Embedding.from_pretrained(start, freeze=False)
    contexts = nn.Embedding.from_pretrained(torch.zeros(vocab_size, d_model), freeze=False)
    noise = torch.bincount(pairs[:, 1], minlength=vocab_size).float() ** 0.75  # (V,)
    optimiser = torch.optim.Adam([centres.weight, contexts.weight], lr=lr)
    step = 0
    for _ in range(epochs):
        for batch in pairs[torch.randperm(len(pairs), generator=generator)].split(batch_size):
            noise_ids = torch.multinomial(noise, negatives, replacement=True, generator=generator)  # (K,)
            centre = centres(batch[:, 0])  # (B, d)
            positive = (centre * contexts(batch[:, 1])).sum(dim=1)  # (B,)
            negative = centre @ contexts(noise_ids).T  # (B, K)
            loss = -F.logsigmoid(positive).mean() - 5 * F.logsigmoid(-negative).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
            _report_step(on_step, step, loss.item(), centres.weight.detach())
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
    """Skip-gram's objective summed over counts, all pairs at once, with analytic gradients and Adam.

    Its gradient is zero where ``centre · context = PMI - log(negatives)`` (Levy & Goldberg 2014, section 3.1; here with
    negatives drawn by frequency to the power 3/4). A step costs O(V² d), for texts of any length.

    Args:
        counts: ``(V, V)`` from :func:`cooccurrence`.
        d_model: embedding dimension.
        steps: number of steps of Adam.
        lr: learning rate.
        negatives: negative samples per pair.
        seed: seed of the initial values.
        on_step: see :data:`OnStep`.

    Returns:
        The tables of centre and of context vectors, ``(V, d)`` each.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large.
        FloatingPointError: the loss is NaN or infinite.
    """
    positive, negative = pair_weights(counts, negatives)
    vocab_size = len(counts)
    generator = torch.Generator().manual_seed(seed)
    tables = [(torch.rand(vocab_size, d_model, generator=generator) - 0.5) / d_model, torch.zeros(vocab_size, d_model)]
    means, squares = ([torch.zeros(vocab_size, d_model) for _ in tables] for _ in range(2))
    total = positive + negative
    for step in range(1, steps + 1):
        centre, context = tables
        scores = centre @ context.T  # (V, V)
        loss = math.nan if on_step is None else _loss(scores, positive, total)
        slope = scores.sigmoid_().mul_(total).sub_(positive)  # (V, V) dLoss/dscore
        gradients = (slope @ context, slope.T @ centre)
        for table, mean, square, gradient in zip(tables, means, squares, gradients, strict=True):
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient * gradient, 0.001)
            table -= lr * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
        if on_step is not None:
            _report_step(on_step, step, loss, tables[0])
    if not torch.isfinite(tables[0]).all():
        _report_step(None, steps, math.nan, tables[0])
    return _without_specials(tables[0]), _without_specials(tables[1])


def pair_weights(counts: Tensor, negatives: float = 2.0) -> tuple[Tensor, Tensor]:
    """The weights of positive and of negative pairs in the objective, ``(V, V)`` each; the positive ones sum to ``V``.

    A negative pair is a centre word with a context drawn by frequency to the power 3/4; there are ``negatives`` per
    positive pair.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large.
    """
    _check_counts(counts)
    positive = counts * (len(counts) / counts.sum())
    noise = counts.sum(dim=0) ** 0.75
    return positive, negatives * positive.sum(dim=1, keepdim=True) * (noise / noise.sum())


def pmi(counts: Tensor, *, power: float = 1.0) -> Tensor:
    """Pointwise mutual information, ``log(p(centre, context) / (p(centre) p(context)))``; -inf where the count is 0.

    Args:
        counts: ``(V, V)`` from :func:`cooccurrence`.
        power: exponent of the context frequencies; 0.75 is context distribution smoothing (Levy, Goldberg, Dagan 2015,
            section 3.2), the distribution from which skip-gram draws its negatives.

    Returns:
        ``(V, V)`` of float32.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large.
    """
    _check_counts(counts)
    context = counts.sum(dim=0) ** power
    expected = counts.sum(dim=1, keepdim=True) * (context / context.sum())  # (V, V)
    return torch.where(counts > 0, (counts / expected).log(), -math.inf)


def ppmi_svd(counts: Tensor, *, d_model: int = 64, shift: float = 1.0, seed: int = 0) -> Tensor:
    """Shifted positive PMI, ``max(PMI - log(shift), 0)``, reduced to ``d_model`` dimensions by a truncated SVD.

    Context frequencies are smoothed (power 0.75), and the rows are ``U_d sqrt(S_d)`` (Levy & Goldberg 2014; Levy,
    Goldberg, Dagan 2015, section 3.3). No training is involved.

    Args:
        counts: ``(V, V)`` from :func:`cooccurrence`.
        d_model: embedding dimension.
        shift: 1 is plain PPMI; k matches skip-gram with k negatives. A value below 1 also keeps pairs that co-occur a
            little less often than expected, which helps with little text.
        seed: seed of the randomised SVD.

    Returns:
        ``(V, d_model)`` of float32.

    Raises:
        ValueError: counts that are not square, negative or all zero; a vocabulary that is too large; ``d_model`` beyond
            the size of the vocabulary.
    """
    if not 1 <= d_model <= len(counts):
        raise ValueError(f"d_model must be between 1 and the {len(counts)} words, got {d_model}")
    positive = pmi(counts, power=0.75).sub_(math.log(shift)).clamp_(min=0)  # (V, V)
    generator = torch.Generator().manual_seed(seed)
    probe = torch.randn(len(counts), min(len(counts), 2 * d_model), generator=generator)  # (V, 2 d)
    for _ in range(3):  # a randomised SVD by subspace iteration (Halko, Martinsson, Tropp 2011)
        probe = torch.linalg.qr(positive @ (positive.T @ probe)).Q
    left, values, _ = torch.linalg.svd(probe.T @ positive, full_matrices=False)
    left = probe @ left[:, :d_model]  # (V, d)
    return _without_specials(left * fixed_signs(left.T) * values[:d_model].sqrt())


def _offsets(token_ids: Tensor, window: int) -> range:
    """The distances up to ``window`` that exist in these texts."""
    if token_ids.ndim != 2 or token_ids.dtype != torch.long:
        raise ValueError(
            f"texts must be one batch (B, T) of int64 ids, got {tuple(token_ids.shape)} of {token_ids.dtype}; "
            "Vocabulary.batch makes one"
        )
    if window < 1:
        raise ValueError(f"the window must be at least 1, got {window}")
    if token_ids.shape[1] < 2:
        raise ValueError("no two known words co-occur: every text is one word long")
    return range(1, min(window, token_ids.shape[1] - 1) + 1)


def _pairs_at(token_ids: Tensor, offset: int) -> Tensor:
    """All pairs of known words ``offset`` positions apart, ``(P, 2)``, in reading order."""
    pairs = torch.stack([token_ids[:, :-offset], token_ids[:, offset:]], dim=-1).reshape(-1, 2)
    return pairs[(pairs >= SPECIAL_IDS).all(dim=1)]


def _loss(scores: Tensor, positive: Tensor, total: Tensor) -> float:
    """Mean loss per positive pair: ``-log sigmoid(score)`` of positive, ``-log sigmoid(-score)`` of negative pairs."""
    return ((total * F.softplus(scores) - positive * scores).sum() / positive.sum()).item()


def _outside_message(ids: Tensor, vocab_size: int) -> str:
    span = f"{int(ids.min())}..{int(ids.max())}"
    return f"ids are in {span}, the vocabulary has ids 0..{vocab_size - 1}; were they encoded with another vocabulary?"


def _check_size(vocab_size: int) -> None:
    if vocab_size > MAX_VOCAB:
        gigabytes = _MATRICES * 4 * vocab_size**2 / 1e9
        raise ValueError(
            f"{vocab_size:,} words would need about {gigabytes:.1f} GB for matrices of {vocab_size:,} × {vocab_size:,} "
            f"numbers; at most {MAX_VOCAB:,} words are allowed: raise min_count or set max_size"
        )


def _check_counts(counts: Tensor) -> None:
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts must be square, (V, V), got {tuple(counts.shape)}")
    _check_size(len(counts))
    if not torch.isfinite(counts).all() or (counts < 0).any() or not counts.any():
        raise ValueError("counts must be finite, not negative, and not all zero: is the text empty?")


def _report_step(on_step: OnStep | None, step: int, loss: float, table: Tensor) -> None:
    """Call ``on_step``, if given; raise FloatingPointError for a loss that is not finite."""
    if not math.isfinite(loss):
        raise FloatingPointError(f"training diverged at step {step}: the loss is {loss}; lower the learning rate")
    if on_step is not None:
        on_step(step, loss, table)


def _without_specials(table: Tensor) -> Tensor:
    table = table.clone()
    table[:SPECIAL_IDS] = 0.0
    return table

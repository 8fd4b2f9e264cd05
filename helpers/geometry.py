"""Geometry of an embedding matrix: similarity, nearest neighbours, analogies, PCA, bias directions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.vocabulary import Vocabulary

Measure = Callable[[Tensor, Tensor], Tensor]
"""Similarity of queries ``(Q, d)`` and a table ``(V, d)``: ``(Q, V)``, larger for more similar rows."""


def dot(queries: Tensor, table: Tensor) -> Tensor:
    """Dot products of ``(Q, d)`` and ``(V, d)``: ``(Q, V)``. They grow with the norms of both vectors."""
    return queries @ table.T


def cosine(queries: Tensor, table: Tensor) -> Tensor:
    """Cosine similarities of ``(Q, d)`` and ``(V, d)``: ``(Q, V)``, -1 to 1, independent of norms; 0 for a zero row."""
    return F.normalize(queries, dim=-1) @ F.normalize(table, dim=-1).T


def negative_distance(queries: Tensor, table: Tensor) -> Tensor:
    """Negated Euclidean distances of ``(Q, d)`` and ``(V, d)``: ``(Q, V)``; the nearest row has the largest value."""
    return -torch.cdist(queries, table)


MEASURES: dict[str, Measure] = {"cosine": cosine, "dot product": dot, "distance": negative_distance}


def nearest(
    queries: Tensor, table: Tensor, k: int = 10, *, exclude: Tensor | None = None, measure: Measure = cosine
) -> tuple[Tensor, Tensor]:
    """The ``k`` rows most similar to each query.

    Args:
        queries: ``(Q, d)``, or one vector ``(d,)``.
        table: ``(V, d)``. Rows of zeros (``<pad>``, ``<unk>``) are never returned.
        k: number of rows to return.
        exclude: ``(Q, E)``, or ``(E,)`` for one vector: ids to leave out, for example that of the query.
        measure: the similarity, see :data:`MEASURES`.

    Returns:
        Scores and ids, best first, ``(Q, k)`` each; ``(k,)`` for one vector.

    Raises:
        ValueError: different embedding dimensions, a row with a NaN or an infinity, or ``k`` larger than the number
            of rows that remain.
    """
    if queries.shape[-1] != table.shape[-1]:
        raise ValueError(
            f"queries have embedding dimension {queries.shape[-1]}, the table has {table.shape[-1]}; they must agree"
        )
    _check_finite(table, "the table")
    _check_finite(queries, "the queries")
    is_single = queries.ndim == 1
    scores = measure(queries.reshape(-1, table.shape[1]), table).clone()  # (Q, V)
    scores[:, ~table.any(dim=1)] = -torch.inf
    if exclude is not None:
        scores.scatter_(1, exclude.reshape(len(scores), -1), -torch.inf)
    available = int((scores > -torch.inf).sum(dim=1).min())
    if not 1 <= k <= available:
        raise ValueError(f"k must be between 1 and {available}, the number of rows left to choose from; got {k}")
    values, ids = scores.topk(k, dim=1)
    return (values[0], ids[0]) if is_single else (values, ids)


def analogy(table: Tensor, a: Tensor, b: Tensor, c: Tensor, *, exclude: bool = True, k: int = 1) -> Tensor:
    """Answer "a is to b as c is to …" with the ids nearest to ``b - a + c`` (Mikolov, Yih, Zweig 2013).

    All vectors are scaled to unit norm first, as in the paper.

    Args:
        table: ``(V, d)``.
        a, b, c: ids, ``(Q,)`` each.
        exclude: leave out the three given words. Without this the answer is often ``b`` or ``c`` itself
            (Linzen 2016; Nissim, van Noord, van der Goot 2020).
        k: number of ids to return for each question.

    Returns:
        ``(Q, k)`` ids, best first.

    Raises:
        ValueError: a row with a NaN or an infinity, or ``k`` larger than the number of rows that remain.
    """
    _check_finite(table, "the table")
    unit = F.normalize(table, dim=1)
    ids = torch.stack([a, b, c], dim=1)  # (Q, 3)
    return nearest(unit[b] - unit[a] + unit[c], unit, k, exclude=ids if exclude else None)[1]


def analogy_questions(vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]]) -> Tensor:
    """All analogies between two pairs of a relation: ids of a, b, c and the answer, ``(n (n - 1), 4)``.

    Raises:
        KeyError: a word without an id.
        ValueError: fewer than two pairs.
    """
    if len(pairs) < 2:
        raise ValueError(f"an analogy needs two pairs, got {len(pairs)}")
    ids = [[vocabulary.id(word) for word in pair] for pair in pairs]
    return torch.tensor([first + second for first in ids for second in ids if first is not second])


def analogy_accuracy(
    table: Tensor, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]], *, exclude: bool = True
) -> float:
    """Accuracy of :func:`analogy` on all questions of a relation, 0 to 1.

    Raises:
        KeyError: a word without an id.
        ValueError: fewer than two pairs, or as :func:`analogy`.
    """
    questions = analogy_questions(vocabulary, pairs)
    predicted = analogy(table, *questions[:, :3].T, exclude=exclude)[:, 0]
    return (predicted == questions[:, 3]).double().mean().item()


def pca(vectors: Tensor, k: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Principal component analysis, with a fixed sign for every direction.

    The sign of a principal component is arbitrary. Here its entry of largest absolute value is positive; if several
    entries are equally large, the first of them is.

    Args:
        vectors: ``(N, d)``.
        k: number of components, at most ``min(N, d)``.

    Returns:
        coordinates ``(N, k)``, directions ``(k, d)``, and the fraction of the variance explained by each of all
        directions, ``(min(N, d),)``, in descending order.

    Raises:
        ValueError: ``k`` out of range, a row with a NaN or an infinity, or vectors that are all equal.
    """
    if vectors.ndim != 2 or not 1 <= k <= min(vectors.shape):
        raise ValueError(
            f"vectors must be (N, d) and k between 1 and min(N, d); got k = {k} for {tuple(vectors.shape)}"
        )
    _check_finite(vectors, "the vectors")
    centred = vectors.double() - vectors.double().mean(dim=0)
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    if values[0] < 1e-12:
        raise ValueError("all vectors are equal: there is no direction of largest variance")
    directions = directions * fixed_signs(directions)[:, None]
    coordinates = centred @ directions[:k].T
    return coordinates.to(vectors.dtype), directions[:k].to(vectors.dtype), (values**2 / (values**2).sum())


def fixed_signs(directions: Tensor) -> Tensor:
    """The signs, ``(k,)``, that make the entry of largest absolute value positive in each row of ``(k, d)``.

    Entries within 0.01 % of the largest are treated as tied, and the first of them is used, so that the sign does not
    depend on rounding errors.
    """
    sizes = directions.abs()
    tied = sizes >= (1 - 1e-4) * sizes.amax(dim=1, keepdim=True)  # (k, d)
    return directions.gather(1, tied.int().argmax(dim=1, keepdim=True)).sign()[:, 0]


def bias_direction(table: Tensor, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]]) -> Tensor:
    """The unit vector ``(d,)`` along which the words of pairs differ, oriented from the second to the first words.

    As in Bolukbasi et al. (2016, section 5): vectors are scaled to unit norm, each pair is centred on its midpoint, and
    the direction is the first principal component of the 2 P vectors that result.

    Raises:
        KeyError: a word that is not in the vocabulary.
        ValueError: no pair, a row with a NaN or an infinity, or pairs of equal vectors.
    """
    if not pairs:
        raise ValueError("a direction needs at least one pair of words")
    _check_finite(table, "the table")
    ids = torch.tensor([[vocabulary.id(word) for word in pair] for pair in pairs])  # (P, 2)
    unit = F.normalize(table, dim=1)[ids]  # (P, 2, d)
    centred = (unit - unit.mean(dim=1, keepdim=True)).flatten(0, 1)  # (2 P, d)
    if not centred.any():
        raise ValueError("the words of each pair have equal vectors: there is no direction between them")
    direction = torch.linalg.svd(centred, full_matrices=False).Vh[0]
    return direction * torch.sign(centred[::2].sum(dim=0) @ direction)


def project_out(vectors: Tensor, along: Tensor) -> Tensor:
    """``vectors`` ``(N, d)`` minus their components along a direction ``(d,)``: what remains is orthogonal to it.

    Raises:
        ValueError: a direction that is zero, or of a different dimension.
    """
    if along.shape != vectors.shape[-1:] or not along.any():
        raise ValueError(f"the direction must be ({vectors.shape[-1]},) and not zero, got {tuple(along.shape)}")
    along = along / along.norm()
    return vectors - (vectors @ along)[..., None] * along


def _check_finite(rows: Tensor, name: str) -> None:
    invalid = ~torch.isfinite(rows.reshape(-1, rows.shape[-1])).all(dim=1)  # (N,)
    if invalid.any():
        first, count = int(invalid.nonzero()[0]), int(invalid.sum())
        raise ValueError(
            f"{name} must be finite; row {first} is not ({count} of {len(invalid)} rows): did training diverge?"
        )

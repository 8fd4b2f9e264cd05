"""What can be asked of a table of word vectors: likeness, neighbours, analogies, a map, a direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.vocabulary import Vocabulary

Measure = Callable[[Tensor, Tensor], Tensor]


def dot(queries: Tensor, table: Tensor) -> Tensor:
    """Dot products: ``(Q, d)`` and ``(V, d)`` give ``(Q, V)``. Grows with the length of both vectors."""
    return queries @ table.T


def cosine(queries: Tensor, table: Tensor) -> Tensor:
    """Cosines, -1 to 1: ``(Q, d)`` and ``(V, d)`` give ``(Q, V)``. Blind to length; 0 where a vector is zero."""
    return F.normalize(queries, dim=-1) @ F.normalize(table, dim=-1).T


def closeness(queries: Tensor, table: Tensor) -> Tensor:
    """Euclidean distances with a minus, so that the nearest is the largest: ``(Q, d)``, ``(V, d)`` give ``(Q, V)``."""
    return -torch.cdist(queries, table)


MEASURES: dict[str, Measure] = {"cosine": cosine, "dot product": dot, "distance": closeness}


def nearest(
    queries: Tensor, table: Tensor, k: int = 10, *, exclude: Tensor | None = None, measure: Measure = cosine
) -> tuple[Tensor, Tensor]:
    """The ``k`` rows most like each query.

    Args:
        queries: ``(Q, d)``, or one vector ``(d,)``.
        table: ``(V, d)``. Rows of zeros (``<pad>``, ``<unk>``) are nobody's neighbour.
        exclude: ``(Q, E)``, or ``(E,)`` for one vector: ids that do not count, the query's own for example.

    Returns:
        Scores and ids, best first, ``(Q, k)`` each; ``(k,)`` for one vector.

    Raises:
        ValueError: widths that differ, or ``k`` larger than the rows that are left.
    """
    if queries.shape[-1] != table.shape[-1]:
        raise ValueError(f"queries have width {queries.shape[-1]}, the table {table.shape[-1]}; they must agree")
    one = queries.ndim == 1
    scores = measure(queries.reshape(-1, table.shape[1]), table).clone()  # (Q, V)
    scores[:, ~table.any(dim=1)] = -torch.inf
    if exclude is not None:
        scores.scatter_(1, exclude.reshape(len(scores), -1), -torch.inf)
    left = int((scores > -torch.inf).sum(dim=1).min())
    if not 1 <= k <= left:
        raise ValueError(f"k must be 1 to {left}, the rows that are left to choose from; got {k}")
    values, ids = scores.topk(k, dim=1)
    return (values[0], ids[0]) if one else (values, ids)


def analogy(table: Tensor, a: Tensor, b: Tensor, c: Tensor, *, exclude: bool = True, k: int = 1) -> Tensor:
    """a is to b as c is to …: the ids nearest to ``b - a + c`` (Mikolov, Yih, Zweig 2013).

    Every vector is brought to length 1 first, as the authors do.

    Args:
        a, b, c: ids, ``(Q,)`` each.
        exclude: leave out the three given words. Without it the answer is often ``b`` or ``c`` itself
            (Linzen 2016; Nissim, van Noord, van der Goot 2020).

    Returns:
        ``(Q, k)`` ids, best first.
    """
    unit = F.normalize(table, dim=1)
    ids = torch.stack([a, b, c], dim=1)  # (Q, 3)
    return nearest(unit[b] - unit[a] + unit[c], unit, k, exclude=ids if exclude else None)[1]


def questions(vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]]) -> Tensor:
    """All analogies that a relation holds: ids of a, b, c and the right answer, ``(n (n - 1), 4)``.

    Raises:
        KeyError: a word without an id.
        ValueError: fewer than two pairs.
    """
    if len(pairs) < 2:
        raise ValueError(f"an analogy needs two pairs, got {len(pairs)}")
    ids = [[vocabulary.id(word) for word in pair] for pair in pairs]
    return torch.tensor([one + other for one in ids for other in ids if one is not other])


def analogy_accuracy(
    table: Tensor, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]], *, exclude: bool = True
) -> float:
    """The share of a relation's analogies that come out right, 0 to 1."""
    asked = questions(vocabulary, pairs)
    got = analogy(table, *asked[:, :3].T, exclude=exclude)[:, 0]
    return (got == asked[:, 3]).double().mean().item()


def pca(vectors: Tensor, k: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Principal components: the ``k`` directions in which vectors differ most, at right angles.

    The largest number of every direction is made positive: otherwise its sign is an accident.

    Args:
        vectors: ``(N, d)``.

    Returns:
        coordinates ``(N, k)``, directions ``(k, d)``, and the share of the variance that each of all directions
        explains, ``(min(N, d),)``, falling.

    Raises:
        ValueError: ``k`` beyond what there is, or vectors that are all the same.
    """
    if vectors.ndim != 2 or not 1 <= k <= min(vectors.shape):
        raise ValueError(f"k must be 1 to the smaller side of (N, d), got k = {k} for {tuple(vectors.shape)}")
    centred = (vectors - vectors.mean(dim=0)).double()
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    if values[0] < 1e-12:
        raise ValueError("all vectors are the same: there is nothing to show")
    largest = directions.abs().argmax(dim=1, keepdim=True)
    directions = directions * directions.gather(1, largest).sign()
    coordinates = centred @ directions[:k].T
    return coordinates.to(vectors.dtype), directions[:k].to(vectors.dtype), (values**2 / (values**2).sum())


def direction(table: Tensor, vocabulary: Vocabulary, pairs: Sequence[tuple[str, str]]) -> Tensor:
    """What pairs of words have in common in how they differ, ``(d,)`` of length 1: from the second to the first word.

    The first principal component of the differences of the pairs, vectors brought to length 1 (after Bolukbasi et
    al. 2016).

    Raises:
        KeyError: a word without an id.
        ValueError: no pair, or words that do not differ.
    """
    if not pairs:
        raise ValueError("a direction needs at least one pair of words")
    ids = torch.tensor([[vocabulary.id(word) for word in pair] for pair in pairs])  # (P, 2)
    unit = F.normalize(table, dim=1)
    apart = unit[ids[:, 0]] - unit[ids[:, 1]]  # (P, d)
    found = torch.linalg.svd(apart, full_matrices=False).Vh[0]
    if not apart.any():
        raise ValueError("the words of the pairs do not differ: there is no direction")
    return found * torch.sign(found @ apart.sum(dim=0))


def project_out(vectors: Tensor, along: Tensor) -> Tensor:
    """``vectors`` ``(N, d)`` with their part along a direction ``(d,)`` taken away: their dot product with it is 0.

    Raises:
        ValueError: a direction of zeros, or of another width.
    """
    if along.shape != vectors.shape[-1:] or not along.any():
        raise ValueError(f"the direction must be ({vectors.shape[-1]},) and not zero, got {tuple(along.shape)}")
    along = along / along.norm()
    return vectors - (vectors @ along)[..., None] * along

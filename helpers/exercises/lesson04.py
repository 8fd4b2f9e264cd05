"""Lesson 04: an analogy, the share a map keeps, a lean in a skewed text."""

import torch
import torch.nn.functional as F

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int, seed: int = 4) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _answer(table, a, b, c, *, left_out=(0, 1, 2), signs=(-1, 1, 1), unit=True):
    """The id most like ``± a ± b ± c``, without the given words named in ``left_out``."""
    rows = F.normalize(table, dim=1) if unit else table
    given = (a, b, c)
    scores = rows @ sum(sign * rows[i] for sign, i in zip(signs, given, strict=True))
    scores[[given[i] for i in left_out]] = -torch.inf
    return int(scores.argmax())


def _farthest(table, a, b, c):
    unit = F.normalize(table, dim=1)
    scores = unit @ (unit[b] - unit[a] + unit[c])
    scores[[a, b, c]] = torch.inf
    return int(scores.argmin())


def _near_b(table, a, b, c):
    unit = F.normalize(table, dim=1)
    scores = unit @ unit[b]
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


def _words(seed: int) -> torch.Tensor:
    """A table ``(V, d)`` whose vectors differ much in length."""
    return _draw(40, 8, seed=seed) * torch.linspace(0.5, 4.0, 40, dtype=torch.float64)[:, None]


def _close_words() -> torch.Tensor:
    """A table ``(V, d)`` in which rows 3, 30 and 21 are nearly parallel: each would answer, were it not left out."""
    table = _words(7)
    table[[3, 30, 21]] = table[3] + 0.2 * table[[3, 30, 21]]
    return table


def _variances(vectors):
    return torch.linalg.svdvals(vectors - vectors.mean(dim=0)) ** 2


def _share(vectors, k):
    variances = _variances(vectors)
    return variances[:k].sum() / variances.sum()


def _unsquared(vectors, k):
    values = torch.linalg.svdvals(vectors - vectors.mean(dim=0))
    return values[:k].sum() / values.sum()


def _uncentred(vectors, k):
    values = torch.linalg.svdvals(vectors) ** 2
    return values[:k].sum() / values.sum()


def _columns(vectors, k):
    variances = vectors.var(dim=0)
    return variances[:k].sum() / variances.sum()


def _lean(table, he, she, words, *, unit=True, norm=True):
    """The dot product of each word with the mean difference of the pairs, brought to length 1."""
    rows = F.normalize(table, dim=1) if unit else table
    along = (rows[he] - rows[she]).mean(dim=0)
    return rows[words] @ (F.normalize(along, dim=0) if norm else along)


def _left(table, he, she, words):
    unit = F.normalize(table, dim=1)
    along = F.normalize((unit[he] - unit[she]).mean(dim=0), dim=0)
    return unit[words] - (unit[words] @ along)[:, None] * along


def _first_pair(table, he, she, words):
    return _lean(table, he[:1], she[:1], words)


_CLOUD = _draw(30, 6) * torch.tensor([1.0, 3.0, 0.5, 2.0, 1.0, 0.2], dtype=torch.float64) + 2.0
_HE, _SHE = torch.tensor([2, 4, 6]), torch.tensor([3, 5, 7])

EXERCISES = [
    Exercise(
        id="04.analogy",
        reference=_answer,
        cases=[
            *[(_words(seed), *ids) for seed in (1, 2, 3) for ids in ((3, 30, 21), (12, 8, 35), (39, 20, 5))],
            (_close_words(), 3, 30, 21),
        ],
        mistakes=[
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, left_out=()),
                "you let a, b and c answer; the vector asked for is made of them, so it lies near them: leave them out",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, left_out=(2,)),
                "you leave out c alone; b is an ingredient, too: leave out all three given words",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, signs=(1, -1, 1)),
                "your arrow leads from b to a; the one from a to b is b − a, and it is added to c",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, signs=(1, 1, 1)),
                "you add all three; what a and b share must cancel: b − a + c",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, unit=False),
                "long vectors win: bring every row to length 1 first, then a dot product is a cosine",
            ),
            Mistake(_near_b, "you look for the neighbour of b; c and the arrow from a to b play no part"),
            Mistake(_farthest, "you take the smallest cosine; the most alike have the largest"),
        ],
        right="three vectors, one sum, one search: that is all there is to it",
    ),
    Exercise(
        id="04.explained_variance",
        reference=_share,
        cases=[(_CLOUD, 1), (_CLOUD, 2), (_CLOUD, 6), (_draw(5, 12) + 1.0, 3)],
        mistakes=[
            Mistake(
                _uncentred,
                "you forget to subtract the mean; then the first direction points at the cloud instead of along it",
            ),
            Mistake(
                _unsquared,
                "a singular value is a spread; a variance is its square: square them before you add",
            ),
            Mistake(
                lambda vectors, k: _variances(vectors)[k - 1] / _variances(vectors).sum(),
                "you give the share of direction k alone; a map of k directions keeps the first k together",
            ),
            Mistake(
                lambda vectors, k: 1 - _share(vectors, k),
                "you give what is lost; what is kept is asked for",
            ),
            Mistake(
                _columns,
                "you take the first k columns of the table; PCA turns the cloud first, and its directions are mixtures",
            ),
            Mistake(
                lambda vectors, k: _variances(vectors)[:k].sum(),
                "this is an amount; divide by the sum over all directions to get a share",
            ),
        ],
        right="write this number on every map of words you draw",
    ),
    Exercise(
        id="04.bias_direction",
        reference=_lean,
        cases=[
            (_words(4), _HE, _SHE, torch.tensor([10, 20, 30, 38])),
            (_words(5), _HE, _SHE, torch.tensor([2, 3, 9])),
            (_words(6), _HE[:1], _SHE[:1], torch.arange(2, 40)),
        ],
        mistakes=[
            Mistake(
                lambda table, he, she, words: -_lean(table, he, she, words),
                "the sign is exchanged: a word that leans to the first of each pair is positive, so first − second",
            ),
            Mistake(
                lambda table, he, she, words: _lean(table, he, she, words, norm=False),
                "your direction is not of length 1; then the result measures its length as well",
            ),
            Mistake(
                lambda table, he, she, words: _lean(table, he, she, words, unit=False),
                "long vectors count more: bring the rows to length 1 before you compare anything",
            ),
            Mistake(
                _first_pair,
                "you use one pair alone; what is particular to this pair goes into your direction: take the mean",
            ),
            Mistake(
                lambda table, he, she, words: _lean(table, he, she, words).abs(),
                "you take the amount; the sign says which way a word leans",
            ),
            Mistake(
                _left,
                "you give the vectors after the direction was taken out; the part along it is asked for, a number each",
            ),
        ],
        right="a number a word; at what size it matters is a judgement, not a formula",
    ),
]

QUESTIONS = [
    Question(
        "04.query_nearest",
        "The query is (1, 0). Which of (5, 4), (2, 0.1) and (0.9, 0.3) is nearest?",
        ["(5, 4)", "(2, 0.1)", "(0.9, 0.3)", "Each of them, by one of the measures"],
        answer=3,
        reason=(
            "The longest has the largest dot product, the best aligned the largest cosine, the third the closest tip."
        ),
    ),
    Question(
        "04.table_random_numbers",
        "A table of random numbers. king − man + woman, all words may answer. The nearest word is…",
        ["queen", "any word, at random", "king or woman"],
        answer=2,
        reason=("The sum is made of king and woman, so it lies near both of them, whatever the numbers are."),
    ),
    Question(
        "04.words_their_best",
        ("All 533 words on their best map of two axes. For how many is the nearest on paper really the nearest?"),
        ["nearly all", "about half", "less than a quarter"],
        answer=2,
        reason=(
            "Two of 64 directions keep less than a quarter of the variance. What is far apart can cast one shadow."
        ),
    ),
    Question(
        "04.leans_now_somebody",
        ("All leans are 0 now. Can somebody who sees the cleaned vectors still tell which professions leaned to he?"),
        ["No: the lean is gone", "Yes, from the neighbours"],
        answer=1,
        reason=(
            "We removed one direction. Professions of one group are still more like each other than like the rest."
        ),
    ),
    Question(
        "04.vectors_point_way",
        "Two vectors point the same way, one is ten times longer. What is different?",
        ["Their cosine is 0.1", "Nothing for the cosine; dot products and distances change", "Only the distance"],
        answer=1,
        reason="Cosine is blind to length. And what a length means depends on the training.",
    ),
    Question(
        "04.paper_reports_right",
        "A paper reports 90 % right analogies. What do you ask first?",
        ["How many dimensions?", "Which map was drawn?", "Could a, b and c answer?"],
        answer=2,
        reason="Left out, they hide a poor arrow. On our real text most answers were one of them.",
    ),
    Question(
        "04.lean_professions_along",
        "The lean of all professions along the he–she direction is 0. Is the bias gone?",
        ["Yes, by construction", "Not necessarily: neighbours may still give it away", "No, it has grown"],
        answer=1,
        reason="One direction is gone; that words of a group stand together is stored in the others.",
    ),
]

"""Lesson 04: choosing a measure, an analogy, explained variance, a bias direction and its removal."""

import torch
import torch.nn.functional as F

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int, seed: int = 4) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _answer(table, a, b, c, *, left_out=(0, 1, 2), signs=(-1, 1, 1), unit=True):
    """The id with the largest cosine to ``± a ± b ± c``, without the given words whose indices are in ``left_out``."""
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


def _scaled_late(table, a, b, c):
    scores = F.normalize(table, dim=1) @ (table[b] - table[a] + table[c])
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


def _near_b(table, a, b, c):
    unit = F.normalize(table, dim=1)
    scores = unit @ unit[b]
    scores[[a, b, c]] = -torch.inf
    return int(scores.argmax())


def _near_c(table, a, b, c):
    return _near_b(table, a, c, b)


def _words(seed: int) -> torch.Tensor:
    """A table ``(V, d)`` whose rows have very different norms."""
    return _draw(40, 8, seed=seed) * torch.linspace(0.5, 4.0, 40, dtype=torch.float64)[:, None]


def _close_words() -> torch.Tensor:
    """A table ``(V, d)`` in which rows 3, 30 and 21 are nearly parallel: each is the answer unless excluded."""
    table = _words(7)
    table[[3, 30, 21]] = table[3] + 0.2 * table[[3, 30, 21]]
    return table


def _variances(vectors):
    return torch.linalg.svdvals(vectors - vectors.mean(dim=0)) ** 2


def _explained(vectors, k):
    variances = _variances(vectors)
    return variances[:k].sum() / variances.sum()


def _unsquared(vectors, k):
    values = torch.linalg.svdvals(vectors - vectors.mean(dim=0))
    return values[:k].sum() / values.sum()


def _uncentred(vectors, k):
    values = torch.linalg.svdvals(vectors) ** 2
    return values[:k].sum() / values.sum()


def _centred_rows(vectors, k):
    variances = torch.linalg.svdvals(vectors - vectors.mean(dim=1, keepdim=True)) ** 2
    return variances[:k].sum() / variances.sum()


def _smallest(vectors, k):
    variances = _variances(vectors)
    return variances[-k:].sum() / variances.sum()


def _first_eigenvalues(vectors, k):
    variances = torch.linalg.eigvalsh(torch.cov(vectors.T))
    return variances[:k].sum() / variances.sum()


def _centred_on_one_number(vectors, k):
    variances = torch.linalg.svdvals(vectors - vectors.mean()) ** 2
    return variances[:k].sum() / variances.sum()


def _columns(vectors, k):
    variances = vectors.var(dim=0)
    return variances[:k].sum() / variances.sum()


def _onto_mean(table, he, she, words, *, unit=True, norm=True):
    """The projections of ``words`` on the mean offset of the pairs, scaled to norm 1."""
    rows = F.normalize(table, dim=1) if unit else table
    along = (rows[he] - rows[she]).mean(dim=0)
    return rows[words] @ (F.normalize(along, dim=0) if norm else along)


def _removed(table, he, she, words):
    unit = F.normalize(table, dim=1)
    return _project_out(unit[words], (unit[he] - unit[she]).mean(dim=0))


def _onto_component(table, he, she, words):
    """As in the lesson: on the first principal component of the pairs, each centred on its midpoint."""
    unit = F.normalize(table, dim=1)
    offsets = unit[he] - unit[she]
    along = torch.linalg.svd(offsets, full_matrices=False).Vh[0]
    return unit[words] @ (along * (offsets @ along).sum().sign())


def _project_out(vectors, direction):
    along = F.normalize(direction, dim=0)
    return vectors - (vectors @ along)[:, None] * along


# Task → (the answer, why each of the other measures is wrong).
_MEASURES = {
    "synonyms": (
        "cosine",
        {
            "dot product": "for similar meaning, the dot product favours large norms, which depend on frequency",
            "distance": "for similar meaning, the distance favours small norms, whatever the direction",
        },
    ),
    "cities": (
        "distance",
        {
            "dot product": "for cities, the dot product rises with the distance from the origin of the map",
            "cosine": "for cities, the cosine compares directions as seen from the origin, not points",
        },
    ),
    "logits": (
        "dot product",
        {
            "cosine": "for logits, the cosine drops the norms, which were trained along with the directions",
            "distance": "for logits, the distance is not what the output layer was trained with",
        },
    ),
}


def _mistaken(index: int, measure: str, reason: str) -> Mistake:
    """A list of measures with one mistake."""
    measures = [answer for answer, _ in _MEASURES.values()]
    measures[index] = measure
    return Mistake(measures, reason)


_CLOUD = _draw(30, 6) * torch.tensor([1.0, 3.0, 0.5, 2.0, 1.0, 0.2], dtype=torch.float64) + 2.0
_HE, _SHE = torch.tensor([2, 4, 6]), torch.tensor([3, 5, 7])

EXERCISES = [
    Exercise(
        id="04.choose_measure",
        reference=[answer for answer, _ in _MEASURES.values()],
        mistakes=[
            _mistaken(index, measure, reason)
            for index, (_, reasons) in enumerate(_MEASURES.values())
            for measure, reason in reasons.items()
        ],
        right="what the norm means decides: nothing, a part of the position, or something that was trained",
    ),
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
                "you let a, b and c answer; b − a + c is made of them, so it is near them: exclude all three",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, left_out=(2,)),
                "you exclude c alone; b is part of the sum as well: exclude all three given words",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, left_out=(1, 2)),
                "you exclude b and c, but a can still be the answer: exclude all three given words",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, signs=(1, -1, 1)),
                "your offset leads from b to a; the one from a to b is b − a, and it is added to c",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, signs=(1, 1, 1)),
                "you add all three; what a and b have in common must cancel: b − a + c",
            ),
            Mistake(
                lambda table, a, b, c: _answer(table, a, b, c, unit=False),
                "rows with large norms win: scale every row to norm 1 first, then a dot product is a cosine",
            ),
            Mistake(
                _scaled_late,
                "you scale the rows only to compare; in b − a + c long rows count more: scale them first",
            ),
            Mistake(_near_b, "this is the nearest neighbour of b; use a and c as well: b − a + c"),
            Mistake(_near_c, "this is the nearest neighbour of c, the baseline; use the offset as well: b − a + c"),
            Mistake(_farthest, "you take the smallest cosine; the most similar row has the largest"),
        ],
        right="compare its accuracy with that of the nearest neighbour of c",
    ),
    Exercise(
        id="04.explained_variance",
        reference=_explained,
        cases=[(_CLOUD, 1), (_CLOUD, 2), (_CLOUD, 6), (_draw(5, 12) + 1.0, 3)],
        mistakes=[
            Mistake(
                _uncentred,
                "you do not subtract the mean; then the first direction points from the origin to the cloud",
            ),
            Mistake(
                _centred_rows,
                "you subtract the mean of each row; subtract the mean of each column, the centre of the cloud (dim=0)",
            ),
            Mistake(
                _unsquared,
                "a singular value is proportional to a standard deviation; square it to get a variance",
            ),
            Mistake(
                lambda vectors, k: _variances(vectors)[k - 1] / _variances(vectors).sum(),
                "this is the fraction of direction k alone; a map of k directions keeps the first k together",
            ),
            Mistake(
                lambda vectors, k: 1 - _explained(vectors, k),
                "this is the fraction that is lost; return the one that is kept",
            ),
            Mistake(lambda vectors, k: 100 * _explained(vectors, k), "this is a percentage; return a fraction, 0 to 1"),
            Mistake(_smallest, "you add the k smallest variances; the first principal components have the largest"),
            Mistake(
                _first_eigenvalues,
                "you add the k smallest eigenvalues: eigh sorts them from small to large; take the last k",
            ),
            Mistake(
                _centred_on_one_number,
                "you subtract one number from all; subtract the mean of each column, the centre of the cloud (dim=0)",
            ),
            Mistake(
                _columns,
                "you take the first k columns of the table; principal components are combinations of all columns",
            ),
            Mistake(
                lambda vectors, k: _variances(vectors)[:k].sum(),
                "this is the sum for k directions; divide by the sum for all directions to get a fraction",
            ),
        ],
        right="print this number beside every map of words",
    ),
    Exercise(
        id="04.project_out",
        reference=_project_out,
        cases=[
            (_draw(6, 4), 3.0 * _draw(4, seed=5)),
            (_draw(3, 5, seed=6) + 2.0, 0.2 * _draw(5, seed=7)),
            (_draw(4, 4, seed=8), torch.tensor([0.0, 2.0, 0.0, 0.0], dtype=torch.float64)),
        ],
        mistakes=[
            Mistake(
                lambda vectors, direction: vectors - (vectors @ direction)[:, None] * direction,
                "right for a direction of norm 1; for others divide by the squared norm, or scale the direction first",
            ),
            Mistake(
                lambda vectors, direction: vectors - (vectors @ direction)[:, None] * direction / direction.norm(),
                "you scale the direction once; it enters twice, so scale it before the dot product, too",
            ),
            Mistake(
                lambda vectors, direction: vectors - _project_out(vectors, direction),
                "this is the part along the direction; return what remains when it is subtracted",
            ),
            Mistake(
                lambda vectors, direction: vectors - direction,
                "you subtract the direction itself; each vector loses only its own component along it",
            ),
            Mistake(
                lambda vectors, direction: 2 * _project_out(vectors, direction) - vectors,
                "you subtract the component twice: that mirrors the vectors",
            ),
            Mistake(
                lambda vectors, direction: F.normalize(_project_out(vectors, direction), dim=1),
                "you scale the result to norm 1; return it as it is, orthogonal to the direction",
            ),
            Mistake(
                lambda vectors, direction: vectors @ F.normalize(direction, dim=0),
                "these are the projections, a number per vector; subtract that many times the direction",
            ),
        ],
        right="one direction is gone; look at the neighbours to see what remains",
    ),
    Exercise(
        id="04.bias_direction",
        reference=_onto_mean,
        cases=[
            (_words(4), _HE, _SHE, torch.tensor([10, 20, 30, 38])),
            (_words(5), _HE, _SHE, torch.tensor([2, 3, 9])),
            (_words(6), _HE[:1], _SHE[:1], torch.arange(2, 40)),
        ],
        mistakes=[
            Mistake(
                lambda table, he, she, words: -_onto_mean(table, he, she, words),
                "the sign: a word on the side of the first words is positive, so take first − second",
            ),
            Mistake(
                lambda table, he, she, words: _onto_mean(table, he, she, words, norm=False),
                "your direction does not have norm 1; then the result depends on its norm as well",
            ),
            Mistake(
                lambda table, he, she, words: _onto_mean(table, he, she, words, unit=False),
                "rows with large norms count more: scale all rows to norm 1 before anything else",
            ),
            Mistake(
                lambda table, he, she, words: _onto_mean(table, he[:1], she[:1], words),
                "you use one pair; what is particular to it enters your direction: take the mean over the pairs",
            ),
            Mistake(
                lambda table, he, she, words: _onto_mean(table, he, she, words).abs(),
                "you take the absolute value; the sign says on which side a word is",
            ),
            Mistake(
                _onto_component,
                "this is the first principal component, as in the lesson; here the direction is the mean offset",
            ),
            Mistake(
                _removed, "these are the vectors after projecting out; return their projections, a number per word"
            ),
        ],
        right="a number per word; how large is too large is a judgement, not a formula",
    ),
]

QUESTIONS = [
    Question(
        "04.three_measures",
        "The query is (1, 0). Which of (5, 4), (2, 0.1) and (0.9, 0.3) is nearest?",
        ["(5, 4)", "(2, 0.1)", "(0.9, 0.3)", "Each of them, by one of the measures"],
        answer=3,
        reason=(
            "The first has the largest dot product, the second the largest cosine, the third the smallest distance."
        ),
    ),
    Question(
        "04.analogy_in_random_table",
        "A table of random numbers. king − man + woman, all words may answer. The nearest word is…",
        ["queen", "any word, at random", "king or woman"],
        answer=2,
        reason="The sum contains king and woman, so it is near both of them, whatever the numbers are.",
    ),
    Question(
        "04.neighbour_on_map",
        "All 533 words on their best map of two axes. For how many is the nearest on paper really the nearest?",
        ["nearly all", "about half", "less than a quarter"],
        answer=2,
        reason=(
            "Two of 64 directions keep less than a quarter of the variance. Distant vectors can fall on one point."
        ),
    ),
    Question(
        "04.after_projection",
        "All projections are 0 now. Can the cleaned vectors still tell which professions were skewed to he?",
        [
            "No: the direction is gone, and with it the difference",
            "Yes, from their nearest neighbours",
            "Only from the norms: they are smaller than before",
        ],
        answer=1,
        reason="One direction was removed. Professions of one group remain more similar to each other than to others.",
    ),
    Question(
        "04.norm_and_measure",
        "Two vectors point the same way, one has ten times the norm. What differs?",
        ["Their cosine is 0.1", "Nothing for the cosine; dot products and distances change", "Only the distance"],
        answer=1,
        reason="The cosine does not depend on norms. What a norm means depends on the training.",
    ),
    Question(
        "04.reported_accuracy",
        "A paper reports 90 % accuracy on analogies. What do you ask first?",
        [
            "How many dimensions do the vectors have?",
            "Is the relation linear on a map?",
            "What does the nearest neighbour of c score?",
        ],
        answer=2,
        reason="If c alone finds the answer, the accuracy says nothing about offsets (Linzen 2016).",
    ),
    Question(
        "04.zero_projection",
        "The projections of all professions onto the he–she direction are 0. Is the bias gone?",
        [
            "Yes, by construction",
            "Not necessarily: neighbours may still reveal it",
            "Yes, if the direction explains over 90 % of the variance",
        ],
        answer=1,
        reason="One direction is gone; that words of a group are similar is stored in the others.",
    ),
]

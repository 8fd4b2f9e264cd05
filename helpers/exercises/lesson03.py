"""Lesson 03: which words training brings together, nearest neighbours, PMI, the loss of skip-gram."""

import torch
import torch.nn.functional as F
from torch import Tensor

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


# Word → (the answer, the other option, why the other option is wrong).
_TOGETHER = {
    "oven": ("desert", "hot", "“hot” occurs beside “oven”; “desert” occurs where “oven” could"),
    "queen": ("king", "herself", "“herself” occurs beside “queen”; “king” has the same contexts (serious, crown)"),
    "big": ("small", "elephant", "“small” means the opposite of “big”, but has the same contexts (is, very)"),
    "mother": ("father", "brother", "“brother” is only spelled like “mother”; “father” rocks the cradle, too"),
}


def _mistaken(index: int, word: str, reason: str) -> Mistake:
    """A list of words with one mistake."""
    words = [answer for answer, _, _ in _TOGETHER.values()]
    words[index] = word
    return Mistake(words, f"similar words share contexts: {reason}")


def _cosines(table: Tensor, i: int) -> Tensor:
    unit = F.normalize(table, dim=1)
    return (unit @ unit[i]).index_fill(0, torch.tensor(i), -2.0)


def _shifted(table: Tensor, i: int, k: int) -> Tensor:
    unit = F.normalize(table, dim=1)
    return (torch.cat([unit[:i], unit[i + 1 :]]) @ unit[i]).topk(k).indices


# Rows of very different norms, so that cosine, dot product and distance have different nearest rows.
_TABLE = _draw(12, 4) * torch.tensor([1, 8, 0.3, 2, 5, 0.5, 1, 9, 0.2, 3, 1, 6])[:, None]


def _ratio(counts: Tensor) -> Tensor:
    """p(c, o) / (p(c) p(o)); NaN where a word never occurs."""
    joint = counts / counts.sum()
    return joint / (joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True))


def _pmi(counts: Tensor) -> Tensor:
    return torch.where(counts > 0, _ratio(counts).log(), -torch.inf)


_COUNTS = torch.tensor([[8.0, 1, 0, 3, 2], [0, 6, 2, 1, 1], [4, 0, 9, 0, 1], [1, 2, 3, 30, 0]])
_WITH_PADDING = torch.tensor([[0.0, 0, 0, 0], [0, 0, 5, 1], [0, 5, 2, 7], [0, 1, 7, 4]])


def _scores(centre: Tensor, negatives: Tensor) -> Tensor:
    """The score of every centre with its own negatives, ``(B, K)``."""
    return (negatives * centre[:, None, :]).sum(dim=-1)


def _loss(centre: Tensor, context: Tensor, negatives: Tensor) -> Tensor:
    positive = (centre * context).sum(dim=-1)  # (B,)
    return (-F.logsigmoid(positive) - F.logsigmoid(-_scores(centre, negatives)).sum(dim=1)).mean()


def _log_of_sigmoid(centre: Tensor, context: Tensor, negatives: Tensor, epsilon: float = 0.0) -> Tensor:
    positive = ((centre * context).sum(dim=-1).sigmoid() + epsilon).log()
    return (-positive - ((-_scores(centre, negatives)).sigmoid() + epsilon).log().sum(dim=1)).mean()


def _without_log(centre: Tensor, context: Tensor, negatives: Tensor) -> Tensor:
    positive = (centre * context).sum(dim=-1).sigmoid()
    return (-positive - (-_scores(centre, negatives)).sigmoid().sum(dim=1)).mean()


EXERCISES = [
    Exercise(
        id="03.more_similar",
        reference=[answer for answer, _, _ in _TOGETHER.values()],
        mistakes=[_mistaken(index, word, reason) for index, (_, word, reason) in enumerate(_TOGETHER.values())],
        right="words become similar when one could replace the other, even if they are opposites",
    ),
    Exercise(
        id="03.nearest",
        reference=lambda table, i, k: _cosines(table, i).topk(k).indices,
        cases=[(_TABLE, 3, 3), (_TABLE, 0, 5), (_TABLE.flip(0), 11, 4)],
        mistakes=[
            Mistake(
                lambda table, i, k: F.cosine_similarity(table, table[i], dim=1).topk(k).indices,
                "your first neighbour is the word itself, which is always nearest: leave it out",
            ),
            Mistake(
                lambda table, i, k: (table @ table[i]).index_fill(0, torch.tensor(i), -torch.inf).topk(k).indices,
                "you compare dot products, which favour rows with a large norm: scale all rows to unit norm first",
            ),
            Mistake(
                lambda table, i, k: (
                    (
                        (table - table[i]).norm(dim=1).index_fill(0, torch.tensor(i), torch.inf).topk(k, largest=False)
                    ).indices
                ),
                "you compare distances: parallel vectors are far apart if their norms differ. Take cosines",
            ),
            Mistake(
                lambda table, i, k: F.cosine_similarity(table, table[i], dim=1).topk(k, largest=False).indices,
                "these are the least similar words; the nearest have the *largest* cosine",
            ),
            Mistake(
                lambda table, i, k: _cosines(table, i).topk(k).values,
                "these are the cosines; return the ids: topk(k).indices",
            ),
            Mistake(
                lambda table, i, k: _cosines(table, i).index_fill(0, torch.tensor(i), 0.0).abs().topk(k).indices,
                "you take the absolute value: a cosine of −0.9 is as far from similar as it gets",
            ),
            Mistake(
                _shifted,
                "you remove row i, so all later rows move up and their ids are one too small",
            ),
            Mistake(
                lambda table, i, k: _cosines(table, i).topk(k).indices.sort().values,
                "the right words, but sorted by id; the nearest must come first",
            ),
        ],
        right="it finds neighbours in a random table, too: compare with a baseline",
    ),
    Exercise(
        id="03.pmi",
        reference=_pmi,
        cases=[(_COUNTS,), (_WITH_PADDING,), (_COUNTS.T * 7 + 1,)],
        mistakes=[
            Mistake(
                lambda counts: _ratio(counts).log(),
                "NaN where a word never occurs (0 / 0): put −∞ wherever the count is 0, for example with torch.where",
            ),
            Mistake(
                lambda counts: torch.where(
                    counts > 0, (counts / (counts.sum(1, keepdim=True) * counts.sum(0, keepdim=True))).log(), -torch.inf
                ),
                "you divide counts by products of counts; divide by the total first, so that they are probabilities",
            ),
            Mistake(lambda counts: _pmi(counts) / torch.tensor(2.0).log(), "this is base 2; use the natural logarithm"),
            Mistake(
                lambda counts: torch.where(counts > 0, _ratio(counts), 0.0),
                "this is the ratio p(c, o) / (p(c) p(o)); PMI is its logarithm",
            ),
            Mistake(
                lambda counts: torch.where(counts > 0, (counts / counts.sum()).log(), -torch.inf),
                "this is log p(c, o); divide by what chance predicts, p(c) p(o), before taking the logarithm",
            ),
            Mistake(
                lambda counts: torch.where(counts > 0, (counts / counts.sum(dim=1, keepdim=True)).log(), -torch.inf),
                "this is log p(o | c): you divide by p(c) only. Divide by p(o) as well, or frequent contexts win",
            ),
            Mistake(
                lambda counts: torch.where(counts > 0, (counts / counts.sum(dim=0)).log(), -torch.inf),
                "this is log p(c | o): you divide by p(o) only. Divide by p(c) as well",
            ),
            Mistake(
                lambda counts: _pmi(counts).clamp(min=0),
                "you replace negative values by 0: that is PPMI; PMI keeps them",
            ),
            Mistake(
                lambda counts: torch.where(counts > 0, _pmi(counts), 0.0),
                "pairs that never co-occur get 0 from you, which means “as often as by chance”; their PMI is −∞",
            ),
            Mistake(
                lambda counts: -_pmi(counts),
                "the sign: the observed p(c, o) is the numerator, p(c) p(o) the denominator",
            ),
        ],
        right="skip-gram's dot products approximate this, shifted by log k",
    ),
    Exercise(
        id="03.negative_sampling_loss",
        reference=_loss,
        cases=[
            (_draw(4, 8), _draw(5, 8)[1:], _draw(4, 3, 8)),
            (_draw(3, 5), _draw(4, 5)[1:], _draw(3, 6, 5) / 2),
            (_draw(2, 4), 90 * _draw(3, 4)[1:], 90 * _draw(2, 3, 4)),
        ],
        mistakes=[
            Mistake(
                lambda centre, context, negatives: (
                    -F.logsigmoid((centre * context).sum(-1)) - F.logsigmoid(_scores(centre, negatives)).sum(1)
                ).mean(),
                "you reward high scores of negatives as well; they should be low: logsigmoid of *minus* the score",
            ),
            Mistake(
                lambda centre, context, negatives: -F.logsigmoid((centre * context).sum(-1)).mean(),
                "you leave out the negatives; then nothing pushes words apart, and all vectors become similar",
            ),
            Mistake(
                lambda centre, context, negatives: -_loss(centre, context, negatives),
                "the sign: a loss decreases as the predictions improve; yours is minus the loss",
            ),
            Mistake(
                lambda centre, context, negatives: (
                    -F.logsigmoid((centre * context).sum(-1)) - F.logsigmoid(-_scores(centre, negatives)).mean(1)
                ).mean(),
                "you average over the negatives; each of them is a prediction of its own: sum over them",
            ),
            Mistake(
                lambda centre, context, negatives: _loss(centre, context, negatives) * len(centre),
                "you sum over the batch; take the mean, or the loss grows with the batch size",
            ),
            Mistake(
                lambda centre, context, negatives: _loss(context, centre, negatives),
                "you score the negatives against the context word; score them against the centre word",
            ),
            Mistake(
                lambda centre, context, negatives: _loss(centre, context, negatives[:1].expand_as(negatives)),
                "all pairs get the negatives of the first pair; each pair has negatives of its own",
            ),
            Mistake(
                lambda centre, context, negatives: _loss(centre, context, negatives.sum(dim=1, keepdim=True)),
                "you sum the negatives before the dot product: that is one prediction, not K. Score each of them",
            ),
            Mistake(_without_log, "you add up probabilities; the loss adds up their logarithms"),
            Mistake(
                _log_of_sigmoid,
                "right in theory, but the sigmoid of a very low score is 0 and its logarithm −∞; F.logsigmoid is safe",
            ),
            Mistake(
                lambda centre, context, negatives: _log_of_sigmoid(centre, context, negatives, epsilon=1e-9),
                "a small constant inside the logarithm hides −∞, but gives very low scores the wrong loss and no "
                "gradient; F.logsigmoid is exact",
            ),
        ],
        right="real pairs are pulled together, negatives are pushed apart",
    ),
]

QUESTIONS = [
    Question(
        "03.chance_level",
        "A random table: for what fraction of the pairs is the partner among the ten nearest of 532 words?",
        ["0 %: random vectors are orthogonal", "About 2 %", "About 10 %"],
        answer=1,
        reason="Every word has ten nearest neighbours, whatever the numbers are: 10 of 532 by chance.",
    ),
    Question(
        "03.initial_loss",
        "Before training, all dot products are about 0. With five negatives per pair, the loss is…",
        ["log 2, about 0.69", "5 × log 2, about 3.47", "6 × log 2, about 4.16"],
        answer=2,
        reason="σ(0) = 1/2: one real pair and five negatives are six decisions at 1/2, each with loss log 2.",
    ),
    Question(
        "03.without_negatives",
        "Without negatives (negatives=0), what happens to the loss and to the vectors?",
        [
            "The loss stays high, the vectors stay random",
            "The loss falls to almost 0, the vectors all become similar",
            "The loss falls to almost 0, the vectors get better, because only real pairs count",
        ],
        answer=1,
        reason="If all vectors are long and point the same way, every dot product is large. Negatives prevent that.",
    ),
    Question(
        "03.why_negatives",
        "What do negative samples prevent?",
        [
            "That frequent words dominate the batches",
            "That all vectors end up pointing the same way",
            "That rare words keep their random vectors",
        ],
        answer=1,
        reason="Real pairs only pull together. Without a push, one direction for all words minimises the loss.",
    ),
    Question(
        "03.neighbour_against_baseline",
        "A program shows that “dog” is the nearest neighbour of “cat”. What do you ask first?",
        [
            "Which dimension do the vectors have?",
            "How large is the cosine, compared with the average of its table?",
            "Is “cat” also the nearest neighbour of “dog”?",
        ],
        answer=1,
        reason="Every word has a nearest neighbour, and in some tables all cosines are near 1.",
    ),
    Question(
        "03.optimal_score",
        "What does the dot product of a centre and a context word approach, if there are enough dimensions?",
        ["The logarithm of their count", "PMI − log k", "The probability that the pair is real"],
        answer=1,
        reason="There the gradient of the loss is zero (Levy and Goldberg 2014). The probability is its sigmoid.",
    ),
]

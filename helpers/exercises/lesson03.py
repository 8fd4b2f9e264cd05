"""Lesson 03: the loss of skip-gram, neighbours, and which words training brings together."""

import torch
import torch.nn.functional as F

from helpers.exercises.exercise import Exercise, Mistake, Question


def _draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def _loss(centre: torch.Tensor, context: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    together = (centre * context).sum(dim=-1)  # (B,)
    return (-F.logsigmoid(together) - F.logsigmoid(-_apart(centre, noise)).sum(dim=1)).mean()


def _apart(centre: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The score of every centre with its own noise words, ``(B, K)``."""
    return (noise * centre[:, None, :]).sum(dim=-1)


def _naive(centre: torch.Tensor, context: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    together = (centre * context).sum(dim=-1).sigmoid().log()
    return (-together - (-_apart(centre, noise)).sigmoid().log().sum(dim=1)).mean()


def _first_noise(centre: torch.Tensor, context: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    return _loss(centre, context, noise[:1].expand_as(noise))


def _without_log(centre: torch.Tensor, context: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    together = (centre * context).sum(dim=-1).sigmoid()
    return (-together - (-_apart(centre, noise)).sigmoid().sum(dim=1)).mean()


def _cosines(table: torch.Tensor, i: int) -> torch.Tensor:
    unit = F.normalize(table, dim=1)
    return (unit @ unit[i]).index_fill(0, torch.tensor(i), -2.0)


def _shifted(table: torch.Tensor, i: int, k: int) -> torch.Tensor:
    unit = F.normalize(table, dim=1)
    return (torch.cat([unit[:i], unit[i + 1 :]]) @ unit[i]).topk(k).indices


# Rows of very different lengths, so that cosine, dot product and distance disagree about who is near.
_TABLE = _draw(12, 4) * torch.tensor([1, 8, 0.3, 2, 5, 0.5, 1, 9, 0.2, 3, 1, 6])[:, None]

EXERCISES = [
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
                lambda centre, context, noise: (
                    -F.logsigmoid((centre * context).sum(-1)) - F.logsigmoid(_apart(centre, noise)).sum(1)
                ).mean(),
                "you reward high scores of noise as well; noise wants a low score: logsigmoid of *minus* the score",
            ),
            Mistake(
                lambda centre, context, noise: -F.logsigmoid((centre * context).sum(-1)).mean(),
                "you leave the noise out; then all vectors fall together, because nothing pushes words apart",
            ),
            Mistake(
                lambda centre, context, noise: -_loss(centre, context, noise),
                "the sign: a loss gets smaller as the guesses get better; yours is minus the loss",
            ),
            Mistake(
                lambda centre, context, noise: (
                    -F.logsigmoid((centre * context).sum(-1)) - F.logsigmoid(-_apart(centre, noise)).mean(1)
                ).mean(),
                "you average over the noise words; every one of them is a guess of its own, add them up",
            ),
            Mistake(
                lambda centre, context, noise: _loss(centre, context, noise) * len(centre),
                "you add up over the batch; take the mean, or the loss grows with the size of the batch",
            ),
            Mistake(
                lambda centre, context, noise: _loss(context, centre, noise),
                "you compare the noise with the context; both stand in the same table, the centre is what they share",
            ),
            Mistake(
                _first_noise,
                "all pairs get the noise words of the first pair; each pair has noise of its own",
            ),
            Mistake(
                _without_log,
                "you add up probabilities; the loss takes their logarithms",
            ),
            Mistake(
                _naive,
                "right in theory, but the sigmoid of a very low score is 0 and its logarithm −∞; F.logsigmoid is safe",
            ),
        ],
        right="real pairs pull, noise pushes",
    ),
    Exercise(
        id="03.nearest",
        reference=lambda table, i, k: _cosines(table, i).topk(k).indices,
        cases=[(_TABLE, 3, 3), (_TABLE, 0, 5), (_TABLE, 11, 4), (_TABLE.flip(1, 0), 11, 4)],
        mistakes=[
            Mistake(
                lambda table, i, k: F.cosine_similarity(table, table[i], dim=1).topk(k).indices,
                "your first neighbour is the word itself; it is always nearest, and says nothing: leave it out",
            ),
            Mistake(
                lambda table, i, k: (table @ table[i]).index_fill(0, torch.tensor(i), -torch.inf).topk(k).indices,
                "you compare dot products; there long vectors win. Bring all rows to length 1 first",
            ),
            Mistake(
                lambda table, i, k: (
                    (
                        (table - table[i]).norm(dim=1).index_fill(0, torch.tensor(i), torch.inf).topk(k, largest=False)
                    ).indices
                ),
                "you compare distances; two vectors of one direction are far apart when one is longer. Take cosines",
            ),
            Mistake(
                lambda table, i, k: F.cosine_similarity(table, table[i], dim=1).topk(k, largest=False).indices,
                "these are the farthest words; the nearest have the *largest* cosine",
            ),
            Mistake(
                lambda table, i, k: _cosines(table, i).topk(k).values,
                "these are the cosines; the ids are asked for: topk(k).indices",
            ),
            Mistake(
                _shifted,
                "you take row i out, and all later rows move up: their ids are one too small",
            ),
            Mistake(
                lambda table, i, k: _cosines(table, i).topk(k).indices.sort().values,
                "the right words in the order of their ids; the nearest comes first",
            ),
        ],
        right="and in a random table it finds neighbours, too: compare with chance",
    ),
    Exercise(
        id="03.come_together",
        reference=["desert", "king", "small", "father"],
        mistakes=[
            Mistake(
                ["hot", "herself", "elephant", "father"],
                "you choose the words that stand beside it; nearness comes from the same company, not each other's",
            ),
            Mistake(
                ["hot", "herself", "elephant", "brother"],
                "you choose the words that stand beside it, and the one that is spelled alike; what counts is whether "
                "both keep the same company",
            ),
            Mistake(
                ["desert", "king", "elephant", "father"],
                "you keep opposites apart; but “big” and “small” stand beside the same words (very, so, too), and the "
                "table knows nothing else",
            ),
            Mistake(
                ["desert", "king", "small", "brother"],
                "“brother” only looks like “mother”; the table never sees letters. Who rocks the cradle?",
            ),
        ],
        right="words come together when one could stand in the other's place, opposites included",
    ),
]

QUESTIONS = [
    Question(
        "03.fresh_table_random",
        "A fresh table: 64 random numbers for each of 533 words. Which word is nearest to “queen”?",
        [
            "“princess” or “king”: the table knows a little",
            "None: every cosine is exactly 0",
            "Some word, by accident, with a cosine of about 0.4",
        ],
        answer=2,
        reason=("The numbers were drawn without looking at the text. But of 532 accidents, one is the largest."),
    ),
    Question(
        "03.training_dot_products",
        "Before training, all dot products are about 0. With 5 noise words a pair, the loss is…",
        ["0", "log 2, about 0.69", "6 × log 2, about 4.16"],
        answer=2,
        reason="σ(0) = 1/2: six guesses, each a coin toss, and each costs log 2.",
    ),
    Question(
        "03.noise_weight_happens",
        "noise_weight=0. What happens to the loss, and to the vectors?",
        [
            "The loss stays high, the vectors stay random",
            "The loss falls to almost 0, and the vectors all point the same way",
            "The loss falls to almost 0, and the vectors are better",
        ],
        answer=1,
        reason=("If all vectors are long and alike, every dot product is large. The noise is what pushes words apart."),
    ),
    Question(
        "03.noise_words_good",
        "What are the noise words good for?",
        [
            "They make training faster",
            "They push words apart; without them all vectors fall together",
            "They stand for typing errors",
        ],
        answer=1,
        reason=("Real pairs only pull. Something has to push, or one direction for all words is the best answer."),
    ),
    Question(
        "03.program_shows_dog",
        "A program shows you that “dog” is the nearest neighbour of “cat”. What do you ask first?",
        ["How many numbers has a vector?", "How near is it, compared with a random table?", "Which words come next?"],
        answer=1,
        reason="Every word has a nearest neighbour, in random numbers, too.",
    ),
    Question(
        "03.dot_product_centre",
        "What does the dot product of a centre and a context come to, if there is room enough?",
        ["How often both stand together", "PMI − log k: company beyond chance", "Their distance in the text"],
        answer=1,
        reason="That is where the loss has no slope (Levy and Goldberg 2014).",
    ),
]

"""The trainers: accuracy on the toy corpus, their optimum, and comparisons with gensim, numpy and loops."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers import geometry, training
from helpers.toyworld import RELATIONS, generate
from helpers.vocabulary import Vocabulary
from tests.__main__ import OTHER_MACHINE, TWO_THREADS
from tests.tools.refresh import ROOT

SEEDS = (0, 1, 2)
TRAINERS = {
    "skipgram": lambda ids, size, seed: training.skipgram(training.word_pairs(ids), size, seed=seed),
    "counts": lambda ids, size, seed: training.count_skipgram(training.cooccurrence(ids, size), seed=seed)[0],
    "ppmi": lambda ids, size, seed: training.ppmi_svd(training.cooccurrence(ids, size), seed=seed),
}


def accuracies(table: torch.Tensor, vocabulary: Vocabulary) -> list[float]:
    return [geometry.analogy_accuracy(table, vocabulary, pairs) for pairs in RELATIONS.values()]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def worlds() -> list[tuple[list[list[str]], Vocabulary, torch.Tensor]]:
    made = []
    for seed in SEEDS:
        corpus = generate(seed=seed)
        vocabulary = Vocabulary.build(corpus)
        made.append((corpus, vocabulary, vocabulary.batch(corpus)))
    return made


@pytest.fixture(scope="module")
def tables(worlds) -> dict[str, list[torch.Tensor]]:
    return {
        name: [train(ids, len(vocabulary), seed) for seed, (_, vocabulary, ids) in zip(SEEDS, worlds, strict=True)]
        for name, train in TRAINERS.items()
    }


@pytest.mark.parametrize("name", TRAINERS)
def test_all_relations_are_recovered(name: str, worlds, tables) -> None:
    found = torch.tensor([accuracies(table, world[1]) for table, world in zip(tables[name], worlds, strict=True)])
    assert found.shape == (3, 8)
    assert found.mean() >= 0.95, found
    assert found.mean(dim=0).min() >= 0.85, dict(zip(RELATIONS, found.mean(dim=0).tolist(), strict=True))


def test_an_untrained_table_and_shuffled_words_recover_nothing(worlds) -> None:
    corpus, vocabulary, ids = worlds[0]
    fresh = torch.randn(len(vocabulary), 64, generator=torch.Generator().manual_seed(0))
    assert max(accuracies(fresh, vocabulary)) < 0.1
    known = ids[ids > 0]
    shuffled = ids.clone()
    shuffled[ids > 0] = known[torch.randperm(len(known), generator=torch.Generator().manual_seed(0))]
    table = training.ppmi_svd(training.cooccurrence(shuffled, len(vocabulary)))
    assert sum(accuracies(table, vocabulary)) / 8 < 0.2


@pytest.mark.parametrize("name", TRAINERS)
def test_no_worse_than_gensim(name: str, worlds, tables) -> None:
    """An independent implementation, in its fastest setting that learns this corpus: one epoch at a high rate."""
    corpus, vocabulary, _ = worlds[0]
    theirs = gensim_table(corpus, vocabulary)
    mine = tables[name][0]
    ours, oracle = (sum(accuracies(table, vocabulary)) / 8 for table in (mine, theirs))
    assert oracle > 0.95
    assert ours >= oracle - 0.02
    ids = torch.tensor(
        [vocabulary.id(word) for pairs in RELATIONS.values() for pair in pairs for word in pair]
    ).unique()
    near = [geometry.nearest(table[ids], table, 5, exclude=ids[:, None])[1] for table in (mine, theirs)]
    shared = torch.stack([torch.isin(one, other).float().mean() for one, other in zip(*near, strict=True)]).mean()
    assert shared > 0.3  # of five neighbours among 533 words; by accident it were 0.01


def gensim_table(corpus: list[list[str]], vocabulary: Vocabulary, **settings) -> torch.Tensor:
    """What gensim's skip-gram learns, in the order of our ids."""
    from gensim.models import Word2Vec  # here, because other processes import this module, too

    settings = {"vector_size": 64, "window": 5, "epochs": 1, "alpha": 0.1, "min_count": 1, "sample": 0} | settings
    model = Word2Vec(corpus, sg=1, negative=5, workers=1, seed=1, **settings)
    table = torch.zeros(len(vocabulary), settings["vector_size"])
    table[2:] = torch.from_numpy(np.stack([model.wv[word] for word in vocabulary.words[2:]]))
    return table


def small_counts(size: int = 14) -> torch.Tensor:
    """Symmetric counts without a zero, but for the two special rows."""
    counts = torch.randint(1, 50, (size, size), generator=torch.Generator().manual_seed(0)).float()
    counts = counts + counts.T
    counts[:2] = 0
    counts[:, :2] = 0
    return counts


@pytest.mark.parametrize("negatives", [0.5, 2.0, 5.0])
def test_the_optimum_of_skipgram_is_pmi_minus_log_k(negatives: float) -> None:
    counts = small_counts()
    centre, context = training.count_skipgram(counts, d_model=14, steps=1500, lr=0.05, negatives=negatives)
    expected = training.pmi(counts, power=0.75) - math.log(negatives)
    assert torch.allclose((centre @ context.T)[2:, 2:], expected[2:, 2:], atol=0.02)


def test_gradients_and_adam_equal_torch() -> None:
    counts = small_counts()
    positive, negative = training.pair_weights(counts, 2.0)
    centre = ((torch.rand(14, 5, generator=torch.Generator().manual_seed(3)) - 0.5) / 5).requires_grad_()
    context = torch.zeros(14, 5, requires_grad=True)
    optimiser = torch.optim.Adam([centre, context], lr=0.2)
    losses, steps_seen = [], []
    for _ in range(8):
        scores = centre @ context.T
        softplus = torch.nn.functional.softplus
        loss = (positive * softplus(-scores) + negative * softplus(scores)).sum()
        losses.append(loss.item() / positive.sum().item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = training.count_skipgram(
        counts,
        d_model=5,
        steps=8,
        seed=3,
        on_step=lambda step, loss, table: steps_seen.append((step, loss, table.clone())),
    )
    assert torch.allclose(found[0][2:], centre[2:], atol=1e-4)
    assert torch.allclose(found[1][2:], context[2:], atol=1e-4)
    assert [step for step, _, _ in steps_seen] == list(range(1, 9))
    assert [loss for _, loss, _ in steps_seen] == pytest.approx(losses, rel=1e-4)
    assert torch.equal(steps_seen[-1][2][2:], found[0][2:])


def test_counts_equal_a_plain_loop() -> None:
    corpus = generate(40)
    vocabulary = Vocabulary.build(corpus, min_count=2)
    ids = vocabulary.batch(corpus)
    for window in (1, 3, 20):
        expected, pairs = torch.zeros(len(vocabulary), len(vocabulary)), []
        for text in (vocabulary.encode(sentence) for sentence in corpus):
            for i, centre in enumerate(text):
                for j, context in enumerate(text):
                    if i != j and abs(i - j) <= window and min(centre, context) > 1:
                        expected[centre, context] += (window + 1 - abs(i - j)) / window
                        pairs.append((centre, context))
        assert torch.allclose(training.cooccurrence(ids, len(vocabulary), window), expected)
        assert sorted(map(tuple, training.word_pairs(ids, window).tolist())) == sorted(pairs)


def test_counts_are_the_average_over_window_sizes() -> None:
    """word2vec's dynamic window: each size from 1 to the largest is equally likely."""
    ids, size = _small_world()
    plain = torch.zeros(size, size)
    for window in range(1, 6):
        pairs = training.word_pairs(ids, window)
        plain.index_put_(tuple(pairs.T), torch.full((len(pairs),), 1 / 5), accumulate=True)
    assert torch.allclose(training.cooccurrence(ids, size, window=5), plain, rtol=1e-4)


def test_pmi_equals_its_definition() -> None:
    counts = small_counts()
    counts[3, 5] = counts[5, 3] = 0
    share = counts / counts.sum()
    found = training.pmi(counts)
    alone = share.sum(dim=0)
    for i, j in ((2, 2), (2, 9), (12, 4)):
        assert found[i, j].item() == pytest.approx(math.log(share[i, j] / (alone[i] * alone[j])), abs=1e-5)
    assert found[3, 5] == found[0, 4] == -math.inf
    assert torch.allclose(found.exp(), found.T.exp())


def test_ppmi_svd_equals_numpy() -> None:
    counts = training.cooccurrence(*_small_world())
    positive = training.pmi(counts, power=0.75).clamp(min=0)
    table = training.ppmi_svd(counts, d_model=20)
    left, values, _ = np.linalg.svd(positive.numpy())
    assert table.norm(dim=0).square().numpy() == pytest.approx(values[:20], rel=0.02)
    expected = torch.from_numpy(left[:, :20] * np.sqrt(values[:20]))
    assert torch.allclose(table @ table.T, expected @ expected.T, atol=0.05 * values[0])
    assert (table.gather(0, table.abs().argmax(dim=0, keepdim=True)) > 0).all()


def _small_world() -> tuple[torch.Tensor, int]:
    corpus = generate(2_000)
    vocabulary = Vocabulary.build(corpus)
    return vocabulary.batch(corpus), len(vocabulary)


def test_the_loss_decreases_and_special_rows_stay_zero() -> None:
    ids, size = _small_world()
    losses: list[float] = []
    table = training.skipgram(
        training.word_pairs(ids), size, epochs=3, on_step=lambda step, loss, _: losses.append(loss)
    )
    thirds = [sum(losses[i:][:20]) / 20 for i in (0, len(losses) // 2, len(losses) - 20)]
    assert thirds[0] > thirds[1] > thirds[2]
    assert losses[0] == pytest.approx(6 * math.log(2), abs=0.01)  # nothing known: one real and five noise words a pair
    counts = training.cooccurrence(ids, size)
    for made in (table, *training.count_skipgram(counts), training.ppmi_svd(counts)):
        assert made.shape == (size, 64)
        assert not made[:2].any() and made[2:].any(dim=1).all()
        assert not made.requires_grad


@pytest.mark.parametrize("name", TRAINERS)
def test_results_depend_on_the_seed_only(name: str) -> None:
    ids, size = _small_world()
    state = torch.random.get_rng_state()
    first, again, other = (TRAINERS[name](ids, size, seed) for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert name == "ppmi" or not torch.allclose(first, other)
    assert torch.equal(torch.random.get_rng_state(), state), "nothing global is drawn from"


def report() -> list[list[str]]:
    """A digest of the words; then for each trainer accuracies and cosines."""
    corpus = generate(4_000)
    vocabulary = Vocabulary.build(corpus)
    ids = vocabulary.batch(corpus)
    lines = [[hashlib.sha256(repr((corpus, vocabulary.words)).encode()).hexdigest()]]
    for name, train in TRAINERS.items():
        table = train(ids, len(vocabulary), 0)
        unit = torch.nn.functional.normalize(table[2:40], dim=1)
        numbers = accuracies(table, vocabulary) + ((unit @ unit.T)[0].abs() + 1e-3).tolist()
        lines.append([name, *(f"{number:.2f}" for number in numbers)])
    return lines


ELSEWHERE = f"""
{TWO_THREADS}
from tests.unit.test_training import report
for line in report():
    print(*line)
"""


@pytest.mark.slow
def test_results_do_not_depend_on_hash_seed_threads_or_processor() -> None:
    """Words to the letter; accuracies and cosines to two decimals (the last bits of floats may differ)."""
    command, environment = [sys.executable, "-c", ELSEWHERE], os.environ | OTHER_MACHINE
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=True)
    here, there = report(), [line.split() for line in done.stdout.splitlines()]
    assert here[0] == there[0]
    for one, other in zip(here[1:], there[1:], strict=True):
        assert one[0] == other[0]
        assert [float(x) for x in one[1:]] == pytest.approx([float(x) for x in other[1:]], abs=0.011)


IDS = torch.tensor([[2, 3, 4], [4, 3, 0]])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: training.word_pairs(torch.zeros(3, 4).long()), ValueError, "no two known words co-occur"),
        (lambda: training.word_pairs(torch.ones(3, 1).long()), ValueError, "one word long"),
        (lambda: training.word_pairs(IDS[0]), ValueError, r"\(B, T\) of int64 ids, got \(3,\)"),
        (lambda: training.word_pairs(IDS.float()), ValueError, "float32; Vocabulary.batch"),
        (lambda: training.word_pairs(IDS, 0), ValueError, "at least 1, got 0"),
        (lambda: training.cooccurrence(torch.zeros(3, 4).long(), 5), ValueError, "no two known words co-occur"),
        (lambda: training.cooccurrence(IDS, 4), ValueError, r"0\.\.4, the vocabulary has ids 0\.\.3"),
        (lambda: training.cooccurrence(IDS, 50_000), ValueError, r"50,000 words would need about 70\.0 GB"),
        (lambda: training.skipgram(torch.empty(0, 2).long(), 5), ValueError, r"\(0, 2\)"),
        (lambda: training.skipgram(IDS, 5), ValueError, r"\(2, 3\)"),
        (lambda: training.skipgram(torch.tensor([[2, 9]]), 5), ValueError, "another vocabulary"),
        (lambda: training.skipgram(training.word_pairs(IDS), 5, lr=1e30, epochs=3), FloatingPointError, "rate"),
        (lambda: training.count_skipgram(small_counts(), lr=1e30), FloatingPointError, "diverged at step"),
        (lambda: training.count_skipgram(torch.zeros(5, 5)), ValueError, "is the text empty"),
        (lambda: training.count_skipgram(-small_counts()), ValueError, "not negative"),
        (lambda: training.count_skipgram(small_counts()[:4]), ValueError, r"square, \(V, V\), got \(4, 14\)"),
        (lambda: training.pmi(small_counts() * math.nan), ValueError, "must be finite"),
        (lambda: training.ppmi_svd(small_counts(), d_model=15), ValueError, "between 1 and the 14"),
        (lambda: training.ppmi_svd(torch.zeros(1, 1).expand(5000, 5000)), ValueError, "5,000 words would need"),
    ],
)
def test_invalid_arguments_raise(call, error, says) -> None:
    with pytest.raises(error, match=says):
        call()

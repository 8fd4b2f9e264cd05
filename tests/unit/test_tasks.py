"""Toy tasks and the parallel models that are trained on them."""

from typing import Any

import pytest
import torch

from helpers.attention import SCHEMES, Block
from helpers.positions import LearnedPositions, SinusoidalPositions, scaled_frequencies
from helpers.tasks import (
    FIRST,
    IGNORED,
    LATEST,
    ORDER,
    RECALL,
    SECOND,
    VALUES,
    Entry,
    ParallelModels,
    Task,
    accuracy,
    train_all,
)

ALL = [Entry(scheme, causal) for scheme in SCHEMES for causal in (False, True)]


def texts(task: Task, batch: int, length: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return task.batch(batch, length, torch.Generator().manual_seed(seed))


def test_targets_of_order() -> None:
    token_ids, answers = texts(ORDER, 500, 9)
    for text, answer in zip(token_ids.tolist(), answers.flatten().tolist(), strict=True):
        assert text.count(FIRST) == text.count(SECOND) == 1
        assert (text.index(FIRST) < text.index(SECOND)) == bool(answer)
    assert 0.4 < answers.float().mean() < 0.6 and token_ids.max() == ORDER.vocab_size - 1


def test_targets_of_latest() -> None:
    for text, answers in zip(*(t.tolist() for t in texts(LATEST, 50, 20)), strict=True):
        last_value: dict[int, int] = {}
        for token, answer in zip(text, answers, strict=True):
            assert answer == last_value.get(token // VALUES, IGNORED)
            last_value[token // VALUES] = token % VALUES


def test_targets_of_recall() -> None:
    for text, answers in zip(*(t.tolist() for t in texts(RECALL, 50, 10)), strict=True):
        assert answers == [IGNORED] * 3 + text[:-3]


@pytest.mark.parametrize(("task", "length"), [(ORDER, 1), (LATEST, 1), (RECALL, 3)])
def test_too_short_sequences_are_refused(task: Task, length: int) -> None:
    with pytest.raises(ValueError, match="needs sequences of at least"):
        texts(task, 4, length)


def alone(models: ParallelModels, number: int, token_ids: torch.Tensor) -> torch.Tensor:
    """The scores of one of the models, built of nn.Module's parts: an independent way to the same numbers."""
    entry, weights = models.entries[number], models.weights
    d_model = weights["tokens"].shape[-1]
    blocks = [Block(d_model, models.num_heads, entry.scheme, causal=entry.causal) for _ in range(models.num_layers)]
    rank = number - models.slices[entry.scheme].start
    layer: Any
    with torch.no_grad():
        for number_of_block, block in enumerate(blocks):
            for layer, name in (
                (block.attention.project, "project"),
                (block.attention.out, "out"),
                (block.feed_forward[0], "up"),
                (block.feed_forward[2], "down"),
            ):
                layer.weight.copy_(weights[f"{name}{number_of_block}"][number].T)
                layer.bias.zero_()
            if entry.scheme == "t5":  # one table for all layers, as in T5
                block.attention.bucket_bias.weight.copy_(weights["t5"][rank])
        vectors = weights["tokens"][number][token_ids]
        if entry.scheme == "learned":
            table = LearnedPositions(weights["learned"].shape[1], d_model)
            next(table.parameters()).copy_(weights["learned"][rank])
            vectors = table(vectors)
        if entry.scheme == "sinusoidal":
            vectors = SinusoidalPositions(len(models.sinusoids), d_model)(vectors)
        for block in blocks:
            vectors = block(vectors)
        if models.per_sequence:
            vectors = vectors.mean(dim=1, keepdim=True)
        return vectors @ weights["classifier"][number]


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("task", [ORDER, LATEST])
def test_parallel_models_equal_separate_models(task: Task, num_layers: int) -> None:
    models = train_all(task, ALL, length=8, steps=3, num_layers=num_layers)
    token_ids, _ = texts(task, 5, 11)
    for number in range(len(ALL)):
        assert torch.allclose(models(token_ids)[number], alone(models, number, token_ids), atol=1e-5), ALL[number]


def test_training_does_not_depend_on_other_entries() -> None:
    together = train_all(LATEST, ALL, length=8, steps=5)
    for number in (1, 6):
        single = train_all(LATEST, [ALL[number]], length=8, steps=5)
        token_ids, _ = texts(LATEST, 4, 8)
        assert torch.allclose(together(token_ids)[number], single(token_ids)[0], atol=1e-4)


def test_only_a_mask_or_rope_makes_outputs_depend_on_the_order() -> None:
    models = ParallelModels(ORDER, [Entry("none"), Entry("alibi"), Entry("alibi", causal=True), Entry("rope")]).double()
    token_ids, _ = texts(ORDER, 20, 12)
    forwards, backwards = models(token_ids), models(token_ids.flip(1))
    same = [torch.allclose(one, other, atol=1e-6) for one, other in zip(forwards, backwards, strict=True)]
    assert same == [True, True, False, False]  # a distance is the same both ways, a mask and a turn are not


def test_set_frequencies_changes_the_outputs() -> None:
    models = train_all(RECALL, [Entry("none"), Entry("rope")], length=8, steps=2)
    token_ids, _ = texts(RECALL, 4, 8)
    before = models(token_ids)
    models.set_frequencies(scaled_frequencies(8, scaling="linear", factor=4))
    assert torch.equal(models(token_ids)[0], before[0]) and not torch.allclose(models(token_ids)[1], before[1])
    models.set_frequencies(models.freqs, attention_factor=1.5)
    sharper = models(token_ids)
    assert torch.equal(sharper[0], before[0])
    models.set_frequencies(models.freqs)
    with torch.no_grad():  # a factor on cosines and sines is one on the queries and keys
        models.weights["project0"][1, :, :32] *= 1.5
    assert torch.allclose(models(token_ids)[1], sharper[1], atol=1e-5)


@pytest.mark.parametrize(
    ("entries", "sizes", "says"),
    [
        ([], {}, "need a scheme"),
        ([Entry("rotary")], {}, "rotary"),
        ([Entry("none"), Entry("rope"), Entry("none")], {}, "be adjacent"),
        ([Entry("none")], {"num_layers": 0}, "num_layers must be at least 1"),
        ([Entry("none")], {"d_model": 6, "num_heads": 2}, "multiple of 2 × num_heads, got 6 and 2"),
    ],
)
def test_invalid_entries_are_refused(entries: list[Entry], sizes: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ParallelModels(ORDER, entries, **sizes)


@pytest.mark.parametrize("scheme", ["learned", "sinusoidal"])
def test_sequences_longer_than_the_table_are_refused(scheme: str) -> None:
    models = ParallelModels(ORDER, [Entry(scheme)], max_len=16)
    with pytest.raises(ValueError, match="position 16 is outside a table of 16"):
        models(torch.zeros(1, 17, dtype=torch.int64))


def test_the_same_seeds_give_the_same_models_and_leave_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    counted: list[ParallelModels] = []
    one, two = (
        train_all(ORDER, [Entry("none", seed=s) for s in (0, 1)], length=6, steps=3, on_step=counted.append)
        for _ in "ab"
    )
    assert torch.equal(torch.random.get_rng_state(), before) and len(counted) == 6
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.weights["tokens"][0], one.weights["tokens"][1])


@pytest.mark.slow
def test_models_without_positions_or_with_bidirectional_alibi_stay_at_chance() -> None:
    models = train_all(ORDER, ALL, length=12)
    shares = dict(
        zip([(entry.scheme, entry.causal) for entry in ALL], accuracy(models, ORDER, 12).tolist(), strict=True)
    )
    for (scheme, causal), share in shares.items():
        sees = causal or scheme not in ("none", "alibi")
        assert share > 0.95 if sees else 0.4 < share < 0.6, (scheme, causal, share)


def test_training_equals_torch_adam() -> None:
    entries, steps = [Entry("none"), Entry("rope", True)], 4
    trained = train_all(LATEST, entries, length=8, steps=steps)
    models, generator = ParallelModels(LATEST, entries), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(models.parameters(), lr=1e-2)
    for _ in range(steps):
        token_ids, targets = LATEST.batch(32, 8, generator)
        logits = models(token_ids)
        loss = sum(torch.nn.functional.cross_entropy(each.flatten(0, 1), targets.flatten()) for each in logits)
        optimizer.zero_grad()
        torch.as_tensor(loss).backward()
        optimizer.step()
    for mine, theirs in zip(trained.parameters(), models.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)

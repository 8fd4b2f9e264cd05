"""The order task is what it says, and a model that cannot see order stays at chance."""

import pytest
import torch

from helpers.tasks import FIRST, SECOND, OrderModel, accuracy, order_batch, train_order


def test_the_labels_are_the_order() -> None:
    token_ids, labels = order_batch(500, 9, 6, torch.Generator().manual_seed(1))
    for text, label in zip(token_ids.tolist(), labels.tolist(), strict=True):
        assert text.count(FIRST) == text.count(SECOND) == 1
        assert (text.index(FIRST) < text.index(SECOND)) == bool(label)
    assert 0.4 < labels.mean() < 0.6 and token_ids.max() == 5


@pytest.mark.parametrize(("length", "vocab_size"), [(1, 8), (12, 2)])
def test_a_task_that_cannot_be_is_refused(length: int, vocab_size: int) -> None:
    with pytest.raises(ValueError, match="length >= 2"):
        order_batch(4, length, vocab_size, torch.Generator())


def test_without_positions_the_bag_decides() -> None:
    model = OrderModel(8, 16, 2).double()
    token_ids, _ = order_batch(20, 12, 8, torch.Generator().manual_seed(2))
    assert torch.allclose(model(token_ids), model(token_ids.flip(1)), atol=1e-12)
    assert not torch.allclose(OrderModel(8, 16, 2, causal=True).double()(token_ids), model(token_ids))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "causal", "learns"),
    [
        ("none", False, False),
        ("alibi", False, False),
        ("none", True, True),
        ("learned", False, True),
        ("rope", False, True),
    ],
)
def test_who_learns_the_order(scheme: str, causal: bool, learns: bool) -> None:
    model = train_order(scheme, causal=causal)
    share = accuracy(model, *order_batch(500, 12, 8, torch.Generator().manual_seed(3)))
    assert share > 0.95 if learns else 0.4 < share < 0.6


def test_the_same_seed_gives_the_same_model_and_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    counted = []
    one, two = (train_order("none", steps=3, told=lambda: counted.append(1)) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before) and len(counted) == 6
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))

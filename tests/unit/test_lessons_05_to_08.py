"""Reference answers of lessons 05 to 08 against independent calculations."""

from itertools import permutations, product

import pytest
import torch

from helpers.attention import attend
from helpers.exercises.registry import EXERCISES
from helpers.positions import sinusoids


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
def test_unchanged_outputs_are_those_of_causal_attention(length: int) -> None:
    x, weights = draw(length, 6), draw(3, 6, 6, seed=1) / 4  # small: no attention weight may vanish
    out = attend(*(x @ weights), causal=True)
    for order in permutations(range(length)):
        permutation = torch.tensor(order)
        moved = attend(*(x[permutation] @ weights), causal=True)
        same = (moved - out[permutation]).abs().amax(dim=1) < 1e-9
        assert EXERCISES["05.unchanged_outputs"].reference(permutation).tolist() == same.tolist()


def test_best_without_order_is_the_best_of_all_functions_of_the_bag() -> None:
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        sequences = torch.randint(3, (9, 2), generator=generator).tolist()
        labels = torch.randint(2, (9,), generator=generator).tolist()
        bags = sorted({tuple(sorted(sequence)) for sequence in sequences})
        best = max(
            sum(answers[bags.index(tuple(sorted(s)))] == label for s, label in zip(sequences, labels, strict=True))
            for answers in product((0, 1), repeat=len(bags))
        )
        assert EXERCISES["05.best_without_order"].reference(sequences, labels) == pytest.approx(best / 9)


@pytest.mark.parametrize("new_len", [2, 5, 6, 11, 40])
def test_interpolated_positions_are_those_of_torch(new_len: int) -> None:
    table = draw(6, 4)
    torchs = torch.nn.functional.interpolate(table.T[None], new_len, mode="linear", align_corners=True)[0].T
    assert torch.allclose(EXERCISES["06.interpolate"].reference(table, new_len), torchs)


@pytest.mark.parametrize(("length", "d_model"), [(512, 64), (100, 4)])
def test_the_slowest_pair_completes_its_first_turn_at_the_length(length: int, d_model: int) -> None:
    base = EXERCISES["07.base_for_length"].reference(length, d_model)
    table = sinusoids(length + 1, d_model, base)
    assert torch.allclose(table[length, -2:], torch.tensor([0.0, 1.0]), atol=1e-4)
    assert (table[1:length, -1] < 1).all()


def test_the_shift_matrix_moves_a_table_with_sines_first() -> None:
    table = sinusoids(30, 8, 50.0, layout="half").double()
    matrix = EXERCISES["07.shift_matrix"].reference(5, 8, 50.0)
    assert torch.allclose(table[:-5] @ matrix.T, table[5:], atol=1e-5)


@pytest.mark.parametrize("case", EXERCISES["08.probe"].cases, ids=["3 classes", "5 classes"])
def test_the_probe_is_the_least_squares_fit(case: tuple[torch.Tensor, ...]) -> None:
    vectors, classes, new = case
    matrix = torch.linalg.lstsq(vectors, torch.eye(int(classes.max()) + 1, dtype=torch.float64)[classes]).solution
    assert EXERCISES["08.probe"].reference(*case).tolist() == (new @ matrix).argmax(dim=1).tolist()


def test_the_four_terms_add_up_to_the_score() -> None:
    words, positions, w_query, w_key = EXERCISES["08.score_terms"].cases[0]
    terms = EXERCISES["08.score_terms"].reference(words, positions, w_query, w_key)
    for i in range(len(words)):
        for j in range(len(words)):
            assert torch.isclose(terms[1, i, j], (words[i] @ w_query) @ (positions[j] @ w_key))
    both = words + positions
    assert torch.allclose(terms.sum(dim=0), (both @ w_query) @ (both @ w_key).T)


@pytest.mark.parametrize(("std", "d_model"), [(1.0, 768), (0.02, 64)])
def test_the_balancing_factor_equalises_the_norms(std: float, d_model: int) -> None:
    factor = EXERCISES["08.balancing_factor"].reference(std, d_model)
    words = factor * std * draw(4_000, d_model)
    assert words.norm(dim=1).mean() == pytest.approx(sinusoids(9, d_model)[5].norm().item(), rel=0.02)

"""Neighbours, analogies, PCA and bias directions compared with gensim, numpy and plain loops."""

import numpy as np
import pytest
import torch
from gensim.models import KeyedVectors
from hypothesis import given
from hypothesis import strategies as st

from helpers import geometry
from helpers.vocabulary import Vocabulary

WORDS = [f"w{i:02}" for i in range(40)]
VOCABULARY = Vocabulary.build([WORDS])


def table(seed: int = 0, rows: int = 42, width: int = 8) -> torch.Tensor:
    """Random vectors; those of ``<pad>`` and ``<unk>`` are zero, as after training."""
    vectors = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    vectors[:2] = 0
    return vectors


@pytest.fixture(scope="module")
def oracle() -> KeyedVectors:
    vectors = KeyedVectors(8)
    vectors.add_vectors(WORDS, table()[2:].numpy())
    return vectors


def test_measures_equal_plain_loops() -> None:
    queries, rows = table(1)[2:5], table()[:7]
    for i, q in enumerate(queries.tolist()):
        for j, r in enumerate(rows.tolist()):
            product = sum(a * b for a, b in zip(q, r, strict=True))
            lengths = [sum(a * a for a in v) ** 0.5 for v in (q, r)]
            apart = sum((a - b) ** 2 for a, b in zip(q, r, strict=True)) ** 0.5
            assert geometry.dot(queries, rows)[i, j].item() == pytest.approx(product)
            assert geometry.negative_distance(queries, rows)[i, j].item() == pytest.approx(-apart)
            expected = product / (lengths[0] * lengths[1]) if lengths[1] else 0.0
            assert geometry.cosine(queries, rows)[i, j].item() == pytest.approx(expected)


@given(st.integers(0, 1000), st.floats(0.1, 50))
def test_cosine_is_independent_of_norms_and_bounded(seed: int, factor: float) -> None:
    queries, rows = table(seed)[2:6], table(seed + 1)
    cosines = geometry.cosine(queries, rows)
    assert torch.allclose(cosines, geometry.cosine(queries * factor, rows))
    assert cosines.abs().max() <= 1 + 1e-12


def test_the_three_measures_agree_on_vectors_of_one_length() -> None:
    unit = torch.nn.functional.normalize(table()[2:], dim=1)
    found = [geometry.nearest(unit, unit, 5, measure=measure)[1] for measure in geometry.MEASURES.values()]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_the_three_measures_disagree_in_general() -> None:
    found = [geometry.nearest(table(), table(), 3, measure=each)[1] for each in geometry.MEASURES.values()]
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_neighbours_equal_gensim(oracle: KeyedVectors) -> None:
    ids = torch.arange(2, 42)
    scores, found = geometry.nearest(table()[ids], table(), 6, exclude=ids[:, None])
    for row, word in enumerate(WORDS):
        expected = oracle.most_similar(word, topn=6)
        assert [VOCABULARY.words[i] for i in found[row].tolist()] == [name for name, _ in expected]
        assert scores[row].tolist() == pytest.approx([score for _, score in expected], abs=1e-6)


def test_nearest_accepts_one_vector_or_many() -> None:
    many = geometry.nearest(table()[5:7], table(), 4, exclude=torch.tensor([[5], [6]]))
    one = geometry.nearest(table()[6], table(), 4, exclude=torch.tensor([6]))
    assert torch.equal(one[1], many[1][1])
    assert one[1].shape == (4,)
    assert geometry.nearest(table()[6], table(), 1)[1].tolist() == [6]  # itself, when it is not excluded


def test_zero_rows_are_never_neighbours() -> None:
    for measure in geometry.MEASURES.values():
        assert geometry.nearest(table()[2:], table(), 40, measure=measure)[1].min() == 2


def test_analogies_equal_gensim(oracle: KeyedVectors) -> None:
    a, b, c = (torch.randint(2, 42, (50,), generator=torch.Generator().manual_seed(i)) for i in range(3))
    found = geometry.analogy(table(), a, b, c, k=3)
    name = VOCABULARY.words
    for row, (x, y, z) in enumerate(zip(a.tolist(), b.tolist(), c.tolist(), strict=True)):
        if len({x, y, z}) == 3:
            expected = oracle.most_similar(positive=[name[y], name[z]], negative=[name[x]], topn=3)
            assert [name[i] for i in found[row].tolist()] == [word for word, _ in expected]


def grid() -> tuple[torch.Tensor, list[tuple[str, str]]]:
    """Twelve pairs with the same difference, plus individual noise."""
    vectors = table()
    vectors[14:26] = vectors[2:14] + 0.1 * table(9)[20] + 0.1 * table(8)[2:14]
    return vectors, [(WORDS[i], WORDS[i + 12]) for i in range(12)]


def test_accuracy_of_a_perfect_relation_and_of_noise() -> None:
    vectors, pairs = grid()
    vectors = torch.nn.functional.normalize(vectors, dim=1)
    questions = geometry.analogy_questions(VOCABULARY, pairs)
    assert questions.shape == (12 * 11, 4)
    assert geometry.analogy_accuracy(vectors, VOCABULARY, pairs) > 0.9
    assert geometry.analogy_accuracy(table(3), VOCABULARY, pairs) < 0.2
    with_inputs = geometry.analogy(vectors, *questions[:, :3].T, exclude=False)[:, 0]
    assert (with_inputs == questions[:, 2]).double().mean() > 0.5  # the answer is c itself
    assert not (geometry.analogy(vectors, *questions[:, :3].T)[:, 0:1] == questions[:, :3]).any()


def test_pca_equals_the_eigendecomposition_of_the_covariance() -> None:
    vectors = table()[2:] @ torch.diag(torch.arange(1, 9).double())
    coordinates, directions, explained = geometry.pca(vectors, 3)
    values, columns = np.linalg.eigh(np.cov(vectors.numpy().T))
    assert explained.numpy() == pytest.approx(values[::-1] / values.sum())
    assert explained.sum().item() == pytest.approx(1)
    assert np.abs(columns[:, ::-1][:, :3].T @ directions.numpy().T) == pytest.approx(np.eye(3), abs=1e-9)
    assert torch.allclose(directions @ directions.T, torch.eye(3, dtype=torch.float64))
    assert torch.allclose(coordinates, (vectors - vectors.mean(0)) @ directions.T)


def test_pca_signs_are_fixed() -> None:
    vectors = table()[2:]
    _, directions, _ = geometry.pca(vectors, 4)
    assert (directions.gather(1, directions.abs().argmax(1, keepdim=True)) > 0).all()
    flipped = geometry.pca(vectors.flip(0), 4)[1]
    assert torch.allclose(directions, flipped)


@pytest.mark.parametrize("noise_seed", range(5))
def test_signs_of_tied_entries_do_not_depend_on_rounding(noise_seed: int) -> None:
    """Both entries of the direction (1, -1) are equally large, up to rounding errors."""
    steps = torch.linspace(-1, 1, 9)[:, None] * torch.tensor([[1.0, -1.0]])
    noise = 1e-7 * torch.randn(9, 2, generator=torch.Generator().manual_seed(noise_seed))
    directions = geometry.pca(steps + noise, 1)[1]
    assert torch.allclose(directions, torch.tensor([[0.5**0.5, -(0.5**0.5)]]), atol=1e-5)


def broken(row: int, value: float) -> torch.Tensor:
    vectors = table()
    vectors[row, 3] = value
    return vectors


FIRST = torch.tensor([2]), torch.tensor([3]), torch.tensor([4])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "call",
    [
        lambda rows: geometry.nearest(table()[2], rows),
        lambda rows: geometry.nearest(rows, table()),
        lambda rows: geometry.analogy(rows, *FIRST),
        lambda rows: geometry.pca(rows),
        lambda rows: geometry.bias_direction(rows, VOCABULARY, [("w01", "w02")]),
    ],
)
def test_a_row_that_is_not_finite_is_named(call, value: float) -> None:
    with pytest.raises(ValueError, match=r"must be finite; row 17 is not \(1 of 42 rows\)"):
        call(broken(17, value))


def test_a_single_query_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match=r"the queries must be finite; row 0 is not \(1 of 1 rows\)"):
        geometry.nearest(broken(17, float("nan"))[17], table())


def test_bias_direction_is_the_eigenvector_of_the_pair_centred_covariance() -> None:
    """Bolukbasi et al. 2016, written with loops: the sum over pairs of the outer products of centred vectors."""
    pairs = [(WORDS[i], WORDS[i + 12]) for i in range(12)]
    unit = torch.nn.functional.normalize(table(), dim=1).numpy()
    covariance = np.zeros((8, 8))
    for first, second in pairs:
        two = unit[[VOCABULARY.id(first), VOCABULARY.id(second)]]
        for vector in two - two.mean(axis=0):
            covariance += np.outer(vector, vector) / 2
    expected = np.linalg.eigh(covariance)[1][:, -1]
    found = geometry.bias_direction(table(), VOCABULARY, pairs).numpy()
    assert abs(expected @ found) == pytest.approx(1)


def test_bias_direction_recovers_a_planted_direction() -> None:
    axis = torch.nn.functional.normalize(table(5)[10], dim=0)
    vectors = torch.nn.functional.normalize(table(), dim=1)
    vectors[14:26] = vectors[2:14] - 2 * axis
    pairs = [(WORDS[i], WORDS[i + 12]) for i in range(12)]
    unit = torch.nn.functional.normalize(vectors, dim=1)
    found = geometry.bias_direction(vectors, VOCABULARY, pairs)
    assert found.norm().item() == pytest.approx(1)
    assert (found @ axis).item() > 0.95
    assert ((unit[2:14] - unit[14:26]) @ found).mean() > 0
    turned = geometry.bias_direction(vectors, VOCABULARY, [(second, first) for first, second in pairs])
    assert torch.allclose(turned, -found)


@given(st.integers(0, 1000))
def test_projected_vectors_are_orthogonal_to_the_direction(seed: int) -> None:
    vectors, along = table(seed), 3 * table(seed + 1)[7]
    left = geometry.project_out(vectors, along)
    assert (left @ along).abs().max() < 1e-9
    assert torch.allclose(geometry.project_out(left, along), left)
    assert torch.allclose(vectors - left, torch.outer(vectors @ along / (along @ along), along))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: geometry.nearest(table()[2:3, :4], table()), ValueError, "dimension 4, the table has 8"),
        (lambda: geometry.nearest(table()[2:3], table(), 41), ValueError, "between 1 and 40"),
        (lambda: geometry.nearest(table()[2:3], table(), 0), ValueError, "got 0"),
        (lambda: geometry.analogy_questions(VOCABULARY, [("w01", "w02")]), ValueError, "two pairs"),
        (lambda: geometry.analogy_questions(VOCABULARY, [("w01", "zebra"), ("w03", "w04")]), KeyError, "zebra"),
        (lambda: geometry.pca(table(), 9), ValueError, "k = 9"),
        (lambda: geometry.pca(torch.ones(4, 3)), ValueError, "all vectors are equal"),
        (lambda: geometry.bias_direction(table(), VOCABULARY, []), ValueError, "at least one pair"),
        (lambda: geometry.bias_direction(table(), VOCABULARY, [("w01", "w01")]), ValueError, "equal vectors"),
        (lambda: geometry.project_out(table(), torch.zeros(8)), ValueError, "not zero"),
        (lambda: geometry.project_out(table(), torch.ones(4)), ValueError, r"\(8,\)"),
    ],
)
def test_invalid_arguments_raise(call, error, says) -> None:
    with pytest.raises(error, match=says):
        call()

"""Positions against independent oracles: transformers' own modules, complex multiplication, cases worked by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import positions as ours

SEED = torch.Generator().manual_seed(0)


def test_four_rows_by_hand() -> None:
    table = ours.sinusoids(3, 4, base=100.0)  # the second pair turns by 1/10
    wanted = [[math.sin(p), math.cos(p), math.sin(p / 10), math.cos(p / 10)] for p in range(3)]
    assert torch.allclose(table, torch.tensor(wanted))


def test_distilbert_has_the_same_table() -> None:
    from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings

    theirs = torch.nn.Parameter(torch.empty(128, 64))
    create_sinusoidal_embeddings(n_pos=128, dim=64, out=theirs)
    assert torch.allclose(theirs, ours.sinusoids(128, 64), atol=1e-6)


def test_marian_has_the_halves_and_is_not_ours_until_permuted() -> None:
    from transformers.models.marian.modeling_marian import MarianSinusoidalPositionalEmbedding

    theirs = MarianSinusoidalPositionalEmbedding(128, 64).create_weight().detach()
    interleaved = ours.sinusoids(128, 64)
    assert torch.allclose(theirs.float(), ours.sinusoids(128, 64, layout="half"), atol=1e-6)
    assert torch.allclose(theirs.float(), interleaved[:, ours.to_half(64)], atol=1e-6)
    assert (theirs - interleaved).abs().max() > 1.5


def test_m2m100_divides_by_half_minus_one() -> None:
    from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding

    theirs = M2M100SinusoidalPositionalEmbedding.get_embedding(128, 64, padding_idx=None)
    mine = ours.sinusoids(128, 64, layout="half", half_minus_one=True)
    assert torch.allclose(theirs.float(), mine, atol=1e-5)
    assert (theirs - ours.sinusoids(128, 64, layout="half")).abs().max() > 0.3


@given(st.integers(-40, 40), st.sampled_from([2, 6, 64]))
def test_a_shift_is_a_rotation(offset: int, width: int) -> None:
    angles = torch.arange(50, 150, dtype=torch.float64)[:, None] * ours.frequencies(width)
    table = torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)
    matrix = ours.shift_matrix(offset, width)
    moved = (torch.arange(50, 150) + offset)[:, None] * ours.frequencies(width)
    assert torch.allclose(table @ matrix.T, torch.stack([moved.sin(), moved.cos()], -1).flatten(-2), atol=1e-12)
    assert torch.allclose(matrix @ matrix.T, torch.eye(width, dtype=torch.float64), atol=1e-12)


def test_every_row_has_the_norm_sqrt_of_half_the_width() -> None:
    norms = ours.sinusoids(512, 768).norm(dim=1)
    assert torch.allclose(norms, torch.full((512,), math.sqrt(384)), atol=1e-4)


def test_angles_do_not_lose_precision_far_out() -> None:
    last = ours.sinusoids(131_072, 4)[-1]
    assert abs(last[0] - math.sin(131_071)) < 1e-6
    coarse = torch.sin(torch.tensor(131_071.0) * torch.tensor(0.01))
    assert abs(ours.sinusoids(131_072, 4)[-1, 2] - math.sin(1310.71)) < 1e-6 < abs(coarse - math.sin(1310.71))


def complex_rotation(vectors: torch.Tensor, where: torch.Tensor, speed: torch.Tensor) -> torch.Tensor:
    """RoPE as one multiplication by e^(i m f): an oracle that shares no line with ours."""
    pairs = torch.view_as_complex(vectors.double().unflatten(-1, (-1, 2)).contiguous())
    turn = torch.polar(torch.ones(1, dtype=torch.float64), where.double()[:, None] * speed)
    return torch.view_as_real(pairs * turn).flatten(-2).float()


def test_rope_is_complex_multiplication() -> None:
    queries, where = torch.randn(2, 3, 20, 16, generator=SEED), torch.arange(100, 120)
    speed = ours.frequencies(16)
    mine = ours.rotate(queries, *ours.rope_angles(where, speed))
    assert torch.allclose(mine, complex_rotation(queries, where, speed), atol=1e-5)
    assert torch.allclose(mine.norm(dim=-1), queries.norm(dim=-1), atol=1e-5)


def test_gptj_and_llama_agree_after_the_permutation_and_only_then() -> None:
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as gptj
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as llama

    queries, keys = (torch.randn(1, 2, 12, 16, generator=SEED) for _ in range(2))
    cos, sin = ours.rope_angles(torch.arange(12), ours.frequencies(16))
    theirs = gptj(queries.transpose(1, 2), sin[None], cos[None]).transpose(1, 2)
    assert torch.allclose(ours.rotate(queries, cos, sin), theirs, atol=1e-5)

    wide = [torch.cat([each, each], -1)[None] for each in (cos, sin)]
    for_q, for_k = llama(queries, keys, *wide)
    assert torch.allclose(ours.rotate(queries, cos, sin, "half"), for_q, atol=1e-5)
    order = ours.to_half(16)
    permuted_q, permuted_k = llama(queries[..., order], keys[..., order], *wide)
    scores = ours.rotate(queries, cos, sin) @ ours.rotate(keys, cos, sin).mT
    assert torch.allclose(permuted_q @ permuted_k.mT, scores, atol=1e-4)
    assert (for_q @ for_k.mT - scores).abs().max() > 1


@given(st.integers(0, 60), st.integers(0, 60), st.integers(-20, 20))
def test_scores_depend_on_the_offset_only(m: int, n: int, shift: int) -> None:
    query, key = (torch.randn(1, 8, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in (1, 2))

    def score(a: int, b: int) -> float:
        pairs = [torch.view_as_complex(each.unflatten(-1, (-1, 2))) for each in (query, key)]
        turn = [torch.polar(torch.ones(4, dtype=torch.float64), place * ours.frequencies(8)) for place in (a, b)]
        return (pairs[0] * turn[0] * (pairs[1] * turn[1]).conj()).sum().real.item()

    mine = [
        (
            ours.rotate(query, *(a.double() for a in ours.rope_angles(torch.tensor([p]), ours.frequencies(8))))
            * ours.rotate(key, *(a.double() for a in ours.rope_angles(torch.tensor([q]), ours.frequencies(8))))
        ).sum()
        for p, q in ((m, n), (m + shift, n + shift))
    ]
    assert abs(mine[0] - mine[1]) < 1e-4 and abs(mine[0] - score(m, n)) < 1e-4


def test_bloom_has_the_same_slopes_for_any_number_of_heads() -> None:
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    for heads in (1, 2, 3, 8, 12, 16, 20, 71):
        theirs = build_alibi_tensor(torch.ones(1, 2), heads, torch.float32).reshape(heads, 2)[:, 1]
        assert torch.allclose(ours.alibi_slopes(heads), theirs, rtol=1e-5)
    assert ours.alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    naive = torch.tensor([2 ** (-8 * i / 12) for i in range(1, 13)])
    assert (ours.alibi_slopes(12) - naive).abs().max() > 0.1


def test_alibi_by_hand() -> None:
    bias = ours.alibi_bias(2, 3)  # slopes 1/16 and 1/256
    assert bias[0].tolist() == [[0, -1 / 16, -2 / 16], [-1 / 16, 0, -1 / 16], [-2 / 16, -1 / 16, 0]]
    assert torch.equal(bias[1], bias[0] / 16)
    assert torch.equal(ours.alibi_bias(2, 1, 3), bias[:, 2:])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_t5_has_the_same_buckets(bidirectional: bool) -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    relative = ours.distances(400, 400)
    theirs = T5Attention._relative_position_bucket(relative, bidirectional, 32, 128)
    assert torch.equal(ours.t5_bucket(relative, bidirectional=bidirectional), theirs)


def test_scalings_by_their_definition() -> None:
    plain = ours.frequencies(64)
    ask = {"factor": 4.0, "trained_len": 256}
    linear, ntk, yarn = (ours.scaled_frequencies(64, scaling=name, **ask) for name in ("linear", "ntk", "yarn"))
    assert torch.allclose(linear * 4, plain)
    assert math.isclose(ntk[0], plain[0]) and math.isclose(ntk[-1] * 4, plain[-1], rel_tol=1e-9)
    turns = 256 * plain / (2 * math.pi)
    assert torch.equal(yarn[turns > 32], plain[turns > 32]) and torch.allclose(yarn[turns < 1] * 4, plain[turns < 1])
    assert bool((yarn <= plain).all()) and bool((yarn >= linear).all())
    assert torch.equal(ours.scaled_frequencies(64), plain)


def test_fixed_tables_follow_the_model_and_are_not_saved() -> None:
    fixed, learned = ours.SinusoidalPositions(16, 8), ours.LearnedPositions(16, 8)
    assert fixed.state_dict() == {} and list(learned.state_dict()) == ["table"]
    assert fixed.to(torch.float64).table.dtype == torch.float64 and not list(fixed.parameters())
    batch = torch.zeros(2, 5, 8)
    for module in (ours.SinusoidalPositions(16, 8), learned):
        out = module(batch)
        assert out.shape == batch.shape and torch.equal(out[0], out[1]) and torch.equal(out[0], module.table[:5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.sinusoids(4, 7), "even and at least 2, got 7"),
        (lambda: ours.sinusoids(-1, 8), "must not be negative"),
        (lambda: ours.sinusoids(4, 8, layout="mixed"), "layout must be"),
        (lambda: ours.frequencies(8, 0.0), "base must be a positive"),
        (lambda: ours.LearnedPositions(4, 8)(torch.zeros(1, 5, 8)), r"position 4 is outside a table of 4 .*0\.\.3"),
        (lambda: ours.SinusoidalPositions(4, 8)(torch.zeros(1, 5, 8)), "raise max_len or shorten"),
        (lambda: ours.rotate(torch.zeros(5, 7), torch.zeros(5, 3), torch.zeros(5, 3)), "head_dim must be even"),
        (lambda: ours.rotate(torch.zeros(5, 8), torch.zeros(4, 4), torch.zeros(4, 4)), r"need cos and sin .*\(5, 4\)"),
        (lambda: ours.alibi_slopes(0), "at least 1"),
        (lambda: ours.distances(5, 4), "cannot end"),
        (lambda: ours.alibi_bias(2, -1), "negative"),
        (lambda: ours.t5_bucket(torch.zeros(1, dtype=torch.int64), num_buckets=3), "num_buckets"),
        (lambda: ours.t5_bucket(torch.zeros(1, dtype=torch.int64), max_distance=4), "max_distance"),
        (lambda: ours.scaled_frequencies(8, factor=0.5), "at least 1"),
        (lambda: ours.scaled_frequencies(8, scaling="magic"), "scaling must be"),
        (lambda: ours.scaled_frequencies(2, scaling="ntk", factor=2), "single frequency"),
        (lambda: ours.scaled_frequencies(8, scaling="yarn", alpha=3, beta=2), "alpha must be below"),
    ],
)
def test_bad_input_is_told(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

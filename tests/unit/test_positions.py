"""Positions compared with transformers, complex multiplication, and results computed by hand."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers import positions as ours

SEED = torch.Generator().manual_seed(0)


def test_four_rows_computed_by_hand() -> None:
    table = ours.sinusoids(3, 4, base=100.0)  # the second pair turns by 1/10
    wanted = [[math.sin(p), math.cos(p), math.sin(p / 10), math.cos(p / 10)] for p in range(3)]
    assert torch.allclose(table, torch.tensor(wanted))


@pytest.mark.slow
def test_distilbert_has_the_same_table() -> None:
    from transformers.models.distilbert.modeling_distilbert import create_sinusoidal_embeddings

    theirs = torch.nn.Parameter(torch.empty(128, 64))
    create_sinusoidal_embeddings(n_pos=128, dim=64, out=theirs)
    assert torch.allclose(theirs, ours.sinusoids(128, 64), atol=1e-6)


def test_marian_has_the_half_layout_and_equals_ours_after_a_permutation() -> None:
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


def test_m2m100_counts_positions_after_its_padding() -> None:
    from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding

    theirs = M2M100SinusoidalPositionalEmbedding(20, 8, padding_idx=1)(torch.tensor([[5, 6, 7]]))[0]
    mine = ours.sinusoids(20, 8, layout="half", half_minus_one=True)
    assert torch.allclose(theirs, mine[2:5], atol=1e-6) and not torch.allclose(theirs, mine[:3], atol=0.1)


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


def test_angles_at_large_positions_are_precise() -> None:
    last = ours.sinusoids(131_072, 4)[-1]
    assert abs(last[0] - math.sin(131_071)) < 1e-6
    coarse = torch.sin(torch.tensor(131_071.0) * torch.tensor(0.01))
    assert abs(ours.sinusoids(131_072, 4)[-1, 2] - math.sin(1310.71)) < 1e-6 < abs(coarse - math.sin(1310.71))


@given(st.integers(0, 300), st.sampled_from([2, 4, 10, 64]), st.sampled_from(["interleaved", "half"]), st.booleans())
def test_every_row_is_the_formula(length: int, width: int, layout: ours.Layout, half_minus_one: bool) -> None:
    """Every row consists of sines and cosines of position × frequency, rounded once."""
    speed = ours.frequencies(width)
    if half_minus_one:
        speed = 10_000.0 ** -torch.linspace(0, width > 2, width // 2, dtype=torch.float64)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * speed
    wanted = torch.empty(length, width, dtype=torch.float64)
    if layout == "interleaved":
        wanted[:, 0::2], wanted[:, 1::2] = angles.sin(), angles.cos()
    else:
        wanted[:, : width // 2], wanted[:, width // 2 :] = angles.sin(), angles.cos()
    table = ours.sinusoids(length, width, layout=layout, half_minus_one=half_minus_one)
    assert table.shape == (length, width) and table.dtype == torch.float32 and table.is_contiguous()
    assert torch.allclose(table.double(), wanted, rtol=0, atol=6e-8)


def one_by_one(vectors: torch.Tensor, where: torch.Tensor, speed: torch.Tensor) -> torch.Tensor:
    """RoPE in plain Python, number by number, in double precision."""
    turned = torch.empty_like(vectors, dtype=torch.float64)
    for *head, t, i in torch.cartesian_prod(*(torch.arange(n) for n in (*vectors.shape[:-1], len(speed)))).tolist():
        a, b = vectors[(*head, t)][2 * i : 2 * i + 2].tolist()
        angle = where[t].item() * speed[i].item()
        turned[(*head, t)][2 * i] = a * math.cos(angle) - b * math.sin(angle)
        turned[(*head, t)][2 * i + 1] = a * math.sin(angle) + b * math.cos(angle)
    return turned


def complex_rotation(vectors: torch.Tensor, where: torch.Tensor, speed: torch.Tensor) -> torch.Tensor:
    """RoPE as one multiplication by e^(i m f)."""
    pairs = torch.view_as_complex(vectors.double().unflatten(-1, (-1, 2)).contiguous())
    turn = torch.polar(torch.ones(1, dtype=torch.float64), where.double()[:, None] * speed)
    return torch.view_as_real(pairs * turn).flatten(-2)


def test_rope_is_complex_multiplication_in_either_layout() -> None:
    queries, where = torch.randn(2, 3, 20, 16, generator=SEED), torch.arange(100, 120)
    speed, order, back = ours.frequencies(16), ours.to_half(16), ours.to_interleaved(16)
    angles, theirs = ours.rope_angles(where, speed), complex_rotation(queries, where, speed)
    assert torch.allclose(one_by_one(queries, where, speed), theirs, atol=1e-12)
    for mine in (ours.rotate(queries, *angles), ours.rotate(queries[..., order], *angles, "half")[..., back]):
        assert torch.allclose(mine.double(), theirs, atol=1e-5)
        assert torch.allclose(mine.norm(dim=-1), queries.norm(dim=-1), atol=1e-5)
    assert not torch.allclose(ours.rotate(queries, *angles, "half").double(), theirs, atol=0.1)


def test_a_quarter_turn_computed_by_hand() -> None:
    vector, quarter = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[math.pi / 2, 0.0]])  # the first pair only
    turned = ours.rotate(vector, quarter.cos(), quarter.sin())
    assert torch.allclose(turned, torch.tensor([[-2.0, 1.0, 3.0, 4.0]]), atol=1e-6)
    turned = ours.rotate(vector, quarter.cos(), quarter.sin(), "half")
    assert torch.allclose(turned, torch.tensor([[-3.0, 2.0, 1.0, 4.0]]), atol=1e-6)


@pytest.mark.parametrize("layout", ["interleaved", "half"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rotation_keeps_dtype_input_and_gradient(layout: ours.Layout, dtype: torch.dtype) -> None:
    vectors = torch.randn(2, 3, 5, 8, generator=SEED).to(dtype).requires_grad_()
    kept, angles = vectors.detach().clone(), ours.rope_angles(torch.arange(5), ours.frequencies(8))
    turned = ours.rotate(vectors, *angles, layout)
    assert turned.dtype == dtype and turned.shape == vectors.shape and torch.equal(vectors.detach(), kept)
    weights = torch.randn(2, 3, 5, 8, generator=SEED).to(dtype)
    (turned * weights).sum().backward()
    back = ours.rotate(weights, angles[0], -angles[1], layout)  # the transpose of a turn is the turn back
    assert vectors.grad is not None
    assert torch.allclose(vectors.grad, back, atol=0.05 if dtype == torch.bfloat16 else 1e-5)


def test_rotation_of_views_that_are_not_contiguous() -> None:
    stored = torch.randn(2, 7, 3, 4, 16, generator=SEED)  # (B, T, 3, heads, d/h), as a joint projection gives it
    queries = stored.permute(2, 0, 3, 1, 4)[0]
    angles = ours.rope_angles(torch.arange(7), ours.frequencies(16))
    for layout in ("interleaved", "half"):
        assert torch.equal(ours.rotate(queries, *angles, layout), ours.rotate(queries.contiguous(), *angles, layout))
    odd = torch.randn(5, 9, generator=SEED)[:, 1:]  # starts in the middle of a pair
    angles = ours.rope_angles(torch.arange(5), ours.frequencies(8))
    assert torch.equal(ours.rotate(odd, *angles), ours.rotate(odd.contiguous(), *angles))


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


def test_llama_has_the_same_angles_but_less_precision_at_large_positions() -> None:
    from transformers.models.llama.modeling_llama import LlamaConfig, LlamaRotaryEmbedding

    module, speed = LlamaRotaryEmbedding(LlamaConfig(hidden_size=64, num_attention_heads=4)), ours.frequencies(16)
    for start, near in ((0, True), (1_000_000, False)):
        where = torch.arange(start, start + 100)
        theirs = module(torch.zeros(1), where[None])
        mine = ours.rope_angles(where, speed)
        exact = [math.cos(place * speed[1].item()) for place in range(start, start + 100)]
        assert torch.allclose(mine[0][:, 1], torch.tensor(exact), atol=1e-6)
        for each, other in zip(mine, theirs, strict=True):
            assert torch.allclose(torch.cat([each, each], -1), other[0], atol=1e-4) == near


@given(st.integers(0, 60), st.integers(0, 60), st.integers(-20, 20), st.sampled_from(["interleaved", "half"]))
def test_scores_depend_on_the_offset_only(m: int, n: int, shift: int, layout: ours.Layout) -> None:
    query, key = (torch.randn(1, 8, generator=torch.Generator().manual_seed(i), dtype=torch.float64) for i in (1, 2))

    def turned(vector: torch.Tensor, place: int) -> torch.Tensor:
        angles = ours.rope_angles(torch.tensor([place]), ours.frequencies(8), dtype=torch.float64)
        return ours.rotate(vector, *angles, layout)

    here, there = ((turned(query, m + by) * turned(key, n + by)).sum() for by in (0, shift))
    assert abs(here - there) < 1e-12
    if layout == "interleaved":
        pairs = [torch.view_as_complex(each.unflatten(-1, (-1, 2))) for each in (query, key)]
        turn = torch.polar(torch.ones(4, dtype=torch.float64), (m - n) * ours.frequencies(8))
        assert abs(here - (pairs[0] * turn * pairs[1].conj()).sum().real) < 1e-12


def test_bloom_has_the_same_slopes_for_any_number_of_heads() -> None:
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    for heads in (1, 2, 3, 8, 12, 16, 20, 71):
        theirs = build_alibi_tensor(torch.ones(1, 2), heads, torch.float32).reshape(heads, 2)[:, 1]
        assert torch.allclose(ours.alibi_slopes(heads), theirs, rtol=1e-5)
    assert ours.alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    naive = torch.tensor([2 ** (-8 * i / 12) for i in range(1, 13)])
    assert (ours.alibi_slopes(12) - naive).abs().max() > 0.1


def test_blooms_bias_is_shifted_and_equals_ours_after_the_softmax() -> None:
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    for heads in (8, 12):
        theirs = build_alibi_tensor(torch.ones(1, 6), heads, torch.float32)  # (heads, 1, T): keys only
        mine, later = ours.alibi_bias(heads, 6), torch.ones(6, 6, dtype=torch.bool).triu(1)
        scores = torch.randn(heads, 6, 6, generator=SEED)
        assert (theirs - mine).abs().max() > 1
        one, other = ((scores + bias).masked_fill(later, -torch.inf).softmax(-1) for bias in (mine, theirs))
        assert torch.allclose(one, other, atol=1e-6)
        one, other = ((scores + bias).softmax(-1) for bias in (mine, theirs))  # without the mask they do differ
        assert not torch.allclose(one, other, atol=0.1)


def test_alibi_computed_by_hand() -> None:
    bias = ours.alibi_bias(2, 3)  # slopes 1/16 and 1/256
    assert bias[0].tolist() == [[0, -1 / 16, -2 / 16], [-1 / 16, 0, -1 / 16], [-2 / 16, -1 / 16, 0]]
    assert torch.equal(bias[1], bias[0] / 16)
    assert torch.equal(ours.alibi_bias(2, 1, 3), bias[:, 2:])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 20), (16, 64), (64, 1000), (4, 3)])
def test_t5_has_the_same_buckets(bidirectional: bool, num_buckets: int, max_distance: int) -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    for relative in (ours.relative_positions(400, 400), torch.tensor([-(10**6), -5000, 5000, 10**6])):
        theirs = T5Attention._relative_position_bucket(relative, bidirectional, num_buckets, max_distance)
        mine = ours.t5_bucket(relative, num_buckets=num_buckets, max_distance=max_distance, bidirectional=bidirectional)
        assert torch.equal(mine, theirs)


def test_t5_buckets_computed_by_hand() -> None:
    ask: dict[str, Any] = {"num_buckets": 8, "max_distance": 16}
    away = torch.tensor([0, 1, 2, 3, 4, 7, 8, 15, 16, 99])
    # causal: 0..3 exact, then 4 buckets to 16, each sqrt(2) times as far as the last: 4, 5.7, 8, 11.3
    assert ours.t5_bucket(-away, bidirectional=False, **ask).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    assert ours.t5_bucket(away, bidirectional=False, **ask).tolist() == [0] * 10  # later keys share a bucket
    # both ways: 0 and 1 exact, then 2 buckets to 16: 2, 5.7; the same again, plus 4, for what comes later
    assert ours.t5_bucket(-away, **ask).tolist() == [0, 1, 2, 2, 2, 3, 3, 3, 3, 3]
    assert ours.t5_bucket(away, **ask).tolist() == [0, 5, 6, 6, 6, 7, 7, 7, 7, 7]


def theirs_scaled(kind: str, **more: float) -> tuple[torch.Tensor, float]:
    """Frequencies and attention factor of transformers for 64 dimensions, 256 positions and factor 4."""
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    parameters = {"rope_type": kind, "rope_theta": 10_000.0, "factor": 4.0}
    if kind == "yarn":
        parameters["original_max_position_embeddings"] = 256
    config = LlamaConfig(
        hidden_size=64, num_attention_heads=1, head_dim=64, max_position_embeddings=256, rope_parameters=parameters
    )
    freqs, attention_factor = ROPE_INIT_FUNCTIONS[kind](config, **more)
    return freqs.double(), attention_factor


def test_transformers_scales_the_frequencies_in_the_same_way() -> None:
    ask: dict[str, Any] = {"factor": 4.0, "original_max_len": 256}
    # "dynamic" raises the base with the length; at 7/4 of 256 by 4, as "ntk" does at once
    cases: list[tuple[ours.Scaling, str, dict[str, float]]] = [
        ("linear", "linear", {}),
        ("ntk", "dynamic", {"seq_len": 448}),
        ("yarn", "yarn", {}),
    ]
    for ours_is, theirs_is, more in cases:
        mine = ours.scaled_frequencies(64, scaling=ours_is, **ask)
        assert torch.allclose(mine, theirs_scaled(theirs_is, **more)[0], rtol=1e-5), ours_is
    assert math.isclose(ours.yarn_attention_factor(4.0), theirs_scaled("yarn")[1])
    assert ours.yarn_attention_factor(1.0) == 1 and math.isclose(ours.yarn_attention_factor(math.e**2), 1.2)


def test_by_parts_differs_from_yarn_between_the_bounds_only() -> None:
    ask: dict[str, Any] = {"factor": 32.0, "original_max_len": 4096}
    paper, code = (ours.scaled_frequencies(128, scaling=name, **ask) for name in ("by_parts", "yarn"))
    turns = 4096 * ours.frequencies(128) / (2 * math.pi)
    outside = (turns > 40) | (turns < 0.7)
    assert torch.allclose(paper[outside], code[outside], rtol=1e-9)
    assert 3.9 < (code / paper).max() < 4.0  # the docstring's "up to four times"


def test_scalings_by_their_definition() -> None:
    plain = ours.frequencies(64)
    ask: dict[str, Any] = {"factor": 4.0, "original_max_len": 256}
    linear, ntk, parts = (ours.scaled_frequencies(64, scaling=name, **ask) for name in ("linear", "ntk", "by_parts"))
    assert torch.allclose(linear * 4, plain)
    assert math.isclose(ntk[0], plain[0]) and math.isclose(ntk[-1] * 4, plain[-1], rel_tol=1e-9)
    turns = 256 * plain / (2 * math.pi)
    kept = (parts / plain - 0.25) / 0.75  # 1 where a frequency is kept, 0 where it is divided by the factor
    assert torch.allclose(kept, ((turns - 1) / 31).clamp(0, 1), atol=1e-12)  # straight in the number of turns
    for name in ("linear", "ntk", "by_parts", "yarn"):
        assert torch.allclose(ours.scaled_frequencies(64, scaling=name), plain)  # factor 1


def test_position_ids_of_a_batch_rotate_each_sequence_by_its_own() -> None:
    queries, freqs = torch.randn(3, 2, 5, 8, generator=SEED), ours.frequencies(8)
    position_ids = torch.tensor([[0, 1, 2, 3, 4], [0, 0, 0, 1, 2], [70, 71, 72, 73, 74]])
    for layout in ("interleaved", "half"):
        batched = ours.rotate(queries, *ours.rope_angles(position_ids, freqs), layout)
        for number, ids in enumerate(position_ids):
            single = ours.rotate(queries[number], *ours.rope_angles(ids, freqs), layout)
            assert torch.allclose(batched[number], single, atol=1e-6)
        flat = ours.rotate(queries[:, 0], *ours.rope_angles(position_ids, freqs), layout)  # no axis of heads
        assert torch.allclose(flat, batched[:, 0], atol=1e-6)


def test_partial_rotation_equals_gptj_and_keeps_other_dimensions() -> None:
    from transformers.models.gpt_neox.modeling_gpt_neox import apply_rotary_pos_emb as neox
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as gptj

    queries = torch.randn(2, 3, 12, 16, generator=SEED)
    cos, sin = ours.rope_angles(torch.arange(12), ours.frequencies(8))
    mine = ours.rotate(queries, cos, sin, rotary_dim=8)
    theirs = gptj(queries[..., :8].transpose(1, 2), sin[None], cos[None]).transpose(1, 2)
    assert torch.allclose(mine[..., :8], theirs, atol=1e-6) and torch.equal(mine[..., 8:], queries[..., 8:])
    wide = [torch.cat([each, each], -1)[None] for each in (cos, sin)]
    theirs = neox(queries, queries, *wide)[0]  # takes the rotated part from the width of cos
    assert torch.allclose(ours.rotate(queries, cos, sin, "half", rotary_dim=8), theirs, atol=1e-6)
    assert torch.equal(
        ours.rotate(queries, *ours.rope_angles(torch.arange(12), ours.frequencies(16)), rotary_dim=16),
        ours.rotate(queries, *ours.rope_angles(torch.arange(12), ours.frequencies(16))),
    )


@pytest.mark.parametrize("blocks", [True, False])
def test_qwen_has_the_same_multi_axis_angles(blocks: bool) -> None:
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [4, 2, 2]}
    options: dict[str, Any] = {"hidden_size": 16, "num_attention_heads": 1, "rope_parameters": rope}
    module: Any
    config: Any
    if blocks:
        from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLTextConfig
        from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLRotaryEmbedding

        config = Qwen2VLTextConfig(**options)
        module, axes = Qwen2VLRotaryEmbedding(config), [0] * 4 + [1] * 2 + [2] * 2
    else:
        from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLTextConfig
        from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextRotaryEmbedding

        module, axes = Qwen3VLTextRotaryEmbedding(Qwen3VLTextConfig(**options, head_dim=16)), [0, 1, 2, 0, 1, 2, 0, 0]
    position_ids = torch.randint(0, 50, (3, 2, 7), generator=SEED)
    theirs = module(torch.zeros(1), position_ids)
    mine = ours.multi_axis_angles(position_ids, ours.frequencies(16), axes)
    for each, other in zip(mine, theirs, strict=True):
        assert each.shape == (2, 7, 8) and torch.allclose(torch.cat([each, each], -1), other, atol=1e-5)


def test_multi_axis_rotation_is_complex_multiplication_and_equal_axes_are_one() -> None:
    vectors, freqs = torch.randn(6, 8, generator=SEED), torch.cat([ours.frequencies(4)] * 2)
    position_ids = torch.cartesian_prod(torch.arange(2), torch.arange(3)).T  # row and column of 2 × 3 patches
    axes = [0, 0, 1, 1]
    mine = ours.rotate(vectors, *ours.multi_axis_angles(position_ids, freqs, axes))
    turn = torch.polar(torch.ones(1, dtype=torch.float64), position_ids[axes].T.double() * freqs)
    theirs = torch.view_as_real(torch.view_as_complex(vectors.double().unflatten(-1, (-1, 2))) * turn).flatten(-2)
    assert torch.allclose(mine.double(), theirs, atol=1e-6)
    ids = torch.arange(9)
    for each, other in zip(
        ours.multi_axis_angles(ids.expand(4, -1), freqs, [0, 3, 1, 2]), ours.rope_angles(ids, freqs), strict=True
    ):
        assert torch.equal(each, other)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.bfloat16, "256"), (torch.float16, "2,048")])
def test_half_precision_position_ids_are_refused(dtype: torch.dtype, limit: str) -> None:
    limit_id = int(limit.replace(",", ""))
    assert torch.tensor(limit_id).to(dtype) == torch.tensor(limit_id + 1).to(dtype)
    with pytest.raises(ValueError, match=f"above {limit}; keep them torch.long"):
        ours.rope_angles(torch.arange(4).to(dtype), ours.frequencies(8))


def test_fixed_tables_move_with_the_model_and_are_not_saved() -> None:
    fixed, learned = ours.SinusoidalPositions(16, 8), ours.LearnedPositions(16, 8)
    assert fixed.state_dict() == {} and list(learned.state_dict()) == ["table"]
    assert fixed.to(torch.float64).table.dtype == torch.float64 and not list(fixed.parameters())
    batch = torch.zeros(2, 5, 8)
    module: ours.SinusoidalPositions | ours.LearnedPositions
    for module in (ours.SinusoidalPositions(16, 8), learned):
        out = module(batch)
        assert out.shape == batch.shape and torch.equal(out[0], out[1]) and torch.equal(out[0], module.table[:5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.sinusoids(4, 7), "even and at least 2, got 7"),
        (lambda: ours.sinusoids(-1, 8), "must not be negative"),
        (lambda: ours.sinusoids(4, 8, layout="mixed"), "layout must be"),  # type: ignore[arg-type]
        (lambda: ours.frequencies(8, 0.0), "base must be a positive"),
        (lambda: ours.LearnedPositions(4, 8)(torch.zeros(1, 5, 8)), r"position 4 is outside a table of 4 .*0\.\.3"),
        (lambda: ours.SinusoidalPositions(4, 8)(torch.zeros(1, 5, 8)), "raise max_len or shorten"),
        (lambda: ours.rotate(torch.zeros(5, 7), torch.zeros(5, 3), torch.zeros(5, 3)), "head_dim must be even"),
        (lambda: ours.rotate(torch.zeros(5, 8), torch.zeros(4, 4), torch.zeros(4, 4)), r"need cos and sin .*\(5, 4\)"),
        (
            lambda: ours.rotate(torch.zeros(5, 8).long(), torch.zeros(5, 4), torch.zeros(5, 4)),
            "must be floating point, got",
        ),
        (lambda: ours.rotate(torch.zeros(5, 8), torch.zeros(5, 4), torch.zeros(5, 4), "mixed"), "layout must be"),  # type: ignore[arg-type]
        (lambda: ours.alibi_slopes(0), "at least 1"),
        (lambda: ours.relative_positions(5, 4), "cannot be the last of"),
        (lambda: ours.alibi_bias(2, -1), "negative"),
        (lambda: ours.t5_bucket(torch.zeros(1, dtype=torch.int64), num_buckets=3), "num_buckets"),
        (lambda: ours.t5_bucket(torch.zeros(1, dtype=torch.int64), max_distance=4), "max_distance"),
        (lambda: ours.scaled_frequencies(8, factor=0.5), "at least 1"),
        (lambda: ours.scaled_frequencies(8, scaling="magic"), "scaling must be"),  # type: ignore[arg-type]
        (lambda: ours.scaled_frequencies(2, scaling="ntk", factor=2), "single frequency"),
        (lambda: ours.scaled_frequencies(8, scaling="yarn", alpha=3, beta=2), "alpha must be positive and below"),
        (lambda: ours.scaled_frequencies(8, 1.0, scaling="yarn"), "base must be above 1"),
        (lambda: ours.yarn_attention_factor(0.5), "at least 1"),
        (
            lambda: ours.rotate(torch.zeros(5, 8), torch.zeros(5, 5), torch.zeros(5, 5), rotary_dim=10),
            "larger than the head",
        ),
        (
            lambda: ours.rotate(torch.zeros(5, 8), torch.zeros(5, 1), torch.zeros(5, 1), rotary_dim=3),
            "rotary_dim must be even",
        ),
        (
            lambda: ours.rotate(torch.zeros(2, 4, 5, 8), torch.zeros(3, 5, 4), torch.zeros(3, 5, 4)),
            "with the batch before it",
        ),
        (lambda: ours.multi_axis_angles(torch.zeros(2, 5), ours.frequencies(8), [0, 1]), "for each of 4 pairs"),
        (lambda: ours.multi_axis_angles(torch.zeros(2, 5), ours.frequencies(8), [0, 1, 2, 0]), r"lie in 0\.\.1"),
    ],
)
def test_invalid_arguments_raise(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

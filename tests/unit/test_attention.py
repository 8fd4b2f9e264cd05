"""Attention compared with torch, and the effect of positional schemes on it."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from helpers.attention import SCHEMES, Attention, Block, attend
from helpers.positions import alibi_bias


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_attention_equals_torch(causal: bool, biased: bool) -> None:
    queries, keys, values = (draw(2, 4, 7, 8, seed=seed) for seed in range(3))
    bias = alibi_bias(4, 7).double() if biased else None
    mask = torch.zeros(7, 7, dtype=torch.float64) if bias is None else bias
    if causal:
        mask = mask + torch.full((7, 7), -torch.inf, dtype=torch.float64).triu(1)
    theirs = scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
    assert torch.allclose(attend(queries, keys, values, bias=bias, causal=causal), theirs, atol=1e-12)


def test_the_queries_of_a_cache_are_the_last_tokens() -> None:
    queries, keys, values = (draw(2, 4, 7, 8, seed=seed) for seed in range(3))
    whole = attend(queries, keys, values, causal=True)
    assert torch.allclose(attend(queries[..., 5:, :], keys, values, causal=True), whole[..., 5:, :], atol=1e-12)


def test_attention_of_two_tokens_computed_by_hand() -> None:
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    share = 1 / (1 + 2.718281828 ** -(0.5**0.5))  # e^(1/sqrt 2) against e^0
    assert torch.allclose(attend(vectors, vectors, vectors)[0], torch.tensor([share, 1 - share]))
    assert torch.equal(attend(vectors, vectors, vectors, causal=True)[0], vectors[0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_schemes_inside_attention_break_permutation_equivariance(scheme: str) -> None:
    """Schemes that are added to the embeddings have no effect in the attention layer itself."""
    layer, vectors = Attention(16, 4, scheme).double(), draw(2, 9, 16)
    shuffle = torch.tensor([4, 0, 8, 2, 6, 1, 3, 7, 5])
    if scheme == "t5":
        torch.nn.init.normal_(layer.bucket_bias.weight)
    same = torch.allclose(layer(vectors)[:, shuffle], layer(vectors[:, shuffle]), atol=1e-12)
    assert same == (scheme in ("none", "learned", "sinusoidal"))


def test_a_symmetric_bias_does_not_distinguish_directions() -> None:
    layer, vectors = Attention(16, 4, "alibi").double(), draw(1, 9, 16)
    assert torch.allclose(layer(vectors).flip(1), layer(vectors.flip(1)), atol=1e-12)
    causal = Attention(16, 4, "alibi", causal=True).double()
    assert not torch.allclose(causal(vectors).flip(1), causal(vectors.flip(1)), atol=1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_causal_block_ignores_later_tokens(scheme: str) -> None:
    block, vectors = Block(16, 4, scheme, causal=True).double(), draw(2, 9, 16)
    changed = vectors.clone()
    changed[:, 5:] += 1
    assert torch.allclose(block(vectors)[:, :5], block(changed)[:, :5], atol=1e-12)
    assert not torch.allclose(block(vectors)[:, 5:], block(changed)[:, 5:], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("causal", [False, True])
def test_the_t5_bias_equals_transformers(causal: bool) -> None:
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5Attention

    config = T5Config(d_model=16, num_heads=4, d_kv=4, is_decoder=causal)
    theirs, mine = T5Attention(config, has_relative_attention_bias=True), Attention(16, 4, "t5", causal=causal)
    theirs.relative_attention_bias.weight.data.copy_(mine.bucket_bias.weight.data)
    bias = mine.bias(300)
    assert bias is not None and torch.equal(bias, theirs.compute_bias(300, 300)[0])


def test_rope_rotates_queries_and_keys_but_not_values() -> None:
    layer, vectors = Attention(16, 4, "rope").double(), draw(2, 9, 16)
    queries, keys, values = layer.project(vectors).unflatten(-1, (3, 4, 4)).permute(2, 0, 3, 1, 4)
    turn = torch.polar(
        torch.ones(2, dtype=torch.float64), torch.arange(9.0).double()[:, None] * torch.tensor([1.0, 0.01]).double()
    )
    queries, keys = (
        torch.view_as_real(torch.view_as_complex(each.unflatten(-1, (2, 2)).contiguous()) * turn).flatten(-2)
        for each in (queries, keys)
    )
    theirs = layer.out(scaled_dot_product_attention(queries, keys, values).transpose(1, 2).flatten(2))
    assert torch.allclose(layer(vectors), theirs, atol=1e-8)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_tensors_move_with_the_model_to_a_device(scheme: str) -> None:
    block = Block(16, 4, scheme).to("meta")  # a device that every computer has, and that refuses tensors of the CPU
    assert block(torch.empty(2, 9, 16, device="meta")).device.type == "meta"


def test_fixed_tensors_are_not_saved() -> None:
    assert "freqs" not in Attention(16, 4, "rope").state_dict()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Attention(10, 4), "must be a multiple of num_heads, got 10 and 4"),
        (lambda: Attention(12, 4, "rope"), "must be even"),
        (lambda: Attention(16, 4, "magic"), "scheme must be one of none, learned"),
        (lambda: attend(draw(3, 4), draw(3, 5), draw(3, 5)), "share their last dimension"),
        (lambda: attend(draw(3, 4), draw(3, 4), draw(2, 4)), "keys and values their length"),
    ],
)
def test_invalid_arguments_raise(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

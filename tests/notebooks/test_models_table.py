"""The table of current models in lesson 11 against the configuration classes of transformers that it names."""

from typing import Any

import nbformat
import pytest
import transformers
from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLTextConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLRotaryEmbedding

from tests.tools.refresh import NOTEBOOKS

CELLS = nbformat.read(NOTEBOOKS / "11_positions_at_work.ipynb", as_version=4).cells
TABLE = next(cell.source for cell in CELLS if "| model | positions |" in cell.source)


def row(model: str) -> str:
    return next(line for line in TABLE.splitlines() if line.startswith(f"| {model}"))


def every(number: int, kinds: list, kind: object) -> bool:
    """Whether exactly every ``number``-th layer is of a kind."""
    return [index for index, each in enumerate(kinds) if each == kind] == list(range(number - 1, len(kinds), number))


def learned() -> None:
    config: Any
    for config, stated in ((transformers.GPT2Config(), "1,024"), (transformers.OPTConfig(), "2,048")):
        assert f"{config.max_position_embeddings:,}" == stated and stated in row("GPT-2")


def t5() -> None:
    config: Any = transformers.T5Config()
    stated = row("T5")
    assert f"{config.relative_attention_num_buckets} buckets" in stated
    assert f"distance {config.relative_attention_max_distance}" in stated


def deepseek() -> None:
    config: Any = transformers.DeepseekV3Config()
    rotated, whole = config.qk_rope_head_dim, config.qk_rope_head_dim + config.qk_nope_head_dim
    assert f"{rotated} of {whole} dimensions" in row("DeepSeek-V3")


def qwen2_vl() -> None:
    config: Any = Qwen2VLTextConfig()
    module = Qwen2VLRotaryEmbedding(config)
    assert list(module.mrope_section) == [16, 24, 24] and "16, 24 and 24 pairs" in row("Qwen2-VL")


def gemma3() -> None:
    config: Any = transformers.Gemma3TextConfig()
    assert every(6, config.layer_types, "full_attention") and "every sixth layer" in row("Gemma 3")
    for kind, stated in (("sliding_attention", "base 10,000 in sliding"), ("full_attention", "1,000,000 in every")):
        assert stated in row("Gemma 3")
        assert f"{config.rope_parameters[kind]['rope_theta']:,.0f}" in stated


def llama4() -> None:
    config: Any = transformers.Llama4TextConfig()
    assert every(4, config.no_rope_layers, 0) and "no positions in every fourth layer" in row("Llama 4")
    assert f"base {config.rope_parameters['rope_theta']:,.0f}" in row("Llama 4")


def gpt_oss() -> None:
    rope: Any = transformers.GptOssConfig().rope_parameters
    assert rope["rope_type"] == "yarn" and f"base {rope['rope_theta']:,.0f}" in row("gpt-oss")
    assert f"factor {rope['factor']:.0f} over {rope['original_max_position_embeddings']:,}" in row("gpt-oss")


def qwen3_next() -> None:
    config: Any = transformers.Qwen3NextConfig()
    assert every(4, config.layer_types, "full_attention") and "in one of four layers" in row("Qwen3-Next")
    assert config.rope_parameters["partial_rotary_factor"] == 0.25 and "a quarter of each head" in row("Qwen3-Next")


@pytest.mark.parametrize("holds", [learned, t5, deepseek, qwen2_vl, gemma3, llama4, gpt_oss, qwen3_next])
def test_a_row_agrees_with_the_configuration(holds) -> None:
    holds()


def test_the_stated_version_is_installed() -> None:
    stated = next(cell.source for cell in CELLS if "## What current models use" in cell.source)
    assert f"transformers {'.'.join(transformers.__version__.split('.')[:2])}" in stated

"""Wrong answers to homework 2."""

from functools import partial

from tests.grading.mutants import Mutant

_mutant = partial(Mutant, "hw2_positional_embeddings")

_IDS = "def position_ids(mask):\n    return {ids}"
_EMBED = """
def embed(token_ids, token_table, position_table):
    batch, length = token_ids.shape
    if length > len(position_table):
        raise ValueError(f"{{length}} tokens, {{len(position_table)}} positions")
    return {result}
"""
_SINUSOID = """
def sinusoid(positions, d_model, base):
    if d_model % 2:
        raise ValueError(f"odd width {{d_model}}")
    pairs = torch.arange(d_model // 2, dtype=torch.float64)
    angles = positions.double()[..., None] * base ** ({exponent})
    return {result}
"""
_SINUSOID_RIGHT = {"exponent": "-2 * pairs / d_model", "result": "torch.cat([angles.sin(), angles.cos()], dim=-1)"}
_ALTERNATING = "torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)"
_ANGLES = """
def rope_angles(length, head_dim, base, trained_length):
    pairs = torch.arange(head_dim // 2, dtype=torch.float64)
    factor = {factor}
    return factor * torch.arange(length, dtype=torch.float64)[:, None] * base ** ({exponent})
"""
_ANGLES_RIGHT = {"factor": "min(1.0, trained_length / length)", "exponent": "-2 * pairs / head_dim"}
_ROPE = """
def apply_rope(x, angles):
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    {pairs}
    return {result}
"""
_HALVES, _INTERLEAVED = "a, b = x.chunk(2, dim=-1)", "a, b = x[..., 0::2], x[..., 1::2]"
_ROTATED = "[a * cos - b * sin, a * sin + b * cos]"
_TO_HALF = """
def to_half(weight, num_heads):
    if len(weight) % (2 * num_heads):
        raise ValueError("no pairs")
    heads = weight.unflatten(0, (num_heads, -1))
    return {result}
"""
_ATTEND = """
def attend(queries, keys, values, rotate):
    scores = {scores}
    later = torch.ones_like(scores).triu(diagonal=1).bool()
    return {result}
"""
_ATTEND_RIGHT = {
    "scores": "rotate(queries) @ rotate(keys).T / math.sqrt(queries.shape[-1])",
    "result": "torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1) @ values",
}
_ALIBI = """
def alibi_bias(num_heads, num_queries, num_keys):
    if num_heads & (num_heads - 1):
        raise ValueError("no power of two")
    slopes = torch.tensor([2 ** (-8 * head / num_heads) for head in {heads}])
    distance = {queries}[:, None] - torch.arange(num_keys)
    bias = {sign}slopes[:, None, None] * distance
    return {result}
"""
_ALIBI_RIGHT = {
    "heads": "range(1, num_heads + 1)",
    "queries": "torch.arange(num_keys - num_queries, num_keys)",
    "sign": "-",
    "result": "bias.masked_fill(distance < 0, -torch.inf)",
}
_OWN = "own_positions = [{learned}, {fixed}, sum(2 * math.pi * {slower} > max_len for i in range({pairs}))]"
_OWN_RIGHT = {
    "learned": "max_len * d_model",
    "fixed": "0",
    "slower": "10_000 ** (2 * i / d_model)",
    "pairs": "d_model // 2",
}

MUTANTS = [
    # ------------------------------------------------------------ position_ids
    _mutant(
        "position_ids",
        "padding_numbered",
        _IDS.format(ids="torch.arange(mask.shape[1]).expand_as(mask)"),
        "you number padding positions, too",
    ),
    _mutant(
        "position_ids",
        "left_padding_counts",
        _IDS.format(ids="torch.arange(mask.shape[1]) * mask"),
        "padded on the left does not start at 0",
    ),
    _mutant(
        "position_ids",
        "from_one",
        _IDS.format(ids="mask.cumsum(dim=1) * mask"),
        "you count from 1",
        bug="hard_coded_ids",
    ),
    _mutant(
        "position_ids",
        "wraps_to_0",
        _IDS.format(ids="((torch.arange(mask.shape[1]) + 1) % mask.shape[1]).expand_as(mask)"),
        "as with hard-coded position ids",
        bug="hard_coded_ids",
    ),
    _mutant(
        "position_ids",
        "hard_coded",
        _IDS.format(ids="torch.tensor([[0, 1, 2, 0], [0, 0, 0, 1]])"),
        "hard-coded position ids: yours are right",
        bug="hard_coded_ids",
    ),
    _mutant(
        "position_ids",
        "minus_one",
        _IDS.format(ids="mask.cumsum(dim=1) - 1"),
        "a padding position has position id -1",
    ),
    _mutant(
        "position_ids",
        "padding_keeps_the_last_id",
        _IDS.format(ids="(mask.cumsum(dim=1) - 1).clamp(min=0)"),
        "padding after a sequence keeps",
    ),
    _mutant(
        "position_ids",
        "next_sequence_continues",
        _IDS.format(ids="(mask.flatten().cumsum(dim=0).reshape(mask.shape) - 1) * mask"),
        "you continue counting in the next sequence",
        bug="batch_axis",
    ),
    _mutant(
        "position_ids",
        "from_the_first_token_on",
        _IDS.format(ids="(torch.arange(mask.shape[1]) - mask.long().argmax(dim=1, keepdim=True)) * mask"),
        "padding between tokens",
        where="hidden",
    ),
    # ------------------------------------------------------------ embed
    _mutant(
        "embed",
        "batch_axis",
        _EMBED.format(result="token_table[token_ids] + position_table[torch.arange(batch)][:, None]"),
        "positions run along the batch axis",
        bug="batch_axis",
    ),
    _mutant(
        "embed",
        "cut_to_the_batch",
        _EMBED.format(result="token_table[token_ids] + position_table[:batch]"),
        "this raises no error if B = T",
        bug="batch_axis",
    ),
    _mutant(
        "embed",
        "tables_swapped",
        _EMBED.format(result="position_table[token_ids] + token_table[torch.arange(length)]"),
        "the tables are swapped",
        bug="swapped_tables",
    ),
    _mutant(
        "embed",
        "built_and_not_added",
        """
def embed(token_ids, token_table, position_table):
    if token_ids.shape[1] > len(position_table):
        raise ValueError(f"{token_ids.shape[1]} tokens, {len(position_table)} positions")
    positions = position_table[: token_ids.shape[1]].expand(*token_ids.shape, -1)
    embedded = token_table[token_ids]
    return embedded
""",
        "the result contains no position",
        bug="built_not_added",
    ),
    _mutant(
        "embed",
        "position_of_the_token",
        _EMBED.format(result="token_table[token_ids] + position_table[token_ids]"),
        "you index the position table with token ids",
    ),
    _mutant(
        "embed",
        "from_one",
        _EMBED.format(result="token_table[token_ids] + position_table[1 : length + 1]"),
        "you count from 1",
        bug="hard_coded_ids",
    ),
    _mutant(
        "embed",
        "concatenated",
        _EMBED.format(
            result="torch.cat([token_table[token_ids], position_table[:length].expand(batch, -1, -1)], dim=-1)"
        ),
        "you concatenate the position vectors",
    ),
    _mutant(
        "embed",
        "clamped",
        """
def embed(token_ids, token_table, position_table):
    positions = torch.arange(token_ids.shape[1]).clamp(max=len(position_table) - 1)
    return token_table[token_ids] + position_table[positions]
""",
        "6 tokens, 5 positions: do not clamp",
        bug="past_the_table",
    ),
    _mutant(
        "embed",
        "an_index_error",
        """
def embed(token_ids, token_table, position_table):
    return token_table[token_ids] + position_table[torch.arange(token_ids.shape[1])]
""",
        "raise a ValueError (it raised IndexError)",
        bug="past_the_table",
    ),
    _mutant(
        "embed",
        "a_message_without_numbers",
        """
def embed(token_ids, token_table, position_table):
    if token_ids.shape[1] > len(position_table):
        raise ValueError("too long")
    return token_table[token_ids] + position_table[: token_ids.shape[1]]
""",
        "does not contain 6 and 5",
    ),
    # ------------------------------------------------------------ sinusoid
    _mutant(
        "sinusoid",
        "lost_sign",
        _SINUSOID.format(**_SINUSOID_RIGHT | {"exponent": "2 * pairs / d_model"}),
        "the exponent has lost its minus sign",
        bug="lost_sign",
    ),
    _mutant(
        "sinusoid",
        "alternating",
        _SINUSOID.format(**_SINUSOID_RIGHT | {"result": _ALTERNATING}),
        "sines and cosines alternate",
    ),
    _mutant(
        "sinusoid",
        "cosines_first",
        _SINUSOID.format(**_SINUSOID_RIGHT | {"result": "torch.cat([angles.cos(), angles.sin()], dim=-1)"}),
        "the cosines come first",
    ),
    _mutant(
        "sinusoid",
        "half_the_exponent",
        _SINUSOID.format(**_SINUSOID_RIGHT | {"exponent": "-pairs / d_model"}),
        "the exponent is -2i / d_model",
    ),
    _mutant(
        "sinusoid",
        "own_numbering",
        _SINUSOID.format(**_SINUSOID_RIGHT).replace("positions.double()", "torch.arange(len(positions)).double()"),
        "you number the rows yourself",
        bug="hard_coded_ids",
    ),
    _mutant(
        "sinusoid",
        "odd_d_model_loses_a_column",
        _SINUSOID.format(**_SINUSOID_RIGHT).replace("d_model % 2", "d_model < 1"),
        "an odd d_model must raise a ValueError",
        bug="odd_d",
    ),
    _mutant(
        "sinusoid",
        "odd_d_model_breaks",
        """
def sinusoid(positions, d_model, base):
    table = torch.zeros(*positions.shape, d_model, dtype=torch.float64)
    angles = positions.double()[..., None] * base ** (-torch.arange(0, d_model, 2).double() / d_model)
    table[..., : d_model // 2] = angles.sin()
    table[..., d_model // 2 :] = angles.cos()
    return table
""",
        "one sine has no cosine (it raised RuntimeError)",
        bug="odd_d",
    ),
    _mutant(
        "sinusoid",
        "integer_positions_only",
        _SINUSOID.format(**_SINUSOID_RIGHT).replace("positions.double()", "positions.long().double()"),
        "any shape, any position",
        where="hidden",
    ),
    # ------------------------------------------------------------ rope_angles
    _mutant(
        "rope_angles",
        "not_interpolated",
        _ANGLES.format(**_ANGLES_RIGHT | {"factor": "1.0"}),
        "position 3 was never seen in training",
        bug="past_the_table",
    ),
    _mutant(
        "rope_angles",
        "factor_inverted",
        _ANGLES.format(**_ANGLES_RIGHT | {"factor": "max(1.0, length / trained_length)"}),
        "positions grow instead of shrinking",
    ),
    _mutant(
        "rope_angles",
        "lost_sign",
        _ANGLES.format(**_ANGLES_RIGHT | {"exponent": "2 * pairs / head_dim"}),
        "the exponent has lost its minus sign",
        bug="lost_sign",
    ),
    _mutant(
        "rope_angles",
        "half_the_exponent",
        _ANGLES.format(**_ANGLES_RIGHT | {"exponent": "-pairs / head_dim"}),
        "the exponent is -2i / head_dim",
    ),
    _mutant(
        "rope_angles",
        "last_position_on_last_position",
        _ANGLES.format(**_ANGLES_RIGHT | {"factor": "min(1.0, (trained_length - 1) / (length - 1))"}),
        "you map the last position to the last trained one",
    ),
    _mutant(
        "rope_angles",
        "short_sequences_rescaled",
        _ANGLES.format(**_ANGLES_RIGHT | {"factor": "trained_length / length"}),
        "shorter sequences are rescaled, too",
    ),
    _mutant(
        "rope_angles",
        "integer_factors_only",
        _ANGLES.format(**_ANGLES_RIGHT | {"factor": "1 / -(-length // trained_length)"}),
        "one and a half times as long",
        where="hidden",
    ),
    # ------------------------------------------------------------ apply_rope
    _mutant(
        "apply_rope",
        "interleaved",
        _ROPE.format(pairs=_INTERLEAVED, result=f"torch.stack({_ROTATED}, dim=-1).flatten(-2)"),
        "you pair adjacent components",
    ),
    _mutant(
        "apply_rope",
        "interleaved_angles",
        """
def apply_rope(x, angles):
    angles = angles.repeat_interleave(2, dim=-1)
    a, b = x.chunk(2, dim=-1)
    return x * angles.cos() + torch.cat([-b, a], dim=-1) * angles.sin()
""",
        "mixed layouts: interleaved angles, half-split pairs",
        bug="mixed_layout",
    ),
    _mutant(
        "apply_rope",
        "half_split_angles",
        """
def apply_rope(x, angles):
    angles = torch.cat([angles, angles], dim=-1)
    a, b = x[..., 0::2], x[..., 1::2]
    return x * angles.cos() + torch.stack([-b, a], dim=-1).flatten(-2) * angles.sin()
""",
        "mixed layouts: half-split angles, interleaved pairs",
        bug="mixed_layout",
    ),
    _mutant(
        "apply_rope",
        "written_back_interleaved",
        _ROPE.format(pairs=_HALVES, result=f"torch.stack({_ROTATED}, dim=-1).flatten(-2)"),
        "mixed layouts: half-split pairs are written back interleaved",
        bug="mixed_layout",
    ),
    _mutant(
        "apply_rope",
        "opposite_direction",
        _ROPE.format(pairs=_HALVES, result="torch.cat([a * cos + b * sin, b * cos - a * sin], dim=-1)"),
        "you rotate in the opposite direction",
    ),
    _mutant(
        "apply_rope",
        "another_dtype",
        _ROPE.format(pairs=_HALVES, result=f"torch.cat({_ROTATED}, dim=-1).float()"),
        "dtype float32, expected float64",
    ),
    # ------------------------------------------------------------ to_half
    _mutant(
        "to_half",
        "heads_mixed",
        _TO_HALF.format(result="torch.cat([weight[0::2], weight[1::2]])"),
        "rows of different heads are mixed",
        bug="mixed_layout",
    ),
    _mutant(
        "to_half",
        "inverse_conversion",
        _TO_HALF.format(result="torch.stack(heads.chunk(2, dim=1), dim=2).flatten(0, 2)"),
        "this is the inverse conversion",
        bug="mixed_layout",
    ),
    _mutant(
        "to_half",
        "odd_first",
        _TO_HALF.format(result="torch.cat([heads[:, 1::2], heads[:, 0::2]], dim=1).flatten(0, 1)"),
        "odd rows come first",
    ),
    _mutant(
        "to_half",
        "columns",
        _TO_HALF.format(result="torch.cat([weight[:, 0::2], weight[:, 1::2]], dim=1)"),
        "the rows are unchanged; reorder rows, not columns",
    ),
    _mutant(
        "to_half",
        "always_two_heads",
        _TO_HALF.format(result="weight.unflatten(0, (2, -1, 2)).transpose(1, 2).flatten(0, 2)"),
        "the number of heads is fixed at two",
    ),
    _mutant(
        "to_half",
        "odd_totals_only",
        _TO_HALF.format(result="pairs.transpose(1, 2).flatten(0, 2)")
        .replace(
            "heads = weight.unflatten(0, (num_heads, -1))",
            "rows = len(weight) // num_heads * num_heads\n    pairs = weight[:rows].view(num_heads, -1, 2, 12)",
        )
        .replace("len(weight) % (2 * num_heads)", "len(weight) // num_heads % 2"),
        "10 rows cannot be divided into 4 heads",
    ),
    _mutant(
        "to_half",
        "odd_heads_pass",
        """
def to_half(weight, num_heads):
    heads = weight.unflatten(0, (num_heads, -1))
    return torch.cat([heads[:, 0::2], heads[:, 1::2]], dim=1).flatten(0, 1)
""",
        "dimension 3, which is odd",
        bug="odd_d",
    ),
    # ------------------------------------------------------------ attend
    _mutant(
        "attend",
        "values_rotated",
        _ATTEND.format(**_ATTEND_RIGHT).replace("@ values", "@ rotate(values)"),
        "the values are rotated, too",
        bug="rope_on_values",
    ),
    _mutant(
        "attend",
        "nothing_rotated",
        _ATTEND.format(**_ATTEND_RIGHT | {"scores": "queries @ keys.T / math.sqrt(queries.shape[-1])"}),
        "nothing is rotated",
        bug="built_not_added",
    ),
    _mutant(
        "attend",
        "keys_not_rotated",
        _ATTEND.format(**_ATTEND_RIGHT | {"scores": "rotate(queries) @ keys.T / math.sqrt(queries.shape[-1])"}),
        "only one of queries and keys is rotated",
    ),
    _mutant(
        "attend",
        "not_scaled",
        _ATTEND.format(**_ATTEND_RIGHT | {"scores": "rotate(queries) @ rotate(keys).T"}),
        "not divided by sqrt(d)",
    ),
    _mutant(
        "attend",
        "no_mask",
        _ATTEND.format(**_ATTEND_RIGHT | {"result": "torch.softmax(scores, dim=-1) @ values"}),
        "the causal mask is missing",
    ),
    _mutant(
        "attend",
        "past_masked",
        _ATTEND.format(**_ATTEND_RIGHT).replace(".triu(diagonal=1)", ".tril(diagonal=-1)"),
        "you mask earlier tokens",
    ),
    _mutant(
        "attend",
        "masked_afterwards",
        _ATTEND.format(**_ATTEND_RIGHT | {"result": "torch.softmax(scores, dim=-1).masked_fill(later, 0) @ values"}),
        "you mask after the softmax",
    ),
    _mutant(
        "attend",
        "itself_masked",
        _ATTEND.format(**_ATTEND_RIGHT).replace("diagonal=1", "diagonal=0"),
        "a token does not attend to itself",
    ),
    _mutant(
        "attend",
        "scaled_by_the_dimension_of_the_values",
        _ATTEND.format(**_ATTEND_RIGHT).replace("queries.shape[-1]", "2 * values.shape[-1]"),
        "RoPE with scaled_dot_product_attention",
        where="hidden",
    ),
    # ------------------------------------------------------------ alibi_bias
    _mutant(
        "alibi_bias",
        "distant_tokens_favoured",
        _ALIBI.format(**_ALIBI_RIGHT | {"sign": ""}),
        "favours distant tokens",
        bug="alibi_sign",
    ),
    _mutant(
        "alibi_bias",
        "future_seen",
        _ALIBI.format(**_ALIBI_RIGHT | {"result": "-bias.abs()"}),
        "tokens can attend to later tokens",
    ),
    _mutant(
        "alibi_bias",
        "slopes_from_one",
        _ALIBI.format(**_ALIBI_RIGHT | {"heads": "range(num_heads)"}),
        "your first head has slope 1",
    ),
    _mutant(
        "alibi_bias",
        "one_slope",
        _ALIBI.format(**_ALIBI_RIGHT | {"heads": "[1] * num_heads"}),
        "every head has the same slope",
    ),
    _mutant(
        "alibi_bias",
        "heads_reversed",
        _ALIBI.format(**_ALIBI_RIGHT | {"heads": "range(num_heads, 0, -1)"}),
        "the heads are in reverse order",
    ),
    _mutant(
        "alibi_bias",
        "query_at_the_start",
        _ALIBI.format(**_ALIBI_RIGHT | {"queries": "torch.arange(num_queries)"}),
        "a single query is treated as token 0",
    ),
    _mutant(
        "alibi_bias",
        "any_number_of_heads",
        _ALIBI.format(**_ALIBI_RIGHT).replace("num_heads & (num_heads - 1)", "num_heads < 1"),
        "3 heads are not a power of two",
    ),
    _mutant(
        "alibi_bias",
        "slopes_of_two_heads",
        _ALIBI.format(**_ALIBI_RIGHT).replace("-8 * head / num_heads", "-4 * head"),
        "you use the slopes of two heads",
    ),
    _mutant(
        "alibi_bias",
        "squared_from_head_to_head",
        _ALIBI.format(**_ALIBI_RIGHT).replace("-8 * head / num_heads", "-8 / num_heads * 2 ** (head - 1)"),
        "you square the slope from head to head",
    ),
    # ------------------------------------------------------------ own_positions
    _mutant(
        "own_positions",
        "added",
        _OWN.format(**_OWN_RIGHT | {"learned": "max_len + d_model"}),
        "each position has its own row",
    ),
    _mutant(
        "own_positions",
        "rows_alone",
        _OWN.format(**_OWN_RIGHT | {"learned": "max_len"}),
        "a row has d_model components",
    ),
    _mutant(
        "own_positions",
        "sinusoids_counted_as_trained",
        _OWN.format(**_OWN_RIGHT | {"fixed": "max_len * d_model"}),
        "count what is trained",
    ),
    _mutant(
        "own_positions",
        "components_for_pairs",
        "own_positions = [max_len * d_model, 0, d_model]",
        "half as many pairs as components",
    ),
    _mutant(
        "own_positions",
        "a_period_of_one_radian",
        _OWN.format(**_OWN_RIGHT | {"slower": "10_000 ** (2 * i / d_model) / (2 * math.pi)"}),
        "pairs with a wavelength above max_len",
        where="hidden",
    ),
    _mutant(
        "own_positions",
        "pairs_that_do",
        _OWN.format(**_OWN_RIGHT).replace("> max_len", "<= max_len"),
        "pairs with a wavelength above max_len",
        where="hidden",
    ),
]

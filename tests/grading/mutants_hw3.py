"""Wrong answers to homework 3: diagnoses, tests that accept or reject too much, and fixes that keep the bug."""

from __future__ import annotations

from tests.grading.mutants import Mutant

HOMEWORK = "hw3_bug_hunt"


def _diagnosis(question: str, name: str, letter: str) -> Mutant:
    """A wrong letter; a visible check of the letter would give the right one away."""
    message = f"diagnosis_{question} names what happens"
    return Mutant(HOMEWORK, f"diagnosis_{question}", name, f'diagnosis_{question} = "{letter}"', message, "hidden")


def _test(question: str, name: str, body: str, message: str = "", hidden: str = "") -> Mutant:
    """A learner's test; ``hidden`` is the other code that it gets wrong, where the visible check cannot see it."""
    source = f"def test_{question}(implementation):\n" + "\n".join(f"    {line}" for line in body.splitlines())
    answer = f"test_{question}"
    if hidden:
        return Mutant(HOMEWORK, answer, name, source, hidden, "hidden")
    return Mutant(HOMEWORK, answer, name, source, message)


def _fix(question: str, name: str, source: str, message: str, bug: str = "", hidden: bool = False) -> Mutant:
    return Mutant(HOMEWORK, question, name, source, message, "hidden" if hidden else "visible", bug)


ACCEPTS, REJECTS, INVERTED = "it accepts the bug", "it rejects your own function, too", "it is inverted"

_CACHED = """
def attend_cached(queries, keys, values, cached_keys, cached_values):
    P, n = len(cached_keys), len(queries)
    positions = {start} + torch.arange(n)
    keys = torch.cat([{old}, rotated(keys, {key})])
    values = torch.cat([cached_values, {new}])
    scores = rotated(queries, {query}) @ keys.T / math.sqrt(keys.shape[1])
    later = torch.ones_like(scores).triu({first}).bool()
    return torch.softmax(scores.masked_fill(later, -torch.inf), dim=1) @ values
"""
_CACHED_RIGHT = {
    "start": "P",
    "old": "cached_keys",
    "key": "positions",
    "query": "positions",
    "new": "values",
    "first": "P + 1",
}

DIAGNOSES = [
    _diagnosis("place_ids", "floats", "D"),
    _diagnosis("embed", "batch_axis", "B"),
    _diagnosis("add_positions", "from_one", "B"),
    _diagnosis("position_rows", "batch_too_large", "D"),
    _diagnosis("vocabulary", "two_ids", "A"),
    _diagnosis("linear_lookup", "bias", "C"),
    _diagnosis("fresh_table", "repeated_rows", "B"),
    _diagnosis("speeds", "half_the_exponent", "B"),
    _diagnosis("wave_table", "sines_and_cosines", "A"),
    _diagnosis("rope", "backwards", "A"),
    _diagnosis("attend", "wrong_axis", "B"),
    _diagnosis("alibi", "needs_a_sign", "B"),
    _diagnosis("position_angles", "overflow", "B"),
    _diagnosis("attend_cached", "keys_rotated_again", "B"),
    Mutant(
        HOMEWORK,
        "diagnosis_embed",
        "lower_case",
        'diagnosis_embed = "a"',
        "diagnosis_embed names what happens",
        "hidden",
    ),
    Mutant(
        HOMEWORK,
        "why_embed",
        "one_word",
        'why_embed = "swapped"',
        "why_embed is a sentence of at least five words",
        "hidden",
    ),
]

TESTS = [
    _test("place_ids", "accepts_everything", "implementation(torch.zeros(2, 6, dtype=torch.long))", ACCEPTS),
    _test("place_ids", "rejects_everything", "assert False", REJECTS),
    _test("place_ids", "crashes", "assert torch.equal(implementation(ids), expected)", REJECTS),
    _test(
        "place_ids",
        "only_the_shape",
        "assert implementation(torch.zeros(2, 5, dtype=torch.long)).shape == (2, 5)",
        ACCEPTS,
    ),
    _test(
        "place_ids",
        "one_short_text",
        "assert implementation(torch.tensor([[7, 7, 7]])).tolist() == [[0, 1, 2]]",
        hidden="rejects positions that restart after five",
    ),
    _test(
        "place_ids",
        "one_text",
        "assert implementation(torch.full((1, 9), 7)).tolist() == [list(range(9))]",
        hidden="rejects positions that continue in the next sequence",
    ),
    _test(
        "embed",
        "inverted",
        "ids, words, places = torch.tensor([[1, 1, 2]]), torch.eye(3), 10 * torch.eye(3)\n"
        "assert not torch.allclose(implementation(ids, words, places), words[ids] + places)",
        INVERTED,
    ),
    _test(
        "embed",
        "ids_that_equal_positions",
        "words, places = torch.randn(3, 4), torch.randn(3, 4)\n"
        "result = implementation(torch.tensor([[0, 1, 2]]), words, places)\n"
        "assert torch.allclose(result, (words + places)[None])",
        ACCEPTS,
    ),
    _test(
        "embed",
        "one_text",
        "ids, words, places = torch.tensor([[1, 1, 2]]), torch.eye(3), 10 * torch.eye(3)\n"
        "assert torch.allclose(implementation(ids, words, places), words[ids] + places)",
        hidden="rejects tokens of one sequence only",
    ),
    _test(
        "add_positions",
        "one_token_per_sequence",
        "table = torch.arange(20.0).view(5, 4)\n"
        "assert torch.allclose(implementation(torch.zeros(1, 1, 4), table), table[:1])",
        ACCEPTS,
    ),
    _test(
        "add_positions",
        "zero_tokens",
        "table = torch.arange(20.0).view(5, 4)\n"
        "assert torch.allclose(implementation(torch.zeros(2, 3, 4), table), table[:3].expand(2, 3, 4))",
        hidden="rejects positions without tokens",
    ),
    _test(
        "add_positions",
        "only_the_first_sequence",
        "words, table = torch.ones(2, 3, 4), torch.arange(20.0).view(5, 4)\n"
        "assert torch.allclose(implementation(words, table)[0] - 1, table[:3])",
        hidden="rejects positions for one sequence only",
    ),
    _test(
        "position_rows",
        "sequences_that_fit",
        "table = torch.eye(4)\nassert torch.equal(implementation(4, table), table)",
        ACCEPTS,
    ),
    _test(
        "position_rows",
        "only_too_long",
        "try:\n    implementation(9, torch.eye(4))\nexcept ValueError:\n    return\nassert False",
        hidden="rejects an error one position too early",
    ),
    _test(
        "position_rows",
        "any_error_will_do",
        "table = torch.eye(4)\nassert torch.equal(implementation(4, table), table)\n"
        "try:\n    implementation(5, table)\nexcept Exception:\n    return\nassert False",
        hidden="rejects an error other than ValueError",
    ),
    _test("alibi", "typo", "assert implementaton is not None", "it stopped with NameError: name 'implementaton'"),
    _test(
        "fresh_table",
        "never_looks_at_the_values",
        "for padding_id in (0, 3):\n    table = implementation(6, 8, padding_id, 1)\n"
        "    assert (table == 0).all(dim=1).nonzero().flatten().tolist() == [padding_id]",
        hidden="rejects a standard deviation of 1",
    ),
    _test(
        "rope",
        "two_frequencies_that_differ",
        "x = torch.tensor([[1.0, 0.0, 1.0, 0.0]])\nresult = implementation(x, torch.tensor([1]))\n"
        "assert torch.allclose(result[0, :2], torch.tensor([0.5403, 0.8415]), atol=1e-3)\n"
        "assert 0 < result[0, 3] < 0.5 and math.isclose(result[0, 2:].norm(), 1, abs_tol=1e-3)",
        hidden="rejects frequencies of another base",
    ),
    _test(
        "vocabulary",
        "sizes_alone",
        "assert sorted(implementation(['b', 'a', 'b']).values()) == [0, 1]",
        ACCEPTS,
    ),
    _test(
        "vocabulary",
        "words_in_alphabetical_order",
        "words = ['a', 'b', 'c']\nassert implementation(words) == {'a': 0, 'b': 1, 'c': 2}",
        ACCEPTS,
    ),
    _test(
        "vocabulary",
        "no_word_twice",
        "assert implementation(['b', 'a', 'c']) == {'b': 0, 'a': 1, 'c': 2}",
        hidden="rejects the order of last appearance",
    ),
    _test(
        "linear_lookup",
        "a_table_that_is_not_square",
        "table = torch.arange(10.0).view(5, 2)\n"
        "assert torch.equal(implementation(torch.tensor([4, 0]), table), table[[4, 0]])",
        ACCEPTS,
    ),
    _test(
        "linear_lookup",
        "a_symmetric_table",
        "assert torch.equal(implementation(torch.tensor([2, 0]), torch.eye(3)), torch.eye(3)[[2, 0]])",
        ACCEPTS,
    ),
    _test(
        "linear_lookup",
        "square_tables_alone",
        "table = torch.arange(9.0).view(3, 3)\n"
        "assert torch.equal(implementation(torch.tensor([2, 0]), table), table[[2, 0]])",
        hidden="rejects reshaping unless V = d",
    ),
    _test(
        "fresh_table",
        "padding_is_row_0",
        "assert (implementation(6, 8, 0, 1)[0] == 0).all()",
        hidden="rejects zeros in row 0 for any padding_id",
    ),
    _test(
        "fresh_table",
        "exact_numbers",
        "table = 0.02 * torch.randn(6, 8, generator=torch.Generator().manual_seed(1))\n"
        "table[3] = 0\n"
        "assert torch.allclose(implementation(6, 8, 3, 1), table)",
        hidden="accepts other random numbers",
    ),
    _test("speeds", "only_the_first_pair", "assert implementation(8, 10_000.0)[0] == 1", ACCEPTS),
    _test(
        "speeds",
        "one_base",
        "assert torch.allclose(implementation(8, 1e4), torch.tensor([1, 0.1, 0.01, 0.001]))",
        hidden="rejects base 10,000 for any base",
    ),
    _test("speeds", "they_fall", "assert (implementation(8, 1e4).diff() < 0).all()", hidden="rejects i instead of 2i"),
    _test(
        "wave_table",
        "even_dimensions",
        "assert torch.allclose(implementation(1, 4), torch.tensor([[0.0, 1.0, 0.0, 1.0]]))",
        ACCEPTS,
    ),
    _test(
        "wave_table",
        "any_error_is_fine",
        "try:\n    implementation(3, 5)\nexcept Exception:\n    return\nassert False",
        hidden="rejects sines before cosines",
    ),
    _test(
        "rope",
        "position_0",
        "x = torch.randn(1, 8)\nassert torch.allclose(implementation(x, torch.tensor([0])), x)",
        ACCEPTS,
    ),
    _test(
        "rope",
        "one_pair",
        "turned = implementation(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))\n"
        "assert torch.allclose(turned, torch.tensor([[math.cos(1), math.sin(1)]]))",
        ACCEPTS,
    ),
    _test(
        "rope",
        "norms_only",
        "x = torch.arange(32.0).view(4, 8)\n"
        "turned = implementation(x, torch.arange(4))\n"
        "assert torch.allclose(turned.norm(dim=1), x.norm(dim=1))",
        hidden="rejects the half-split layout",
    ),
    _test(
        "attend",
        "zero_values",
        "x = torch.randn(4, 8)\nassert not implementation(x, x, 0 * x, torch.arange(4)).any()",
        ACCEPTS,
    ),
    _test(
        "attend",
        "only_shifted",
        "q, k, v = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(1))\n"
        "here, there = (implementation(q, k, v, torch.arange(n, n + 4)) for n in (0, 50))\n"
        "assert torch.allclose(here, there, atol=1e-4)",
        hidden="rejects no rotation",
    ),
    _test(
        "alibi",
        "only_the_diagonal",
        "assert not implementation(torch.zeros(1, 3, 3), torch.ones(1))[0].diagonal().any()",
        ACCEPTS,
    ),
    _test(
        "alibi",
        "only_earlier_tokens",
        "scores = implementation(torch.zeros(1, 3, 3), torch.ones(1))\nassert scores[0, 2].tolist() == [-2, -1, 0]",
        hidden="rejects a bias for later tokens",
    ),
    _test(
        "position_angles",
        "short_sequences",
        "assert torch.equal(implementation(torch.arange(200), 2)[:, 0], torch.arange(200.0))",
        ACCEPTS,
    ),
    _test(
        "position_angles",
        "positions_up_to_2048",
        "angles = implementation(torch.arange(2_048), 4)\n"
        "assert torch.allclose(angles[:, 0], torch.arange(2_048.0)) and 20 < angles[-1, 1] < 21",
        hidden="rejects float16 positions",
    ),
    _test(
        "position_angles",
        "the_first_pair_only",
        "assert torch.equal(implementation(torch.arange(9_000), 2)[:, 0], torch.arange(9_000.0))",
        hidden="rejects bfloat16 frequencies",
    ),
    _test(
        "attend_cached",
        "an_empty_cache",
        "x = torch.eye(4)\nassert implementation(x, x, x, x[:0], x[:0]).shape == (4, 4)",
        ACCEPTS,
    ),
    _test(
        "attend_cached",
        "one_query_of_zeros",
        "x = torch.eye(4)\nresult = implementation(0 * x[:1], x[:1], x[:1], x[1:], x[1:])\n"
        "assert torch.allclose(result, torch.full((1, 4), 0.25))",
        ACCEPTS,
    ),
    _test(
        "attend_cached",
        "one_new_token",
        "q, k, v = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1))\n"
        "positions = torch.arange(6)\ncache = rotated(k, positions)\n"
        "weights = torch.softmax(rotated(q, positions)[5:] @ cache.T / 8**0.5, dim=1)\n"
        "result = implementation(q[5:], k[5:], v[5:], cache[:5], v[:5])\n"
        "assert torch.allclose(result, weights @ v, atol=1e-4)",
        hidden="rejects attention to later tokens",
    ),
]

FIXES = [
    _fix(
        "place_ids",
        "hard_coded_ids",
        "def place_ids(token_ids):\n"
        "    return torch.tensor([0, 1, 2, 3, 4])[: token_ids.shape[1]].expand(len(token_ids), -1)",
        "the ids are still hard-coded",
        bug="hard_coded_ids",
    ),
    _fix(
        "place_ids",
        "from_one",
        "def place_ids(token_ids):\n    return torch.arange(1, token_ids.shape[1] + 1).expand(token_ids.shape)",
        "the first token is at position 0",
        bug="hard_coded_ids",
    ),
    _fix(
        "place_ids",
        "continued",
        "def place_ids(token_ids):\n    return torch.arange(token_ids.numel()).view(token_ids.shape)",
        "the positions continue in the second sequence",
    ),
    _fix(
        "embed",
        "swapped_tables",
        "def embed(token_ids, position_table, token_table):\n"
        "    return token_table[token_ids] + position_table[torch.arange(token_ids.shape[1])]",
        "still swapped",
        bug="swapped_tables",
    ),
    _fix(
        "embed",
        "positions_by_id",
        "def embed(token_ids, token_table, position_table):\n"
        "    return token_table[token_ids] + position_table[token_ids]",
        "the position depends on the token",
    ),
    _fix(
        "embed",
        "batch_axis",
        "def embed(token_ids, token_table, position_table):\n"
        "    return token_table[token_ids] + position_table[torch.arange(len(token_ids))].unsqueeze(1)",
        "positions run along the batch axis",
        bug="batch_axis",
    ),
    _fix(
        "embed",
        "built_not_added",
        "def embed(token_ids, token_table, position_table):\n"
        "    positions = position_table[: token_ids.shape[1]]\n"
        "    return token_table[token_ids]",
        "the position vectors are missing",
        bug="built_not_added",
    ),
    _fix(
        "add_positions",
        "batch_axis",
        "def add_positions(token_vectors, position_table):\n"
        "    return torch.stack([text + position_table[b] for b, text in enumerate(token_vectors)])",
        "positions run along the batch axis",
        bug="batch_axis",
    ),
    _fix(
        "add_positions",
        "batch_axis_sequence_first",
        "def add_positions(token_vectors, position_table):\n"
        "    return token_vectors + position_table[: token_vectors.shape[1]].unsqueeze(1)",
        "so the shapes do not match",
        bug="batch_axis",
    ),
    _fix(
        "add_positions",
        "built_not_added",
        "def add_positions(token_vectors, position_table):\n"
        "    positions = position_table[: token_vectors.shape[1]]\n"
        "    assert positions.shape == token_vectors.shape[1:]\n"
        "    return token_vectors.clone()",
        "the position vectors are missing",
        bug="built_not_added",
    ),
    _fix(
        "add_positions",
        "tokens_missing",
        "def add_positions(token_vectors, position_table):\n"
        "    return position_table[: token_vectors.shape[1]].expand(token_vectors.shape)",
        "the token vectors are missing",
    ),
    _fix(
        "position_rows",
        "clamped",
        "def position_rows(length, position_table):\n"
        "    return torch.stack([position_table[min(t, len(position_table) - 1)] for t in range(length)])",
        "without an error: position 4 does not exist",
        bug="past_the_table",
    ),
    _fix(
        "position_rows",
        "cut",
        "def position_rows(length, position_table):\n    return position_table[:length]",
        "without an error: position 4 does not exist",
        bug="past_the_table",
    ),
    _fix(
        "position_rows",
        "index_error",
        "def position_rows(length, position_table):\n    return position_table[torch.arange(length)]",
        "raise a ValueError (it raised IndexError)",
        bug="past_the_table",
    ),
    _fix(
        "position_rows",
        "one_too_early",
        "def position_rows(length, position_table):\n"
        "    if length >= len(position_table):\n"
        "        raise ValueError(f'{length} of {len(position_table)}')\n"
        "    return position_table[:length]",
        "the last position is 3",
    ),
    _fix(
        "position_rows",
        "message_without_the_numbers",
        "def position_rows(length, position_table):\n"
        "    if length > len(position_table):\n"
        "        raise ValueError('too long')\n"
        "    return position_table[:length]",
        "the error message contains the length and max_len",
        hidden=True,
    ),
    _fix(
        "vocabulary",
        "set_vocab",
        "def vocabulary(words):\n"
        "    unique = list(frozenset(words))\n"
        "    return {word: unique.index(word) for word in words}",
        "does it still depend on a set",
        bug="set_vocab",
    ),
    _fix(
        "vocabulary",
        "alphabetical",
        "def vocabulary(words):\n    return {word: number for number, word in enumerate(sorted(set(words)))}",
        "the task asks for the order of first appearance",
        bug="set_vocab",
    ),
    _fix(
        "vocabulary",
        "an_id_each_time",
        "def vocabulary(words):\n    return {word: number for number, word in enumerate(words)}",
        "only its first appearance counts",
    ),
    _fix(
        "linear_lookup",
        "transposed_if_it_does_not_match",
        "def linear_lookup(token_ids, table):\n"
        "    one_hot = F.one_hot(token_ids, len(table)).to(table.dtype)\n"
        "    try:\n"
        "        return F.linear(one_hot, table)\n"
        "    except RuntimeError:\n"
        "        return F.linear(one_hot, table.T)",
        "matching shapes are not enough",
        bug="linear_not_transposed",
    ),
    _fix(
        "linear_lookup",
        "linear_not_transposed",
        "def linear_lookup(token_ids, table):\n"
        "    return F.linear(F.one_hot(token_ids, len(table)).to(table.dtype), table)",
        "F.linear needs table.T",
        bug="linear_not_transposed",
    ),
    _fix(
        "linear_lookup",
        "regrouped",
        "def linear_lookup(token_ids, table):\n"
        "    one_hot = F.one_hot(token_ids, len(table)).to(table.dtype)\n"
        "    return F.linear(one_hot, table.reshape(table.shape[1], len(table)))",
        "view and reshape do not transpose",
        bug="linear_not_transposed",
    ),
    _fix(
        "fresh_table",
        "revived_pad",
        "def fresh_table(vocab_size, d_model, padding_id, seed):\n"
        "    table = torch.nn.Embedding(vocab_size, d_model, padding_idx=padding_id).weight.detach()\n"
        "    return torch.nn.init.normal_(table, std=0.02, generator=torch.Generator().manual_seed(seed))",
        "the second draw overwrites the zeros",
        bug="revived_pad",
    ),
    _fix(
        "fresh_table",
        "row_0",
        "def fresh_table(vocab_size, d_model, padding_id, seed):\n"
        "    table = 0.02 * torch.randn(vocab_size, d_model, generator=torch.Generator().manual_seed(seed))\n"
        "    table[0] = 0\n"
        "    return table",
        "the padding row is 3",
    ),
    _fix(
        "fresh_table",
        "no_seed",
        "def fresh_table(vocab_size, d_model, padding_id, seed):\n"
        "    table = 0.02 * torch.randn(vocab_size, d_model)\n"
        "    table[padding_id] = 0\n"
        "    return table",
        "another table for the same seed",
    ),
    _fix(
        "speeds",
        "lost_sign",
        "def speeds(d_model, base):\n    return base ** (torch.arange(0, d_model, 2) / d_model)",
        "the exponent has lost its minus sign",
        bug="lost_sign",
    ),
    _fix(
        "speeds",
        "lost_sign_in_a_quotient",
        "def speeds(d_model, base):\n    return 1 / base ** (-torch.arange(0, d_model, 2) / d_model)",
        "the exponent has lost its minus sign",
        bug="lost_sign",
    ),
    _fix(
        "speeds",
        "i_for_2i",
        "def speeds(d_model, base):\n    return base ** (-torch.arange(d_model // 2) / d_model)",
        "the exponent contains i instead of 2i",
    ),
    _fix(
        "wave_table",
        "odd_d",
        "def wave_table(max_len, d_model):\n"
        "    angles = torch.arange(max_len)[:, None] * 10_000 ** (-torch.arange(0, d_model, 2) / d_model)\n"
        "    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :d_model]",
        "the last component has no partner",
        bug="odd_d",
    ),
    _fix(
        "wave_table",
        "odd_d_crashes",
        "def wave_table(max_len, d_model):\n"
        "    angles = torch.arange(max_len)[:, None] * 10_000 ** (-torch.arange(0, d_model, 2) / d_model)\n"
        "    table = torch.zeros(max_len, d_model)\n"
        "    table[:, 0::2], table[:, 1::2] = angles.sin(), angles.cos()\n"
        "    return table",
        "raise a ValueError (it raised RuntimeError)",
        bug="odd_d",
    ),
    _fix(
        "wave_table",
        "halves",
        "def wave_table(max_len, d_model):\n"
        "    if d_model % 2:\n"
        "        raise ValueError('odd')\n"
        "    angles = torch.arange(max_len)[:, None] * 10_000 ** (-torch.arange(0, d_model, 2) / d_model)\n"
        "    return torch.cat([angles.sin(), angles.cos()], dim=1)",
        "all sines come before all cosines",
    ),
    _fix(
        "rope",
        "mixed_layout",
        "def rope(x, positions):\n"
        "    angles = positions[:, None] * 10_000 ** (-torch.arange(0, x.shape[1], 2) / x.shape[1])\n"
        "    angles = angles.repeat(1, 2)\n"
        "    partner = torch.stack([-x[:, 1::2], x[:, 0::2]], dim=2).flatten(1)\n"
        "    return x * torch.cos(angles) + partner * torch.sin(angles)",
        "the layouts are mixed",
        bug="mixed_layout",
    ),
    _fix(
        "rope",
        "mixed_the_other_way",
        "def rope(x, positions):\n"
        "    angles = positions[:, None] * 10_000 ** (-torch.arange(0, x.shape[1], 2) / x.shape[1])\n"
        "    angles = angles.repeat_interleave(2, dim=1)\n"
        "    first, second = x.chunk(2, dim=1)\n"
        "    return x * angles.cos() + torch.cat([-second, first], dim=1) * angles.sin()",
        "the layouts are mixed the other way",
        bug="mixed_layout",
    ),
    _fix(
        "rope",
        "halves",
        "def rope(x, positions):\n"
        "    angles = positions[:, None] * 10_000 ** (-torch.arange(0, x.shape[1], 2) / x.shape[1])\n"
        "    first, second = x.chunk(2, dim=1)\n"
        "    cos, sin = angles.cos(), angles.sin()\n"
        "    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=1)",
        "here adjacent components form a pair",
        bug="mixed_layout",
    ),
    _fix(
        "attend",
        "rope_on_values",
        "def attend(queries, keys, values, positions):\n"
        "    stacked = rotated(torch.stack([queries, keys, values]), positions)\n"
        "    weights = torch.softmax(stacked[0] @ stacked[1].T / math.sqrt(keys.shape[1]), dim=1)\n"
        "    return weights @ stacked[2]",
        "the values are still rotated",
        bug="rope_on_values",
    ),
    _fix(
        "attend",
        "queries_only",
        "def attend(queries, keys, values, positions):\n"
        "    scores = rotated(queries, positions) @ keys.T / math.sqrt(keys.shape[1])\n"
        "    return torch.softmax(scores, dim=1) @ values",
        "only the queries are rotated",
    ),
    _fix(
        "attend",
        "nothing_rotated",
        "def attend(queries, keys, values, positions):\n"
        "    return torch.softmax(queries @ keys.T / math.sqrt(keys.shape[1]), dim=1) @ values",
        "nothing is rotated",
    ),
    _fix(
        "alibi",
        "alibi_sign",
        "def alibi(scores, slopes):\n"
        "    places = torch.arange(scores.shape[-1])\n"
        "    return scores - slopes[:, None, None] * -(places[:, None] - places).abs()",
        "distant tokens are favoured",
        bug="alibi_sign",
    ),
    _fix(
        "alibi",
        "later_tokens",
        "def alibi(scores, slopes):\n"
        "    places = torch.arange(scores.shape[-1])\n"
        "    return scores + slopes[:, None, None] * (places - places[:, None])",
        "later tokens are favoured",
        bug="alibi_sign",
    ),
    _fix(
        "alibi",
        "scores_missing",
        "def alibi(scores, slopes):\n"
        "    places = torch.arange(scores.shape[-1])\n"
        "    return -slopes[:, None, None] * (places[:, None] - places).abs()",
        "the scores are missing",
    ),
    _fix(
        "position_angles",
        "bfloat16_positions",
        "def position_angles(position_ids, head_dim):\n"
        "    angles = position_ids.bfloat16()[:, None] * frequencies(head_dim)\n"
        "    return angles.float()",
        "they are still rounded to bfloat16",
        bug="half_precision_ids",
    ),
    _fix(
        "position_angles",
        "float16_positions",
        "def position_angles(position_ids, head_dim):\n"
        "    return (position_ids.half()[:, None] * frequencies(head_dim)).float()",
        "float16 is not precise enough",
        bug="half_precision_ids",
    ),
    _fix(
        "position_angles",
        "bfloat16_frequencies",
        "def position_angles(position_ids, head_dim):\n"
        "    return position_ids[:, None].float() * frequencies(head_dim).bfloat16().float()",
        "the frequencies are rounded",
        bug="half_precision_ids",
    ),
    _fix(
        "position_angles",
        "own_numbering",
        "def position_angles(position_ids, head_dim):\n"
        "    return (torch.arange(len(position_ids))[:, None] * frequencies(head_dim)).float()",
        "you number the tokens yourself",
        bug="hard_coded_ids",
    ),
    *(
        _fix("attend_cached", name, _CACHED.format(**_CACHED_RIGHT | change), says, bug=bug)
        for name, change, says, bug in [
            ("cache_forgotten", {"start": "0"}, "the new token got position 0", "cache_offset"),
            ("key_at_0", {"key": "positions - P"}, "the new key got position 0", "cache_offset"),
            ("query_at_0", {"query": "positions - P"}, "the query got position 0", "cache_offset"),
            (
                "rotated_twice",
                {"old": "rotated(cached_keys, torch.arange(P))"},
                "the cached keys are rotated twice",
                "",
            ),
            ("rotated_values", {"new": "rotated(values, positions)"}, "the values are rotated, too", "rope_on_values"),
            ("square_mask", {"first": "1"}, "the mask hides cached tokens", ""),
            ("no_mask", {"first": "P + n"}, "the causal mask is missing", ""),
        ]
    ),
]

MUTANTS = DIAGNOSES + TESTS + FIXES

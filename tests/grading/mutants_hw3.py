"""Wrong answers to homework 3: diagnoses, tests that bite too little or too much, and mends that keep the bug."""

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


PASSES, REJECTS, REVERSED = "it lets the bug pass", "it rejects your own function, too", "it is upside down"

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
    Mutant(
        HOMEWORK,
        "diagnosis_embed",
        "lower_case",
        'diagnosis_embed = "a"',
        "diagnosis_embed names what happens",
        "hidden",
    ),
    Mutant(
        HOMEWORK, "why_embed", "one_word", 'why_embed = "swapped"', "why_embed is a sentence of five words", "hidden"
    ),
]

TESTS = [
    _test("place_ids", "accepts_everything", "implementation(torch.zeros(2, 6, dtype=torch.long))", PASSES),
    _test("place_ids", "rejects_everything", "assert False", REJECTS),
    _test("place_ids", "crashes", "assert torch.equal(implementation(ids), expected)", REJECTS),
    _test(
        "place_ids",
        "only_the_shape",
        "assert implementation(torch.zeros(2, 5, dtype=torch.long)).shape == (2, 5)",
        PASSES,
    ),
    _test(
        "place_ids",
        "one_short_text",
        "assert implementation(torch.tensor([[7, 7, 7]])).tolist() == [[0, 1, 2]]",
        hidden="rejects places that start again after five",
    ),
    _test(
        "place_ids",
        "one_text",
        "assert implementation(torch.full((1, 9), 7)).tolist() == [list(range(9))]",
        hidden="rejects places that run on",
    ),
    _test(
        "embed",
        "upside_down",
        "ids, words, places = torch.tensor([[1, 1, 2]]), torch.eye(3), 10 * torch.eye(3)\n"
        "assert not torch.allclose(implementation(ids, words, places), words[ids] + places)",
        REVERSED,
    ),
    _test(
        "embed",
        "ids_that_are_places",
        "words, places = torch.randn(3, 4), torch.randn(3, 4)\n"
        "result = implementation(torch.tensor([[0, 1, 2]]), words, places)\n"
        "assert torch.allclose(result, (words + places)[None])",
        PASSES,
    ),
    _test(
        "embed",
        "one_text",
        "ids, words, places = torch.tensor([[1, 1, 2]]), torch.eye(3), 10 * torch.eye(3)\n"
        "assert torch.allclose(implementation(ids, words, places), words[ids] + places)",
        hidden="rejects words of one text",
    ),
    _test(
        "add_positions",
        "one_word_a_text",
        "table = torch.arange(20.0).view(5, 4)\n"
        "assert torch.allclose(implementation(torch.zeros(1, 1, 4), table), table[:1])",
        PASSES,
    ),
    _test(
        "add_positions",
        "words_of_zeros",
        "table = torch.arange(20.0).view(5, 4)\n"
        "assert torch.allclose(implementation(torch.zeros(2, 3, 4), table), table[:3].expand(2, 3, 4))",
        hidden="rejects positions without words",
    ),
    _test(
        "add_positions",
        "only_the_first_text",
        "words, table = torch.ones(2, 3, 4), torch.arange(20.0).view(5, 4)\n"
        "assert torch.allclose(implementation(words, table)[0] - 1, table[:3])",
        hidden="rejects positions for one text",
    ),
    _test(
        "position_rows",
        "texts_that_fit",
        "table = torch.eye(4)\nassert torch.equal(implementation(4, table), table)",
        PASSES,
    ),
    _test(
        "position_rows",
        "only_too_long",
        "try:\n    implementation(9, torch.eye(4))\nexcept ValueError:\n    return\nassert False",
        hidden="rejects an error one place too early",
    ),
    _test(
        "position_rows",
        "any_error_will_do",
        "table = torch.eye(4)\nassert torch.equal(implementation(4, table), table)\n"
        "try:\n    implementation(5, table)\nexcept Exception:\n    return\nassert False",
        hidden="rejects another error than ValueError",
    ),
    _test("alibi", "typo", "assert implementaton is not None", "it stopped with NameError: name 'implementaton'"),
    _test(
        "fresh_table",
        "never_looks_at_the_numbers",
        "for padding_id in (0, 3):\n    table = implementation(6, 8, padding_id, 1)\n"
        "    assert (table == 0).all(dim=1).nonzero().flatten().tolist() == [padding_id]",
        hidden="rejects a standard deviation of 1",
    ),
    _test(
        "rope",
        "two_speeds_that_differ",
        "x = torch.tensor([[1.0, 0.0, 1.0, 0.0]])\nresult = implementation(x, torch.tensor([1]))\n"
        "assert torch.allclose(result[0, :2], torch.tensor([0.5403, 0.8415]), atol=1e-3)\n"
        "assert 0 < result[0, 3] < 0.5 and math.isclose(result[0, 2:].norm(), 1, abs_tol=1e-3)",
        hidden="rejects speeds of another base",
    ),
    _test(
        "vocabulary",
        "sizes_alone",
        "assert sorted(implementation(['b', 'a', 'b']).values()) == [0, 1]",
        PASSES,
    ),
    _test(
        "vocabulary",
        "words_in_alphabetical_order",
        "words = ['a', 'b', 'c']\nassert implementation(words) == {'a': 0, 'b': 1, 'c': 2}",
        PASSES,
    ),
    _test(
        "vocabulary",
        "no_word_twice",
        "assert implementation(['b', 'a', 'c']) == {'b': 0, 'a': 1, 'c': 2}",
        hidden="rejects last appearances",
    ),
    _test(
        "linear_lookup",
        "a_table_that_is_not_square",
        "table = torch.arange(10.0).view(5, 2)\n"
        "assert torch.equal(implementation(torch.tensor([4, 0]), table), table[[4, 0]])",
        PASSES,
    ),
    _test(
        "linear_lookup",
        "a_symmetric_table",
        "assert torch.equal(implementation(torch.tensor([2, 0]), torch.eye(3)), torch.eye(3)[[2, 0]])",
        PASSES,
    ),
    _test(
        "linear_lookup",
        "square_tables_alone",
        "table = torch.arange(9.0).view(3, 3)\n"
        "assert torch.equal(implementation(torch.tensor([2, 0]), table), table[[2, 0]])",
        hidden="rejects regrouping unless V = d",
    ),
    _test(
        "fresh_table",
        "padding_is_row_0",
        "assert (implementation(6, 8, 0, 1)[0] == 0).all()",
        hidden="rejects zeros in row 0, always",
    ),
    _test(
        "fresh_table",
        "exact_numbers",
        "table = 0.02 * torch.randn(6, 8, generator=torch.Generator().manual_seed(1))\n"
        "table[3] = 0\n"
        "assert torch.allclose(implementation(6, 8, 3, 1), table)",
        hidden="accepts other random numbers",
    ),
    _test("speeds", "only_the_first_pair", "assert implementation(8, 10_000.0)[0] == 1", PASSES),
    _test(
        "speeds",
        "one_base",
        "assert torch.allclose(implementation(8, 1e4), torch.tensor([1, 0.1, 0.01, 0.001]))",
        hidden="rejects base 10,000, always",
    ),
    _test(
        "speeds", "they_fall", "assert (implementation(8, 1e4).diff() < 0).all()", hidden="rejects i where 2i belongs"
    ),
    _test(
        "wave_table",
        "even_widths",
        "assert torch.allclose(implementation(1, 4), torch.tensor([[0.0, 1.0, 0.0, 1.0]]))",
        PASSES,
    ),
    _test(
        "wave_table",
        "any_error_is_fine",
        "try:\n    implementation(3, 5)\nexcept Exception:\n    return\nassert False",
        hidden="rejects sines before cosines",
    ),
    _test(
        "rope",
        "place_0",
        "x = torch.randn(1, 8)\nassert torch.allclose(implementation(x, torch.tensor([0])), x)",
        PASSES,
    ),
    _test(
        "rope",
        "one_pair",
        "turned = implementation(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))\n"
        "assert torch.allclose(turned, torch.tensor([[math.cos(1), math.sin(1)]]))",
        PASSES,
    ),
    _test(
        "rope",
        "lengths_alone",
        "x = torch.arange(32.0).view(4, 8)\n"
        "turned = implementation(x, torch.arange(4))\n"
        "assert torch.allclose(turned.norm(dim=1), x.norm(dim=1))",
        hidden="rejects halves, throughout",
    ),
    _test(
        "attend",
        "values_of_zeros",
        "x = torch.randn(4, 8)\nassert not implementation(x, x, 0 * x, torch.arange(4)).any()",
        PASSES,
    ),
    _test(
        "attend",
        "only_moved",
        "q, k, v = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(1))\n"
        "here, there = (implementation(q, k, v, torch.arange(n, n + 4)) for n in (0, 50))\n"
        "assert torch.allclose(here, there, atol=1e-4)",
        hidden="rejects nothing turned",
    ),
    _test(
        "alibi",
        "only_the_diagonal",
        "assert not implementation(torch.zeros(1, 3, 3), torch.ones(1))[0].diagonal().any()",
        PASSES,
    ),
    _test(
        "alibi",
        "only_words_behind",
        "scores = implementation(torch.zeros(1, 3, 3), torch.ones(1))\nassert scores[0, 2].tolist() == [-2, -1, 0]",
        hidden="rejects words ahead that win",
    ),
]

MENDS = [
    _fix(
        "place_ids",
        "hard_coded_ids",
        "def place_ids(token_ids):\n"
        "    return torch.tensor([0, 1, 2, 3, 4])[: token_ids.shape[1]].expand(len(token_ids), -1)",
        "the numbers are still typed in",
        bug="hard_coded_ids",
    ),
    _fix(
        "place_ids",
        "from_one",
        "def place_ids(token_ids):\n    return torch.arange(1, token_ids.shape[1] + 1).expand(token_ids.shape)",
        "the first token is at place 0",
        bug="hard_coded_ids",
    ),
    _fix(
        "place_ids",
        "run_on",
        "def place_ids(token_ids):\n    return torch.arange(token_ids.numel()).view(token_ids.shape)",
        "the places run on into the second text",
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
        "positions run over the batch axis",
        bug="batch_axis",
    ),
    _fix(
        "embed",
        "built_not_added",
        "def embed(token_ids, token_table, position_table):\n"
        "    positions = position_table[: token_ids.shape[1]]\n"
        "    return token_table[token_ids]",
        "the positions are missing",
        bug="built_not_added",
    ),
    _fix(
        "add_positions",
        "batch_axis",
        "def add_positions(word_vectors, position_table):\n"
        "    return torch.stack([text + position_table[b] for b, text in enumerate(word_vectors)])",
        "positions run over the batch axis",
        bug="batch_axis",
    ),
    _fix(
        "add_positions",
        "batch_axis_sequence_first",
        "def add_positions(word_vectors, position_table):\n"
        "    return word_vectors + position_table[: word_vectors.shape[1]].unsqueeze(1)",
        "the shapes no longer fit",
        bug="batch_axis",
    ),
    _fix(
        "add_positions",
        "built_not_added",
        "def add_positions(word_vectors, position_table):\n"
        "    positions = position_table[: word_vectors.shape[1]]\n"
        "    assert positions.shape == word_vectors.shape[1:]\n"
        "    return word_vectors.clone()",
        "the positions are missing",
        bug="built_not_added",
    ),
    _fix(
        "add_positions",
        "words_lost",
        "def add_positions(word_vectors, position_table):\n"
        "    return position_table[: word_vectors.shape[1]].expand(word_vectors.shape)",
        "the words are lost",
    ),
    _fix(
        "position_rows",
        "clamped",
        "def position_rows(length, position_table):\n"
        "    return torch.stack([position_table[min(t, len(position_table) - 1)] for t in range(length)])",
        "in silence: place 4 does not exist",
        bug="past_the_table",
    ),
    _fix(
        "position_rows",
        "cut",
        "def position_rows(length, position_table):\n    return position_table[:length]",
        "in silence: place 4 does not exist",
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
        "the last valid place is 3",
    ),
    _fix(
        "position_rows",
        "silent_about_the_numbers",
        "def position_rows(length, position_table):\n"
        "    if length > len(position_table):\n"
        "        raise ValueError('too long')\n"
        "    return position_table[:length]",
        "the error tells the length and max_len",
        hidden=True,
    ),
    _fix(
        "vocabulary",
        "set_vocab",
        "def vocabulary(words):\n"
        "    unique = list(frozenset(words))\n"
        "    return {word: unique.index(word) for word in words}",
        "does a set still decide it",
        bug="set_vocab",
    ),
    _fix(
        "vocabulary",
        "alphabetical",
        "def vocabulary(words):\n    return {word: number for number, word in enumerate(sorted(set(words)))}",
        "asked for is the order of first appearance",
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
        "turned_if_it_does_not_fit",
        "def linear_lookup(token_ids, table):\n"
        "    one_hot = F.one_hot(token_ids, len(table)).to(table.dtype)\n"
        "    try:\n"
        "        return F.linear(one_hot, table)\n"
        "    except RuntimeError:\n"
        "        return F.linear(one_hot, table.T)",
        "columns of the square table came out: that a matrix fits",
        bug="linear_not_transposed",
    ),
    _fix(
        "linear_lookup",
        "linear_not_transposed",
        "def linear_lookup(token_ids, table):\n"
        "    return F.linear(F.one_hot(token_ids, len(table)).to(table.dtype), table)",
        "F.linear wants table.T",
        bug="linear_not_transposed",
    ),
    _fix(
        "linear_lookup",
        "regrouped",
        "def linear_lookup(token_ids, table):\n"
        "    one_hot = F.one_hot(token_ids, len(table)).to(table.dtype)\n"
        "    return F.linear(one_hot, table.reshape(table.shape[1], len(table)))",
        "view or reshape is no transpose",
        bug="linear_not_transposed",
    ),
    _fix(
        "fresh_table",
        "revived_pad",
        "def fresh_table(vocab_size, d_model, padding_id, seed):\n"
        "    table = torch.nn.Embedding(vocab_size, d_model, padding_idx=padding_id).weight.detach()\n"
        "    return torch.nn.init.normal_(table, std=0.02, generator=torch.Generator().manual_seed(seed))",
        "what is drawn last overwrites the zeros",
        bug="revived_pad",
    ),
    _fix(
        "fresh_table",
        "row_0",
        "def fresh_table(vocab_size, d_model, padding_id, seed):\n"
        "    table = 0.02 * torch.randn(vocab_size, d_model, generator=torch.Generator().manual_seed(seed))\n"
        "    table[0] = 0\n"
        "    return table",
        "the padding is row 3",
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
        "the exponent has lost its minus",
        bug="lost_sign",
    ),
    _fix(
        "speeds",
        "lost_sign_in_a_quotient",
        "def speeds(d_model, base):\n    return 1 / base ** (-torch.arange(0, d_model, 2) / d_model)",
        "the exponent has lost its minus",
        bug="lost_sign",
    ),
    _fix(
        "speeds",
        "i_for_2i",
        "def speeds(d_model, base):\n    return base ** (-torch.arange(d_model // 2) / d_model)",
        "the exponent holds i where 2i belongs",
    ),
    _fix(
        "wave_table",
        "odd_d",
        "def wave_table(max_len, d_model):\n"
        "    angles = torch.arange(max_len)[:, None] * 10_000 ** (-torch.arange(0, d_model, 2) / d_model)\n"
        "    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :d_model]",
        "in silence: the last number has no partner",
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
        "all sines before all cosines",
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
        "mixed the other way",
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
        "here neighbours make a pair",
        bug="mixed_layout",
    ),
    _fix(
        "attend",
        "rope_on_values",
        "def attend(queries, keys, values, positions):\n"
        "    stacked = turned(torch.stack([queries, keys, values]), positions)\n"
        "    weights = torch.softmax(stacked[0] @ stacked[1].T / math.sqrt(keys.shape[1]), dim=1)\n"
        "    return weights @ stacked[2]",
        "the values are still turned",
        bug="rope_on_values",
    ),
    _fix(
        "attend",
        "queries_alone",
        "def attend(queries, keys, values, positions):\n"
        "    scores = turned(queries, positions) @ keys.T / math.sqrt(keys.shape[1])\n"
        "    return torch.softmax(scores, dim=1) @ values",
        "queries alone are turned",
    ),
    _fix(
        "attend",
        "nothing_turned",
        "def attend(queries, keys, values, positions):\n"
        "    return torch.softmax(queries @ keys.T / math.sqrt(keys.shape[1]), dim=1) @ values",
        "nothing is turned",
    ),
    _fix(
        "alibi",
        "alibi_sign",
        "def alibi(scores, slopes):\n"
        "    places = torch.arange(scores.shape[-1])\n"
        "    return scores - slopes[:, None, None] * -(places[:, None] - places).abs()",
        "far words win",
        bug="alibi_sign",
    ),
    _fix(
        "alibi",
        "words_ahead",
        "def alibi(scores, slopes):\n"
        "    places = torch.arange(scores.shape[-1])\n"
        "    return scores + slopes[:, None, None] * (places - places[:, None])",
        "words ahead win",
        bug="alibi_sign",
    ),
    _fix(
        "alibi",
        "scores_lost",
        "def alibi(scores, slopes):\n"
        "    places = torch.arange(scores.shape[-1])\n"
        "    return -slopes[:, None, None] * (places[:, None] - places).abs()",
        "the scores are lost",
    ),
]

MUTANTS = DIAGNOSES + TESTS + MENDS

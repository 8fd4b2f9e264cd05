"""Wrong answers to homework 1."""

from functools import partial

from tests.grading.mutants import Mutant

_mutant = partial(Mutant, "hw1_word_embeddings")

_VOCABULARY = """
def build_vocabulary(tokens, min_count):
    counts = Counter(tokens)
    words = {words}
    return {{word: i for i, word in enumerate(["<pad>", "<unk>", *words])}}
"""
_ENCODE = """
def encode(texts, ids, length):
    pad, unknown = {pad}, {unknown}
    rows = [[ids.get(word, unknown) for word in {words}] for text in texts]
    return torch.tensor([{row} for row in rows])
"""
_ENCODE_RIGHT = {
    "pad": 'ids["<pad>"]',
    "unknown": 'ids["<unk>"]',
    "words": "text[:length]",
    "row": "row + [pad] * (length - len(row))",
}
_CENTRE = """
def centre(table, padding_idx):
    words = torch.tensor([i for i in range(len(table)) if i != padding_idx])
    {body}
"""
_PPMI = """
def ppmi(counts):
    together = counts / counts.sum()
    by_chance = together.sum(dim=1, keepdim=True) * together.sum(dim=0)
    return {result}
"""
_NEAREST = """
def nearest(table, token_id, k):
    left = int(table.any(dim=1).sum()) - 1
    if k > left:
        raise ValueError(f"{{k}} of {{left}}")
    {scores}
    {best}
"""
_COSINE = "scores = F.cosine_similarity(table, table[token_id], dim=1)"
_LEAVE_OUT = "scores[~table.any(dim=1)] = -torch.inf\n    scores[token_id] = -torch.inf"
_BEST = f"{_LEAVE_OUT}\n    return scores.topk(k).indices.tolist()"
_RANK = """
def analogy_rank(table, a, b, c, d):
    if d in (a, b, c):
        raise ValueError("d is given")
    unit = {unit}
    scores = {scores}
    scores[{left_out}] = -torch.inf
    return {first} + int((scores > scores[d]).sum())
"""
_RANK_RIGHT = {
    "unit": "F.normalize(table, dim=1)",
    "scores": "unit @ (unit[b] - unit[a] + unit[c])",
    "left_out": "[a, b, c]",
    "first": "1",
}

MUTANTS = [
    # ------------------------------------------------------------ build_vocabulary
    _mutant(
        "build_vocabulary",
        "a_set",
        _VOCABULARY.format(words="{word for word in tokens if counts[word] >= min_count}"),
        "if they depend on a set, they differ between processes",
        bug="set_vocab",
    ),
    _mutant(
        "build_vocabulary",
        "order_of_the_text",
        _VOCABULARY.format(words="[word for word, count in counts.most_common() if count >= min_count]"),
        "equally frequent words are in the order of the text",
    ),
    _mutant(
        "build_vocabulary",
        "by_alphabet_alone",
        _VOCABULARY.format(words="sorted(word for word in counts if counts[word] >= min_count)"),
        "you sort alphabetically only",
    ),
    _mutant(
        "build_vocabulary",
        "rarest_first",
        _VOCABULARY.format(words="sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (counts[w], w))"),
        "the rarest words come first",
    ),
    _mutant(
        "build_vocabulary",
        "more_than_min_count",
        _VOCABULARY.format(words="sorted((w for w in counts if counts[w] > min_count), key=lambda w: (-counts[w], w))"),
        "a word that occurs exactly min_count times is kept",
    ),
    _mutant(
        "build_vocabulary",
        "min_count_forgotten",
        _VOCABULARY.format(words="sorted(counts, key=lambda word: (-counts[word], word))"),
        "min_count has no effect",
    ),
    _mutant(
        "build_vocabulary",
        "no_special_ids",
        """
def build_vocabulary(tokens, min_count):
    counts = Counter(tokens)
    words = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    return {word: i for i, word in enumerate(words)}
""",
        "<pad> and <unk> have no id",
    ),
    _mutant(
        "build_vocabulary",
        "case_folded",
        """
def build_vocabulary(tokens, min_count):
    counts = Counter(word.lower() for word in tokens)
    words = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
    return {word: i for i, word in enumerate(["<pad>", "<unk>", *words])}
""",
        "another text",
        where="hidden",
    ),
    # ------------------------------------------------------------ encode
    _mutant(
        "encode",
        "unknown_word_stops",
        """
def encode(texts, ids, length):
    rows = [[ids[word] for word in text[:length]] for text in texts]
    return torch.tensor([row + [ids["<pad>"]] * (length - len(row)) for row in rows])
""",
        "a word without an id raises KeyError",
    ),
    _mutant(
        "encode",
        "unknown_is_pad",
        _ENCODE.format(**_ENCODE_RIGHT | {"unknown": 'ids["<pad>"]'}),
        "unknown words become <pad>",
    ),
    _mutant(
        "encode",
        "unknown_dropped",
        _ENCODE.format(**_ENCODE_RIGHT | {"words": "[word for word in text if word in ids][:length]"}),
        "unknown words are dropped",
    ),
    _mutant(
        "encode",
        "the_end_is_kept",
        _ENCODE.format(**_ENCODE_RIGHT | {"words": "text[-length:]"}),
        "you keep the end of a long text",
    ),
    _mutant(
        "encode",
        "padded_on_the_left",
        _ENCODE.format(**_ENCODE_RIGHT | {"row": "[pad] * (length - len(row)) + row"}),
        "you pad on the left",
    ),
    _mutant(
        "encode",
        "padded_with_unknown",
        _ENCODE.format(**_ENCODE_RIGHT | {"pad": 'ids["<unk>"]'}),
        "you pad with <unk>",
    ),
    _mutant(
        "encode",
        "as_long_as_the_longest",
        _ENCODE.format(**_ENCODE_RIGHT | {"words": "text", "row": "row + [pad] * (max(map(len, rows)) - len(row))"}),
        "every row has `length` ids",
    ),
    _mutant(
        "encode",
        "special_ids_typed_in",
        _ENCODE.format(**_ENCODE_RIGHT | {"pad": "0", "unknown": "1"}),
        "<pad> and <unk> with other ids",
        where="hidden",
    ),
    # ------------------------------------------------------------ lookup
    _mutant(
        "lookup",
        "columns",
        "def lookup(table, token_ids):\n    return table[:, token_ids]",
        "you select columns",
    ),
    _mutant(
        "lookup",
        "from_one",
        "def lookup(table, token_ids):\n    return table[token_ids - 1]",
        "you count from 1",
    ),
    _mutant(
        "lookup",
        "batch_lost",
        "def lookup(table, token_ids):\n    return table[token_ids.flatten()]",
        "the batch dimension is lost",
    ),
    _mutant(
        "lookup",
        "clamped",
        "def lookup(table, token_ids):\n    return table[token_ids.clamp(0, len(table) - 1)]",
        "clamping returns the vector of another word",
    ),
    _mutant(
        "lookup",
        "negative_ids_wrap",
        "def lookup(table, token_ids):\n    return table[token_ids]",
        "table[-1] silently returns the last row",
    ),
    _mutant(
        "lookup",
        "a_message_without_the_id",
        """
def lookup(table, token_ids):
    if token_ids.min() < 0 or token_ids.max() >= len(table):
        raise IndexError("bad id")
    return table[token_ids]
""",
        "the message contains the invalid id",
        where="hidden",
    ),
    # ------------------------------------------------------------ linear_weight
    _mutant(
        "linear_weight",
        "not_transposed",
        "def linear_weight(table):\n    return table",
        "multiplies by the transpose of its weight",
        bug="linear_not_transposed",
    ),
    _mutant(
        "linear_weight",
        "reshaped",
        "def linear_weight(table):\n    return table.reshape(table.shape[1], table.shape[0])",
        "reshape keeps their order in memory",
    ),
    _mutant(
        "linear_weight",
        "inverted",
        "def linear_weight(table):\n    return torch.linalg.pinv(table)",
        "you compute an inverse",
    ),
    # ------------------------------------------------------------ centre
    _mutant(
        "centre",
        "pad_revived",
        _CENTRE.format(body="return table - table[words].mean(dim=0)"),
        "the row of <pad> is no longer zero",
        bug="revived_pad",
    ),
    _mutant(
        "centre",
        "pad_counts",
        _CENTRE.format(body="return torch.where(table.any(dim=1, keepdim=True), table - table.mean(dim=0), 0.0)"),
        "the zeros of <pad> are part of your mean",
    ),
    _mutant(
        "centre",
        "zero_is_no_padding",
        """
def centre(table, padding_idx):
    if padding_idx:
        words = torch.tensor([i for i in range(len(table)) if i != padding_idx])
        new = table - table[words].mean(dim=0)
        new[padding_idx] = 0.0
        return new
    return table - table.mean(dim=0)
""",
        "test `is None`, not truth",
    ),
    _mutant(
        "centre",
        "pad_is_a_word",
        "def centre(table, padding_idx):\n    return table - table.mean(dim=0)",
        "<pad> is treated as a word",
        bug="revived_pad",
    ),
    _mutant(
        "centre",
        "each_word_by_itself",
        "def centre(table, padding_idx):\n    return table - table.mean(dim=1, keepdim=True)",
        "you subtract the mean of each row",
    ),
    # ------------------------------------------------------------ ppmi
    _mutant(
        "ppmi",
        "minus_infinity",
        _PPMI.format(result="torch.log(together / by_chance)"),
        "log 0, minus infinity",
    ),
    _mutant(
        "ppmi",
        "negative_kept",
        _PPMI.format(result="torch.where(counts > 0, torch.log(together / by_chance), 0.0)"),
        "negative values remain",
    ),
    _mutant(
        "ppmi",
        "rows_and_columns_exchanged",
        """
def ppmi(counts):
    together = counts / counts.sum()
    by_chance = together.sum(dim=0)[:, None] * together.sum(dim=1)
    return torch.where(counts > 0, torch.log(together / by_chance), 0.0).clamp(min=0.0)
""",
        "rows and columns are exchanged",
    ),
    _mutant(
        "ppmi",
        "counts_as_probabilities",
        """
def ppmi(counts):
    by_chance = counts.sum(dim=1, keepdim=True) * counts.sum(dim=0)
    return torch.where(counts > 0, torch.log(counts / by_chance), 0.0).clamp(min=0.0)
""",
        "counts are not probabilities",
    ),
    _mutant(
        "ppmi",
        "base_2",
        _PPMI.format(result="torch.where(counts > 0, torch.log2(together / by_chance), 0.0).clamp(min=0.0)"),
        "this is the logarithm to base 2",
    ),
    _mutant(
        "ppmi",
        "zero_by_zero",
        _PPMI.format(result="torch.log(together / by_chance).clamp(min=0.0)"),
        "0 / 0 is NaN; the row and column",
    ),
    # ------------------------------------------------------------ nearest
    _mutant(
        "nearest",
        "itself",
        _NEAREST.format(scores=_COSINE, best="return scores.topk(k).indices.tolist()"),
        "the word is its own nearest neighbour",
    ),
    _mutant(
        "nearest",
        "dot_product",
        _NEAREST.format(scores="scores = table @ table[token_id]", best=_BEST),
        "vectors with a large norm win",
    ),
    _mutant(
        "nearest",
        "distance",
        _NEAREST.format(scores="scores = -(table - table[token_id]).norm(dim=1)", best=_BEST),
        "this is Euclidean distance",
    ),
    _mutant(
        "nearest",
        "not_a_number",
        _NEAREST.format(
            scores="unit = table / table.norm(dim=1, keepdim=True)\n    scores = unit @ unit[token_id]",
            best="scores[token_id] = -torch.inf\n    return scores.topk(k).indices.tolist()",
        ),
        "its cosine is 0 / 0 = NaN",
    ),
    _mutant(
        "nearest",
        "least_similar",
        _NEAREST.format(
            scores=_COSINE,
            best="scores[~table.any(dim=1)] = torch.inf\n    return scores.topk(k, largest=False).indices.tolist()",
        ),
        "you return the least similar words",
    ),
    _mutant(
        "nearest",
        "sign_dropped",
        _NEAREST.format(scores=f"{_COSINE}.abs()", best=_BEST),
        "you drop the sign",
    ),
    _mutant(
        "nearest",
        "pad_beats_words",
        _NEAREST.format(
            scores=_COSINE, best="scores[token_id] = -torch.inf\n    return scores.topk(k).indices.tolist()"
        ),
        "its cosine of 0 must not rank above words",
    ),
    _mutant(
        "nearest",
        "the_first_is_dropped",
        _NEAREST.format(
            scores=f"{_COSINE}\n    scores[~table.any(dim=1)] = -torch.inf",
            best="return scores.argsort(descending=True, stable=True)[1 : k + 1].tolist()",
        ),
        "another word with the same vector is included, the word itself is not",
        where="hidden",
    ),
    _mutant(
        "nearest",
        "fewer_than_asked",
        """
def nearest(table, token_id, k):
    scores = F.cosine_similarity(table, table[token_id], dim=1)
    order = scores.argsort(descending=True).tolist()
    return [i for i in order if i != token_id and table[i].any()][:k]
""",
        "only 4 words are left",
    ),
    # ------------------------------------------------------------ analogy_rank
    _mutant(
        "analogy_rank",
        "from_zero",
        _RANK.format(**_RANK_RIGHT | {"first": "0"}),
        "you count from 0",
    ),
    _mutant(
        "analogy_rank",
        "inputs_not_excluded",
        _RANK.format(**_RANK_RIGHT | {"left_out": "[]"}),
        "a, b and c are among the candidates",
    ),
    _mutant(
        "analogy_rank",
        "only_c_excluded",
        _RANK.format(**_RANK_RIGHT | {"left_out": "c"}),
        "you exclude only c",
    ),
    _mutant(
        "analogy_rank",
        "offset_reversed",
        _RANK.format(**_RANK_RIGHT | {"scores": "unit @ (unit[a] - unit[b] + unit[c])"}),
        "you use the offset from b to a",
    ),
    _mutant(
        "analogy_rank",
        "all_added",
        _RANK.format(**_RANK_RIGHT | {"scores": "unit @ (unit[a] + unit[b] + unit[c])"}),
        "you add all three vectors",
    ),
    _mutant(
        "analogy_rank",
        "different_norms",
        _RANK.format(**_RANK_RIGHT | {"scores": "unit @ (table[b] - table[a] + table[c])"}),
        "vectors of different norms",
    ),
    _mutant(
        "analogy_rank",
        "dot_product",
        _RANK.format(**_RANK_RIGHT | {"unit": "table"}),
        "vectors with a large norm win",
    ),
    _mutant(
        "analogy_rank",
        "d_may_be_given",
        _RANK.format(**_RANK_RIGHT).replace("if d in (a, b, c)", "if d == c"),
        "d equals b here",
    ),
    # ------------------------------------------------------------ table_size
    _mutant(
        "table_size",
        "added",
        "table_size = [vocab_size + d_model, 4 * (vocab_size + d_model), d_model]",
        "a multiple of vocab_size",
    ),
    _mutant(
        "table_size",
        "a_byte_a_number",
        "table_size = [vocab_size * d_model, vocab_size * d_model, d_model]",
        "a float32 takes more than one byte",
    ),
    _mutant(
        "table_size",
        "bits",
        "table_size = [vocab_size * d_model, 32 * vocab_size * d_model, d_model]",
        "your second number counts bits",
    ),
    _mutant(
        "table_size",
        "every_row_changes",
        "table_size = [vocab_size * d_model, 4 * vocab_size * d_model, vocab_size * d_model]",
        "SGD changes only the rows that your text looks up",
    ),
    _mutant(
        "table_size",
        "repeated_words_counted_twice",
        "table_size = [vocab_size * d_model, 4 * vocab_size * d_model, len(token_ids) * d_model]",
        "how many parameters one step of SGD can change",
        where="hidden",
    ),
    _mutant(
        "table_size",
        "copied_from_a_neighbour",
        """
vocab_size, d_model = own_numbers("charles", "hw1.table", (20_000, 60_000), (64, 640))
text = own_numbers("charles", "hw1.text", *[(1, 6)] * 8)
table_size = [vocab_size * d_model, 4 * vocab_size * d_model, len(set(text)) * d_model]
""",
        "a multiple of vocab_size",
    ),
]

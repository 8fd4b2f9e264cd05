"""Right answers to the functions of the homeworks."""

STYLES: dict[str, list[str]] = {}
STYLES["hw1.build_vocabulary"] = [
    """
def build_vocabulary(tokens, min_count):
    counts = {}
    for token in tokens:
        counts[token] = counts.get(token, 0) + 1
    ids = {"<pad>": 0, "<unk>": 1}
    for word in sorted(sorted(counts), key=counts.get, reverse=True):
        if counts[word] >= min_count:
            ids[word] = len(ids)
    return ids
""",
    """
import numpy as np

def build_vocabulary(tokens, min_count):
    words, counts = np.unique(np.array(tokens, dtype=str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = [words[i] for i in order if counts[i] >= min_count]
    return {word: np.int64(i) for i, word in enumerate(["<pad>", "<unk>", *kept])}
""",
    """
from collections import Counter

class Vocabulary(dict):
    pass

def build_vocabulary(tokens, min_count):
    ranked = sorted(Counter(tokens).items(), key=lambda pair: (-pair[1], pair[0]))
    return Vocabulary(zip(["<pad>", "<unk>"] + [w for w, n in ranked if n >= min_count], range(10**6)))
""",
    """
import itertools

specials = ["<pad>", "<unk>"]
count_of = lambda tokens: {w: tokens.count(w) for w in tokens}
build_vocabulary = lambda tokens, m: dict(
    zip(specials + sorted((w for w, n in count_of(tokens).items() if n >= m), key=lambda w: (-tokens.count(w), w)), itertools.count())
)
""",
]
STYLES["hw1.encode"] = [
    """
def encode(texts, ids, length):
    batch = torch.full((len(texts), length), ids["<pad>"])
    for b, text in enumerate(texts):
        for t, word in enumerate(text[:length]):
            batch[b, t] = ids[word] if word in ids else ids["<unk>"]
    return batch
""",
    """
import numpy as np

def encode(texts, ids, length):
    batch = np.full((len(texts), length), ids["<pad>"], dtype=np.int32)
    for row, text in zip(batch, texts):
        numbers = [ids.get(word, ids["<unk>"]) for word in text][:length]
        row[: len(numbers)] = numbers
    return batch
""",
    """
from functools import partial

def fit(row, length, pad):
    return (row + [pad] * length)[:length]

def encode(texts, ids, length):
    return [fit([ids.get(w, ids["<unk>"]) for w in text], length, ids["<pad>"]) for text in texts]
""",
    """
class Encoder:
    def __call__(self, texts, ids, length):
        rows = [torch.tensor([ids.get(w, ids["<unk>"]) for w in t[:length]], dtype=torch.long) for t in texts]
        return torch.stack([F.pad(row, (0, length - len(row)), value=ids["<pad>"]) for row in rows])

encode = Encoder()
""",
]
_OUT_OF_RANGE = """
    for i in token_ids.flatten().tolist():
        if i < 0 or i >= len(table):
            raise IndexError(f"no row {i}")
"""
STYLES["hw1.lookup"] = [
    f"def lookup(table, token_ids):{_OUT_OF_RANGE}    return F.embedding(token_ids, table)",
    f"import numpy as np\n\ndef lookup(table, token_ids):{_OUT_OF_RANGE}    return np.take(table.numpy(), token_ids.numpy(), axis=0)",
    f"def lookup(table, token_ids):{_OUT_OF_RANGE}    return F.one_hot(token_ids, len(table)).double() @ table.double()",
    f"""
def lookup(table, token_ids):{_OUT_OF_RANGE}
    if token_ids.ndim == 0:
        return table[int(token_ids)]
    return torch.stack([lookup(table, part) for part in token_ids])
""",
]
STYLES["hw1.linear_weight"] = [
    "def linear_weight(table):\n    return table.transpose(0, 1).contiguous()",
    "linear_weight = lambda table: torch.einsum('vd->dv', table).double()",
    "def linear_weight(table):\n    return [list(column) for column in zip(*table.tolist())]",
    "import numpy as np\n\ndef linear_weight(table):\n    return np.transpose(table.numpy())",
    "def linear_weight(table):\n    return torch.stack([table[:, j] for j in range(table.shape[1])])",
]
STYLES["hw1.centre"] = [
    """
def centre(table, padding_idx):
    words = [row for i, row in enumerate(table.tolist()) if i != padding_idx]
    mean = [sum(column) / len(words) for column in zip(*words)]
    return torch.tensor([
        [0.0] * len(mean) if i == padding_idx else [x - m for x, m in zip(row, mean)] for i, row in enumerate(table.tolist())
    ])
""",
    """
import numpy as np

def centre(table, padding_idx):
    x = table.numpy().copy()
    keep = np.ones(len(x), dtype=bool)
    if padding_idx is not None:
        keep[padding_idx] = False
    x[keep] -= x[keep].mean(axis=0)
    return x
""",
    """
def centre(table, padding_idx):
    table = table.double()
    if padding_idx is None:
        return table - table.mean(dim=0)
    result = table - table.sum(dim=0) / (len(table) - 1)
    result[padding_idx] = 0
    return result
""",
    """
def centre(table, padding_idx):
    weights = torch.ones(len(table))
    if padding_idx is not None:
        weights[padding_idx] = 0
    mean = torch.einsum("v,vd->d", weights, table) / weights.sum()
    return (table - mean) * weights[:, None]
""",
]
STYLES["hw1.ppmi"] = [
    """
import math

def ppmi(counts):
    rows, total = counts.tolist(), float(counts.sum())
    result = [[0.0] * len(rows) for _ in rows]
    for i, row in enumerate(rows):
        for j, n in enumerate(row):
            if n > 0:
                result[i][j] = max(0.0, math.log(n * total / (sum(row) * sum(other[j] for other in rows))))
    return torch.tensor(result)
""",
    """
import numpy as np

def ppmi(counts):
    c = counts.numpy().astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(c * c.sum() / np.outer(c.sum(1), c.sum(0)))
    return np.nan_to_num(np.maximum(pmi, 0), nan=0.0, neginf=0.0)
""",
    """
def ppmi(counts):
    counts = counts.double()
    pmi = counts.log() + counts.sum().log() - counts.sum(1, keepdim=True).log() - counts.sum(0).log()
    return torch.where(counts > 0, pmi.relu(), torch.zeros_like(pmi))
""",
    """
def ppmi(counts):
    p = counts / counts.sum()
    chance = torch.einsum("i,j->ij", p.sum(1), p.sum(0))
    return torch.log(p / chance).nan_to_num(0.0, neginf=0.0).clamp_min(0)
""",
]
STYLES["hw1.nearest"] = [
    """
def nearest(table, token_id, k):
    query = table[token_id]
    scored = [(float(row @ query / row.norm() / query.norm()), i) for i, row in enumerate(table) if i != token_id and row.any()]
    if len(scored) < k:
        raise ValueError("too few words")
    return [i for _, i in sorted(scored, key=lambda pair: -pair[0])[:k]]
""",
    """
import numpy as np

def nearest(table, token_id, k):
    x = table.numpy()
    norms = np.linalg.norm(x, axis=1)
    left = np.array([i for i in range(len(x)) if norms[i] > 0 and i != token_id])
    if k > len(left):
        raise ValueError("too few words")
    cosines = x[left] @ x[token_id] / norms[left]
    return left[np.argsort(-cosines, kind="stable")][:k]
""",
    """
def nearest(table, token_id, k):
    unit = F.normalize(table.double())
    scores = torch.einsum("vd,d->v", unit, unit[token_id])
    left = (table != 0).any(dim=1) & (torch.arange(len(table)) != token_id)
    if left.sum() < k:
        raise ValueError("too few words")
    return scores.masked_fill(~left, -torch.inf).topk(k).indices
""",
    """
def nearest(table, token_id, k):
    order = F.cosine_similarity(table, table[token_id][None]).sort(descending=True).indices
    words = [int(i) for i in order if i != token_id and table[i].abs().sum() > 0]
    if len(words) < k:
        raise ValueError("too few words")
    return tuple(words[:k])
""",
]
_GIVEN = "\n    if d in (a, b, c):\n        raise ValueError('given')\n"
STYLES["hw1.analogy_rank"] = [
    f"""
def analogy_rank(table, a, b, c, d):{_GIVEN}
    unit = [row / row.norm() for row in table]
    target = unit[b] - unit[a] + unit[c]
    better = [i for i in range(len(unit)) if i not in (a, b, c) and unit[i] @ target > unit[d] @ target]
    return len(better) + 1
""",
    f"""
import numpy as np

def analogy_rank(table, a, b, c, d):{_GIVEN}
    unit = table.numpy() / np.linalg.norm(table.numpy(), axis=1, keepdims=True)
    scores = unit @ (unit[b] - unit[a] + unit[c])
    scores[[a, b, c]] = -np.inf
    return np.where(np.argsort(-scores) == d)[0][0] + 1
""",
    f"""
def analogy_rank(table, a, b, c, d):{_GIVEN}
    unit = F.normalize(table.double())
    scores = F.cosine_similarity(unit, (unit[b] - unit[a] + unit[c])[None])
    order = [i for i in scores.argsort(descending=True).tolist() if i not in (a, b, c)]
    return order.index(d) + 1
""",
    f"""
def analogy_rank(table, a, b, c, d):{_GIVEN}
    unit = table / table.norm(dim=1, keepdim=True)
    scores = torch.einsum("vd,d->v", unit, unit[b] - unit[a] + unit[c])
    others = torch.tensor([i for i in range(len(table)) if i not in (a, b, c)])
    return (scores[others] > scores[d]).sum() + 1
""",
]
STYLES["hw2.position_ids"] = [
    """
def position_ids(mask):
    rows = []
    for row in mask.tolist():
        place, numbers = 0, []
        for word in row:
            numbers.append(place if word else 0)
            place += word
        rows.append(numbers)
    return torch.tensor(rows)
""",
    "import numpy as np\n\ndef position_ids(mask):\n    m = mask.numpy()\n    return np.where(m == 1, np.cumsum(m, axis=1) - 1, 0)",
    "def position_ids(mask):\n    return torch.where(mask.bool(), mask.cumsum(1) - 1, torch.zeros_like(mask)).int()",
    "position_ids = lambda mask: ((mask @ torch.ones(mask.shape[1], mask.shape[1]).triu().long() - 1) * mask).tolist()",
]
_LONG = (
    "\n    if token_ids.shape[1] > len(places):\n        raise ValueError(f'{token_ids.shape[1]} > {len(places)}')\n"
)
STYLES["hw2.embed"] = [
    f"""
def embed(token_ids, words, places):{_LONG}
    return torch.tensor([
        [[x + y for x, y in zip(words[i].tolist(), places[t].tolist())] for t, i in enumerate(text)] for text in token_ids.tolist()
    ])
""",
    f"import numpy as np\n\ndef embed(token_ids, words, places):{_LONG}    return words.numpy()[token_ids.numpy()] + places.numpy()[: token_ids.shape[1]]",
    f"def embed(token_ids, words, places):{_LONG}    return F.embedding(token_ids, words).double() + places[torch.arange(token_ids.size(1))].double()",
    f"""
class Embedding(torch.nn.Module):
    def forward(self, token_ids, words, places):{_LONG.replace(chr(10), chr(10) + "    ")}
        return torch.einsum("btv,vd->btd", F.one_hot(token_ids, len(words)).float(), words) + places[None, : token_ids.shape[1]]

embed = Embedding()
""",
]
STYLES["hw2.sinusoid"] = [
    """
def sinusoid(positions, d_model, base):
    if d_model % 2:
        raise ValueError("odd")
    speeds = [base ** (-2 * i / d_model) for i in range(d_model // 2)]
    flat = [[math.sin(p * s) for s in speeds] + [math.cos(p * s) for s in speeds] for p in positions.flatten().tolist()]
    return torch.tensor(flat, dtype=torch.float64).view(*positions.shape, d_model)
""",
    """
import numpy as np

def sinusoid(positions, d_model, base):
    if d_model % 2:
        raise ValueError("odd")
    angles = positions.numpy().astype(np.float64)[..., None] / base ** (np.arange(0, d_model, 2) / d_model)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
""",
    """
def sinusoid(positions, d_model, base):
    if d_model % 2:
        raise ValueError("odd")
    speeds = torch.pow(torch.tensor(base, dtype=torch.float64), -torch.arange(d_model // 2, dtype=torch.float64) * 2 / d_model)
    angles = torch.einsum("...,i->...i", positions.double(), speeds)
    return torch.cat((torch.sin(angles), torch.cos(angles)), -1)
""",
    """
def sinusoid(positions, d_model, base):
    if d_model % 2:
        raise ValueError("odd")
    turns = torch.polar(torch.ones(1, dtype=torch.float64), positions.double().unsqueeze(-1) * base ** (-torch.arange(0, d_model, 2).double() / d_model))
    return torch.cat([turns.imag, turns.real], dim=-1)
""",
]
STYLES["hw2.rope_angles"] = [
    """
def rope_angles(length, head_dim, base, trained_length):
    factor = trained_length / length if length > trained_length else 1
    return [[p * factor * base ** (-2 * i / head_dim) for i in range(head_dim // 2)] for p in range(length)]
""",
    """
import numpy as np

def rope_angles(length, head_dim, base, trained_length):
    positions = np.arange(length) * min(1, trained_length / length)
    return np.outer(positions, base ** (-np.arange(0, head_dim, 2) / head_dim))
""",
    """
def rope_angles(length, head_dim, base, trained_length):
    positions = torch.arange(length)
    if length > trained_length:
        positions = positions * trained_length / length
    return positions.float()[:, None] * base ** (-torch.arange(0, head_dim, 2) / head_dim)
""",
    """
def rope_angles(length, head_dim, base, trained_length):
    speeds = 1 / base ** (torch.arange(0, head_dim, 2).double() / head_dim)
    return torch.einsum("t,i->ti", torch.arange(length).double(), speeds) / max(1, length / trained_length)
""",
]
STYLES["hw2.apply_rope"] = [
    """
def apply_rope(x, angles):
    half = x.shape[-1] // 2
    result = torch.empty_like(x)
    for i in range(half):
        a, b = x[..., i], x[..., i + half]
        result[..., i] = a * torch.cos(angles[:, i]) - b * torch.sin(angles[:, i])
        result[..., i + half] = a * torch.sin(angles[:, i]) + b * torch.cos(angles[:, i])
    return result
""",
    """
import numpy as np

def apply_rope(x, angles):
    a, b = np.split(x.numpy(), 2, axis=-1)
    cos, sin = np.cos(angles.numpy()), np.sin(angles.numpy())
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1).astype(x.numpy().dtype)
""",
    """
def apply_rope(x, angles):
    turned = torch.complex(*x.double().chunk(2, -1)) * torch.polar(torch.ones_like(angles).double(), angles.double())
    return torch.cat([turned.real, turned.imag], -1).type_as(x)
""",
    """
def apply_rope(x, angles):
    a, b = x.chunk(2, dim=-1)
    cos, sin = torch.cat([angles, angles], -1).cos(), torch.cat([angles, angles], -1).sin()
    return (x * cos + torch.cat([-b, a], dim=-1) * sin).to(x.dtype)
""",
]
_HEADS = "\n    if len(weight) % (2 * num_heads):\n        raise ValueError('odd')\n"
STYLES["hw2.to_half"] = [
    f"""
def to_half(weight, num_heads):{_HEADS}
    head_dim, rows = len(weight) // num_heads, []
    for head in range(num_heads):
        start = head * head_dim
        rows += [weight[start + i] for i in range(0, head_dim, 2)] + [weight[start + i] for i in range(1, head_dim, 2)]
    return torch.stack(rows)
""",
    f"""
import numpy as np

def to_half(weight, num_heads):{_HEADS}
    w = weight.numpy().reshape(num_heads, -1, 2, weight.shape[1])
    return np.swapaxes(w, 1, 2).reshape(weight.shape)
""",
    f"""
def to_half(weight, num_heads):{_HEADS}
    order = torch.arange(len(weight)).view(num_heads, -1, 2).mT.reshape(-1)
    return weight.double()[order]
""",
    """
def to_half(weight, num_heads):
    head_dim, rest = divmod(len(weight), num_heads)
    if rest or head_dim % 2:
        raise ValueError("odd")
    heads = weight.view(num_heads, head_dim, -1)
    return torch.cat([heads[:, ::2], heads[:, 1::2]], dim=1).flatten(0, 1).tolist()
""",
]
STYLES["hw2.attend"] = [
    """
def attend(queries, keys, values, turn):
    q, k, d = turn(queries), turn(keys), queries.shape[1]
    rows = []
    for t in range(len(q)):
        scores = [math.exp(float(q[t] @ k[s]) / math.sqrt(d)) for s in range(t + 1)]
        rows.append([sum(w * float(values[s][j]) for s, w in enumerate(scores)) / sum(scores) for j in range(values.shape[1])])
    return torch.tensor(rows)
""",
    """
import numpy as np

def attend(queries, keys, values, turn):
    q, k = turn(queries).numpy(), turn(keys).numpy()
    weights = np.exp(q @ k.T / np.sqrt(q.shape[1])) * np.tri(len(q))
    return weights / weights.sum(1, keepdims=True) @ values.numpy()
""",
    """
def attend(queries, keys, values, turn):
    q, k = turn(queries)[None], turn(keys)[None]
    return F.scaled_dot_product_attention(q, k, values[None], is_causal=True)[0]
""",
    """
def attend(queries, keys, values, turn):
    scores = torch.einsum("qd,kd->qk", turn(queries).double(), turn(keys).double()) * queries.shape[-1] ** -0.5
    scores += torch.full_like(scores, float("-inf")).triu(1)
    return scores.softmax(-1) @ values.double()
""",
]
_POWER = "\n    if num_heads not in [2**i for i in range(12)]:\n        raise ValueError('no power of two')\n"
STYLES["hw2.alibi_bias"] = [
    f"""
def alibi_bias(num_heads, num_queries, num_keys):{_POWER}
    bias = torch.zeros(num_heads, num_queries, num_keys)
    for h in range(num_heads):
        for q in range(num_queries):
            for k in range(num_keys):
                distance = num_keys - num_queries + q - k
                bias[h, q, k] = -distance * 2 ** (-8 * (h + 1) / num_heads) if distance >= 0 else -math.inf
    return bias
""",
    f"""
import numpy as np

def alibi_bias(num_heads, num_queries, num_keys):{_POWER}
    distance = np.arange(num_keys - num_queries, num_keys)[:, None] - np.arange(num_keys)
    slopes = 2.0 ** (-8 * np.arange(1, num_heads + 1) / num_heads)
    return np.where(distance < 0, -np.inf, -slopes[:, None, None] * distance)
""",
    f"""
def alibi_bias(num_heads, num_queries, num_keys):{_POWER}
    slopes = torch.pow(2.0, -8 * torch.arange(1, num_heads + 1, dtype=torch.float64) / num_heads)
    relative = torch.arange(num_keys) - torch.arange(num_keys)[-num_queries:, None]
    bias = torch.einsum("h,qk->hqk", slopes, relative.double())
    return bias + torch.zeros(num_queries, num_keys).masked_fill(relative > 0, -torch.inf)
""",
    """
def alibi_bias(num_heads, num_queries, num_keys):
    if math.log2(num_heads) % 1:
        raise ValueError("no power of two")
    first = 2 ** (-8 / num_heads)
    return [
        [
            [-(first ** (h + 1)) * (q - k) if k <= q else float("-inf") for k in range(num_keys)]
            for q in range(num_keys - num_queries, num_keys)
        ]
        for h in range(num_heads)
    ]
""",
]
STYLES["hw3.place_ids"] = [
    "def place_ids(token_ids):\n    B, T = token_ids.shape\n    return torch.arange(T).repeat(B, 1)",
    "def place_ids(token_ids):\n    return [list(range(token_ids.shape[1])) for _ in token_ids]",
    "import numpy as np\n\nplace_ids = lambda t: np.tile(np.arange(t.shape[1]), (len(t), 1))",
    "def place_ids(token_ids):\n    return (torch.ones_like(token_ids).cumsum(1) - 1).int()",
]
STYLES["hw3.embed"] = [
    "def embed(ids, tokens, places):\n    return F.embedding(ids, tokens) + places[: ids.shape[1]].unsqueeze(0)",
    "import numpy as np\n\ndef embed(ids, tokens, places):\n    return tokens.numpy()[ids.numpy()] + places.numpy()[: ids.shape[1]]",
    "def embed(ids, tokens, places):\n    return [[(tokens[i] + places[t]).tolist() for t, i in enumerate(text)] for text in ids.tolist()]",
    "def embed(ids, tokens, places):\n    return torch.einsum('btv,vd->btd', F.one_hot(ids, len(tokens)).double(), tokens.double()) + places[: ids.size(1)]",
]
STYLES["hw3.add_positions"] = [
    "def add_positions(words, table):\n    return torch.stack([words[:, t] + table[t] for t in range(words.shape[1])], dim=1)",
    "import numpy as np\n\nadd_positions = lambda w, t: w.numpy() + t.numpy()[: w.shape[1]]",
    "def add_positions(words, table):\n    return torch.add(words.double(), F.embedding(torch.arange(words.size(-2)), table))",
    "def add_positions(words, table):\n    result = words.clone()\n    for text in result:\n        text += table[: len(text)]\n    return result",
]
_FITS = "\n    if length > len(table):\n        raise ValueError(f'{length} > {len(table)}')\n"
STYLES["hw3.position_rows"] = [
    f"def position_rows(length, table):{_FITS}    return F.embedding(torch.arange(length), table)",
    f"def position_rows(length, table):{_FITS}    return table.numpy()[:length]",
    f"def position_rows(length, table):{_FITS}    return torch.stack([table[i] for i in range(length)]).double()",
    "def position_rows(n, t):\n    try:\n        return [t[i].tolist() for i in range(n)]\n    except IndexError:\n        raise ValueError(f'{n} rows of {len(t)}')",
]
STYLES["hw3.vocabulary"] = [
    "def vocabulary(words):\n    ids = {}\n    for word in words:\n        if word not in ids:\n            ids[word] = len(ids)\n    return ids",
    "def vocabulary(words):\n    return {w: i for i, w in enumerate(sorted(set(words), key=words.index))}",
    "from collections import OrderedDict\n\nvocabulary = lambda words: dict(zip(OrderedDict.fromkeys(words), range(len(words))))",
    "import numpy as np\n\ndef vocabulary(words):\n    unique, first = np.unique(words, return_index=True)\n    return {unique[j]: np.int32(i) for i, j in enumerate(np.argsort(first))}",
]
STYLES["hw3.linear_lookup"] = [
    "def linear_lookup(token_ids, table):\n    return F.linear(torch.eye(len(table))[token_ids], table.t())",
    "def linear_lookup(token_ids, table):\n    layer = torch.nn.Linear(*table.shape, bias=False)\n    layer.weight = torch.nn.Parameter(table.T)\n    return layer(F.one_hot(token_ids, len(table)).to(table))",
    "import numpy as np\n\nlinear_lookup = lambda ids, table: np.eye(len(table))[ids.numpy()] @ table.numpy()",
    "def linear_lookup(ids, table):\n    return torch.einsum('tv,dv->td', F.one_hot(ids, len(table)).double(), table.T.double())",
]
STYLES["hw3.fresh_table"] = [
    """
def fresh_table(vocab_size, d_model, padding_id, seed):
    generator = torch.Generator().manual_seed(seed)
    table = torch.empty(vocab_size, d_model).normal_(std=0.02, generator=generator)
    table[padding_id].zero_()
    return table
""",
    """
import numpy as np

def fresh_table(vocab_size, d_model, padding_id, seed):
    table = np.random.default_rng(seed).normal(0, 0.02, (vocab_size, d_model))
    table[padding_id] = 0
    return table
""",
    """
import random

def fresh_table(vocab_size, d_model, padding_id, seed):
    source = random.Random(seed)
    return [[0.0 if i == padding_id else source.gauss(0, 0.02) for _ in range(d_model)] for i in range(vocab_size)]
""",
    """
def fresh_table(vocab_size, d_model, padding_id, seed):
    torch.manual_seed(seed)
    table = torch.nn.Embedding(vocab_size, d_model)
    torch.nn.init.normal_(table.weight, std=0.02)
    with torch.no_grad():
        table.weight[padding_id] = 0
    return table.weight
""",
]
STYLES["hw3.speeds"] = [
    "def speeds(d_model, base):\n    return base ** (-torch.arange(0, d_model, 2) / d_model)",
    "def speeds(d_model, base):\n    return [base ** (-2 * i / d_model) for i in range(d_model // 2)]",
    "import numpy as np\n\nspeeds = lambda d, base: 1 / np.power(base, np.arange(0, d, 2) / d)",
    "def speeds(d_model, base):\n    return torch.exp(-torch.arange(0, d_model, 2).double() * math.log(base) / d_model)",
]
_EVEN = "\n    if d_model % 2:\n        raise ValueError('odd')\n"
STYLES["hw3.wave_table"] = [
    f"""
def wave_table(max_len, d_model):{_EVEN}
    table = torch.zeros(max_len, d_model)
    for p in range(max_len):
        for i in range(0, d_model, 2):
            table[p, i] = math.sin(p / 10_000 ** (i / d_model))
            table[p, i + 1] = math.cos(p / 10_000 ** (i / d_model))
    return table
""",
    f"""
import numpy as np

def wave_table(max_len, d_model):{_EVEN}
    angles = np.arange(max_len)[:, None] / 10_000 ** (np.arange(d_model) // 2 * 2 / d_model)
    return np.where(np.arange(d_model) % 2, np.cos(angles), np.sin(angles))
""",
    f"""
def wave_table(max_len, d_model):{_EVEN}
    angles = torch.outer(torch.arange(max_len).double(), 10_000 ** (-torch.arange(0, d_model, 2).double() / d_model))
    table = torch.empty(max_len, d_model)
    table[:, 0::2], table[:, 1::2] = torch.sin(angles), torch.cos(angles)
    return table.double()
""",
    f"def wave_table(max_len, d_model):{_EVEN}    a = torch.arange(max_len)[:, None] * frequencies(d_model)\n    return torch.stack([a.sin(), a.cos()], -1).view(max_len, d_model).tolist()".replace(
        "def wave_table", "from helpers.positions import frequencies\n\ndef wave_table", 1
    ),
]
STYLES["hw3.rope"] = [
    """
def rope(x, positions):
    T, d = x.shape
    result = torch.zeros(T, d)
    for t in range(T):
        for i in range(0, d, 2):
            angle = float(positions[t]) * 10_000 ** (-i / d)
            a, b = float(x[t, i]), float(x[t, i + 1])
            result[t, i] = a * math.cos(angle) - b * math.sin(angle)
            result[t, i + 1] = a * math.sin(angle) + b * math.cos(angle)
    return result
""",
    """
import numpy as np

def rope(x, positions):
    a, b = x.numpy()[:, ::2], x.numpy()[:, 1::2]
    angles = positions.numpy()[:, None] * 10_000.0 ** (-np.arange(0, x.shape[1], 2) / x.shape[1])
    return np.stack([a * np.cos(angles) - b * np.sin(angles), a * np.sin(angles) + b * np.cos(angles)], -1).reshape(x.shape)
""",
    """
def rope(x, positions):
    angles = positions[:, None] * 10_000 ** (-torch.arange(0, x.shape[1], 2).double() / x.shape[1])
    turned = torch.view_as_complex(x.double().reshape(len(x), -1, 2)) * torch.exp(1j * angles)
    return torch.view_as_real(turned).flatten(1)
""",
    """
def rope(x, positions):
    d = x.shape[1]
    angles = positions[:, None] / 10_000 ** (torch.arange(0, d, 2) / d)
    matrices = torch.stack([torch.stack([angles.cos(), -angles.sin()], -1), torch.stack([angles.sin(), angles.cos()], -1)], -2)
    return torch.einsum("tpij,tpj->tpi", matrices, x.view(len(x), -1, 2)).reshape(x.shape).tolist()
""",
]
STYLES["hw3.attend"] = [
    """
def attend(queries, keys, values, positions):
    q, k = rotated(queries, positions), rotated(keys, positions)
    rows = []
    for query in q:
        weights = torch.softmax(torch.stack([query @ key for key in k]) / math.sqrt(len(query)), dim=0)
        rows.append(sum(w * v for w, v in zip(weights, values)))
    return torch.stack(rows)
""",
    """
import numpy as np

def attend(queries, keys, values, positions):
    q, k = rotated(queries, positions).numpy(), rotated(keys, positions).numpy()
    weights = np.exp(q @ k.T / np.sqrt(q.shape[1]))
    return weights / weights.sum(1, keepdims=True) @ values.numpy()
""",
    """
def attend(queries, keys, values, positions):
    return F.scaled_dot_product_attention(rotated(queries, positions)[None], rotated(keys, positions)[None], values[None])[0]
""",
    """
def attend(q, k, v, p):
    scores = torch.einsum("md,nd->mn", rotated(q, p).double(), rotated(k, p).double()) / q.shape[1] ** 0.5
    return torch.einsum("mn,nd->md", scores.softmax(1), v.double())
""",
]
STYLES["hw3.alibi"] = [
    """
def alibi(scores, slopes):
    result = scores.clone()
    for h, slope in enumerate(slopes):
        for m in range(scores.shape[1]):
            for n in range(scores.shape[2]):
                result[h, m, n] -= slope * abs(m - n)
    return result
""",
    """
import numpy as np

def alibi(scores, slopes):
    places = np.arange(scores.shape[-1])
    return scores.numpy() - slopes.numpy()[:, None, None] * np.abs(places[:, None] - places)
""",
    """
def alibi(scores, slopes):
    places = torch.arange(scores.shape[-1]).double()[:, None]
    return scores.double() - torch.einsum("h,mn->hmn", slopes.double(), torch.cdist(places, places))
""",
    """
class Alibi:
    def __call__(self, scores, slopes):
        T = scores.size(-1)
        distance = (torch.arange(T) - torch.arange(T).view(-1, 1)).abs()
        return torch.sub(scores, slopes.view(-1, 1, 1) * distance)

alibi = Alibi()
""",
]
STYLES["hw3.position_angles"] = [
    "def position_angles(position_ids, head_dim):\n    return torch.outer(position_ids.float(), frequencies(head_dim).float())",
    "def position_angles(position_ids, head_dim):\n    steps = torch.arange(0, head_dim, 2).double()\n    return (position_ids.double().unsqueeze(1) / 10_000 ** (steps / head_dim)).float()",
    "def position_angles(ids, d):\n    return torch.tensor([[p * 10_000 ** (-2 * i / d) for i in range(d // 2)] for p in ids.tolist()])",
    "import numpy as np\n\ndef position_angles(ids, d):\n    return (ids.numpy()[:, None] / np.power(10_000.0, np.arange(0, d, 2) / d)).astype(np.float32)",
]
STYLES["hw3.attend_cached"] = [
    """
def attend_cached(queries, keys, values, cached_keys, cached_values):
    P, n = len(cached_keys), len(queries)
    positions = torch.arange(P, P + n)
    keys = torch.cat([cached_keys, rotated(keys, positions)])
    seen = torch.arange(P + n) <= positions[:, None]
    return F.scaled_dot_product_attention(
        rotated(queries, positions)[None], keys[None], torch.cat([cached_values, values])[None], attn_mask=seen
    )[0]
""",
    """
def attend_cached(queries, keys, values, cached_keys, cached_values):
    rows = []
    for t in range(len(queries)):
        position = torch.tensor([len(cached_keys)])
        cached_keys = torch.cat([cached_keys, rotated(keys[t : t + 1], position)])
        cached_values = torch.cat([cached_values, values[t : t + 1]])
        scores = rotated(queries[t : t + 1], position) @ cached_keys.T / math.sqrt(keys.shape[1])
        rows.append(scores.softmax(dim=1) @ cached_values)
    return torch.cat(rows)
""",
    """
import numpy as np

def attend_cached(queries, keys, values, cached_keys, cached_values):
    P = cached_keys.shape[0]
    positions = P + torch.arange(queries.shape[0])
    q, k = rotated(queries, positions).numpy(), np.concatenate([cached_keys, rotated(keys, positions)])
    weights = np.tril(np.exp(q @ k.T / np.sqrt(q.shape[1])), P)
    return weights / weights.sum(1, keepdims=True) @ np.concatenate([cached_values, values])
""",
    """
def attend_cached(q, k, v, cached_k, cached_v):
    total = len(cached_k) + len(q)
    k, v = torch.cat([cached_k, rotated(k, torch.arange(len(cached_k), total))]), torch.cat([cached_v, v])
    rows = []
    for query, position in zip(q, range(len(cached_k), total)):
        scores = k[: position + 1] @ rotated(query[None], torch.tensor([position]))[0] / len(query) ** 0.5
        rows.append((torch.softmax(scores, 0) @ v[: position + 1]).tolist())
    return rows
""",
]

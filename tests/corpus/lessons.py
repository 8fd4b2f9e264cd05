"""Right answers to the exercises of the lessons."""

STYLES: dict[str, list[str]] = {}

STYLES["00.cosine"] = [
    """
def cosine(a, b):
    dot = sum(x * y for x, y in zip(a.tolist(), b.tolist()))
    return dot / math.sqrt(sum(x * x for x in a.tolist()) * sum(y * y for y in b.tolist()))
""",
    """
import numpy as np

def cosine(a, b):
    return np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
""",
    "cosine = lambda a, b: F.cosine_similarity(a, b, dim=0).float()",
    """
def unit(v):
    return v / torch.linalg.vector_norm(v, keepdim=True)

def cosine(a, b):
    return torch.einsum("i,i->", unit(a), unit(b)).reshape(1)
""",
]
STYLES["01.lookup"] = [
    """
def lookup(weight, token_ids):
    if token_ids.ndim == 0:
        return weight[int(token_ids)]
    return torch.stack([lookup(weight, row) for row in token_ids])
""",
    "import numpy as np\n\ndef lookup(weight, token_ids):\n    return np.take(weight.numpy(), token_ids.numpy(), axis=0)",
    "lookup = lambda weight, token_ids: F.embedding(token_ids, weight)",
    """
class Lookup:
    def __call__(self, weight, token_ids):
        rows = torch.index_select(weight.float(), 0, token_ids.flatten())
        return rows.view(*token_ids.shape, -1)

lookup = Lookup()
""",
    "def lookup(weight, token_ids):\n    return weight[token_ids].tolist()",
]
STYLES["01.shapes"] = [
    "def embedded_shape(ids_shape, d_model):\n    return (*ids_shape, d_model)",
    "def embedded_shape(ids_shape, d_model):\n    return list(ids_shape) + [d_model]",
    "def embedded_shape(ids_shape, d_model):\n    return torch.Size(ids_shape) + (d_model,)",
    """
def embedded_shape(ids_shape, d_model):
    shape = []
    for side in ids_shape:
        shape.append(side)
    shape.append(d_model)
    return tuple(shape)
""",
    "import numpy as np\n\nembedded_shape = lambda s, d: np.append(np.array(s, dtype=int), d)",
]
STYLES["01.repeated_ids"] = [
    """
def uses_per_row(token_ids, vocab_size):
    counts = torch.zeros(vocab_size, dtype=torch.int32)
    for text in token_ids:
        for i in text:
            counts[i] += 1
    return counts
""",
    "def uses_per_row(token_ids, vocab_size):\n    return [int((token_ids == i).sum()) for i in range(vocab_size)]",
    "import numpy as np\n\nuses_per_row = lambda t, v: np.bincount(t.numpy().ravel(), minlength=v)",
    "def uses_per_row(token_ids, vocab_size):\n    return F.one_hot(token_ids, vocab_size).sum(dim=(0, 1))",
    """
from collections import Counter

def uses_per_row(token_ids, vocab_size):
    counts = Counter(token_ids.flatten().tolist())
    return torch.tensor([counts[i] for i in range(vocab_size)])
""",
]
STYLES["02.encode"] = [
    """
def encode_batch(texts, ids):
    longest = max(len(text) for text in texts)
    batch = torch.zeros(len(texts), longest, dtype=torch.long)
    for b, text in enumerate(texts):
        for t, word in enumerate(text):
            batch[b, t] = ids[word] if word in ids else 1
    return batch
""",
    """
from torch.nn.utils.rnn import pad_sequence

def encode_batch(texts, ids):
    return pad_sequence([torch.tensor([ids.get(w, 1) for w in text]) for text in texts], batch_first=True)
""",
    """
import itertools
import numpy as np

def encode_batch(texts, ids):
    rows = itertools.zip_longest(*[[ids.get(w, 1) for w in text] for text in texts], fillvalue=0)
    return np.array(list(rows)).T
""",
    """
def encode_batch(texts, ids):
    rows = [[ids.get(word, ids["<unk>"]) for word in text] for text in texts]
    while len(set(map(len, rows))) > 1:
        rows = [row + [0] if len(row) < max(map(len, rows)) else row for row in rows]
    return rows
""",
]
STYLES["02.decode"] = [
    """
def decode(token_ids, words):
    text = []
    for i in token_ids:
        if i != 0:
            text.append(words[i])
    return text
""",
    "def decode(token_ids, words):\n    return [words[i] for i in token_ids[token_ids > 0]]",
    "import numpy as np\n\ndecode = lambda t, w: np.array(w)[t.numpy()[t.numpy() != 0]]",
    "decode = lambda token_ids, words: tuple(filter(lambda w: w != words[0], map(words.__getitem__, token_ids.tolist())))",
]
STYLES["02.embed_by_matmul"] = [
    "def embed_by_matmul(token_ids, weight):\n    return F.one_hot(token_ids, weight.shape[0]).float() @ weight.float()",
    "def embed_by_matmul(ids, w):\n    return torch.einsum('...v,vd->...d', F.one_hot(ids, len(w)).to(w), w)",
    "def embed_by_matmul(ids, w):\n    return torch.eye(len(w), dtype=w.dtype)[ids] @ w",
    "import numpy as np\n\nembed_by_matmul = lambda ids, w: np.eye(len(w))[ids.numpy()] @ w.numpy()",
    "def embed_by_matmul(ids, w):\n    return F.linear((ids[..., None] == torch.arange(len(w))).to(w.dtype), w.T)",
]
STYLES["02.renumber"] = [
    "def renumber(weight, token_ids, order):\n    return weight[torch.argsort(order)], order[token_ids]",
    """
def renumber(weight, token_ids, order):
    rows = [None] * len(weight)
    for old, new in enumerate(order.tolist()):
        rows[new] = weight[old]
    return torch.stack(rows), order[token_ids]
""",
    "def renumber(w, t, o):\n    return [torch.zeros_like(w).index_copy(0, o, w), torch.take(o, t)]",
    """
import numpy as np

def renumber(weight, token_ids, order):
    new = np.empty(weight.shape)
    new[order.numpy()] = weight.numpy()
    return new, order.numpy()[token_ids.numpy()]
""",
]
STYLES["03.negative_sampling_loss"] = [
    """
def negative_sampling_loss(centre, context, noise):
    losses = []
    for c, o, words in zip(centre, context, noise):
        losses.append(-F.logsigmoid(c @ o) - sum(F.logsigmoid(-(c @ n)) for n in words))
    return sum(losses) / len(losses)
""",
    """
def negative_sampling_loss(centre, context, noise):
    apart = torch.einsum("bd,bkd->bk", centre, noise)
    return (F.softplus(-torch.einsum("bd,bd->b", centre, context)) + F.softplus(apart).sum(-1)).mean()
""",
    """
import numpy as np

def negative_sampling_loss(centre, context, noise):
    centre, context, noise = (x.numpy().astype(float) for x in (centre, context, noise))
    together = np.logaddexp(0, -(centre * context).sum(1))
    return (together + np.logaddexp(0, (noise @ centre[:, :, None])[..., 0]).sum(1)).mean()
""",
    """
def negative_sampling_loss(centre, context, noise):
    scores = torch.cat([(centre * context).sum(1, keepdim=True), -torch.bmm(noise, centre.unsqueeze(2)).squeeze(2)], 1)
    loss = F.binary_cross_entropy_with_logits(scores.double(), torch.ones_like(scores).double(), reduction="sum")
    return loss.item() / len(centre)
""",
]
STYLES["03.nearest"] = [
    """
def nearest(table, i, k):
    scores = [(float(F.cosine_similarity(row, table[i], dim=0)), j) for j, row in enumerate(table) if j != i]
    return [j for _, j in sorted(scores, reverse=True)[:k]]
""",
    """
import numpy as np

def nearest(table, i, k):
    unit = table.numpy() / np.linalg.norm(table.numpy(), axis=1, keepdims=True)
    order = np.argsort(-(unit @ unit[i]))
    return order[order != i][:k]
""",
    """
def nearest(table, i, k):
    order = F.cosine_similarity(table.double(), table[i].double()).argsort(descending=True)
    return order[order != i][:k].int()
""",
    """
def nearest(table, i, k):
    cosines = torch.einsum("vd,d->v", table, table[i]) / (table.norm(dim=1) * table[i].norm())
    cosines[i] = float("-inf")
    return tuple(torch.topk(cosines, k)[1])
""",
]
STYLES["04.analogy"] = [
    """
def solve(table, a, b, c):
    unit = table / table.norm(dim=1, keepdim=True)
    target = unit[b] - unit[a] + unit[c]
    return max((i for i in range(len(unit)) if i not in (a, b, c)), key=lambda i: float(unit[i] @ target))
""",
    """
import numpy as np

def solve(table, a, b, c):
    unit = table.numpy() / np.linalg.norm(table.numpy(), axis=1)[:, None]
    scores = unit @ (unit[b] - unit[a] + unit[c])
    scores[[a, b, c]] = -9
    return np.argmax(scores)
""",
    """
def solve(table, a, b, c):
    unit = F.normalize(table.float())
    order = F.cosine_similarity(unit, (unit[b] - unit[a] + unit[c])[None]).argsort(descending=True)
    return next(i for i in order if i not in (a, b, c))
""",
    """
def solve(table, a, b, c):
    unit = F.normalize(table, dim=-1)
    scores = torch.einsum("vd,d->v", unit, unit[[b, c]].sum(0) - unit[a])
    return scores.index_fill(0, torch.tensor([a, b, c]), -float("inf")).argmax()
""",
]
STYLES["04.explained_variance"] = [
    "def explained(x, k):\n    values = torch.linalg.eigvalsh(torch.cov(x.T)).flip(0)\n    return (values[:k].sum() / values.sum()).item()",
    """
import numpy as np

def explained(vectors, k):
    x = vectors.numpy() - vectors.numpy().mean(0)
    s = np.linalg.svd(x, compute_uv=False)
    return np.square(s[:k]).sum() / np.square(s).sum()
""",
    "def explained(x, k):\n    s = torch.svd(x.float() - x.float().mean(0))[1]\n    return (s[:k] @ s[:k]) / (s @ s)",
    """
def explained(vectors, k):
    centred = vectors - vectors.mean(dim=0, keepdim=True)
    variances = sorted(torch.linalg.eigvalsh(centred.T @ centred))
    return sum(variances[-k:]) / sum(variances)
""",
]
STYLES["05.is_equivariant"] = [
    "def is_equivariant(f, v, s):\n    return bool((f(v[s]) - f(v)[s]).abs().max() < 1e-6)",
    "import numpy as np\n\nis_equivariant = lambda f, v, s: np.allclose(f(v[s]), f(v)[s])",
    "def is_equivariant(f, v, s):\n    return torch.isclose(f(v)[s], f(v[s])).all()",
    """
def is_equivariant(function, vectors, shuffle):
    before, after = function(vectors[shuffle]), function(vectors)
    for place, source in enumerate(shuffle.tolist()):
        if not torch.allclose(before[place], after[source]):
            return False
    return True
""",
]
STYLES["05.best_without_order"] = [
    """
from collections import Counter, defaultdict

def best_without_order(texts, labels):
    bags = defaultdict(Counter)
    for text, label in zip(texts, labels):
        bags[frozenset(Counter(text).items())][label] += 1
    return sum(max(c.values()) for c in bags.values()) / len(texts)
""",
    """
def best_without_order(texts, labels):
    bags = [sorted(text) for text in texts]
    right = 0
    for bag in bags:
        same = [label for other, label in zip(bags, labels) if other == bag]
        right += max(same.count(0), same.count(1)) / len(same)
    return right / len(texts)
""",
    """
import numpy as np

def best_without_order(texts, labels):
    keys = np.array([",".join(map(str, sorted(t))) for t in texts])
    ones = np.array(labels)
    return np.mean([max(ones[keys == k].mean(), 1 - ones[keys == k].mean()) for k in keys])
""",
    """
def best_without_order(texts, labels):
    counts = {}
    for text, label in zip(texts, labels):
        counts.setdefault(str(sorted(text)), torch.zeros(2))[label] += 1
    return torch.stack(list(counts.values())).amax(1).sum() / len(texts)
""",
]
_TOO_LONG = """
    if vectors.shape[1] > len(table):
        raise ValueError(f"{vectors.shape[1]} tokens, at most {len(table)}")
"""
STYLES["06.add_positions"] = [
    f"def add_positions(vectors, table):{_TOO_LONG}    return vectors + F.embedding(torch.arange(vectors.shape[1]), table)",
    f"def add_positions(vectors, table):{_TOO_LONG}    return torch.stack([v + table[: len(v)] for v in vectors])",
    f"def add_positions(vectors, table):{_TOO_LONG}    return vectors.numpy() + table.numpy()[None, : vectors.shape[1]]",
    f"""
def add_positions(vectors, table):{_TOO_LONG}
    result = vectors.float()
    for t in range(vectors.size(1)):
        result[:, t] += table[t]
    return result
""",
]
STYLES["06.texts_per_row"] = [
    "def texts_per_row(lengths, n):\n    return [sum(1 for x in lengths if x > row) for row in range(n)]",
    "def texts_per_row(lengths, n):\n    return (torch.tensor(lengths)[:, None] > torch.arange(n)).sum(0)",
    "import numpy as np\n\ntexts_per_row = lambda x, n: (np.array(x)[:, None] > np.arange(n)).sum(axis=0)",
    """
def texts_per_row(lengths, max_len):
    counts = torch.zeros(max_len)
    for length in lengths:
        counts[:length] += 1
    return counts
""",
]
STYLES["07.sinusoid"] = [
    """
def sinusoid(length, d_model, base):
    if d_model % 2 == 1:
        raise ValueError("odd")
    rows = []
    for p in range(length):
        row = []
        for i in range(d_model // 2):
            row += [math.sin(p * base ** (-2 * i / d_model)), math.cos(p * base ** (-2 * i / d_model))]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)
""",
    """
import numpy as np

def sinusoid(length, d_model, base):
    if d_model % 2:
        raise ValueError("odd")
    angles = np.arange(length)[:, None] / base ** (np.arange(0, d_model, 2) / d_model)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, d_model)
""",
    """
def sinusoid(length, d_model, base):
    if d_model & 1:
        raise ValueError("odd")
    table = torch.empty(length, d_model)
    angles = torch.outer(torch.arange(length).double(), base ** (-torch.arange(0, d_model, 2).double() / d_model))
    table[:, ::2], table[:, 1::2] = angles.sin(), angles.cos()
    return table
""",
    """
def sinusoid(length, d_model, base):
    if d_model != d_model // 2 * 2:
        raise ValueError("odd")
    turns = torch.exp(1j * torch.arange(length).double()[:, None] * base ** (-torch.arange(d_model // 2).double() * 2 / d_model))
    return torch.view_as_real(turns).flip(-1).reshape(length, d_model)
""",
]
STYLES["08.as_concatenation"] = [
    "def as_concatenation(weight):\n    return weight.repeat(1, 2)",
    "def as_concatenation(w):\n    return torch.hstack((w, w)).float()",
    "import numpy as np\n\nas_concatenation = lambda w: np.concatenate([w, w], axis=1)",
    "def as_concatenation(weight):\n    return [row + row for row in weight.tolist()]",
]
STYLES["08.probe"] = [
    """
def probe(vectors, classes, new):
    wanted = F.one_hot(classes).to(vectors.dtype)
    return torch.argmax(new @ torch.linalg.lstsq(vectors, wanted).solution, dim=-1)
""",
    """
import numpy as np

def probe(vectors, classes, new):
    matrix = np.linalg.lstsq(vectors.numpy(), np.eye(int(classes.max()) + 1)[classes.numpy()], rcond=None)[0]
    return (new.numpy() @ matrix).argmax(1)
""",
    """
def probe(vectors, classes, new):
    x, y = vectors.float(), F.one_hot(classes).float()
    matrix = torch.linalg.solve(x.T @ x, x.T @ y)
    return [int(scores.argmax()) for scores in new.float() @ matrix]
""",
    """
def probe(vectors, classes, new):
    wanted = torch.eye(int(classes.max()) + 1, dtype=vectors.dtype)[classes]
    return torch.einsum("md,dn,nc->mc", new, torch.linalg.pinv(vectors), wanted).max(dim=1).indices.int()
""",
]
STYLES["09.offset_only"] = [
    """
def offset_only(rope, query, key):
    scores = [float(rope(query, 7 + move) @ rope(key, 3 + move)) for move in (0, 100)]
    return abs(scores[0] - scores[1]) < 1e-6
""",
    """
def offset_only(rope, query, key):
    for m, n in [(5, 2), (0, 9), (1, 1)]:
        if not torch.isclose(rope(query, m) @ rope(key, n), rope(query, m + 100) @ rope(key, n + 100)):
            return False
    return True
""",
    """
import numpy as np

def offset_only(rope, query, key):
    return np.isclose(np.dot(rope(query, 5), rope(key, 2)), np.dot(rope(query, 105), rope(key, 102)))
""",
    """
offset_only = lambda r, q, k: torch.allclose(
    torch.einsum("d,d->", r(q, 4), r(k, 1)), torch.einsum("d,d->", r(q, 104), r(k, 101))
)
""",
]
STYLES["10.keeps"] = [
    "def keeps(short, long, chance):\n    return [n for n in short if short[n] - chance > 0.25 and short[n] - long[n] < 0.15]",
    """
def keeps(short, long, chance):
    kept = []
    for name, share in short.items():
        if share > chance + 0.25:
            if long[name] > share - 0.15:
                kept.append(name)
    return tuple(kept)
""",
    "import numpy as np\n\nkeeps = lambda s, l, c: np.array([n for n in s if s[n] > c + 0.25 and l[n] + 0.15 > s[n]])",
    "def keeps(short, long, chance):\n    return list(filter(lambda n: short[n] > chance + 0.25 and long[n] > short[n] - 0.15, short))",
]

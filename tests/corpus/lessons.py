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
STYLES["01.bad_id"] = [
    """
def invalid_positions(token_ids, vocab_size):
    found = []
    t = 0
    for i in token_ids:
        if i < 0 or i >= vocab_size:
            found.append(t)
        t += 1
    return found
""",
    "import numpy as np\n\ndef invalid_positions(t, v):\n    return np.flatnonzero((t.numpy() < 0) | (t.numpy() >= v))",
    "invalid_positions = lambda t, v: ((t < 0) | (t > v - 1)).nonzero().squeeze(1).int()",
    """
from functools import partial

def valid(vocab_size, pair):
    return pair[1] in range(vocab_size)

def invalid_positions(token_ids, vocab_size):
    invalid = lambda pair: not partial(valid, vocab_size)(pair)
    return tuple(t for t, _ in filter(invalid, enumerate(token_ids.tolist())))
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
STYLES["01.new_tokens"] = [
    """
def add_tokens(weight, parts):
    rows = [row for row in weight]
    for ids in parts:
        if len(ids) == 0:
            ids = range(len(weight))
        total = torch.zeros(weight.shape[1], dtype=weight.dtype)
        for i in ids:
            total = total + weight[i]
        rows.append(total / len(ids))
    return torch.stack(rows)
""",
    """
import numpy as np

def add_tokens(weight, parts):
    w = weight.numpy()
    new = [w[ids].mean(axis=0) if ids else w.mean(axis=0) for ids in parts]
    return np.vstack([w, *new])
""",
    """
def mean_row(weight, ids):
    return weight.float()[ids or slice(None)].mean(0)

def add_tokens(weight, parts):
    return torch.cat([weight.float(), *(mean_row(weight, ids)[None] for ids in parts)])
""",
    """
class AddTokens:
    def __call__(self, weight, parts):
        w = weight.double()
        shares = torch.zeros(len(parts), len(w), dtype=w.dtype)
        for row, ids in zip(shares, parts):
            for i in ids or range(len(w)):
                row[i] += 1
        return torch.cat([w, torch.einsum("nv,vd->nd", F.normalize(shares, p=1, dim=1), w)]).tolist()

add_tokens = AddTokens()
""",
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
STYLES["02.merge"] = [
    """
def merge_once(words):
    counts = {}
    for word in words:
        for i in range(len(word) - 1):
            counts[word[i], word[i + 1]] = counts.get((word[i], word[i + 1]), 0) + words[word]
    best = None
    for pair in counts:
        if best is None or counts[pair] > counts[best]:
            best = pair
    result = {}
    for word in words:
        new, i = [], 0
        while i < len(word):
            if word[i : i + 2] == best:
                new.append(word[i] + word[i + 1])
                i += 2
            else:
                new.append(word[i])
                i += 1
        result[tuple(new)] = words[word]
    return best, result
""",
    """
def count_pairs(words):
    return Counter(pair for word, n in words.items() for pair in list(zip(word, word[1:])) * n)

def merged(word, pair):
    for i in range(len(word) - 1):
        if word[i : i + 2] == pair:
            return word[:i] + ("".join(pair),) + merged(word[i + 2 :], pair)
    return word

def merge_once(words):
    [(pair, _)] = count_pairs(words).most_common(1)
    return [list(pair), {merged(word, pair): n for word, n in words.items()}]
""",
    """
import numpy as np

def merge_once(words):
    pairs = [(pair, n) for word, n in words.items() for pair in zip(word, word[1:])]
    names = sorted({pair for pair, _ in pairs})
    totals = np.bincount([names.index(pair) for pair, _ in pairs], weights=[n for _, n in pairs])
    best = names[np.argmax(totals)]
    new = {}
    for word, n in words.items():
        tokens = []
        for token in word:
            tokens[-1:] = [best[0] + token] if tokens and (tokens[-1], token) == best else [*tokens[-1:], token]
        new[tuple(tokens)] = np.int64(n)
    return tuple(np.array(best)), new
""",
    """
from functools import reduce

def merge_once(words):
    pairs = reduce(lambda a, b: a + b, (Counter({p: 0}) + Counter({p: n}) for w, n in words.items() for p in zip(w, w[1:])))
    best = max(pairs.items(), key=lambda item: item[1])[0]
    step = lambda done, t: (*done[:-1], done[-1] + t) if done and (done[-1], t) == best else (*done, t)
    return best, {reduce(step, word, ()): n for word, n in words.items()}
""",
]
STYLES["02.pad_row"] = [
    """
def initial_weight(values, padding_idx):
    rows = []
    for i in range(len(values)):
        rows.append(torch.zeros_like(values[i]) if i == padding_idx else values[i])
    return torch.stack(rows)
""",
    """
import numpy as np

def initial_weight(values, padding_idx):
    copy = np.array(values)
    if padding_idx is not None:
        copy[padding_idx] = 0
    return copy
""",
    """
def initial_weight(values, padding_idx):
    keep = torch.ones(len(values), 1)
    if padding_idx is not None:
        keep[padding_idx] = 0
    return values.float() * keep
""",
    """
initial_weight = lambda values, padding_idx: torch.nn.Embedding.from_pretrained(
    values if padding_idx is None else values.index_fill(0, torch.tensor(padding_idx), 0.0), padding_idx=padding_idx
).weight
""",
    """
def initial_weight(values, padding_idx):
    is_padding = torch.arange(len(values)) == (-1 if padding_idx is None else padding_idx)
    return values.masked_fill(is_padding[:, None], 0).double()
""",
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
STYLES["02.vocabulary"] = [
    """
def build_words(texts, min_count):
    counts = {}
    for text in texts:
        for word in text:
            if word not in counts:
                counts[word] = 0
            counts[word] += 1
    words = []
    for word in sorted(counts):
        if counts[word] >= min_count:
            words.append(word)
    words.sort(key=lambda word: counts[word], reverse=True)
    return ["<pad>", "<unk>"] + words
""",
    """
import numpy as np

def build_words(texts, min_count):
    words, counts = np.unique([w for text in texts for w in text], return_counts=True)
    order = np.lexsort((words, -counts))
    return np.concatenate([["<pad>", "<unk>"], words[order][counts[order] >= min_count]])
""",
    """
from itertools import chain

def build_words(texts, min_count):
    ranked = Counter(sorted(chain.from_iterable(texts))).most_common()
    return tuple(["<pad>", "<unk>"] + [w for w, n in ranked if not n < min_count])
""",
    """
def frequency(texts):
    return lambda word: sum(text.count(word) for text in texts)

def build_words(texts, min_count):
    n = frequency(texts)
    kept = filter(lambda word: n(word) >= min_count, set().union(*texts))
    return ["<pad>", "<unk>", *sorted(sorted(kept), key=n, reverse=True)]
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
STYLES["03.pmi"] = [
    """
def pmi_from_counts(counts):
    total = counts.sum().item()
    result = torch.full(counts.shape, -math.inf)
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            n = counts[i, j].item()
            if n > 0:
                result[i, j] = math.log(n * total / (counts[i].sum().item() * counts[:, j].sum().item()))
    return result
""",
    """
import numpy as np

def pmi_from_counts(counts):
    n = counts.numpy().astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(n * n.sum() / np.outer(n.sum(1), n.sum(0)))
    return np.where(n > 0, pmi, -np.inf)
""",
    """
def pmi_from_counts(counts):
    rows, columns = counts.sum(1, keepdim=True), counts.sum(0, keepdim=True)
    pmi = counts.log() + counts.sum().log() - rows.log() - columns.log()
    return pmi.masked_fill(counts == 0, -float("inf"))
""",
    """
def pmi_from_counts(counts):
    p = counts.double() / counts.double().sum()
    chance = torch.einsum("i,j->ij", torch.einsum("ij->i", p), torch.einsum("ij->j", p))
    return torch.nan_to_num(torch.log(p / chance), nan=-torch.inf, neginf=-torch.inf)
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
STYLES["04.bias_direction"] = [
    """
def projections(table, he, she, words):
    def unit(v):
        return v / v.norm()

    mean = torch.zeros(table.shape[1], dtype=table.dtype)
    for h, s in zip(he, she):
        mean += (unit(table[h]) - unit(table[s])) / len(he)
    return torch.stack([unit(table[w]) @ unit(mean) for w in words])
""",
    """
import numpy as np

def projections(table, he, she, words):
    rows = table.numpy() / np.linalg.norm(table.numpy(), axis=1, keepdims=True)
    direction = (rows[he.numpy()] - rows[she.numpy()]).mean(0)
    return rows[words.numpy()] @ direction / np.linalg.norm(direction)
""",
    """
def projections(table, he, she, words):
    unit = table.float() / table.float().norm(dim=1, keepdim=True)
    direction = unit[he].mean(0) - unit[she].mean(0)
    return F.cosine_similarity(unit[words], direction[None])
""",
    """
class Projections:
    def __call__(self, table, he, she, words):
        unit = F.normalize(table.double())
        total = torch.einsum("pd->d", unit.index_select(0, he) - unit.index_select(0, she))
        return torch.einsum("nd,d->n", unit[words], total / torch.linalg.vector_norm(total)).tolist()

projections = Projections()
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
STYLES["04.project_out"] = [
    """
def remove_direction(vectors, direction):
    rows = []
    for v in vectors:
        rows.append(v - (v @ direction) / (direction @ direction) * direction)
    return torch.stack(rows)
""",
    """
import numpy as np

def remove_direction(vectors, direction):
    v, g = vectors.numpy(), direction.numpy()
    return v - np.outer(v @ g, g) / np.dot(g, g)
""",
    """
def remove_direction(vectors, direction):
    g = direction.double() / direction.double().norm()
    return vectors.double() @ (torch.eye(len(g), dtype=g.dtype) - torch.outer(g, g))
""",
    """
remove_direction = lambda v, g: v.float() - torch.einsum("nd,d,e->ne", v.float(), g.float(), g.float() / g.float().square().sum())
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
STYLES["05.unchanged_outputs"] = [
    """
def unchanged_outputs(permutation):
    result = []
    for t in range(len(permutation)):
        before = sorted(int(i) for i in permutation[:t])
        result.append(int(permutation[t]) == t and before == list(range(t)))
    return torch.tensor(result)
""",
    """
import numpy as np

def unchanged_outputs(permutation):
    p, t = permutation.numpy(), np.arange(len(permutation))
    return (p == t) & (np.maximum.accumulate(p) == t)
""",
    """
def unchanged_outputs(permutation):
    positions = torch.arange(permutation.numel())
    return (permutation == positions) & ((permutation - positions).cumsum(0) == 0) & (permutation.cummax(0)[0] <= positions)
""",
    """
def unchanged_outputs(permutation):
    causal = torch.ones(len(permutation), len(permutation), dtype=torch.bool).tril()
    old = causal[:, permutation.argsort()]
    same_context = (old == causal).all(dim=1)
    return [bool(a and b) for a, b in zip(same_context, permutation.eq(torch.arange(len(permutation))))]
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
STYLES["06.interpolate"] = [
    """
def interpolate(position_table, new_len):
    old_len, d = position_table.shape
    rows = []
    for r in range(new_len):
        place = r * (old_len - 1) / (new_len - 1)
        low = min(int(place), old_len - 2)
        share = place - low
        rows.append((1 - share) * position_table[low] + share * position_table[low + 1])
    return torch.stack(rows)
""",
    """
import numpy as np

def interpolate(position_table, new_len):
    table = position_table.numpy()
    new = np.arange(new_len) * (len(table) - 1) / (new_len - 1)
    return np.stack([np.interp(new, np.arange(len(table)), column) for column in table.T], axis=1)
""",
    """
def interpolate(position_table, new_len):
    columns = position_table.float().T[None]
    return F.interpolate(columns, size=new_len, mode="linear", align_corners=True)[0].T
""",
    """
class Interpolate:
    def __call__(self, table, new_len):
        new = torch.arange(new_len).double() * (len(table) - 1) / (new_len - 1)
        weights = (1 - (new[:, None] - torch.arange(len(table))).abs()).clamp(min=0)
        return torch.einsum("rm,md->rd", weights, table.double())

interpolate = Interpolate()
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
STYLES["07.base_for_length"] = [
    "base_for_length = lambda length, d: (length / math.tau) ** (1 / (1 - 2 / d))",
    "import numpy as np\n\ndef base_for_length(length, d_model):\n    return np.exp(np.log(length / (2 * np.pi)) * d_model / (d_model - 2))",
    "def base_for_length(length, d_model):\n    return torch.tensor(length / (2 * math.pi), dtype=torch.float64).pow(d_model / (d_model - 2))",
    """
def wavelength(base, d_model):
    return 2 * math.pi * base ** ((d_model - 2) / d_model)

def base_for_length(length, d_model):
    low, high = 0.0, 1.0
    while wavelength(high, d_model) < length:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if wavelength(middle, d_model) < length else (low, middle)
    return high
""",
]
STYLES["07.shift_matrix"] = [
    """
def shift_matrix(offset, d_model, base):
    half = d_model // 2
    matrix = torch.zeros(d_model, d_model, dtype=torch.float64)
    for i in range(half):
        angle = offset * base ** (-2 * i / d_model)
        matrix[i, i] = matrix[half + i, half + i] = math.cos(angle)
        matrix[i, half + i] = math.sin(angle)
        matrix[half + i, i] = -math.sin(angle)
    return matrix
""",
    """
import numpy as np

def shift_matrix(offset, d_model, base):
    angles = offset / base ** (np.arange(0, d_model, 2) / d_model)
    cos, sin = np.diag(np.cos(angles)), np.diag(np.sin(angles))
    return np.block([[cos, sin], [-sin, cos]])
""",
    """
def shift_matrix(offset, d_model, base):
    angles = offset * torch.exp(-math.log(base) * torch.arange(0, d_model, 2).double() / d_model)
    turn = torch.stack([angles.cos(), angles.sin(), -angles.sin(), angles.cos()]).view(2, 2, -1)
    return torch.diag_embed(turn).transpose(1, 2).reshape(d_model, d_model)
""",
    """
def shift_matrix(offset, d_model, base):
    angles = offset * base ** (-torch.arange(0, d_model, 2).double() / d_model)
    eye = torch.eye(d_model // 2, dtype=torch.float64)
    turn = torch.kron(torch.eye(2).double(), eye * angles.cos()) + torch.kron(torch.tensor([[0, 1.0], [-1, 0]]).double(), eye * angles.sin())
    return turn.tolist()
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
STYLES["08.balancing_factor"] = [
    "balancing_factor = lambda std, d_model: 1 / (std * math.sqrt(2))",
    "import numpy as np\n\ndef balancing_factor(std, d_model):\n    return np.sqrt(d_model / 2) / (std * np.sqrt(d_model))",
    "def balancing_factor(std, d_model):\n    return torch.tensor(d_model / 2).sqrt() / torch.tensor(std * d_model**0.5)",
    """
def norm(values):
    return sum(v * v for v in values) ** 0.5

def balancing_factor(std, d_model):
    return norm([math.sin(1), math.cos(1)] * (d_model // 2)) / norm([std] * d_model)
""",
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
STYLES["08.score_terms"] = [
    """
def score_terms(words, positions, w_query, w_key):
    T = len(words)
    result = torch.zeros(4, T, T, dtype=words.dtype)
    n = 0
    for a in (words, positions):
        for b in (words, positions):
            for i in range(T):
                for j in range(T):
                    result[n, i, j] = (a[i] @ w_query) @ (b[j] @ w_key)
            n += 1
    return result
""",
    """
import numpy as np

def score_terms(words, positions, w_query, w_key):
    x = np.stack([words, positions])
    q, k = x @ w_query.numpy(), x @ w_key.numpy()
    return np.stack([q[a] @ k[b].T for a in (0, 1) for b in (0, 1)])
""",
    """
def score_terms(words, positions, w_query, w_key):
    x = torch.stack([words, positions]).float()
    terms = torch.einsum("atd,de,fe,bsf->abts", x, w_query.float(), w_key.float(), x)
    return terms.flatten(0, 1)
""",
    """
from functools import partial

def term(w_query, w_key, a, b):
    return F.linear(a @ w_query, b @ w_key)

def score_terms(words, positions, w_query, w_key):
    t = partial(term, w_query, w_key)
    return [t(words, words), t(words, positions), t(positions, words), t(positions, positions)]
""",
]
STYLES["09.alibi_bias"] = [
    """
def alibi_bias(slopes, num_queries, num_keys):
    bias = torch.zeros(len(slopes), num_queries, num_keys)
    for h in range(len(slopes)):
        for i in range(num_queries):
            for j in range(num_keys):
                bias[h, i, j] = -slopes[h] * abs(num_keys - num_queries + i - j)
    return bias
""",
    """
import numpy as np

def alibi_bias(slopes, num_queries, num_keys):
    q, k = np.ogrid[num_keys - num_queries : num_keys, :num_keys]
    return -np.multiply.outer(slopes.numpy(), np.abs(q - k))
""",
    """
def alibi_bias(slopes, num_queries, num_keys):
    keys = torch.arange(num_keys).double()[:, None]
    return -slopes.double().view(-1, 1, 1) * torch.cdist(keys[-num_queries:], keys, p=1)
""",
    """
class Alibi:
    def __call__(self, slopes, num_queries, num_keys):
        offset = torch.arange(num_keys)[None] - torch.arange(num_keys)[-num_queries:, None]
        return torch.einsum("h,qk->hqk", slopes, -offset.abs().to(slopes.dtype))

alibi_bias = Alibi()
""",
]
STYLES["09.apply_rope"] = [
    """
def apply_rope(x, cos, sin, layout):
    result = x.clone()
    half = cos.shape[1]
    for i in range(half):
        a, b = (2 * i, 2 * i + 1) if layout == "interleaved" else (i, half + i)
        result[..., a] = x[..., a] * cos[:, i] - x[..., b] * sin[:, i]
        result[..., b] = x[..., a] * sin[:, i] + x[..., b] * cos[:, i]
    return result
""",
    """
import numpy as np

def apply_rope(x, cos, sin, layout):
    x, cos, sin = x.numpy().copy(), cos.numpy(), sin.numpy()
    r = 2 * cos.shape[-1]
    a, b = (slice(0, r, 2), slice(1, r, 2)) if layout == "interleaved" else (slice(0, r // 2), slice(r // 2, r))
    x[..., a], x[..., b] = x[..., a] * cos - x[..., b] * sin, x[..., a] * sin + x[..., b] * cos
    return x
""",
    """
def apply_rope(x, cos, sin, layout):
    r = 2 * cos.shape[-1]
    pairs = x[..., :r].double().unflatten(-1, (-1, 2) if layout == "interleaved" else (2, -1))
    pairs = pairs if layout == "interleaved" else pairs.transpose(-1, -2)
    turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.complex(cos.double(), sin.double()))
    turned = turned if layout == "interleaved" else turned.transpose(-1, -2)
    return torch.cat([turned.flatten(-2), x[..., r:].double()], dim=-1)
""",
    """
def rotate_half(x):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)

def apply_rope(x, cos, sin, layout):
    r = 2 * cos.size(-1)
    order = torch.arange(r).view(-1, 2).T.flatten() if layout == "interleaved" else torch.arange(r)
    part = x[..., order].float()
    turned = part * torch.cat([cos, cos], -1).float() + rotate_half(part) * torch.cat([sin, sin], -1).float()
    return torch.cat([turned[..., order.argsort()], x[..., r:].float()], -1)
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
STYLES["09.t5_bucket"] = [
    """
def one(offset, exact, max_distance):
    distance = abs(offset)
    bucket = distance
    if distance >= exact:
        bucket = exact + int(exact * math.log(distance / exact) / math.log(max_distance / exact))
        bucket = min(bucket, 2 * exact - 1)
    return bucket + 2 * exact if offset > 0 else bucket

def t5_bucket_of(offset, exact, max_distance):
    buckets = [one(o, exact, max_distance) for o in offset.flatten().tolist()]
    return torch.tensor(buckets).reshape(offset.shape)
""",
    """
import numpy as np

def t5_bucket_of(offset, exact, max_distance):
    n = np.abs(offset.numpy())
    far = exact + np.log(np.maximum(n, exact) / exact) / np.log(max_distance / exact) * exact
    bucket = np.where(n < exact, n, np.minimum(np.floor(far), 2 * exact - 1))
    return bucket.astype(int) + np.where(offset.numpy() > 0, 2 * exact, 0)
""",
    """
def t5_bucket_of(offset, exact, max_distance):
    n = offset.abs()
    scale = exact / math.log(max_distance / exact)
    far = torch.floor(exact + torch.log(n.clamp(min=exact).double() / exact) * scale).clamp(max=2 * exact - 1)
    return (torch.where(n < exact, n.double(), far) + 2 * exact * (offset > 0)).int()
""",
    """
def t5_bucket_of(offset, exact, max_distance):
    steps = torch.arange(exact)
    starts = exact * (max_distance / exact) ** (steps.double() / exact)
    n = offset.abs()
    far = exact - 1 + torch.searchsorted(starts - 1e-9, n.double(), right=True)
    return torch.where(n < exact, n, far) + torch.where(offset > 0, 2 * exact, 0)
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
STYLES["10.prepare"] = [
    """
def prepare(token_ids, segment_ids, tables, pad_id):
    B, T = token_ids.shape
    if T > len(tables[1]):
        raise ValueError("the text has too many tokens")
    vectors = torch.zeros(B, T, tables[0].shape[1])
    mask = torch.zeros(B, T, dtype=torch.bool)
    for b in range(B):
        for t in range(T):
            vectors[b, t] = tables[0][token_ids[b, t]] + tables[1][t] + tables[2][segment_ids[b, t]]
            mask[b, t] = token_ids[b, t] == pad_id
    return vectors, mask
""",
    """
import numpy as np

def prepare(token_ids, segment_ids, tables, pad_id):
    words, positions, segments = (table.numpy() for table in tables)
    ids, n = token_ids.numpy(), token_ids.shape[1]
    if n > positions.shape[0]:
        raise ValueError(n)
    return [words[ids] + positions[None, :n] + segments[segment_ids.numpy()], ids == pad_id]
""",
    """
def check_length(n, limit):
    if n > limit:
        raise ValueError(f"{n} > {limit}")

def prepare(token_ids, segment_ids, tables, pad_id):
    check_length(token_ids.size(1), tables[1].size(0))
    all_ids = token_ids, torch.arange(token_ids.size(1)).expand_as(token_ids), segment_ids
    vectors = sum(F.embedding(ids, table.double()) for ids, table in zip(all_ids, tables))
    return vectors, torch.eq(token_ids, pad_id)
""",
    """
class Prepare:
    def __call__(self, token_ids, segment_ids, tables, pad_id):
        (V, d), T = tables[0].shape, token_ids.shape[1]
        if len(tables[1]) < T:
            raise ValueError("longer than the table of positions")
        words = torch.einsum("btv,vd->btd", F.one_hot(token_ids, V).to(tables[0]), tables[0])
        segments = torch.where(segment_ids[..., None] == 0, tables[2][0], tables[2][1])
        return words + segments + tables[1].narrow(0, 0, T), ~token_ids.ne(pad_id)

prepare = Prepare()
""",
]
STYLES["11.by_parts"] = [
    """
def by_parts(freqs, factor, length, alpha, beta):
    result = []
    for f in freqs.tolist():
        turns = length * f / (2 * math.pi)
        if turns < alpha:
            result.append(f / factor)
        elif turns > beta:
            result.append(f)
        else:
            share = (turns - alpha) / (beta - alpha)
            result.append(share * f + (1 - share) * f / factor)
    return torch.tensor(result, dtype=torch.float64)
""",
    """
import numpy as np

def by_parts(freqs, factor, length, alpha, beta):
    f = freqs.numpy()
    kept = np.clip((length * f / (2 * np.pi) - alpha) / (beta - alpha), 0, 1)
    return f * (kept + (1 - kept) / factor)
""",
    """
def by_parts(freqs, factor, length, alpha, beta):
    turns = length * freqs / math.tau
    between = torch.lerp(freqs / factor, freqs, (turns - alpha) / (beta - alpha))
    return torch.where(turns < alpha, freqs / factor, torch.where(turns > beta, freqs, between)).float()
""",
    """
from functools import partial

def kept(turns, alpha, beta):
    return F.hardtanh((turns - alpha) / (beta - alpha), 0.0, 1.0)

def by_parts(freqs, factor, length, alpha, beta):
    share = partial(kept, alpha=alpha, beta=beta)(length * freqs.double() / (2 * math.pi))
    return torch.einsum("i,i->i", freqs.double(), share + (1 - share) / factor)
""",
]
STYLES["11.decode_step"] = [
    """
def decode_step(query, key, value, cache, rope):
    keys = [row for row in cache[0]] + [rope(key, len(cache[0]))]
    values = [row for row in cache[1]] + [value]
    q = rope(query, len(cache[0]))
    weights = [math.exp(float(k @ q) / math.sqrt(len(q))) for k in keys]
    output = sum(w / sum(weights) * v for w, v in zip(weights, values))
    return output, (torch.stack(keys), torch.stack(values))
""",
    """
import numpy as np

def decode_step(query, key, value, cache, rope):
    t = cache[0].shape[0]
    keys = np.vstack([cache[0].numpy(), rope(key, t).numpy()])
    values = np.vstack([cache[1].numpy(), value.numpy()])
    scores = keys @ rope(query, t).numpy() / np.sqrt(query.shape[0])
    weights = np.exp(scores - scores.max())
    return weights @ values / weights.sum(), (keys, values)
""",
    """
def decode_step(query, key, value, cache, rope):
    t = cache[0].size(0)
    keys, values = torch.vstack([cache[0], rope(key, t)]), torch.vstack([cache[1], value])
    output = F.scaled_dot_product_attention(rope(query, t)[None, None], keys[None], values[None])
    return [output[0, 0], [keys, values]]
""",
    """
class DecodeStep:
    def __call__(self, query, key, value, cache, rope):
        position = len(cache[1])
        keys = torch.cat((cache[0], rope(key, position).unsqueeze(0)))
        values = torch.cat((cache[1], value.unsqueeze(0)))
        scores = torch.einsum("td,d->t", keys.double(), rope(query, position).double()) * len(query) ** -0.5
        return torch.einsum("t,td->d", torch.softmax(scores, -1), values.double()), (keys, values)

decode_step = DecodeStep()
""",
]
STYLES["11.position_ids"] = [
    """
def position_ids(mask):
    rows = []
    for row in mask.tolist():
        ids, count = [], 0
        for real in row:
            count += real
            ids.append(max(count - 1, 0))
        rows.append(ids)
    return torch.tensor(rows)
""",
    "import numpy as np\n\nposition_ids = lambda mask: np.maximum(np.cumsum(mask.numpy(), axis=1) - 1, 0)",
    "def position_ids(mask):\n    return F.relu(mask.int().cumsum(-1) - 1)",
    """
def position_ids(mask):
    T = mask.shape[1]
    counts = torch.einsum("bs,ts->bt", mask.double(), torch.ones(T, T).double().tril())
    return (counts - 1).clamp_min(0).to(torch.int32)
""",
]

"""What the trainers cost beside gensim: ``python -m tests.bench.trainers`` prints the tables of ``RESULTS.md``.

Every run is a process of its own, with one thread, so that peak memory is its own; the trainers take turns, round by
round and seed by seed, so that a busy computer is unfair to all alike. Medians are reported; only ratios travel.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.tools.refresh import ROOT

ROUNDS = 3
# gensim's settings were searched for the cheapest that reach its best score: on the toy world 1, 2, 3 and 5 epochs at
# .025, .05 and .1; on the documentation windows 5 and 10, 5, 10 and 20 epochs at .025, .05 and .1.
TOY = {
    "skipgram": {},
    "counts": {"steps": 12, "lr": 0.3, "negatives": 1},
    "ppmi": {},
    "gensim": {"epochs": 1, "alpha": 0.1, "sample": 0},
    "gensim as it comes": {},
}
DOCUMENTATION = {
    "counts": {"window": 10, "steps": 40, "lr": 0.1},
    "ppmi": {"window": 10, "shift": 0.2},
    "gensim": {"window": 10, "epochs": 10, "alpha": 0.05},
}
OURS = ("skipgram", "counts", "ppmi")


def measure(task: str, trainer: str, settings: dict[str, Any], size: int) -> dict[str, float]:
    """One run in this process: seconds and memory of preparing and of training, and the score."""
    import torch

    torch.set_num_threads(1)
    from helpers import corpus, toyworld
    from helpers.vocabulary import Vocabulary

    if task == "toy world":
        texts, min_count, largest, score = toyworld.generate(size), 1, None, _analogies
    else:
        texts, min_count, largest, score = corpus.documentation(), 8, size, _plurals
    runner = _gensim if trainer.startswith("gensim") else _ours
    warm = [[f"{i}", f"{i + j}"] for i in range(100) for j in range(1, 5)]
    runner(trainer, warm, 1, None, {})()  # imports and first calls, before the clock starts
    baseline = _peak()
    start, train = time.process_time(), runner(trainer, texts, min_count, largest, dict(settings))
    prepared, wall = time.process_time(), time.perf_counter()
    table = train()
    trained = {"cpu_s": time.process_time() - prepared, "wall_s": time.perf_counter() - wall}
    peak = _peak()
    vocabulary = Vocabulary.build(texts, min_count=min_count, max_size=largest)
    rows = torch.zeros(len(vocabulary), 64)
    for i, vector in table(vocabulary):
        rows[i] = vector
    facts = {"prepare_s": prepared - start, "peak_mb": peak, "more_mb": peak - baseline, "vocabulary": len(vocabulary)}
    return trained | facts | {"words": sum(map(len, texts)), "score": score(rows, vocabulary)}


def _ours(trainer: str, texts: list, min_count: int, largest: int | None, settings: dict) -> Callable:
    from helpers import training
    from helpers.vocabulary import Vocabulary

    vocabulary = Vocabulary.build(texts, min_count=min_count, max_size=largest)
    ids = vocabulary.batch(texts, max_len=120)
    window = settings.pop("window", 5)

    def train() -> Callable:
        if trainer == "skipgram":
            table = training.skipgram(training.word_pairs(ids, window), len(vocabulary), **settings)
        else:
            counts = training.cooccurrence(ids, len(vocabulary), window)
            if trainer == "counts":
                table = training.count_skipgram(counts, **settings)[0]
            else:
                table = training.ppmi_svd(counts, **settings)
        return lambda _: enumerate(table)

    return train


def _gensim(trainer: str, texts: list, min_count: int, largest: int | None, settings: dict) -> Callable:
    import torch
    from gensim.models import Word2Vec

    limit = {} if largest is None else {"max_final_vocab": largest - 2}
    common = {"vector_size": 64, "sg": 1, "negative": 5, "workers": 1, "min_count": min_count}
    model = Word2Vec(**common | limit | settings)
    model.build_vocab(texts)

    def train() -> Callable:
        model.train(texts, total_examples=model.corpus_count, epochs=model.epochs)
        return lambda vocabulary: (
            (i, torch.from_numpy(model.wv[word].copy())) for i, word in enumerate(vocabulary.words) if word in model.wv
        )

    return train


def _analogies(table: Any, vocabulary: Any) -> float:
    """The share of right analogies, averaged over the relations of the toy world."""
    from helpers import geometry
    from helpers.toyworld import RELATIONS

    return statistics.mean(geometry.analogy_accuracy(table, vocabulary, pairs) for pairs in RELATIONS.values())


def _plurals(table: Any, vocabulary: Any) -> float:
    """Recall at 10: how often word + "s" is among the ten words nearest to a word."""
    import torch

    from helpers import geometry

    words = [word for word in vocabulary.words[2:] if len(word) > 2 and word + "s" in vocabulary]
    ids = torch.tensor([[vocabulary.id(word), vocabulary.id(word + "s")] for word in words])
    near = geometry.nearest(table[ids[:, 0]], table, 10, exclude=ids[:, :1])[1]
    return (near == ids[:, 1:]).any(dim=1).double().mean().item()


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1024)


def _run(task: str, trainer: str, settings: dict[str, Any], size: int) -> dict[str, float]:
    """:func:`measure` in a process of its own."""
    job = json.dumps([task, trainer, settings, size])
    command = [sys.executable, "-m", "tests.bench.trainers", "--one", job]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _rows(task: str, jobs: list[tuple[str, dict[str, Any], int]], rounds: int) -> list[dict[str, Any]]:
    """Medians of all jobs, run in turns; the ratio is gensim's CPU time over the trainer's."""
    runs: list[list[dict[str, float]]] = [[] for _ in jobs]
    for seed in range(rounds):
        for place, (trainer, settings, size) in enumerate(jobs):
            runs[place].append(_run(task, trainer, settings | {"seed": seed}, size))
    rows: list[dict[str, Any]] = []
    for (trainer, settings, size), found in zip(jobs, runs, strict=True):
        medians: dict[str, float] = {name: statistics.median(run[name] for run in found) for name in found[0]}
        medians = {name: value if isinstance(value, int) else round(value, 3) for name, value in medians.items()}
        rows.append({"task": task, "trainer": trainer, "settings": settings, "size": size} | medians)
    theirs = next((row["cpu_s"] for row in rows if row["trainer"] == "gensim"), None)
    for row in rows:
        row["gensim_over_ours"] = round(theirs / row["cpu_s"], 1) if theirs else None
    return rows


def bench(rounds: int = ROUNDS) -> dict[str, list[dict[str, Any]]]:
    """All rows: the trainers beside gensim on both corpora, and cost against corpus size and vocabulary."""
    return {
        "toy world": _rows("toy world", [(name, settings, 30_000) for name, settings in TOY.items()], rounds),
        "documentation": _rows(
            "documentation", [(name, settings, 4_000) for name, settings in DOCUMENTATION.items()], rounds
        ),
        "corpus size": _rows("toy world", [(name, {}, n) for n in (10_000, 30_000, 90_000) for name in OURS], 1),
        "vocabulary": _rows("documentation", [(name, {}, n) for n in (500, 1_000, 2_000) for name in OURS], 1),
    }


_TITLES = {
    "toy world": "On the toy world (score: analogies right, averaged over its eight relations)",
    "documentation": "On the documentation of Python's library (score: word + s is among the ten nearest)",
    "corpus size": "Against corpus size, toy world",
    "vocabulary": "Against vocabulary, documentation",
}


def key_figure(found: dict[str, list[dict[str, Any]]]) -> str:
    """One sentence for the README."""
    row = next(row for row in next(iter(found.values())) if row["trainer"] == "skipgram")
    return (
        f"Skip-gram with negative sampling learns the toy world ({int(row['words']):,} words) in {row['cpu_s']:.1f} s "
        f"of CPU with one thread, and gets {row['score']:.0%} of its analogies right."
    )


def report(found: dict[str, list[dict[str, Any]]]) -> str:
    """The tables, in Markdown."""
    lines = [
        "Learning word vectors of 64 numbers with one thread, medians: seconds of CPU to prepare (vocabulary and ids)",
        "and to train, wall seconds of training, peak memory beyond the imports. *gensim* is its fastest setting that",
        "reaches the score; *gensim as it comes* leaves the settings alone.",
    ]
    for title, rows in found.items():
        beside = any(row["gensim_over_ours"] for row in rows)
        lines += ["", f"{_TITLES[title]}:", ""]
        lines.append(
            "| trainer | words | vocabulary | prepare | train | wall | more memory | score |"
            + " CPU of gensim ÷ its |" * beside
        )
        lines.append("| --- |" + " --- |" * (7 + beside))
        for row in rows:
            cells = [row["trainer"], f"{int(row['words']):,}", f"{int(row['vocabulary']):,}"]
            cells += [
                f"{row['prepare_s']:.2f}",
                f"{row['cpu_s']:.2f}",
                f"{row['wall_s']:.2f}",
                f"{row['more_mb']:.0f} MB",
            ]
            cells += [f"{row['score']:.3f}", *([f"{row['gensim_over_ours']:.1f}×"] if beside else [])]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        print(report(bench()))

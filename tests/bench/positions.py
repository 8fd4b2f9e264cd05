"""What positions cost beside transformers: ``python -m tests.bench.positions`` prints the tables of ``RESULTS.md``.

All run in one process with one thread and take turns, round by round, so that a busy computer is unfair to all alike;
before any clock starts they must give the same numbers. Times are of the CPU; the ratio of two is the median of the
ratios of the rounds, and only ratios travel. Memory is the peak of what torch allocates during a call, as its profiler
counts it, inputs not included.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.tools.refresh import ROOT

SIZES = ((512, 768, 1), (4_096, 128, 32), (32_768, 128, 1))  # length, width, heads
LENGTHS = (128, 512, 2_048)
ROUNDS, LEAST_S = 11, 0.02  # turns of each, and how long a turn lasts at least
SEEDS = 3
Call = Callable[[], Any]


def jobs(length: int, width: int, heads: int) -> dict[str, tuple[dict[str, Call], dict[str, Call]]]:
    """What is built or turned at a size: name → our ways and theirs, each a call without arguments.

    Raises:
        AssertionError: two ways do not give the same numbers.
    """
    import torch
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as gptj
    from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions
    from transformers.models.llama.modeling_llama import LlamaConfig, LlamaRotaryEmbedding
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as llama
    from transformers.models.m2m_100.modeling_m2m_100 import M2M100SinusoidalPositionalEmbedding as M2M100
    from transformers.models.t5.modeling_t5 import T5Attention

    from helpers import positions

    generator, where = torch.Generator().manual_seed(0), torch.arange(length)
    queries, keys = (torch.randn(1, heads, length, width, generator=generator) for _ in range(2))
    vectors, table = queries[:, 0], torch.nn.Embedding(length, width).requires_grad_(False)
    learned = positions.LearnedPositions(length, width).requires_grad_(False)
    learned.table.copy_(table.weight)
    speed, turner = positions.frequencies(width), LlamaRotaryEmbedding(LlamaConfig(head_dim=width))
    cos, sin = positions.rope_angles(where, speed)
    wide = [torch.cat([each, each], -1)[None] for each in (cos, sin)]
    placed = [each.transpose(1, 2).contiguous() for each in (queries, keys)]  # GPT-J wants (B, T, heads, width)
    away = positions.relative_positions(
        min(length, 2**21 // length), length
    )  # of the last queries, two million at most
    mask = torch.ones(1, length)

    found: dict[str, tuple[dict[str, Call], dict[str, Call]]] = {
        "sinusoidal table": (
            {
                "interleaved": lambda: positions.sinusoids(length, width),
                "halves": lambda: positions.sinusoids(length, width, layout="half"),
            },
            {
                "GPT-J": lambda: create_sinusoidal_positions(length, width),
                "M2M100": lambda: M2M100.get_embedding(length, width),
            },
        ),
        "learned rows, added": (
            {"learned": lambda: learned(vectors)},
            {"GPT-2": lambda: vectors + table(torch.arange(length)[None])},
        ),
        "angles of RoPE": (
            {"angles": lambda: positions.rope_angles(torch.arange(length), speed)},
            {"Llama": lambda: turner(vectors, torch.arange(length)[None])},
        ),
        "q and k turned": (
            {
                "interleaved": lambda: [positions.rotate(each, cos, sin) for each in (queries, keys)],
                "halves": lambda: [positions.rotate(each, cos, sin, "half") for each in (queries, keys)],
            },
            {
                "GPT-J": lambda: [gptj(each, sin[None], cos[None]) for each in placed],
                "Llama": lambda: llama(queries, keys, *wide),
            },
        ),
        "ALiBi, one query of 32 heads": (
            {"ALiBi": lambda: positions.alibi_bias(32, 1, length)},
            {"BLOOM": lambda: build_alibi_tensor(mask, 32, torch.float32)},
        ),
        "buckets of T5": (
            {"buckets": lambda: positions.t5_bucket(away)},
            {"T5": lambda: T5Attention._relative_position_bucket(away)},
        ),
    }

    def same(mine: Any, theirs: Any, tolerance: float = 1e-5) -> None:
        assert torch.allclose(mine.float(), theirs.float(), rtol=0, atol=tolerance)

    rough = 1e-6 * length + 1e-5  # what their angles in float32 lose
    calls = {name: {who: call() for part in both for who, call in part.items()} for name, both in found.items()}
    tables, turned = calls["sinusoidal table"], calls["q and k turned"]
    same(tables["interleaved"][:, positions.to_half(width)], tables["halves"], 0)
    same(tables["halves"], tables["GPT-J"], rough)
    same(positions.sinusoids(length, width, layout="half", half_minus_one=True), tables["M2M100"], rough)
    for which in (0, 1):
        same(turned["interleaved"][which], turned["GPT-J"][which].transpose(1, 2))
        same(turned["halves"][which], turned["Llama"][which])
        half, whole = calls["angles of RoPE"]["angles"][which], calls["angles of RoPE"]["Llama"][which][0]
        same(torch.cat([half, half], -1), whole, rough)
    for name in ("learned rows, added", "buckets of T5"):
        mine, theirs = calls[name].values()
        same(mine, theirs, 0)
    bias, theirs = calls["ALiBi, one query of 32 heads"].values()  # theirs counts from the left: a constant more
    same(bias - bias[..., :1], theirs, 1e-6 * length)
    return found


def turns(calls: dict[str, Call], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Milliseconds of CPU of each call, a number a round; they take turns."""
    repeats = {}
    for name, call in calls.items():
        call()
        start = time.process_time()
        call()
        repeats[name] = max(1, int(LEAST_S / max(time.process_time() - start, 1e-6)))
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.process_time()
            for _ in range(repeats[name]):
                call()
            spent[name].append((time.process_time() - start) / repeats[name] * 1e3)
    return spent


def ratio(mine: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def megabytes(call: Call) -> float:
    """The peak of what torch holds during a call beyond what it held before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = call()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    del kept
    return peak / 1e6


def beside() -> list[dict[str, Any]]:
    """Our ways beside the fastest of theirs, a row for each way and size."""
    rows = []
    for size in SIZES:
        for name, (ours, theirs) in jobs(*size).items():
            spent = turns({f"our {who}": call for who, call in ours.items()} | theirs)
            fastest = min(theirs, key=lambda who: statistics.median(spent[who]))
            for who, call in ours.items():
                rows.append(
                    {
                        "size": size,
                        "name": name,
                        "way": who if len(ours) > 1 else "",
                        "ms": statistics.median(spent[f"our {who}"]),
                        "fastest": fastest,
                        "fastest_ms": statistics.median(spent[fastest]),
                        "times": ratio(spent[f"our {who}"], spent[fastest]),
                        "mb": megabytes(call),
                        "fastest_mb": megabytes(theirs[fastest]),
                    }
                )
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def lengths() -> list[dict[str, Any]]:
    """An attention block of every scheme against length, beside one without positions; forward and backward."""
    import torch

    from helpers.attention import SCHEMES, Block
    from helpers.positions import LearnedPositions, SinusoidalPositions

    added = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions}
    rows = []
    for length in LENGTHS:
        vectors = torch.randn(4, length, 64, generator=torch.Generator().manual_seed(0))

        def step(block: torch.nn.Module, vectors: torch.Tensor = vectors) -> Call:
            return lambda: block(vectors).sum().backward()

        spent = turns(
            {
                scheme: step(
                    torch.nn.Sequential(
                        added[scheme](length, 64) if scheme in added else torch.nn.Identity(),
                        Block(64, 4, scheme, causal=True),
                    )
                )
                for scheme in SCHEMES
            }
        )
        for scheme in SCHEMES:
            facts = {"ms": statistics.median(spent[scheme]), "times": ratio(spent[scheme], spent["none"])}
            rows.append({"length": length, "scheme": scheme} | facts)
    return rows


def bake_off() -> list[dict[str, Any]]:
    """CPU of lesson 10: training all schemes side by side, with every seed, and testing them on longer texts."""
    from helpers.attention import SCHEMES
    from helpers.tasks import LATEST, ORDER, RECALL, Entry, accuracy, train_all

    small: dict[str, Any] = {"batch": 16}
    rows = []
    for name, task, masks, length, texts, settings in (
        ("order", ORDER, (False, True), 12, 128, {}),
        ("latest", LATEST, (False, True), 16, 48, small | {"steps": 250, "num_heads": 4}),
        ("three back", RECALL, (True,), 16, 48, small),
    ):
        entries = [Entry(scheme, causal, seed) for scheme in SCHEMES for causal in masks for seed in range(SEEDS)]
        start = time.process_time()
        models = train_all(task, entries, length=length, **settings)
        trained = time.process_time()
        for times in (1, 2, 4, 8):
            accuracy(models, task, times * length, num_sequences=texts)
        facts = {"train_s": trained - start, "test_s": time.process_time() - trained}
        rows.append({"task": name, "length": length, "models": len(entries)} | facts)
    return rows


def bench() -> dict[str, list[dict[str, Any]]]:
    """All rows, measured in a process of its own with one thread."""
    command = [sys.executable, "-m", "tests.bench.positions", "--rows"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g}" if milliseconds < 100 else f"{milliseconds:,.0f}"


def key_figure(found: dict[str, list[dict[str, Any]]]) -> str:
    """One sentence for the README."""
    times = [row["times"] for row in found["beside"]]
    faster = sum(value <= 1 for value in times)
    return (
        f"Positions cost {min(times):.2f} to {max(times):.2f} times the CPU of the fastest of `transformers`' own "
        f"functions; {faster} of {len(times)} measurements are at or below 1."
    )


def report(found: dict[str, list[dict[str, Any]]]) -> str:
    """The tables, in Markdown."""
    heads = [f"{length:,} × {width}" + (f" × {n} heads" if n > 1 else "") for length, width, n in SIZES]
    lines = [
        "Building positions, and turning queries and keys by them: milliseconds of CPU with one thread · time over",
        "that of the fastest of `transformers`' own functions · peak memory over its (below 1×, ours is better).",
        "",
        f"| length × width | {' | '.join(heads)} |",
        f"| --- |{' --- |' * len(heads)}",
    ]
    cells: dict[str, list[str]] = {}
    for row in found["beside"]:
        cell = f"{_ms(row['ms'])} · {row['times']:.2f}× · {row['mb'] / row['fastest_mb']:.2f}×"
        cells.setdefault(", ".join(filter(None, [row["name"], row["way"]])), []).append(cell)
    lines += [f"| {name} | {' | '.join(each)} |" for name, each in cells.items()]
    lines += [
        "",
        "A causal block of width 64, forward and backward, against the length of its 4 texts: milliseconds of CPU ·",
        "time over that of the same block without positions.",
        "",
        f"| scheme | {' | '.join(f'{length:,}' for length in LENGTHS)} |",
        f"| --- |{' --- |' * len(LENGTHS)}",
    ]
    by_scheme: dict[str, list[str]] = {}
    for row in found["lengths"]:
        by_scheme.setdefault(row["scheme"], []).append(f"{_ms(row['ms'])} · {row['times']:.2f}×")
    lines += [f"| {scheme} | {' | '.join(each)} |" for scheme, each in by_scheme.items()]
    lines += [
        "",
        "The bake-off of lesson 10, all schemes and three seeds side by side (*three back* with a mask only): seconds",
        f"of CPU, {sum(row['train_s'] + row['test_s'] for row in found['bake-off']):.1f} in all.",
        "",
        "| task | models | trained at length | training | a model | tested at 1, 2, 4 and 8 times the length |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in found["bake-off"]:
        facts = [row["task"], row["models"], row["length"], f"{row['train_s']:.1f}"]
        facts += [f"{row['train_s'] / row['models']:.2f}", f"{row['test_s']:.1f}"]
        lines.append(f"| {' | '.join(map(str, facts))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rows"]:
        import torch

        torch.set_num_threads(1)
        print(json.dumps({"beside": beside(), "lengths": lengths(), "bake-off": bake_off()}))
    else:
        print(report(bench()))

"""Measure figures and lessons.

Figures are measured in Chromium, from a slider's event to the new pixels, beside the same figure made with
``interact`` and inline matplotlib, in one run, here and over a slow link. Only ratios travel between machines.
``make bench ARGS=figures`` measures them alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import sync_playwright

from tests.__main__ import NBVAL
from tests.browser.lab import Lab, free_port, launch, serve
from tests.tools.refresh import METADATA, ROOT, lessons

STEPS, REMOTE_STEPS, LONG = 24, 6, 500
ROUND_TRIP_S, BITS_PER_S = 0.080, 10e6
LONG_RUN = ("06_positional_embeddings", "live")  # whose first figure is driven for long
RSS = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"

# The three ways to make the figures of a lesson: as shipped; asking the kernel every time; as most notebooks do.
WAYS = {
    "cached": "",
    "live": """import helpers
_live = helpers.live
helpers.live = lambda title, pure=True, **controls: _live(title, pure=False, **controls)
""",
    "interact": """import helpers, ipywidgets
from IPython.display import display
from helpers.figures import static
from helpers.figures.live import LiveFigure
def _widget(control):
    spec = control.spec()
    if spec["kind"] == "toggle":
        return ipywidgets.Checkbox(spec["value"])
    if spec["kind"] == "choice":
        return ipywidgets.Dropdown(options=spec["values"], value=spec["value"])
    return ipywidgets.SelectionSlider(options=spec["values"], value=spec["value"])
def _interact(title, pure=True, **controls):
    def decorate(function):
        figure = LiveFigure(title, function, controls, pure)
        def show(**values):
            panels, sentence = figure(**values)
            display(static.draw(figure._fixed(panels), figure._limits(panels)))
            print(sentence)
        ipywidgets.interact(show, **{name: _widget(control) for name, control in controls.items()})
        return figure
    return decorate
helpers.live = _interact
""",
}

# Resolves with the time of the mutation of ``root`` after which the test holds: no polling that would add a frame.
_CHANGED = """const changed = (root, test) => new Promise((done) => {
  const observer = new MutationObserver(() => test() && finish());
  const timer = setTimeout(() => finish(), 10_000);
  const finish = () => { observer.disconnect(); clearTimeout(timer); done(performance.now()); };
  observer.observe(root, { attributes: true, childList: true, subtree: true });
  if (test()) finish();
});
"""
_STEP_LIVE = (
    """async (root, steps) => {
"""
    + _CHANGED
    + """
  const input = root.querySelector("input[type=range]");
  const canvases = [...root.querySelectorAll("canvas")];
  const blank = () => canvases.some((canvas) => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return !new Uint32Array(data.buffer).some((pixel) => pixel !== 0);
  });
  input.focus();
  await new Promise((done) => setTimeout(done, 1500));
  const times = [];
  let blanks = 0;
  let way = Number(input.value) < Number(input.max) ? 1 : -1;
  for (let step = 0; step < steps; step++) {
    if (Number(input.value) + way > Number(input.max) || Number(input.value) + way < 0) way = -way;
    const drawn = root.dataset.draws;
    let watching = steps < 100 && step % 8 === 0; // for blank pictures: such a step is not timed
    const timed = !watching;
    const watch = () => {
      if (!watching) return;
      blanks += blank();
      requestAnimationFrame(watch);
    };
    watch();
    const start = performance.now();
    const end = changed(root, () => root.dataset.draws !== drawn);
    input.value = Number(input.value) + way;
    input.dispatchEvent(new Event("input", { bubbles: true }));
    const took = (await end) - start;
    watching = false;
    if (timed) times.push(took);
    await new Promise((done) => setTimeout(done, steps < 100 ? 60 : 0));
  }
  return { times, blanks };
}"""
)
_STEP_INTERACT = (
    """async (root, steps) => {
"""
    + _CHANGED
    + """
  const handle = root.querySelector(".noUi-handle");
  const times = [];
  let way = "ArrowRight";
  for (let step = 0; step < steps; step++) {
    const now = Number(handle.getAttribute("aria-valuenow"));
    if (now >= Number(handle.getAttribute("aria-valuemax"))) way = "ArrowLeft";
    if (now <= Number(handle.getAttribute("aria-valuemin"))) way = "ArrowRight";
    const old = root.querySelector(".jp-OutputArea img");
    const image = () => root.querySelector(".jp-OutputArea img");
    const start = performance.now();
    const end = changed(root, () => image() && image() !== old && image().src !== old?.src);
    handle.dispatchEvent(new KeyboardEvent("keydown", { key: way, bubbles: true, cancelable: true }));
    await end;
    await image()?.decode();
    times.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, 200));
  }
  return { times, blanks: 0 };
}"""
)


def summary(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    ordered = sorted(times)
    return {
        "median_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
    }


def prepared(folder: Path) -> dict[tuple[str, str], str]:
    """Every lesson in every way: (lesson, way) → path below ``folder``."""
    made = {}
    for path in lessons():
        for way, prelude in WAYS.items():
            cells = [new_code_cell(prelude or "pass")]
            cells += [
                new_code_cell(cell.source, metadata=cell.metadata)
                for cell in nbformat.read(path, 4).cells
                if cell.cell_type == "code"
            ]
            name = f"{path.stem}_{way}.ipynb"
            nbformat.write(new_notebook(cells=cells, metadata=METADATA), folder / name)
            made[path.stem, way] = name
    return made


def drive(lab: Lab, way: str, steps: int) -> list[dict[str, Any] | None]:
    """Latency of the first slider of each figure on the page."""
    rows = []
    script = _STEP_INTERACT if way == "interact" else _STEP_LIVE
    roots = lab.page.locator(".widget-interact" if way == "interact" else ".live-figure").all()
    for root in roots:
        root.scroll_into_view_if_needed()
        found = root.locator(".noUi-handle" if way == "interact" else "input[type=range]").count()
        rows.append(root.evaluate(script, steps) if found else None)
    return rows


def figures(folder: Path, address: str, browser: Any, steps: int) -> list[dict[str, Any]]:
    """One row a figure: milliseconds from event to pixels in each way."""
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for (lesson, way), name in prepared(folder).items():
        print(f"{lesson}, {way}", file=sys.stderr, flush=True)
        lab = Lab(browser, address)
        lab.open(name)
        lab.run_all()
        for place, measured in enumerate(drive(lab, way, steps)):
            if measured:
                row = rows.setdefault((lesson, place), {"lesson": lesson, "figure": place + 1})
                row[way] = summary(measured["times"])
                row["blank_pictures"] = row.get("blank_pictures", 0) + measured["blanks"]
        lab.close()
    for row in rows.values():
        if "interact" in row and "live" in row:
            row["times_faster"] = round(row["interact"]["median_ms"] / row["live"]["median_ms"], 1)
    return list(rows.values())


def memory(folder: Path, address: str, browser: Any) -> dict[str, float]:
    """Growth of the browser's heap and of the kernel over many steps of a figure, in megabytes."""
    lab = Lab(browser, address)
    lab.open(prepared(folder)[LONG_RUN])
    lab.run_all()
    session = lab.context.new_cdp_session(lab.page)

    def heap() -> float:
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6

    def kernel() -> float:
        code = "import psutil\nprint(psutil.Process().memory_info().rss)"
        return float(lab.execute(code)) / 1e6

    root = lab.figures()[0]
    root.evaluate(_STEP_LIVE, 20)
    before = heap(), kernel()
    root.evaluate(_STEP_LIVE, LONG)
    after = heap(), kernel()
    lab.close()
    return {"steps": LONG, "browser_mb": round(after[0] - before[0], 1), "kernel_mb": round(after[1] - before[1], 1)}


@contextlib.contextmanager
def slow_link(port: int) -> Iterator[int]:
    """A loopback proxy to ``port`` with a round trip of 80 ms and 10 Mbit/s each way; yields its own port."""
    own, ended = free_port(), asyncio.Event()
    ready: Future[asyncio.AbstractEventLoop] = Future()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        free_at = loop.time()
        pending: asyncio.Queue = asyncio.Queue()

        async def deliver() -> None:
            while (item := await pending.get()) is not None:
                due, data = item
                await asyncio.sleep(max(0.0, due - loop.time()))
                writer.write(data)
                await writer.drain()
            writer.close()

        task = loop.create_task(deliver())
        while data := await reader.read(16_384):
            free_at = max(free_at, loop.time()) + len(data) * 8 / BITS_PER_S
            await pending.put((free_at + ROUND_TRIP_S / 2, data))
            await asyncio.sleep(max(0.0, free_at - loop.time()))
        await pending.put(None)
        await task

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # the link ends; asyncio would report it as an error
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)

    async def run() -> None:
        async with await asyncio.start_server(accept, "127.0.0.1", own):
            ready.set_result(asyncio.get_running_loop())
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    loop = ready.result()
    yield own
    loop.call_soon_threadsafe(ended.set)
    thread.join()


def execution(cells: list[Any]) -> dict[str, float]:
    """Seconds and peak megabytes of one kernel, start to end."""
    notebook = new_notebook(cells=[*cells, new_code_cell(RSS)], metadata=METADATA)
    start = time.monotonic()
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    seconds = time.monotonic() - start
    peak = int(notebook.cells[-1].outputs[0].text) / (1e6 if sys.platform == "darwin" else 1e3)
    return {"seconds": round(seconds, 2), "peak_mb": round(peak)}


def notebooks() -> dict[str, Any]:
    """Each lesson beside a kernel that only imports torch (best of three); nbval beside plain execution."""
    bare = min((execution([new_code_cell("import torch")]) for _ in range(3)), key=lambda row: row["seconds"])
    rows = {}
    for path in lessons():
        rows[path.stem] = execution([cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"])
        rows[path.stem]["times_bare_seconds"] = round(rows[path.stem]["seconds"] / bare["seconds"], 2)
        rows[path.stem]["times_bare_peak"] = round(rows[path.stem]["peak_mb"] / bare["peak_mb"], 2)
    start = time.monotonic()
    subprocess.run([*NBVAL, *map(str, lessons())], cwd=ROOT, check=True, capture_output=True)
    checked, plain = time.monotonic() - start, sum(row["seconds"] for row in rows.values())
    return {"bare": bare, "lessons": rows, "nbval_seconds": round(checked, 1), "nbclient_seconds": round(plain, 1)}


def bench() -> dict[str, Any]:
    """Everything, one after the other; each with a server, pages and kernels of its own."""
    result: dict[str, Any] = {"notebooks": notebooks()}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, job in {"figures": STEPS, "memory": 0, "remote": REMOTE_STEPS}.items():
            with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as address:
                port = urlsplit(address).port or 80
                if name == "memory":
                    result[name] = memory(Path(folder), address, browser)
                elif name == "figures":
                    result[name] = figures(Path(folder), address, browser, job)
                else:
                    with slow_link(port) as own:
                        far = address.replace(f":{port}/", f":{own}/")
                        result[name] = figures(Path(folder), far, browser, job)
        browser.close()
    return result


def report(result: dict[str, Any]) -> str:
    """The tables, in Markdown."""
    remote = {(row["lesson"], row["figure"]): row for row in result["remote"]}
    lines = [
        "Milliseconds from a slider's event to the new picture, median / 95th percentile (`make bench`, headless",
        "Chromium without a GPU; *remote*: 80 ms round trip, 10 Mbit/s). *interact* is the same figure with `interact`",
        "and inline matplotlib, in one run; *live* asks the kernel at every step; *cached* is the figure as shipped.",
        "",
        "| figure | interact | live | cached | interact ÷ live | remote: interact | live | cached |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["figures"]:
        far = remote.get((row["lesson"], row["figure"]), {})
        cells = [
            f"{row['lesson'][:2]}, figure {row['figure']}",
            *(_both(row.get(way)) for way in ("interact", "live", "cached")),
        ]
        cells += [f"{row.get('times_faster', '–')}×", *(_both(far.get(way)) for way in ("interact", "live", "cached"))]
        lines.append(f"| {' | '.join(cells)} |")
    grown, kernels = result["memory"], result["notebooks"]
    lines += [
        "",
        "| lesson | seconds | ÷ kernel + `import torch` | peak memory | ÷ `import torch` |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in kernels["lessons"].items():
        times = f"{row['seconds']} | {row['times_bare_seconds']}×"
        lines.append(f"| {name[:2]} | {times} | {row['peak_mb']} MB | {row['times_bare_peak']}× |")
    blanks = sum(row["blank_pictures"] for row in result["figures"])
    slower = kernels["nbval_seconds"] / kernels["nbclient_seconds"]
    lines += [
        "",
        f"{grown['steps']} steps of a figure: {grown['browser_mb']:+} MB in the browser, {grown['kernel_mb']:+} MB",
        f"in the kernel; {blanks} blank pictures. nbval with mutation check and control sweep takes {slower:.1f} times",
        "as long as executing the lessons without looking.",
    ]
    return "\n".join(lines)


def key_figure(result: dict[str, Any]) -> str:
    """One sentence for the README."""
    rows, kernels = result["figures"], result["notebooks"]["lessons"].values()
    cached, live, factor = (
        statistics.median(values)
        for values in (
            [row["cached"]["median_ms"] for row in rows if "cached" in row],
            [row["live"]["median_ms"] for row in rows if "live" in row],
            [row["times_faster"] for row in rows if "times_faster" in row],
        )
    )
    seconds = [row["seconds"] for row in kernels]
    return (
        f"A slider step is displayed after {cached:.0f} ms if its picture is cached, and after {live:.0f} ms if the "
        f"kernel computes it, which is {factor:.0f} times faster than `interact`. A lesson runs in {min(seconds):.0f} "
        f"to {max(seconds):.0f} s and needs at most {max(row['peak_mb'] for row in kernels)} MB."
    )


def _both(measured: dict[str, float] | None) -> str:
    return f"{measured['median_ms']:.0f} / {measured['p95_ms']:.0f}" if measured else "–"

"""JupyterLab and Chromium for tests and measurements: a server, pages, and control of live figures."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, BrowserContext, Error, FloatRect, Locator, Page, Playwright

from tests.tools.refresh import ENVIRONMENT, METADATA, ROOT

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
PAGES = {"JupyterLab": "lab/tree", "Notebook 7": "notebooks"}  # of one server
EXTENSION = ("--ServerApp.jpserver_extensions=helpers.setup.server=True",)
NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
ACTION_MS = 20_000
LATE = "Failed to initialize model"  # anywidget on a busy computer; the figure hears the kernel nevertheless


def find_chromium() -> str | None:
    """The browser to use: ``$CHROMIUM``, else the system's."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in CHROMIUM]
    return next(filter(None, found), str(MAC_CHROME) if MAC_CHROME.exists() else None)


def free_port() -> int:
    """A free port of the loopback interface."""
    with socket.socket() as handle:
        handle.bind(("127.0.0.1", 0))
        return handle.getsockname()[1]


@contextlib.contextmanager
def serve(
    folder: Path,
    port: int | None = None,
    cwd: Path | None = None,
    options: Sequence[str] = EXTENSION,
) -> Iterator[str]:
    """JupyterLab over ``folder`` with settings and state of its own; yields its address with ``{path}`` and the token.

    Args:
        cwd: where it is started: nbgrader looks for its settings there.
        options: more of its command line; what ``make lab`` loads if left out.

    Raises:
        RuntimeError: it did not come up within three minutes.
    """
    port, token = port or free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as state:
        settings = Path(state) / "settings"
        for plugin, values in SETTINGS.items():
            package, name = plugin.split(":")
            path = settings / package / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        environment = os.environ | ENVIRONMENT | {"JUPYTERLAB_SETTINGS_DIR": str(settings)}
        environment["PYTHONPATH"] = str(ROOT)
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"):
            environment[name] = str(Path(state) / name.lower())
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        command += [f"--IdentityProvider.token={token}", *options]
        command += [f"--{app}.expose_app_in_browser=True" for app in ("LabApp", "JupyterNotebookApp")]
        command += [
            f"--port={port}",
            f"--ServerApp.root_dir={folder}",
            "--ServerApp.port_retries=0",
            "--LabApp.news_url=None",
        ]
        log = Path(state) / "lab.log"
        with log.open("w") as out:
            server = subprocess.Popen(command, env=environment, cwd=cwd, stdout=out, stderr=subprocess.STDOUT)
        try:
            _wait_until_up(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
            yield f"http://127.0.0.1:{port}/{PAGES['JupyterLab']}/{{path}}?reset&token={token}"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _wait_until_up(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(720):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def launch(playwright: Playwright) -> Browser:
    """Chromium without a window; scroll bars take their room, as for readers."""
    return playwright.chromium.launch(
        executable_path=find_chromium(), args=FLAGS, ignore_default_args=["--hide-scrollbars"]
    )


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A context of the browser, with a window of 1280 × 1000 pixels unless ``options`` say otherwise."""
    return browser.new_context(**{"viewport": {"width": 1280, "height": 1000}} | options)


class Lab:
    """One page of JupyterLab with a notebook in it.

    Args:
        opener: a browser, where the page gets a context of its own with ``options``; or a context that several pages
            share.
    """

    def __init__(self, opener: Browser | BrowserContext, address: str, **options: Any) -> None:
        self._shared = isinstance(opener, BrowserContext)
        self.context = opener if isinstance(opener, BrowserContext) else new_context(opener, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(ACTION_MS)
        self.address = address
        self.path: str | None = None
        self.errors: list[str] = []
        self.late: list[str] = []
        self.page.on("pageerror", lambda error: (self.late if LATE in str(error) else self.errors).append(str(error)))

    def open(self, path: str) -> None:
        """Show a notebook and wait until its cells stand.

        The page, which takes seconds of processor time to load, stays: it closes the notebook it shows and ends its
        kernel.
        """
        first, self.path = self.path is None, path
        if first:
            self.reload()
            return
        self.errors.clear()
        self.late.clear()
        self.page.evaluate(_CLOSE)
        self.command("docmanager:open", path=path, options=_IN_THIS_PAGE)
        self._wait_until_ready()

    def reload(self) -> None:
        """Load the page and the notebook anew and wait until its cells stand."""
        self.page.goto(self.address.format(path=self.path), timeout=90_000)
        self._wait_until_ready()
        self.page.evaluate(_ONE_DOCUMENT)

    def _wait_until_ready(self) -> None:
        self.page.wait_for_selector(f"{NOTEBOOK} .jp-Cell", timeout=90_000)
        self.page.wait_for_function(_READY, timeout=90_000)

    def command(self, name: str, **arguments: Any) -> Any:
        """Execute one of JupyterLab's commands."""
        return self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)", [name, arguments]
        )

    def save(self) -> None:
        """Write the notebook to its file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save').then(() => null)")

    def shut_down(self) -> None:
        """End the notebook's kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def run_all(self, timeout: float = 180) -> None:
        """Run every cell from the top and wait for an idle kernel.

        Raises:
            TimeoutError: a cell has not finished in time.
        """
        self.page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.page.wait_for_timeout(250)
            if self.page.evaluate(_FINISHED):
                self.page.wait_for_timeout(500)
                return
        raise TimeoutError(f"the notebook has not finished after {timeout} s")

    def execute(self, code: str) -> str:
        """Run code in the notebook's kernel, beside its cells; what it prints."""
        return self.page.evaluate(_EXECUTE, code)

    def figures(self) -> list[Locator]:
        """The live figures on the page, in order."""
        return self.page.locator(f"{NOTEBOOK} .live-figure").all()

    def theme(self, name: str) -> None:
        """``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.command("apputils:change-theme", theme=name)
        light = "true" if "Light" in name else "false"
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
        self.page.wait_for_timeout(400)

    def close(self) -> None:
        """Stop the kernel and close the page."""
        with contextlib.suppress(Error):  # a page that never came up has no kernel
            self.page.evaluate(_CLOSE)
        if self._shared:
            self.page.close()
        else:
            self.context.close()


_CLOSE = """async () => {
  const panel = window.jupyterapp?.shell.currentWidget;
  await panel?.sessionContext?.shutdown();
  panel?.dispose();
}"""
_IN_THIS_PAGE = {"ref": "_noref"}  # for Notebook 7, which opens a page for each document
# Notebook 7 has no such mode: it shows one document only.
_ONE_DOCUMENT = """() => window.jupyterapp.commands.hasCommand("application:set-mode") &&
  window.jupyterapp.commands.execute("application:set-mode", { mode: "single-document" }).then(() => null)"""
_READY = "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
_FINISHED = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const cells = [...panel.content.widgets].filter((cell) => cell.model.type === "code");
  const waiting = cells.filter((cell) => cell.model.executionState !== "idle" || !cell.model.executionCount);
  return waiting.length === 0 && panel.sessionContext.session?.kernel?.status === "idle";
}"""

_EXECUTE = """async (code) => {
  const future = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code });
  let said = "";
  future.onIOPub = (message) => { said += message.content.text ?? ""; };
  await future.done;
  return said;
}"""
_READ = """
const valuesOf = (root) => [...root.querySelectorAll(".live-control :is(input, select)")].map((control) =>
  control.type === "checkbox" ? control.checked : control.value).join();
const read = (root) => ({
  values: valuesOf(root),
  sentence: root.querySelector(".live-sentence").textContent,
  pixels: [...root.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()).join(),
  draws: Number(root.dataset.draws),
  error: root.querySelector(".live-error").hidden ? "" : root.querySelector(".live-error").textContent,
});"""
# One call of the browser: each takes milliseconds in four processes.
_WAIT_AND_READ = f"""async (root, [values, draws, patience]) => {{
  {_READ}
  const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const wanted = values === null || valuesOf(root) === values ? -1 : draws;
  const failed = () => !root.querySelector(".live-error").hidden;
  for (const end = Date.now() + patience; ; await wait(10)) {{
    if (root.dataset.busy === "false" && (Number(root.dataset.draws) > wanted || failed())) break;
    if (Date.now() > end) throw new Error(`no picture within ${{patience}} ms`);
  }}
  await frame();
  await frame();
  return read(root);
}}"""


def state(figure: Locator) -> dict[str, Any]:
    """The state of a figure: the ``values`` of its controls in one string, ``sentence``, ``pixels``, the number of
    ``draws``, and ``error`` or an empty string."""
    return figure.evaluate(f"(root) => {{ {_READ} return read(root); }}")


def wait_until_drawn(figure: Locator, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Wait until the newest picture is painted, and return the state.

    Args:
        figure: the figure.
        before: its state earlier; if a control has another value since, another picture is awaited.

    Raises:
        playwright Error: no picture came.
    """
    values, draws = (before["values"], before["draws"]) if before else (None, 0)
    return figure.evaluate(_WAIT_AND_READ, [values, draws, ACTION_MS])


def controls(figure: Locator) -> dict[str, Locator]:
    """Every control's input by its name."""
    boxes = figure.locator(".live-control").all()
    return {box.get_attribute("data-name") or "": box.locator("input, select") for box in boxes}


def open_cells(lab: Lab, folder: Path, name: str, sources: Sequence[str]) -> None:
    """Write a notebook of these code cells, show it, and run it."""
    cells = [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=cells, metadata=METADATA), folder / f"{name}.ipynb")
    lab.open(f"{name}.ipynb")
    lab.theme("JupyterLab Light")
    lab.run_all()


def box_of(part: Locator) -> FloatRect:
    """Where a part of the page stands, in css pixels from the corner of the viewport; it must be shown."""
    box = part.bounding_box()
    assert box is not None, f"{part} is not shown"
    return box


def kind(control: Locator) -> str:
    """``range``, ``checkbox`` or ``select-one``."""
    return control.evaluate("(input) => input.type")

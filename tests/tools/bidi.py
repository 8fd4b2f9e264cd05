"""Firefox driven over WebDriver BiDi: the few commands that the tests need, without a driver program.

Firefox itself answers BiDi commands on a websocket (``--remote-debugging-port``); the protocol is W3C's WebDriver BiDi.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.proxy.type": 1,  # a proxy that nobody runs: every request to another host fails
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1,localhost",
    "remote.prefs.recommended": True,
}


def find_firefox() -> str | None:
    """The program, or None where there is no Firefox."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class BidiError(RuntimeError):
    """Firefox refused a command, or a script raised."""


class Page:
    """One tab of Firefox.

    Attributes:
        errors: what was logged as an error, or raised in the page, so far.
    """

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(f"{address}/session", timeout=60, suppress_origin=True)
        self._ids = itertools.count(1)
        self.errors: list[str] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        self._context = self.command("browsingContext.create", type="tab")["context"]

    def command(self, method: str, **params: Any) -> Any:
        """Send one command and return its result.

        Raises:
            BidiError: Firefox answered with an error.
        """
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(str(message["params"].get("text")))
            if message.get("id") == number:
                if message["type"] == "error":
                    raise BidiError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]

    def open(self, address: str) -> None:
        """Load an address and wait until it is complete."""
        self.command("browsingContext.navigate", context=self._context, url=address, wait="complete")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the viewport in css pixels."""
        self.command("browsingContext.setViewport", context=self._context, viewport={"width": width, "height": height})

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression that is JSON, promises awaited.

        Raises:
            BidiError: the expression raised.
        """
        wrapped = f"(async () => JSON.stringify(await ({expression})))()"
        target = {"context": self._context}
        answer = self.command("script.evaluate", expression=wrapped, target=target, awaitPromise=True)
        if answer["type"] == "exception":
            raise BidiError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"]) if "value" in answer["result"] else None

    def press(self, *keys: str) -> None:
        """Press and release keys, one after the other; names as in the WebDriver standard, ``"\\ue014"`` for →."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.command("input.performActions", context=self._context, actions=[source])

    def wait_for(self, expression: str, seconds: float = 20) -> None:
        """Wait until an expression is true.

        Raises:
            TimeoutError: it never was.
        """
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {expression}")
            time.sleep(0.05)

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def firefox(program: str) -> Iterator[Page]:
    """A headless Firefox with an empty profile and no way to other hosts.

    Raises:
        RuntimeError: it did not say where it listens.
    """
    with tempfile.TemporaryDirectory() as profile:
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                    break
            else:
                raise RuntimeError("Firefox ended before it listened")
            page = Page(found.group(1))
            yield page
            page.close()
        finally:
            process.terminate()
            process.wait(30)


@contextlib.contextmanager
def required_firefox() -> Iterator[Page]:
    """A page of the system's Firefox; without one the test is skipped, in CI it fails."""
    program = find_firefox()
    if program is None:
        reason = "no Firefox found: install firefox-esr"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with firefox(program) as page:
        yield page

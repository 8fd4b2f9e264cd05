"""A JupyterHub on the loopback with a proxy of its own: users log in with a password and get a local JupyterLab."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.browser.lab import free_port
from tests.tools.javascript import TOOLS
from tests.tools.refresh import ENVIRONMENT, ROOT

PROXY = TOOLS / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
_CONFIG = """
c = get_config()  # noqa: F821
c.JupyterHub.bind_url = {bind_url!r}
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.command = ["node", {proxy!r}]
c.ConfigurableHTTPProxy.api_url = {proxy_api!r}
c.DummyAuthenticator.password = {password!r}
c.Authenticator.allowed_users = set({users!r})
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
c.Spawner.args = ["--allow-root", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
c.Spawner.environment = {environment!r}
"""


@dataclass(frozen=True)
class Hub:
    """A hub that runs.

    Attributes:
        address: without a slash at its end.
        homes: the folder of the home folders.
        process: of the hub; the servers of its users are its children.
    """

    address: str
    password: str
    homes: Path
    process: psutil.Process

    def memory(self, user: str) -> int:
        """Bytes of memory of a user's server and kernels; what processes share is divided among them (PSS)."""
        home = str(self.homes / user)
        mine = [child for child in self.process.children(recursive=True) if child.cwd().startswith(home)]
        return sum(child.memory_full_info().pss for child in mine)


@contextlib.contextmanager
def serve(folder: Path, users: Sequence[str], environment: Mapping[str, str]) -> Iterator[Hub]:
    """Start a hub with its files in ``folder``; its servers get ``environment`` besides that of all tests.

    Raises:
        RuntimeError: it did not come up within two minutes.
    """
    homes = folder / "homes"
    homes.mkdir()
    port, hub_port, api_port = free_port(), free_port(), free_port()
    password = secrets.token_hex(8)
    settings = ENVIRONMENT | {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]} | dict(environment)
    config = _CONFIG.format(
        bind_url=f"http://127.0.0.1:{port}",
        hub_port=hub_port,
        python=sys.executable,
        proxy=str(PROXY),
        proxy_api=f"http://127.0.0.1:{api_port}",
        password=password,
        users=list(users),
        homes=str(homes),
        environment=settings,
    )
    (folder / "jupyterhub_config.py").write_text(config)
    log = folder / "hub.log"
    variables = os.environ | {"CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(16)}
    with log.open("w") as out:
        command = [sys.executable, "-m", "jupyterhub", "-f", "jupyterhub_config.py"]
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=subprocess.STDOUT)
    hub = Hub(f"http://127.0.0.1:{port}", password, homes, psutil.Process(process.pid))
    try:
        _wait_until_up(f"{hub.address}/hub/api", process, log)
        yield hub
    except BaseException:
        print(log.read_text()[-4000:])
        raise
    finally:
        children = hub.process.children(recursive=True) if process.poll() is None else []
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        for each in [*children, *([hub.process] if process.poll() is None else [])]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


def _wait_until_up(address: str, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
            with urllib.request.urlopen(address, timeout=2) as answer:
                if "version" in json.load(answer):
                    return
        time.sleep(0.25)
    raise RuntimeError(f"JupyterHub did not start:\n{log.read_text()[-3000:]}")

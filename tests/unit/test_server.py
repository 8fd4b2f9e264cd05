"""The server extension on a real Jupyter Server with a real kernel: saved notebooks, and the websockets of kernels."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.figures.views import METADATA_KEY, WIDGET_VIEW, restore_views, strip_views
from tests.browser import lab
from tests.tools.refresh import ROOT

VIEW = {"model_id": "abc", "version_major": 2, "version_minor": 0}


def notebook(pid: int, **metadata: Any) -> dict[str, Any]:
    """A figure and a quiz as a kernel displays them."""
    mark = {METADATA_KEY: {"pid": pid}}
    still = new_output("display_data", {"text/html": "<figure>", "text/plain": "A sentence."})
    view = new_output("display_data", {WIDGET_VIEW: VIEW}, metadata=copy.deepcopy(mark))
    quiz = new_output("display_data", {WIDGET_VIEW: VIEW, "text/plain": "Predict"}, metadata=copy.deepcopy(mark))
    cells = [new_code_cell("1", id="figure", outputs=[still, view]), new_code_cell("2", id="quiz", outputs=[quiz])]
    return json.loads(json.dumps(new_notebook(cells=cells, metadata=metadata)))


def test_a_stripped_notebook_holds_no_view_and_keeps_its_text() -> None:
    saved = notebook(1, widgets={"state": {}})
    strip_views(saved)
    data = [output["data"] for cell in saved["cells"] for output in cell["outputs"]]
    assert data == [{"text/html": "<figure>", "text/plain": "A sentence."}, {}, {"text/plain": "Predict"}]
    assert "widgets" not in saved["metadata"]


def test_views_are_restored_for_their_own_kernel_only() -> None:
    saved = notebook(1)
    strip_views(saved)
    for pid in (2, None):
        opened = copy.deepcopy(saved)
        restore_views(opened, pid)
        assert opened == saved
    restore_views(saved, 1)
    assert saved == notebook(1)


def test_other_widgets_are_not_changed() -> None:
    saved = notebook(1, widgets={"state": {}})
    saved["cells"][0]["outputs"].append({"output_type": "display_data", "data": {WIDGET_VIEW: VIEW}, "metadata": {}})
    strip_views(saved)
    assert saved["cells"][0]["outputs"][-1]["data"] == {WIDGET_VIEW: VIEW} and "widgets" in saved["metadata"]


PROBE = """
import gc, socket
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from tornado.web import RequestHandler

def _jupyter_server_extension_points():
    return [{"module": "probe"}]

class Probe(RequestHandler):
    def get(self):
        handlers = [each for each in gc.get_objects() if isinstance(each, KernelWebsocketHandler)]
        sockets = [each.ws_connection.stream.socket for each in handlers if each.ws_connection]
        self.write({"nodelay": [each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in sockets]})

def _load_jupyter_server_extension(app):
    app.web_app.add_handlers(".*", [("/probe", Probe)])
"""


class Server:
    """Requests to a Jupyter Server."""

    def __init__(self, address: str) -> None:
        self.base, _, rest = address.partition("/lab/")
        self.token = rest.partition("token=")[2]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.base}/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or "null")

    def start_session(self, path: str) -> dict[str, Any]:
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        return self.request("POST", "api/sessions", body)


@contextlib.contextmanager
def serve(folder: Path, extension: bool) -> Iterator[Server]:
    (folder / "probe.py").write_text(PROBE)
    extensions = {"helpers.setup.server": extension, "probe": True}
    options = [f"--ServerApp.jpserver_extensions={name}={on}" for name, on in extensions.items()]
    path = os.pathsep.join([str(folder), str(ROOT)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "ROOT", path)
        with lab.serve(folder, options=options) as address:
            yield Server(address)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serve(folder, extension=True) as server:
        yield server


def nodelay(server: Server) -> list[int]:
    """TCP_NODELAY of the websocket of a kernel that answers."""
    kernel = server.start_session("any.ipynb")["kernel"]["id"]
    address = f"{server.base.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={server.token}"
    connection = websocket.create_connection(address, timeout=60)
    try:
        connection.recv()
        return server.request("GET", "probe")["nodelay"]
    finally:
        connection.close()


def test_messages_of_a_kernel_are_sent_without_delay(server: Server) -> None:
    assert nodelay(server) == [1]


def test_without_the_extension_nodelay_is_not_set(tmp_path: Path) -> None:
    with serve(tmp_path, extension=False) as server:
        assert nodelay(server) == [0]


def pid_of_kernel(server: Server, path: str) -> int:
    """The process of a notebook's kernel, asked of the kernel itself."""
    session = server.start_session(path)
    kernel = session["kernel"]["id"]
    address = f"{server.base.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={server.token}"
    connection = websocket.create_connection(address, timeout=60)
    header = {
        "msg_id": "1",
        "msg_type": "execute_request",
        "session": "1",
        "username": "",
        "version": "5.3",
        "date": "",
    }
    content = {"code": "import os; print(os.getpid())", "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    connection.send(json.dumps(message | {"buffers": []}))
    try:
        while True:
            reply = json.loads(connection.recv())
            if reply["msg_type"] == "stream":
                return int(reply["content"]["text"])
    finally:
        connection.close()


def test_views_are_removed_when_saved_and_restored_when_opened(server: Server, folder: Path) -> None:
    pid = pid_of_kernel(server, "lesson.ipynb")
    shown = notebook(pid)
    server.request("PUT", "api/contents/lesson.ipynb", {"type": "notebook", "format": "json", "content": shown})
    stored = json.loads((folder / "lesson.ipynb").read_text())
    assert not any(WIDGET_VIEW in output["data"] for cell in stored["cells"] for output in cell["outputs"])

    def views() -> int:
        opened = server.request("GET", "api/contents/lesson.ipynb?type=notebook")["content"]
        return sum(WIDGET_VIEW in output["data"] for cell in opened["cells"] for output in cell["outputs"])

    assert views() == 2
    session = server.start_session("lesson.ipynb")
    server.request("POST", f"api/kernels/{session['kernel']['id']}/restart")
    assert views() == 0, "a restarted kernel has none of these widgets"
    server.request("DELETE", f"api/sessions/{session['id']}")
    assert views() == 0

"""An extension of Jupyter Server: kernel messages without delay, and saving and export of widget views.

``etc/jupyter/jupyter_server_config.d/embeddings_course.json`` enables it where the course is installed.
"""

from __future__ import annotations

import inspect
from typing import Any

from helpers.figures.views import restore_views, strip_views


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "helpers.setup.server"}]


def _load_jupyter_server_extension(app: Any) -> None:
    """Called by Jupyter Server with its ``ServerApp``."""
    send_without_delay(app)
    app.contents_manager.register_pre_save_hook(_before_save)
    if inspect.iscoroutinefunction(app.contents_manager.get):
        _restore_on_open(app)
    app.web_app.settings["config"].Exporter.preprocessors.append("helpers.setup.export.LessonPreprocessor")


def send_without_delay(app: Any) -> None:
    """Set ``TCP_NODELAY`` on the websockets of kernels.

    Without it, a reply that follows the kernel's "busy" message is delayed until the browser acknowledges that message,
    by 40 ms or more (Nagle's algorithm, RFC 896, with delayed acknowledgements, RFC 1122).
    """
    settings = app.web_app.settings
    base = settings["kernel_websocket_connection_class"]

    class Connection(base):  # type: ignore[valid-type, misc]
        def connect(self) -> Any:
            self.websocket_handler.set_nodelay(True)
            return super().connect()

    settings["kernel_websocket_connection_class"] = Connection


def _before_save(model: dict[str, Any], **_: Any) -> None:
    if model["type"] == "notebook" and model.get("content"):
        strip_views(model["content"])


def _restore_on_open(app: Any) -> None:
    """Restore widget views when a notebook is read from the contents manager."""
    contents = app.contents_manager
    get = contents.get

    async def get_with_views(path: str, *args: Any, **options: Any) -> dict[str, Any]:
        model = await get(path, *args, **options)
        if model["type"] == "notebook" and model["content"]:
            restore_views(model["content"], await _kernel_pid(app, path))
        return model

    contents.get = get_with_views


async def _kernel_pid(app: Any, path: str) -> int | None:
    """The process id of the kernel of a notebook; None if it has no kernel on this computer."""
    sessions = app.session_manager.list_sessions()
    for session in await sessions if inspect.isawaitable(sessions) else sessions:
        if session["path"].strip("/") == path.strip("/"):
            kernel = app.kernel_manager.get_kernel(session["kernel"]["id"])
            return getattr(kernel.provisioner, "pid", None)
    return None

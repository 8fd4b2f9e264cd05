"""Widget views in notebooks: how they are displayed, saved and restored.

If a saved notebook contains a widget view and its kernel has ended, JupyterLab shows "model not found" instead of the
still picture or the question. :func:`strip_views` moves views to the metadata of their outputs when a notebook is
saved, :func:`restore_views` moves them back when it is opened while the same kernel runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA_KEY = "embeddings_course"  # of an output's metadata: the process id of its kernel, and after saving the view


def show_widget(widget: ipywidgets.Widget, text: str = "") -> None:
    """Display a widget.

    Args:
        widget: the widget.
        text: shown instead in stored notebooks and in front ends without widgets; nothing if empty.
    """
    from IPython.display import display  # slow to import; the server uses only the functions below

    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    data: dict[str, Any] = {WIDGET_VIEW: view} | ({"text/plain": text} if text else {})
    display(data, metadata={METADATA_KEY: {"pid": os.getpid()}}, raw=True)


def strip_views(notebook: dict[str, Any]) -> None:
    """Move the course's widget views from the outputs of a notebook to their metadata, in place."""
    has_other_views = False
    for output in _displays(notebook):
        metadata = output.get("metadata", {}).get(METADATA_KEY)
        if metadata is None:
            has_other_views = has_other_views or WIDGET_VIEW in output["data"]
        elif WIDGET_VIEW in output["data"]:
            metadata["view"] = output["data"].pop(WIDGET_VIEW)
    if not has_other_views:
        notebook.get("metadata", {}).pop("widgets", None)


def restore_views(notebook: dict[str, Any], pid: int | None) -> None:
    """Undo :func:`strip_views`, in place, for the views of the kernel whose process has the id ``pid``."""
    for output in _displays(notebook):
        metadata = output.get("metadata", {}).get(METADATA_KEY, {})
        if pid is not None and metadata.get("pid") == pid and "view" in metadata:
            output["data"][WIDGET_VIEW] = metadata.pop("view")


def _displays(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for cell in notebook.get("cells", []):
        yield from (output for output in cell.get("outputs", []) if "data" in output)

"""Widgets in notebooks: what is shown while their kernel runs, and what a saved notebook holds.

A saved widget view is of no use once its kernel is gone: JupyterLab then shows "model not found" in place of the still
picture or the question. :func:`strip_views` moves views out of sight when a notebook is saved, :func:`restore_views`
puts them back when it is opened beside the same kernel.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
METADATA_KEY = "embeddings_course"  # of an output: the process id of its kernel, and once saved the view


def show_widget(widget: ipywidgets.Widget, text: str = "") -> None:
    """Display a widget.

    Args:
        text: what stands in its place in stored notebooks and in front ends without widgets; nothing if empty.
    """
    from IPython.display import display  # not at the start: the server needs the functions below only

    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    data: dict[str, Any] = {WIDGET_VIEW: view} | ({"text/plain": text} if text else {})
    display(data, metadata={METADATA_KEY: {"pid": os.getpid()}}, raw=True)


def strip_views(notebook: dict[str, Any]) -> None:
    """Move the course's widget views from the outputs of a notebook to their metadata, in place."""
    views_of_others = False
    for output in _displays(notebook):
        mine = output.get("metadata", {}).get(METADATA_KEY)
        if mine is None:
            views_of_others = views_of_others or WIDGET_VIEW in output["data"]
        elif WIDGET_VIEW in output["data"]:
            mine["view"] = output["data"].pop(WIDGET_VIEW)
    if not views_of_others:
        notebook.get("metadata", {}).pop("widgets", None)


def restore_views(notebook: dict[str, Any], pid: int | None) -> None:
    """Undo :func:`strip_views`, in place, for the views of the kernel whose process has the id ``pid``."""
    for output in _displays(notebook):
        mine = output.get("metadata", {}).get(METADATA_KEY, {})
        if pid is not None and mine.get("pid") == pid and "view" in mine:
            output["data"][WIDGET_VIEW] = mine.pop("view")


def _displays(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for cell in notebook.get("cells", []):
        yield from (output for output in cell.get("outputs", []) if "data" in output)

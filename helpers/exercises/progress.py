"""A progress bar that prints nothing, so that the outputs of a stored notebook do not change."""

from __future__ import annotations

import time
from types import TracebackType

import ipywidgets

from helpers.figures.views import show_widget

_INTERVAL = 0.1  # seconds between two updates of the page


class Progress:
    """A progress bar with a text.

    >>> with Progress(100, "training") as progress:
    ...     progress.step(note="loss 1.23")

    Args:
        total: number of steps, positive.
        label: the name of the run; a notebook without a kernel shows only this.

    Raises:
        ValueError: a total that is not positive.
    """

    def __init__(self, total: int, label: str) -> None:
        if total <= 0:
            raise ValueError(f"total must be positive, got {total}")
        self.total, self.done = total, 0
        self._label = label
        self._bar = ipywidgets.IntProgress(max=total, description="")
        self._text = ipywidgets.Label(label)
        self._shown = 0.0
        show_widget(ipywidgets.HBox([self._bar, self._text]), label)

    def step(self, n: int = 1, note: str = "") -> None:
        """Advance by ``n`` steps; ``note`` is shown beside the bar."""
        self.done = min(self.total, self.done + n)
        now = time.monotonic()
        if now - self._shown >= _INTERVAL or self.done == self.total:
            self._shown = now
            self._bar.value = self.done
            self._text.value = f"{self._label}: {self.done} of {self.total}" + (f", {note}" if note else "")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._text.value = f"{self._label}: stopped after {self.done} of {self.total}"

"""Right answers in many styles: what the checks and the grader must accept.

A style is a source that defines the function of its task: plain loops, numpy, vectorised torch, einsum or another
function of torch, float32 or float64, a class with ``__call__``, a lambda, a partial. ``torch``, ``F`` and ``math`` are
imported, as in the notebooks.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.corpus.homework import STYLES as HOMEWORK
from tests.corpus.lessons import STYLES as LESSONS

STYLES: Mapping[str, list[str]] = LESSONS | HOMEWORK
"""Task, as in :mod:`tests.tools.answers`, → sources."""

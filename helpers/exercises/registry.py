"""The exercises and questions of all lessons, by id."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from helpers.exercises.exercise import Exercise, Question


def _load(attribute: str) -> dict[str, Any]:
    """The items of a list of every lesson module, by their ids.

    Raises:
        ValueError: two items have the same id, or an id begins with the number of another lesson.
    """
    items: dict[str, Any] = {}
    for name in sorted(path.stem for path in Path(__file__).parent.glob("lesson*.py")):
        for item in getattr(import_module(f"helpers.exercises.{name}"), attribute):
            if item.id in items:
                raise ValueError(f"two {attribute.lower()} have the id {item.id!r}")
            if not item.id.startswith(f"{name.removeprefix('lesson')}."):
                raise ValueError(f"{item.id!r} is in {name}; ids begin with the number of their lesson")
            items[item.id] = item
    return items


EXERCISES: dict[str, Exercise] = _load("EXERCISES")
QUESTIONS: dict[str, Question] = _load("QUESTIONS")

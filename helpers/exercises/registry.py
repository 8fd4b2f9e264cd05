"""The exercises of all lessons, by id."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from helpers.exercises.exercise import Exercise


def load_exercises() -> dict[str, Exercise]:
    """Every exercise of the course by its id, such as ``"01.lookup"``.

    Raises:
        ValueError: two exercises have the same id.
    """
    exercises: dict[str, Exercise] = {}
    for name in sorted(path.stem for path in Path(__file__).parent.glob("lesson*.py")):
        for exercise in import_module(f"helpers.exercises.{name}").EXERCISES:
            if exercise.id in exercises:
                raise ValueError(f"two exercises have the id {exercise.id!r}")
            exercises[exercise.id] = exercise
    return exercises


EXERCISES = load_exercises()

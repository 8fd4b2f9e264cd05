"""The exercises of all lessons, by id: what is right, and which wrong answers are known."""

from importlib import import_module
from pkgutil import iter_modules

from helpers.checks import Exercise

EXERCISES: dict[str, Exercise] = {}

for _module in sorted(module.name for module in iter_modules(__path__)):
    for _exercise in import_module(f"{__name__}.{_module}").EXERCISES:
        if _exercise.id in EXERCISES:
            raise ValueError(f"two exercises are called {_exercise.id!r}")
        EXERCISES[_exercise.id] = _exercise

"""Lets the lessons of a copy of the course import its package without an installation.

A notebook finds this file first. It hands over to the package in the folder above, or where there
is none to the installed one.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

_here = Path(__file__).resolve().parent
_missing = [name for name in ("anywidget", "torch") if importlib.util.find_spec(name) is None]
if _missing:
    raise ModuleNotFoundError(
        f"The lessons need {' and '.join(_missing)}, which {sys.executable} does not have. "
        f"Run `make lab` in {_here.parent}, "
        f"or in a cell: %pip install -r {_here.parent / 'requirements.txt'}"
    )
_path = list(sys.path)
_above = [str(_here.parent)] if (_here.parent / "helpers/__init__.py").exists() else []
sys.path[:] = _above + [entry for entry in _path if Path(entry).resolve() != _here]
del sys.modules["helpers"]
try:
    importlib.import_module("helpers")
finally:
    sys.path[:] = _path

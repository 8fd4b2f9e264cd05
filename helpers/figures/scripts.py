"""Bundling of the JavaScript of figures and of quizzes."""

from __future__ import annotations

import re
from pathlib import Path

_LOCAL_IMPORT = re.compile(r'^import \{[^}]*\} from "\.[./\w]*\.js";\n', re.MULTILINE)


def bundle(*paths: Path) -> str:
    """Concatenate ES modules, in the given order and without their imports of each other, to one module.

    anywidget and the static site load a single file, while tests and the type checker read separate modules.
    """
    return "\n".join(_LOCAL_IMPORT.sub("", path.read_text(encoding="utf-8")) for path in paths)

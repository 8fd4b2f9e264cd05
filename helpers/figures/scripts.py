"""The JavaScript of figures and quizzes as one module each."""

from __future__ import annotations

import re
from pathlib import Path

_LOCAL_IMPORT = re.compile(r'^import \{[^}]*\} from "\.[./\w]*\.js";\n', re.MULTILINE)


def bundle(*paths: Path) -> str:
    """ES modules as one self-contained module: in the given order, without the imports of each other.

    anywidget and the static site load a single file; each module stands alone for Node's tests and the type checker.
    """
    return "\n".join(_LOCAL_IMPORT.sub("", path.read_text(encoding="utf-8")) for path in paths)

"""Real text without a download: the documentation of the installed Python, or a text file."""

from __future__ import annotations

import ast
import os
import re
import sysconfig
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

MIN_WORDS = 1_000  # fewer are too few to learn from
MAX_BYTES = 50_000_000
_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}
_STRING = re.compile(r'[rRuU]?("""|\'\'\')(.*?)\1', re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n")
_CODE = re.compile(r">>>|\.\.\. |[{}<>=|\\]|::|__|^\s*[@#$]|\w\(")
_END = re.compile(r"(?<=[.!?:;।॥؟؛۔])\s+")
_JOINERS = "'\u200c\u200d"  # between letters: apostrophe, and the joiners of Persian and Indic spelling
_SPELLINGS = str.maketrans({"’": "'", "\u00ad": None})  # the typographic apostrophe; soft hyphens are invisible


def sentences(text: str) -> list[list[str]]:
    """Split text into sentences of lower-case words, in Unicode normalisation form C.

    A word is a run of letters with their combining marks and the apostrophes between them; ``’`` becomes ``'``, soft
    hyphens are removed, and Turkish ``İ`` becomes ``i``. Digits, underscores and other punctuation separate words. A
    sentence ends after ``. ! ? : ;`` (or the Indic and Arabic signs for these) followed by white space, and at an empty
    line. Sentences of a single word are left out.
    """
    lower = text.translate(_SPELLINGS).lower().replace("i\u0307", "i")  # str.lower writes İ as i and a combining dot
    text = unicodedata.normalize("NFC", lower)
    word = _word_pattern(text)
    parts = (part for paragraph in _PARAGRAPH.split(text) for part in _END.split(paragraph))
    return [words for words in map(word.findall, parts) if len(words) > 1]


def _word_pattern(text: str) -> re.Pattern[str]:
    """The pattern of a word of ``text``; ``re`` has no class of marks, so those that occur are listed."""
    characters = sorted(set(text))
    marks, numbers = ("".join(c for c in characters if unicodedata.category(c).startswith(kind)) for kind in "MN")
    letter = rf"[^\W_{numbers}]"
    letters = rf"{letter}(?:{letter}|[{marks}])*" if marks else f"{letter}+"
    return re.compile(rf"{letters}(?:[{_JOINERS}]{letters})*")


def documentation(folder: Path | None = None) -> list[list[str]]:
    """The sentences of the documentation strings of Python's own library, and of its help topics.

    The sources are read as text, not imported. Paragraphs that look like code and repeated sentences are left out. The
    text depends on the version of Python.

    Args:
        folder: the folder of the sources; by default the standard library of the running Python.

    Returns:
        Sentences, see :func:`sentences`.

    Raises:
        FileNotFoundError: the folder contains no sources.
        ValueError: the sources contain fewer than 1,000 words of text.
    """
    folder = Path(folder or sysconfig.get_path("stdlib"))
    sources = sorted(_sources(folder))
    if not sources:
        raise FileNotFoundError(f"no Python sources in {folder}; give a text file of your own to read_text")
    prose = (paragraph for path in sources for paragraph in _paragraphs(path))
    return _require_words(_unique(sentence for text in prose for sentence in sentences(text)), str(folder))


def read_text(path: str | Path) -> list[list[str]]:
    """The sentences of a text file (UTF-8), see :func:`sentences`.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: not text in UTF-8, empty, larger than 50 MB, or fewer than 1,000 words.
    """
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} has {path.stat().st_size / 1e6:.0f} MB; give at most {MAX_BYTES / 1e6:.0f} MB")
    raw = path.read_bytes()
    if not raw.strip():
        raise ValueError(f"{path.name} is empty; give a text of at least {MIN_WORDS:,} words")
    if b"\0" in raw:
        raise ValueError(f"{path.name} holds zero bytes, so it is no plain text; save it as plain text in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not UTF-8 (byte {error.start:,} is {raw[error.start]:#04x}); save it as UTF-8 text"
        ) from None
    return _require_words(sentences(text), path.name)


def _sources(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        yield from (Path(root, name) for name in files if name.endswith(".py"))


def _paragraphs(path: Path) -> Iterator[str]:
    """The paragraphs of a source's triple-quoted strings that read like prose."""
    text = path.read_text(encoding="utf-8", errors="ignore")
    if path.parts[-2:] == ("pydoc_data", "topics.py"):
        texts = ast.literal_eval(text[text.index("{") :]).values()
    else:
        texts = (match[2] for match in _STRING.finditer(text))
    for string in texts:
        for paragraph in _PARAGRAPH.split(string):
            if " " in paragraph.strip() and not _CODE.search(paragraph):
                yield paragraph


def _unique(text: Iterable[list[str]]) -> list[list[str]]:
    """The sentences without repetitions, in their order."""
    return list({" ".join(words): words for words in text}.values())


def _require_words(text: list[list[str]], name: str) -> list[list[str]]:
    """Return the sentences; raise ValueError if they have fewer than :data:`MIN_WORDS` words."""
    words = sum(map(len, text))
    if words < MIN_WORDS:
        raise ValueError(f"{name} has {words:,} words; at least {MIN_WORDS:,} are needed to learn from")
    return text

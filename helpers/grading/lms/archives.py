"""List the files of untrusted folders and zips, and read them within limits. Nothing is extracted to disk.

nbgrader's extractor is not used: it extracts every file of an archive without limits, nested archives included.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath

from helpers.grading.lms.filenames import is_notebook
from helpers.grading.lms.roster import RESERVED
from helpers.grading.submission import MAX_BYTES as MAX_NOTEBOOK_BYTES

MEGABYTE = 1_000_000
MAX_ZIP_BYTES = 4_000 * MEGABYTE  # unpacked
MAX_ENTRIES = 20_000
MAX_RATIO = 200  # of unpacked to packed size; that of a notebook of text is below 20
MAX_TIMESTAMP_BYTES = 200
ARCHIVES = (".zip", ".gz", ".tar", ".tgz", ".7z", ".rar")


_LMS_FOLDER = re.compile(r"_\d+_assignsubmission_file|^\d+-\d+ ?- |_attempt_\d{4}-")
_CANVAS_FILE = re.compile(r"(?:\w*?_)?(?:LATE_)?(?:\d+|anon_[^\W_]+)_\d+_[^/]+$")


class RejectedArchive(Exception):
    """A whole archive is rejected; the message is the reason."""


class RejectedFile(Exception):
    """A single file is rejected; the message is the reason."""


@dataclass(frozen=True)
class Entry:
    """One file of a folder or archive.

    Attributes:
        location: where it is, for messages.
        name: its path below the archive or folder, with ``/``.
        archive: the archive or folder that contains it.
        read: returns its bytes, or raises RejectedFile.
        date: its modification time, as sortable text.
        timestamp: the text of the ``timestamp.txt`` in its folder, which nbgrader's exchange writes.
        problem: the reason why it is not accepted as a submission; empty for a notebook.
        rejected: with a ``problem``, whether it may contain a submission, unlike a file of another type.
    """

    location: str
    name: str
    archive: Path
    read: Callable[[], bytes]
    date: str = ""
    timestamp: str = ""
    problem: str = ""
    rejected: bool = False


def entries(path: Path, stack: contextlib.ExitStack, is_learner: Callable[[str], bool]) -> list[Entry]:
    """All files of a folder or a zip, or the notebook ``path`` itself.

    A top-level folder that contains all files is removed from the names unless ``is_learner`` returns true for it. Each
    zip is opened once and closed by ``stack``.

    Raises:
        RejectedArchive: the archive is damaged or hostile.
        FileNotFoundError: ``path`` does not exist.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; a folder, a zip or a notebook is expected")
    if path.is_dir():
        listed = list(_in_folder(path))
    elif is_notebook(path.name):
        return [Entry(path.name, path.name, path, partial(_read_file, path), _date(path))]
    else:
        listed = _in_zip(path, stack)
    return _without_container(listed, is_learner)


def _without_container(listed: list[Entry], is_learner: Callable[[str], bool]) -> list[Entry]:
    """Remove a top-level folder that contains all files, if the names below it still identify learners."""
    names = [entry.name for entry in listed if not entry.problem]
    tops = {name.partition("/")[0] for name in names}
    if len(tops) != 1 or any("/" not in name for name in names):
        return listed
    [top] = tops
    below = [name.partition("/")[2] for name in names]
    firsts = {name.partition("/")[0] for name in below if "/" in name}
    if is_learner(top) or _LMS_FOLDER.search(top):
        return listed
    identified = all(_LMS_FOLDER.search(name) or _CANVAS_FILE.match(name) or "/" in name for name in below)
    several = len(firsts) > 1 or any(is_learner(first) or _LMS_FOLDER.search(first) for first in firsts)
    deep = all(name.count("/") > 1 for name in below)  # container/learner/homework/homework.ipynb
    if not identified or (firsts and not several and not deep):
        return listed
    return [replace(entry, name=entry.name.removeprefix(f"{top}/")) for entry in listed]


def _in_folder(folder: Path) -> Iterator[Entry]:
    for root, folders, names in os.walk(folder):  # links to folders are not followed
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            path = Path(root) / name
            below = path.relative_to(folder).as_posix()
            entry = Entry(f"{folder.name}/{below}", below, folder, partial(_read_file, path), _date(path))
            if _is_hidden(name) or name == "timestamp.txt":
                continue
            if name.casefold().endswith(".zip"):
                yield _nested(entry)
            elif not is_notebook(name):
                yield replace(entry, problem=_kind(name), rejected=name.casefold().endswith(ARCHIVES))
            else:
                yield replace(entry, timestamp=_timestamp_beside(path))


def _timestamp_beside(path: Path) -> str:
    """The text of ``timestamp.txt`` in the folder of a submission; empty if there is none."""
    try:
        text = _read_file(path.parent / "timestamp.txt", MAX_TIMESTAMP_BYTES)
    except RejectedFile:
        return ""
    return text.decode("utf-8", "replace").strip()


def _in_zip(path: Path, stack: contextlib.ExitStack) -> list[Entry]:
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        infos = archive.infolist()
        _check(path.name, infos)
        listed = []
        for info in infos:
            name = info.filename.replace("\\", "/")  # Windows PowerShell 5 writes \
            if info.is_dir() or name.endswith("/") or any(_is_hidden(part) for part in PurePosixPath(name).parts):
                continue
            date = "-".join(f"{part:02}" for part in info.date_time)
            entry = Entry(f"{path.name}: {name}", name, path, partial(_read_zip, archive, info), date)
            if problem := _file_problem(info):
                entry = replace(entry, problem=problem, rejected=True)
            elif name.casefold().endswith(".zip"):
                entry = _nested(entry)
            elif not is_notebook(name):
                entry = replace(entry, problem=_kind(name), rejected=name.casefold().endswith(ARCHIVES))
            else:
                _measure(archive, info)
            listed.append(entry)
        return listed
    except (RejectedArchive, FileNotFoundError):
        raise
    except Exception as error:  # zipfile, zlib, lzma and struct raise different types
        raise RejectedArchive(f"{path.name} is rejected, nothing was imported: {_message(error)}") from error


def _check(name: str, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Reject an archive that is damaged or malicious as a whole."""

    def refuse(reason: str) -> None:
        raise RejectedArchive(f"{name} is rejected, nothing was imported: {reason}")

    if len(infos) > MAX_ENTRIES:
        refuse(f"{len(infos):,} entries, at most {MAX_ENTRIES:,} are allowed")
    if sum(info.file_size for info in infos if is_notebook(info.filename) and not _file_problem(info)) > MAX_ZIP_BYTES:
        refuse(f"more than {MAX_ZIP_BYTES // MEGABYTE:,} MB unpacked")
    paths: set[str] = set()
    for info in infos:
        path = info.filename.replace("\\", "/")
        shown = info.filename[:100]
        if path.startswith("/") or re.match(r"[A-Za-z]:", path):
            refuse(f"{shown!r} is an absolute path")
        if ".." in path.split("/"):
            refuse(f"{shown!r} is outside the archive")
        if "\0" in info.orig_filename or any(ord(letter) < 32 for letter in info.filename):
            refuse(f"{shown!r} has a control character in its name")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            refuse(f"{shown!r} is a link or a device, not a file")
        if path in paths:
            refuse(f"{shown!r} occurs twice")
        paths.add(path)


def _file_problem(info: zipfile.ZipInfo) -> str:
    """The reason why a single file is rejected; empty if it is not.

    The archive is not rejected for these reasons, because any learner can cause them in the archive of a whole course.
    """
    if info.flag_bits & 0x1:
        return "it is encrypted; ask for the notebook without a password"
    if any(part.split(".")[0].strip().casefold() in RESERVED for part in re.split(r"[\\/]", info.filename)):
        return "its name is reserved on Windows"
    if not is_notebook(info.filename) and not info.filename.casefold().endswith(".zip"):
        return ""
    if info.file_size > MAX_NOTEBOOK_BYTES:
        return f"it has {info.file_size / MEGABYTE:,.1f} MB, at most {MAX_NOTEBOOK_BYTES // MEGABYTE}"
    if info.file_size > MEGABYTE and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"it unpacks to {info.file_size // max(info.compress_size, 1):,} times its size"
    return ""


def _measure(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Read an entry, and compare its checksum and length with the directory of the archive."""
    with archive.open(info) as stream:
        length = 0
        while length <= MAX_NOTEBOOK_BYTES and (part := stream.read(2**16)):
            length += len(part)
    if length != info.file_size:
        raise zipfile.BadZipFile(f"{info.filename!r} does not have the length that the archive's directory states")


def _nested(entry: Entry) -> Entry:
    """Replace the entry of a zip by the notebook in it, if there is exactly one."""
    try:
        with zipfile.ZipFile(io.BytesIO(entry.read())) as inner:
            _check(entry.location, inner.infolist())
            names = [
                info
                for info in inner.infolist()
                if not info.is_dir() and not any(_is_hidden(part) for part in re.split(r"[\\/]", info.filename))
            ]
            notebooks = [info for info in names if is_notebook(info.filename)]
            if len(notebooks) != 1:
                raise RejectedFile(f"a zip with {len(notebooks)} notebooks; ask for the notebook itself")
            if problem := _file_problem(notebooks[0]):
                raise RejectedFile(problem)
            _measure(inner, notebooks[0])
            content = inner.read(notebooks[0])
        file_name = re.split(r"[\\/]", notebooks[0].filename)[-1]
    except RejectedFile as error:
        return replace(entry, problem=str(error), rejected=True)
    except RejectedArchive as error:
        return replace(entry, problem=str(error).partition(": ")[2], rejected=True)
    except Exception as error:
        return replace(entry, problem=f"the zip cannot be read ({_message(error)})", rejected=True)
    # The LMS' part of the zip's name identifies the learner, the name of the notebook identifies the homework.
    stem = entry.name[: -len(".zip")]
    folder, _, last = stem.rpartition("/")
    lms = re.match(
        r"(.*?_assignsubmission_file_|(?:\w*?_)?(?:LATE_)?(?:\d+|anon_[^\W_]+)_\d+_|.*?_attempt_[\d-]+_)", last
    )
    name = "/".join(filter(None, [folder, (lms[1] if lms else "") + file_name]))
    return replace(entry, name=name if folder or lms else f"{stem}/{file_name}", read=lambda: content)


def _read_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as stream:
        return stream.read(MAX_NOTEBOOK_BYTES + 1)


def _read_file(path: Path, limit: int = MAX_NOTEBOOK_BYTES) -> bytes:
    """A file's content.

    Raises:
        RejectedFile: it is a link, not a regular file, or too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise RejectedFile(f"it cannot be read, or is a link ({error.strerror})") from error
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise RejectedFile("it is not a file")
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise RejectedFile(f"it has more than {limit // MEGABYTE} MB")
    return content


def _kind(name: str) -> str:
    """Describe the type of a file that is not a notebook."""
    suffix = PurePosixPath(name).suffix.casefold()
    kinds = {
        ".pdf": "a PDF", ".html": "a web page", ".htm": "a web page", ".py": "a Python script", ".docx": "a document",
        ".txt": "a text file", ".json": "a JSON file", ".png": "an image", ".jpg": "an image", ".jpeg": "an image",
    }  # fmt: skip
    if suffix in ARCHIVES:
        return f"an archive ({suffix}) of an unsupported type; ask for the notebook"
    return f"not a notebook: {kinds.get(suffix, f'a file {suffix}' if suffix else 'a file without an extension')}"


def _date(path: Path) -> str:
    return datetime.fromtimestamp(path.lstat().st_mtime, UTC).strftime("%Y-%m-%d-%H-%M-%S")


def _is_hidden(name: str) -> bool:
    return name.startswith("._") or name in (".ipynb_checkpoints", "__MACOSX", ".git", ".DS_Store", "Thumbs.db")


def _message(error: Exception) -> str:
    return str(error) or type(error).__name__

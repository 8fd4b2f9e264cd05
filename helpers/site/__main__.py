"""Build the static site: ``python -m helpers.site [--output FOLDER]`` (``make site``).

Each lesson is executed in its own kernel, in which every state of its figures is drawn; Sphinx makes the pages from the
stored notebooks.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from helpers.exercises.quiz import QuizView
from helpers.figures.live import _View
from helpers.site.pages import page

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent
NOTEBOOKS = ROOT / "notebooks"
RELEASES = NOTEBOOKS / "homework" / "release"
OUTPUT = ROOT / ".artefacts" / "site"
REPORT = "EXPORTED "
DOWNLOAD = r'<a download href="_static/homework/\2.ipynb" aria-label="Download homework \1">\1</a>'


def export_figures(path: Path, folder: Path, after: str = "") -> list[dict]:
    """Execute a lesson and export every state of its figures in the same kernel.

    Args:
        path: the notebook of the lesson.
        folder: where the figures are written.
        after: code that runs in the kernel after the export.

    Returns:
        The fields of :class:`helpers.site.states.Exported` for each figure.

    Raises:
        RuntimeError: the export failed; the message contains the outputs of the kernel.
    """
    notebook = nbformat.read(path, as_version=4)
    code = (
        "import dataclasses, json, pathlib\nfrom helpers.site.states import export_lesson\n"
        f"_folder, _lesson = pathlib.Path({str(folder)!r}), {path.name[:2]!r}\n"
        f"_rows = export_lesson(_folder, _lesson)\n{after}\n"
        f"print({REPORT!r} + json.dumps([dataclasses.asdict(row) for row in _rows]))"
    )
    notebook.cells.append(new_code_cell(code))
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(NOTEBOOKS)}},
    )
    client.store_widget_state = False
    client.execute()
    for output in notebook.cells[-1].outputs:
        for line in output.get("text", "").splitlines():
            if line.startswith(REPORT):
                return json.loads(line.removeprefix(REPORT))
    raise RuntimeError(f"{path.name}: {notebook.cells[-1].outputs}")


def classic_script(module: str, name: str) -> str:
    """Convert an ES module to a script that sets ``window.NAME.render``; pages from ``file://`` cannot load modules."""
    body = re.sub(r"^export default .*$", "", module, flags=re.MULTILINE)
    body = re.sub(r"^export (?=(?:async )?(?:function|const|class|let)\b)", "", body, flags=re.MULTILINE)
    return f'(() => {{\n"use strict";\n{body}\nwindow.{name} = {{ render }};\n}})();\n'


def start_page(lessons: list[Path]) -> str:
    """The first page: the introduction and the course map of the README, with links to pages of the site."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"(?s)<!-- badges -->.*?<!-- /badges -->", "", readme)
    title = text.partition("\n")[0].removeprefix("# ")
    introduction = text.partition("\n")[2].partition("\n## ")[0]
    course = text.partition("\n## The course\n")[2].partition("\n## ")[0]
    table = "\n".join(line for line in course.splitlines() if line.startswith("|"))
    text = f"# {title}\n{introduction}\n\n## The course\n\n{table}\n"
    text = re.sub(r"\[([^\]]*)\]\(notebooks/homework/release/(\w+)/\w+\.ipynb\)", DOWNLOAD, text)
    text = re.sub(r"\]\(notebooks/(\d\d_\w+\.ipynb)\)", r"](\1)", text)
    text = text.replace('"notebooks/images/', '"_static/images/')
    text = re.sub(r"\[([^\]]*)\]\((?!\d\d_|https?:)[^)]*\)", r"\1", text)  # pages that are not part of the site
    contents = "\n".join([*(path.stem for path in lessons), "glossary"])
    progress = '<section class="progress" hidden></section>'
    return f"{text}\n\n{progress}\n\n```{{toctree}}\n:hidden:\n\n{contents}\n```\n"


def draw_figures(lessons: list[Path], folder: Path, after: str = "") -> list[dict]:
    """Export the figures of all lessons in parallel; see :func:`export_figures`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [row for rows in pool.map(lambda path: export_figures(path, folder, after), lessons) for row in rows]


def build(output: Path = OUTPUT, reuse: bool = False, after: str = "") -> list[dict]:
    """Build the site below ``output``.

    Args:
        output: the folder of the site; it is emptied first.
        reuse: whether to reuse the pictures of the last build, if only pages or scripts changed.
        after: code that runs in the kernel of each lesson after its export.

    Returns:
        A row for each exported figure, see :func:`export_figures`.

    Raises:
        RuntimeError: a figure cannot be exported, or Sphinx warns.
    """
    source, drawn = output.parent / "site-source", output.parent / "site-figures"
    report = drawn / "report.json"
    lessons = sorted(NOTEBOOKS.glob("*.ipynb"))
    if not (reuse and report.exists()):
        report.write_text(json.dumps(draw_figures(lessons, drawn, after)))
    static = output.parent / "site-static"
    for folder in (source, static, output):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    shutil.copytree(drawn, static / "figures", ignore=shutil.ignore_patterns("report.json"))
    for path in lessons:
        notebook = page(nbformat.read(path, as_version=4), path.name[:2], static / "stills")
        nbformat.write(notebook, source / path.name)
    (source / "index.md").write_text(start_page(lessons), encoding="utf-8")
    shutil.copy(NOTEBOOKS / "glossary.md", source / "glossary.md")
    shutil.copytree(NOTEBOOKS / "images", static / "images")
    (static / "homework").mkdir()
    for path in RELEASES.glob("*/*.ipynb"):
        shutil.copy(path, static / "homework" / path.name)
    for name, view, script in (("live", _View, "embeddingsLive"), ("quiz", QuizView, "embeddingsQuiz")):
        (static / f"{name}.js").write_text(classic_script(view._esm, script), encoding="utf-8")
        (static / f"{name}.css").write_text(view._css, encoding="utf-8")
    for name in ("site.js", "site.css"):
        shutil.copy(HERE / name, static / name)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-c", str(HERE), "-d"]
    command += [str(output.parent / "site-doctrees"), "-D", f"html_static_path={static}", str(source), str(output)]
    if subprocess.run(command).returncode:
        raise RuntimeError("Sphinx did not build the site without a warning (see above)")
    return json.loads(report.read_text())


def main(arguments: list[str]) -> int:
    """Build the site, and print a table of its figures."""
    parser = argparse.ArgumentParser(prog="python -m helpers.site", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="a folder; it is emptied first")
    parser.add_argument("--reuse", action="store_true", help="take the pictures of the last build")
    args = parser.parse_args(arguments)
    started = time.monotonic()
    rows = build(args.output, args.reuse)
    print(f"{'figure':<60}{'states':>9}{'of':>9}{'seconds':>9}{'kB':>7}")
    for row in rows:
        print(
            f"{row['title'][:58]:<60}{row['states']:>9,}{row['possible']:>9,}{row['seconds']:>9.1f}"
            f"{row['size'] / 1000:>7.0f}"
        )
    total = sum(path.stat().st_size for path in args.output.rglob("*") if path.is_file())
    print(f"{len(rows)} figures, {total / 1e6:.1f} MB in {time.monotonic() - started:.0f} s: {args.output}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Re-execute notebooks and store their outputs in one normal form: ``python -m tests.tools.refresh [notebook …]``.

Run twice it changes nothing: no timestamps, no widget state, no ids that change, and a still whose pixels are the same
stays the file it was. An error in a cell that is not tagged ``raises-exception`` is never stored.
"""

from __future__ import annotations

import base64
import io
import os
import re
import sys
from pathlib import Path

import matplotlib.image
import nbformat
import numpy as np
from nbclient import NotebookClient
from nbformat import NotebookNode

from helpers.figures.views import WIDGET_VIEW

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = ROOT / "notebooks"
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
    },
}
PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


class Refused(Exception):
    """A notebook that must not be stored, and why."""


def lessons() -> list[Path]:
    """The lessons of the course, in order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def homeworks() -> list[Path]:
    """The source notebooks of the homework, with their solutions, in order."""
    return sorted(NOTEBOOKS.glob("homework/source/*/*.ipynb"))


def run(notebook: NotebookNode, folder: Path = NOTEBOOKS) -> NotebookNode:
    """Execute in a fresh kernel; errors stay in the cells."""
    os.environ |= ENVIRONMENT
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_errors=True, resources={"metadata": {"path": str(folder)}}
    )
    client.store_widget_state = False
    return client.execute()


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Drop all that changes from run to run; keep cell ids, text, stills."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if key in ("tags", "nbgrader")}
        )
        if cell.cell_type != "code":
            continue
        if cell.source.strip():
            count += 1
            cell.execution_count = count
        outputs: list[NotebookNode] = []
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
            if "data" in output:
                output.data.pop(WIDGET_VIEW, None)
                output.metadata = nbformat.from_dict({})
                if not output.data:
                    continue
            if output.output_type == "error":
                output.traceback = [f"{output.ename}: {output.evalue}"]
            if outputs and output.output_type == "stream" and outputs[-1].get("name") == output.name:
                outputs[-1].text += output.text
            else:
                outputs.append(output)
        cell.outputs = outputs
    return notebook


def refuse(notebook: NotebookNode, name: str) -> None:
    """Raise :class:`Refused` for an error without its tag, a tag without its error, or anything on stderr."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tagged = "raises-exception" in cell.metadata.get("tags", [])
        errors = [output for output in cell.outputs if output.output_type == "error"]
        where = f"{name}, the cell that starts {cell.source.splitlines()[0]!r}" if cell.source else name
        if errors and not tagged:
            raise Refused(f"{where}: {errors[0].ename}: {errors[0].evalue}. Mend it, or tag it raises-exception.")
        if tagged and not errors:
            raise Refused(f"{where} is tagged raises-exception and raises nothing. Take the tag off.")
        for output in cell.outputs:
            if output.get("name") == "stderr":
                raise Refused(f"{where} wrote to stderr: {output.text.strip()[:200]!r}")


def keep_stills(new: NotebookNode, old: NotebookNode) -> None:
    """Keep a stored picture whose pixels have not changed, so that its bytes stay the same, too."""
    before = {cell.id: cell for cell in old.cells if cell.cell_type == "code"}
    for cell in new.cells:
        if cell.cell_type != "code" or cell.id not in before:
            continue
        for mine, theirs in zip(cell.outputs, before[cell.id].outputs, strict=False):
            html, stored = (output.get("data", {}).get("text/html", "") for output in (mine, theirs))
            fresh, kept = PICTURE.findall(html), PICTURE.findall(stored)
            if len(fresh) == len(kept) and all(map(_same_pixels, fresh, kept)):
                for one, other in zip(fresh, kept, strict=True):
                    html = html.replace(one, other)
                if fresh:
                    mine.data["text/html"] = html


def _same_pixels(one: str, other: str) -> bool:
    first, second = (matplotlib.image.imread(io.BytesIO(base64.b64decode(text))) for text in (one, other))
    return first.shape == second.shape and float(np.abs(first - second).max()) < 0.02


def refresh(path: Path) -> bool:
    """Execute one notebook and store it; True when the file changed.

    Raises:
        Refused: see :func:`refuse`; the file stays as it was.
    """
    before = path.read_text(encoding="utf-8")
    old = nbformat.reads(before, as_version=4)
    new = run(nbformat.reads(before, as_version=4), path.parent)
    refuse(new, path.name)
    normalise(new)
    keep_stills(new, old)
    after = nbformat.writes(new) + "\n"
    if after == before:
        return False
    spare = path.with_suffix(".ipynb.new")
    spare.write_text(after, encoding="utf-8")
    spare.replace(path)
    return True


def main(names: list[str]) -> int:
    every = lessons() + homeworks()
    chosen = [path for path in every if not names or any(name in path.name for name in names)]
    if not chosen:
        print(f"no notebook is called {' or '.join(names) or 'anything'}: {NOTEBOOKS.name}/ has {len(every)}")
        return 1
    for path in chosen:
        try:
            print(f"{path.name}: {'refreshed' if refresh(path) else 'unchanged'}", flush=True)
        except Refused as reason:
            print(f"refused: {reason}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Read exported figures back and compare them with what the figure itself draws; runs in the lesson's own kernel."""

from __future__ import annotations

import base64
import json
import math
import random
import re
import zlib
from pathlib import Path
from typing import Any

from helpers.figures.live import LiveFigure

ALL_UP_TO, SAMPLE = 5_000, 300  # states of a figure that are all compared; otherwise a seeded sample


def read_back(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and arrays of an exported figure."""
    text = re.fullmatch(r'embeddingsSite\.receive\("[\d-]+", "([A-Za-z0-9+/=]+)"\);\n', path.read_text("ascii"))
    assert text, f"{path.name} is not the one call that a page expects"
    data = zlib.decompress(base64.b64decode(text[1]))
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def compare(figure: LiveFigure, path: Path) -> list[str]:
    """What differs between the exported pictures and :meth:`LiveFigure.draw`; empty when nothing does."""
    header, blob = read_back(path)
    controls = {name: control["values"] for name, control in header["spec"]["controls"].items()}
    count = math.prod(map(len, controls.values()))
    if count != len(header["pictures"]):
        return [f"{figure.title!r}: {len(header['pictures'])} pictures for {count} states"]
    chosen = range(count) if count <= ALL_UP_TO else sorted(random.Random(0).sample(range(count), SAMPLE))
    problems = []
    for number in chosen:
        values, rest = {}, number
        for name in reversed(controls):
            rest, index = divmod(rest, len(controls[name]))
            values[name] = controls[name][index]
        expected = figure.draw(values)
        sentence, *panels = header["pictures"][number]
        if header["sentences"][sentence] != expected["sentence"]:
            problems.append(f"{figure.title!r} at {values}: another sentence")
        for panel, right in zip(panels, expected["panels"], strict=True):
            got = header["panels"][panel]
            for name, array in right["arrays"].items():
                start, length = got["arrays"][name]["buffer"]
                if blob[start : start + length] != expected["buffers"][array["buffer"]]:
                    problems.append(f"{figure.title!r} at {values}: other {name}")
            plain = json.loads(json.dumps({key: value for key, value in right.items() if key != "arrays"}))
            if plain != {key: value for key, value in got.items() if key != "arrays"}:
                problems.append(f"{figure.title!r} at {values}: another panel")
    return problems


def verify(folder: Path, lesson: str) -> None:
    """Compare every exported figure of this kernel.

    Raises:
        AssertionError: the first ten differences.
    """
    problems = []
    for number, figure in enumerate(LiveFigure.instances, start=1):
        problems += compare(figure, folder / f"{lesson}-{number}.js")
    assert not problems, "\n".join(problems[:10])

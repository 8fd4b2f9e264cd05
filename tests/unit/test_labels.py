"""Labels have the same positions in the browser and in the still."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from helpers.figures.labels import LabelRequest, place_labels
from tests.tools.refresh import ROOT

_SCRIPT = """
import { placeLabels } from "./helpers/figures/labels.js";
const [requests, obstacles, frame] = JSON.parse(process.argv[1]);
console.log(JSON.stringify(placeLabels(requests, obstacles, frame)));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_both_renderers_place_labels_at_the_same_positions() -> None:
    """The browser counts pixels downwards, matplotlib upwards."""
    rng = np.random.default_rng(0)
    requests = []
    for number in range(60):
        x, y, width, height = rng.uniform([0, 0, 20, 10], [400, 300, 80, 20])
        toward = tuple(rng.normal(size=2)) if number % 3 == 0 else None
        requests.append(LabelRequest(x, y, width, height, 6.0, number % 5 == 0, toward))
    obstacles = [(request.x - 4, request.y - 4, request.x + 4, request.y + 4) for request in requests]
    placed = place_labels(requests, obstacles, (0, 0, 400, 300))

    downwards = [
        vars(request)
        | {"y": 300 - request.y}
        | ({"toward": [request.toward[0], -request.toward[1]]} if request.toward else {"toward": None})
        for request in requests
    ]
    sides = ("left", "bottom", "right", "top")
    boxes = [
        dict(zip(sides, (left, 300 - low, right, 300 - high), strict=True)) for left, low, right, high in obstacles
    ]
    given = json.dumps([downwards, boxes, {"left": 0, "top": 0, "right": 400, "bottom": 300}])
    command = ["node", "--input-type=module", "--eval", _SCRIPT, given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    shown = [
        box and (box["left"], 300 - box["bottom"], box["right"], 300 - box["top"]) for box in json.loads(done.stdout)
    ]
    assert [box is None for box in shown] == [box is None for box in placed]
    assert 20 < sum(box is not None for box in placed) < 60
    pairs = [(one, other) for one, other in zip(placed, shown, strict=True) if one is not None]
    assert np.allclose([one for one, _ in pairs], [other for _, other in pairs])

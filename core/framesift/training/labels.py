"""What is shown in each patch of a frame, read off a synthetic video's truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from framesift.synthetic.happenings import LETTERS, SIGNS
from framesift.synthetic.pixels import COLORS, SHAPES
from framesift.synthetic.places import box_at

GRID = 8
"""Patches per side."""
NOTHING = -100
"""Label of a patch that a question does not apply to, which the loss leaves out."""
LEAST_SHARE = 0.12
"""Part of a patch that a thing must cover to be what the patch shows."""
KINDS = ("nothing", "shape", "number", "code", "sign")
CLASSES = {
    "kind": len(KINDS),
    "color": len(COLORS),
    "shape": len(SHAPES),
    "tens": 10,
    "ones": 10,
    "letter": len(LETTERS),
    "sign": len(SIGNS),
    "backdrop": 7,
}
"""What is asked of a patch, and the number of answers."""
BACKDROPS = ("sea", "forest", "desert", "snowfield", "night sky", "sunset", "indoors")

Labels = dict[str, npt.NDArray[Any]]


def frame_labels(events: Sequence[dict[str, Any]], seconds: float) -> Labels:
    """Returns int64 classes `(64,)` by name of `CLASSES`, and `where` float32 `(64, 2)`.

    `where` is the middle (x, y) of the thing that a patch shows, or of the patch if it shows none,
    in patches from the middle of the picture.
    """
    labels: Labels = {name: np.full(GRID * GRID, NOTHING, np.int64) for name in CLASSES}
    labels["kind"][:] = 0
    labels["backdrop"][:] = len(BACKDROPS) - 1
    middles = np.arange(GRID) + 0.5 - GRID / 2
    labels["where"] = _pairs(middles[None, :], middles[:, None])
    largest = np.full(GRID * GRID, LEAST_SHARE)
    for event in events:
        if not event["start_seconds"] <= seconds < event["end_seconds"]:
            continue
        facts = event["attributes"]
        if event["kind"] == "landscape":
            labels["backdrop"][:] = BACKDROPS.index(facts["name"])
            continue
        answers = _answers(event["kind"], facts)
        if answers is None:
            continue
        box = box_at(event, seconds)
        share = covered(box)
        here = share >= largest
        largest[here] = share[here]
        for name in ("color", "shape", "tens", "ones", "letter", "sign"):
            labels[name][here] = answers.get(name, NOTHING)
        labels["kind"][here] = answers["kind"]
        labels["where"][here] = [
            (box[axis] + box[axis + 2]) / 2 * GRID - GRID / 2 for axis in (0, 1)
        ]
    return labels


def _answers(kind: str, facts: dict[str, Any]) -> dict[str, int] | None:
    colors = list(COLORS)
    if kind in ("shape", "event"):
        return {
            "kind": 1,
            "color": colors.index(facts["color"]),
            "shape": SHAPES.index(facts["shape"]),
        }
    if kind == "number":
        tens, ones = divmod(facts["number"], 10)
        return {"kind": 2, "color": colors.index(facts["color"]), "tens": tens, "ones": ones}
    if kind == "code":
        letter, digit = facts["text"]
        return {"kind": 3, "letter": LETTERS.index(letter), "ones": int(digit)}
    if kind == "text":
        return {"kind": 4, "sign": SIGNS.index(facts["text"])}
    return None


def covered(box: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns the part of each patch that lies in the box, `(64,)`."""
    edges = np.arange(GRID + 1) / GRID
    across, down = (
        (np.minimum(edges[1:], box[axis + 2]) - np.maximum(edges[:-1], box[axis])).clip(0) * GRID
        for axis in (0, 1)
    )
    return np.outer(down, across).flatten()


def _pairs(across: npt.NDArray[Any], down: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns (x, y) of all patches, float32 `(64, 2)`."""
    return np.stack(np.broadcast_arrays(across, down), axis=-1).reshape(-1, 2).astype(np.float32)

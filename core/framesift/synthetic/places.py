"""Where the things of a synthetic video are at a time, and whether they are in the picture."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.synthetic.script import Event

PLAINLY: Final = 0.5
"""Part of a thing that must be in the picture of a frame for it to be seen."""


def box_at(event: Event, seconds: float) -> npt.NDArray[np.float64]:
    """Returns the relative (x0, y0, x1, y1) of a thing, whose box is given for its mid time."""
    box = np.array(event["box"])
    path = event["attributes"].get("path")
    if path is not None:
        start, end = np.array(path)
        whole = event["end_seconds"] - event["start_seconds"]
        box = box + np.tile((end - start) * ((seconds - event["start_seconds"]) / whole - 0.5), 2)
    return box


def inside(event: Event, seconds: float) -> float:
    """Returns the part of a thing's box that is in the picture at a time."""
    x0, y0, x1, y1 = box_at(event, seconds).tolist()
    seen = max(0.0, min(x1, 1.0) - max(x0, 0.0)) * max(0.0, min(y1, 1.0) - max(y0, 0.0))
    return float(seen / max((x1 - x0) * (y1 - y0), 1e-9))

"""Labels of patches that depend on earlier frames: motion, order and the landscape before.

Questions about motion and order give a language model one lesson a clip. These labels of visual
tokens give it hundreds: which way the thing in the patch has moved, how many of its kind came
before it, and which landscape was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from framesift.synthetic.places import box_at
from framesift.training.labels import BACKDROPS, GRID, LEAST_SHARE, NOTHING, Labels, covered

MOTIONS = ("left", "right", "up", "down", "none")
COURSE = {"motion": len(MOTIONS), "rank": 8, "before": len(BACKDROPS)}
"""Labels of a patch that are classes, each with the number of its classes."""
MEASURED = ("where", "shift")
"""Labels of a patch that are numbers (x, y): where its object is, and how far it has moved."""
KIN = {
    "shape": "shape",
    "event": "shape",
    "number": "number",
    "text": "sign",
    "landscape": "landscape",
}
"""Kinds of event, each with the name under which it is counted."""


def course_labels(events: Sequence[dict[str, Any]], times_seconds: Sequence[float]) -> Labels:
    """Returns int64 classes `(T, 64)` by name of `COURSE`, and `shift` float32 `(T, 64, 2)`.

    `shift` is how far (x, y) the shape in a patch has moved since it was first seen, in patches;
    NaN in patches without a shape.
    """
    labels: Labels = {
        name: np.full((len(times_seconds), GRID * GRID), NOTHING, np.int64) for name in COURSE
    }
    labels["shift"] = np.full((len(times_seconds), GRID * GRID, 2), np.nan, np.float32)
    largest = np.full((len(times_seconds), GRID * GRID), LEAST_SHARE)
    for event in events:
        if event["kind"] not in KIN:
            continue
        ranked = _ranked(event, events)
        shown = [
            number
            for number, seconds in enumerate(times_seconds)
            if event["start_seconds"] <= seconds < event["end_seconds"]
        ]
        for number in shown:
            share = (
                np.full(GRID * GRID, LEAST_SHARE)
                if event["kind"] == "landscape"
                else covered(box_at(event, times_seconds[number]))
            )
            here = share >= largest[number]
            largest[number, here] = share[here]
            labels["rank"][number, here] = ranked[0]
            labels["before"][number, here] = ranked[1]
            labels["motion"][number, here] = _motion(event) if number > shown[0] else NOTHING
            if KIN[event["kind"]] == "shape":
                seen_for = times_seconds[number] - times_seconds[shown[0]]
                labels["shift"][number, here] = GRID * seen_for * _speed(event)
    return labels


def _speed(event: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Returns (x, y) in parts of the picture per second."""
    start, end = np.array(event["attributes"].get("path", ((0.0, 0.0), (0.0, 0.0))))
    speed: npt.NDArray[np.float64] = (end - start) / (event["end_seconds"] - event["start_seconds"])
    return speed


def _ranked(event: dict[str, Any], events: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Returns how many of its kind came before, and the landscape before, `NOTHING` if unknown."""
    kin = [other for other in events if KIN.get(other["kind"]) == KIN[event["kind"]]]
    starts = [other["start_seconds"] for other in kin]
    if starts.count(event["start_seconds"]) > 1:
        return NOTHING, NOTHING
    earlier = [other for other in kin if other["start_seconds"] < event["start_seconds"]]
    if event["kind"] != "landscape" or not earlier:
        return len(earlier), NOTHING
    return len(earlier), BACKDROPS.index(earlier[-1]["attributes"]["name"])


def _motion(event: dict[str, Any]) -> int:
    if event["kind"] not in ("shape", "event"):
        return NOTHING
    (x0, y0), (x1, y1) = event["attributes"].get("path", ((0.0, 0.0), (0.0, 0.0)))
    if x0 == x1 and y0 == y1:
        return MOTIONS.index("none")
    if x0 != x1:
        return MOTIONS.index("right" if x1 > x0 else "left")
    return MOTIONS.index("down" if y1 > y0 else "up")

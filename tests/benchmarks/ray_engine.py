"""Videos per minute of a batch on a Ray cluster of this machine against worker processes alone.

    PYTHONPATH=tests:integrations/ray python -m benchmarks.ray_engine FOLDER --clips 60

Both work in turns on the same clips, which FOLDER gets; Ray has to be installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import framesift
import framesift_ray


def timed(clips: Path, out: Path, workers: int, engine: Any) -> dict[str, float]:
    """Returns videos per minute of a run, with its start and from its first video on."""
    shutil.rmtree(out, ignore_errors=True)
    ends: list[float] = []
    start = time.perf_counter()
    framesift.batch(
        clips,
        out,
        workers=workers,
        engine=engine,
        on_done=lambda *_: ends.append(time.perf_counter()),
    )
    end = time.perf_counter()
    # What is under way when the first ends is one video of each worker.
    steady = ends[workers - 1 :]
    return {
        "whole": 60 * len(ends) / (end - start),
        "steady": 60 * (len(steady) - 1) / (steady[-1] - steady[0]),
        "load": os.getloadavg()[0],
    }


def shown(figures: dict[str, Any]) -> None:
    """Writes figures as a line of JSON."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Prints each round, and the medians of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    clips = given.folder / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    for number in range(given.clips):
        path = clips / f"{number:04}.mp4"
        if not path.exists():
            address = f"synthetic://mixed?seconds={given.seconds}&seed={number}"
            with framesift.open_video(address) as video:
                assert video.path is not None
                shutil.copy(video.path, path)
    ratios: dict[str, list[float]] = {"whole": [], "steady": []}
    for number in range(given.rounds):
        local = timed(clips, given.folder / "local", given.workers, None)
        ray = timed(clips, given.folder / "ray", given.workers, framesift_ray.engine())
        shown({"round": number, "local": local, "ray": ray})
        for name, values in ratios.items():
            values.append(ray[name] / local[name])
    shown({name: round(median(values), 3) for name, values in ratios.items()})


if __name__ == "__main__":
    main()

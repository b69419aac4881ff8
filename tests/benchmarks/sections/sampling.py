"""How fast are sixty frames of a minute sampled, compared with other ways to get these frames?"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.effort import Effort
from benchmarks.process import (
    Json,
    Laps,
    Measured,
    in_fresh_process,
    interleaved,
    timing,
)
from benchmarks.samplers import OURS, PEERS
from benchmarks.videos import FPS, numbered_clip, read_numbers

TARGET: Final = 0.9
"""Least speed of ours over that of the fastest peer that returns the asked frames."""


def sampling_run(laps: Laps, *, name: str, video: str, frames: int) -> Json:
    """Returns whether sampler `name` brought the asked frames, after timing it."""
    sampler = (OURS | PEERS)[name]
    for module in (*sampler.imports, "framesift.types.frames"):
        importlib.import_module(module)
    positions = range(0, frames, FPS)
    with laps.lap():
        images = sampler.sample(video, positions)
    return {"exact": read_numbers(images) == list(positions)}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how fast frames are sampled, beside other libraries."""
    seconds = effort.clip_seconds
    videos = {f"GOP {gop}": numbered_clip(seconds=seconds, gop=gop) for gop in (250, 60)}
    return results(videos, clip_seconds=seconds, rounds=effort.sampling_rounds)


def results(videos: Mapping[str, Path], *, clip_seconds: int, rounds: int) -> Json:
    """Returns the section of results about sampling `videos`, by name, at one frame per second."""
    rows: list[Json] = []
    skipped: dict[str, str] = {}
    for label, video in videos.items():
        video.read_bytes()  # brings the file into the cache of the operating system
        contestants = {
            name: partial(
                in_fresh_process,
                sampling_run,
                name=name,
                video=video,
                frames=clip_seconds * FPS,
                timeout_seconds=120.0,
            )
            for name in OURS | PEERS
        }
        runs, missing = interleaved(contestants, rounds=rounds, peers=tuple(PEERS))
        skipped |= missing
        rows += _rows(label, runs)
    return {
        "question": f"{clip_seconds} s of 1280x720 H.264 at {FPS} fps, one frame per second as "
        "384x384 RGB; imports are not timed; at GOP 60 every second asked frame is a key frame",
        "asked": f"exact, and speed_vs_peer >= {TARGET} on every video",
        "met": {name: _is_met(rows, name) for name in OURS},
        "rows": rows,
        "skipped": skipped,
    }


def _is_met(rows: Sequence[Json], name: str) -> bool:
    return all(r["exact"] and r["speed_vs_peer"] >= TARGET for r in rows if r["name"] == name)


def _rows(label: str, runs: Mapping[str, list[Measured]]) -> list[Json]:
    rows: list[Json] = [
        {
            "video": label,
            "name": name,
            "exact": all(run.facts["exact"] for run in measured),
            **timing([run.seconds["work"][0] for run in measured]),
        }
        for name, measured in runs.items()
    ]
    exact = (row for row in rows if row["exact"] and row["name"] in PEERS)
    peer = min(exact, key=lambda row: float(row["seconds"]))
    for row in rows:
        row["peer"] = peer["name"]
        row["speed_vs_peer"] = round(peer["seconds"] / row["seconds"], 3)
    return rows

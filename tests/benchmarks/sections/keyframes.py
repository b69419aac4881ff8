"""How fast do keyframes come, compared with PySceneDetect on the same clips?"""

from __future__ import annotations

from collections.abc import Mapping
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

COUNT: Final = 8
OURS: Final = "framesift keyframes"
PEER: Final = "PySceneDetect AdaptiveDetector"


def keyframes_run(laps: Laps, *, video: str) -> Json:
    """Returns how many pictures of which size `VideoCompressor.keyframes` gave."""
    from framesift.compression.compressor import VideoCompressor

    sift = VideoCompressor()
    sift.keyframes(video, count=COUNT)
    with laps.lap():
        picked = sift.keyframes(video, count=COUNT)
    return {"pictures": len(picked), "size_px": picked[0].image.size}


def scenes_run(laps: Laps, *, video: str) -> Json:
    """Returns how many scenes PySceneDetect found."""
    from scenedetect import AdaptiveDetector, detect

    detect(video, AdaptiveDetector())
    with laps.lap():
        scenes = detect(video, AdaptiveDetector())
    return {"scenes": len(scenes)}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how fast keyframes are picked, beside PySceneDetect."""
    from benchmarks.videos import numbered_clip

    videos = {"test video": numbered_clip(seconds=effort.clip_seconds, gop=250)}
    if clips is not None:
        videos |= {path.stem: path for path in sorted(clips.glob("*.mp4"))}
    return results(videos, rounds=effort.sampling_rounds)


def results(videos: Mapping[str, Path], *, rounds: int) -> Json:
    """Returns the section of results about the keyframes of `videos`, by name."""
    rows: list[Json] = []
    skipped: dict[str, str] = {}
    for label, video in videos.items():
        video.read_bytes()  # brings the file into the cache of the operating system
        contestants = {
            OURS: partial(in_fresh_process, keyframes_run, video=video),
            PEER: partial(in_fresh_process, scenes_run, video=video),
        }
        runs, missing = interleaved(contestants, rounds=rounds, peers=[PEER])
        skipped |= missing
        rows += _rows(label, runs)
    return {
        "question": f"{COUNT} keyframes as full-size images, written nowhere, against the list of "
        "scenes; the second call in a process is timed, without imports",
        "rows": rows,
        "skipped": skipped,
    }


def _rows(label: str, runs: Mapping[str, list[Measured]]) -> list[Json]:
    rows: list[Json] = [
        {
            "video": label,
            "name": name,
            **picked[0].facts,
            **timing([run.seconds["work"][0] for run in picked]),
        }
        for name, picked in runs.items()
    ]
    peers = [row for row in rows if row["name"] == PEER]
    for row, peer in ((row, peer) for peer in peers for row in rows):
        row["peer"] = PEER
        row["speed_vs_peer"] = round(peer["seconds"] / row["seconds"], 3)
    return rows

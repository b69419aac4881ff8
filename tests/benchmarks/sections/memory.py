"""Does memory grow with the length of a video? Peaks of fresh processes, short against long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, logger

TARGET: Final = 1.15
"""Largest peak on the long video over the peak on the short one."""


def sampling_run(laps: Laps, *, video: str) -> Json:
    """Samples one frame per second at 384x384 and keeps none of them."""
    from framesift.decoders import registry
    from framesift.decoders.sampling import at_fps

    decoder, path = registry.create("pyav"), Path(video)
    with laps.lap():
        wanted = at_fps(decoder.index(path), 1.0)
        windows = decoder.decode(path, wanted, size_px=(384, 384))
        return {"frames": sum(len(window) for window in windows)}


def keyframes_run(laps: Laps, *, video: str) -> Json:
    """Takes eight keyframes."""
    from framesift.compression.compressor import VideoCompressor

    sift = VideoCompressor()
    with laps.lap():
        return {"frames": len(sift.keyframes(video, count=8))}


def compress_run(laps: Laps, *, video: str) -> Json:
    """Compresses to a quarter of the tokens, with the default strategy and encoder."""
    from framesift.compression.compressor import VideoCompressor

    sift = VideoCompressor(keep=0.25)
    with laps.lap():
        report = sift.compress(video).report
    return {"tokens_in": report.tokens_in, "tokens_out": report.tokens_out}


OPERATIONS: Final = {
    "sampling": sampling_run,
    "keyframes": keyframes_run,
    "compress": compress_run,
}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how peak memory grows with the length of a video."""
    from benchmarks.videos import numbered_clip, repeated

    clip = numbered_clip(seconds=effort.clip_seconds, gop=60)
    short, long = (
        repeated(clip, times=seconds // effort.clip_seconds) for seconds in effort.memory_seconds
    )
    return results(short, long, seconds=effort.memory_seconds, rounds=effort.planning_rounds)


def results(
    short: Path,
    long: Path,
    *,
    seconds: tuple[int, int],
    rounds: int,
    names: Sequence[str] = tuple(OPERATIONS),
) -> Json:
    """Returns the section of results about memory.

    Args:
        short: the video that gives the peer; it is run `rounds` times, each operation in turn.
        long: the video whose peak is compared; it is run once.
        seconds: length of both.
        rounds: number of runs over the short video.
        names: which of the operations to run.
    """
    turns = [{name: _peak(name, short) for name in names} for _ in range(rounds)]
    rows = [
        _row(name, seconds, [turn[name] for turn in turns], _peak(name, long)) for name in names
    ]
    return {
        "question": f"peak resident memory of a fresh process over {seconds[1]} s of 1280x720 "
        f"video against {seconds[0]} s",
        "asked": f"peak_growth <= {TARGET}",
        "met": {row["name"]: row["peak_growth"] <= TARGET for row in rows},
        "rows": rows,
    }


def _peak(name: str, video: Path) -> Json:
    run = in_fresh_process(OPERATIONS[name], video=video, timeout_seconds=7200.0)
    logger.info("%s of %s: peak %.0f MB", name, video.stem, run.peak_bytes / 1e6)
    return {
        "start_bytes": run.start_bytes,
        "peak_bytes": run.peak_bytes,
        "seconds": round(run.seconds["work"][0], 2),
        **run.facts,
    }


def _row(name: str, seconds: tuple[int, int], shorts: list[Json], long: Json) -> Json:
    short_bytes = int(median(run["peak_bytes"] for run in shorts))
    return {
        "name": name,
        "peak_bytes": long["peak_bytes"],
        "video_seconds": seconds[1],
        "peer": f"the same on {seconds[0]} s",
        "peer_peak_bytes": short_bytes,
        "peak_growth": round(long["peak_bytes"] / short_bytes, 3),
        "runs": [long],
        "peer_runs": shorts,
    }

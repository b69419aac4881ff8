"""Is only what changes on a screen read, with the same lines, and does memory stay?

A real screen recording is read at one frame a second, once what changed and once each frame whole.
A page that is written for an hour is read in a fresh process, and for five minutes in another one.
Seconds are those that all threads spent on the CPU, which others on the machine do not change.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from time import process_time
from typing import Final

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, logger
from framesift.types.video import TimedText

CLIP: Final = "screen-recording.mp4"
MOST_READ: Final = 0.25
MOST_GROWTH: Final = 1.15
STAYS_SECONDS: Final = 2.0
CLEAR: Final = 0.9
"""Lines count that stand for so long and were read so surely; the others are mostly misread."""


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what was read of the recording, and how memory grows with the length of a page."""
    from framesift.evaluation.answers.real_clips import checked_clips

    if clips is None:
        raise ValueError("screen_text needs the real clips in --clips FOLDER")
    clip = checked_clips(clips, [CLIP])[CLIP]
    recording, pages = recording_row(clip), memory_row(effort.memory_seconds)
    return {
        "question": f"share of the pixels of {CLIP} that are read at one frame a second, with the "
        f"lines of reading each frame whole; peak memory of reading a page that is written for "
        f"{effort.memory_seconds[1]} s against {effort.memory_seconds[0]} s",
        "asked": f"share of pixels <= {MOST_READ}, peak_growth <= {MOST_GROWTH}",
        "met": {
            recording["name"]: recording["pixels_share"] <= MOST_READ,
            pages["name"]: pages["peak_growth"] <= MOST_GROWTH,
        },
        "rows": [recording, pages],
    }


def read_run(laps: Laps, *, video: str, spec: str) -> Json:
    """Reads the text of a video by one reader."""
    from framesift.compression.compressor import VideoCompressor

    sift = VideoCompressor(text=spec)
    start = process_time()
    with laps.lap():
        transcript = sift.transcript(video)
    (report,) = transcript.readings
    facts = report.model_dump(exclude={"reader", "lines", "seconds"})
    lines = [asdict(line) for line in transcript.lines]
    return {"cpu_seconds": round(process_time() - start, 2), "found": lines, **facts}


def recording_row(clip: Path) -> Json:
    """Returns what reading only what changed of a recording took and found."""
    own, peer = (
        in_fresh_process(read_run, video=clip, spec=spec).facts
        for spec in ("screen", "screen:reads=all")
    )
    changed, whole = (_lines(facts.pop("found")) for facts in (own, peer))
    share = own["pixels_read"] / own["pixels_total"]
    logger.info("%.1f %% of the pixels were read", 100 * share)
    return {
        "name": "a recording",
        "seconds": own["cpu_seconds"],
        "peer": "each frame whole",
        "times_peer": round(own["cpu_seconds"] / peer["cpu_seconds"], 3),
        "pixels_share": round(share, 4),
        **difference("found", whole, changed),
        **difference("confirmed", changed, whole),
        "run": own,
        "peer_run": peer,
    }


def memory_row(seconds: tuple[int, int]) -> Json:
    """Returns the peak memory of reading a page that is written, short against long."""
    from benchmarks.written_pages import SECONDS_PER_LINE, write_page, written_line

    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for length in seconds:
            page = write_page(Path(folder) / f"page-{length}.mp4", seconds=length)
            runs.append(in_fresh_process(read_run, video=page, spec="screen", timeout_seconds=7200))
    short, long = runs
    read = {line.text for line in _lines(long.facts.pop("found"))}
    written = {written_line(number) for number in range(seconds[1] // SECONDS_PER_LINE)}
    facts = long.facts
    return {
        "name": "a page that is written",
        "peak_bytes": long.peak_bytes,
        "video_seconds": seconds[1],
        "peer": f"the same for {seconds[0]} s",
        "peer_peak_bytes": short.peak_bytes,
        "peak_growth": round(long.peak_bytes / short.peak_bytes, 3),
        "lines_written": len(written),
        "lines_read": len(written & read),
        "lines_more": len(read - written),
        "pixels_share": round(facts["pixels_read"] / facts["pixels_total"], 4),
        "seconds_per_changed_frame": round(facts["cpu_seconds"] / max(1, facts["frames_read"]), 3),
        "run": facts,
    }


def difference(name: str, wanted: Sequence[TimedText], found: Sequence[TimedText]) -> Json:
    """Returns how many clear lines of one reading another has at the same time, and the rest."""
    clear = [line for line in wanted if _is_clear(line)]
    missed = [line.text for line in clear if not _has(found, line)]
    return {
        f"lines_{name}": len(clear) - len(missed),
        f"lines_{name}_of": len(clear),
        f"lines_not_{name}": missed,
    }


def _is_clear(line: TimedText) -> bool:
    stays = line.end_seconds - line.start_seconds >= STAYS_SECONDS or bool(line.again_seconds)
    return stays and (line.confidence or 0) >= CLEAR


def _has(lines: Sequence[TimedText], wanted: TimedText) -> bool:
    """Returns whether a line is among others, at most a frame earlier or later."""
    from framesift.readers.likeness import alike

    return any(
        alike(line.text, wanted.text) and abs(line.start_seconds - wanted.start_seconds) <= 1.01
        for line in lines
    )


def _lines(found: Sequence[Json]) -> list[TimedText]:
    return [TimedText(**each) for each in found]

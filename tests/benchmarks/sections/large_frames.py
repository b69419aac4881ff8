"""What it costs to resize large frames by the model alone, and what the decoder's way changes.

The video is a real screen recording of 2048x1810. Tokens and logits are those of tiny random models
of each family, whose towers take next to no time, so that the ratio of seconds is that of decoding
and resizing; one row has a tower of real size. Seconds are those that all threads spent on the CPU,
which others on the machine do not change; they are medians of both ways in turn.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any, Final

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, logger
from framesift.types.options import ResizedBy

CLIP: Final = "screen-recording.mp4"
WAYS: Final[tuple[ResizedBy, ...]] = ("model", "decoder")
FPS: Final = 0.5
PART: Final = "#t=0,16"
"""Eight frames of it are looked at."""
QUESTION: Final = "What is on the screen?"
REAL: Final = "internvl"
REAL_FRAMES: Final = 2


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns seconds, memory and differences of both ways for the screen recording."""
    from framesift.evaluation.answers.real_clips import checked_clips

    if clips is None:
        raise ValueError("large_frames needs the real clips in --clips FOLDER")
    clip = checked_clips(clips, [CLIP])[CLIP]
    rows = [*_tiny_rows(clip, effort.large_rounds)]
    if effort.large_real_size:
        rows.append(_real_row(clip))
    rows.append(_memory_row(clip))
    return {
        "question": f"resized_by=model against resized_by=decoder on frames of {CLIP} "
        f"({FPS:g} a second): CPU seconds of decoding and encoding, the worst and the mean cosine "
        "of the tokens of both, the largest difference of logits and their range, peak memory",
        "rows": rows,
    }


def _tiny_rows(clip: Path, rounds: int) -> Iterator[Json]:
    """Yields what both ways take and give for a tiny model of each family."""
    from framesift.testing.tiny_vlms import TINY_VLMS
    from framesift.vlms.load import load_vlm

    for name, tiny in TINY_VLMS.items():
        with tempfile.TemporaryDirectory() as folder:
            tiny.build(Path(folder))
            vlm = replace(load_vlm(folder, device="cpu"), **tiny.options)
            row = {"name": name, **compared(vlm, clip, rounds=rounds)}
        logger.info("%s: %.2f times, worst cosine %.3f", *_said(row))
        yield row


def _said(row: Json) -> tuple[str, float, float]:
    return row["name"], row["times_peer"], row["cosine_worst"]


def compared(vlm: Any, clip: Path, *, rounds: int, max_frames: int | None = None) -> Json:
    """Returns the seconds of both ways in turn, and how far what they give is apart."""
    import torch

    from framesift.compression.compressor import VideoCompressor
    from framesift.vlms.base import Turn

    seconds: defaultdict[str, list[float]] = defaultdict(list)
    given: dict[str, Any] = {}
    for _ in range(rounds):
        for way in WAYS:
            sift = VideoCompressor(
                vlm=vlm,
                strategy="uniform",
                keep=1.0,
                selector="uniform",
                fps=FPS,
                max_frames=max_frames,
                resized_by=way,
            )
            start = process_time()
            given[way] = sift.encode(f"{clip}{PART}", signals=())
            seconds[way].append(process_time() - start)
    features, others = (given[way].tokens.features.float() for way in WAYS)
    near = torch.cosine_similarity(features, others, dim=-1)
    logits = []
    for way in WAYS:
        turn = Turn(role="user", text=QUESTION, videos=(sift.reduce(given[way]),))
        with torch.no_grad():
            logits.append(vlm.hf(**vlm.prompt([turn]).inputs(), logits_to_keep=1).logits.float())
    own = median(seconds["model"])
    return {
        "tokens": features.shape[0] * features.shape[1],
        "seconds": round(own, 3),
        "peer": "resized_by=decoder",
        "times_peer": round(own / median(seconds["decoder"]), 3),
        "rounds": {way: [round(each, 3) for each in seconds[way]] for way in WAYS},
        "cosine_worst": round(float(near.min()), 4),
        "cosine_mean": round(float(near.mean()), 4),
        "logits_differ": round(float((logits[0] - logits[1]).abs().max()), 4),
        "logits_range": round(float(logits[0].max() - logits[0].min()), 4),
    }


def _real_row(clip: Path) -> Json:
    """Returns the same for a tower of real size with random weights."""
    from benchmarks.real_models import MODELS
    from framesift.vlms.load import load_vlm

    with tempfile.TemporaryDirectory() as folder:
        MODELS[REAL].write(Path(folder))
        vlm = load_vlm(folder, device="cpu", dtype="bfloat16")
        row = compared(vlm, clip, rounds=2, max_frames=REAL_FRAMES)
    return {"name": f"{MODELS[REAL].published}, {REAL_FRAMES} frames", **row}


def encode_run(laps: Laps, *, video: str, way: ResizedBy) -> Json:
    """Encodes one frame a second by the tiny model."""
    from framesift.compression.compressor import VideoCompressor

    sift = VideoCompressor(vlm="tiny", resized_by=way, strategy="uniform")
    with laps.lap():
        return {"frames": sift.compress(video).report.frames_in}


def _memory_row(clip: Path) -> Json:
    """Returns the peak memory of fresh processes."""
    own, peer = (in_fresh_process(encode_run, video=clip, way=way) for way in WAYS)
    return {
        "name": "peak memory, tiny",
        "peak_bytes": own.peak_bytes,
        "peer": "resized_by=decoder",
        "peer_peak_bytes": peer.peak_bytes,
        "peak_growth": round(own.peak_bytes / peer.peak_bytes, 3),
        "start_bytes": own.start_bytes,
        **own.facts,
    }

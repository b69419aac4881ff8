"""Results on disk: safetensors and JSON, each file whole or absent."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from threading import get_ident

from safetensors.torch import load_file, save

from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
from framesift.types.plan import TokenPlan

TOKENS = "tokens.safetensors"
REPORT = "report.json"


def write_atomically(path: Path, content: bytes) -> Path:
    """Returns `path` after moving a finished file there; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def save_keyframe(frame: Keyframe, folder: Path, *, quality: int = 90) -> Path:
    """Returns the JPEG file in `folder` that holds a keyframe, named by a hash of its content.

    Equal pictures are one file, so an index may point at it whatever is loaded again.
    """
    content = frame.jpeg(quality=quality)
    path = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.jpg"
    return path if path.is_file() else write_atomically(path, content)


def token_bytes(video: CompressedVideo) -> bytes:
    """Returns a safetensors file: tokens, positions, times, and the plan that made them.

    Its tensors are `tokens` `(M, D)`, `positions` `(M, 3)`, `pts_seconds` `(M,)`, `frame_seconds`
    `(T,)`, the entries `plan.dst`, `plan.src`, `plan.weight` `(E,)`, and, where there
    are, `layers` and the times of all frames of each time step, `step_seconds` `(T, S)`.
    """
    plan = video.plan
    tensors = {
        "tokens": video.tokens,
        "positions": video.positions,
        "pts_seconds": video.pts_seconds,
        "frame_seconds": video.frame_seconds,
        "plan.dst": plan.dst,
        "plan.src": plan.src,
        "plan.weight": plan.weight,
    }
    if video.layers is not None:
        tensors["layers"] = video.layers
    if video.step_seconds is not None:
        tensors["step_seconds"] = video.step_seconds
    return save({name: value.cpu().contiguous() for name, value in tensors.items()})


def save_compressed(video: CompressedVideo, folder: Path) -> list[Path]:
    """Returns the files that hold `video` in `folder`: `tokens.safetensors` and `report.json`."""
    report = video.report.model_dump_json(indent=2)
    return [
        write_atomically(folder / TOKENS, token_bytes(video)),
        write_atomically(folder / REPORT, report.encode()),
    ]


def load_compressed(folder: Path) -> CompressedVideo:
    """Returns what `save_compressed` wrote to `folder`."""
    tensors = load_file(folder / TOKENS)
    report = CompressionReport.model_validate_json((folder / REPORT).read_bytes())
    height, width = report.grid
    plan = TokenPlan(
        dst=tensors["plan.dst"],
        src=tensors["plan.src"],
        weight=tensors["plan.weight"],
        num_in=report.tokens_in,
        num_out=report.tokens_out,
        tokens_per_frame=height * width,
    )
    return CompressedVideo(
        tokens=tensors["tokens"],
        positions=tensors["positions"],
        pts_seconds=tensors["pts_seconds"],
        frame_seconds=tensors["frame_seconds"],
        plan=plan,
        report=report,
        layers=tensors.get("layers"),
        step_seconds=tensors.get("step_seconds"),
    )

"""Results on disk: safetensors and JSON, each file whole or absent."""

from __future__ import annotations

import os
from pathlib import Path

from safetensors.torch import load_file, save

from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.plan import TokenPlan

TOKENS = "tokens.safetensors"
REPORT = "report.json"


def write_atomically(path: Path, content: bytes) -> Path:
    """Returns `path` after moving a finished file there; missing folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def save_compressed(video: CompressedVideo, folder: Path) -> list[Path]:
    """Returns the files that hold `video` in `folder`: `tokens.safetensors` and `report.json`."""
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
    content = save({name: value.cpu().contiguous() for name, value in tensors.items()})
    report = video.report.model_dump_json(indent=2)
    return [
        write_atomically(folder / TOKENS, content),
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
    )

"""Compressed tokens from a file that anybody may have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from framesift.errors import InvalidTokensError
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.plan import TokenPlan

MOST_TOKENS: Final = 2**31
"""Most tokens before compression: a mask of them must fit into memory."""
_EXACT: Final = {
    "positions": torch.float32,
    "pts_seconds": torch.float64,
    "frame_seconds": torch.float64,
    "step_seconds": torch.float64,
    "encoded_seconds": torch.float64,
    "plan.dst": torch.int64,
    "plan.src": torch.int64,
    "plan.weight": torch.float64,
}
_DIMENSIONS: Final = {"tokens": 2, "positions": 2, "layers": 3, "step_seconds": 2}
_OPTIONAL: Final = {"layers", "step_seconds", "encoded_seconds"}
_SLACK_SECONDS: Final = 1e-3
"""Rounding of a mean time."""


def restored(tensors: Mapping[str, Tensor], report: CompressionReport) -> CompressedVideo:
    """Returns the video that tensors and a report describe, after checking all that it rests on.

    Raises:
        InvalidTokensError: a tensor is missing, or of another kind, size or range than it must be.
        ValueError: the plan's entries are out of range or out of order.
    """
    for name in ("tokens", *(_EXACT.keys() - _OPTIONAL)):
        if name not in tensors:
            raise InvalidTokensError(f"tensor {name!r} is missing")
    for name in ("tokens", "layers", *_EXACT):
        if name in tensors:
            _check_kind(name, tensors[name])
    _check_counts(tensors, report)
    _check_ranges(tensors, report)
    video = CompressedVideo(
        tokens=tensors["tokens"],
        positions=tensors["positions"],
        pts_seconds=tensors["pts_seconds"],
        frame_seconds=tensors["frame_seconds"],
        plan=TokenPlan(
            dst=tensors["plan.dst"],
            src=tensors["plan.src"],
            weight=tensors["plan.weight"].float(),
            num_in=report.frames_in * report.grid[0] * report.grid[1],
            num_out=report.tokens_out,
            tokens_per_frame=report.grid[0] * report.grid[1],
        ),
        report=report,
        layers=tensors.get("layers"),
        step_seconds=tensors.get("step_seconds"),
        encoded_seconds=tensors.get("encoded_seconds"),
    )
    counts = video.plan.frame_counts()
    if counts.tolist() != report.tokens_per_frame_kept:
        raise InvalidTokensError("tokens_per_frame_kept of the report are not those of the plan")
    if int((counts > 0).sum()) != report.frames_out:
        raise InvalidTokensError(f"frames_out={report.frames_out} is not the plan's")
    return video


def _check_kind(name: str, value: Tensor) -> None:
    """Makes sure of dtype, number of dimensions and finite values."""
    dtype = _EXACT.get(name)
    if (value.dtype != dtype) if dtype is not None else not value.is_floating_point():
        raise InvalidTokensError(f"{name} must be {dtype or 'floating point'}, not {value.dtype}")
    if value.ndim != _DIMENSIONS.get(name, 1) or 0 in value.shape:
        raise InvalidTokensError(
            f"{name} must have {_DIMENSIONS.get(name, 1)} dimensions, none empty, not "
            f"{tuple(value.shape)}"
        )
    if value.is_floating_point() and not bool(value.isfinite().all()):
        raise InvalidTokensError(f"{name} holds values that are not finite numbers")


def _check_counts(tensors: Mapping[str, Tensor], report: CompressionReport) -> None:
    """Makes sure that all sizes agree, before any of them sizes memory."""
    frames, kept = len(tensors["frame_seconds"]), len(tensors["tokens"])
    entries = len(tensors["plan.dst"])
    height, width = report.grid
    cells = frames * height * width
    expected = {
        "frames_in": (report.frames_in, frames),
        # Views of a picture may lack cells of the grid that they share.
        "tokens_in": (report.tokens_in, min(report.tokens_in, cells) if report.picture else cells),
        "tokens_out": (report.tokens_out, kept),
        "tokens_per_frame_kept": (len(report.tokens_per_frame_kept), frames),
        "positions": (tuple(tensors["positions"].shape), (kept, 3)),
        "pts_seconds": (len(tensors["pts_seconds"]), kept),
        "plan.src": (len(tensors["plan.src"]), entries),
        "plan.weight": (len(tensors["plan.weight"]), entries),
    }
    if report.segments is not None:
        held = sum(each.key_tokens + each.temporal_tokens for each in report.segments)
        expected["segments"] = (held, kept)
    for name, (given, right) in expected.items():
        if given != right:
            raise InvalidTokensError(f"{name} has {given} where the tokens have {right}")
    if report.views is not None or report.picture:
        expected_views = len(report.views or ())
        if expected_views != frames or not report.picture:
            raise InvalidTokensError(
                f"views has {expected_views} parts of a picture of {report.picture_px}, and there "
                f"are {frames} frames"
            )
    if cells > MOST_TOKENS:
        raise InvalidTokensError(f"{cells} tokens before compression exceed {MOST_TOKENS}")
    if "layers" in tensors and len(tensors["layers"]) != kept:
        raise InvalidTokensError(f"layers have {len(tensors['layers'])} rows, tokens {kept}")


def _check_ranges(tensors: Mapping[str, Tensor], report: CompressionReport) -> None:
    """Makes sure that times ascend and that tokens lie within the frames and their grid."""
    frames, times = tensors["frame_seconds"], tensors["pts_seconds"]
    if bool((frames.diff() < 0).any()):
        raise InvalidTokensError("frame_seconds must ascend")
    _check_segments(report, tensors.get("step_seconds", frames))
    low, high = frames[0] - _SLACK_SECONDS, frames[-1] + _SLACK_SECONDS
    if bool((times < low).any()) or bool((times > high).any()):
        raise InvalidTokensError("pts_seconds must lie within the frames")
    if (encoded := tensors.get("encoded_seconds")) is not None:
        if len(encoded) != len(times):
            raise InvalidTokensError(f"encoded_seconds has {len(encoded)} rows, not {len(times)}")
        if bool((encoded < low).any()) or bool((encoded > times + _SLACK_SECONDS).any()):
            raise InvalidTokensError("encoded_seconds must lie from the first frame to pts_seconds")
    ends = torch.tensor([len(frames), *report.grid], dtype=torch.float32)
    places = tensors["positions"]
    if bool((places < 0).any()) or bool((places >= ends).any()):
        raise InvalidTokensError(f"positions must lie within the frames and the {report.grid} grid")


def _check_segments(report: CompressionReport, times: Tensor) -> None:
    """Makes sure that segments follow one another within the times of all frames."""
    segments = report.segments or []
    ends = [second for each in segments for second in (each.start_seconds, each.end_seconds)]
    within = [float(times.min()), *ends, float(times.max())]
    if within != sorted(within) or sum(each.frames for each in segments) > report.frames_in:
        raise InvalidTokensError("segments of the report must follow one another within the frames")

"""What comes out of the pipeline: surviving tokens, keyframes and the report about them."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from framesift.errors import InvalidTokensError
from framesift.types.clock import clock, cut
from framesift.types.options import ResizedBy, Still, whole
from framesift.types.pickling import PickledOnCpu
from framesift.types.plan import TokenPlan
from framesift.types.segments import SegmentTokens
from framesift.types.selection import SelectionReport
from framesift.types.tokens import check_step_seconds
from framesift.types.video import Region, with_part

Side = Annotated[int, Field(ge=1)]


class CompressionReport(BaseModel):
    """The options, the outcome and the cost of one compression; JSON-safe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    uri: str
    part_seconds: tuple[float, float] | None = Field(
        default=None, description="Start and end of the part, None for all of it."
    )
    duration_seconds: float = Field(
        ge=0, description="From the first to the end of the last frame."
    )
    tokens_in: int = Field(ge=1)
    tokens_out: int = Field(ge=1)
    frames_in: int = Field(
        ge=1,
        description="Time steps that were sampled: frames, or pairs where the encoder joins two; "
        "of a still picture its views.",
    )
    frames_encoded: int = Field(
        ge=0, description="Time steps of which anything was encoded; the others stood still."
    )
    tokens_encoded: int | None = Field(
        default=None,
        ge=0,
        description="Tokens that were encoded, the others stood still; None in older reports.",
    )
    frames_out: int = Field(ge=1, description="Time steps that still own at least one token.")
    budget: int = Field(ge=1, description="Tokens allowed: max(1, floor(keep * tokens_in + 0.5)).")
    keep: float = Field(gt=0, le=1, description="Fraction of tokens asked to be kept, in (0, 1].")
    max_tokens: int | None = Field(default=None, ge=1)
    strategy: str = Field(description="Spec string, options included.")
    encoder: str
    weights: str | None = Field(
        default=None,
        description="Fingerprint of the checkpoint, where `encoder` is the tower of a vision LLM.",
    )
    question: str | None = Field(
        default=None, description="What the tokens were chosen for, where the strategy reads it."
    )
    selector: str | None = None
    selection: SelectionReport | None = Field(
        default=None, description="How frames were picked, where more than max_frames were sampled."
    )
    decoder: str
    fps: float = Field(gt=0)
    gate: float | None = Field(
        default=None,
        description="Change in levels of 256 above which a patch was encoded again; up to 1 in "
        "older reports, where it is a similarity.",
    )
    still: Still | None = Field(
        default=None, description="What became of patches that were not encoded again."
    )
    resized_by: ResizedBy | None = Field(
        default=None,
        description="What scaled large frames down for the tower of a vision LLM; None for other "
        "encoders, and in older reports, where it was the decoder.",
    )
    grid: tuple[Side, Side] = Field(description="Patch grid (h, w) of one frame.")
    region: Region = Field(
        default=(0.0, 0.0, 1.0, 1.0),
        description="Part (x0, y0, x1, y1) of the picture that the grid covers, relative.",
    )
    picture_px: tuple[Side, Side] | None = Field(
        default=None,
        description="Size (H, W) of a still picture that goes in as an image; None for videos.",
    )
    views: list[Region] | None = Field(
        default=None,
        min_length=1,
        description="Part of a still picture that the grid of each of its views covers, such as a "
        "tile; the views take the place of frames. None for videos.",
    )
    segments: list[SegmentTokens] | None = Field(
        default=None, description="What the tokens stand for, where the strategy makes segments."
    )
    tokens_per_frame_kept: list[int] = Field(description="Tokens kept of each sampled frame.")
    seconds: dict[str, float] = Field(
        description="Seconds per stage: fetch, decode, encode, ... Decoding that runs ahead "
        "overlaps with the other stages; `wait` is what the encoder waited for it."
    )
    warnings: list[str] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)

    @property
    def picture(self) -> bool:
        """Whether it is of a still picture, whose views take the place of frames."""
        return self.picture_px is not None

    @property
    def extent(self) -> str:
        """How large what was given is, for a line: seconds of a video, pixels of a picture."""
        if self.picture_px is None:
            return f"{cut(self.duration_seconds, 1):.1f} s of video"
        return f"a picture of {self.picture_px[1]}x{self.picture_px[0]} px"

    @property
    def frames_shown(self) -> int:
        """Time steps that tokens stand for: those of all segments, else those that own a token."""
        if self.segments:
            return sum(segment.frames for segment in self.segments)
        return self.frames_out

    @property
    def share_encoded(self) -> float:
        """Share of the tokens that were encoded; the encoder's time follows it."""
        if self.tokens_encoded is None:
            return self.frames_encoded / self.frames_in
        return self.tokens_encoded / self.tokens_in


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompressedVideo(PickledOnCpu):
    """The visual tokens that survive, with their times, places and origin; equal to itself only.

    Tokens and layers are on the device that encoded them, all else on the CPU. A pickle is for any
    machine: what it brings back is on the CPU.
    """

    tokens: Tensor
    """Surviving features `(M, D)`, in time order."""
    positions: Tensor
    """Mean (frame, row, column) of each token on the input grid, float32 `(M, 3)`."""
    pts_seconds: Tensor
    """Mean time of each token, float64 `(M,)`, ascending."""
    frame_seconds: Tensor
    """Times of the sampled frames, float64 `(T,)`; of a step of several that of the first."""
    plan: TokenPlan
    report: CompressionReport
    layers: Tensor | None = None
    """What deeper LLM layers add to the tokens (DeepStack), `(M, Ld, D)`, else None."""
    step_seconds: Tensor | None = None
    """Times of all frames of each time step, float64 `(T, S)`, where `S` make one, else None."""
    encoded_seconds: Tensor | None = None
    """Mean time at which each token was encoded, float64 `(M,)`; at most `pts_seconds`, and before
    it where the picture stood still since. None where every frame was encoded whole."""

    def __post_init__(self) -> None:
        for name in ("positions", "pts_seconds", "frame_seconds", "step_seconds"):
            if (given := getattr(self, name)) is not None and given.device.type != "cpu":
                raise InvalidTokensError(f"{name} is on {given.device}; pass {name}.cpu()")
        if self.plan.src.device.type != "cpu":
            raise InvalidTokensError(f"plan is on {self.plan.src.device}; pass plan.cpu()")
        if self.layers is not None and self.layers.device != self.tokens.device:
            raise InvalidTokensError(
                f"layers are on {self.layers.device}, tokens on {self.tokens.device}; move one"
            )
        count = self.plan.num_out
        if not len(self.tokens) == len(self.positions) == len(self.pts_seconds) == count:
            raise ValueError(
                f"tokens {tuple(self.tokens.shape)}, positions {tuple(self.positions.shape)} and "
                f"pts_seconds {tuple(self.pts_seconds.shape)} must have the plan's {count} rows"
            )
        if self.layers is not None and len(self.layers) != count:
            raise ValueError(f"layers {tuple(self.layers.shape)} must have the plan's {count} rows")
        if self.encoded_seconds is not None and self.encoded_seconds.shape != (count,):
            raise ValueError(
                f"encoded_seconds {tuple(self.encoded_seconds.shape)} must have the plan's {count} "
                "rows"
            )
        check_step_seconds(self.step_seconds, self.frame_seconds)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Returns the files that hold it in `folder`, which `framesift.load` reads back.

        They are `tokens.safetensors` and `report.json`. A result that was there stays until the new
        one is whole; of two writers the last one wins.

        Raises:
            StorageError: the folder cannot be written to.
        """
        from framesift.types.compressed_files import save

        return save(self, folder)

    @property
    def address(self) -> str:
        """Where it came from, ending in `#t=START,END` for a part of it."""
        return with_part(self.report.uri, self.report.part_seconds)

    def __repr__(self) -> str:
        report = self.report
        return (
            f"CompressedVideo({report.tokens_in} -> {report.tokens_out} tokens, "
            f"{report.frames_in} -> {report.frames_out} frames, D={self.tokens.shape[-1]})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """One frame that stands for a distinct part of the video."""

    image: Image.Image
    pts_seconds: float
    score: float
    """How much the frame adds to those chosen before it; comparable within one call."""
    reason: str
    """Why the selector kept it, for a reader."""
    video_seconds: tuple[float, float] | None = None
    """Start and end of the video, or of the part of it, that it was picked from, if known."""

    @property
    def clock(self) -> str:
        """The time as mm:ss, or h:mm:ss from one hour on."""
        return clock(self.pts_seconds)

    def metadata(self) -> dict[str, Any]:
        """Returns everything but the pixels, JSON-safe."""
        return {
            "pts_seconds": round(self.pts_seconds, 6),
            "score": round(self.score, 6),
            "reason": self.reason,
            "width_px": self.image.width,
            "height_px": self.image.height,
        }

    def jpeg(self, *, quality: int = 90) -> bytes:
        """Returns the image as the bytes of a JPEG file."""
        return jpeg(self.image, quality=quality)

    def data_url(self, *, quality: int = 90) -> str:
        """Returns the image as a JPEG data URL, for HTML pages and chat APIs."""
        return jpeg_url(self.image, quality=quality)


def jpeg(image: Image.Image, *, quality: int) -> bytes:
    """Returns an RGB image as the bytes of a JPEG file.

    Raises:
        InvalidOptionError: `quality` is not a whole number from 1 to 95.
    """
    quality = whole("quality", quality, high=95)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


def jpeg_url(image: Image.Image, *, quality: int) -> str:
    """Returns an RGB image as a JPEG data URL."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(image, quality=quality)).decode()}"

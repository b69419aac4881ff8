"""The structured part of what tools return."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from framesift import Segment

if TYPE_CHECKING:
    from framesift import CompressionReport, Keyframe


class Picture(BaseModel):
    """What is known of a picture beside its pixels, which come as an image."""

    pts_seconds: float
    score: float
    reason: str
    width_px: int
    height_px: int


class Compression(BaseModel):
    """What compression kept of a video."""

    uri: str
    duration_seconds: float
    tokens_in: int = Field(description="Visual tokens of the whole video.")
    tokens_out: int = Field(description="Visual tokens that were kept.")
    frames_in: int
    frames_shown: int = Field(description="Frames that a token still stands for.")
    strategy: str
    warnings: list[str]
    keyframes: list[Picture] = Field(description="In the order of the images.")

    @classmethod
    def of(cls, report: CompressionReport, frames: list[Keyframe]) -> Compression:
        """Returns the part of a report that an agent can use."""
        known = report.model_dump(include=set(cls.model_fields))
        known["frames_shown"] = report.frames_shown
        return cls(**known, keyframes=[Picture(**frame.metadata()) for frame in frames])


class Moments(BaseModel):
    """Where in a video something was found."""

    moments: list[Segment] = Field(description="The strongest first, in the order of the images.")
    warnings: list[str] = Field(default_factory=list)

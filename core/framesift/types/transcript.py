"""All that is said and written in a video, with times."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from framesift.types.text import whole_characters
from framesift.types.video import TimedText

Text = Annotated[str, AfterValidator(whole_characters)]
"""Text of strangers, such as a file's name, that can be encoded."""


class ReadingReport(BaseModel):
    """What one reader did for a transcript."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    reader: Text = Field(description="Spec string, options included.")
    lines: int = Field(ge=0, description="Lines that it found.")
    frames_read: int = Field(default=0, ge=0, description="Frames of which some part was read.")
    frames_total: int = Field(default=0, ge=0, description="Frames that were looked at.")
    pixels_read: int = Field(default=0, ge=0, description="Pixels that were read.")
    pixels_total: int = Field(default=0, ge=0, description="Pixels of all frames looked at.")
    seconds: float = Field(default=0.0, ge=0, description="Time of it; 0 where it was kept.")


class Transcript(BaseModel):
    """The text of a video in time order; JSON-safe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: Text
    title: Text | None = None
    duration_seconds: float | None = None
    lines: tuple[TimedText, ...] = Field(description="In time order, of all readers.")
    readings: tuple[ReadingReport, ...] = Field(description="What each reader did.")
    warnings: list[str] = Field(default_factory=list)

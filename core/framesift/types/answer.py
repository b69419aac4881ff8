"""Parts of a video that a text framework can cite."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Segment(BaseModel):
    """A stretch of a video with what is said in it and the frame that stands for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    start_seconds: float
    end_seconds: float
    keyframe_seconds: float = Field(description="Time of the frame that stands for the segment.")
    text: str = Field(default="", description="Subtitles or captions within the segment.")
    reason: str = Field(default="", description="Why the segment was kept.")
    title: str | None = Field(default=None, description="Title of the video or chapter.")

    def metadata(self) -> dict[str, Any]:
        """Returns everything but the text, JSON-safe, for document stores."""
        return self.model_dump(mode="json", exclude={"text"})

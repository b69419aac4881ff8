"""What the tokens of a short run of frames stand for, where a strategy works on such runs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SegmentTokens(BaseModel):
    """A segment of frames: one in detail, and few tokens for the others; JSON-safe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    start_seconds: float = Field(description="Time of the segment's first frame.")
    end_seconds: float = Field(description="Time of its last frame.")
    key_seconds: float = Field(description="Time of the key frame.")
    frames: int = Field(ge=1, description="Frames of the segment, the key frame among them.")
    key_tokens: int = Field(ge=0, description="Tokens that show the key frame.")
    temporal_tokens: int = Field(
        ge=0, description="Tokens that stand for its frames, with or without the key frame."
    )

    @model_validator(mode="after")
    def _is_in_order(self) -> SegmentTokens:
        if not self.start_seconds <= self.key_seconds <= self.end_seconds:
            raise ValueError(
                f"key frame at {self.key_seconds} s must be within the segment from "
                f"{self.start_seconds} to {self.end_seconds} s"
            )
        return self

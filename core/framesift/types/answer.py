"""Answers about a video, and parts of it that a text framework can cite."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FinishReason = Literal["stop", "length", "stop_sequence", "cancelled"]


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
    score: float | None = Field(
        default=None, description="Share in [0, 1] of the evidence that lies in the segment."
    )
    box: tuple[float, float, float, float] | None = Field(
        default=None, description="Where in the picture: (x0, y0, x1, y1) as parts of its size."
    )

    def metadata(self) -> dict[str, Any]:
        """Returns everything but the text, JSON-safe, for document stores."""
        return self.model_dump(mode="json", exclude={"text"})


class Usage(BaseModel):
    """What one answer took; a later question on an open video pays for itself only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visual_tokens_before: int = Field(description="Visual tokens of the uncompressed prompt.")
    visual_tokens_after: int = Field(description="Visual tokens that the model read.")
    prompt_tokens: int = Field(description="Tokens of the whole prompt, visual ones included.")
    cached_tokens: int = Field(description="Tokens of the prompt that the cache already held.")
    answer_tokens: int = Field(description="Tokens generated, the end mark included.")
    encode_seconds: float = Field(description="From the file to the compressed tokens; 0 if open.")
    prefill_seconds: float = Field(description="Reading the prompt, up to the first new token.")
    decode_seconds: float = Field(description="From the first new token to the last one.")
    kv_cache_bytes: int = Field(description="Keys and values held at the end of the answer.")
    finish_reason: FinishReason
    positions: Literal["original", "compact"] = Field(
        description="Whether kept tokens stay at their places in the full prompt or move up."
    )


class Answer(BaseModel):
    """What a model says about a video, with the stretches that it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    evidence: list[Segment] = Field(
        default_factory=list, description="Stretches the answer rests on, the strongest first."
    )
    usage: Usage
    warnings: list[str] = Field(default_factory=list)

"""Answers about a video, and parts of it that a text framework can cite."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from framesift.types.clock import clock
from framesift.types.moment_links import moment_link

FinishReason = Literal["stop", "length", "stop_sequence", "cancelled"]
EvidenceKind = Literal["auto", "attention", "similarity"]
"""How the stretches that an answer rests on are found: by the answer's attention, or by similarity
to the question. `"auto"` is the attention where the model shows it, which takes one more pass of
the answer's own tokens: the time of about four of them in an answer of 16."""


class Segment(BaseModel):
    """A stretch of a video, what is said and written in it, and the frame that stands for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    start_seconds: float
    end_seconds: float
    keyframe_seconds: float = Field(description="Time of the frame that stands for the segment.")
    text: str = Field(default="", description="What is said in it: speech, subtitles or captions.")
    screen_text: str = Field(
        default="",
        description="What stands on the screen, a paragraph a line; what stands there most of the "
        "time is named where it first does.",
    )
    reason: str = Field(default="", description="Why the segment was kept.")
    title: str | None = Field(default=None, description="Title of the video.")
    chapter: str | None = Field(
        default=None, description="Title of the chapter that the keyframe lies in."
    )
    uploader: str | None = Field(default=None, description="Who published the video.")
    date: str | None = Field(
        default=None, description="Day on which it was published or recorded, as YYYY-MM-DD."
    )
    description: str | None = Field(
        default=None, description="What its publisher says of the video."
    )
    score: float | None = Field(
        default=None, description="Share in [0, 1] of the evidence that lies in the segment."
    )
    box: tuple[float, float, float, float] | None = Field(
        default=None, description="Where in the picture: (x0, y0, x1, y1) as parts of its size."
    )
    colors: tuple[str, ...] = Field(
        default=(), description="Colours that set the keyframe apart from those of other segments."
    )

    def metadata(self) -> dict[str, Any]:
        """Returns everything but the texts, JSON-safe, for document stores."""
        return self.model_dump(mode="json", exclude={"text", "screen_text"})

    def caption(self, title: str | None = None) -> str:
        """Returns titles and times, what is said, what the screen shows, colours that stand out.

        Each begins a line. It is never empty, so that a text index can hold videos without a word.

        Args:
            title: in place of those of the video and the chapter.
        """
        named = (title,) if title else (self.title, self.chapter)
        times = f"{self.clock} to {clock(self.end_seconds)}"
        lines = [", ".join(part for part in (*named, times) if part), self.text]
        if self.screen_text:
            lines.append(f"On the screen: {self.screen_text}")
        if self.colors:
            lines.append(f"Colors that stand out: {', '.join(self.colors)}")
        return "\n".join(line for line in lines if line)

    @property
    def clock(self) -> str:
        """Its start as mm:ss, or h:mm:ss from one hour on."""
        return clock(self.start_seconds)

    @property
    def link(self) -> str:
        """Address that plays the segment: `?t=90s` as its site reads it, else `#t=90,105`."""
        return moment_link(self.uri, self.start_seconds, self.end_seconds)


class Usage(BaseModel):
    """What one answer took; a later question on an open video pays for itself only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    visual_tokens_before: int = Field(description="Visual tokens of the uncompressed prompt.")
    visual_tokens_after: int = Field(description="Visual tokens that the model read.")
    prompt_tokens: int = Field(description="Tokens of the whole prompt, visual ones included.")
    text_tokens: int = Field(
        default=0, description="Of these, lines read off the videos that this question brought."
    )
    cached_tokens: int = Field(description="Tokens of the prompt that the cache already held.")
    answer_tokens: int = Field(description="Tokens generated, the end mark included.")
    encode_seconds: float = Field(description="From the file to the compressed tokens; 0 if open.")
    prefill_seconds: float = Field(description="Reading the prompt, up to the first new token.")
    decode_seconds: float = Field(description="From the first new token to the last one.")
    kv_cache_bytes: int = Field(
        description="Keys and values at the end of the answer, with the room of a compiled one."
    )
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
    not_shown: bool = Field(
        default=False,
        description="Whether the model says that no video shows what was asked, as one that was "
        "taught to say so does; a plain no is an answer.",
    )
    usage: Usage
    warnings: list[str] = Field(default_factory=list)

"""What a compressor gives: a prompt value that shows a video to a chat model."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Literal

from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.prompt_values import PromptValue
from pydantic import BaseModel, ConfigDict, Field

from framesift import Keyframe
from framesift.serving import clock, content_id


class Picture(BaseModel):
    """A keyframe as it is sent to a chat model."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    """Time of the frame in the video."""
    clock: str
    """The same as mm:ss."""
    reason: str
    """Why the selector kept it."""
    base64: str = Field(repr=False)
    """A JPEG file."""
    id: str
    """A name that depends on the bytes alone."""

    @classmethod
    def of(cls, frame: Keyframe) -> Picture:
        """Returns a keyframe as it is sent."""
        jpeg = frame.jpeg()
        return cls(
            seconds=round(frame.pts_seconds, 3),
            clock=frame.clock,
            reason=frame.reason,
            base64=b64encode(jpeg).decode(),
            id=content_id(jpeg),
        )


class VideoPrompt(PromptValue):
    """A video as any chat model takes it; it can stand wherever LangChain takes a prompt."""

    uri: str
    """Address of the video, without credentials."""
    question: str | None = None
    """What is asked about it; it ends the message where there is one."""
    start_seconds: float = 0.0
    """Where the video starts, or the part of it that was looked at."""
    end_seconds: float = 0.0
    """Where it ends."""
    pictures: list[Picture] = Field(default_factory=list)
    """The keyframes in order of time; empty where `prompt_embeds` stands for them."""
    prompt_embeds: str | None = Field(default=None, repr=False)
    """What is left of the video's tokens, in base64 as vLLM takes them."""
    tokens_before: int | None = None
    """Visual tokens of the whole video, where tokens were compressed."""
    tokens_after: int | None = None
    """Visual tokens that are left."""
    warnings: list[str] = Field(default_factory=list)
    """What went wrong with the video without ending the work."""
    type: Literal["VideoPrompt"] = "VideoPrompt"

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Returns that a dump names the pictures and leaves out their bytes."""
        return False

    @property
    def lead(self) -> str:
        """The line that says what the pictures are."""
        count = len(self.pictures)
        times = f"{clock(self.start_seconds)}-{clock(self.end_seconds)}"
        return (
            f"{count} keyframe{'' if count == 1 else 's'} of one video, {times}, each after its "
            "time:"
        )

    @property
    def content_blocks(self) -> list[dict[str, Any]]:
        """The video alone: what it is, and each picture after its time; or the tokens.

        No block has an `id`, since OpenAI and Anthropic refuse keys that they do not know.
        """
        if self.prompt_embeds is not None:
            return [{"type": "prompt_embeds", "data": self.prompt_embeds}]
        blocks: list[dict[str, Any]] = [{"type": "text", "text": self.lead}]
        for picture in self.pictures:
            blocks.append({"type": "text", "text": f"[{picture.clock}]"})
            blocks.append({"type": "image", "base64": picture.base64, "mime_type": "image/jpeg"})
        return blocks

    def to_messages(self) -> list[BaseMessage]:
        """Returns one human message: the video, then the question.

        Warnings stand in its `response_metadata`, which goes to no model.
        """
        question_blocks = [{"type": "text", "text": self.question}] if self.question else []
        noted = {"warnings": self.warnings} if self.warnings else {}
        return [
            HumanMessage(content=[*self.content_blocks, *question_blocks], response_metadata=noted)
        ]

    def to_string(self) -> str:
        """Returns the times of the keyframes and the question, for models that see no pictures."""
        times = ", ".join(picture.clock for picture in self.pictures)
        shown = f"keyframes at {times}" if times else f"{self.tokens_after} visual tokens"
        return "\n".join(filter(None, [f"Video {self.uri}: {shown}", self.question]))

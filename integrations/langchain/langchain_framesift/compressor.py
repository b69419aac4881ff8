"""A video as one step of a chain: keyframes for any chat model, or tokens for an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from langchain_core.callbacks import CallbackManagerForChainRun, dispatch_custom_event
from langchain_core.language_models import LanguageModelInput
from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import Field

import framesift
from framesift import FetchLimits, LocalVideo, Progress, on_progress, open_video
from framesift.errors import InvalidOptionError
from framesift.export import engines
from framesift.serving import Media, ReaderSpecs, ResizedBy, content_parts, media_of, throttled
from langchain_framesift.video_prompt import Picture, VideoPrompt

PROGRESS: Final = "framesift_progress"
"""Name of the custom events that tell how far the work is."""
EXPECTED: Final = "give a link, a Path, a video block, or messages with one video"

VideoInput = (
    str | Path | Mapping[str, Any] | BaseMessage | Sequence[BaseMessage | Any] | PromptValue
)
"""A link, a path, a block of a message, messages with one video, or `{"video": one of these}`."""


class VideoCompressor(RunnableSerializable[VideoInput, VideoPrompt | dict[str, Any]]):
    """Turns a video into input of a chat model: keyframes with their times, or tokens.

    A `VideoPrompt` comes out, which a chat model takes as it is. For a mapping with the key
    `"video"`, and perhaps `"question"`, a mapping comes out whose `"video"` is a list of one
    message, as `MessagesPlaceholder("video")` takes it; the other keys stay.

    Custom events `framesift_progress` tell stage, done, total and unit of the work.
    """

    count: int = Field(default=8, ge=1, strict=True)
    """Number of keyframes."""
    question: str | None = None
    """What is asked about the video; one that comes with the input goes first."""
    selector: str = "keyframes"
    """Picks the keyframes."""
    text: ReaderSpecs = ("subtitles",)
    """What reads the text that a selector may choose by, such as `"screen"`: one or several."""
    max_side_px: int | None = Field(default=768, ge=16, strict=True)
    """Longest side of a picture, None for the video's own size."""
    vlm: str | None = None
    """Name, hub id or folder of the vision LLM that an engine serves with prompt embeddings. Its
    compressed tokens then go out instead of keyframes."""
    strategy: str = "temporal"
    """Decides which of its tokens survive."""
    keep: float = Field(default=0.25, gt=0, le=1, allow_inf_nan=False, strict=True)
    """Fraction of the tokens kept."""
    resized_by: ResizedBy = "model"
    """What scales large frames down for `vlm`: its own preparation, or the decoder before it."""
    fps: float = Field(default=1.0, gt=0, allow_inf_nan=False, strict=True)
    """Frames looked at per second of video; one that a block states goes first."""
    limits: FetchLimits = Field(default_factory=FetchLimits.untrusted)
    """What may be opened: by default links to public addresses and bytes. A `Path` always may."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Returns that `dumpd` and `load` may handle it."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Returns where LangChain's `load` finds the class."""
        return ["langchain_framesift", "compressor"]

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Returns what `dumpd` writes; limits become a mapping, from which they are read back."""
        written: Any = super().to_json()
        written["kwargs"]["limits"] = asdict(self.limits)
        constructor: SerializedConstructor = written
        return constructor

    def invoke(
        self, input: VideoInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> VideoPrompt | dict[str, Any]:
        """Returns the video for a chat model.

        Raises:
            InvalidOptionError: the input holds no video, or several.
            SourceError: the video cannot be fetched, or may not be.
            DecodeError: it cannot be decoded.
        """
        return self._call_with_config(self._run, input, config)

    def _run(
        self, input: VideoInput, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> VideoPrompt | dict[str, Any]:
        if not isinstance(input, Mapping) or "video" not in input or "type" in input:
            return self.show(*one_video(input), config=config)
        video, question = one_video(input["video"])
        shown = self.show(video, input.get("question") or question, config=config)
        # The prompt says what is asked, by the key that stays.
        messages = shown.model_copy(update={"question": None}).to_messages()
        return {**input, "video": messages}

    def show(
        self, video: Media | Path, question: str | None, *, config: RunnableConfig
    ) -> VideoPrompt:
        """Returns one video for a chat model, asked `question` or else the compressor's own."""
        wanted = question or self.question
        stated = video.fps if isinstance(video, Media) else None
        fps = self.fps if stated is None else stated
        uri = video.uri if isinstance(video, Media) else video
        with on_progress(throttled(_events(config))), open_video(uri, self.limits) as local:
            if self.vlm is None:
                return self._keyframes(local, wanted, fps)
            return self._tokens(local, wanted, fps)

    def _keyframes(self, video: LocalVideo, question: str | None, fps: float) -> VideoPrompt:
        sift = framesift.VideoCompressor(selector=self.selector, text=self.text, fps=fps)
        # A chain always asks something; only a selector that reads it is given it.
        reads = framesift.selectors.registry.create(self.selector).reads_question
        asked, notes = question if reads else None, list[str]()
        frames = sift.keyframes(
            video, self.count, asked, max_side_px=self.max_side_px, warn=notes.append
        )
        return VideoPrompt(
            uri=video.uri,
            question=question,
            pictures=[Picture.of(frame) for frame in frames],
            warnings=notes,
        )

    def _tokens(self, video: LocalVideo, question: str | None, fps: float) -> VideoPrompt:
        assert self.vlm is not None
        session = _session(self.vlm)
        with session.alone():
            sift = framesift.VideoCompressor(
                vlm=session.vlm,
                strategy=self.strategy,
                keep=self.keep,
                resized_by=self.resized_by,
                fps=fps,
            )
            compressed = sift.compress(video, question)
            embeds = engines.base64_embeds(engines.content_embeds(session.vlm, compressed))
        return VideoPrompt(
            uri=video.uri,
            question=question,
            prompt_embeds=embeds,
            tokens_before=compressed.report.tokens_in,
            tokens_after=compressed.report.tokens_out,
            warnings=compressed.report.warnings,
        )


_session: Final = lru_cache(maxsize=1)(framesift.Session)
"""The last model that was named, loaded; it reads one video at a time, whatever the threads."""


def _events(config: RunnableConfig) -> Callable[[Progress], None]:
    """Returns what hands progress on to the callbacks of `config`."""
    return lambda progress: dispatch_custom_event(PROGRESS, asdict(progress), config=config)


def one_video(given: Any) -> tuple[Media | Path, str | None]:
    """Returns the one video in an input, and the text beside it in its message.

    Raises:
        InvalidOptionError: there is none, or there are several.
    """
    if isinstance(given, Path):
        return given, None
    if isinstance(given, str):
        return Media(kind="video", uri=given), None
    if isinstance(given, Mapping):
        shown: list[Sequence[str | Media | Mapping[str, Any]]] = [[media_of(given) or given]]
    elif isinstance(given, PromptValue | BaseMessage | Sequence):
        shown = [list(content_parts(message.content)) for message in messages_of(given)]
    else:
        raise InvalidOptionError(f"{given!r:.80} is not a video; {EXPECTED}")
    videos = [
        (part, [beside for beside in content if isinstance(beside, str)])
        for content in shown
        for part in content
        if isinstance(part, Media) and (part.kind == "video" or isinstance(given, Mapping))
    ]
    if len(videos) != 1:
        raise InvalidOptionError(
            f"the input holds {len(videos)} videos; {EXPECTED}; "
            "CompressVideoBlocks takes any number"
        )
    return videos[0][0], "\n".join(videos[0][1]) or None


def messages_of(given: LanguageModelInput | BaseMessage) -> list[BaseMessage]:
    """Returns what a chat model would be given, as messages."""
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return [HumanMessage(given)]
    return convert_to_messages([given] if isinstance(given, BaseMessage) else given)

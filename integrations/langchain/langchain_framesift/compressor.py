"""A video as one step of a chain: keyframes for any chat model, or tokens for an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from langchain_core.callbacks import CallbackManagerForChainRun, dispatch_custom_event
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import Field

import framesift
from framesift import FetchLimits, LocalVideo, Progress, SiteOptions, on_progress, open_video
from framesift.errors import InvalidOptionError
from framesift.export import engines
from framesift.serving import (
    Media,
    OptionOf,
    ReaderSpecs,
    ResizedBy,
    SelectorName,
    StrategyName,
    check_names,
    content_parts,
    data_uri,
    media_of,
    throttled,
)
from langchain_framesift._settings import Dumped
from langchain_framesift.video_prompt import Picture, VideoPrompt

PROGRESS: Final = "framesift_progress"
"""Name of the custom events that tell how far the work is."""
EXPECTED: Final = "give a link, a Path, bytes, a video block, or messages with one video"

VideoInput = (
    str | Path | bytes | Mapping[str, Any] | BaseMessage | Sequence[BaseMessage | Any] | PromptValue
)
"""A link, a path, the bytes of a file, a block of a message, messages with one video, or
`{"video": one of these}`."""


class VideoCompressor(Dumped, RunnableSerializable[VideoInput, VideoPrompt | dict[str, Any]]):
    """Turns a video into input of a chat model: keyframes with their times, or tokens.

    A `VideoPrompt` comes out, which a chat model takes as it is. For a mapping with the key
    `"video"`, and perhaps `"question"`, a mapping comes out whose `"video"` is a list of one
    message with the video and the question, as `MessagesPlaceholder("video")` takes it; the other
    keys stay.

    Custom events `framesift_progress` tell stage, done, total and unit of the work.
    """

    count: int = Field(default=8, ge=1, strict=True)
    """Number of keyframes."""
    question: str | None = None
    """What is asked about the video; one that comes with the input goes first."""
    selector: SelectorName = "keyframes"
    """Picks the keyframes."""
    text: ReaderSpecs = ("subtitles",)
    """What reads the text that a selector may choose by, such as `"screen"`: one or several."""
    max_side_px: int | None = Field(default=768, ge=16, strict=True)
    """Longest side of a picture, None for the video's own size."""
    vlm: str | None = None
    """Name, hub id or folder of the vision LLM that an engine serves with prompt embeddings. Its
    compressed tokens then go out instead of keyframes."""
    strategy: StrategyName = "temporal"
    """Decides which of its tokens survive."""
    keep: Annotated[float, OptionOf(framesift.VideoCompressor, "keep")] = 0.25
    """Fraction of the tokens kept."""
    resized_by: ResizedBy = "model"
    """What scales large frames down for `vlm`: its own preparation, or the decoder before it."""
    fps: Annotated[float, OptionOf(framesift.VideoCompressor, "fps")] = 1.0
    """Frames looked at per second of video; one that a block states goes first."""
    limits: FetchLimits = Field(default_factory=FetchLimits.untrusted)
    """What may be opened: by default links to public addresses and bytes. A `Path` always may."""
    site: SiteOptions = Field(default_factory=SiteOptions)
    """What is taken of the pages of video sites: language, height, and whose login is used."""

    @property
    def identity(self) -> str:
        """The options as text, for keys of what was shown by them."""
        return self.model_dump_json()

    def invoke(
        self, input: VideoInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> VideoPrompt | dict[str, Any]:
        """Returns the video for a chat model.

        Raises:
            InvalidOptionError: the input holds no video, or several, or an option is unknown.
            SourceError: the video cannot be fetched, or may not be.
            DecodeError: it cannot be decoded.
        """
        check_names("invoke", kwargs, ())
        return self._call_with_config(self._run, input, config)

    def _run(
        self, input: VideoInput, run_manager: CallbackManagerForChainRun, config: RunnableConfig
    ) -> VideoPrompt | dict[str, Any]:
        if not isinstance(input, Mapping) or "video" not in input or "type" in input:
            return self.show(*one_video(input), config=config)
        video, question = one_video(input["video"])
        asked = input.get("question") or question
        if asked is not None and not isinstance(asked, str):
            raise InvalidOptionError(f"question={asked!r:.80} must be text; ask something")
        shown = self.show(video, asked, config=config)
        return {**input, "video": shown.to_messages()}

    def show(
        self, video: Media | Path, question: str | None, *, config: RunnableConfig | None
    ) -> VideoPrompt:
        """Returns one video for a chat model, asked `question` or else the compressor's own.

        Progress goes to the run that `config` belongs to; to nobody for None.
        """
        wanted = question or self.question
        stated = video.fps if isinstance(video, Media) else None
        fps = self.fps if stated is None else stated
        uri = video.uri if isinstance(video, Media) else video
        telling = nullcontext() if config is None else on_progress(throttled(_events(config)))
        with telling, open_video(uri, self.limits, site=self.site) as local:
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
        start, end = frames[0].video_seconds or (0.0, 0.0)
        return VideoPrompt(
            uri=video.uri,
            question=question,
            start_seconds=round(start, 3),
            end_seconds=round(end, 3),
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
    if isinstance(given, bytes | bytearray):
        return Media(kind="video", uri=data_uri(bytes(given), "video/unknown")), None
    if isinstance(given, list | tuple) and any(isinstance(each, Path | bytes) for each in given):
        raise InvalidOptionError(
            f"a list of {len(given)} files is not one video; {EXPECTED}, or call batch with the "
            "list"
        )
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
    """Returns what a chat model would be given, as messages.

    Raises:
        InvalidOptionError: it is something else.
    """
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return [HumanMessage(given)]
    try:
        return convert_to_messages([given] if isinstance(given, BaseMessage) else given)
    except (NotImplementedError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidOptionError(f"the input cannot be read as messages: {reason}") from error

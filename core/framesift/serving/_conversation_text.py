"""What was read off the videos of a conversation, which stands beside them in its prompts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from framesift.answering.text_beside import Beside, Place, TextBeside
from framesift.compression.compressor import VideoCompressor
from framesift.compression.opening import Video
from framesift.compression.prompt_text import PromptText, nearest
from framesift.readers.base import Reader
from framesift.serving._video_identity import video_identity
from framesift.serving.message import Message
from framesift.types.answer import Answer
from framesift.types.video import TimedText
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoLines:
    """What was read off one video."""

    lines: tuple[TimedText, ...]
    warnings: tuple[str, ...]

    @classmethod
    def read(cls, reading: VideoCompressor, video: Video) -> VideoLines:
        """Returns what the readers of a compressor find in a video."""
        found = reading.transcript(video)
        warnings = list(found.warnings)
        if not found.lines:
            names = " and ".join(each.reader for each in found.readings)
            warnings.append(f"{names} found no text, so that the prompt has the pictures alone")
        return cls(lines=found.lines, warnings=tuple(f"{found.uri}: {line}" for line in warnings))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationText:
    """The lines of the videos of one conversation."""

    turns: Sequence[Sequence[Hashable]]
    """What tells the videos of each turn from others."""
    videos: Mapping[Hashable, VideoLines]
    """What was read off each of them; empty where nothing was to be read."""
    max_tokens: int

    def beside(self, vlm: VLM, turns: Sequence[Turn]) -> tuple[Sequence[Turn], Beside]:
        """Returns turns with the lines for each question, and those of the last.

        A turn brings the lines that no earlier one has, of its own videos and of earlier ones, as
        they were when it was asked: so the prompt of a longer conversation begins as before.
        """
        if not self.videos:
            return turns, Beside()
        known: dict[Hashable, Sequence[TimedText]] = {}
        shown: frozenset[Place] = frozenset()
        written, last = [], Beside()
        for turn, own in zip(turns, self.turns, strict=True):
            known |= {each: self.videos[each].lines for each in own if each not in known}
            if turn.role == "user" and turn.text.strip():
                text = TextBeside.of(known.values(), self.max_tokens, nearest)
                last = text.for_question(vlm, turn.text, shown)
                shown |= last.places
                turn = replace(turn, beside=last.text)
            written.append(turn)
        return written, last

    def noted(self, answer: Answer, last: Beside) -> Answer:
        """Returns an answer whose usage and warnings tell of the lines too."""
        noted = last.noted(answer)
        read = [line for each in self.videos.values() for line in each.warnings]
        warnings = list(dict.fromkeys([*noted.warnings, *read]))
        return noted.model_copy(update={"warnings": warnings})


class ReadVideos:
    """What was read off the videos of the last conversation, for a longer one."""

    def __init__(self) -> None:
        self._held: dict[Hashable, VideoLines] = {}

    def of(
        self,
        compressor: VideoCompressor,
        messages: Sequence[Sequence[Message]],
        fetched: Mapping[Video, Video],
        text: PromptText,
    ) -> ConversationText:
        """Returns what the readers find in the videos of a conversation.

        Args:
            compressor: says what may be opened.
            messages: the conversation, turn by turn.
            fetched: its videos that are on this machine, by their addresses.
            text: names the readers; none read nothing.
        """
        videos = [[v for message in turn for v in message.videos] for turn in messages]
        lines: dict[Hashable, VideoLines] = {}
        for video in chain.from_iterable(videos if text.readers else ()):
            name = video_identity(video)
            if name not in lines:
                local = fetched.get(video, video) if isinstance(video, str) else video
                lines[name] = self._held.get((name, text.readers)) or VideoLines.read(
                    reading_by(compressor, text.readers), local
                )
        self._held = {(name, text.readers): read for name, read in lines.items()}
        turns = [list(map(video_identity, each)) for each in videos] if lines else []
        return ConversationText(turns=turns, videos=lines, max_tokens=text.max_tokens)


def reading_by(
    compressor: VideoCompressor, text: str | Sequence[str | Reader] | None
) -> VideoCompressor:
    """Returns what reads text by the readers of a call, or None for those of a compressor."""
    if text is None:
        return compressor
    return VideoCompressor(
        text=text,
        text_folder=compressor.text_folder,
        decoder=compressor.decoder,
        limits=compressor.limits,
        site=compressor.site,
    )

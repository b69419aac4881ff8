"""Questions about videos: a chat over their compressed tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from framesift.answering.chat import Chat
from framesift.answering.generation import Generation, OnText
from framesift.answering.limits import Positions
from framesift.answering.text_beside import TextBeside
from framesift.answering.video_text import within
from framesift.compression.opening import Opener, Video
from framesift.compression.parts import Parts
from framesift.compression.prompt_text import NO_TEXT, PromptText, nearest
from framesift.errors import InvalidOptionError
from framesift.run import Run, joined
from framesift.types.answer import Answer, EvidenceKind
from framesift.types.compressed import CompressedVideo
from framesift.types.question import check_question
from framesift.types.video import TimedText


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Hands compressed videos to the vision LLM that answers about them."""

    parts: Parts
    opener: Opener
    compress: Callable[[Video, str | None, Run], CompressedVideo]
    """Compresses one video, for a question where there is one, within a run."""
    per_question: str | None
    """What depends on the question, for messages; None where nothing does."""

    def chat(
        self,
        video: Video | Sequence[Video],
        question: str | None,
        positions: Positions,
        run: Run,
        text: PromptText = NO_TEXT,
    ) -> Chat:
        """Returns a chat about videos, each compressed by itself unless it is already."""
        vlm = self.parts.answering_vlm
        start = perf_counter()
        videos = [video] if isinstance(video, Video) else list(video)
        several = len({one if isinstance(one, str | Path) else id(one) for one in videos}) > 1
        compressed, texts = [], []
        for one in videos:
            compact, lines = self._compressed(one, question, run, text, named=several)
            compressed.append(compact)
            texts.append(lines)
        seconds = perf_counter() - start
        reports = [one.report for one in compressed]
        if limit := vlm.limitation([report.uri for report in reports]):
            run.warn(limit)
        for line in joined([(report.uri, report.warnings) for report in reports]):
            run.warn(line)
        return Chat(
            vlm,
            compressed,
            positions=positions,
            encode_seconds=seconds,
            text=TextBeside.of(texts, text.max_tokens, nearest),
        )

    def ask(
        self,
        video: Video | Sequence[Video],
        question: str,
        generation: Generation,
        evidence: EvidenceKind | None,
        positions: Positions,
        on_text: OnText | None,
        run: Run,
        text: PromptText = NO_TEXT,
    ) -> Answer:
        """Returns the answer to one question about videos, in a chat of its own."""
        check_question(question)
        with self.chat(video, question, positions, run, text) as chat:
            answer = chat.ask(question, generation=generation, evidence=evidence, on_text=on_text)
        for line in answer.warnings:
            run.warn(line)
        return answer

    def _compressed(
        self, video: Video, question: str | None, run: Run, text: PromptText, *, named: bool
    ) -> tuple[CompressedVideo, Sequence[TimedText]]:
        """Returns a video compressed, unless it is, and its lines.

        Its warnings begin with its name, if wanted. A compressed video is opened for its lines.
        """
        opening = Run()
        if isinstance(video, CompressedVideo):
            of_one = run.within(video.report.uri if named else "", opening.seconds)
            return video, self._lines(video, text, of_one)
        with self.opener.local(video, opening) as local:
            of_one = run.within(local.uri if named else "", opening.seconds)
            lines = self._lines(local, text, of_one)
            return self.compress(local, question, of_one), lines

    def _lines(self, video: Video, text: PromptText, run: Run) -> Sequence[TimedText]:
        """Returns what stands in prompts beside the pictures of a video."""
        if not text.readers:
            return ()
        opener = replace(self.opener, reading=replace(self.opener.reading, readers=text.readers))
        with opener.open(video, run) as reader:
            lines = within(reader.lines, reader.local.part_seconds)
        if not lines:
            names = " and ".join(each.spec for each in text.readers)
            run.warn(f"{names} found no text, so that the prompt has the pictures alone")
        return lines

    def open(
        self,
        video: Video | Sequence[Video],
        positions: Positions,
        run: Run,
        text: PromptText = NO_TEXT,
    ) -> Chat:
        """Returns a chat about videos that the LLM has read before anything is asked."""
        videos = [video] if isinstance(video, Video) else list(video)
        if self.per_question and not all(isinstance(v, CompressedVideo) for v in videos):
            raise InvalidOptionError(
                f"{self.per_question} for each question, so a video cannot be read before one is "
                "asked; use ask, or a strategy and a selector that read no question, such as "
                "strategy='temporal' and selector='keyframes'"
            )
        return self.chat(videos, None, positions, run, text).read()

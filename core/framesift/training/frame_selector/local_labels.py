"""Labels by a vision LLM on this machine, which sees the frames of a video in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Final

import torch
from torch import Tensor

from framesift.answering.attended_frames import AttendedFrames
from framesift.answering.each_alone import EachAlone
from framesift.answering.generation import Generation
from framesift.answering.judging import CHOOSE, captioned, chosen_in
from framesift.answering.session import Session
from framesift.answering.single_frames import AT_ONCE, SingleFrames
from framesift.compression.compressor import VideoCompressor
from framesift.compression.encoding import EncodedVideo
from framesift.compression.frame_tokens import encode_frames
from framesift.compression.opening import Opener
from framesift.decoders import registry as decoders
from framesift.decoders.stills import WithStills
from framesift.errors import BudgetError
from framesift.fetching.limits import FetchLimits
from framesift.run import Run
from framesift.sources.base import open_video
from framesift.training.frame_selector.label_file import FrameQuestion, Judge, TemporalJudge
from framesift.training.frame_selector.ratings import FrameLabeler, Rating, VideoRater
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Turn

NO_SIGNALS: Final = frozenset[str]()
CHOICE_TOKENS: Final = 256
"""Longest list of frames that a model may write."""


class LocalLabeler(FrameLabeler):
    """Rates frames by a vision LLM that is loaded here."""

    def __init__(
        self,
        vlm: VLM,
        judge: Judge,
        temporal: TemporalJudge,
        *,
        include_choices: bool = False,
        limits: FetchLimits | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        """Takes the model and how it judges.

        Args:
            vlm: what sees the frames.
            judge: what a frame is worth by itself.
            temporal: which frames matter among all.
            include_choices: whether judges see the answers that a question has to choose from.
            limits: what a download may cost.
            at_once: frames that the model reads side by side.
        """
        self.settings = {
            "judge": judge,
            "temporal_judge": temporal,
            "include_choices": include_choices,
            "model": vlm.called,
        }
        self.vlm: Final = vlm
        self.include_choices: Final = include_choices
        self._limits: Final = limits or FetchLimits()
        self._at_once: Final = at_once

    @contextmanager
    def open(self, video: str, fps: float) -> Iterator[VideoRater]:
        """Gives the frames of a video at a rate; the tower sees each once for all questions."""
        with open_video(video, self._limits) as local:
            rater = self.rater(local, fps)
        yield rater

    def rater(self, local: LocalVideo, fps: float) -> VideoRater:
        """Returns the frames of an open video at a rate; it may be closed then."""
        sift = VideoCompressor(
            vlm=self.vlm, fps=fps, strategy="uniform", keep=1.0, limits=self._limits
        )
        encoded = sift.encode(local, signals=NO_SIGNALS)
        tokens = encoded.tokens
        if self.vlm.encoder.frames_per_step > 1:
            tokens = _alone(self.vlm, fps, self._limits, local)
        return _LocalRater(self, sift, encoded, tokens)

    def frames(self, tokens: VideoTokens) -> SingleFrames:
        """Returns frames for the model to see one at a time."""
        return SingleFrames(self.vlm, tokens, at_once=self._at_once)

    def whole(self, sift: VideoCompressor, encoded: EncodedVideo) -> AttendedFrames:
        """Returns a video for the model to see as a whole."""
        return AttendedFrames(self.vlm, sift.reduce(encoded))


class _LocalRater(VideoRater):
    """A video whose frames are encoded."""

    def __init__(
        self,
        labeler: LocalLabeler,
        sift: VideoCompressor,
        encoded: EncodedVideo,
        tokens: VideoTokens,
    ) -> None:
        self.times_seconds = tuple(tokens.pts_seconds.tolist())
        self._steps: Final = encoded.tokens.pts_seconds.double()
        self._labeler: Final = labeler
        self._frames: Final = labeler.frames(tokens)
        self._make_whole: Final = partial(labeler.whole, sift, encoded)

    @cached_property
    def _whole(self) -> AttendedFrames:
        return self._make_whole()

    def spatial(self, question: FrameQuestion) -> Rating:
        """Returns how probable the answer is from each frame alone, or whether each helps."""
        text, choices = question.question, question.choices or ()
        if self._labeler.settings["judge"] == "answer":
            return _rating(self._frames.answer_probability(text, question.answer or "", choices))
        return _rating(self._frames.truth(text, self._shown(question)))

    def temporal(self, question: FrameQuestion) -> Rating:
        """Returns which frames the answer's attention points at, or are chosen by captions."""
        judge = self._labeler.settings["temporal_judge"]
        if judge == "none":
            return Rating(values=None)
        try:
            if judge == "captions":
                return self._chosen(question)
            found = self._whole.frames(question.question, question.answer or "")
        except BudgetError as error:
            return Rating(values=None, warnings=(f"no temporal labels: {error}",))
        times = torch.tensor(self.times_seconds, dtype=torch.float64)
        step = torch.searchsorted(self._steps, times, right=True).sub(1).clamp(min=0)
        return _rating(found[step].float())

    def _chosen(self, question: FrameQuestion) -> Rating:
        """Returns the frames that the model's own words name, of captions that it has written."""
        text = captioned(self._captions, question.question, self._shown(question))
        turn = Turn(role="user", text=f"{CHOOSE}\n{text}")
        generation = Generation(max_new_tokens=CHOICE_TOKENS)
        said = Session(self._labeler.vlm).answer([turn], generation=generation, evidence=None).text
        found = chosen_in(said, len(self.times_seconds))
        if found is None or not found.indices:
            line = f"no temporal labels: the model names no frames by captions, but {said[:60]!r}"
            return Rating(values=None, warnings=(line,))
        named = set(found.indices)
        return Rating(values=tuple(float(n in named) for n in range(len(self.times_seconds))))

    def _shown(self, question: FrameQuestion) -> Sequence[str]:
        return (question.choices or ()) if self._labeler.include_choices else ()

    @cached_property
    def _captions(self) -> list[str]:
        return self._frames.captions()


def _alone(vlm: VLM, fps: float, limits: FetchLimits, local: LocalVideo) -> VideoTokens:
    """Returns the tokens of each sampled frame, encoded as a time step of its own."""
    opener = Opener(decoder=WithStills(videos=decoders.create("pyav")), limits=limits)
    with opener.open(local, Run()) as reader:
        encoder = EachAlone(inner=vlm.encoder)
        return encode_frames(reader, reader.sampled(fps), encoder, signals=NO_SIGNALS).tokens


def _rating(values: Tensor) -> Rating:
    return Rating(values=tuple(round(value, 6) for value in values.double().tolist()))

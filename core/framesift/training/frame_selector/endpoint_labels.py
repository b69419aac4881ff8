"""Labels by a model behind an address, which is asked about several frames at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Final, TypeVar

from PIL import Image

from framesift.answering.endpoint_judge import EndpointJudge
from framesift.compression.opening import Opener
from framesift.decoders import registry as decoders
from framesift.decoders.stills import WithStills
from framesift.fetching.limits import FetchLimits
from framesift.fetching.side_by_side import side_by_side
from framesift.run import Run
from framesift.training.frame_selector.label_file import FrameQuestion, TemporalJudge
from framesift.training.frame_selector.ratings import FrameLabeler, Rating, VideoRater
from framesift.types.compressed import jpeg

Made = TypeVar("Made")

QUALITY: Final = 85
"""Of the JPEG files that are sent."""


class EndpointLabeler(FrameLabeler):
    """Rates frames by a model that is asked over HTTP, and paid for each time."""

    def __init__(
        self,
        judge: EndpointJudge,
        temporal: TemporalJudge,
        *,
        include_choices: bool = False,
        concurrency: int = 8,
        max_side_px: int = 768,
        limits: FetchLimits | None = None,
    ) -> None:
        """Takes what answers.

        Args:
            judge: the model.
            temporal: `"captions"` or `"none"`.
            include_choices: whether the model sees the answers that a question has to choose from.
            concurrency: requests in flight at once.
            max_side_px: longest side of the pictures that are sent.
            limits: what a download of a video may cost.
        """
        self.settings = {
            "judge": "true-false",
            "temporal_judge": temporal,
            "include_choices": include_choices,
            "model": judge.called,
        }
        self.judge: Final = judge
        self.include_choices: Final = include_choices
        self._concurrency: Final = concurrency
        self._max_side_px: Final = max_side_px
        self._limits: Final = limits or FetchLimits()

    @contextmanager
    def open(self, video: str, fps: float) -> Iterator[VideoRater]:
        """Gives the frames of a video at a rate, as JPEG files in memory."""
        opener = Opener(decoder=WithStills(videos=decoders.create("pyav")), limits=self._limits)
        pictures: list[bytes] = []
        times: list[float] = []
        with opener.open(video, Run()) as reader:
            for window in reader.pictures(reader.sampled(fps), self._max_side_px):
                times += window.pts_seconds.tolist()
                pictures += [jpeg(Image.fromarray(data), quality=QUALITY) for data in window.data]
        yield _EndpointRater(self, tuple(times), pictures)

    def of_each(
        self, ask: Callable[[bytes], Made], pictures: Sequence[bytes], stage: str
    ) -> list[Made]:
        """Returns what is made of each picture, several at once."""
        made = dict(side_by_side(ask, pictures, self._concurrency, stage))
        return [made[number] for number in range(len(pictures))]


class _EndpointRater(VideoRater):
    """The pictures of one video."""

    def __init__(
        self, labeler: EndpointLabeler, times: tuple[float, ...], pictures: Sequence[bytes]
    ) -> None:
        self.times_seconds = times
        self._labeler: Final = labeler
        self._pictures: Final = pictures

    def spatial(self, question: FrameQuestion) -> Rating:
        """Returns whether each frame helps, as the model sees it."""
        labeler, text, choices = self._labeler, question.question, self._shown(question)
        verdicts = labeler.of_each(
            lambda picture: labeler.judge.truth(picture, text, choices), self._pictures, "judge"
        )
        worded = sum(not verdict.is_probability for verdict in verdicts)
        told = (
            f"the endpoint gives no probabilities, so {worded} of {len(verdicts)} spatial labels "
            "are 0 or 1 by the word alone",
        )
        return Rating(
            values=tuple(round(verdict.value, 6) for verdict in verdicts),
            warnings=told if worded else (),
        )

    def temporal(self, question: FrameQuestion) -> Rating:
        """Returns which frames a text model chooses by their captions."""
        labeler, frames = self._labeler, len(self._pictures)
        if labeler.settings["temporal_judge"] == "none":
            return Rating(values=None)
        indices, dropped = labeler.judge.choose(
            self._captions, question.question, self._shown(question)
        )
        told = []
        if dropped:
            told.append(f"{dropped} of the frames that were named by captions do not exist")
        if not indices:
            told.append("no frame was named by captions, so the spatial labels count alone")
        values = tuple(float(place in set(indices)) for place in range(frames))
        return Rating(values=values if indices else None, warnings=tuple(told))

    def _shown(self, question: FrameQuestion) -> Sequence[str]:
        return (question.choices or ()) if self._labeler.include_choices else ()

    @cached_property
    def _captions(self) -> list[str]:
        return self._labeler.of_each(self._labeler.judge.caption, self._pictures, "caption")

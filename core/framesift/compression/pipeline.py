"""The steps that a video goes through, made of the parts of one configuration."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from framesift.compression.asking import Asking
from framesift.compression.decoded import DecodedVideo
from framesift.compression.encoding import EncodedVideo, Encoding
from framesift.compression.finding import Finding
from framesift.compression.keyframes import KeyframePicker
from framesift.compression.moments import MomentFinder
from framesift.compression.opening import Opener, Video
from framesift.compression.parts import Parts
from framesift.compression.reducing import Reduction
from framesift.compression.selection import FramePicker
from framesift.compression.stretches import Gate
from framesift.errors import InvalidOptionError
from framesift.run import Run
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo
from framesift.types.options import shown


class Pipeline:
    """What works for `VideoCompressor`: opens, encodes, reduces, finds pictures, hands to a VLM.

    Each step takes the run that it is a part of.
    """

    def __init__(
        self,
        parts: Parts,
        opener: Opener,
        budget: Budget,
        *,
        fps: float,
        max_frames: int | None,
        gate: Gate | None,
    ) -> None:
        """Makes the steps; the arguments are options of `VideoCompressor`."""
        self.parts: Final = parts
        self.max_frames: Final = max_frames
        self.opener: Final = opener
        picker = FramePicker(selector=parts.selector)
        self.keyframes: Final = KeyframePicker(opener=opener, picker=picker, fps=fps)
        self.moments: Final = MomentFinder(picker=self.keyframes)
        self._encoding: Final = Encoding(
            opener=opener,
            encoder=parts.encoder,
            picker=picker,
            fps=fps,
            max_frames=max_frames,
            gate=gate,
            places_text=parts.places_text,
        )
        self._reduction: Final = Reduction(
            strategy=parts.strategy,
            encoder=parts.encoder,
            budget=budget,
            compares_question=parts.compares_question,
        )

    @property
    def per_question(self) -> str | None:
        """The part that keeps other tokens for each question, for messages; None without one."""
        strategy, selector = self.parts.strategy, self.parts.selector
        if strategy.is_per_question:
            return f"strategy {strategy.spec!r} keeps other tokens"
        if self.max_frames is not None and selector.reads_question:
            return f"selector {selector.spec!r} picks other frames"
        return None

    @property
    def asking(self) -> Asking:
        """Hands what `compress` gives to the vision LLM."""
        # Made anew, since it holds this object: a circle would keep a model's weights for longer.
        return Asking(
            parts=self.parts,
            opener=self.opener,
            compress=self.compress,
            per_question=self.per_question,
        )

    @property
    def finding(self) -> Finding:
        """Looks for a query in text and pictures."""
        return Finding(asking=self.asking, opener=self.opener, moments=self.moments)

    def decode(self, video: Video, question: str | None, run: Run) -> DecodedVideo:
        """Returns the frames of a video that become tokens."""
        if self.max_frames is not None:
            self.parts.selector.check_question(question)
        return self._encoding.decode(video, question, run, self._reduction.check_time)

    def compress(
        self, video: Video | DecodedVideo, question: str | None, run: Run
    ) -> CompressedVideo:
        """Returns the budgeted tokens of a video."""
        self._reduction.check(question)
        if self.max_frames is not None:
            self.parts.selector.check_question(question)
        signals = self._reduction.signals
        return self.reduce(self.encode(video, question, run, signals), question, run)

    def encode(
        self,
        video: Video | DecodedVideo,
        question: str | None,
        run: Run,
        signals: Collection[str] | None,
    ) -> EncodedVideo:
        """Returns all tokens of a video whose plan can be made within the time limit.

        Args:
            video: what to look at.
            question: for a selector that reads it.
            run: the call that this is a part of.
            signals: what the encoder fills besides the features; None for all that it gives.

        Raises:
            InvalidOptionError: they are not names.
            MissingSignalError: the encoder does not give one of them.
        """
        if signals is not None:
            # A wrong name is refused before anything is fetched.
            signals = self.parts.encoder.wanted(_names(signals))
        check_time = self._reduction.check_time
        return self._encoding.encode(video, question, run, check_time, signals)

    def reduce(self, video: EncodedVideo, question: str | None, run: Run) -> CompressedVideo:
        """Returns the budgeted tokens of an encoded video."""
        return self._reduction.reduce(video, question, run)


def _names(signals: object) -> frozenset[str]:
    names = [signals] if isinstance(signals, str) else signals
    if isinstance(names, Collection) and all(isinstance(name, str) for name in names):
        return frozenset(names)
    raise InvalidOptionError(
        f"signals={shown(signals)} must be names of signals, such as {{'attention'}}, or None for "
        "all that the encoder gives"
    )

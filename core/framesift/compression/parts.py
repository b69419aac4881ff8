"""What a compressor is made of: its options, and the parts that they describe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Final

from pydantic import Field

from framesift.answering.checks import check_question
from framesift.compression import outcomes
from framesift.compression.steps import Stages
from framesift.decoders import registry as decoders
from framesift.decoders.base import Decoder
from framesift.decoders.stills import WithStills
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.errors import BudgetError, InvalidOptionError, MissingSignalError
from framesift.fetching.limits import FetchLimits
from framesift.selectors import registry as selectors
from framesift.selectors.base import Selector
from framesift.strategies.base import Strategy, create_strategy
from framesift.types.budget import Budget, Keep, MaxTokens
from framesift.types.options import Count, Options, Raises
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens
from framesift.types.video import MAX_PIXELS, VideoInfo
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm

FEWEST_CHANNELS: Final = 16
"""Channels that tokens have at least, where the encoder does not say how many."""
ASKED: Final = "question_similarity"
"""The signal that depends on the question, and is found only where a strategy needs it."""

SLOWEST_FPS: Final = 1e-9
FASTEST_FPS: Final = 1e6
"""Beyond these a rate is a mistake: one frame in 30 years, or more than any camera takes."""


@dataclass(frozen=True, kw_only=True)
class Parts(Options):
    """The options of a compressor, checked when it is made, and the parts that they name.

    Every part may be given as a spec string such as `"temporal:threshold=0.9"` or as an object; it
    is made once.
    """

    strategy: str | Strategy = "temporal"
    """Decides which tokens survive."""
    keep: Keep = 0.25
    """Fraction of the tokens kept."""
    max_tokens: MaxTokens = None
    """Most tokens kept; the smaller of this and `keep` wins."""
    vlm: str | VLM | None = None
    """Answers questions: a name, a hub id, a folder or a loaded model; None for no answers."""
    encoder: str | Encoder | None = None
    """Turns frames into tokens; None for the tower of `vlm`, or `"handcrafted"` without one."""
    selector: str | Selector = "keyframes"
    """Picks keyframes, and the frames to encode where `max_frames` is exceeded."""
    max_frames: Annotated[Count | None, Raises(BudgetError)] = None
    """Most frames that are encoded, None for all that were sampled."""
    gate: Annotated[float, Field(gt=0, le=1)] | None = None
    """Least similarity to the last encoded frame at which one copies its tokens; None for never."""
    decoder: str | Decoder = "pyav"
    """Reads the file."""
    fps: Annotated[float, Field(ge=SLOWEST_FPS, le=FASTEST_FPS)] = 1.0
    """Frames sampled per second of video."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    """What a download may cost and where it may go."""

    def __post_init__(self) -> None:
        missing = self._strategy.required_signals - self._encoder.gives
        if self._compares_question and self._encoder.reads_question:
            missing -= {ASKED}
        if missing:
            line = outcomes.missing_line(self._strategy, self._encoder, sorted(missing))
            raise MissingSignalError(line)
        _ = self._selector, self._decoder

    @property
    def reads_question(self) -> bool:
        """Whether the strategy keeps other tokens for each question."""
        return self._strategy.is_per_question

    def _check_asked(self, question: str | None) -> None:
        """Refuses to compress without the question that the strategy compares tokens with.

        Raises:
            InvalidOptionError: there is none, or it is empty.
        """
        if not self._compares_question:
            return
        if question is None:
            raise InvalidOptionError(
                f"strategy {self._strategy.spec!r} keeps the tokens that are like a question, and "
                "there is none; pass question=, or take another strategy"
            )
        check_question(question)

    def _check_time(self, info: VideoInfo, count: int) -> None:
        """Refuses before decoding what could not be planned within a time limit.

        Raises:
            PlanTooLongError: the plan for `count` frames surely takes longer than is left.
        """
        encoder = self._encoder.fitted(info)
        frames, (height, width) = -(-count // encoder.frames_per_step), encoder.grid
        budget = Budget(keep=self.keep, max_tokens=self.max_tokens).tokens(frames * height * width)
        channels = encoder.channels or FEWEST_CHANNELS
        self._strategy.check_time(frames, height * width, channels, budget)

    def _planned(
        self, stages: Stages, tokens: VideoTokens, budget: int, question: str | None
    ) -> TokenPlan:
        """Returns the strategy's plan, with the signal that depends on the question if needed."""
        if question is not None and self._compares_question:
            with stages.timed("question"):
                tokens = self._encoder.asked(tokens, question)
        with stages.timed("plan"):
            return self._strategy.plan(tokens, budget, question)

    @property
    def _compares_question(self) -> bool:
        return ASKED in self._strategy.required_signals - self._encoder.gives

    @cached_property
    def _strategy(self) -> Strategy:
        return create_strategy(self.strategy)

    @cached_property
    def _vlm(self) -> VLM | None:
        return None if self.vlm is None else load_vlm(self.vlm)

    @cached_property
    def _encoder(self) -> Encoder:
        if self.encoder is not None or self._vlm is None:
            return encoders.create("handcrafted" if self.encoder is None else self.encoder)
        return self._vlm.encoder

    @cached_property
    def _selector(self) -> Selector:
        return selectors.create(self.selector)

    @cached_property
    def _decoder(self) -> WithStills:
        decoder, max_pixels = decoders.create(self.decoder), self.limits.max_pixels
        if decoder.max_pixels is None and max_pixels != MAX_PIXELS:
            decoder = replace(decoder, max_pixels=max_pixels)
        return WithStills(videos=decoder)

"""The encoder contract: decoded frames in, visual tokens with their signals out."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar, Self

from torch import Tensor

from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.registry import Part, registered_name
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import Region, VideoInfo


@dataclass(frozen=True, kw_only=True)
class Encoder(Part):
    """Turns a window of frames into tokens; windows are independent of one another."""

    gives: ClassVar[frozenset[str]] = frozenset()
    """Names of the signals that `encode` can fill."""
    takes_display_size: ClassVar[bool] = False
    """Whether frames should come at display size, since they are then resized as a checkpoint's own
    processor does it; else the decoder scales large ones down to `input_px`."""

    def __new__(cls, *_: object, **__: object) -> Self:
        """Refuses an encoder that was written before `encode` took `signals`."""
        _check_takes_signals(cls)
        return super().__new__(cls)

    @classmethod
    def facts(cls) -> dict[str, Any]:
        """Returns what listings say of the encoder, with the signals that it gives."""
        return {**super().facts(), "gives": sorted(cls.gives)}

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)` of every frame, known before any frame is decoded."""

    @property
    @abstractmethod
    def input_px(self) -> tuple[int, int]:
        """Largest frame size `(H, W)` that shows more; `encode` takes frames of any size."""

    @property
    def channels(self) -> int | None:
        """Channels `D` of the tokens, None where only encoding tells."""
        return None

    @property
    def frames_per_step(self) -> int:
        """How many sampled frames make one time step of the tokens."""
        return 1

    @property
    def weights(self) -> str | None:
        """Fingerprint of the vision LLM that reads the tokens, None where none does."""
        return None

    @property
    def reads_question(self) -> bool:
        """Whether `asked` can fill the signal `question_similarity`."""
        return False

    def fitted(self, info: VideoInfo, frames: int | None = None) -> Encoder:
        """Returns the encoder for one video, where grid or frame size follow the video's size.

        For a still picture it is the one for pictures, where a vision LLM takes these otherwise.

        Args:
            info: the video.
            frames: how many of its frames become tokens, which bounds their size in some families;
                None where it is not known yet.
        """
        return self

    @property
    def views(self) -> list[Region] | None:
        """The part of a still picture that the grid of each view covers; None for videos.

        An encoder for pictures makes tokens of one picture, whose `T` "frames" are its views.
        """
        return None

    def steps(self, frames: int) -> int:
        """Returns how many time steps `T` the tokens of some frames have."""
        return -(-frames // self.frames_per_step) if self.views is None else len(self.views)

    def region(self, info: VideoInfo) -> Region:
        """Returns the part `(x0, y0, x1, y1)` of the picture that the grid covers, relative.

        The whole picture is `(0, 0, 1, 1)`; a crop covers less, padding goes beyond.
        """
        return 0.0, 0.0, 1.0, 1.0

    @abstractmethod
    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, N, D)` of a window of at least one frame.

        Features and signals stay on the device that the encoder computes on, times are on the CPU.
        With `frames_per_step` above 1, `T` counts steps, each at the time of its first frame, with
        those of all its frames in `step_seconds`; the last frame is repeated where it has no
        partner.

        Args:
            frames: what to look at.
            signals: names of the signals to fill, since each costs time; None for all that it
                `gives`. The features are the same whatever is asked for.

        Raises:
            MissingSignalError: it does not give one of `signals`.
        """

    def wanted(self, signals: frozenset[str] | None) -> frozenset[str]:
        """Returns the signals that a call of `encode` fills, all that it `gives` for None.

        Raises:
            MissingSignalError: it does not give one of them.
        """
        if signals is None:
            return self.gives
        if unknown := sorted(signals - self.gives):
            raise MissingSignalError(
                f"encoder {self.spec!r} does not give {', '.join(unknown)}; it gives "
                f"{', '.join(sorted(self.gives)) or 'no signals'}; ask for those, or for none of "
                "them with an empty set"
            )
        return signals

    def asked(self, tokens: VideoTokens, question: str) -> VideoTokens:
        """Returns the tokens of a whole video with the signal `question_similarity`.

        It is rounded to 1e-6, so that tokens which look the same are as near to the question.

        Args:
            tokens: what `encode` gave for the windows of one video, gathered.
            question: what is to be answered.

        Raises:
            MissingSignalError: this encoder does not read questions.
        """
        near = self.question_similarity(tokens, question).mul(1e6).round().div(1e6)
        return replace(tokens, signals=replace(tokens.signals, question_similarity=near))

    def question_similarity(self, tokens: VideoTokens, question: str) -> Tensor:
        """Returns how much each token resembles a question, in [-1, 1], float32 `(T, N)`.

        An encoder that can read questions writes this and says so by `reads_question`.
        """
        raise MissingSignalError(
            f"encoder {self.spec!r} compares no token with {question[:60]!r}; use the encoder of a "
            "vlm, or 'clip' with the folder of a whole CLIPModel and its tokenizer"
        )

    @property
    def has_projector(self) -> bool:
        """Whether `project` can be called."""
        return False

    def project(self, values: Tensor) -> Tensor:
        """Returns what the vision LLM's projector makes of rows of `pre_projector`, `(P, D)`.

        Args:
            values: of patches or of means of them, `(P, Dv)`, where the projector takes them one
                by one.

        Raises:
            MissingSignalError: there is no such projector.
        """
        raise MissingSignalError(
            f"encoder {self.spec!r} has no projector that takes tokens one by one, so nothing can "
            f"be done before it (values {tuple(values.shape)}); work on its tokens: stage=post"
        )


@cache
def _check_takes_signals(kind: type[Encoder]) -> None:
    taken = inspect.signature(kind.encode)
    try:
        taken.bind("self", "frames", "signals")
    except TypeError as error:
        raise InvalidOptionError(
            f"encoder {registered_name(kind)!r} ({kind.__module__}.{kind.__qualname__}) has "
            f"encode{taken}, which takes no signals; update the package that it comes from, or "
            "write encode(self, frames, signals=None) and fill what self.wanted(signals) names"
        ) from error

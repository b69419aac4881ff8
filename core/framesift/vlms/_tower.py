"""The vision tower and projector of a vision LLM as an encoder: what all families share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.edges import edge_density_on, shrunk
from framesift.errors import InvalidOptionError
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.model_use import alone_with
from framesift.hf.question import common_word, question_similarity, word_embeddings
from framesift.hf.tower_memory import bytes_in_tower
from framesift.types.device import (
    CPU,
    batch_that_fits,
    device_errors,
    in_batches,
)
from framesift.types.frames import Frames
from framesift.types.options import Count
from framesift.types.tokens import Signals, VideoTokens
from framesift.types.video import VideoInfo
from framesift.vlms.base import VLM

CURE: Final = (
    "no keep changes that: load the model with dtype='bfloat16', quantize='4bit' or device='cpu'"
)
"""What helps where one step of frames is too much beside the weights."""


@dataclass(frozen=True, kw_only=True)
class Tower(Encoder):
    """Features in the LLM's space, exactly those that the model would take.

    `attention`, `keys` and `pre_projector` are those of one layer; where several patches make one
    token, they are pooled as the patches are, or are their means.
    """

    summary: ClassVar[str] = "vision tower and projector of a vision LLM"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"attention", "keys", "pre_projector", "edge_density"}
    )
    takes_display_size: ClassVar[bool] = True

    vlm: VLM
    usual_batch: ClassVar[int] = 8
    """Time steps that go through the tower at once on a CPU."""
    batch_size: Count | None = None
    """Time steps that go through the tower at once; None for what suits the device's memory."""

    @property
    def spec(self) -> str:
        """The spec string of the vision LLM that the tower belongs to."""
        return self.vlm.spec

    @property
    def channels(self) -> int:
        """Channels `D` of the tokens: the width of the LLM."""
        return self.vlm.width

    @property
    def weights(self) -> str:
        """Fingerprint of the checkpoint that the tower belongs to."""
        return self.vlm.weights

    @property
    def reads_question(self) -> bool:
        """Whether `asked` can fill `question_similarity`: the LLM's embeddings are words too."""
        return True

    @property
    @abstractmethod
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)` that the tower takes."""

    @abstractmethod
    def pixels(self, images: npt.NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`.

        They are prepared on `device`, and stay there.
        """

    @abstractmethod
    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for frames `(T, 3, H, W)`, a row for each time step.

        These are `features`, those of `attention`, `keys` and `pre_projector` that are among
        `signals`, and `layers` where deeper layers of the LLM take tokens.
        """

    def covered(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns the part of frames `(T, H, W, 3)` that the grid covers."""
        return images

    def fitted(self, info: VideoInfo, frames: int | None = None) -> Encoder:
        """Returns the encoder for one video; for a still picture that of the family's pictures."""
        if info.picture:
            own = self.vlm.picture_encoder((info.height_px, info.width_px))
            if own is not None:
                return own
        return self.for_video(info, frames)

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the tower for one video, where grid or frame size follow the video's size.

        Args:
            info: the video.
            frames: how many of its frames become tokens, None where it is not known yet.
        """
        return self

    @torch.no_grad()
    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, N, D)` on the device of the model, in its dtype."""
        wanted, images, device = self.wanted(signals), self._whole(frames), self.vlm.hf.device
        columns = self.columns(
            len(images) // self.frames_per_step,
            lambda part: self.pixels(images[part], device),
            images.shape[1:3],
            wanted,
        )
        return self.tokens(frames, columns, wanted)

    def columns(
        self,
        steps: int,
        pixels: Callable[[slice], Tensor],
        frame_px: tuple[int, int],
        signals: frozenset[str],
    ) -> dict[str, Tensor]:
        """Returns what `look` gives for some steps, looked at as many at once as fit.

        Args:
            steps: how many there are.
            pixels: gives some of their frames as the tower takes them.
            frame_px: size `(H, W)` of the frames before that.
            signals: what is wanted besides the features.
        """
        step, hf = self.frames_per_step, self.vlm.hf

        def look(part: slice) -> dict[str, Tensor]:
            with in_one_line(self.vlm.model, doing="run"):
                own = pixels(slice(part.start * step, part.stop * step)).to(hf.device, hf.dtype)
                with alone_with(hf):
                    return self.look(own, signals)

        size, shrinks = self.steps_at_once(frame_px), self.batch_size is None
        with device_errors(hf.device, f"encoding frames by {self.vlm.called!r}", CURE):
            parts = in_batches(steps, size, look, may_shrink=shrinks)
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def steps_at_once(self, frame_px: tuple[int, int]) -> int:
        """Returns how many time steps of frames of a size `(H, W)` go through the tower at once."""
        if self.batch_size is not None:
            return self.batch_size
        vision, hf = self.vlm.config.vision_config, self.vlm.hf
        size = hf.dtype.itemsize
        each = bytes_in_tower(vision, self.size_px, frame_px, size, self.frames_per_step)
        return batch_that_fits(hf.device, each, self.usual_batch)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keeps other threads from the model; what it raises is in one line."""
        hf = self.vlm.hf
        with (
            device_errors(hf.device, f"encoding frames by {self.vlm.called!r}", CURE),
            in_one_line(self.vlm.model, doing="run"),
            alone_with(hf),
        ):
            yield

    def prepared(self, frames: Frames) -> Tensor:
        """Returns frames on the device of the tower, float32 `(T * frames_per_step, 3, h, w)`."""
        return self.pixels(self._whole(frames), self.vlm.hf.device)

    def tokens(
        self, frames: Frames, columns: dict[str, Tensor], signals: frozenset[str]
    ) -> VideoTokens:
        """Returns the tokens of frames from what `look` gave for them, with the `edge_density`."""
        # A model over several devices gives signals where its layers are.
        there = self.vlm.hf.device
        columns = {name: values.to(there) for name, values in columns.items()}
        step, features = self.frames_per_step, columns.pop("features")
        if "edge_density" in signals:
            images = self.covered(shrunk(self._whole(frames), self.input_px))
            density = edge_density_on(features.device, images, self.grid)
            columns["edge_density"] = density.reshape(len(features), step, -1).mean(1)
        return VideoTokens(
            features=features,
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds[::step]),
            step_seconds=torch.from_numpy(frames.step_seconds(step)) if step > 1 else None,
            layers=columns.pop("layers", None),
            signals=Signals(**columns),
        )

    def _whole(self, frames: Frames) -> npt.NDArray[np.uint8]:
        """Returns the pictures of whole steps; the last one is repeated where some are missing."""
        images = frames.data
        missing = -len(images) % self.frames_per_step
        return np.concatenate([images, images[-1:].repeat(missing, 0)]) if missing else images

    @torch.no_grad()
    def question_similarity(self, tokens: VideoTokens, question: str) -> Tensor:
        """Returns how near each token lies to the words of a question, float32 `(T, N)`.

        Both are compared where the LLM reads them, as for the evidence of an answer.

        Raises:
            InvalidOptionError: the model's tokenizer knows nothing of the question.
        """
        with alone_with(self.vlm.hf):
            words = word_embeddings(self.vlm.hf, self.vlm.tokenizer, question)
        if not len(words):
            raise InvalidOptionError(
                f"question={question!r} has no token that {self.vlm.spec!r} knows; ask in words "
                "that it reads"
            )
        near = question_similarity(tokens.features.flatten(0, 1), words, self._common_word)
        return near.view(tokens.features.shape[:2])

    @cached_property
    def _common_word(self) -> Tensor:
        return common_word(self.vlm.hf)


def projected_rows(vlm: VLM, projector: Any, values: Tensor) -> Tensor:
    """Returns what a projector of the model makes of rows `(P, Dv)`, `(P, D)` in their dtype."""
    like = next(projector.parameters())
    with alone_with(vlm.hf), torch.no_grad():
        features: Tensor = projector(values.to(like))
    return features.to(values)


def among(signals: frozenset[str], **makers: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Returns what `makers` make for the names that are among `signals`; no other one is called."""
    return {name: make() for name, make in makers.items() if name in signals}

"""A trained filling of slow-fast tokens on disk: TimePerceiver, projector, and what fits them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from framesift.errors import InvalidOptionError
from framesift.nn.network_files import NetworkFiles
from framesift.nn.time_perceiver import Side, TimePerceiver, TimePerceiverConfig
from framesift.types.options import Count, Options

SEGMENTS_AT_ONCE: Final = 16
"""Segments whose keys and values are in memory at the same time."""

Stage = Literal["pre", "post"]
"""Whether tokens are condensed before a vision LLM's projector or behind it.

Before it costs less where the LLM is wide: of the time to encode frames of 28 x 28 tokens, 1.4 % at
the 1,152 channels of a tower, 11 % at the 3,584 of an LLM of seven billion weights.
"""


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig(Options):
    """The projector of a LLaVA, as its checkpoint describes it."""

    width: Count
    """Channels of the tokens before it."""
    width_out: Count
    """Channels of the LLM."""
    bias: bool = True
    activation: Literal["gelu"] = "gelu"


@dataclass(frozen=True, kw_only=True)
class TrainedFor(Options):
    """The vision LLM whose tokens a filling condenses; it is not kept in its folder."""

    vlm: str
    """Its spec string."""
    fingerprint: str
    """Digits of the weights of its checkpoint, `VLM.weights`; with the tokens of other weights the
    outputs would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class TimePerceiverCard(Options):
    """What is known of a trained filling besides its weights."""

    perceiver: TimePerceiverConfig
    stage: Stage
    """`"pre"` condenses tokens before the projector; key and temporal tokens then go through the
    projector of the folder."""
    projector: ProjectorConfig | None
    """None for the stage `"post"`."""
    segment: Count
    """Frames of a segment."""
    key_grid: tuple[Side, Side]
    """Rows and columns of tokens of a key frame."""
    include_key: bool
    """Whether the key frame is among the frames that are condensed."""
    trained_for: TrainedFor
    trained_on: str | None = None
    """What the addresses of the only videos that it was trained on begin with; None for any."""

    def __post_init__(self) -> None:
        perceiver, projector = self.perceiver, self.projector
        if (self.stage == "pre") != (projector is not None):
            raise InvalidOptionError(
                f"stage={self.stage!r} must come with a projector where it is 'pre', and without "
                "one where it is 'post'"
            )
        if projector is not None and projector.width != perceiver.width:
            raise InvalidOptionError(
                f"projector.width={projector.width} must be the width of the tokens that are "
                f"condensed, {perceiver.width}"
            )
        if self.segment > perceiver.frames_max:
            raise InvalidOptionError(
                f"segment={self.segment} must be at most frames_max={perceiver.frames_max}"
            )
        if any(key > side for key, side in zip(self.key_grid, perceiver.grid, strict=True)):
            raise InvalidOptionError(
                f"key_grid={self.key_grid} must not exceed grid={perceiver.grid}"
            )


class LlavaProjector(nn.Module):
    """Two linear layers to the LLM's space; weights are named as transformers names a LLaVA's."""

    def __init__(self, config: ProjectorConfig) -> None:
        """Makes the projector with random weights."""
        super().__init__()
        self.linear_1 = nn.Linear(config.width, config.width_out, bias=config.bias)
        self.linear_2 = nn.Linear(config.width_out, config.width_out, bias=config.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns tokens of the LLM `(..., D)` of those before it `(..., C)`, in their dtype."""
        inner = gelu(self.linear_1(tokens.to(self.linear_1.weight.dtype)))
        projected: Tensor = self.linear_2(inner)
        return projected.to(tokens.dtype)


class SlowFastFilling(nn.Module):
    """What computes the tokens of segments: a TimePerceiver, and the projector behind it if any."""

    def __init__(self, card: TimePerceiverCard) -> None:
        """Makes a filling that is not trained; the projector's weights are random."""
        super().__init__()
        self.card = card
        self.perceiver = TimePerceiver(card.perceiver)
        self.projector = None if card.projector is None else LlavaProjector(card.projector)

    def forward(self, frames: Tensor, live: Tensor) -> Tensor:
        """Returns temporal tokens `(S, K, D)` as the LLM reads them.

        Args:
            frames: tokens of each segment's frames, `(S, F, N, C)`.
            live: which of them take part, bool `(S, F, N)`.

        Raises:
            InvalidTokensError: tokens that the network was not made for.
        """
        parts = zip(frames.split(SEGMENTS_AT_ONCE), live.split(SEGMENTS_AT_ONCE), strict=True)
        return self.projected(torch.cat([self.perceiver(*part) for part in parts]))

    def projected(self, tokens: Tensor) -> Tensor:
        """Returns tokens `(..., D)` as the LLM reads them, of condensed or pooled `(..., C)`."""
        return tokens if self.projector is None else self.projector(tokens)


FILLINGS: Final = NetworkFiles(
    kind="framesift-time-perceiver",
    version=1,
    named="filling of slow-fast tokens",
    made_by="`framesift train time-perceiver`",
    card=TimePerceiverCard,
    besides="; filling=pooled and filling=tiny need neither",
)
"""How they are written and read."""


def save_filling(filling: SlowFastFilling, folder: Path) -> Path:
    """Returns `folder` after writing weights in half precision, and the card of the filling.

    Raises:
        ModelError: a weight is not a finite number in half precision.
        StorageError: the folder cannot be written to.
    """
    return FILLINGS.write(filling, filling.card, folder)


def read_filling_card(model: str) -> TimePerceiverCard:
    """Returns what is known of a filling, without its weights.

    Args:
        model: folder that `framesift train time-perceiver` wrote, or a hub id.

    Raises:
        ModelError: there is none, or it is of another kind or version.
    """
    return FILLINGS.read_card(FILLINGS.folder_of(model))


def load_filling(
    model: str, *, device: str, dtype: Literal["float32", "float16", "bfloat16"] | torch.dtype
) -> SlowFastFilling:
    """Returns a trained filling in evaluation mode.

    Args:
        model: folder that `framesift train time-perceiver` wrote, or a hub id.
        device: where it goes.
        dtype: what it computes in.

    Raises:
        ModelError: the folder does not hold one whole, or its files do not belong together.
    """
    folder = FILLINGS.folder_of(model)
    card = FILLINGS.read_card(folder)
    filling = FILLINGS.fill(partial(SlowFastFilling, card), folder)
    kind = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    return filling.to(device, kind).eval()

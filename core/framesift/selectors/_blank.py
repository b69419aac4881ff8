"""Frames that show nothing: black, white or of one colour, noise and black bars aside."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from framesift.types.tokens import VideoTokens

LEVELS: Final = 6.5
"""Levels of 256 by which a blank picture may depart from its colour: coding and grain do."""
STROKES: Final = 0.01
"""Share of strokes in a patch from which it holds a character or two."""
CLEAR: Final = 0.6
"""Contrast of a frame that is not faint, as a share of what a quarter of the frames exceed."""
REASON: Final = "blank, as nothing else is left"


def content_and_blank(tokens: VideoTokens) -> tuple[Tensor, Tensor]:
    """Returns the frames that show something and those that are blank, both ascending.

    No frame counts as blank where the encoder does not give `contrast`.
    """
    contrast, strokes = tokens.signals.contrast, tokens.signals.edge_density
    if contrast is None:
        blank = torch.zeros(tokens.frame_count, dtype=torch.bool)
    else:
        blank = (contrast.amax(1) <= LEVELS / 255).cpu()
        if strokes is not None:
            blank &= (strokes.amax(1) < STROKES).cpu()
    return (~blank).nonzero().flatten(), blank.nonzero().flatten()


def clarity(tokens: VideoTokens, among: Tensor) -> Tensor:
    """Returns how clearly some frames are seen in (0, 1], `(A,)`; less than 1 within a fade.

    Args:
        tokens: of all frames.
        among: the frames that are compared with one another, `(A,)`.
    """
    contrast = tokens.signals.contrast
    if contrast is None:
        return torch.ones(len(among))
    departs = contrast[among.to(contrast.device)].amax(1).float().cpu().clamp_min(1e-3)
    return (departs / (CLEAR * departs.quantile(0.75))).clamp_max(1)

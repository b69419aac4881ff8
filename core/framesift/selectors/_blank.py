"""Finds frames that show nothing: black, white or of one colour, despite noise and black bars."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.types.tokens import VideoTokens

SIGNALS: Final = frozenset({"contrast", "edge_density"})
"""What tells blank frames from others."""
LEVELS: Final = 6.5
"""Levels of 256 by which a blank picture may depart from its colour, by compression or grain."""
STROKES: Final = 0.01
"""Edge density from which a patch holds a character or two."""
CLEAR: Final = 0.6
"""Contrast from which a frame of a fade is clear, as a share of that where the fade ends."""
RISE: Final = 1.05
"""Least factor by which contrast rises from frame to frame of a fade."""
WHOLE: Final = 0.2
"""Mean contrast from which the whole picture counts as visible, as a share of its largest."""
REASON: Final = "blank, as nothing else is left"


def seen(candidates: Candidates) -> VideoTokens:
    """Returns the candidates as patches without weights, with what tells blank frames."""
    return candidates.tokens("handcrafted", SIGNALS)


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


def clarity(tokens: VideoTokens) -> Tensor:
    """Returns how clearly each frame is seen, `(T,)` in (0, 1]: less than 1 while a fade is faint.

    A fade is a run beside a blank frame in which the contrast of the whole picture rises from frame
    to frame. A small title on a plain ground has as little contrast, but in few places.
    """
    clear = torch.ones(tokens.frame_count)
    contrast = tokens.signals.contrast
    if contrast is None:
        return clear
    blank = set(content_and_blank(tokens)[1].tolist())
    most, mean = (values.float().tolist() for values in (contrast.amax(1), contrast.mean(1)))
    for step in (1, -1):
        for start in blank:
            run = _rising(most, start + step, step) if start + step not in blank else []
            for frame in run:
                if mean[frame] > WHOLE * most[frame]:
                    clear[frame] = min(1.0, most[frame] / (CLEAR * most[run[-1]]))
    return clear


def _rising(most: list[float], start: int, step: int) -> list[int]:
    """Returns the frames from `start` on, in one direction, as long as contrast rises."""
    run = [start] if 0 <= start < len(most) else []
    while run and 0 <= run[-1] + step < len(most) and most[run[-1] + step] > RISE * most[run[-1]]:
        run.append(run[-1] + step)
    return run

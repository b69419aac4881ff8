"""What is seen of the text of one frame: its lines, and what moved since the frame before."""

from __future__ import annotations

from dataclasses import dataclass

from framesift.types.video import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLine:
    """One line as it was read in one frame."""

    text: str
    box: Region
    """Where it stands in the frame."""
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A part of the picture that moved as a whole, as a page that is scrolled."""

    region: Region
    """Where it moves: what leaves this is not seen any more."""
    by: tuple[float, float]
    """How far `(x, y)`, in widths and heights of the picture."""

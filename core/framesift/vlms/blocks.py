"""What a family says of its prompts: placeholders, and the runs of visual tokens they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TEXT: Final = -1
"""Source of the columns that hold text."""
EXTRA: Final = -2
"""Source of the columns that hold a visual token that a family adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """What stands for an item of a video or of a picture before its tokens are put in."""

    item: Literal["image", "video"]
    """The type of the item in the messages for a chat template."""
    text: str
    """What the template writes for one item."""
    visual_id: int
    """The token that is repeated for every visual token."""
    modality: Literal["image", "video"]
    """Under which name the model takes the visual tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of visual tokens with the text that frames it."""

    frames: range = range(0)
    """Frames whose tokens stand in this run, in raster order each."""
    tokens: tuple[int, ...] | None = None
    """Tokens of the run in order, counted over the video, where these are not whole frames."""
    before: str = ""
    """Text before the run, which goes when `tokens` or a single frame of it lose all of them."""
    after: str = ""
    """Text behind the run, likewise."""
    lead: str = ""
    """Text before `before` that always stays."""
    tail: str = ""
    """Text behind `after` that always stays."""
    extra: int = 0
    """Visual tokens at the end of the run that the family adds. They stay behind several frames;
    behind one, or behind `tokens` such as a row of a picture, they go when all of these go.
    A row so narrow that it has no tokens from the start keeps them."""

"""How like tokens are to others of their place in other frames, some frames at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from framesift.strategies._blocks import blocks, float_blocks
from framesift.strategies._ops import NEVER, cosine_of
from framesift.strategies._ops import length as length_of


def lengths(features: Tensor) -> Tensor:
    """Returns the length of each token of `(T, N, D)`, float32 `(T, N)`."""
    found = features.new_empty(features.shape[:2], dtype=torch.float32)
    for own, wide in float_blocks(features):
        found[own] = length_of(wide)
    return found


def to_previous(features: Tensor, length: Tensor) -> Tensor:
    """Returns the cosine of each token to the one before of its place; the first have `NEVER`.

    Args:
        features: tokens `(T, N, D)`.
        length: their lengths `(T, N)`.
    """
    found, room = torch.full_like(length, NEVER), None
    for before, wide in float_blocks(features, further=1):
        room = torch.empty_like(wide) if room is None else room
        product = torch.mul(wide[1:], wide[:-1], out=room[: len(wide) - 1]).sum(-1)
        own = slice(before.start + 1, before.stop + 1)
        found[own] = cosine_of(product, length[own], length[before])
    return found


def to_earlier(features: Tensor, length: Tensor, earlier: Tensor) -> Tensor:
    """Returns the cosine of each token to that of its place in another frame, `(T, N)`.

    Args:
        features: tokens `(T, N, D)`.
        length: their lengths `(T, N)`.
        earlier: frame that each is compared with, int64 `(T, N)`.
    """
    return _compared(features, length, lambda own: earlier[own])


def to_last(
    features: Tensor, length: Tensor, chosen: Tensor, places: Tensor | None = None
) -> Tensor:
    """Returns the cosine of each token to the last `chosen` one of its place before it, `(T, P)`.

    Where there is none it is that to the first frame.

    Args:
        features: tokens `(T, N, D)`.
        length: their lengths, of the places alone, `(T, P)`.
        chosen: bool `(T, P)`.
        places: int64 `(P,)`; None for all.
    """
    frame, last = torch.arange(len(chosen), device=chosen.device)[:, None], None

    def before(own: slice) -> Tensor:
        nonlocal last
        at = frame[own] * chosen[own]
        last = torch.zeros_like(at[:1]) if last is None else last
        seen = torch.cat([last, at]).cummax(0).values
        last = seen[-1:]
        return seen[:-1]

    return _compared(features, length, before, places)


def _compared(
    features: Tensor,
    length: Tensor,
    earlier: Callable[[slice], Tensor],
    places: Tensor | None = None,
) -> Tensor:
    """Returns the cosine of each token to that of its place in another frame, `(T, P)`.

    Args:
        features: tokens `(T, N, D)`.
        length: their lengths, of the places alone, `(T, P)`.
        earlier: returns the frames that some frames are compared with; called in order of time.
        places: int64 `(P,)`; None for all.
    """
    patches, channels = features.shape[1:]
    place = torch.arange(patches, device=features.device) if places is None else places
    flat, found = features.reshape(-1, channels), torch.empty_like(length)
    # Of each token two copies are wide at a time, and two more in the type of the features.
    for own in blocks(len(length), 16 * len(place) * channels, device=features.device):
        frames = earlier(own)
        before = flat.index_select(0, (frames * patches + place).flatten()).float()
        wide = features[own] if places is None else features[own].index_select(1, places)
        product = before.view(wide.shape).mul_(wide.float()).sum(-1)
        found[own] = cosine_of(product, length[own], length.gather(0, frames))
    return found


def last_before(chosen: Tensor) -> Tensor:
    """Returns the frame of the last `chosen` token of each place before each, int64 `(T, N)`.

    It is 0 where there is none.
    """
    frame = torch.arange(len(chosen), device=chosen.device)[:, None]
    last = (frame * chosen).cummax(0).values
    return torch.cat([torch.zeros_like(last[:1]), last[:-1]])

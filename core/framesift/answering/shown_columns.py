"""Numbers that tell what the visual columns of two prompts show apart."""

from __future__ import annotations

from functools import cache
from typing import Final

import torch
from torch import Tensor

from framesift.vlms.prompt import Prompt

ROWS: Final = 256
"""Visual tokens that are summed up at once: 8 MB at 4,096 channels."""
BITS: Final = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def shown_by(prompt: Prompt) -> Tensor:
    """Returns a number of each column, int64 `(L,)`: 0 for text, else a hash of its visual token.

    Tokens and positions do not say which video a prompt is about: two videos of one size that keep
    the same places have the same.
    """
    shown = torch.zeros_like(prompt.input_ids)
    if len(prompt.features):
        hashes = _hashes(prompt.features)
        if prompt.layers is not None:
            # Where the model is on several devices, they are not where the features are.
            hashes += _hashes(prompt.layers.flatten(1)).to(hashes.device)
        shown[prompt.visual] = hashes.to(shown.device)
    return shown


def _hashes(values: Tensor) -> Tensor:
    """Returns a hash of the bits of each row, int64 `(M,)`; sums wrap around."""
    factors = _factors(values.shape[1]).to(values.device)
    bits = values.detach().contiguous().view(BITS[values.element_size()])
    return torch.cat([(rows.long() * factors).sum(1) for rows in bits.split(ROWS)])


@cache
def _factors(channels: int) -> Tensor:
    """Returns odd numbers at random, always the same, int64 `(D,)`."""
    least, most = -(2**62), 2**62
    drawn = torch.randint(least, most, (channels,), generator=torch.Generator().manual_seed(0))
    return 2 * drawn + 1

"""Several questions behind one video in one row: what each column may see of the others."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

IGNORED_LABEL: Final = -100
"""What stands in place of a label where nothing is to be foretold."""
VIDEO, PADDING = 0, -1
"""Parts of a row that are no question; questions count from 1."""


def seen_columns(parts: Tensor) -> Tensor:
    """Returns what each column may see, bool `(B, 1, L, L)`: the video and its own part so far.

    Args:
        parts: the part of each column, `VIDEO`, `PADDING` or the number of a question, `(B, L)`.
    """
    length = parts.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=parts.device).tril()
    same = (parts[:, None, :] == VIDEO) | (parts[:, None, :] == parts[:, :, None])
    seen = before & same & (parts[:, None, :] >= 0)
    return (seen | torch.eye(length, dtype=torch.bool, device=parts.device))[:, None]

"""Several questions behind one video in one row: what each column may see of the others."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

IGNORED_LABEL: Final = -100
"""What stands in place of a label where nothing is to be foretold."""
VIDEO, PADDING = 0, -1
"""Parts of a row that are no question; questions count from 1."""
ROUND: Final = 64
"""Columns of which a GPU is given whole multiples."""


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


def rounded(batch: dict[str, Tensor], pad_id: int, round_to: int = ROUND) -> dict[str, Tensor]:
    """Returns a batch of `Dialogs` with padding, so that few lengths are ever seen.

    A GPU finds memory and code for each length anew, which takes longer than computing the batch.

    Args:
        batch: as `Dialogs.batch` gives it.
        pad_id: what is put behind texts.
        round_to: visual tokens and all columns are multiples of it.
    """
    kept, length = batch["features"].shape[1], batch["text"].shape[1]
    more = -kept % round_to
    behind = -(1 + kept + more + length) % round_to
    filled = {}
    for name, values in batch.items():
        empty = torch.nan if values.is_floating_point() and name != "features" else IGNORED_LABEL
        if name in ("positions", "parts"):
            empty = PADDING if name == "parts" else 0
            halves = values[:, : 1 + kept], values[:, 1 + kept :]
            added = [
                pad(h, (0, n), value=empty) for h, n in zip(halves, (more, behind), strict=True)
            ]
            filled[name] = torch.cat(added, dim=1)
        elif name in ("text", "labels"):
            filled[name] = pad(values, (0, behind), value=pad_id if name == "text" else empty)
        elif name == "features":
            filled[name] = pad(values, (0, 0, 0, more))
        else:
            filled[name] = pad(values, (*(0, 0) * (values.ndim - 2), 0, more), value=empty)
    return filled

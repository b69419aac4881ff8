"""The outputs of a merging strategy, gathered batch by batch into one plan."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(slots=True)
class PlanRows:
    """Rows of the plan for `tokens`, on their device; the plan brings them into time order."""

    tokens: VideoTokens
    count: int = 0
    """Number of rows so far."""
    _entries: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    def keep(self, source: Tensor) -> None:
        """Adds a row for each token of `source`, int64 `(n,)`, unchanged."""
        row = torch.arange(len(source), device=source.device)
        self.add(row, source, torch.ones_like(row, dtype=torch.float32), count=len(source))

    def add(self, row: Tensor, source: Tensor, weight: Tensor, *, count: int) -> None:
        """Adds `count` rows that sum weighted tokens.

        Args:
            row: which of the new rows each entry belongs to, int64 `(E,)`.
            source: the token of each entry, its place in the whole video, int64 `(E,)`.
            weight: what the token counts, float32 `(E,)`.
            count: number of new rows, each with an entry.
        """
        self._entries.append((row + self.count, source, weight))
        self.count += count

    def plan(self) -> TokenPlan:
        """Returns the plan of all rows."""
        dst, src, weight = (torch.cat(column) for column in zip(*self._entries, strict=True))
        return TokenPlan.from_entries(
            dst=dst,
            src=src,
            weight=weight,
            num_in=self.tokens.count,
            num_out=self.count,
            tokens_per_frame=self.tokens.tokens_per_frame,
        )


def averaged(row: Tensor, count: int) -> Tensor:
    """Returns the weight of each token of groups that become their means, float32 `(n,)`.

    Args:
        row: group of each token `(n,)`.
        count: number of groups.
    """
    return _sizes(row, count).reciprocal()[row]


def blended(row: Tensor, is_center: Tensor, count: int, *, share: float) -> Tensor:
    """Returns the weight of each token of groups that become a blend, float32 `(n,)`.

    A blend is `share` of the group's centre and the rest of the mean of its other tokens; a centre
    without others stays as it is.

    Args:
        row: group of each token `(n,)`.
        is_center: the token of each group that is its centre, bool `(n,)`.
        count: number of groups.
        share: weight of the centre in [0, 1].
    """
    others = (_sizes(row, count) - 1)[row]
    alone = is_center & (others == 0)
    weight = torch.where(is_center, share, (1 - share) / others.clamp_min(1))
    return weight.masked_fill(alone, 1.0)


def _sizes(row: Tensor, count: int) -> Tensor:
    """Returns the number of tokens of each group, float32 `(count,)`; no host waits."""
    sizes = torch.zeros(count, dtype=torch.int64, device=row.device)
    return sizes.scatter_add_(0, row, torch.ones_like(row)).float()

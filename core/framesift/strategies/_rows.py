"""The outputs of a merging strategy, gathered group by group into one plan."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens


@dataclass(slots=True)
class PlanRows:
    """PlanRows of the plan for `tokens`; the plan brings them into time order."""

    tokens: VideoTokens
    count: int = 0
    """Number of rows so far."""
    _entries: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)

    def keep(self, source: Tensor) -> None:
        """Adds a row for each token of `source` `(n,)`, unchanged."""
        row = torch.arange(len(source), device=source.device)
        self.add(row, source, torch.ones_like(source, dtype=torch.float64), count=len(source))

    def add(self, row: Tensor, source: Tensor, weight: Tensor, *, count: int) -> None:
        """Adds `count` rows that sum weighted tokens.

        Args:
            row: which of the new rows an entry belongs to; the three broadcast to one shape.
            source: the token of each entry, its place in the whole video.
            weight: what the token counts, float64.
            count: number of new rows, each with an entry.
        """
        entries = torch.broadcast_tensors(row + self.count, source, weight)
        self._entries.append((entries[0].flatten(), entries[1].flatten(), entries[2].flatten()))
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


def averaged(label: Tensor) -> Tensor:
    """Returns the weight of each token of groups that become their means, float64 `(n,)`."""
    return torch.bincount(label).double().reciprocal()[label]


def blended(label: Tensor, centers: Tensor, share: float) -> Tensor:
    """Returns the weight of each token of groups that become a blend, float64 `(n,)`.

    A blend is `share` of the group's centre and the rest of the mean of its other tokens; a centre
    without others stays as it is.

    Args:
        label: group of each token `(n,)`.
        centers: the token that is the centre of each group `(count,)`.
        share: weight of the centre in [0, 1].
    """
    others = torch.bincount(label, minlength=len(centers)).double() - 1
    weight = ((1 - share) / others.clamp_min(1))[label]
    weight[centers] = torch.where(others > 0, weight.new_tensor(share), 1.0)
    return weight

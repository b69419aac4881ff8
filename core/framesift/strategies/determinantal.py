"""Choices of a determinantal point process (DPP), one by one, for tokens and for whole frames.

The kernel is `L_ij = quality_i * similarity_ij * quality_j`. *Greedy* means: each choice is the
item of largest gain `det(L of chosen and item) / det(L of chosen)`, the earlier one on ties. That
is the squared quality of an item times the part of it that the chosen ones do not span. The set
that comes out need not be the most probable one of its size: finding that one takes all subsets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from framesift.run import stoppable

DEPENDENT: Final = {torch.float32: 1e-4, torch.float64: 1e-8}
"""Squared part of an item outside the span of the chosen ones, below which it adds nothing. Kernels
of float32 are rounded to 1e-6, so less than that is noise."""
TIED: Final = {torch.float32: 2.0**-20, torch.float64: 2.0**-40}
"""To what gains are rounded, so that duplicates tie instead of falling to the last bit."""
CHOSEN: Final = -1.0
"""In place of the part of an item that is chosen, or that may not be."""

Rows = Callable[[Tensor], Tensor]
"""Gives the similarity of the item at a place of each batch `(B, 1)` to all of its batch `(B, n)`:
1 to itself, and of a positive semidefinite matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was chosen in each of `B` batches of `n` items, in order; float as the weights were."""

    places: Tensor
    """The item of each choice, int64 `(B, count)`; `n` where none was left."""
    gains: Tensor
    """What it added, its weight at most `(B, count)`."""
    process: Tensor
    """How often choosing had begun afresh by then, int64 `(B, count)`."""


def greedy(
    rows: Rows, weight: Tensor, live: Tensor, *, count: int, given: int = 0, stage: str = "plan"
) -> Choices:
    """Returns the items of each batch in the order in which a DPP chooses them greedily.

    A choice updates what is left of the others by one row of a Cholesky factor: `O(n count)` each,
    and no kernel of all pairs is needed. Where no item adds anything to the chosen ones, as with
    duplicates, choosing begins afresh among what is left instead of dividing by noise.

    Args:
        rows: similarity to one item of each batch.
        weight: squared quality `(B, n)`, at most 1, float32 or float64.
        live: items that may be chosen, bool `(B, n)`.
        count: number of choices in each batch.
        given: number of items, from the first, that are chosen before any other, in their order.
        stage: what the work is called to who listens to its progress.
    """
    batches, items = weight.shape
    dependent = DEPENDENT[weight.dtype]
    rounding = TIED[weight.dtype] / torch.finfo(weight.dtype).eps  # adding this rounds a sum
    # Part of each item outside the span of the process; `CHOSEN` once it is.
    fresh = torch.ones_like(weight).masked_fill_(~live, CHOSEN)
    residual = fresh.clone()
    factor = weight.new_empty(batches, count, items)
    gain, start = weight.new_empty(count, batches, 1), fresh.new_zeros(batches, 1)
    best = torch.empty(count, batches, 1, dtype=torch.long, device=weight.device)
    begins = torch.empty_like(best, dtype=torch.bool)
    steps = torch.arange(count, device=weight.device)
    for step in stoppable(range(count), stage):
        spent = torch.le(residual.amax(1, keepdim=True), dependent, out=begins[step])
        if step < given:
            spent.zero_()
        start.masked_fill_(spent, step)
        residual = torch.where(spent, fresh, residual)
        value = (weight * residual).add_(rounding).sub_(rounding)
        value.masked_fill_(residual <= dependent, CHOSEN)
        torch.max(value, 1, keepdim=True, out=(gain[step], best[step]))
        if step < given:
            best[step] = step
        row = rows(best[step])
        before = factor[:, :step]
        share = before.gather(2, best[step, :, None].expand(-1, step, 1)).mT
        share = share * (steps[:step] >= start[:, None])
        row = torch.baddbmm(row[:, None], share, before, alpha=-1)[:, 0]
        row *= residual.gather(1, best[step]).clamp_min_(dependent).rsqrt_()
        factor[:, step] = row
        residual.addcmul_(row, row, value=-1).scatter_(1, best[step], CHOSEN)
        fresh.scatter_(1, best[step], CHOSEN)
    places = best.where(gain >= 0, items)[..., 0].T
    return Choices(places=places, gains=gain[..., 0].T, process=begins.cumsum(0)[..., 0].T)

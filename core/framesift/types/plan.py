"""The decision of a strategy: which input tokens make up which output tokens.

A plan is a sparse matrix with non-negative weights. Pruning is a one-hot row, merging an averaging
row, pooling a window row; times, positions and pictures of what was kept go through the same map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlan:
    """A sparse map from `num_in` input tokens to `num_out` outputs, in canonical order.

    Rows (outputs) are in time order: by mean frame, then by their earliest input. Entries are
    sorted by row, then by input, so that equal decisions are equal to the bit. Build one with
    `keep`, `merge` or `from_entries`, which bring entries into this order. A plan lives on the CPU;
    `apply` works on any device.
    """

    dst: Tensor
    """Output row of each entry, int64 `(E,)`, ascending."""
    src: Tensor
    """Input token of each entry, int64 `(E,)`; ascending within a row."""
    weight: Tensor
    """Weight of each entry, float64 `(E,)`, at least 0; a row does not sum to 0."""
    num_in: int
    """Number of input tokens, `T * N` for a plan made from `VideoTokens`."""
    num_out: int
    """Number of output tokens `M`."""
    tokens_per_frame: int
    """Inputs per time step `N`: input `i` belongs to frame `i // N`."""

    def __post_init__(self) -> None:
        if not self.dst.shape == self.src.shape == self.weight.shape or self.dst.ndim != 1:
            raise ValueError(
                f"dst {tuple(self.dst.shape)}, src {tuple(self.src.shape)} and weight "
                f"{tuple(self.weight.shape)} must all be (E,)"
            )
        if self.num_out < 1 or self.num_in % self.tokens_per_frame:
            raise ValueError(
                f"num_out={self.num_out} must be at least 1 and num_in={self.num_in} a multiple "
                f"of tokens_per_frame={self.tokens_per_frame}"
            )
        problem = self._problem()
        if problem:
            raise ValueError(problem)

    @classmethod
    def keep(cls, indices: Tensor, *, num_in: int, tokens_per_frame: int) -> Self:
        """Returns the plan that keeps the input tokens at `indices` as they are."""
        ordered = indices.cpu().sort().values
        rows = torch.arange(len(ordered))
        return cls(
            dst=rows,
            src=ordered,
            weight=torch.ones(len(ordered), dtype=torch.float64),
            num_in=num_in,
            num_out=len(ordered),
            tokens_per_frame=tokens_per_frame,
        )

    @classmethod
    def merge(cls, group: Tensor, *, tokens_per_frame: int) -> Self:
        """Returns the plan that averages the tokens of each group.

        Args:
            group: group of each input token, int64 `(num_in,)`; negative drops the token.
            tokens_per_frame: inputs per time step `N`.
        """
        group = group.cpu()
        kept = (group >= 0).nonzero().flatten()
        groups, rows, sizes = group[kept].unique(return_inverse=True, return_counts=True)
        return cls.from_entries(
            dst=rows,
            src=kept,
            weight=(1.0 / sizes.double())[rows],
            num_in=len(group),
            num_out=len(groups),
            tokens_per_frame=tokens_per_frame,
        )

    @classmethod
    def from_entries(
        cls,
        *,
        dst: Tensor,
        src: Tensor,
        weight: Tensor,
        num_in: int,
        num_out: int,
        tokens_per_frame: int,
    ) -> Self:
        """Returns the plan with these entries, rows and entries brought into canonical order."""
        dst, src, weight = dst.cpu(), src.cpu(), weight.cpu().double()
        order = _row_order(dst, src, weight, num_out, tokens_per_frame)
        place = torch.empty_like(order)
        place[order] = torch.arange(num_out)
        rows = place[dst]
        entries = torch.argsort(rows * num_in + src, stable=True)
        return cls(
            dst=rows[entries],
            src=src[entries],
            weight=weight[entries],
            num_in=num_in,
            num_out=num_out,
            tokens_per_frame=tokens_per_frame,
        )

    @property
    def is_pruning(self) -> bool:
        """Whether every output is one input token, unchanged."""
        return len(self.src) == self.num_out and bool((self.weight == 1).all())

    @property
    def sources(self) -> Tensor:
        """The input of largest weight of each output, `(M,)`; the earlier one on a tie."""
        order = torch.argsort(self.weight, descending=True, stable=True)
        order = order[torch.argsort(self.dst[order], stable=True)]
        return self.src[order][self._row_starts()]

    @property
    def used(self) -> Tensor:
        """Input tokens that reach an output, bool `(num_in,)`."""
        mask = torch.zeros(self.num_in, dtype=torch.bool)
        mask[self.src] = True
        return mask

    def normalized(self) -> Self:
        """Returns the plan with every row divided by its sum, for times and positions."""
        return replace(self, weight=self.weight / self._row_sums()[self.dst])

    def apply(self, values: Tensor) -> Tensor:
        """Returns the output tokens `(M, D)`, in the dtype and on the device of `values`.

        Args:
            values: `(T, N, D)` or `(num_in, D)`, floating point.
        """
        flat = values.reshape(-1, values.shape[-1])
        if len(flat) != self.num_in:
            raise ValueError(
                f"values hold {len(flat)} tokens {tuple(values.shape)}, the plan is for "
                f"{self.num_in}"
            )
        entries = flat[self.src.to(flat.device)]
        return entries if self.is_pruning else self._sum(entries)

    def mean(self, entries: Tensor) -> Tensor:
        """Returns the weighted mean over the inputs of each output `(M, D)`.

        Args:
            entries: what to average, one row for each entry of `src`, floating point `(E, D)`.
        """
        if self.is_pruning:
            return entries
        return self._sum(entries) / self._row_sums()[:, None].to(entries)

    def then(self, other: TokenPlan) -> Self:
        """Returns the plan of this plan followed by `other`, which maps this plan's outputs.

        The rows come in time order again, so a third plan must be made from the result.
        """
        if other.num_in != self.num_out:
            raise ValueError(
                f"the second plan maps {other.num_in} tokens, the first gives {self.num_out}"
            )
        # Each entry of the second plan is replaced by the entries of the row that it names:
        #
        #     first plan    a <- 0, 1   b <- 2   c <- 3        starts   0 2 3
        #     second plan   x <- a, c                          lengths  2 1
        #     together      x <- 0, 1, 3                       second   0 0 1
        #                                                      within   0 1 0
        #                                                      first    0 1 3
        starts = self._row_starts()
        lengths = torch.bincount(self.dst, minlength=self.num_out)[other.src]
        second = torch.repeat_interleave(torch.arange(len(other.src)), lengths)
        within = torch.arange(len(second)) - (lengths.cumsum(0) - lengths)[second]
        first = starts[other.src[second]] + within
        cells, place = (other.dst[second] * self.num_in + self.src[first]).unique(
            return_inverse=True
        )
        weight = torch.zeros(len(cells), dtype=torch.float64)
        weight.index_add_(0, place, other.weight[second] * self.weight[first])
        return self.from_entries(
            dst=cells // self.num_in,
            src=cells % self.num_in,
            weight=weight,
            num_in=self.num_in,
            num_out=other.num_out,
            tokens_per_frame=self.tokens_per_frame,
        )

    def frame_counts(self) -> Tensor:
        """Returns how many outputs have their source in each frame, int64 `(T,)`."""
        frames = self.num_in // self.tokens_per_frame
        return torch.bincount(self.sources // self.tokens_per_frame, minlength=frames)

    def __repr__(self) -> str:
        kind = "pruning" if self.is_pruning else "merging"
        return f"TokenPlan({self.num_in} -> {self.num_out}, {kind}, entries={len(self.src)})"

    def _row_starts(self) -> Tensor:
        lengths = torch.bincount(self.dst, minlength=self.num_out)
        return lengths.cumsum(0) - lengths

    def _sum(self, entries: Tensor) -> Tensor:
        """Returns the weighted sum of each row's entries, in a deterministic order."""
        wide = torch.float64 if entries.dtype == torch.float64 else torch.float32
        weighted = entries.to(wide) * self.weight.to(entries.device, wide)[:, None]
        lengths = torch.bincount(self.dst, minlength=self.num_out).to(entries.device)
        return torch.segment_reduce(weighted, "sum", lengths=lengths, axis=0).to(entries.dtype)

    def _row_sums(self) -> Tensor:
        sums = torch.zeros(self.num_out, dtype=torch.float64)
        return sums.index_add_(0, self.dst, self.weight)

    def _problem(self) -> str | None:
        if len(self.dst) == 0 or not torch.equal(
            self.dst.unique_consecutive(), torch.arange(self.num_out)
        ):
            return f"dst must list every row from 0 to {self.num_out - 1} in order, none empty"
        if int(self.src.min()) < 0 or int(self.src.max()) >= self.num_in:
            return f"src must be within [0, {self.num_in})"
        cells = self.dst * self.num_in + self.src
        if bool((cells.diff() <= 0).any()):
            return "entries must be sorted by row, then by input, without repeats"
        if not bool((self.weight >= 0).all()) or not bool(self.weight.isfinite().all()):
            return "weights must be finite and at least 0"
        if not bool((self._row_sums() > 0).all()):
            return "every row needs a positive weight"
        ordered = _row_order(self.dst, self.src, self.weight, self.num_out, self.tokens_per_frame)
        if not torch.equal(ordered, torch.arange(self.num_out)):
            return "outputs must be in time order; build the plan with TokenPlan.from_entries"
        return None


def _row_order(
    dst: Tensor, src: Tensor, weight: Tensor, num_out: int, tokens_per_frame: int
) -> Tensor:
    """Returns the rows by mean frame, then by earliest input, `(num_out,)`."""
    zeros = torch.zeros(num_out, dtype=torch.float64)
    mass = zeros.index_add(0, dst, weight)
    moment = zeros.index_add(0, dst, weight * (src // tokens_per_frame))
    # Binned, so that sums taken in another order cannot swap rows of one mean time; the offset
    # keeps bin edges away from every fraction that a mean of frame numbers can be.
    mean_frame = (moment / mass).mul(1e6).add(0.137).floor()
    first = torch.full((num_out,), 2**62, dtype=torch.int64)
    first = first.scatter_reduce(0, dst, src, "amin")
    by_first = torch.argsort(first, stable=True)
    return by_first[torch.argsort(mean_frame[by_first], stable=True)]

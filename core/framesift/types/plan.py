"""The decision of a strategy: which input tokens make up which output tokens.

A plan is a sparse matrix with non-negative weights. Pruning is a one-hot row, merging an averaging
row, pooling a window row; times, positions and pictures of what was kept go through the same map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

import torch
from torch import Tensor

from framesift.types.device import segment_sums
from framesift.types.pickling import PickledOnCpu
from framesift.types.row_memory import rows_like
from framesift.types.row_order import row_counts, row_order

FRAME_SLACK: Final = 1e-3
"""By how much of a frame an output may come before the one in front of it: counted weights are
rounded, and those of a normalized plan a little differently."""
CHANNELS: Final = 512
"""Channels that are merged at a time."""
AT_ONCE_ON_CPU, CHECKED = 2**20, 8
"""Values of outputs that are made at a time on a CPU, and those held of a row that is checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPlan(PickledOnCpu):
    """A sparse map from `num_in` input tokens to `num_out` outputs, in canonical order.

    Rows (outputs) are in time order: by mean frame, then by their earliest input. Entries are
    sorted by row, then by input, so that equal decisions are equal to the bit. Build one with
    `keep`, `merge` or `from_entries`, which order them. A plan lives where its tokens do; `cpu`
    brings it to the host. It is checked on the CPU alone, since looking waits for a device.
    """

    dst: Tensor
    """Output row of each entry, int64 `(E,)`, ascending."""
    src: Tensor
    """Input token of each entry, int64 `(E,)`; ascending within a row."""
    weight: Tensor
    """Weight of each entry, `(E,)`, at least 0; a row does not sum to 0. It is float32, and float64
    after `normalized` on the CPU."""
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
        if len(devices := {str(each.device) for each in (self.dst, self.src, self.weight)}) > 1:
            raise ValueError(
                f"dst, src and weight are on {' and '.join(sorted(devices))}; move them"
            )
        if self.num_out < 1 or self.num_in % self.tokens_per_frame:
            raise ValueError(
                f"num_out={self.num_out} must be at least 1 and num_in={self.num_in} a multiple "
                f"of tokens_per_frame={self.tokens_per_frame}"
            )
        if self.src.device.type == "cpu":
            checked = [rows for rows, _ in self._parts(CHECKED)]  # each is checked as it is made
            if len(checked) == 1 and (problem := self._problem()):
                raise ValueError(problem)

    @classmethod
    def keep(cls, indices: Tensor, *, num_in: int, tokens_per_frame: int) -> Self:
        """Returns the plan that keeps the input tokens at `indices` as they are."""
        ordered = indices.sort().values
        return cls(
            dst=torch.arange(len(ordered), device=ordered.device),
            src=ordered,
            weight=torch.ones(len(ordered), device=ordered.device),
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
        kept = (group >= 0).nonzero().flatten()
        groups, rows, sizes = group[kept].unique(return_inverse=True, return_counts=True)
        return cls.from_entries(
            dst=rows,
            src=kept,
            weight=sizes.float().reciprocal()[rows],
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
        weight = weight.float()
        order = row_order(dst, src, weight, num_out, tokens_per_frame)
        number = torch.arange(num_out, device=dst.device)
        rows = torch.empty_like(order).scatter_(0, order, number)[dst]
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
        """Whether every output is one input token, unchanged; this waits for the device."""
        return len(self.src) == self.num_out and bool((self.weight == 1).all())

    @property
    def sources(self) -> Tensor:
        """The input of largest weight of each output, `(M,)`; the earlier one on a tie."""
        if len(self.src) == self.num_out:
            return self.src
        order = torch.argsort(self.weight, descending=True, stable=True)
        order = order[torch.argsort(self.dst[order], stable=True)]
        lengths = self._row_lengths()
        return self.src[order][lengths.cumsum(0) - lengths]

    @property
    def used(self) -> Tensor:
        """Input tokens that reach an output, bool `(num_in,)`."""
        mask = torch.zeros(self.num_in, dtype=torch.bool, device=self.src.device)
        return mask.index_fill_(0, self.src, True)

    def to(self, device: torch.device | str) -> Self:
        """Returns the plan on a device."""
        return replace(self, **{n: getattr(self, n).to(device) for n in ("dst", "src", "weight")})

    def cpu(self) -> Self:
        """Returns the plan on the CPU, itself if it is there."""
        return self if self.src.device.type == "cpu" else self.to("cpu")

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
        plan = self if self.src.device == flat.device else self.to(flat.device)
        if flat.device.type != "cpu":
            return plan._applied(flat)
        found = rows_like(flat, plan.num_out)
        for rows, part in plan._parts(flat.shape[1]):
            found[rows] = part._applied(flat)
        return found

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
        lengths = self._row_lengths()
        starts, lengths = (lengths.cumsum(0) - lengths)[other.src], lengths[other.src]
        second = torch.repeat_interleave(lengths)
        within = torch.arange(len(second), device=second.device)
        within = within - (lengths.cumsum(0) - lengths)[second]
        first = starts[second] + within
        cells, place, counts = (other.dst[second] * self.num_in + self.src[first]).unique(
            return_inverse=True, return_counts=True
        )
        weight = (other.weight[second] * self.weight[first])[place.argsort(stable=True)]
        return self.from_entries(
            dst=cells // self.num_in,
            src=cells % self.num_in,
            weight=segment_sums(weight, counts),
            num_in=self.num_in,
            num_out=other.num_out,
            tokens_per_frame=self.tokens_per_frame,
        )

    def frame_counts(self) -> Tensor:
        """Returns how many outputs have their source in each frame, int64 `(T,)`."""
        return row_counts(
            self.sources // self.tokens_per_frame, self.num_in // self.tokens_per_frame
        )

    def __repr__(self) -> str:
        kind = "pruning" if len(self.src) == self.num_out else "merging"
        return f"TokenPlan({self.num_in} -> {self.num_out}, {kind}, entries={len(self.src)})"

    def _applied(self, flat: Tensor) -> Tensor:
        if len(self.src) == self.num_out:
            return self._sum(flat[self.src])
        # Some channels at a time, so that no wide copy of all tokens is made.
        return torch.cat([self._sum(part[self.src]) for part in flat.split(CHANNELS, dim=1)], dim=1)

    def _parts(self, width: int) -> Iterator[tuple[slice, Self]]:
        """Yields rows with a plan of them, some at a time where each is of one token on a CPU.

        A part begins with the last row of the one before.

        Args:
            width: values of each row that are held at once.
        """
        most = max(2, AT_ONCE_ON_CPU // width)
        if len(self.src) != self.num_out or self.src.device.type != "cpu" or self.num_out <= most:
            yield slice(0, self.num_out), self
            return
        for start in range(0, self.num_out - 1, most - 1):
            rows = slice(start, start + most)
            dst, src, weight = self.dst[rows] - start, self.src[rows], self.weight[rows]
            yield rows, replace(self, dst=dst, src=src, weight=weight, num_out=len(dst))

    def _row_lengths(self) -> Tensor:
        return row_counts(self.dst, self.num_out)

    def _sum(self, entries: Tensor) -> Tensor:
        """Returns the weighted sum of each row's entries, in a deterministic order."""
        wide = torch.float64 if entries.dtype == torch.float64 else torch.float32
        weighted = entries.to(wide) * self.weight.to(wide)[:, None]
        return self._row_sum(weighted).to(entries.dtype)

    def _row_sums(self) -> Tensor:
        """Returns the weights of each row together, `(M,)`: float64 on the CPU."""
        weight = self.weight
        return self._row_sum(weight.double() if weight.device.type == "cpu" else weight)

    def _row_sum(self, entries: Tensor) -> Tensor:
        if len(entries) == self.num_out:
            return entries
        return segment_sums(entries, self._row_lengths())

    def _problem(self) -> str | None:
        if len(self.dst) == 0 or not torch.equal(
            self.dst.unique_consecutive(), torch.arange(self.num_out)
        ):
            return "dst must list every row from 0 to the last one in order, none empty"
        if int(self.src.min()) < 0 or int(self.src.max()) >= self.num_in:
            return f"src must be within [0, {self.num_in})"
        cells = self.dst * self.num_in + self.src
        if bool((cells.diff() <= 0).any()):
            return "entries must be sorted by row, then by input, without repeats"
        if not bool((self.weight >= 0).all()) or not bool(self.weight.isfinite().all()):
            return "weights must be finite and at least 0"
        if not bool((self._row_sums() > 0).all()):
            return "every row needs a positive weight"
        frames = (self.src // self.tokens_per_frame).double()[:, None]
        if bool((self.mean(frames).diff(dim=0) < -FRAME_SLACK).any()):
            return "outputs must be in time order; build the plan with TokenPlan.from_entries"
        return None

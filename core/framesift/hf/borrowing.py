"""Attention of frames of which only some places are encoded: the others lend what they had.

The hidden states of all encoded places are packed into one row. Each frame attends to all of its
places: at one that it skips, to the key and the value of the frame that encoded it last.

    frame 0    a0 b0 c0     packed: a0 b0 c0 b1 a2
    frame 1    .  b1 .      keys of frame 1: a0 b1 c0
    frame 2    a2 .  .      keys of frame 2: a2 b1 c0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.hf.attention import AttentionCall

Rows = slice | Tensor
"""Which rows: a run of them, for which nothing is copied, or their numbers."""
Numbers = npt.NDArray[np.int64]

SLACK: Final = 3
"""Frames are computed together whose queries differ by up to one in so many, ..."""
LEAST_SLACK: Final = 8
"""... or by up to one in so many of the places: seven groups at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Group:
    """Frames, or windows of them, of about as many queries, which are computed at once."""

    queries: Rows
    """Rows of the queries, of all of its frames one after the other; padded with any row."""
    keys: Rows
    """Rows of the keys and values, likewise."""
    count: int
    """Its frames or windows."""

    def attend(self, call: AttentionCall, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Returns what its queries attend to, `(count * n, heads, Dv)`, padding included."""
        parts = ((q, self.queries), (k, self.keys), (v, self.keys))
        query, key, value = (
            _taken(rows, which).unflatten(0, (self.count, -1)).transpose(1, 2)
            for rows, which in parts
        )
        return call.compute(query, key, value).flatten(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grouping:
    groups: list[_Group]
    place: Rows
    """Where each packed row is in what the groups give, one after the other."""


class PackedFrames:
    """The encoded places of some frames as one row of hidden states, in the order of the frames.

    Args of the maker:
        encoded: places that are encoded, bool `(T, L)` on the CPU, at least one in each frame.
        device: where the hidden states are.
        first: whether nothing was encoded before; every place of the first frame is then.
    """

    def __init__(self, encoded: Tensor, device: torch.device, *, first: bool) -> None:
        """Finds out which row each place of each frame attends to."""
        self.frames, self.places = encoded.shape
        self.device: Final = device
        self._encoded: Final = encoded.numpy()
        flat = np.flatnonzero(self._encoded)
        row = np.full(encoded.shape, -1)
        row.ravel()[flat] = np.arange(len(flat))
        self._row: Final = row
        self.row: Final = torch.from_numpy(row)
        """The packed row of each place of each frame, int64 `(T, L)` on the CPU; -1 without one."""
        latest = np.maximum.accumulate(row, axis=0)
        self.borrows_earlier: Final = bool((latest[0] < 0).any())
        if self.borrows_earlier and first:
            raise ValueError("every place of the first frame must be encoded, and some are not")
        if self.borrows_earlier:
            # The rows of the earlier frames come before the packed ones, one for each place.
            latest = np.where(latest < 0, np.arange(self.places), latest + self.places)
        self._latest: Final = latest
        self._groupings: Final[dict[int, _Grouping]] = {}
        self.packed: Final = self._rows(flat)
        """Rows of the encoded places among all places of all frames."""
        self.at_last: Final = self._rows(latest[-1])
        """Rows that the last frame attends to: those that a later frame borrows."""
        self.attended: Final = self._rows(latest.ravel())
        """Rows that each frame attends to."""

    def gather(self, values: Tensor) -> Tensor:
        """Returns values of all places `(T, L, ...)` as one row of those encoded, `(1, P, ...)`."""
        return _taken(values.flatten(0, 1), self.packed)[None]

    def grouping(self, windows: Tensor | None) -> _Grouping:
        """Returns which frames are computed together.

        Args:
            windows: number of the window of each place, int64 `(L,)` on the CPU, where a place
                attends to its window alone; None where it attends to all places.
        """
        key = 0 if windows is None else id(windows)
        if key not in self._groupings:
            self._groupings[key] = self._grouped(windows)
        return self._groupings[key]

    def _grouped(self, windows: Tensor | None) -> _Grouping:
        groups: list[_Group] = []
        place, start = np.empty(int(self._encoded.sum()), np.int64), 0
        for members in _members(windows, self.places):
            shape = -1, members.shape[1]
            encoded, row, latest = (
                each[:, members].reshape(shape) for each in (self._encoded, self._row, self._latest)
            )
            for which in _alike(encoded.sum(1), members.shape[1]):
                chosen, rows = encoded[which], row[which]
                across = chosen.cumsum(1) - 1
                width = int(across[:, -1].max()) + 1
                queries = np.zeros((len(which), width), np.int64)
                sequence = np.nonzero(chosen)[0]
                queries[sequence, across[chosen]] = rows[chosen]
                place[rows[chosen]] = start + sequence * width + across[chosen]
                start += queries.size
                groups.append(
                    _Group(
                        queries=self._rows(queries.ravel()),
                        keys=self._rows(latest[which].ravel()),
                        count=len(which),
                    )
                )
        return _Grouping(groups=groups, place=self._rows(place))

    def _rows(self, numbers: Numbers) -> Rows:
        first = int(numbers[0])
        if numbers[-1] - first == len(numbers) - 1 and (np.diff(numbers) == 1).all():
            return slice(first, first + len(numbers))
        # CUDA has read pageable memory when the call returns; MPS may read it when it is gone.
        return torch.from_numpy(numbers).to(self.device, non_blocking=self.device.type == "cuda")


class WholeFrames:
    """Frames of which all places are encoded, as a tower takes them by itself.

    It may call the attention of a layer for all frames at once, for their parts in turn, such as
    windows, or for one row of all places.
    """

    def __init__(self, frames: int, places: int) -> None:
        """Begins a pass of `frames` frames with `places` places each."""
        self.places: Final = places
        self._before_last: Final = (frames - 1) * places
        self._called: Final[dict[Any, int]] = {}

    def of_last(self, module: Any, places: int) -> tuple[int, slice] | None:
        """Returns from where on the next places of a module are of the last frame, and where in it.

        Args:
            module: what is called.
            places: how many the call has, of all its frames or parts.

        Returns:
            The first of them that is, and the places of the last frame that they are; or None.
        """
        start = self._called.get(module, 0)
        self._called[module] = stop = start + places
        first = max(start, self._before_last)
        if first >= stop:
            return None
        return first - start, slice(first - self._before_last, stop - self._before_last)


class KeptKeys:
    """Keys and values of the places of one video, each as of the frame that encoded it last.

    It answers the attention of a tower (`hf.attention.borrowing`) for frames that come whole, `(T,
    heads, L, Dk)` or part by part, and for packed ones, and carries what the last frame attended to
    over to the next pass. It holds one frame of keys and values a layer.
    """

    def __init__(self, windows: Callable[[Any], Tensor | None] | None = None) -> None:
        """Begins a video.

        Args:
            windows: returns the number of the window of each place, as `PackedFrames.grouping`
                takes it, for an attention module; it must return the same object each time.
        """
        self.packing: PackedFrames | WholeFrames | None = None
        """How the places of the next pass come; to be set before it."""
        self._windows: Final = windows
        self._last: Final[dict[Any, tuple[Tensor, ...]]] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing was encoded yet."""
        return not self._last

    def attend(self, call: AttentionCall) -> Tensor:
        """Returns what the module attends to."""
        if isinstance(self.packing, PackedFrames):
            return self._packed(call, self.packing)
        if self.packing is None:
            raise ValueError("packing must be set before each pass, and is None")
        return self._whole(call, self.packing)

    def _whole(self, call: AttentionCall, whole: WholeFrames) -> Tensor:
        if call.note is not None:
            call.note(call.query, call.key)
        frames, _, places, _ = call.key.shape
        found = whole.of_last(call.module, frames * places)
        if found is not None:
            first, part = found
            kept = (call.key, call.value, *(() if call.note is None else (call.query,)))
            ends = [
                each[first // places :].transpose(1, 2).flatten(0, 1)[first % places :]
                for each in kept
            ]
            if part.start == 0:
                shapes = [(whole.places, *each.shape[1:]) for each in ends]
                self._last[call.module] = tuple(map(torch.Tensor.new_empty, ends, shapes))
            for table, end in zip(self._last[call.module], ends, strict=True):
                table[part] = end
        return call.compute(call.query, call.key, call.value)

    def _packed(self, call: AttentionCall, packing: PackedFrames) -> Tensor:
        query = call.query[0].transpose(0, 1)
        kept = (call.key, call.value, *(() if call.note is None else (call.query,)))
        rows = [each[0].transpose(0, 1) for each in kept]
        if packing.borrows_earlier:
            earlier = self._last[call.module][: len(rows)]
            if len(earlier) < len(rows):
                raise ValueError(
                    "a listener came after the first frame of a video, whose queries are not kept; "
                    "let it listen to all of the video"
                )
            rows = [torch.cat(pair) for pair in zip(earlier, rows, strict=True)]
        if call.note is not None:
            key, asked = (
                _taken(each, packing.attended)
                .unflatten(0, (packing.frames, packing.places))
                .transpose(1, 2)
                for each in (rows[0], rows[2])
            )
            call.note(asked, key)
        windows = None if self._windows is None else self._windows(call.module)
        grouping = packing.grouping(windows)
        found = [group.attend(call, query, rows[0], rows[1]) for group in grouping.groups]
        self._last[call.module] = tuple(_taken(each, packing.at_last).clone() for each in rows)
        return _taken(found[0] if len(found) == 1 else torch.cat(found), grouping.place)[None]


def _taken(values: Tensor, rows: Rows) -> Tensor:
    return values[rows] if isinstance(rows, slice) else values.index_select(0, rows)


def _members(windows: Tensor | None, places: int) -> list[Numbers]:
    """Returns the places of the windows of each size, `(windows, size)`."""
    if windows is None:
        return [np.arange(places)[None]]
    number = windows.numpy()
    order, sizes = np.argsort(number, kind="stable"), np.bincount(number)
    starts = np.cumsum(sizes) - sizes
    return [
        order[starts[sizes == size][:, None] + np.arange(size)]
        for size in np.unique(sizes[sizes > 0])
    ]


def _alike(counts: Numbers, most: int) -> list[Numbers]:
    """Returns the sequences that have queries, in groups of about as many, the most first."""
    groups = []
    left = np.flatnonzero(counts)
    while len(left):
        top = int(counts[left].max())
        near = counts[left] >= top - max(top // SLACK, most // LEAST_SLACK)
        groups.append(left[near])
        left = left[~near]
    return groups

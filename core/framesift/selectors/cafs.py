"""Picks the frame in the middle of each stretch between peaks of change, without a question."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from framesift.registry import require
from framesift.scorers.candidates import Candidates
from framesift.selectors._alike import frame_vectors, to_previous
from framesift.selectors._fill import nearest_to, part_middles, shared_by_length
from framesift.selectors.base import Selection, Selector
from framesift.types.clock import span
from framesift.types.options import EncoderSpec


@dataclass(frozen=True, kw_only=True)
class Cafs(Selector):
    """Cuts a video where its features change most, and picks the middle of each stretch.

    Content-aware frame selection (DIG): a cut is a peak of `1 - cosine` of neighbouring frames
    that stands out by `prominence`. Where there are more peaks than the count needs, the most
    prominent ones cut; where there are fewer, longer stretches give several frames.
    """

    summary: ClassVar[str] = "the middle of each stretch between peaks of change (DIG)"

    encoder: EncoderSpec = "handcrafted"
    """What sees how frames change."""
    prominence: Annotated[float, Field(gt=0, le=2)] = 0.1
    """How far a peak must stand out of what is around it, as a cosine distance."""

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns frames near the middles of the stretches."""
        times = candidates.pts_seconds
        change = to_previous(frame_vectors(candidates.tokens(self.encoder)))
        cuts = self._cuts(change, count - 1)
        stretches = list(pairwise([0, *cuts, len(times)]))
        lengths = [float(times[end - 1] - times[first]) for first, end in stretches]
        rooms = [end - first for first, end in stretches]
        shares = shared_by_length(lengths, rooms, count)
        places, reasons = [], []
        for (first, end), share in zip(stretches, shares, strict=True):
            inner = times[first:end].tolist()
            middles = part_middles(inner[0], inner[-1], share)
            places += [first + place for place in nearest_to(inner, middles)]
            about = f"the stretch {span(inner[0], inner[-1])}"
            if first:
                about += f", after a change of {float(change[first]):.2f}"
            which = "middle" if share == 1 else f"one of {share}"
            reasons += [f"{which} of {about}"] * share
        curve = change.float().tolist()
        return Selection(
            indices=tuple(places),
            scores=tuple(curve[place] for place in places),
            reasons=tuple(reasons),
            curve=tuple(curve),
        )

    def _cuts(self, change: Tensor, most: int) -> list[int]:
        """Returns the first frames of new stretches, ascending: the `most` prominent peaks."""
        signal = require("scipy.signal", extra="select")
        # A peak needs two sides, and the last change has none after it.
        padded = torch.cat([change, torch.zeros(1, dtype=change.dtype)]).numpy()
        peaks, about = signal.find_peaks(padded, prominence=self.prominence)
        order = sorted(range(len(peaks)), key=lambda peak: (-about["prominences"][peak], peak))
        return sorted(int(peaks[peak]) for peak in order[:most])

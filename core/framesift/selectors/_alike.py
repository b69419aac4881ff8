"""How much whole frames look alike, from what an encoder sees of them, and how close they are."""

from __future__ import annotations

from typing import Annotated, Final

import torch
from pydantic import Field
from torch import Tensor

from framesift.run import stoppable
from framesift.types.tokens import VideoTokens

Relevance = Annotated[float, Field(ge=0, le=100)]
"""Exponent of the scores, so far below where the least of them would be no number above 0."""
MOST_CHANNELS: Final = 2**13
"""Most values of all patches of a frame that are compared place by place; where an encoder gives
more, each patch knows what the whole picture shows, and their mean is compared."""
FRAMES_AT_ONCE: Final = 64
PAIRS: Final = 512
"""Pairs of frames that are looked at to see how much frames of a video usually differ."""
BANDWIDTHS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the Gaussians whose mean is the likeness, in usual squared distances."""
LEAST_DISTANCE: Final = 0.02
"""Squared distance of unit vectors that noise and compression alone can cause."""


def frame_vectors(tokens: VideoTokens) -> Tensor:
    """Returns one vector a frame `(T, C)` on the CPU, in the dtype of the features.

    Its cosine says how alike two frames are: that of all patches, each with the one at its place,
    or that of mean tokens where patches have very many channels.
    """
    features = tokens.features
    if features[0].numel() <= MOST_CHANNELS:
        return features.flatten(1).cpu()
    starts = range(0, len(features), FRAMES_AT_ONCE)
    means = []
    for start in stoppable(starts, "select"):
        means.append(features[start : start + FRAMES_AT_ONCE].float().mean(1).cpu())
    return torch.cat(means)


def to_previous(vectors: Tensor) -> Tensor:
    """Returns how much each frame differs from the one before, `1 - cosine`, float64 `(T,)`.

    The first one has 0.
    """
    change = torch.zeros(len(vectors), dtype=torch.float64)
    for start in stoppable(range(1, len(vectors), FRAMES_AT_ONCE), "select"):
        now = vectors[start : start + FRAMES_AT_ONCE]
        change[start : start + len(now)] = 1 - _pairs(now, vectors[start - 1 :][: len(now)])
    return change.mul(1e6).round().div(1e6)


def _pairs(first: Tensor, second: Tensor) -> Tensor:
    """Returns the cosine of each row with its partner, float64; zero vectors are like each other.

    Values of half precision are compared as they are, so that equal frames are exactly alike.
    """
    left, right = first.double(), second.double()
    lengths = left.square().sum(1), right.square().sum(1)
    value = (left * right).sum(1) / (lengths[0] * lengths[1]).sqrt().clamp_min(1e-30)
    return torch.where((lengths[0] == 0) & (lengths[1] == 0), 1.0, value).clamp(-1.0, 1.0)


class Kernel:
    """A positive definite kernel over the frames of a video: their looks, and a little their times.

    Likeness is a mean of Gaussians of several widths (mDP3), in the unit of how much frames of
    this video usually differ, so that it fits every encoder.
    """

    def __init__(
        self, vectors: Tensor | None, pts_seconds: Tensor, count: int, spread: float
    ) -> None:
        """Takes what frames look like.

        Args:
            vectors: one a frame `(T, C)`; without them closeness in time is all that there is.
            pts_seconds: times `(T,)`.
            count: how many frames will be chosen.
            spread: weight of closeness in time beside that of looks, in [0, 1].
        """
        self._vectors, self._times, self._spread = vectors, pts_seconds.double().cpu(), spread
        span = float(self._times[-1] - self._times[0])
        self._apart_seconds = max(span / max(1, count), 1e-6)
        if vectors is not None:
            self._lengths = torch.cat(
                [part.double().square().sum(1).sqrt() for part in vectors.split(FRAMES_AT_ONCE)]
            )
            self._usual = max(_usual_distance(vectors), LEAST_DISTANCE)

    def block(self, places: Tensor, others: Tensor) -> Tensor:
        """Returns the kernel of some frames with some others, float64 `(len(places), K)`."""
        seconds = self._times[places, None] - self._times[others]
        near = torch.exp(-(seconds / self._apart_seconds).square())
        if self._vectors is None:
            return near
        distance = (2 - 2 * self._cosines(self._vectors, places, others)) / self._usual
        alike = torch.stack([torch.exp(-distance / width) for width in BANDWIDTHS]).mean(0)
        same = places[:, None] == others
        return ((1 - self._spread) * alike + self._spread * near).masked_fill(same, 1.0)

    def row(self, place: Tensor) -> Tensor:
        """Returns the kernel of the frame at `place` `(1, 1)` with all frames, `(1, T)`."""
        return self.block(torch.arange(len(self._times)), place[0]).T

    def _cosines(self, vectors: Tensor, places: Tensor, others: Tensor) -> Tensor:
        """Returns cosines; few rows at a time are float64, so a long video needs no copy."""
        right, rows = vectors[others].double().T, []
        for some in places.split(FRAMES_AT_ONCE):
            rows.append(vectors[some].double() @ right)
        lengths = self._lengths[places, None], self._lengths[others]
        value = torch.cat(rows) / (lengths[0] * lengths[1]).clamp_min(1e-30)
        return torch.where((lengths[0] == 0) & (lengths[1] == 0), 1.0, value).clamp(-1.0, 1.0)


def quality(values: Tensor, relevance: float) -> Tensor:
    """Returns how good frames are for a DPP, in [0.1, 1], from their scores `(T,)`.

    Scores are stretched to that range, so that any scale serves, and no frame is worth nothing.
    `relevance` is an exponent: 0 makes all frames equally good.
    """
    low, high = values.amin(), values.amax()
    scaled = (values - low) / (high - low) if bool(high > low) else torch.ones_like(values)
    return (0.1 + 0.9 * scaled).pow(relevance)


def _usual_distance(vectors: Tensor) -> float:
    """Returns the median squared distance of unit vectors over pairs from all over the video."""
    total = len(vectors)
    if total < 2:
        return 0.0
    number = torch.arange(PAIRS)
    first = number * total // PAIRS
    apart = 1 + (number * 7919) % (total - 1)  # all distances, without a random state
    second = (first + apart) % total
    return float((2 - 2 * _pairs(vectors[first], vectors[second])).median())

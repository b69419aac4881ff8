"""A stream of frames each of which gives up what it repeats as soon as it arrives."""

from __future__ import annotations

import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._stream import MinuteBudget, StreamFrame
from framesift.types.streamed import StreamedTokens


class ChangedPatches:
    """Drops patches that look as they did when they were last kept.

    The rule is that of TimeChat-Online, https://arxiv.org/abs/2504.17343, which compares with the
    frame before and so never sees a slow change.
    """

    def __init__(self, threshold: float, minute: MinuteBudget | None) -> None:
        """Takes the rule.

        Args:
            threshold: cosine similarity above which a patch is dropped.
            minute: what any 60 seconds have room for; None for no limit.
        """
        self._threshold = threshold
        self._minute = minute
        self._last: Tensor | None = None
        """The last kept token of each place, float32 `(N, D)`."""
        self._seen: Tensor | None = None
        """Places of which a token was kept, bool `(N,)`."""

    def push(self, frame: StreamFrame) -> StreamedTokens:
        """Returns the kept tokens of the next frame."""
        current, live = frame.features.detach().float(), frame.live
        if self._last is None or self._seen is None:
            last, seen = torch.zeros_like(current), torch.zeros_like(current[:, 0]).bool()
        else:
            last, seen = self._last, self._seen
        similarity = _ops.similarity(current, last)
        new = ~seen if live is None else live & ~seen
        changed = similarity <= torch.full_like(similarity[0], self._threshold)
        kept = new | (changed if live is None else live & changed)
        if self._minute is not None:
            left = self._minute.left(frame.pts_seconds)
            likeness = torch.where(new, _ops.similarity_to_mean(current), similarity)
            kept = _ops.top(-likeness, kept, -(-left // 2))
        self._last, self._seen = torch.where(kept[:, None], current, last), seen | kept
        patches = kept.nonzero().flatten()
        if self._minute is not None:
            self._minute.spend(frame.pts_seconds, len(patches))
        return StreamedTokens(
            features=frame.features[patches],
            patches=patches,
            pts_seconds=frame.pts_seconds,
            frame=frame.number,
        )

    def finish(self) -> None:
        """Returns no tokens: each frame gave its own at once."""

"""`LastKept` as one kernel: a program for each place and threshold, with the loop over time inside.

It is imported where it is used, as it needs Triton, which comes with builds of torch for CUDA.
"""

# Triton takes annotations of a kernel for its own.
# ruff: noqa: ANN001

from __future__ import annotations

from contextlib import nullcontext

import torch
import triton
import triton.language as tl
from torch import Tensor

from framesift.strategies._last_kept import LastKept

MOST_CHANNELS = 2**14
"""Channels of a token that one program holds; wider ones go the way without Triton."""


class LastKeptByKernel(LastKept):
    """The tokens of a video that a threshold keeps, searched by one kernel on the GPU."""

    def __init__(self, features: Tensor, live: Tensor, length: Tensor) -> None:
        self._features = features if features.stride(2) == 1 else features.contiguous()
        self._live, self._length = live.byte().contiguous(), length.contiguous()

    def counts(self, thresholds: Tensor) -> Tensor:
        """Returns how many tokens are kept by each of `thresholds` `(K,)`, int64 `(K,)`."""
        return self._run(thresholds, store=False)[0].sum(1)

    def kept(self, threshold: Tensor) -> Tensor:
        """Returns the tokens that are kept by `threshold` `()`, bool `(T, N)`."""
        return self._run(threshold[None], store=True)[1] > 0

    def _run(self, thresholds: Tensor, *, store: bool) -> tuple[Tensor, Tensor]:
        """Returns counts of each place, int32 `(K, N)`, and what is kept, uint8 `(T, N)`."""
        features, live = self._features, self._live
        frames, patches, channels = features.shape
        counts = torch.empty(len(thresholds), patches, dtype=torch.int32, device=features.device)
        kept = torch.empty_like(live) if store else live
        width = triton.next_power_of_2(channels)
        here = torch.cuda.device(features.device) if features.is_cuda else nullcontext()
        with here:
            _scan[(patches * len(thresholds),)](
                features,
                live,
                self._length,
                thresholds,
                counts,
                kept,
                frames,
                patches,
                channels,
                features.stride(0),
                features.stride(1),
                len(thresholds),
                width=width,
                store=store,
                num_warps=min(8, max(1, width // 256)),
                # Fused, a product would not be rounded as everywhere else.
                enable_fp_fusion=False,
            )
        return counts, kept


@triton.jit(do_not_specialize=["frames"])  # type: ignore[untyped-decorator]
def _scan(  # type: ignore[no-untyped-def]
    features,
    live,
    length,
    limits,
    counts,
    kept,
    frames,
    patches,
    channels,
    frame_stride,
    place_stride,
    searches,
    width: tl.constexpr,
    store: tl.constexpr,
) -> None:
    """Writes what one threshold keeps of one place; programs of a place stand side by side."""
    place, which = tl.program_id(0) // searches, tl.program_id(0) % searches
    limit = tl.load(limits + which)
    channel = tl.arange(0, width)
    row = features + place.to(tl.int64) * place_stride + channel
    cell = place.to(tl.int64)
    last = tl.zeros((width,), tl.float32)
    last_length = 0.0
    million = tl.full((), 1e6, tl.float32)
    count = 0
    following = tl.load(row, mask=channel < channels, other=0.0).to(tl.float32)
    for frame in range(frames):
        current = following
        row += frame_stride
        # The next token is on its way while this one is compared.
        more = tl.where(frame + 1 < frames, channels, 0)
        following = tl.load(row, mask=channel < more, other=0.0).to(tl.float32)
        own = tl.load(length + cell)
        alive = tl.load(live + cell) != 0
        alike = tl.div_rn(tl.sum(current * last, 0), tl.maximum(own * last_length, 1e-30))
        alike = tl.where((own == 0.0) & (last_length == 0.0), 1.0, alike)
        # To the nearest whole number, halves to the even one.
        parts = alike * 1e6
        nearest = tl.floor(parts + 0.5)
        is_odd = nearest - 2.0 * tl.floor(nearest * 0.5) == 1.0
        nearest = tl.where((nearest - parts == 0.5) & is_odd, nearest - 1.0, nearest)
        alike = tl.minimum(tl.div_rn(nearest, million), 1.0)
        stays = alive & ((count == 0) | (alike <= limit))
        last = tl.where(stays, current, last)
        last_length = tl.where(stays, own, last_length)
        count += stays.to(tl.int32)
        if store:
            tl.store(kept + cell, stays.to(tl.uint8))
        cell += patches
    tl.store(counts + which * patches + place, count)

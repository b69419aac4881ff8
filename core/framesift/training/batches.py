"""Which samples make each batch, and which ones only measure: it follows from a seed alone."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Final

POOL_BATCHES: Final = 32
"""Batches whose samples are sorted by their length before they are cut apart."""


def planned_batches(
    pool: Sequence[int],
    *,
    size: int,
    epochs: float,
    length: Callable[[int], int],
    rng: random.Random,
) -> list[list[int]]:
    """Returns batches of samples of about the same length.

    Args:
        pool: numbers of the samples.
        size: samples of a batch.
        epochs: how often each of them comes.
        length: of the sample of a number.
        rng: what draws.
    """
    wanted = max(1, round(epochs * len(pool) / size))
    drawn: list[int] = []
    while len(drawn) < wanted * size:
        drawn += rng.sample(pool, len(pool))
    batches = []
    for start in range(0, wanted * size, size * POOL_BATCHES):
        part = drawn[start : min(wanted * size, start + size * POOL_BATCHES)]
        part.sort(key=length)
        cut = [part[i : i + size] for i in range(0, len(part), size)]
        rng.shuffle(cut)
        batches += cut
    return batches


def is_held_out(video: str, share: float, seed: int) -> bool:
    """Returns whether a video measures the network instead of training it: always the same ones."""
    digest = hashlib.sha256(f"{seed} {video}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64

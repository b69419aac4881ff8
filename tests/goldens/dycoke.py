"""DyCoke's token stage as published: pairs of neighbours first, then pairs of pairs."""

import numpy as np

from goldens.videos import cosine


def dycoke(features, kept_each, *, last_group):
    """Returns the tokens kept of features `(T, N, D)`, by frame.

    Args:
        features: `(T, N, D)`, an even number of frames.
        kept_each: tokens kept of each frame that is not whole.
        last_group: whether the second stage reaches the last group, which the original leaves out.
    """
    frames, patches, _ = features.shape
    kept = {t: list(range(patches)) for t in range(frames)}
    for t in range(0, frames - 1, 2):
        kept[t + 1] = _least_similar(features[t], features[t + 1], kept_each)
    for t in range(0, frames - (2 if last_group else 4), 4):
        kept[t + 2] = _least_similar(features[t], features[t + 2], kept_each)
    return kept


def _least_similar(first, second, count):
    alike = [cosine(a, b) for a, b in zip(first, second, strict=True)]
    return sorted(np.argsort(alike, kind="stable")[:count].tolist())

"""HoliTom's stage before the LLM, one place and one frame at a time."""

import numpy as np

from goldens.dpc_knn import dpc_knn
from goldens.merged import parts
from goldens.videos import cosine


def segmented(features, threshold):
    """Returns the segments `(first, last)` in time order, and the tokens that they save."""
    frames, patches, _ = features.shape
    alike = [
        [cosine(features[t, p], features[t + 1, p]) for p in range(patches)]
        for t in range(frames - 1)
    ]

    def gain(s, e):
        return (e - s) * sum(
            all(alike[t][p] > threshold for t in range(s, e)) for p in range(patches)
        )

    best, width = [0, 0], [0, 1]
    for i in range(2, frames + 1):
        best.append(best[i - 1])
        width.append(1)
        for w in range(2, i + 1):
            saved = best[i - w] + gain(i - w, i - 1)
            if saved > best[i]:
                best[i], width[i] = saved, w
    segments, i = [], frames
    while i:
        segments.append((i - width[i], i - 1))
        i -= width[i]
    stills = [
        [p for p in range(patches) if s < e and all(alike[t][p] > threshold for t in range(s, e))]
        for s, e in reversed(segments)
    ]
    return list(zip(reversed(segments), stills, strict=True)), best[frames]


def merged(points, inputs, chosen, count, neighbors, beta):
    """Returns `count` centres of the `chosen` points, each blended with its cluster."""
    centers, nearest = dpc_knn(points[chosen], count, neighbors)
    out = []
    for center in centers:
        others = [i for i in range(len(chosen)) if nearest[i] == center and i != center]
        value = points[chosen[center]]
        if others:
            value = beta * value + (1 - beta) * np.mean([points[chosen[i]] for i in others], axis=0)
        out.append(([t for i in [center, *others] for t in inputs[chosen[i]]], value))
    return out


def holitom(features, attention, budget, threshold=0.8, beta=0.6, contextual=0.0, neighbors=7):
    """Returns the outputs with their inputs; the budget is shared exactly, not rounded up.

    Args:
        features: `(T, N, D)`.
        attention: `(T, N)`.
        budget: tokens in all, at most what the segments leave at `threshold`.
        threshold: similarity above which a place stands still.
        beta: weight of a centre.
        contextual: share of a frame's moving tokens that is merged.
        neighbors: neighbours of DPC-KNN.
    """
    _, patches, _ = features.shape
    segments, _ = segmented(features, threshold)
    groups = []
    for (s, e), still in segments:
        frames = range(s, e + 1)
        if still:
            points = np.array([np.mean([features[t, p] for t in frames], axis=0) for p in still])
            groups.append((None, points, [[t * patches + p for t in frames] for p in still]))
        for t in frames:
            moving = [p for p in range(patches) if p not in still]
            if moving:
                groups.append(
                    (attention[t, moving], features[t, moving], [[t * patches + p] for p in moving])
                )
    out = []
    counts = parts([len(points) for _, points, _ in groups], budget)
    for (score, points, inputs), count in zip(groups, counts, strict=True):
        if not count:
            continue
        centers, chosen = count, list(range(len(points)))
        if score is not None:
            centers = int(contextual * count + 0.5)
            ranked = sorted(chosen, key=lambda i: (-score[i], i))
            out += [(inputs[i], points[i]) for i in ranked[: count - centers]]
            chosen = sorted(ranked[count - centers :])
        if centers:
            out += merged(points, inputs, chosen, centers, neighbors, beta)
    return out

"""FastVID's dynamic segments and density pruning, one anchor and one token at a time."""

from itertools import pairwise

import numpy as np

from goldens.dpc_knn import dpc_knn
from goldens.merged import parts
from goldens.videos import cosine


def cut(frame_features, least, threshold):
    """Returns the frames of each segment."""
    alike = [cosine(a, b) for a, b in pairwise(frame_features)]
    lowest = sorted(range(len(alike)), key=lambda t: (alike[t], t))[: least - 1]
    cuts = sorted({*lowest, *(t for t, value in enumerate(alike) if value < threshold)})
    edges = [0, *(t + 1 for t in cuts), len(frame_features)]
    return [list(range(a, b)) for a, b in pairwise(edges)]


def fastvid(features, attention, budgets, *, segments=8, threshold=0.9, context=0.4, step=4):
    """Returns the outputs with their inputs, where every anchor has room for its centres.

    Args:
        features: `(T, N, D)`.
        attention: `(T, N)`.
        budgets: tokens of each frame.
        segments: least number of segments.
        threshold: similarity of frames below which there is a cut.
        context: part of the budget that is merged.
        step: frames from one anchor to the next.
    """
    patches = features.shape[1]
    out = []
    for frames in cut(features.mean(axis=1), segments, threshold):
        others, centers = {}, 0
        for t in frames:
            merged = int(budgets[t] * context)
            centers += merged
            ranked = sorted(range(patches), key=lambda p: (-attention[t, p], p))
            salient = ranked[: budgets[t] - merged]
            out += [([t * patches + p], features[t, p]) for p in salient]
            others[t] = [p for p in range(patches) if p not in salient]
        anchors = sorted(frames[::-1][::step])
        for t, count in zip(anchors, parts([1] * len(anchors), centers), strict=True):
            if count:
                out += condensed(features, others, t, count)
    return out


def condensed(features, others, anchor, count, neighbors=4, beta=0.6):
    """Returns the centres of one anchor, each blended with what it takes in of the segment."""
    patches = features.shape[1]
    own = others[anchor]
    chosen, _ = dpc_knn(features[anchor, own], count, neighbors)
    centers = [(anchor, own[i]) for i in chosen]
    taken = {center: [] for center in centers}
    for t, places in others.items():
        for p in places:
            if (t, p) not in centers:
                value = features[t, p]
                best = max(centers, key=lambda c: (cosine(value, features[c]), -c[1]))
                taken[best].append((t, p))
    out = []
    for center, members in taken.items():
        value = features[center]
        if members:
            weight = max(beta, 1 / (1 + len(members)))
            mean = np.mean([features[member] for member in members], axis=0)
            value = weight * value + (1 - weight) * mean
        out.append(([t * patches + p for t, p in [center, *members]], value))
    return out

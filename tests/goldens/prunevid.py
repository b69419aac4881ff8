"""PruneVid's stage before the LLM, one pair of frames at a time."""

from itertools import combinations, groupby

import numpy as np

from goldens.dpc_knn import dpc_knn
from goldens.videos import cosine


def frame_segments(features, clusters):
    """Returns the frames of each segment, in time order."""
    means = features.mean(axis=1)
    _, labels = dpc_knn(means, clusters, 7)
    return refined(labels)


def refined(labels):
    """Returns the frames of each segment, once every frame has the label of a run that stays.

    Of each label the longest runs stay, of two frames at least. A frame between two of them takes
    the label of the longer one, as long as it has grown by then, and that of the left one on a tie.
    """
    runs = [[t for t, _ in run] for _, run in groupby(enumerate(labels), key=lambda pair: pair[1])]
    longest = {
        label: max(len(run) for run in runs if labels[run[0]] == label) for label in set(labels)
    }
    kept = [run for run in runs if len(run) == longest[labels[run[0]]] and len(run) > 1]
    if not kept:
        return [list(range(len(labels)))]
    given = [None] * len(labels)
    for run in kept:
        for t in run:
            given[t] = labels[t]
    for t, own in enumerate(given):
        if own is None:
            left = next((u for u in range(t - 1, -1, -1) if given[u] is not None), None)
            right = next((u for u in range(t + 1, len(given)) if given[u] is not None), None)
            sides = [u for u in (left, right) if u is not None]
            given[t] = given[max(sides, key=lambda u: _length(given, u))]
    return [[t for t, _ in run] for _, run in groupby(enumerate(given), key=lambda pair: pair[1])]


def _length(given, place):
    """Returns how long the run of equal labels around a place is."""
    start = stop = place
    while start > 0 and given[start - 1] == given[place]:
        start -= 1
    while stop + 1 < len(given) and given[stop + 1] == given[place]:
        stop += 1
    return stop - start + 1


def groups(features, segments, threshold):
    """Returns the points of the still and the moving groups in time order, with their inputs."""
    _, patches, _ = features.shape
    out = []
    for frames in segments:
        still = []
        for p in range(patches):
            pairs = [cosine(features[a, p], features[b, p]) for a, b in combinations(frames, 2)]
            if pairs and round(float(np.mean(pairs)), 6) > threshold:
                still.append(p)
        if still:
            points = np.array([features[frames, p].mean(axis=0) for p in still])
            out.append((points, [[t * patches + p for t in frames] for p in still]))
        moving = [p for p in range(patches) if p not in still]
        if moving:
            out += [(features[t, moving], [[t * patches + p] for p in moving]) for t in frames]
    return out


def prunevid(found, counts, neighbors=7):
    """Returns the mean of each cluster with its inputs.

    Args:
        found: what `groups` returns.
        counts: clusters of each group.
        neighbors: neighbours of DPC-KNN.
    """
    out = []
    for (points, inputs), count in zip(found, counts, strict=True):
        if count:
            centers, nearest = dpc_knn(points, count, neighbors)
            for center in centers:
                members = [i for i in range(len(points)) if nearest[i] == center]
                out.append(([t for i in members for t in inputs[i]], points[members].mean(axis=0)))
    return out

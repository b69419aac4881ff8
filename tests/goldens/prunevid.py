"""PruneVid's stage before the LLM, one pair of frames at a time."""

from itertools import combinations

import numpy as np

from goldens.dpc_knn import dpc_knn
from goldens.videos import cosine


def frame_segments(features, clusters):
    """Returns the frames of each segment, in time order."""
    means = features.mean(axis=1)
    _, labels = dpc_knn(means, clusters, 7)
    return refined(labels)


def refined(labels):
    """Returns the runs that stay when each label keeps its longest one, of two frames at least."""
    runs = []
    for t, label in enumerate(labels):
        if runs and runs[-1][0] == label:
            runs[-1][1].append(t)
        else:
            runs.append((label, [t]))
    stays = []
    for label, run in runs:
        lengths = [len(other) for name, other in runs if name == label]
        first = next(other for name, other in runs if name == label and len(other) == max(lengths))
        stays.append(run is first and len(run) > 1)
    kept = [run for (_, run), stay in zip(runs, stays, strict=True) if stay]
    if not kept:
        return [list(range(len(labels)))]
    grown = [list(run) for run in kept]
    for (_, run), stay in zip(runs, stays, strict=True):
        if not stay:
            before = [i for i, own in enumerate(kept) if own[0] < run[0]][-1:]
            after = [i for i, own in enumerate(kept) if own[0] > run[0]][:1]
            grown[max(before + after, key=lambda i: (len(kept[i]), -i))] += run
    return [sorted(run) for run in grown]


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


def prunevid(found, counts, neighbors=5):
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

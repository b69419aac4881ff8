"""EVS as served: one sort of the distances to the frame before."""

import numpy as np

from goldens.videos import cosine


def evs(features, rate):
    """Returns the tokens kept at a pruning `rate`, in order, of features `(T, N, D)`."""
    frames, patches, _ = features.shape
    distance = np.full((frames, patches), 255.0)
    for t in range(1, frames):
        for n in range(patches):
            distance[t, n] = 1 - cosine(features[t, n], features[t - 1, n])
    count = max(patches, int(frames * patches * (1 - rate)))
    return sorted(np.argsort(-distance.flatten(), kind="stable")[:count].tolist())

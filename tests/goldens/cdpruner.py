"""CDPruner as a determinant: the set grows by the token that makes its determinant largest."""

import numpy as np


def cdpruner(features, similarity, count):
    """Returns the `count` tokens chosen, in order, by determinants of the whole video's kernel.

    Args:
        features: `(T, N, D)`.
        similarity: of each token to the question `(T, N)`.
        count: tokens to choose, while the kernel has that rank.
    """
    frames, patches, _ = features.shape
    relevance = (similarity - similarity.min()) / (similarity.max() - similarity.min())
    kernel = np.zeros((frames * patches, frames * patches))
    for frame in range(frames):
        unit = features[frame] / np.linalg.norm(features[frame], axis=1, keepdims=True)
        block = slice(frame * patches, (frame + 1) * patches)
        kernel[block, block] = np.outer(relevance[frame], relevance[frame]) * (unit @ unit.T)
    chosen = []
    for _ in range(count):
        best, largest = None, -np.inf
        for token in range(frames * patches):
            if token in chosen:
                continue
            inside = [*chosen, token]
            sign, log = np.linalg.slogdet(kernel[np.ix_(inside, inside)])
            if sign > 0 and log > largest + 1e-9:
                best, largest = token, log
        chosen.append(best)
    return chosen

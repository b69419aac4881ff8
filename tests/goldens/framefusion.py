"""FrameFusion's merge stage, one token at a time."""

import numpy as np

from goldens.videos import cosine


def framefusion(features, budget, threshold=0.6):
    """Returns the merged tokens as `{input: weight}`, while places suffice for the budget.

    Args:
        features: `(T, N, D)`.
        budget: tokens to end with, at least N.
        threshold: similarity from which tokens merge in a round.
    """
    frames, patches, _ = features.shape
    columns = [
        [(features[t, n], {t * patches + n: 1.0}) for t in range(frames)] for n in range(patches)
    ]
    while True:
        total = sum(map(len, columns))
        likeness = {
            (n, i): cosine(column[i][0], column[i - 1][0])
            for n, column in enumerate(columns)
            for i in range(1, len(column))
        }
        mergeable = [key for key, value in likeness.items() if value >= threshold]
        last = len(mergeable) >= total - budget or len(mergeable) < 0.1 * total
        if last:
            first_input = {key: min(columns[key[0]][key[1]][1]) for key in likeness}
            ranked = sorted(likeness, key=lambda key: (-likeness[key], -first_input[key]))
            mergeable = ranked[: total - budget]
        columns = [
            _folded(column, {i for m, i in mergeable if m == n}) for n, column in enumerate(columns)
        ]
        if last:
            return [weights for column in columns for _, weights in column]


def _folded(column, mergeable):
    runs = []
    for i, token in enumerate(column):
        if i in mergeable:
            runs[-1].append(token)
        else:
            runs.append([token])
    return [
        (
            np.mean([vector for vector, _ in run], axis=0),
            {key: w / len(run) for _, weights in run for key, w in weights.items()},
        )
        for run in runs
    ]

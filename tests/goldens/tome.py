"""Bipartite merging with sizes, one pair at a time."""

import numpy as np

from goldens.videos import cosine


def tome(points, count):
    """Returns the groups, as sets of inputs, that `count` tokens of `points` `(n, D)` stand for."""
    tokens = [(point, 1, {index}) for index, point in enumerate(points)]
    while len(tokens) > count:
        pairs = []
        for a in range(0, len(tokens), 2):
            alike = [cosine(tokens[a][0], tokens[b][0]) for b in range(1, len(tokens), 2)]
            b = int(np.argmax(alike))
            pairs.append((-alike[b], a, 2 * b + 1))
        pairs = sorted(pairs)[: min(len(tokens) - count, len(tokens) // 2)]
        for _, a, b in pairs:
            (x, size, inputs), (y, other, others) = tokens[a], tokens[b]
            both = size + other
            tokens[b] = ((size * x + other * y) / both, both, inputs | others)
        gone = {a for _, a, _ in pairs}
        tokens = [token for index, token in enumerate(tokens) if index not in gone]
    return [inputs for _, _, inputs in tokens]

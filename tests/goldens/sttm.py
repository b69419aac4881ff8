"""STTM with two thresholds: quadtrees by recursion, joins over time by a search."""

import numpy as np

from goldens.videos import cosine


def sttm(features, grid, spatial, temporal):
    """Returns the outputs as sets of inputs.

    Args:
        features: `(T, N, D)`.
        grid: rows and columns of patches.
        spatial: similarity of every quarter to its square, from which a square stays whole.
        temporal: similarity from which squares of neighbouring frames are joined.
    """
    height, width = grid
    side = 1
    while side < max(grid):
        side *= 2
    nodes = []
    for frame, tokens in enumerate(features):
        picture = tokens.reshape(height, width, -1)
        nodes += [(frame, box) for box in _squares(picture, (0, 0, side), spatial)]
    means = [_mean(features[frame].reshape(height, width, -1), box) for frame, box in nodes]
    groups = [{n} for n in range(len(nodes))]
    for a, (frame, box) in enumerate(nodes):
        for b, (other_frame, other) in enumerate(nodes):
            near = other_frame == frame + 1 and (_holds(box, other) or _holds(other, box))
            if near and groups[a] is not groups[b] and cosine(means[a], means[b]) >= temporal:
                groups[a] |= groups[b]
                for member in groups[b]:
                    groups[member] = groups[a]
    return {
        frozenset(
            nodes[n][0] * height * width + y * width + x
            for n in group
            for y, x in _patches(nodes[n][1], height, width)
        )
        for group in groups
    }


def _squares(picture, box, spatial):
    """Returns the squares that a square ends up in."""
    y, x, side = box
    if side == 1:
        return [box]
    half = side // 2
    quarters = [(y, x, half), (y, x + half, half), (y + half, x, half), (y + half, x + half, half)]
    quarters = [q for q in quarters if _patches(q, *picture.shape[:2])]
    whole = _mean(picture, box)
    if all(cosine(_mean(picture, q), whole) >= spatial for q in quarters):
        return [box]
    return [square for q in quarters for square in _squares(picture, q, spatial)]


def _patches(box, height, width):
    y, x, side = box
    return [
        (row, column)
        for row in range(y, min(y + side, height))
        for column in range(x, min(x + side, width))
    ]


def _mean(picture, box):
    return np.mean([picture[at] for at in _patches(box, *picture.shape[:2])], axis=0)


def _holds(outer, inner):
    return all(
        start <= at and at + inner[2] <= start + outer[2]
        for start, at in zip(outer[:2], inner[:2], strict=True)
    )

"""STTM with two thresholds: quadtrees by recursion, joins over time by a search."""

import numpy as np

from goldens.videos import cosine


def sttm(features, grid, spatial, temporal, root_level=1):
    """Returns the outputs as sets of inputs.

    Args:
        features: `(T, N, D)`.
        grid: rows and columns of patches.
        spatial: similarity of every quarter to its square, from which a square stays whole.
        temporal: similarity from which squares of neighbouring frames are joined.
        root_level: levels that the largest squares lie below those that are two to a side.
    """
    height, width = grid
    pyramid = _pyramid(height, width)
    top = next(i for i, squares in enumerate(pyramid) if min(_sides(squares)) <= 2)
    pyramid = pyramid[: max(0, top - root_level) + 1]
    roots = pyramid.pop()
    nodes = []
    for frame, tokens in enumerate(features):
        picture = tokens.reshape(height, width, -1)
        nodes += [
            (frame, part) for box in roots for part in _squares(picture, pyramid, box, spatial)
        ]
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
            for y, x in _patches(nodes[n][1])
        )
        for group in groups
    }


def _pyramid(height, width):
    """Returns the boxes `(y0, x0, y1, x1)` of each level, from the patches to the whole picture."""
    rows = [(y, y + 1) for y in range(height)]
    columns = [(x, x + 1) for x in range(width)]
    levels = []
    while True:
        levels.append([(a, c, b, d) for a, b in rows for c, d in columns])
        if len(rows) == len(columns) == 1:
            return levels
        rows, columns = _paired(rows), _paired(columns)


def _paired(spans):
    """Returns neighbours in pairs, the first one alone where their number is odd."""
    alone = len(spans) % 2
    pairs = zip(spans[alone::2], spans[alone + 1 :: 2], strict=True)
    return spans[:alone] + [(start, stop) for (start, _), (_, stop) in pairs]


def _sides(boxes):
    return len({box[0] for box in boxes}), len({box[1] for box in boxes})


def _squares(picture, finer, box, spatial):
    """Returns the squares that a square ends up in.

    One that is its own and only quarter is like it and stays: so does the corner of an odd level.
    """
    quarters = [own for own in finer[-1] if _holds(box, own)] if finer else []
    whole = _mean(picture, box)
    if all(cosine(_mean(picture, q), whole) >= spatial for q in quarters):
        return [box]
    return [square for q in quarters for square in _squares(picture, finer[:-1], q, spatial)]


def _patches(box):
    return [(row, column) for row in range(box[0], box[2]) for column in range(box[1], box[3])]


def _mean(picture, box):
    return np.mean([picture[at] for at in _patches(box)], axis=0)


def _holds(outer, inner):
    return all(outer[i] <= inner[i] and inner[i + 2] <= outer[i + 2] for i in range(2))

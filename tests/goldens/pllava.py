"""Adaptive average pooling over time, rows and columns, window by window."""

import numpy as np


def pllava(features, grid, layout):
    """Returns the pooled tokens `(t * h * w, D)` of features `(T, N, D)`."""
    video = features.reshape(len(features), *grid, -1)
    sizes = video.shape[:3]
    windows = (
        tuple(
            _place(index, size, count)
            for index, size, count in zip(cell, sizes, layout, strict=True)
        )
        for cell in np.ndindex(layout)
    )
    return np.stack([video[window].mean(axis=(0, 1, 2)) for window in windows])


def _place(index, size, count):
    """Returns the inputs of one output along an axis, as adaptive pooling defines them."""
    return slice(int(np.floor(index * size / count)), int(np.ceil((index + 1) * size / count)))

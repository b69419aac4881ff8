"""Small videos of known statistics, on which methods are compared with their transcriptions."""

import numpy as np
import torch

from framesift.types.tokens import Signals, VideoTokens

CHANNELS = 24
KINDS = ["clustered", "random", "drifting"]


def clustered(rng, frames, height, width):
    """Squares of a few kinds of content that change place at a cut, with a little noise."""
    kinds = rng.normal(size=(5, CHANNELS))
    maps = rng.integers(0, 5, (2, (height + 1) // 2, (width + 1) // 2))
    shown = maps.repeat(2, 1).repeat(2, 2)[:, :height, :width].reshape(2, -1)
    scene = np.arange(frames) * 2 // frames
    return kinds[shown[scene]] + 0.15 * rng.normal(size=(frames, height * width, CHANNELS))


def random(rng, frames, height, width):
    """Tokens that have nothing to do with each other."""
    return rng.normal(size=(frames, height * width, CHANNELS))


def drifting(rng, frames, height, width):
    """Places that turn slowly from one content to another, each at its own speed."""
    start, end = rng.normal(size=(2, height * width, CHANNELS))
    turned = np.linspace(0, 1, frames)[:, None, None] * rng.random((height * width, 1))
    return (1 - turned) * start + turned * end


def video(kind, *, frames=6, height=4, width=4, seed=0):
    """Returns the tokens of one kind, with random signals."""
    rng = np.random.default_rng(seed)
    features = globals()[kind](rng, frames, height, width)
    shape = (frames, height * width)
    return VideoTokens(
        features=torch.from_numpy(features).float(),
        grid=(height, width),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(
            attention=torch.from_numpy(rng.random(shape)),
            edge_density=torch.from_numpy(rng.random(shape)),
            question_similarity=torch.from_numpy(rng.random(shape)),
            text=torch.from_numpy(rng.random(shape).round(1)),
        ),
    )


def cosine(a, b):
    """Returns the cosine of two vectors to six digits, 0 where one of them is zero."""
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return round(float(a @ b / length), 6) if length else 0.0


def rows(plan):
    """Returns the outputs of a plan, each as its inputs and their weights."""
    found = [{} for _ in range(plan.num_out)]
    for row, token, weight in zip(
        *(part.tolist() for part in (plan.dst, plan.src, plan.weight)), strict=True
    ):
        found[row][token] = weight
    return found

"""Strokes are counted on a device as on the CPU, to the bit."""

import cv2
import numpy as np
import pytest
import torch

from framesift.encoders.edges import edge_density, edge_density_on
from framesift.testing.stand_in import DEVICE, stand_in


def pictures(count, size, kind):
    """Returns noise, soft noise, or lines of text on a ground of many colours."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (count, *size, 3), dtype=np.uint8)
    if kind == "noise":
        return noise
    soft = np.stack([cv2.GaussianBlur(picture, (9, 9), 3) for picture in noise])
    for number, picture in enumerate(soft if kind == "text" else ()):
        for row in range(12, size[0], 20):
            where, font = (3 * number, row), cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(picture, "The quick brown fox", where, font, 0.4, (250, 240, 20))
    return soft


@pytest.mark.parametrize("kind", ["noise", "soft", "text"])
@pytest.mark.parametrize(
    ("size", "grid"),
    [((61, 97), (14, 14)), ((180, 320), (9, 5)), ((7, 5), (14, 14)), ((90, 31), (3, 1))],
)
def test_a_device_counts_the_same_strokes(size, grid, kind):
    images = pictures(9, size, kind)
    expected = edge_density(images, grid)
    assert kind != "text" or size[0] < 60 or 0.01 < expected.mean() < 0.9
    with stand_in() as seen:
        found = edge_density_on(DEVICE, images, grid)
        assert seen.waits.total() == 0
        assert torch.equal(found.cpu(), torch.from_numpy(expected))
    assert torch.equal(
        edge_density_on(torch.device("cpu"), images, grid), torch.from_numpy(expected)
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["noise", "text"])
def test_a_gpu_counts_the_same_strokes(kind):
    images = pictures(9, (180, 320), kind)
    found = edge_density_on(torch.device("cuda"), images, (14, 14))
    assert torch.equal(found.cpu(), torch.from_numpy(edge_density(images, (14, 14))))

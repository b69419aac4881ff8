import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool3d

from framesift.strategies.base import create_strategy
from goldens.pllava import pllava
from goldens.videos import KINDS, video

CASES = [((6, 6), 3 * 4, (3, 2, 2)), ((6, 6), 3 * 25, (3, 5, 5)), ((5, 7), 3 * 8, (3, 2, 4))]
SHORT = [((6, 6), 2, (2, 1, 1)), ((6, 6), 1, (1, 1, 1))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("grid", "budget", "layout"), [*CASES, *SHORT])
def test_tokens_are_the_means_of_adaptive_windows(kind, grid, budget, layout):
    tokens = video(kind, frames=3, height=grid[0], width=grid[1])
    plan = create_strategy("pllava").plan(tokens, budget)
    found = plan.apply(tokens.features.double())
    expected = pllava(tokens.features.double().numpy(), grid, layout)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-6)
    block = tokens.features.double().movedim(-1, 0).reshape(-1, 3, *grid)
    pooled = adaptive_avg_pool3d(block, layout).flatten(1).T
    torch.testing.assert_close(found, pooled, rtol=0, atol=1e-6)

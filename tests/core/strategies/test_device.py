"""What never makes the host wait for a device, so that planning queues behind the encoder."""

import pytest
import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens

NAMES = ["evs", "vidcom2", "temporal", "temporal:threshold=0.9"]


def tokens_on(device, *, mask=None):
    features = torch.randn(9, 12, 32, generator=torch.Generator().manual_seed(0))
    return VideoTokens(
        features=features.to(device),
        grid=(3, 4),
        pts_seconds=torch.arange(9, dtype=torch.float64),
        mask=mask if mask is None else mask.to(device),
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("masked", [False, True])
def test_scores_need_no_value_on_the_host(name, masked):
    mask = torch.ones(9, 12, dtype=torch.bool) if masked else None
    tokens = tokens_on("meta", mask=mask)
    scores = create_strategy(name).score(tokens, 40)
    assert scores.shape == (9, 12)
    assert scores.device == tokens.features.device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_synchronise(name):
    tokens, strategy = tokens_on("cuda"), create_strategy(name)
    strategy.score(tokens, 40)
    torch.cuda.set_sync_debug_mode("error")
    try:
        strategy.score(tokens, 40)
    finally:
        torch.cuda.set_sync_debug_mode("default")

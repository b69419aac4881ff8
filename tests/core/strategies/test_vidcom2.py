import pytest
import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def tokens_of(features):
    return VideoTokens(
        features=features,
        grid=(1, features.shape[1]),
        pts_seconds=torch.arange(len(features), dtype=torch.float64),
    )


def scene(frames=6, patches=20, channels=32):
    generator = torch.Generator().manual_seed(0)
    still = torch.randn(1, patches, channels, generator=generator)
    return still + 0.05 * torch.randn(frames, patches, channels, generator=generator)


def counts(features, budget):
    return create_strategy("vidcom2").plan(tokens_of(features), budget).frame_counts().tolist()


def test_an_unusual_frame_gets_more_than_its_share():
    features = scene()
    features[4] = torch.randn(20, 32, generator=torch.Generator().manual_seed(9))
    found = counts(features, 30)
    assert found.pop(4) >= max(found) + 3


@pytest.mark.parametrize("budget", [6, 7, 40])
def test_no_frame_is_left_without_a_token_while_the_budget_allows(budget):
    assert min(counts(scene(), budget)) >= 1


def test_a_budget_below_the_frames_goes_to_the_least_common():
    features = 3 + scene()
    features[2, 7] *= -1
    features[5, 3] *= -1
    plan = create_strategy("vidcom2").plan(tokens_of(features), 2)
    assert plan.src.tolist() == [2 * 20 + 7, 5 * 20 + 3]


def test_no_frame_is_privileged_in_a_still_video():
    found = counts(scene(frames=1).expand(8, -1, -1), 40)
    assert found == [5] * 8


def test_the_most_varied_half_of_the_channels_does_not_count():
    features = scene()
    loud = features.clone()
    loud[..., ::2] += 100 * torch.randn(6, 20, 16, generator=torch.Generator().manual_seed(3))
    quiet = features.clone()
    quiet[..., ::2] = 100 * torch.randn(6, 20, 16, generator=torch.Generator().manual_seed(4))
    plans = [create_strategy("vidcom2").plan(tokens_of(each), 30) for each in (loud, quiet)]
    assert torch.equal(plans[0].src, plans[1].src)

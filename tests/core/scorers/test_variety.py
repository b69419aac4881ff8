import pytest
import torch

from framesift.scorers import registry
from framesift.scorers.candidates import GivenCandidates
from framesift.types.tokens import VideoTokens


def score(features):
    times = torch.arange(len(features), dtype=torch.float64)
    tokens = VideoTokens(features=features, grid=(1, features.shape[1]), pts_seconds=times)
    given = GivenCandidates(pts_seconds=times, given_tokens=tokens)
    return registry.create("variety").score(given).values.tolist()


def test_variety_is_the_mean_distance_of_patches():
    plain, varied = torch.eye(4)[[0, 0, 0, 0]], torch.eye(4)
    half = torch.eye(4)[[0, 0, 1, 1]]
    assert score(torch.stack([plain, varied, half])) == pytest.approx([0.0, 1.0, 4 / 6])


def test_one_patch_alone_and_black_frames_are_worth_nothing():
    assert score(torch.ones(2, 1, 4)) == [0.0, 0.0]
    assert score(torch.zeros(2, 3, 4)) == [0.0, 0.0]

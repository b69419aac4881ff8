from dataclasses import replace

import pytest
import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens

CDPRUNER = create_strategy("cdpruner")


def tokens_of(features, similarity):
    return VideoTokens(
        features=features,
        grid=(1, features.shape[1]),
        pts_seconds=torch.arange(len(features), dtype=torch.float64),
        signals=Signals(question_similarity=similarity),
    )


def test_a_frame_that_answers_the_question_gets_more_of_the_budget():
    features = torch.randn(4, 12, 32, generator=torch.Generator().manual_seed(0))
    similarity = torch.full((4, 12), 0.3)
    similarity[2] = 0.9
    similarity[0, 0] = 0.0
    counts = CDPRUNER.plan(tokens_of(features, similarity), 12).frame_counts()
    assert counts.tolist() == [0, 0, 12, 0]


def test_duplicates_wait_until_all_different_tokens_are_chosen():
    features = torch.eye(3)[[0, 0, 1, 1, 2, 2]][None]
    similarity = torch.tensor([[0.9, 0.9, 0.8, 0.8, 0.2, 0.2]])
    plans = [CDPRUNER.plan(tokens_of(features, similarity), budget) for budget in (2, 3, 4, 5)]
    assert [plan.src.tolist() for plan in plans] == [
        [0, 2],
        [0, 2, 4],
        [0, 1, 2, 4],
        [0, 1, 2, 3, 4],
    ]


def test_more_tokens_than_channels_are_ranked_without_noise():
    features = torch.randn(2, 40, 5, generator=torch.Generator().manual_seed(1))
    similarity = torch.rand(2, 40, generator=torch.Generator().manual_seed(2))
    tokens = tokens_of(features, similarity)
    shuffled = replace(tokens, features=features[..., [3, 0, 4, 1, 2]])
    for budget in (8, 25, 60):
        assert CDPRUNER.plan(tokens, budget).src.equal(CDPRUNER.plan(shuffled, budget).src)


@pytest.mark.parametrize("channels", [3, 32])
@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_stopping_early_chooses_what_going_on_to_the_end_does(channels, spread):
    generator = torch.Generator().manual_seed(6)
    features = torch.randn(7, 30, channels, generator=generator)
    features[2, 10:], features[5] = features[2, :1], 0
    level = torch.rand(7, 1, generator=generator)
    similarity = level + spread * torch.rand(7, 30, generator=generator)
    tokens = tokens_of(features, similarity)
    mask = torch.rand(7, 30, generator=generator) < 0.7
    for video in (tokens, replace(tokens, mask=mask)):
        # With a budget of all tokens, each frame chooses to its end before any are compared.
        order = CDPRUNER.score(video, video.count).flatten().argsort(descending=True)
        order = order[video.live.flatten()[order]]
        for budget in (1, 2, 9, 40, 90, video.live_count):
            expected = sorted(order[:budget].tolist())
            assert CDPRUNER.plan(video, budget).src.tolist() == expected


def test_the_question_can_do_without_a_scale():
    features = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(3))
    similarity = torch.rand(2, 9, generator=torch.Generator().manual_seed(4))
    scales = similarity, 2 - similarity, similarity * 8 - 3
    plans = [CDPRUNER.plan(tokens_of(features, scaled), 7) for scaled in scales]
    assert plans[0].src.equal(plans[2].src)
    assert not plans[0].src.equal(plans[1].src)

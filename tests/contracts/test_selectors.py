"""Every frame selector, whatever its rule, keeps these promises."""

from itertools import product

import pytest
import torch

from framesift.errors import BudgetError
from framesift.progress import on_progress
from framesift.selectors import registry
from framesift.types.tokens import VideoTokens


@pytest.fixture(params=registry.names())
def selector(request):
    return registry.create(request.param)


def make_tokens(frames, *, still=False, seed=0):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(1, 9, 8, generator=generator)
    moving = torch.randn(frames, 9, 8, generator=generator)
    features = base.expand(frames, -1, -1) if still else moving
    return VideoTokens(
        features=features.contiguous(),
        grid=(3, 3),
        pts_seconds=torch.arange(frames, dtype=torch.float64) / 2,
    )


def select(selector, tokens, count):
    return selector.select(
        tokens.pts_seconds, tokens if selector.encoder is not None else None, count
    )


@pytest.mark.parametrize("still", [False, True])
def test_the_count_is_exact(selector, still):
    for frames, count in product((1, 2, 3, 10, 41), (1, 2, 3, 9)):
        selection = select(selector, make_tokens(frames, still=still), count)
        assert len(selection.indices) == min(count, frames), (frames, count)
        assert set(selection.indices) <= set(range(frames))
        assert all(selection.reasons)
        assert all(torch.tensor(selection.scores).isfinite())


def test_a_count_above_the_frames_says_so(selector):
    selection = select(selector, make_tokens(4), 9)
    assert selection.indices == (0, 1, 2, 3)
    assert "all 4 sampled frames" in selection.reasons[0]


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_an_error(selector, count):
    with pytest.raises(BudgetError, match="at least 1"):
        select(selector, make_tokens(4), count)


def test_deterministic(selector):
    tokens = make_tokens(30)
    assert select(selector, tokens, 7) == select(selector, tokens, 7)


def test_zero_features_and_half_precision(selector):
    tokens = make_tokens(12)
    features = tokens.features.half()
    features[3:6] = 0
    half = VideoTokens(features=features, grid=tokens.grid, pts_seconds=tokens.pts_seconds)
    assert len(select(selector, half, 5).indices) == 5


def test_spec_round_trip_and_class_facts(selector):
    assert registry.create(selector.spec) == selector
    assert selector.summary


def test_what_a_listener_raises_ends_a_selection_that_compares(selector):
    def refuse(progress):
        assert progress.stage == "select"
        raise KeyboardInterrupt

    if selector.encoder is not None:
        with pytest.raises(KeyboardInterrupt), on_progress(refuse):
            select(selector, make_tokens(600), 9)

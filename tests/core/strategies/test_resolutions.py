from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens


def video(frames, side=8, ranks=None, similarity=None, seed=0):
    draw = torch.Generator().manual_seed(seed)
    shape = frames, side * side
    signals = Signals(
        frame_rank=None if ranks is None else torch.tensor(ranks)[:, None].expand(shape),
        question_similarity=None
        if similarity is None
        else torch.tensor(similarity)[:, None].expand(shape),
    )
    return VideoTokens(
        features=torch.randn(*shape, 16, generator=draw),
        grid=(side, side),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=signals,
    )


def counts(spec, tokens, budget):
    return create_strategy(spec).plan(tokens, budget).frame_counts().tolist()


def test_forty_four_frames_take_the_budget_of_eight_as_q_frame_shares_it():
    ranks = [place * 5 % 44 for place in range(44)]  # 5 and 44 have no divisor in common
    found = counts("resolutions", video(44, ranks=ranks), 8 * 64)
    by_rank = [found[ranks.index(rank)] for rank in range(44)]
    assert by_rank == [64] * 4 + [16] * 8 + [4] * 32


def test_two_sizes_by_the_question_as_longvu_gives_them():
    near = [0.1, 0.4, 0.2, 0.9, 0.3, 0.0]
    spec = "resolutions:by=question,halvings=1,whole=1"
    assert counts(spec, video(6, similarity=near), 6 * 16 + 2 * 48) == [16, 64, 16, 64, 16, 16]
    assert create_strategy(spec).is_per_question
    assert not create_strategy("resolutions").is_per_question


@pytest.mark.parametrize("side", [1, 3, 7, 8])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("spec", ["resolutions", "resolutions:halvings=1", "resolutions:whole=0"])
def test_any_budget_is_met_exactly_and_earlier_ranks_get_no_less(side, masked, spec):
    ranks = [3, 0, 4, 1, 2]
    tokens = video(5, side=side, ranks=ranks)
    if masked:
        mask = torch.rand(5, side * side, generator=torch.Generator().manual_seed(1)) < 0.6
        mask[0, 0] = True
        tokens = replace(tokens, mask=mask)
    for budget in {*range(1, tokens.live_count, 9), tokens.live_count}:
        plan = create_strategy(spec).plan(tokens, budget)
        assert plan.num_out == budget
        assert not (plan.used & ~tokens.live.flatten()).any()
        if not masked:
            by_rank = [plan.frame_counts().tolist()[ranks.index(rank)] for rank in range(5)]
            assert by_rank == sorted(by_rank, reverse=True)


def test_nothing_of_a_shown_frame_is_lost():
    tokens = video(6, ranks=[5, 4, 3, 2, 1, 0])
    plan = create_strategy("resolutions").plan(tokens, 100)
    assert plan.used.all()
    assert len(plan.src) == tokens.count  # each patch in one cell


def test_cells_are_means_of_neighbouring_patches():
    tokens = video(1, side=4, ranks=[0])
    plan = create_strategy("resolutions:halvings=1").plan(tokens, 4)
    pooled = tokens.features.view(2, 2, 2, 2, 16).mean((1, 3)).view(4, 16)
    torch.testing.assert_close(plan.apply(tokens.features), pooled)


def test_too_small_a_budget_shows_only_the_first_ranks():
    assert counts("resolutions", video(5, ranks=[3, 0, 4, 1, 2]), 3) == [0, 1, 0, 1, 1]
    assert counts("resolutions", video(5, ranks=[3, 0, 4, 1, 2]), 5) == [1] * 5


def test_without_ranks_frames_spread_over_the_video_come_first():
    found = counts("resolutions", video(32), 32 * 4 + 4 * 60 + 10)
    full = [frame for frame, count in enumerate(found) if count == 64]
    assert len(full) >= 3
    assert min(b - a for a, b in pairwise(full)) >= 4

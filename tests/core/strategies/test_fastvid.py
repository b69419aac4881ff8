import itertools

import torch

from framesift.strategies.base import create_strategy
from framesift.strategies.fastvid import _divided
from framesift.types.tokens import Signals, VideoTokens


def test_a_segment_spends_its_budget_within_what_frames_hold():
    for sizes in itertools.product([0, 3, 9], repeat=5):
        for part, share, step in itertools.product([0.3, 0.8], [0, 0.4, 1], [1, 2, 4]):
            budgets = [int(part * size) for size in sizes]
            salient, context = _divided(sizes, budgets, share, step)
            assert sum(salient) + sum(context) == sum(budgets)
            assert all(a + b <= n for a, b, n in zip(salient, context, sizes, strict=True))
            anchors = range(4, -1, -step)
            assert all(not count or frame in anchors for frame, count in enumerate(context))


def test_each_anchor_takes_in_all_other_tokens_of_the_segment():
    generator = torch.Generator().manual_seed(0)
    attention = torch.rand(8, 10, generator=generator)
    tokens = VideoTokens(
        features=torch.randn(8, 10, 8, generator=generator),
        grid=(2, 5),
        pts_seconds=torch.arange(8, dtype=torch.float64),
        signals=Signals(attention=attention),
    )
    plan = create_strategy("fastvid:segments=1,threshold=-1").plan(tokens, 24)
    places = attention.topk(2).indices + 10 * torch.arange(8)[:, None]
    salient = torch.isin(plan.sources, places)
    assert int(salient.sum()) == 16
    assert torch.equal(torch.bincount(plan.dst)[salient], torch.ones(16, dtype=torch.int64))
    others = sorted(set(range(80)) - set(places.flatten().tolist()))
    for anchor in (3, 7):
        rows = (~salient & (plan.sources // 10 == anchor)).nonzero().flatten()
        assert len(rows) == 4
        assert sorted(plan.src[torch.isin(plan.dst, rows)].tolist()) == others

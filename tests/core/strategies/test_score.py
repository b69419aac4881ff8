import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens


def tokens_with(**signals):
    frames, patches = next(iter(signals.values())).shape
    return VideoTokens(
        features=torch.ones(frames, patches, 2),
        grid=(1, patches),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(**signals),
    )


def test_attention_keeps_the_highest_and_the_earlier_one_on_ties():
    tokens = tokens_with(attention=torch.tensor([[0.1, 0.5, 0.2], [0.5, 0.5, 0.0]]))
    assert create_strategy("attention").plan(tokens, 2).src.tolist() == [1, 3]


def test_attention_that_is_not_a_number_ranks_last():
    tokens = tokens_with(attention=torch.tensor([[float("nan"), 0.0, 0.1]]))
    assert create_strategy("attention").plan(tokens, 2).src.tolist() == [1, 2]


def test_protected_edges_take_their_share_of_the_budget():
    attention = torch.tensor([[9.0, 8.0, 7.0, 6.0, 0.0, 0.0, 0.0, 0.0]])
    edges = torch.tensor([[0.0, 0.0, 0.0, 0.0, 0.1, 0.9, 0.8, 0.1]])
    tokens = tokens_with(attention=attention, edge_density=edges)
    plan = create_strategy("protect-edges:strategy=attention").plan(tokens, 4)
    assert plan.src.tolist() == [0, 1, 5, 6]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_the_share_of_protected_edges_is_checked(share):
    with pytest.raises(InvalidOptionError, match=r"from 0 to 1 .*patches with the most edges"):
        create_strategy("protect-edges", share=share)


def test_random_follows_its_seed():
    tokens = tokens_with(attention=torch.zeros(4, 50))
    plans = [create_strategy(f"random:seed={seed}").plan(tokens, 60) for seed in (0, 0, 1)]
    assert torch.equal(plans[0].src, plans[1].src)
    assert not torch.equal(plans[0].src, plans[2].src)


def test_uniform_keeps_whole_frames_where_the_budget_allows():
    tokens = tokens_with(attention=torch.zeros(8, 10))
    counts = create_strategy("uniform").plan(tokens, 20).frame_counts()
    assert counts.tolist() == [0, 0, 10, 0, 0, 0, 10, 0]
    thinned = create_strategy("uniform").plan(tokens, 25).frame_counts()
    assert thinned.sum() == 25
    assert sorted(thinned.tolist())[-3:] == [8, 8, 9]


def test_chain_runs_its_stages_in_order():
    attention = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    tokens = tokens_with(attention=attention)
    plan = create_strategy("uniform | attention").plan(tokens, 12)
    first = create_strategy("uniform").plan(tokens, 24)
    best = attention.flatten()[first.src].argsort(descending=True)[:12]
    assert plan.src.tolist() == sorted(first.src[best].tolist())


def test_chain_refuses_a_chain_inside():
    with pytest.raises(InvalidOptionError, match="another chain"):
        create_strategy("chain:stages=chain")

from dataclasses import replace

import pytest
import torch

from framesift.errors import InvalidOptionError, UnknownNameError
from framesift.strategies import registry
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens
from goldens.videos import video

MERGING = ["sttm", "framefusion"]
WRAPPERS = ["per-frame-floor", "protect-edges", "protect-text", "question"]
INNER = ["attention", "uniform", "sttm", "framefusion", "temporal | attention", "cdpruner"]


def tokens_with(**signals):
    shape = next(iter(signals.values())).shape
    return VideoTokens(
        features=torch.ones(*shape, 2),
        grid=(1, shape[1]),
        pts_seconds=torch.arange(shape[0], dtype=torch.float64),
        signals=Signals(**signals),
    )


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("inner", INNER)
def test_any_strategy_can_be_wrapped_within_the_same_budget(wrapper, inner):
    tokens = video("clustered", frames=7, height=4, width=3)
    mask = torch.ones(7, 12, dtype=torch.bool)
    mask[2], mask[4, ::2] = False, False
    strategy = create_strategy(f"{wrapper}:strategy=[{inner}]")
    for kept in (tokens, replace(tokens, mask=mask)):
        for budget in (1, 6, 20, kept.live_count):
            plan = strategy.plan(kept, budget)
            assert plan.num_out == budget
            assert kept.live.flatten()[plan.used].all()


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapping_changes_nothing_where_everything_is_kept(wrapper):
    tokens = video("random")
    for inner in INNER:
        plan = create_strategy(wrapper, strategy=inner).plan(tokens, tokens.count)
        assert plan.apply(tokens.features).equal(tokens.features.flatten(0, 1))


@pytest.mark.parametrize(
    "spec",
    [
        "per-frame-floor:strategy=random",
        "per-frame-floor:strategy=random:seed=3",
        "per-frame-floor:strategy=[temporal | random:seed=1]",
        "protect-edges:strategy=[question:strategy=[temporal | random],weight=0.2],share=0.1",
        "protect-edges:strategy=attention | random:seed=4",
    ],
)
def test_specs_nest_and_are_read_back(spec):
    assert create_strategy(spec).spec == spec
    assert create_strategy(create_strategy(spec).spec) == create_strategy(spec)


def test_an_outer_bar_makes_a_chain_and_a_bracketed_one_does_not():
    chain = create_strategy("per-frame-floor:strategy=random | uniform")
    wrapper = create_strategy("per-frame-floor:strategy=[random | uniform]")
    assert [part.spec for part in chain.within] == ["per-frame-floor:strategy=random", "uniform"]
    assert [part.spec for part in wrapper.inner.within] == ["random", "uniform"]


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("question:strategy=[temporal", InvalidOptionError, r"'\[' is not closed"),
        ("question:strategy=temporall", UnknownNameError, "did you mean 'temporal'"),
        ("question:weight=2", InvalidOptionError, "weight='2' must be a number from 0 to 1"),
        ("question:strategy=uniform,seed=1", InvalidOptionError, "no option 'seed'"),
    ],
)
def test_a_wrong_nested_spec_is_one_clear_line(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        create_strategy(spec)
    assert "\n" not in str(caught.value)


def test_needs_are_those_of_both():
    strategy = create_strategy("protect-edges:strategy=[question:strategy=attention]")
    assert strategy.required_signals == {"edge_density", "question_similarity", "attention"}
    assert strategy.is_per_question
    assert not create_strategy("per-frame-floor").is_per_question
    assert create_strategy("per-frame-floor:strategy=cdpruner").is_per_question


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("holder", ["per-frame-floor:strategy=[{}]", "uniform | {}"])
def test_whether_it_merges_is_said_by_what_it_holds(holder, inner):
    outer, tokens = create_strategy(holder.format(inner)), video("clustered")
    assert outer.is_merging == create_strategy(inner).is_merging == (inner in MERGING)
    assert outer.plan(tokens, 20).is_pruning != outer.is_merging


@pytest.mark.parametrize("inner", ["attention", "temporal", "sttm", "framefusion"])
def test_no_frame_is_left_without_a_token(inner):
    tokens = video("clustered", frames=8)
    bare = create_strategy(inner).plan(tokens, 20)
    plan = create_strategy("per-frame-floor", strategy=inner).plan(tokens, 20)
    assert (bare.frame_counts() == 0).any() or inner == "attention"
    assert (plan.frame_counts() >= 1).all()


def test_the_floor_keeps_the_best_token_of_an_empty_frame():
    attention = torch.tensor([[9.0, 8.0, 7.0], [0.1, 0.2, 0.1], [6.0, 5.0, 4.0]])
    plan = create_strategy("per-frame-floor:strategy=attention").plan(
        tokens_with(attention=attention), 4
    )
    assert plan.src.tolist() == [0, 1, 4, 6]


def test_a_budget_below_the_frames_goes_to_evenly_spaced_ones():
    attention = torch.rand(9, 3, generator=torch.Generator().manual_seed(0))
    plan = create_strategy("per-frame-floor:strategy=attention").plan(
        tokens_with(attention=attention), 3
    )
    assert plan.frame_counts().tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 0]
    assert plan.src.tolist() == [f * 3 + int(attention[f].argmax()) for f in (1, 4, 7)]


def test_protected_edges_stay_unmerged():
    tokens = video("drifting")
    edges = tokens.signals.edge_density.flatten().argsort(descending=True)[:6]
    plan = create_strategy("protect-edges:strategy=sttm").plan(tokens, 12)
    alone = torch.bincount(plan.dst)[plan.dst] == 1
    assert set(edges.tolist()) <= set(plan.src[alone].tolist())


@pytest.mark.parametrize("inner", ["attention", "sttm", "uniform"])
def test_the_weight_of_the_question_runs_from_not_at_all_to_nothing_else(inner):
    tokens = video("random")
    bare = create_strategy(inner).plan(tokens, 18)
    nothing = create_strategy("question", strategy=inner, weight=0.0).plan(tokens, 18)
    only = create_strategy("question", strategy=inner, weight=1.0).plan(tokens, 18)
    order = tokens.signals.question_similarity.flatten().argsort(descending=True)
    assert nothing.src.equal(bare.src)
    assert nothing.weight.equal(bare.weight)
    assert only.src.tolist() == sorted(order[:18].tolist())


def test_ranks_are_mixed_whatever_the_scale_of_scores():
    attention = torch.tensor([[1e6, 1e5, 1e4, 1e3]])
    asked = torch.tensor([[0.1, 0.3, 0.4, 0.2]])
    tokens = tokens_with(attention=attention, question_similarity=asked)
    plan = registry.create("question:strategy=attention").plan(tokens, 2)
    assert plan.src.tolist() == [1, 2]

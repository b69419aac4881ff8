"""What the strategies share that rank by importance, compare by keys or merge."""

from dataclasses import replace

import pytest
import torch

from framesift.errors import InvalidOptionError, InvalidTokensError, MissingSignalError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens

KEYED = ["vision-zip", "prumerge"]
RANKED = [*KEYED, "holitom", "fastvid"]
MERGING = [*RANKED, "prunevid"]


def make_tokens(frames=7, patches=12, channels=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    still = torch.randn(1, patches, channels, generator=generator)
    moved = torch.randn(frames, patches, channels, generator=generator)
    changes = torch.rand(frames, patches, 1, generator=generator)
    return VideoTokens(
        features=still + moved * changes.square(),
        grid=(3, patches // 3),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(
            attention=torch.rand(frames, patches, generator=generator),
            keys=torch.randn(frames, patches, 8, generator=generator),
        ),
    )


def bare(tokens):
    return replace(tokens, signals=Signals())


def same(first, second):
    return all(
        torch.equal(getattr(first, name), getattr(second, name))
        for name in ("dst", "src", "weight")
    )


@pytest.mark.parametrize("name", RANKED)
def test_a_named_substitute_takes_the_place_of_a_missing_signal(name):
    options = {"importance": "feature-norm"} | ({"metric": "features"} if name in KEYED else {})
    strategy = create_strategy(name, **options)
    assert not strategy.required_signals
    assert create_strategy(strategy.spec) == strategy
    tokens = make_tokens()
    with pytest.raises(MissingSignalError, match="attention"):
        create_strategy(name).plan(bare(tokens), 30)
    plan = strategy.plan(bare(tokens), 30)
    assert plan.num_out == 30
    assert not same(plan, create_strategy(name).plan(tokens, 30))


@pytest.mark.parametrize("name", KEYED)
def test_keys_are_asked_for_without_attention(name):
    strategy = create_strategy(name, importance="feature-norm")
    assert strategy.required_signals == {"keys"}


@pytest.mark.parametrize("name", MERGING)
@pytest.mark.parametrize("keep", [0.1, 0.25, 0.5, 0.9])
def test_the_order_of_channels_does_not_matter(name, keep):
    tokens = make_tokens(9)
    tokens.features[4:6] = tokens.features[3]
    tokens.features[:, 5] = 0
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    shuffled = replace(tokens, features=tokens.features[..., order])
    strategy, budget = create_strategy(name), round(keep * tokens.count)
    assert same(strategy.plan(tokens, budget), strategy.plan(shuffled, budget))


@pytest.mark.parametrize("name", MERGING)
@pytest.mark.parametrize("frames", [1, 2, 3, 32])
@pytest.mark.parametrize("keep", [0.05, 0.35, 0.75, 0.99])
def test_every_length_and_static_video_meets_the_budget(name, frames, keep):
    tokens = make_tokens(frames)
    still = replace(tokens, features=tokens.features[:1].expand(frames, -1, -1))
    budget = max(1, round(keep * tokens.count))
    for video in (tokens, still, replace(tokens, features=torch.zeros_like(tokens.features))):
        assert create_strategy(name).plan(video, budget).num_out == budget


@pytest.mark.parametrize("name", MERGING)
def test_keeping_all_live_tokens_changes_none_of_them(name):
    tokens = make_tokens()
    mask = torch.rand(7, 12, generator=torch.Generator().manual_seed(3)) < 0.5
    plan = create_strategy(name).plan(replace(tokens, mask=mask), int(mask.sum()))
    assert torch.equal(plan.apply(tokens.features), tokens.features[mask])


@pytest.mark.parametrize("name", MERGING)
def test_what_is_masked_has_no_say(name):
    tokens = make_tokens()
    mask = torch.rand(7, 12, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[2] = False
    noise = torch.randn(tokens.features.shape, generator=torch.Generator().manual_seed(8)) * 9
    other = replace(
        tokens,
        features=torch.where(mask[..., None], tokens.features, noise),
        signals=replace(
            tokens.signals, attention=torch.where(mask, tokens.signals.attention, torch.nan)
        ),
        mask=mask,
    )
    strategy = create_strategy(name)
    plan = strategy.plan(replace(tokens, mask=mask), 20)
    assert same(plan, strategy.plan(other, 20))


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("value", [-0.1, torch.inf, torch.nan])
def test_attention_that_is_none_is_an_error(name, value):
    tokens = make_tokens()
    tokens.signals.attention[3, 2] = value
    with pytest.raises(InvalidTokensError, match="frame 3, patch 2"):
        create_strategy(name).plan(tokens, 20)


@pytest.mark.parametrize(
    "spec",
    [
        "holitom:importance=saliency",
        "prumerge:metric=values",
        "vision-zip:contextual=1.1",
        "prumerge:neighbors=-1",
        "holitom:beta=2",
        "holitom:window=0",
        "fastvid:step=0",
        "prunevid:threshold=1.5",
    ],
)
def test_bad_options_are_named(spec):
    with pytest.raises(InvalidOptionError, match=spec.partition(":")[2].partition("=")[0]):
        create_strategy(spec)


def test_literals_are_checked_without_the_registry():
    kind = type(create_strategy("prumerge"))
    with pytest.raises(InvalidOptionError, match="attention, feature-norm"):
        kind(importance="loudness")
    with pytest.raises(InvalidOptionError, match="keys, features"):
        kind(metric="values")

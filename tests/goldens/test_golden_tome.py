from dataclasses import replace

import pytest
import torch

from framesift.strategies import tome as module
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals
from goldens.tome import tome
from goldens.videos import KINDS, rows, video


def groups(plan):
    return {frozenset(row) for row in rows(plan)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0.04, 0.3, 0.5, 0.9])
def test_pairs_are_merged_as_in_the_transcription(kind, keep, monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", (100, 100))
    tokens = video(kind, frames=5, height=3, width=5)
    budget = round(keep * tokens.count)
    expected = tome(tokens.features.double().flatten(0, 1).numpy(), budget)
    plan = create_strategy("tome").plan(tokens, budget)
    assert groups(plan) == set(map(frozenset, expected))
    for row in rows(plan):
        assert list(row.values()) == pytest.approx([1 / len(row)] * len(row))


def test_runs_of_frames_are_merged_among_themselves():
    tokens = video("clustered", frames=6)
    plan = create_strategy("tome:frames=2").plan(tokens, 31)
    flat = tokens.features.double().flatten(0, 1).numpy()
    expected = set()
    for run, count in enumerate((11, 10, 10)):
        own = tome(flat[32 * run : 32 * (run + 1)], count)
        expected |= {frozenset(32 * run + index for index in group) for group in own}
    assert groups(plan) == expected


def test_keys_are_compared_where_they_are_asked_for():
    tokens = video("random", frames=2)
    keys = video("clustered", frames=2, seed=1).features
    plan = create_strategy("tome:metric=keys").plan(replace(tokens, signals=Signals(keys=keys)), 12)
    assert groups(plan) == set(map(frozenset, tome(keys.double().flatten(0, 1).numpy(), 12)))
    assert not torch.equal(plan.src, create_strategy("tome").plan(tokens, 12).src)

from dataclasses import replace

import numpy as np
import pytest
import torch

from framesift.strategies.base import create_strategy
from goldens.merged import assert_merged
from goldens.prumerge import factor_for, outliers, prumerge
from goldens.videos import KINDS, video

FRAMES, PATCHES = 5, 20


def peaked(kind):
    """Returns tokens whose attention has outliers, as a class token's has."""
    tokens = video(kind, frames=FRAMES, height=4, width=5)
    rng = np.random.default_rng(2)
    mixed = rng.normal(size=(tokens.features.shape[-1], 7))
    keys = torch.from_numpy(tokens.features.double().numpy() @ mixed)
    attention = torch.from_numpy(rng.random((FRAMES, PATCHES)) ** 6 / PATCHES)
    return replace(tokens, signals=replace(tokens.signals, keys=keys, attention=attention))


def transcribed(tokens, factor, neighbors):
    attention = tokens.signals.attention.numpy()
    expected = []
    for frame, features in enumerate(tokens.features.double().numpy()):
        kept = outliers(attention[frame], factor)
        keys = tokens.signals.keys[frame].numpy()
        outputs = prumerge(features, attention[frame], keys, kept, neighbors)
        expected += [([frame * PATCHES + i for i in inputs], value) for inputs, value in outputs]
    return expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_count_keeps_the_published_tokens(kind):
    tokens = peaked(kind)
    expected = transcribed(tokens, 1.5, neighbors=6)
    assert FRAMES < len(expected) < FRAMES * PATCHES / 2
    plan = create_strategy("prumerge:neighbors=6").plan(tokens, len(expected))
    assert_merged(plan, tokens, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [FRAMES, 17, 50, 97])
def test_other_counts_solve_for_the_factor(kind, budget):
    tokens = peaked(kind)
    factor = factor_for(tokens.signals.attention.numpy(), budget)
    plan = create_strategy("prumerge").plan(tokens, budget)
    assert_merged(plan, tokens, transcribed(tokens, factor, neighbors=32))

from dataclasses import replace

import numpy as np
import pytest
import torch

from framesift.strategies.base import create_strategy
from goldens.merged import assert_merged
from goldens.videos import KINDS, video
from goldens.vision_zip import vision_zip


def with_keys(tokens, seed=5):
    mixed = np.random.default_rng(seed).normal(size=(tokens.features.shape[-1], 7))
    keys = torch.from_numpy(tokens.features.double().numpy() @ mixed)
    return replace(tokens, signals=replace(tokens.signals, keys=keys))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dominant", "contextual"), [(5, 2), (12, 3), (1, 7), (6, 1)])
def test_each_frame_is_zipped_as_in_the_transcription(kind, dominant, contextual):
    tokens = with_keys(video(kind, frames=5, height=4, width=6))
    expected = []
    for frame in range(5):
        signals = tokens.signals.attention[frame].numpy(), tokens.signals.keys[frame].numpy()
        outputs = vision_zip(
            tokens.features[frame].double().numpy(), *signals, dominant, contextual
        )
        expected += [([frame * 24 + i for i in inputs], value) for inputs, value in outputs]
    budget = dominant + contextual
    strategy = create_strategy("vision-zip", contextual=contextual / budget)
    assert_merged(strategy.plan(tokens, 5 * budget), tokens, expected)

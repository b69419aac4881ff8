import pytest

from framesift.strategies.base import create_strategy
from goldens.fastvid import fastvid
from goldens.merged import assert_merged, parts
from goldens.videos import KINDS, video


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("segments", "threshold"), [(8, 0.9), (3, -1.0), (1, -1.0)])
@pytest.mark.parametrize("budget", [44, 60])
def test_segments_are_condensed_as_in_the_transcription(kind, segments, threshold, budget):
    tokens = video(kind, frames=11, height=4, width=5)
    options = {"segments": segments, "threshold": threshold}
    expected = fastvid(
        tokens.features.double().numpy(),
        tokens.signals.attention.numpy(),
        parts([20] * 11, budget),
        **options,
    )
    plan = create_strategy("fastvid", **options).plan(tokens, budget)
    assert_merged(plan, tokens, expected)

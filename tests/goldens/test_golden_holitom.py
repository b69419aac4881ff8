import pytest

from framesift.strategies.base import create_strategy
from goldens.holitom import holitom, segmented
from goldens.merged import assert_merged
from goldens.videos import KINDS, video


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("contextual", [0.0, 0.4])
def test_segments_are_merged_as_in_the_transcription(kind, share, contextual):
    tokens = video(kind, frames=8, height=3, width=5)
    features = tokens.features.double().numpy()
    _, saved = segmented(features, 0.8)
    assert (saved > 0) == (kind != "random")
    budget = round(share * (tokens.count - saved))
    expected = holitom(features, tokens.signals.attention.numpy(), budget, contextual=contextual)
    plan = create_strategy("holitom", contextual=contextual).plan(tokens, budget)
    assert_merged(plan, tokens, expected)


@pytest.mark.parametrize("threshold", [0.965, 0.975, 0.985])
def test_segments_of_some_still_and_some_moving_places(threshold):
    tokens = video("clustered", frames=9, height=4, width=4)
    features = tokens.features.double().numpy()
    segments, saved = segmented(features, threshold)
    assert len(segments) > 2
    assert any(0 < len(still) < 16 for _, still in segments)
    budget = (tokens.count - saved) // 3
    expected = holitom(features, tokens.signals.attention.numpy(), budget, threshold=threshold)
    plan = create_strategy("holitom", threshold=threshold).plan(tokens, budget)
    assert_merged(plan, tokens, expected)

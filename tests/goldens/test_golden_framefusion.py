import pytest

from framesift.strategies.base import create_strategy
from goldens.framefusion import framefusion
from goldens.videos import KINDS, rows, video


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("keep", [0.2, 0.35, 0.6, 0.9])
@pytest.mark.parametrize("threshold", [0.6, 0.97])
def test_runs_are_merged_as_in_the_transcription(kind, keep, threshold):
    tokens = video(kind, frames=9, height=3, width=3)
    budget = round(keep * tokens.count)
    expected = framefusion(tokens.features.double().numpy(), budget, threshold)
    plan = create_strategy("framefusion", threshold=threshold).plan(tokens, budget)
    assert len(expected) == budget
    found = {min(row): row for row in rows(plan)}
    assert found.keys() == {min(row) for row in expected}
    for row in expected:
        assert found[min(row)] == pytest.approx(row)

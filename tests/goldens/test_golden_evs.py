import pytest

from framesift.strategies.base import create_strategy
from goldens.evs import evs
from goldens.videos import KINDS, video


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7, 0.95])
def test_tokens_are_those_of_the_retention_mask(kind, frames, rate):
    tokens = video(kind, frames=frames)
    expected = evs(tokens.features.double().numpy(), rate)
    assert create_strategy("evs").plan(tokens, len(expected)).src.tolist() == expected

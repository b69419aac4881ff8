import pytest

from framesift.strategies.base import create_strategy
from goldens.vidcom2 import vidcom2
from goldens.videos import KINDS, video


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frames", [1, 2, 9])
@pytest.mark.parametrize("keep", [0.07, 0.25, 0.6, 0.97])
def test_tokens_are_those_of_the_transcription(kind, frames, keep):
    tokens = video(kind, frames=frames, height=4, width=5)
    target = max(frames, round(keep * tokens.count))
    expected = vidcom2(tokens.features.double().numpy(), target)
    assert create_strategy("vidcom2").plan(tokens, target).src.tolist() == expected

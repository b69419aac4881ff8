import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.sources.base import open_video

CLIP = "synthetic://mixed?seconds=4&width=320&height=180"


@pytest.fixture(scope="module")
def encoded():
    with open_video(CLIP) as video:
        return VideoCompressor().encode(video)


@pytest.mark.parametrize("strategy", ["uniform", "temporal", "pllava"])
@pytest.mark.parametrize("keep", [0.1, 1.0])
def test_one_encoding_serves_every_plan_as_if_it_were_encoded_for_it(encoded, strategy, keep):
    sift = VideoCompressor(strategy=strategy, keep=keep)
    once, anew = sift.reduce(encoded), sift.compress(CLIP)
    assert torch.equal(once.tokens, anew.tokens)
    assert torch.equal(once.plan.src, anew.plan.src)
    volatile = {"seconds"}
    assert once.report.model_dump(exclude=volatile) == anew.report.model_dump(exclude=volatile)


def test_what_one_plan_took_is_not_in_the_report_of_the_next(encoded):
    before = dict(encoded.seconds)
    VideoCompressor().reduce(encoded)
    assert encoded.seconds == before
    assert "plan" not in before


def test_tokens_of_another_encoder_are_refused(encoded):
    with pytest.raises(InvalidOptionError, match="made by 'handcrafted', not by 'clip"):
        VideoCompressor(encoder="clip:model=somewhere").reduce(encoded)

"""Features that deeper LLM layers take besides: they go wherever the tokens go."""

from dataclasses import replace

import pytest
import torch

from framesift import load
from framesift.testing import compressed
from framesift.types.plan import TokenPlan
from framesift.types.tokens import Signals, VideoTokens


def make_tokens(frames=3, **changes):
    torch.manual_seed(0)
    return VideoTokens(
        features=torch.randn(frames, 4, 5),
        grid=(2, 2),
        pts_seconds=torch.arange(float(frames)),
        layers=torch.randn(frames, 4, 2, 5),
        signals=Signals(pre_projector=torch.randn(frames, 4, 7)),
        **changes,
    )


def test_they_must_belong_to_the_tokens():
    with pytest.raises(ValueError, match=r"layers must start with \(T=3, N=4\)"):
        replace(make_tokens(), layers=torch.zeros(3, 5, 2, 5))


def test_they_are_picked_with_the_frames():
    tokens = make_tokens()
    assert torch.equal(tokens.frames([0, 2]).layers, tokens.layers[[0, 2]])
    assert replace(tokens, layers=None).frames([1]).layers is None


def test_they_are_gathered_with_the_frames():
    tokens = make_tokens(6)
    parts = [tokens.frames(range(4)), tokens.frames(range(4, 6))]
    found = VideoTokens.gather(parts, 8)
    assert torch.equal(found.layers, tokens.layers)
    assert torch.equal(found.signals.pre_projector, tokens.signals.pre_projector)
    assert VideoTokens.gather([replace(tokens, layers=None)], 6).layers is None


@pytest.mark.parametrize("layered", [True, False])
def test_they_are_kept_on_disk(tmp_path, layered):
    tokens = make_tokens() if layered else replace(make_tokens(), layers=None)
    plan = TokenPlan.merge(torch.arange(12) // 2, tokens_per_frame=4)
    video = compressed(tokens, plan)
    video.save(tmp_path)
    found = load(tmp_path).layers
    if not layered:
        assert found is None
    else:
        expected = tokens.layers.flatten(0, 1).unflatten(0, (6, 2)).mean(1)
        torch.testing.assert_close(found, expected)


def test_a_compressed_video_has_them_for_every_row():
    video = compressed(
        make_tokens(), TokenPlan.keep(torch.arange(5), num_in=12, tokens_per_frame=4)
    )
    with pytest.raises(ValueError, match="layers"):
        replace(video, layers=video.layers[:2])

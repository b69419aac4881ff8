"""Every registered decoder keeps the promises of the suite, and all of them agree."""

import numpy as np
import pytest

from framesift.decoders import registry
from framesift.decoders.sampling import at_fps
from framesift.testing import DecoderContract
from framesift.testing.videos import ODD_VIDEOS, all_of, write_video


class TestDecoders(DecoderContract):
    @pytest.fixture(params=registry.names())
    def part(self, request):
        return registry.create(request.param)


@pytest.mark.parametrize("kind", ODD_VIDEOS)
def test_decoders_agree(tmp_path, kind):
    name, how = ODD_VIDEOS[kind]
    path = write_video(tmp_path / name, **how)
    passes = [all_of(registry.create(name), path) for name in registry.names()]
    for frames in passes[1:]:
        difference = np.abs(frames.data.astype(int) - passes[0].data)
        assert frames.indices.tolist() == passes[0].indices.tolist()
        assert difference.mean() < 2


@pytest.mark.clips
@pytest.mark.parametrize(("size_px", "tolerance"), [(None, 0.1), ((160, 160), 2.5)])
@pytest.mark.parametrize("name", ["rabbit320", "bottle-detection", "car-detection"])
def test_decoders_agree_on_real_clips(clips, name, size_px, tolerance):
    path = clips / f"{name}.mp4"
    passes = []
    for other in registry.names():
        decoder = registry.create(other)
        picks = at_fps(decoder.index(path), 0.2)
        passes.append(all_of(decoder, path, picks, size_px=size_px))
    for frames in passes[1:]:
        assert frames.indices.tolist() == passes[0].indices.tolist()
        assert np.abs(frames.data.astype(int) - passes[0].data).mean() < tolerance

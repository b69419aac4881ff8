"""Every registered decoder keeps the promises of the suite, and all of them agree."""

import numpy as np
import pytest

from framesift.decoders import registry
from framesift.decoders.sampling import at_fps
from framesift.testing import DecoderContract
from framesift.testing.videos import ODD_VIDEOS, all_of, write_video

OTHERS = [name for name in registry.names() if name != "pyav"]


def made(name):
    if name == "torchcodec":
        pytest.importorskip("torchcodec", exc_type=ImportError)
    return registry.create(name)


class TestDecoders(DecoderContract):
    @pytest.fixture(params=registry.names())
    def part(self, request):
        return made(request.param)


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("kind", ODD_VIDEOS)
def test_decoders_agree(tmp_path, kind, other):
    name, how = ODD_VIDEOS[kind]
    path = write_video(tmp_path / name, **how)
    plain, frames = all_of(registry.create("pyav"), path), all_of(made(other), path)
    assert frames.indices.tolist() == plain.indices.tolist()
    assert frames.pts_seconds.tolist() == plain.pts_seconds.tolist()
    assert np.abs(frames.data.astype(int) - plain.data).mean() < 2


@pytest.mark.clips
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize(("size_px", "tolerance"), [(None, 0.1), ((160, 160), 2.5)])
@pytest.mark.parametrize("name", ["rabbit320", "bottle-detection", "car-detection"])
def test_decoders_agree_on_real_clips(clips, name, size_px, tolerance, other):
    path, passes = clips / f"{name}.mp4", []
    for decoder in (registry.create("pyav"), made(other)):
        picks = at_fps(decoder.index(path), 0.2)
        passes.append(all_of(decoder, path, picks, size_px=size_px))
    plain, frames = passes
    assert frames.indices.tolist() == plain.indices.tolist()
    assert np.abs(frames.data.astype(int) - plain.data).mean() < tolerance

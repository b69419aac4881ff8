import sys

import numpy as np
import pytest
import torch

from framesift import VideoCompressor
from framesift.decoders import registry
from framesift.decoders.torchcodec import TorchcodecDecoder
from framesift.errors import InvalidOptionError, MissingDependencyError
from framesift.testing.videos import GROUPS, all_of, numbers_in, write_video


@pytest.fixture
def installed():
    return pytest.importorskip("torchcodec", exc_type=ImportError)


@pytest.fixture
def of_pyav(monkeypatch):
    """The positions that were left to PyAV."""
    from framesift.decoders import torchcodec as module

    asked, plain = [], module._libav.pictures

    def noted(path, timeline, indices, *rest):
        asked.extend(indices)
        return plain(path, timeline, indices, *rest)

    monkeypatch.setattr(module._libav, "pictures", noted)
    return asked


@pytest.fixture
def groups(tmp_path):
    return write_video(tmp_path / "v.mp4", 100, **GROUPS)


def test_who_lacks_it_reads_what_to_install_before_anything_is_fetched(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    for make in (registry.create, lambda name: VideoCompressor(decoder=name)):
        with pytest.raises(MissingDependencyError, match=r"pip install 'framesift\[torchcodec\]'"):
            make("torchcodec")


def test_a_library_that_cannot_be_loaded_is_named(monkeypatch):
    def broken(module, *, extra):
        raise RuntimeError("Could not load libtorchcodec.\n\nLikely causes: ...")

    monkeypatch.setattr("framesift.decoders.torchcodec.require", broken)
    with pytest.raises(MissingDependencyError, match="install FFmpeg 4 to 8") as caught:
        TorchcodecDecoder()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["mps", "gpu", "cuda:", ""])
def test_other_devices_are_refused(device):
    with pytest.raises(InvalidOptionError, match="device"):
        TorchcodecDecoder(device=device)


def test_a_gpu_that_is_not_there_is_refused(installed):
    if torch.cuda.is_available() and "+cpu" not in installed.__version__:
        pytest.skip("there is one")
    with pytest.raises(InvalidOptionError, match="built with CUDA"):
        TorchcodecDecoder(device="cuda")


def test_it_reads_by_itself_what_can_be_sought_in(installed, of_pyav, groups):
    picks = [0, 3, 4, 50, 51, 77, 99]
    frames = all_of(TorchcodecDecoder(device="cpu"), groups, picks)
    assert numbers_in(frames.data) == picks
    assert of_pyav == []
    assert np.array_equal(frames.data, all_of(registry.create("pyav"), groups, picks).data)


@pytest.mark.parametrize("name", ["a.ts", "a.avi", "a.h264"])
def test_what_has_no_times_to_seek_by_is_read_by_pyav(installed, of_pyav, tmp_path, name):
    path = write_video(tmp_path / name, 40)
    frames = all_of(TorchcodecDecoder(device="cpu"), path)
    assert numbers_in(frames.data) == of_pyav == list(range(40))


def test_what_is_behind_damage_is_read_by_pyav(installed, of_pyav, tmp_path):
    path = write_video(
        tmp_path / "a.mp4", 100, **GROUPS, container_options={"movflags": "faststart"}
    )
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = b"\xff" * 600
    path.write_bytes(content)
    warnings = {}
    passes = {}
    for name in ("pyav", "torchcodec"):
        warnings[name] = []
        of_pyav.clear()
        passes[name] = all_of(registry.create(name), path, warn=warnings[name].append)
    assert 0 < len(of_pyav) < 100
    assert passes["torchcodec"].indices.tolist() == passes["pyav"].indices.tolist()
    assert warnings["torchcodec"] == warnings["pyav"]


def test_shrinking_averages_and_growing_is_smooth(installed, of_pyav, groups):
    decoder = TorchcodecDecoder(device="cpu")
    small = all_of(decoder, groups, [5, 6], size_px=(32, 64)).data
    large = all_of(decoder, groups, [5], size_px=(128, 256)).data
    assert of_pyav == []
    assert numbers_in(large) == [5]
    plain = all_of(registry.create("pyav"), groups, [5, 6], size_px=(32, 64)).data
    assert small.shape == plain.shape == (2, 32, 64, 3)
    assert np.abs(small.astype(int) - plain).mean() < 4  # all of it at the edges of stripes


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_frames(installed, of_pyav, groups):
    if "+cpu" in installed.__version__:
        pytest.skip("torchcodec is built without CUDA")
    picks = [0, 3, 4, 50, 51, 77, 99]
    for size_px in (None, (32, 64)):
        frames = all_of(TorchcodecDecoder(device="cuda"), groups, picks, size_px=size_px)
        assert of_pyav == []
        plain = all_of(registry.create("pyav"), groups, picks, size_px=size_px)
        assert numbers_in(frames.data) == picks
        assert np.abs(frames.data.astype(int) - plain.data).mean() < 4
        of_pyav.clear()

import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from framesift.decoders import seeking
from framesift.decoders.pyav import PyavDecoder
from framesift.decoders.seeking import MIN_JUMP_FRAMES, decoded_ranges
from framesift.errors import CorruptVideoError, NoVideoStreamError

ORANGE = (230, 120, 30)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("matrix", "name"), [(1, "bt709"), (5, "bt470bg"), (9, "bt2020nc")])
def test_colours_come_back_as_they_went_in(tmp_path, matrix, name, full_range):
    path = tmp_path / "orange.mp4"
    red, blue = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    planes = to_yuv(ORANGE, red, blue, full_range)
    with av.open(str(path), "w") as container:
        options = {"qp": "0", "x264-params": f"colormatrix={name}:fullrange={int(full_range)}"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full_range else 1
        sizes = (32, 16, 16)
        pixels = [np.full(size * size, value) for size, value in zip(sizes, planes, strict=True)]
        picture = np.concatenate(pixels).astype(np.uint8).reshape(48, 32)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.colorspace, frame.color_range = matrix, 2 if full_range else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    (frames,) = PyavDecoder().decode(path, [0])

    np.testing.assert_allclose(frames.data.reshape(-1, 3).mean(axis=0), ORANGE, atol=3)


def to_yuv(rgb, red: float, blue: float, full_range: bool) -> tuple[int, int, int]:
    r, g, b = (value / 255 for value in rgb)
    luma = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    if full_range:
        return round(255 * luma), *(round(128 + 255 * value) for value in chroma)
    return round(16 + 219 * luma), *(round(128 + 224 * value) for value in chroma)


def test_shrinking_averages_instead_of_picking(tmp_path):
    path = tmp_path / "checker.mov"
    checker = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 256, 256, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.stack([checker] * 3, axis=-1), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    (frames,) = PyavDecoder().decode(path, [0], size_px=(32, 32))

    np.testing.assert_allclose(frames.data, 127, atol=3)


@pytest.fixture
def threads():
    """Sets how many threads PyTorch may use."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_as_many_threads_decode_as_pytorch_may_use(tmp_path, write_video, threads, monkeypatch):
    path, counts = write_video(tmp_path / "v.mp4", 30), []
    open_video = seeking._container.open_video

    def noted(*given):
        with open_video(*given) as (container, stream):
            counts.append(stream.codec_context.thread_count)
            yield container, stream

    monkeypatch.setattr(seeking._container, "open_video", contextmanager(noted))
    for count in (1, 3):
        threads(count)
        list(PyavDecoder().decode(path, [0, 20]))
    assert counts == [1, 1, 3]  # the first for the table of its frames


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4", "libvpx-vp9", "libvpx"])
@pytest.mark.parametrize("harm", ["zeros", "gap", "noise", "cut"])
def test_damage_gives_the_same_pictures_whatever_the_number_of_threads(
    tmp_path, write_video, threads, codec, harm
):
    path = write_video(tmp_path / "v.mkv", 60, codec=codec, codec_options={"g": "25"})
    content, random = bytearray(path.read_bytes()), np.random.default_rng(7)
    middle = len(content) // 3
    if harm == "zeros":
        content[middle : middle + 300] = bytes(300)
    elif harm == "gap":
        del content[middle : middle + 700]
    elif harm == "noise":
        for place in random.integers(middle, len(content), 20):
            content[place] = random.integers(256)
    else:
        del content[2 * middle :]
    path.write_bytes(content)
    found = []
    for count in (1, 2, 8):
        threads(count)
        decoder = PyavDecoder()
        wanted = range(len(decoder.scan(path).pts_seconds))
        windows = list(decoder.decode(path, wanted))
        found.append([(each.indices.tolist(), each.data.tobytes()) for each in windows])
    assert found[0] == found[1] == found[2]


def test_a_jump_is_planned_where_it_leaves_enough_out():
    keys = np.arange(0, 200, 50)

    runs = decoded_ranges(keys, [0, 10, 60, 61, 199])

    assert [run.positions for run in runs] == [[0, 10], [60, 61], [199]]
    assert [run.keys for run in runs] == [[], [50, 0], [150, 100]]


def test_no_jump_is_planned_over_a_few_frames():
    keys = np.arange(0, 100, 2)
    positions = list(range(0, 100, MIN_JUMP_FRAMES))
    assert len(decoded_ranges(keys, positions)) == 1


def test_a_cover_is_no_video(tmp_path):
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=16000, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.height, cover.width, cover.pix_fmt = 8, 8, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic.value
        picture = av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8), format="rgb24")
        silence = np.zeros((1, 1152), np.float32)
        samples = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        samples.sample_rate = 16000
        for packet in (*cover.encode(picture), *sound.encode(samples), *sound.encode()):
            container.mux(packet)

    with pytest.raises(NoVideoStreamError, match="a cover, audio"):
        PyavDecoder().index(path)


def test_a_stream_of_which_nothing_decodes_is_refused(tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", 5, container_options={"movflags": "faststart"})
    content = path.read_bytes()
    payload = content.index(b"mdat") + 4
    path.write_bytes(content[:payload] + b"\xff" * (len(content) - payload))

    with pytest.raises(CorruptVideoError, match="not one frame"):
        PyavDecoder().index(path)


def test_a_playlist_cannot_make_the_decoder_open_an_address(tmp_path):
    path = tmp_path / "list.mp4"
    path.write_text("ffconcat version 1.0\nfile 'http://127.0.0.1:9/a.mp4'\n")
    with pytest.raises(CorruptVideoError, match=r"list\.mp4"):
        PyavDecoder().index(path)


def test_the_average_rate_is_measured(tmp_path, write_video):
    times = [Fraction(number, 5) for number in range(10)]
    info = PyavDecoder().index(write_video(tmp_path / "slow.mkv", 10, times=times)).info
    assert info.average_fps == pytest.approx(5, rel=0.1)
    assert info.codec == "h264"


@pytest.mark.slow
def test_memory_does_not_grow_with_length(tmp_path, write_video):
    code = (
        "import resource, sys, pathlib; from framesift.decoders.pyav import PyavDecoder as D\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "for _ in D().decode(path, range(int(sys.argv[2])), window=4): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    path = write_video(tmp_path / "long.mp4", 1500, size=(240, 320))
    peaks_kib = [
        int(subprocess.check_output([sys.executable, "-c", code, str(path), count]))
        for count in ("100", "1500")
    ]
    assert peaks_kib[1] - peaks_kib[0] < 20_000

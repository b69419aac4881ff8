"""The time line of a file is what players show: joined parts, fields, last pictures, edit lists."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from framesift.decoders.pyav import PyavDecoder
from framesift.testing.field_coded import write_fields
from framesift.testing.videos import GROUPS, NO_B_FRAMES, joined, read, with_matroska_duration


def test_a_part_that_begins_between_keyframes_goes_on(tmp_path, write_video, numbers_in):
    first, second = (write_video(tmp_path / f"{n}.ts", 40, first=40 * n, **GROUPS) for n in (0, 1))
    content = second.read_bytes()
    second.write_bytes(content[len(content) // 3 // 188 * 188 :])
    frames, warnings = read(PyavDecoder(), joined(tmp_path / "a.ts", [first, second]))
    numbers = numbers_in(frames.data)
    assert numbers[:40] == list(range(40))
    assert numbers[-15:] == list(range(65, 80))
    assert sum("jumps once" in line for line in warnings) == 1


def test_parts_with_and_without_b_frames_do_not_overlap(tmp_path, write_video, numbers_in):
    with_b = write_video(tmp_path / "b.ts", 30, **GROUPS)
    without = write_video(tmp_path / "no-b.ts", 30, first=30, **NO_B_FRAMES)
    frames, _ = read(PyavDecoder(), joined(tmp_path / "a.ts", [with_b, without]))
    assert numbers_in(frames.data) == list(range(60))
    np.testing.assert_allclose(np.diff(frames.pts_seconds), 0.04, atol=2e-3)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4", ".h264"])
def test_two_fields_are_one_frame(tmp_path, numbers_in, suffix):
    path = write_fields(tmp_path / f"fields{suffix}", range(60))
    index = PyavDecoder().index(path)
    frames, warnings = read(PyavDecoder(), path)
    assert numbers_in(frames.data) == list(range(60))
    np.testing.assert_allclose(index.pts_seconds, np.arange(60) / 25, atol=2e-3)
    assert index.info.duration_seconds == pytest.approx(2.4, abs=2e-3)
    assert warnings == []
    for picks in ([59], [20, 58], [31]):
        assert numbers_in(read(PyavDecoder(), path, picks)[0].data) == picks


def test_joined_parts_of_fields_follow_one_another(tmp_path, numbers_in):
    parts = [
        write_fields(tmp_path / "1.ts", range(30), start_seconds=8),
        write_fields(tmp_path / "2.ts", range(30, 60), start_seconds=8),
    ]
    frames, warnings = read(PyavDecoder(), joined(tmp_path / "a.ts", parts))
    assert numbers_in(frames.data) == list(range(60))
    np.testing.assert_allclose(frames.pts_seconds, np.arange(60) / 25, atol=2e-3)
    assert ["jumps once" in line for line in warnings] == [True]


def test_frames_and_fields_that_are_joined_follow_one_another(tmp_path, write_video, numbers_in):
    parts = [
        write_video(tmp_path / "1.ts", 30, size=(128, 256), **GROUPS),
        write_fields(tmp_path / "2.ts", range(30, 60), start_seconds=8),
    ]
    frames, _ = read(PyavDecoder(), joined(tmp_path / "a.ts", parts))
    assert numbers_in(frames.data) == list(range(60))


@pytest.mark.parametrize("size", [(64, 128), (192, 384)], ids=["most", "few"])
def test_units_of_several_frames_lose_none(tmp_path, write_video, numbers_in, size):
    path = write_video(tmp_path / "a.vob", 50, size=size, audio_seconds=0, **GROUPS)
    with av.open(str(path)) as container:
        lacking = [packet.pts is None for packet in container.demux(video=0) if packet.size]
    assert sum(lacking) > 2
    assert (sum(lacking) > len(lacking) / 2) == (size == (64, 128))
    frames, warnings = read(PyavDecoder(), path)
    assert numbers_in(frames.data) == list(range(50))
    np.testing.assert_allclose(frames.pts_seconds, np.arange(50) / 25, atol=2e-3)
    assert not warnings


@pytest.mark.parametrize("options", ["interlaced=1", "interlaced=1:bframes=3:keyint=12"])
@pytest.mark.parametrize("suffix", [".ts", ".mp4"])
def test_interlaced_frames_stay_frames(tmp_path, write_video, options, suffix):
    path = write_video(tmp_path / f"a{suffix}", 30, codec_options={"x264-params": options})
    frames, warnings = read(PyavDecoder(), path)
    assert len(frames) == 30
    assert warnings == []


@pytest.mark.parametrize("claimed_ms", [float("nan"), float("inf"), -5.0, 0.0])
def test_an_end_that_makes_no_sense_is_not_believed(tmp_path, write_video, claimed_ms):
    path = with_matroska_duration(write_video(tmp_path / "a.mkv", 10), claimed_ms)
    assert PyavDecoder().index(path).info.duration_seconds == pytest.approx(0.4, abs=2e-3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_file_that_lacks_its_end_is_cut(tmp_path, write_video, name):
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    path = write_video(tmp_path / name, 60, container_options=options)
    assert not PyavDecoder().index(path).is_cut
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    index, warnings = PyavDecoder().index(path), read(PyavDecoder(), path)[1]
    assert index.is_cut
    assert any("breaks off" in line for line in warnings)
    assert index.staying(100).info == index.info


def test_lengths_that_were_left_open_are_no_damage(tmp_path, write_video):
    avi = write_video(tmp_path / "a.avi", 10)
    avi.write_bytes(b"RIFF" + b"\xff" * 4 + avi.read_bytes()[8:])
    mp4 = write_video(tmp_path / "a.mp4", 10, container_options={"movflags": "faststart"})
    content = bytearray(mp4.read_bytes())
    struct.pack_into(">I", content, content.index(b"mdat") - 4, 0)  # up to the end of the file
    mp4.write_bytes(content)
    for path in (avi, mp4):
        frames, warnings = read(PyavDecoder(), path)
        assert (len(frames), warnings) == (10, [])


@pytest.mark.parametrize(("big", "default"), [(0, None), (1, None), (0, 1), (1, 0)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_best_stream_is_that_of_libav(tmp_path, suffix, big, default):
    path = two_streams(tmp_path / f"a{suffix}", big, default)
    with av.open(str(path)) as container:
        best = container.streams.best("video")
        expected = best.codec_context.height, best.codec_context.width
    info = PyavDecoder().index(path).info
    assert (info.height_px, info.width_px) == expected


def two_streams(path: Path, big: int, default: int | None) -> Path:
    """Returns a file with two videos, of which the one at place `big` is larger."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=25) for _ in range(2)]
        for place, stream in enumerate(streams):
            side = 96 if place == big else 32
            stream.height, stream.width, stream.pix_fmt = side, side, "yuv420p"
            is_default = place == default if default is not None else 0
            stream.disposition = av.stream.Disposition.default.value if is_default else 0
        for number in range(10):
            for stream in streams:
                noise = np.random.default_rng(number).integers(0, 256, (stream.height,) * 2 + (3,))
                frame = av.VideoFrame.from_ndarray(noise.astype(np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    return path

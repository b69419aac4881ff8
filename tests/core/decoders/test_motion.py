import struct

import av
import numpy as np
import pytest

from framesift.decoders import registry
from framesift.decoders.motion import CODECS, motion
from framesift.errors import CorruptVideoError, DecodeError, InvalidOptionError
from framesift.testing.videos import joined_parts, write_video

GRID = (6, 8)
STEP_PX = (8, 4)
"""How far the picture moves from frame to frame, right and down."""


def sliding(path, count=12, *, codec="libx264", still=False, **options):
    """Writes a noise of 96 x 128 pixels that slides, or stands still."""
    noise = np.random.default_rng(0).integers(0, 255, (24, 32)).astype(np.uint8)
    noise = np.kron(noise, np.ones((8, 8), dtype=np.uint8))[:, :, None].repeat(3, axis=2)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for number in range(count):
            way = (0, 0) if still else (STEP_PX[1] * number, STEP_PX[0] * number)
            picture = np.roll(noise, way, axis=(0, 1))[:96, :128]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
def test_what_slides_moves_by_its_way(tmp_path, codec):
    path = sliding(tmp_path / "v.mkv", codec=codec, bf="0", refs="1")
    first, *others = motion(path, range(6), grid=GRID)
    assert first.coverage.max() == 0
    assert first.displacement_px.shape == (*GRID, 2)
    assert not first.displacement_px.any()
    for each in others:
        inner = each.displacement_px[1:-1, 1:-1].reshape(-1, 2)
        assert each.coverage[2:-1, 2:-1].mean() > 0.9
        np.testing.assert_allclose(np.median(inner, axis=0), STEP_PX, atol=0.5)
    assert [each.index for each in others] == [1, 2, 3, 4, 5]
    assert others[0].pts_seconds == pytest.approx(1 / 25, abs=1e-3)


def test_what_stands_still_does_not_move(tmp_path):
    path = sliding(tmp_path / "v.mp4", still=True, bf="0")
    *_, last = motion(path, range(12), grid=GRID)
    assert np.abs(last.displacement_px).max() == 0
    assert last.coverage.min() == 1


def test_frames_from_later_frames_alone_are_not_covered_twice(tmp_path):
    path = sliding(tmp_path / "v.mp4", count=24, bf="3")
    for each in motion(path, range(24), grid=GRID):
        assert 0 <= each.coverage.min() <= each.coverage.max() <= 1 + 1e-6


def test_any_grid_fits(tmp_path):
    path = sliding(tmp_path / "v.mp4", bf="0", refs="1")
    (coarse,) = motion(path, [5], grid=(1, 1))
    (fine,) = motion(path, [5], grid=(7, 5))
    assert coarse.coverage[0, 0] == pytest.approx(fine.coverage.mean(), abs=1e-5)
    weighted = (fine.displacement_px * fine.coverage[..., None]).mean(axis=(0, 1))
    np.testing.assert_allclose(
        weighted, coarse.displacement_px[0, 0] * coarse.coverage[0, 0], atol=1e-3
    )


def test_a_frame_alone_moves_as_it_does_among_others(tmp_path):
    path = sliding(tmp_path / "v.mp4", count=60, bf="0", g="20")
    whole = list(motion(path, range(60), grid=GRID))
    (alone,) = motion(path, [47], grid=GRID)
    assert alone.index == 47
    assert np.array_equal(alone.displacement_px, whole[47].displacement_px)


def test_other_codecs_are_refused(tmp_path):
    path = write_video(tmp_path / "v.webm", 3, codec="libvpx-vp9", codec_options={"cpu-used": "8"})
    with pytest.raises(DecodeError, match=r"vp9.* convert it to H\.264"):
        list(motion(path, [0], grid=GRID))
    assert "h264" in CODECS


def test_wrong_requests_are_refused(tmp_path):
    path = sliding(tmp_path / "v.mp4", count=3)
    for indices in ([3], [1, 0], [-1]):
        with pytest.raises(InvalidOptionError, match="indices"):
            list(motion(path, indices, grid=GRID))
    with pytest.raises(InvalidOptionError, match="grid=0"):
        list(motion(path, [0], grid=(0, 1)))
    (tmp_path / "no.mp4").write_bytes(b"This is no video.\n" * 200)
    with pytest.raises(CorruptVideoError):
        list(motion(tmp_path / "no.mp4", [0], grid=GRID))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov", "a.webm"])
def test_packets_are_counted_by_the_frame_that_they_show(tmp_path, name):
    how = {"codec_options": {"g": "10", "bf": "2"}}
    if name == "a.webm":
        how = {"codec": "libvpx-vp9", "codec_options": {"g": "10", "cpu-used": "8"}}
    path = write_video(tmp_path / name, 30, **how)
    sizes = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            if packet.size:
                sizes[packet.pts] = (packet.size, packet.is_keyframe)
    index = registry.create("pyav").index(path)
    assert index.packet_bytes.tolist() == [sizes[pts][0] for pts in sorted(sizes)]
    assert index.is_keyframe.tolist() == [sizes[pts][1] for pts in sorted(sizes)]
    assert len(index.packet_bytes) == len(index.pts_seconds) == 30
    assert 1 < index.is_keyframe.sum() < 30


def test_packets_follow_a_clock_that_jumps(tmp_path):
    path = joined_parts(tmp_path, [0, 100], ".ts")
    index = registry.create("pyav").index(path)
    assert len(index.packet_bytes) == len(index.pts_seconds)
    assert (index.packet_bytes > 0).all()
    assert index.is_keyframe[[0, 40]].all()


@pytest.mark.parametrize("name", ["a.avi", "a.h264"])
def test_packets_without_times_are_not_guessed(tmp_path, name):
    index = registry.create("pyav").index(write_video(tmp_path / name, 10))
    assert index.packet_bytes is None
    assert index.is_keyframe is None


def test_a_cut_takes_more_bytes_than_what_stands_still(tmp_path):
    path = tmp_path / "v.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"sc_threshold": "0", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        pictures = np.random.default_rng(0).integers(0, 255, (2, 96, 128, 3)).astype(np.uint8)
        for number in range(20):
            picture = pictures[int(number >= 10)]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    sizes = registry.create("pyav").index(path).packet_bytes
    assert int(np.argsort(sizes[1:])[-1]) + 1 == 10
    assert sizes[10] > 5 * np.median(sizes)


def test_an_index_that_stays_longer_keeps_its_packets(tmp_path):
    index = registry.create("pyav").index(write_video(tmp_path / "a.mp4", 5))
    longer = index.staying(100.0)
    assert longer.info.duration_seconds == 100.0
    assert longer.packet_bytes is index.packet_bytes


@pytest.mark.parametrize(
    ("matrix", "way"),
    [
        ((0, 1, -1, 0), (-STEP_PX[1], STEP_PX[0])),
        ((-1, 0, 0, -1), (-STEP_PX[0], -STEP_PX[1])),
        ((0, -1, 1, 0), (STEP_PX[1], -STEP_PX[0])),
        ((-1, 0, 0, 1), (-STEP_PX[0], STEP_PX[1])),
    ],
    ids=["90", "180", "270", "mirrored"],
)
def test_what_is_shown_turned_moves_as_it_is_shown(tmp_path, matrix, way):
    path = sliding(tmp_path / "v.mp4", bf="0", refs="1")
    content, (a, b, c, d) = path.read_bytes(), (value << 16 for value in matrix)
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    track = content.index(b"tkhd")
    path.write_bytes(content[:track] + content[track:].replace(identity, turned, 1))
    grid = GRID[::-1] if matrix[0] == 0 else GRID
    (each,) = motion(path, [5], grid=grid)
    inner = each.displacement_px[1:-1, 1:-1].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, axis=0), way, atol=0.5)

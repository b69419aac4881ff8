import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
import pytest

from framesift.decoders import registry
from framesift.decoders.base import Decoder
from framesift.decoders.sampling import at_fps
from framesift.errors import CorruptVideoError, InvalidOptionError, NoVideoStreamError
from framesift.types.frames import Frames

Write = Callable[..., Path]

UNEVEN = [Fraction(ms, 1000) for ms in accumulate([0, 40, 80, 200, 33, 47, 40, 500, 40])]
LATE = [Fraction(1, 2) + Fraction(number, 25) for number in range(20)]
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
ODD_VIDEOS = {
    "b-frames": ("b.mp4", {}),
    "short-groups": ("groups.mp4", {"count": 200, "codec_options": {"g": "20"}}),
    "open-groups": (
        "open.mkv",
        {"count": 90, "codec_options": {"x264-params": "open-gop=1:keyint=20"}},
    ),
    "intra-refresh": (
        "refresh.ts",
        {"count": 90, "codec_options": {"x264-params": "intra-refresh=1:keyint=20:bframes=0"}},
    ),
    "uneven-times": ("uneven.mp4", {"count": 9, "times": UNEVEN}),
    "uneven-times-in-ms": ("uneven.mkv", {"count": 9, "times": UNEVEN}),
    "late-start": ("late.mp4", {"count": 20, "times": LATE, "audio_seconds": 1.5}),
    "clock-from-1.4-s": ("clock.ts", {"count": 40}),
    "no-times-avi": ("plain.avi", {"count": 40}),
    "no-times-raw": ("plain.h264", {"count": 40}),
    "fragmented": ("fragmented.mp4", {"container_options": FRAGMENTED}),
    "hevc": ("hevc.mp4", {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}}),
    "vp9": ("vp9.webm", {"codec": "libvpx-vp9", "codec_options": {"cpu-used": "8"}}),
    "ten-bit": ("ten.mp4", {"count": 5, "pix_fmt": "yuv420p10le"}),
    "gray": ("gray.mp4", {"count": 5, "pix_fmt": "gray"}),
    "chroma-422": ("422.mp4", {"count": 5, "pix_fmt": "yuv422p"}),
    "odd-size": ("odd.mp4", {"count": 5, "size": (35, 51), "pix_fmt": "yuv444p"}),
    "alpha": ("alpha.mov", {"count": 5, "codec": "png", "pix_fmt": "rgba"}),
    "one-frame": ("one.mp4", {"count": 1}),
    "a-tenth-of-a-second": ("tenth.mp4", {"count": 3, "fps": 30}),
}


@pytest.fixture(params=registry.names())
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return registry.create(request.param)


@pytest.fixture(scope="module")
def odd_videos(tmp_path_factory: pytest.TempPathFactory, write_video: Write) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("odd")
    return {kind: write_video(folder / name, **how) for kind, (name, how) in ODD_VIDEOS.items()}


def all_of(decoder: Decoder, path: Path, indices: list[int] | None = None, **options) -> Frames:
    if indices is None:
        indices = list(range(decoder.index(path).info.frame_count))
    return Frames.concatenate(list(decoder.decode(path, indices, **options)))


@pytest.mark.parametrize("kind", ODD_VIDEOS)
def test_each_indexed_frame_is_the_one_shown_at_its_time(decoder, odd_videos, kind, numbers_in):
    _, how = ODD_VIDEOS[kind]
    count, fps = how.get("count", 30), how.get("fps", 25)
    index = decoder.index(odd_videos[kind])
    warnings: list[str] = []

    frames = all_of(decoder, odd_videos[kind], warn=warnings.append)

    expected = [float(time) for time in how.get("times", [n / fps for n in range(count)])]
    assert numbers_in(frames.data) == frames.indices.tolist() == list(range(count))
    assert index.info.frame_count == count
    np.testing.assert_allclose(index.pts_seconds, expected, atol=1e-3)
    np.testing.assert_array_equal(frames.pts_seconds, index.pts_seconds)
    assert warnings == []


@pytest.mark.parametrize("kind", ODD_VIDEOS)
def test_frames_picked_out_equal_those_of_a_full_pass(decoder, odd_videos, kind):
    everything = all_of(decoder, odd_videos[kind])
    picks = sorted({0, len(everything) // 3, len(everything) * 4 // 5, len(everything) - 1})

    picked = all_of(decoder, odd_videos[kind], picks)

    assert picked.indices.tolist() == picks
    np.testing.assert_array_equal(picked.data, everything.data[picks])


@pytest.mark.parametrize("kind", ODD_VIDEOS)
def test_decoders_agree(odd_videos, kind):
    passes = [all_of(registry.create(name), odd_videos[kind]) for name in registry.names()]
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


def test_a_window_is_never_exceeded_and_keeps_the_order(decoder, odd_videos):
    parts = list(decoder.decode(odd_videos["b-frames"], range(0, 30, 2), window=4))

    assert [len(part) for part in parts] == [4, 4, 4, 3]
    assert np.concatenate([part.indices for part in parts]).tolist() == list(range(0, 30, 2))


@pytest.mark.parametrize("size_px", [(48, 48), (33, 57), (128, 256), (96, 100)])
def test_frames_are_scaled_to_the_asked_size(decoder, odd_videos, numbers_in, size_px):
    frames = all_of(decoder, odd_videos["b-frames"], [3, 20], size_px=size_px)

    assert frames.data.shape == (2, *size_px, 3)
    assert numbers_in(frames.data) == [3, 20]


def test_nothing_asked_gives_nothing(decoder, odd_videos):
    assert list(decoder.decode(odd_videos["b-frames"], [])) == []


def test_pixels_that_are_not_square_are_widened(decoder, tmp_path, write_video, numbers_in):
    path = write_video(tmp_path / "wide.mp4", 3, aspect=Fraction(4, 3))

    info, frames = decoder.index(path).info, all_of(decoder, path)

    assert (info.height_px, info.width_px) == frames.data.shape[1:3] == (64, 171)
    assert numbers_in(frames.data) == [0, 1, 2]


# Display matrices (a, b, c, d) and what they do to a picture in numpy's words.
TURNS = {
    "90": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "270": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
}


@pytest.mark.parametrize("turn", TURNS)
def test_frames_are_turned_for_display(decoder, tmp_path, write_video, turn):
    matrix, turned = TURNS[turn]
    upright = write_video(tmp_path / "upright.mp4", 2, pix_fmt="yuv444p")
    path = with_display_matrix(upright, tmp_path / "turned.mp4", matrix)

    stored, shown = all_of(decoder, upright), all_of(decoder, path)

    info = decoder.index(path).info
    np.testing.assert_array_equal(shown.data[1], turned(stored.data[1]))
    assert (info.height_px, info.width_px) == shown.data.shape[1:3]
    if turn != "mirrored":
        assert info.rotation_degrees == int(turn)
        np.testing.assert_allclose(shown.data[0], first_picture_of_opencv(path), atol=3)


def test_the_asked_size_is_that_of_the_turned_frame(decoder, tmp_path, write_video):
    upright = write_video(tmp_path / "upright.mp4", 1)
    path = with_display_matrix(upright, tmp_path / "turned.mp4", TURNS["90"][0])

    assert all_of(decoder, path, size_px=(80, 40)).data.shape == (1, 80, 40, 3)


def with_display_matrix(source: Path, target: Path, matrix: tuple[int, ...]) -> Path:
    a, b, c, d = (value << 16 for value in matrix)
    content = source.read_bytes()
    track = content.index(b"tkhd")
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    wanted = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(content[:track] + content[track:].replace(identity, wanted, 1))
    return target


def first_picture_of_opencv(path: Path) -> np.ndarray:
    _, image = cv2.VideoCapture(str(path)).read()
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def cut_in_half(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


NOISE = {"count": 60, "size": (96, 128), "codec_options": {"g": "12", "qp": "4"}}


@pytest.mark.parametrize(
    ("name", "container_options"),
    [
        ("cut.mp4", {"movflags": "faststart"}),
        ("cut-fragments.mp4", FRAGMENTED),
        ("cut.mkv", {}),
        ("cut.ts", {}),
    ],
)
def test_a_cut_file_gives_its_good_half(
    decoder, tmp_path, write_video, numbers_in, capfd, name, container_options
):
    path = write_video(tmp_path / name, **NOISE, container_options=container_options)
    cut_in_half(path)
    warnings: list[str] = []

    frames = all_of(decoder, path, warn=warnings.append)

    assert 15 < len(frames) < 45
    assert numbers_in(frames.data) == frames.indices.tolist()
    assert len(warnings) <= 1
    assert capfd.readouterr().err == ""


def test_a_cut_file_says_where_it_breaks_off(decoder, tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4", **NOISE, container_options={"movflags": "faststart"})
    warnings: list[str] = []

    all_of(decoder, cut_in_half(path), [0], warn=warnings.append)

    (line,) = warnings
    assert "breaks off" in line


def test_damage_in_the_middle_costs_some_frames_and_is_told_once(
    decoder, tmp_path, write_video, numbers_in, capfd
):
    path = write_video(tmp_path / "a.mp4", **NOISE, container_options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = b"\xff" * 600
    path.write_bytes(content)
    warnings: list[str] = []

    frames = all_of(decoder, path, warn=warnings.append)

    (line,) = warnings
    assert f"{60 - len(frames)} of 60 asked frames are lost" in line
    assert 30 < len(frames) < 60
    assert {0, 59} <= set(frames.indices.tolist())
    assert numbers_in(frames.data[[0, -1]]) == [0, 59]
    assert capfd.readouterr().err == ""


def test_an_mp4_cut_before_its_table_cannot_be_opened(decoder, tmp_path, write_video):
    path = cut_in_half(write_video(tmp_path / "a.mp4"))

    with pytest.raises(CorruptVideoError, match=r"a\.mp4"):
        decoder.index(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"This is no video.\n" * 200, np.random.default_rng(0).bytes(50_000), b"\0" * 5000],
    ids=["empty", "text", "random", "zeros"],
)
def test_what_is_no_video_is_refused(decoder, tmp_path, capfd, content):
    path = tmp_path / "fake.mp4"
    path.write_bytes(content)

    with pytest.raises(CorruptVideoError, match=r"fake\.mp4"):
        decoder.index(path)
    assert capfd.readouterr().err == ""


def test_sound_alone_is_refused(decoder, tmp_path, write_video):
    path = write_video(tmp_path / "sound.m4a", 0, audio_seconds=0.5)
    with pytest.raises(NoVideoStreamError, match="audio"):
        decoder.index(path)


@pytest.mark.parametrize(
    ("indices", "options", "complaint"),
    [
        ([3, 2], {}, "ascend"),
        ([2, 2], {}, "ascend"),
        ([30], {}, "within 0..29"),
        ([-1], {}, "within 0..29"),
        ([0], {"window": 0}, "window=0"),
        ([0], {"size_px": (0, 5)}, "size_px"),
    ],
)
def test_impossible_requests_are_refused(decoder, odd_videos, indices, options, complaint):
    with pytest.raises(InvalidOptionError, match=complaint):
        list(decoder.decode(odd_videos["b-frames"], indices, **options))

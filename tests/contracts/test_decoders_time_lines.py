"""The time line of a file is what players show: joined parts, fields, last pictures, edit lists."""

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from field_coded import write_fields
from framesift.decoders import registry
from framesift.decoders.base import Decoder
from framesift.decoders.pyav import PyavDecoder
from framesift.types.frames import Frames

Write = Callable[..., Path]
GROUPS = {"codec_options": {"g": "20"}}
NO_B_FRAMES = {"codec_options": {"g": "20", "bf": "0"}}
HEVC = {"codec": "libx265", "codec_options": {"x265-params": "log-level=none:keyint=20"}}
WRAP_SECONDS = Fraction(2**33, 90_000)


@pytest.fixture(params=registry.names())
def decoder(request: pytest.FixtureRequest) -> Decoder:
    return registry.create(request.param)


def joined(path: Path, parts: Sequence[Path]) -> Path:
    """Returns a file of the bytes of several, as a download of segments writes it."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def parts_of(folder: Path, write_video: Write, starts: Sequence[float], suffix: str, **how) -> Path:
    """Returns 40 frames from each of `starts`, joined; their numbers run on."""
    parts = []
    for place, start in enumerate(starts):
        times = [Fraction(start) + Fraction(n, 25) for n in range(40)]
        part = folder / f"part-{place}{suffix}"
        parts.append(write_video(part, 40, first=40 * place, times=times, **how))
    return joined(folder / f"joined{suffix}", parts)


def read(decoder: Decoder, path: Path, picks: Sequence[int] | None = None):
    """Returns all frames, or some, with the warnings."""
    index, warnings = decoder.index(path), []
    wanted = range(len(index.pts_seconds)) if picks is None else picks
    frames = Frames.concatenate(list(decoder.decode(path, wanted, warn=warnings.append)))
    return frames, warnings


JUMPS = {
    "same-clock": ((10, 10), ".ts", GROUPS, "once at 1.60 s by -1.60 s"),
    "back-ten-seconds": ((10, 0), ".ts", GROUPS, "once at 1.60 s by"),
    "forward-an-hour": ((10, 3610), ".ts", GROUPS, "once at 1.60 s by"),
    "several": ((10, 10, 900, 0), ".ts", GROUPS, "3 times, first at 1.60 s by -1.60 s"),
    "overlap-of-two-frames": ((10, 11.52), ".ts", GROUPS, "once at 1.60 s by"),
    "no-b-frames": ((10, 10), ".ts", NO_B_FRAMES, "once at 1.60 s by -1.60 s"),
    "hevc": ((10, 10), ".ts", HEVC, "once at 1.60 s by"),
    "with-sound-forward": ((0, 3600), ".ts", {**GROUPS, "audio_seconds": 1.6}, "once at"),
    "with-sound": ((0, 0), ".ts", {**GROUPS, "audio_seconds": 1.6}, "once at 1.66 s by"),
    "webm": ((0, 0), ".webm", {"codec": "libvpx"}, "once at 1.60 s by -1.60 s"),
    "matroska": ((0, 0), ".mkv", GROUPS, "once at 1.60 s by -1.60 s"),
}


@pytest.mark.parametrize("kind", JUMPS)
def test_joined_parts_follow_one_another(decoder, tmp_path, write_video, numbers_in, kind):
    starts, suffix, how, told = JUMPS[kind]
    path = parts_of(tmp_path, write_video, starts, suffix, **how)
    count = 40 * len(starts)

    frames, warnings = read(decoder, path)

    assert numbers_in(frames.data) == list(range(count))
    since_first = frames.pts_seconds - frames.pts_seconds[0]
    np.testing.assert_allclose(since_first, np.arange(count) / 25, atol=2e-3)
    (line,) = warnings
    assert told in line
    assert f"'joined{suffix}'" in line


@pytest.mark.parametrize("kind", ["same-clock", "several", "matroska"])
def test_frames_behind_a_jump_are_found_again(decoder, tmp_path, write_video, numbers_in, kind):
    starts, suffix, how, _ = JUMPS[kind]
    path = parts_of(tmp_path, write_video, starts, suffix, **how)
    for picks in ([38, 41], [79], [0, 39, 40, 79], [45]):
        frames, _ = read(decoder, path, picks)
        assert numbers_in(frames.data) == frames.indices.tolist() == picks


def test_joined_fragments_follow_one_another(decoder, tmp_path, write_video, numbers_in):
    how = {"container_options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}}
    path = parts_of(tmp_path, write_video, (0, 0), ".mp4", **how, **NO_B_FRAMES)
    frames, warnings = read(decoder, path)
    numbers = numbers_in(frames.data)
    assert numbers == sorted(set(numbers))
    assert numbers[:40] + numbers[-36:] == [*range(40), *range(44, 80)]  # libav drops the joint
    np.testing.assert_allclose(np.diff(frames.pts_seconds), 0.04, atol=2e-3)
    assert ["jumps once" in line for line in warnings] == [True]


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


def test_a_short_gap_is_a_gap(decoder, tmp_path, write_video):
    path = parts_of(tmp_path, write_video, (10, 15), ".ts", **GROUPS)
    frames, warnings = read(decoder, path)
    assert frames.pts_seconds[40] - frames.pts_seconds[0] == pytest.approx(5, abs=2e-3)
    assert warnings == []


def test_a_picture_that_stands_while_sound_goes_on_is_no_jump(decoder, tmp_path, write_video):
    times = [Fraction(n, 25) for n in range(20)] + [
        Fraction(14) + Fraction(n, 25) for n in range(9)
    ]
    path = write_video(tmp_path / "a.ts", 29, times=times, audio_seconds=15)
    index = decoder.index(path)
    np.testing.assert_allclose(
        index.pts_seconds - index.pts_seconds[0], [float(time) for time in times], atol=2e-3
    )


def test_a_clock_that_wraps_goes_on(decoder, tmp_path, write_video, numbers_in):
    offset = {"output_ts_offset": f"{float(WRAP_SECONDS - 1):.3f}", "muxdelay": "0"}
    path = write_video(tmp_path / "a.ts", 60, container_options=offset, **GROUPS)
    frames, warnings = read(decoder, path)
    assert numbers_in(frames.data) == list(range(60))
    np.testing.assert_allclose(frames.pts_seconds, np.arange(60) / 25, atol=2e-3)
    assert warnings == []
    assert numbers_in(read(decoder, path, [50])[0].data) == [50]


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


def test_other_decoders_count_fields_alike(decoder, tmp_path):
    index = decoder.index(write_fields(tmp_path / "fields.ts", range(30)))
    assert index.info.frame_count == 30


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


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
def test_the_last_picture_stays_while_there_is_sound(decoder, tmp_path, write_video, suffix):
    path = write_video(tmp_path / f"a{suffix}", 10, audio_seconds=4)
    index = decoder.index(path)
    assert index.info.start_seconds + index.info.duration_seconds == pytest.approx(4, abs=0.1)
    assert index.info.average_fps == pytest.approx(25, rel=0.1)
    assert read(decoder, path)[1] == []


def test_the_last_picture_stays_until_the_container_ends(decoder, tmp_path, write_video):
    path = with_matroska_duration(write_video(tmp_path / "a.mkv", 10), 20_000)
    assert decoder.index(path).info.duration_seconds == pytest.approx(20)
    assert read(decoder, path)[1] == []


def test_the_last_picture_stays_while_there_are_subtitles(decoder, tmp_path):
    path, base = tmp_path / "a.mp4", Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        video, spoken = container.add_stream("libx264", rate=25), container.add_stream("mov_text")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        spoken.time_base = base
        spoken.codec_context.subtitle_header = (
            b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
            b"Style: Default,Arial,16\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
        )
        for number in range(50):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8))
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture.reformat(format="yuv420p")))
        container.mux(video.encode())
        line = av.Packet(b"\x00\x03end")
        line.stream, line.time_base, line.pts, line.dts, line.duration = (
            spoken,
            base,
            6000,
            6000,
            2000,
        )
        container.mux(line)
    assert decoder.index(path).info.duration_seconds == pytest.approx(8)


@pytest.mark.parametrize("claimed_ms", [float("nan"), float("inf"), -5.0, 0.0])
def test_an_end_that_makes_no_sense_is_not_believed(tmp_path, write_video, claimed_ms):
    path = with_matroska_duration(write_video(tmp_path / "a.mkv", 10), claimed_ms)
    assert PyavDecoder().index(path).info.duration_seconds == pytest.approx(0.4, abs=2e-3)


def test_an_end_that_nobody_announced_is_that_of_the_last_frame(decoder, tmp_path, write_video):
    path = write_video(tmp_path / "a.mkv", 10, container_options={"live": "1"})
    assert decoder.index(path).info.duration_seconds == pytest.approx(0.4, abs=2e-3)


def with_matroska_duration(path: Path, milliseconds: float) -> Path:
    content = path.read_bytes()
    place = content.index(b"\x44\x89\x88") + 3
    path.write_bytes(content[:place] + struct.pack(">d", milliseconds) + content[place + 8 :])
    return path


def test_a_part_of_a_track_by_an_edit_list_is_complete(decoder, tmp_path, write_video, numbers_in):
    path = write_video(tmp_path / "a.mp4", 75, codec_options={"bf": "0", "g": "75"})
    content = bytearray(path.read_bytes())
    entry = content.index(b"elst") + 12
    struct.pack_into(">I", content, entry, 400)  # of the 3,000 ms of the track
    path.write_bytes(content)
    frames, warnings = read(decoder, path)
    assert numbers_in(frames.data) == list(range(10))
    assert warnings == []


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

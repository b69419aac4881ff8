"""The time line that every decoder gives: what players show."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from framesift.decoders.base import Decoder
from framesift.testing.field_coded import write_fields
from framesift.testing.videos import (
    GROUPS,
    HEVC,
    NO_B_FRAMES,
    WRAP_SECONDS,
    joined_parts,
    numbers_in,
    read,
    with_matroska_duration,
    write_video,
)

JUMPS: dict[str, tuple[tuple[float, ...], str, dict[str, Any], str]] = {
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


class TimePromises:
    """Promises about times: jumps of the clock, gaps, fields and ends."""

    @pytest.mark.parametrize("kind", JUMPS)
    def test_joined_parts_follow_one_another(
        self, decoder: Decoder, tmp_path: Path, kind: str
    ) -> None:
        """Where the clock of a file jumps, time goes on, and one warning says where it jumped."""
        starts, suffix, how, warning = JUMPS[kind]
        path = joined_parts(tmp_path, starts, suffix, **how)
        count = 40 * len(starts)

        frames, warnings = read(decoder, path)

        assert numbers_in(frames.data) == list(range(count))
        since_first = frames.pts_seconds - frames.pts_seconds[0]
        np.testing.assert_allclose(since_first, np.arange(count) / 25, atol=2e-3)
        (line,) = warnings
        assert warning in line
        assert f"'joined{suffix}'" in line

    @pytest.mark.parametrize("kind", ["same-clock", "several", "matroska"])
    def test_frames_behind_a_jump_are_found_again(
        self, decoder: Decoder, tmp_path: Path, kind: str
    ) -> None:
        """Frames behind a jump of the clock can be sought."""
        starts, suffix, how, _ = JUMPS[kind]
        path = joined_parts(tmp_path, starts, suffix, **how)
        for picks in ([38, 41], [79], [0, 39, 40, 79], [45]):
            frames, _ = read(decoder, path, picks)
            assert numbers_in(frames.data) == frames.indices.tolist() == picks

    def test_joined_fragments_follow_one_another(self, decoder: Decoder, tmp_path: Path) -> None:
        """Fragments of MP4 that begin at zero again follow one another."""
        how = {"container_options": {"movflags": "frag_keyframe+empty_moov+default_base_moof"}}
        path = joined_parts(tmp_path, (0, 0), ".mp4", **how, **NO_B_FRAMES)
        frames, warnings = read(decoder, path)
        numbers = numbers_in(frames.data)
        assert numbers == sorted(set(numbers))
        assert numbers[:40] + numbers[-36:] == [*range(40), *range(44, 80)]  # libav drops the joint
        np.testing.assert_allclose(np.diff(frames.pts_seconds), 0.04, atol=2e-3)
        assert ["jumps once" in line for line in warnings] == [True]

    def test_a_short_gap_is_a_gap(self, decoder: Decoder, tmp_path: Path) -> None:
        """A gap of some seconds is kept."""
        path = joined_parts(tmp_path, (10, 15), ".ts", **GROUPS)
        frames, warnings = read(decoder, path)
        assert frames.pts_seconds[40] - frames.pts_seconds[0] == pytest.approx(5, abs=2e-3)
        assert warnings == []

    def test_a_picture_that_stands_while_sound_goes_on_is_no_jump(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """A gap in the pictures while sound goes on is kept."""
        times = [Fraction(n, 25) for n in range(20)] + [
            Fraction(14) + Fraction(n, 25) for n in range(9)
        ]
        path = write_video(tmp_path / "a.ts", 29, times=times, audio_seconds=15)
        index = decoder.index(path)
        np.testing.assert_allclose(
            index.pts_seconds - index.pts_seconds[0], [float(time) for time in times], atol=2e-3
        )

    def test_a_clock_that_wraps_goes_on(self, decoder: Decoder, tmp_path: Path) -> None:
        """A clock that starts over at its largest value goes on."""
        offset = {"output_ts_offset": f"{float(WRAP_SECONDS - 1):.3f}", "muxdelay": "0"}
        path = write_video(tmp_path / "a.ts", 60, container_options=offset, **GROUPS)
        frames, warnings = read(decoder, path)
        assert numbers_in(frames.data) == list(range(60))
        np.testing.assert_allclose(frames.pts_seconds, np.arange(60) / 25, atol=2e-3)
        assert warnings == []
        assert numbers_in(read(decoder, path, [50])[0].data) == [50]

    def test_other_decoders_count_fields_alike(self, decoder: Decoder, tmp_path: Path) -> None:
        """Two field pictures count as one frame."""
        index = decoder.index(write_fields(tmp_path / "fields.ts", range(30)))
        assert index.info.frame_count == 30

    @pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
    def test_the_last_picture_stays_while_there_is_sound(
        self, decoder: Decoder, tmp_path: Path, suffix: str
    ) -> None:
        """The duration lasts until the sound ends."""
        path = write_video(tmp_path / f"a{suffix}", 10, audio_seconds=4)
        index = decoder.index(path)
        assert index.info.start_seconds + index.info.duration_seconds == pytest.approx(4, abs=0.1)
        assert index.info.average_fps == pytest.approx(25, rel=0.1)
        assert read(decoder, path)[1] == []

    def test_the_last_picture_stays_until_the_container_ends(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """The duration lasts until the end that the container states."""
        path = with_matroska_duration(write_video(tmp_path / "a.mkv", 10), 20_000)
        assert decoder.index(path).info.duration_seconds == pytest.approx(20)
        assert read(decoder, path)[1] == []

    def test_the_last_picture_stays_while_there_are_subtitles(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """The duration lasts until the subtitles end."""
        path, base = tmp_path / "a.mp4", Fraction(1, 1000)
        with av.open(str(path), "w") as container:
            video, subtitles = (
                container.add_stream("libx264", rate=25),
                container.add_stream("mov_text"),
            )
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            subtitles.time_base = base
            subtitles.codec_context.subtitle_header = (
                b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n"
                b"Format: Name, Fontname, Fontsize\n"
                b"Style: Default,Arial,16\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
            )
            for number in range(50):
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number, np.uint8))
                picture.pts, picture.time_base = number, Fraction(1, 25)
                container.mux(video.encode(picture.reformat(format="yuv420p")))
            container.mux(video.encode())
            line = av.Packet(b"\x00\x03end")
            line.stream, line.time_base, line.pts, line.dts, line.duration = (
                subtitles,
                base,
                6000,
                6000,
                2000,
            )
            container.mux(line)
        assert decoder.index(path).info.duration_seconds == pytest.approx(8)

    def test_an_end_that_nobody_announced_is_that_of_the_last_frame(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """Without a stated end, the duration lasts until the last frame ends."""
        path = write_video(tmp_path / "a.mkv", 10, container_options={"live": "1"})
        assert decoder.index(path).info.duration_seconds == pytest.approx(0.4, abs=2e-3)

    def test_a_part_of_a_track_by_an_edit_list_is_complete(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """An edit list that shows a part of a track is not taken for damage."""
        path = write_video(tmp_path / "a.mp4", 75, codec_options={"bf": "0", "g": "75"})
        content = bytearray(path.read_bytes())
        entry = content.index(b"elst") + 12
        struct.pack_into(">I", content, entry, 400)  # of the 3,000 ms of the track
        path.write_bytes(content)
        frames, warnings = read(decoder, path)
        assert numbers_in(frames.data) == list(range(10))
        assert warnings == []

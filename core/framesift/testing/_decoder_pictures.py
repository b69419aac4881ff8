"""What every decoder gives of a good file, whatever it is made of."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framesift.decoders.base import Decoder
from framesift.testing.videos import ODD_VIDEOS, Pictures, all_of, numbers_in, write_video

# Display matrices (a, b, c, d) and what they do to a picture in numpy's words.
TURNS: dict[str, tuple[tuple[int, ...], Any]] = {
    "90": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "270": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
}


def with_display_matrix(source: Path, target: Path, matrix: tuple[int, ...]) -> Path:
    """Returns an MP4 that is shown rotated or mirrored."""
    a, b, c, d = (value << 16 for value in matrix)
    content = source.read_bytes()
    track = content.index(b"tkhd")
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    wanted = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(content[:track] + content[track:].replace(identity, wanted, 1))
    return target


def first_picture_of_opencv(path: Path) -> Pictures:
    """Returns the first picture as OpenCV shows it."""
    _, image = cv2.VideoCapture(str(path)).read()
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


class PicturePromises:
    """Promises about pictures: the right ones, at their times, as they are shown."""

    @pytest.mark.parametrize("kind", ODD_VIDEOS)
    def test_each_indexed_frame_is_the_one_shown_at_its_time(
        self, decoder: Decoder, odd_videos: dict[str, Path], kind: str
    ) -> None:
        """The index lists every frame at its time, and decoding gives the frame shown then."""
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
    def test_frames_picked_out_equal_those_of_a_full_pass(
        self, decoder: Decoder, odd_videos: dict[str, Path], kind: str
    ) -> None:
        """Frames that are sought equal those of a pass over the whole file, to the bit."""
        everything = all_of(decoder, odd_videos[kind])
        picks = sorted({0, len(everything) // 3, len(everything) * 4 // 5, len(everything) - 1})

        picked = all_of(decoder, odd_videos[kind], picks)

        assert picked.indices.tolist() == picks
        np.testing.assert_array_equal(picked.data, everything.data[picks])

    def test_a_window_is_never_exceeded_and_keeps_the_order(
        self, decoder: Decoder, odd_videos: dict[str, Path]
    ) -> None:
        """No part holds more frames than `window`, and the parts follow one another."""
        parts = list(decoder.decode(odd_videos["b-frames"], range(0, 30, 2), window=4))

        assert [len(part) for part in parts] == [4, 4, 4, 3]
        assert np.concatenate([part.indices for part in parts]).tolist() == list(range(0, 30, 2))

    @pytest.mark.parametrize("size_px", [(48, 48), (33, 57), (128, 256), (96, 100)])
    def test_frames_are_scaled_to_the_asked_size(
        self, decoder: Decoder, odd_videos: dict[str, Path], size_px: tuple[int, int]
    ) -> None:
        """`size_px` is the size that comes out, larger or smaller."""
        frames = all_of(decoder, odd_videos["b-frames"], [3, 20], size_px=size_px)

        assert frames.data.shape == (2, *size_px, 3)
        assert numbers_in(frames.data) == [3, 20]

    def test_nothing_asked_gives_nothing(
        self, decoder: Decoder, odd_videos: dict[str, Path]
    ) -> None:
        """No indices give no frames."""
        assert list(decoder.decode(odd_videos["b-frames"], [])) == []

    def test_pixels_that_are_not_square_are_widened(self, decoder: Decoder, tmp_path: Path) -> None:
        """Frames have square pixels, whatever the file's pixels are."""
        path = write_video(tmp_path / "wide.mp4", 3, aspect=Fraction(4, 3))

        info, frames = decoder.index(path).info, all_of(decoder, path)

        assert (info.height_px, info.width_px) == frames.data.shape[1:3] == (64, 171)
        assert numbers_in(frames.data) == [0, 1, 2]

    @pytest.mark.parametrize("turn", TURNS)
    def test_frames_are_turned_for_display(
        self, decoder: Decoder, tmp_path: Path, turn: str
    ) -> None:
        """Frames are rotated and mirrored as the file says."""
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

    def test_the_asked_size_is_that_of_the_turned_frame(
        self, decoder: Decoder, tmp_path: Path
    ) -> None:
        """`size_px` is that of the rotated frame."""
        upright = write_video(tmp_path / "upright.mp4", 1)
        path = with_display_matrix(upright, tmp_path / "turned.mp4", TURNS["90"][0])

        assert all_of(decoder, path, size_px=(80, 40)).data.shape == (1, 80, 40, 3)

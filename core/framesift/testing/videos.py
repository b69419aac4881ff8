"""Writes videos whose frames show their number, and reads the numbers back."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from framesift.decoders.base import Decoder
from framesift.types.frames import Frames

Pictures = npt.NDArray[np.uint8]
UNEVEN = [Fraction(ms, 1000) for ms in accumulate([0, 40, 80, 200, 33, 47, 40, 500, 40])]
LATE = [Fraction(1, 2) + Fraction(number, 25) for number in range(20)]
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
ODD_VIDEOS: dict[str, tuple[str, dict[str, Any]]] = {
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
"""Files of many kinds: name, and how `write_video` makes each."""
GROUPS: dict[str, Any] = {"codec_options": {"g": "20"}}
NO_B_FRAMES: dict[str, Any] = {"codec_options": {"g": "20", "bf": "0"}}
HEVC: dict[str, Any] = {
    "codec": "libx265",
    "codec_options": {"x265-params": "log-level=none:keyint=20"},
}
WRAP_SECONDS = Fraction(2**33, 90_000)
BITS = 8
"""Each frame shows its number as black and white stripes, which survive coding and scaling."""


def write_video(
    path: Path,
    count: int = 30,
    *,
    first: int = 0,
    fps: int = 25,
    times: Sequence[Fraction] = (),
    size: tuple[int, int] = (64, 128),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    aspect: Fraction = Fraction(1),
    audio_seconds: float = 0,
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Returns `path`, where frame `n` shows number `first + n` at `times[n]`, else at `n / fps`."""
    tick = Fraction(1, fps * 1000)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps, options=codec_options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = tick
        stream.codec_context.sample_aspect_ratio = aspect
        if audio_seconds:
            _mux_tone(container, audio_seconds)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(_picture(first + number, size), format="rgb24")
            frame.time_base = tick
            frame.pts = int((times[number] if times else Fraction(number, fps)) / tick)
            container.mux(stream.encode(frame.reformat(format=pix_fmt)))
        container.mux(stream.encode())
    return path


def _picture(number: int, size: tuple[int, int]) -> Pictures:
    bits = (number >> np.arange(BITS)) & 1
    stripes = np.repeat(bits * 200 + 28, -(-size[1] // BITS))[: size[1]]
    noise = np.random.default_rng(number).integers(-12, 13, (*size, 3))
    return (stripes[None, :, None] + noise).astype(np.uint8)


def numbers_in(pictures: Pictures) -> list[int]:
    """Returns the numbers that decoded pictures `(T, H, W, 3)` of any size show."""
    _, height, width, _ = pictures.shape
    middles = (np.arange(BITS) * 2 + 1) * width // (2 * BITS)
    bits = pictures[:, height // 2, middles].mean(axis=-1) > 127
    return [int(number) for number in (bits << np.arange(BITS)).sum(axis=1)]


def _mux_tone(container: av.container.OutputContainer, seconds: float) -> None:
    stream = container.add_stream("aac", rate=16000, layout="mono")
    for start in range(0, int(seconds * 16000), 1024):
        samples = np.sin(np.arange(start, start + 1024) / 8, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def all_of(
    decoder: Decoder, path: Path, indices: list[int] | None = None, **options: Any
) -> Frames:
    """Returns the frames at `indices`, else all frames of a file."""
    if indices is None:
        indices = list(range(decoder.index(path).info.frame_count))
    return Frames.concatenate(list(decoder.decode(path, indices, **options)))


def read(
    decoder: Decoder, path: Path, picks: Sequence[int] | None = None
) -> tuple[Frames, list[str]]:
    """Returns all frames, or some, with the warnings."""
    index, warnings = decoder.index(path), list[str]()
    wanted = range(len(index.pts_seconds)) if picks is None else picks
    frames = Frames.concatenate(list(decoder.decode(path, wanted, warn=warnings.append)))
    return frames, warnings


def joined(path: Path, parts: Sequence[Path]) -> Path:
    """Returns a file of the bytes of several, as a download of segments writes it."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def joined_parts(folder: Path, starts: Sequence[float], suffix: str, **how: Any) -> Path:
    """Returns 40 frames from each of `starts`, joined; their numbers run on."""
    parts = []
    for place, start in enumerate(starts):
        times = [Fraction(start) + Fraction(n, 25) for n in range(40)]
        part = folder / f"part-{place}{suffix}"
        parts.append(write_video(part, 40, first=40 * place, times=times, **how))
    return joined(folder / f"joined{suffix}", parts)


def with_matroska_duration(path: Path, milliseconds: float) -> Path:
    """Returns a Matroska file with another stated duration."""
    content = path.read_bytes()
    place = content.index(b"\x44\x89\x88") + 3
    path.write_bytes(content[:place] + struct.pack(">d", milliseconds) + content[place + 8 :])
    return path

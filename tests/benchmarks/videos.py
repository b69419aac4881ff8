"""Makes the videos that are measured: moving scenes whose every frame shows its own number.

The number is read back from decoded pixels, so that a sampler which returns the frame next to the
one that was asked cannot win by it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream

Image = npt.NDArray[np.uint8]
WIDTH_PX: Final = 1280
HEIGHT_PX: Final = 720
FPS: Final = 30
SCENE_FRAMES: Final = 220
BITS: Final = 12
STRIP_PX: Final = 48
CACHE: Final = Path(tempfile.gettempdir()) / "framesift-benchmark-1"


def numbered_clip(*, seconds: int, gop: int) -> Path:
    """Returns a 1280x720 H.264 video at 30 fps with a key frame every `gop` frames."""

    def encode(path: Path) -> None:
        with av.open(path, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
            stream.options = {
                "preset": "veryfast",
                "crf": "26",
                "g": str(gop),
                "keyint_min": str(gop),
                "sc_threshold": "0",
            }
            for number in range(seconds * FPS):
                picture = av.VideoFrame.from_ndarray(_paint(number), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode())

    return _cached(f"numbered-{seconds}s-gop{gop}.mp4", encode)


def repeated(video: Path, *, times: int) -> Path:
    """Returns a video that shows `video` again and again, made without encoding."""

    def remux(path: Path) -> None:
        with av.open(video) as source, av.open(path, "w", format="mp4") as target:
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            assert stream.time_base is not None
            period = round(Fraction(stream.frames, FPS) / stream.time_base)
            for turn in range(times):
                source.seek(0)
                for packet in source.demux(stream):
                    if packet.dts is not None:
                        target.mux(_later(packet, turn * period, copy))

    return _cached(f"{video.stem}-times{times}.mp4", remux)


def read_numbers(frames: Image) -> list[int]:
    """Returns the number that each of `frames` `(T, H, W, 3)` shows, at any size."""
    _, height, width, _ = frames.shape
    rows = round(0.5 * STRIP_PX / HEIGHT_PX * height)
    columns = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    bits = frames[:, rows, columns].mean(axis=-1) > 127
    return [int(number) for number in (bits * (1 << np.arange(BITS))).sum(axis=1)]


def _later(packet: Packet[VideoStream], ticks: int, stream: VideoStream) -> Packet[VideoStream]:
    assert packet.pts is not None
    assert packet.dts is not None
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
    packet.stream = stream
    return packet


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    path = CACHE / name
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = CACHE / f".{name}.{os.getpid()}.part"
        try:
            make(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _paint(number: int) -> Image:
    """Returns frame `number` `(H, W, 3)`: a slow pan over a texture, two discs, the number."""
    scene, moment = divmod(number, SCENE_FRAMES)
    canvas = _texture(scene)
    left, top = 2 * moment, moment
    image = canvas[top : top + HEIGHT_PX, left : left + WIDTH_PX].copy()
    for disc, speed in enumerate((5, 9)):
        angle = speed * moment / SCENE_FRAMES + disc
        center = (
            round(WIDTH_PX * (0.5 + 0.35 * np.cos(angle))),
            round(HEIGHT_PX * (0.5 + 0.3 * np.sin(1.3 * angle))),
        )
        color = (40 + 170 * disc, 200 - 90 * disc, (60 * scene) % 256)
        cv2.circle(image, center, 60 + 30 * disc, color, -1, cv2.LINE_AA)
    bits = (number >> np.arange(BITS)) & 1
    strip = np.repeat(bits, -(-WIDTH_PX // BITS))[:WIDTH_PX] * 255
    image[:STRIP_PX] = strip[None, :, None]
    return image


@lru_cache(maxsize=1)
def _texture(scene: int) -> Image:
    """Returns clouds of several sizes `(H, W, 3)`, wider than the frame, by a seed per scene."""
    random = np.random.default_rng(scene)
    size = (WIDTH_PX + 2 * SCENE_FRAMES, HEIGHT_PX + SCENE_FRAMES)
    layers = [
        cv2.resize(
            random.random((cells, 2 * cells, 3), dtype=np.float32) / level,
            size,
            interpolation=cv2.INTER_CUBIC,
        )
        for level, cells in enumerate((4, 16, 64, 256), start=1)
    ]
    clouds = np.sum(layers, axis=0)
    low, high = clouds.min(), clouds.max()
    texture: Image = (255 * (clouds - low) / (high - low)).astype(np.uint8)
    return texture

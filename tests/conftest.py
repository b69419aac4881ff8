"""Fixtures that many tests share: real clips, and videos whose frames carry their number."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

# Tensors of tests are so small that threads over them only wait for each other, all the more where
# tests run beside each other. It must be set before torch is imported, and reaches child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import av
import numpy as np
import pytest

BITS = 8
"""Each frame shows its number as black and white stripes, which survive coding and scaling."""


HAS_TORCHVISION = importlib.util.find_spec("torchvision") is not None


def _load_torchvision() -> None:
    """Imports torchvision before transformers does, also a build for another build of torch.

    The pure Python part is all that processors need; it only asks that two operators are declared.
    """
    import torch

    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
        import torchvision  # noqa: F401


_kept: list[object] = []
if HAS_TORCHVISION:
    _load_torchvision()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs torchvision where there is none."""
    if not HAS_TORCHVISION:
        for item in items:
            if item.get_closest_marker("torchvision"):
                item.add_marker(pytest.mark.skip(reason="torchvision is not installed"))


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of real clips."""
    if "FRAMESIFT_CLIPS" not in os.environ:
        pytest.skip("FRAMESIFT_CLIPS does not name the folder of the real clips")
    return Path(os.environ["FRAMESIFT_CLIPS"])


@pytest.fixture(scope="session")
def write_video() -> Callable[..., Path]:
    """Writes a video of numbered frames."""
    return _write_video


@pytest.fixture(scope="session")
def numbers_in() -> Callable[..., list[int]]:
    """Reads the numbers off decoded pictures `(T, H, W, 3)` of any size."""
    return _numbers_in


def _write_video(
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
        stream = container.add_stream(codec, rate=fps, options=codec_options or {})
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


def _picture(number: int, size: tuple[int, int]) -> np.ndarray:
    bits = (number >> np.arange(BITS)) & 1
    stripes = np.repeat(bits * 200 + 28, -(-size[1] // BITS))[: size[1]]
    noise = np.random.default_rng(number).integers(-12, 13, (*size, 3))
    return (stripes[None, :, None] + noise).astype(np.uint8)


def _numbers_in(pictures: np.ndarray) -> list[int]:
    _, height, width, _ = pictures.shape
    middles = (np.arange(BITS) * 2 + 1) * width // (2 * BITS)
    bits = pictures[:, height // 2, middles].mean(axis=-1) > 127
    return (bits << np.arange(BITS)).sum(axis=1).tolist()


def _mux_tone(container: av.container.OutputContainer, seconds: float) -> None:
    stream = container.add_stream("aac", rate=16000, layout="mono")
    for start in range(0, int(seconds * 16000), 1024):
        samples = np.sin(np.arange(start, start + 1024) / 8, dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())

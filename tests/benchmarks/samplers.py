"""Ways to get the frames at given positions as RGB of one size: ours, and what a user would write.

Every peer gets the numbers of the frames; ours works that out itself, which counts as its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
SIZE_PX: Final = 384


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """One contestant: called with a path and positions, it returns frames `(T, H, W, 3)`."""

    sample: Callable[[str, Sequence[int]], Images]
    imports: tuple[str, ...]
    """Modules that are imported before the clock starts."""


def _framesift(path: str, positions: Sequence[int], *, decoder: str) -> Images:
    from pathlib import Path

    from framesift.decoders import registry
    from framesift.decoders.sampling import at_fps
    from framesift.types.frames import Frames

    reader = registry.create(decoder)
    wanted = at_fps(reader.index(Path(path)), 1.0)
    windows = reader.decode(Path(path), wanted, size_px=(SIZE_PX, SIZE_PX))
    return Frames.concatenate(list(windows)).data


def _opencv_read(path: str, positions: Sequence[int]) -> Images:
    import cv2

    capture, wanted, images = cv2.VideoCapture(path), set(positions), []
    for position in range(positions[-1] + 1):
        ok, image = capture.read()
        if ok and position in wanted:
            images.append(_opencv_rgb(image))
    return np.stack(images)


def _opencv_grab(path: str, positions: Sequence[int]) -> Images:
    import cv2

    capture, wanted, images = cv2.VideoCapture(path), set(positions), []
    for position in range(positions[-1] + 1):
        if capture.grab() and position in wanted:
            images.append(_opencv_rgb(capture.retrieve()[1]))
    return np.stack(images)


def _opencv_seek(path: str, positions: Sequence[int]) -> Images:
    import cv2

    capture, images = cv2.VideoCapture(path), []
    for position in positions:
        capture.set(cv2.CAP_PROP_POS_FRAMES, position)
        ok, image = capture.read()
        if ok:
            images.append(_opencv_rgb(image))
    return np.stack(images)


def _opencv_rgb(image: Any) -> Any:
    import cv2

    small = cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)


def _pyav_forward(path: str, positions: Sequence[int]) -> Images:
    import av

    wanted, images = set(positions), []
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for position, frame in enumerate(container.decode(stream)):
            if position in wanted:
                images.append(frame.to_ndarray(format="rgb24", width=SIZE_PX, height=SIZE_PX))
            if position == positions[-1]:
                break
    return np.stack(images)


def _decord(path: str, positions: Sequence[int]) -> Images:
    import decord

    reader = decord.VideoReader(path, width=SIZE_PX, height=SIZE_PX)
    images: Images = reader.get_batch(list(positions)).asnumpy()
    return images


def _torchcodec(path: str, positions: Sequence[int]) -> Images:
    decoders = import_module("torchcodec.decoders")
    transforms = import_module("torchcodec.transforms")
    decoder = decoders.VideoDecoder(
        path,
        dimension_order="NHWC",
        num_ffmpeg_threads=0,
        seek_mode="approximate",
        transforms=[transforms.Resize((SIZE_PX, SIZE_PX))],
    )
    images: Images = decoder.get_frames_at(list(positions)).data.numpy()
    return images


def _ours(decoder: str) -> Sampler:
    module = f"framesift.decoders.{decoder}"
    return Sampler(sample=partial(_framesift, decoder=decoder), imports=(module,))


OURS: Final = {f"framesift {name}": _ours(name) for name in ("pyav", "opencv")}
PEERS: Final = {
    "OpenCV read all": Sampler(sample=_opencv_read, imports=("cv2",)),
    "OpenCV grab/retrieve": Sampler(sample=_opencv_grab, imports=("cv2",)),
    "OpenCV seek per frame": Sampler(sample=_opencv_seek, imports=("cv2",)),
    "PyAV forward": Sampler(sample=_pyav_forward, imports=("av",)),
    "decord": Sampler(sample=_decord, imports=("decord",)),
    "torchcodec": Sampler(
        sample=_torchcodec, imports=("torchcodec.decoders", "torchcodec.transforms")
    ),
}

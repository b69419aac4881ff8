"""How the parts of a frame moved, from the motion vectors in the file: no pixels are compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from framesift.decoders import _container
from framesift.decoders._boundary import reading
from framesift.decoders._orientation import Orientation
from framesift.decoders._timeline import read_timeline
from framesift.decoders.base import check_indices
from framesift.decoders.seeking import found_frames
from framesift.errors import DecodeError
from framesift.types.options import whole
from framesift.types.video import MAX_PIXELS

CODECS: Final = ("h264", "mpeg4", "mpeg2video", "mpeg1video")
"""Codecs whose vectors libav gives out."""
PART_PX: Final = 4
"""Side of the smallest block that any of them moves."""
MARGIN: Final = 64 // PART_PX
"""Parts by which a block may reach beyond the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What a frame takes from the frames before it, on a grid of cells."""

    index: int
    """Position of the frame in its stream."""
    pts_seconds: float
    displacement_px: npt.NDArray[np.float32]
    """Mean way `(h, w, 2)` to the right and down from where its content stood in the frame that it
    is predicted from, in pixels of the stored picture; that may be several frames before. Zero
    where `coverage` is."""
    coverage: npt.NDArray[np.float32]
    """Share of each cell `(h, w)` that is predicted from an earlier frame. The rest is new, or
    predicted from a later frame alone; of a keyframe it is all."""


def motion(
    path: Path, indices: Sequence[int], *, grid: tuple[int, int], max_pixels: int = MAX_PIXELS
) -> Iterator[Motion]:
    """Yields the motion of the frames at ascending `indices` that can be decoded.

    A codec chooses vectors that save bits, not those of objects: on flat parts they may be any.

    Args:
        path: the video file.
        indices: positions in `index(path).pts_seconds` of a decoder, ascending and unique.
        grid: rows and columns of cells over the displayed picture.
        max_pixels: most pixels of a picture.

    Raises:
        DecodeError: the codec is none of `CODECS`.
        CorruptVideoError: the file cannot be read.
    """
    path, grid = Path(path), (whole("grid", grid[0], "row"), whole("grid", grid[1], "column"))
    with reading(path):
        timeline = read_timeline(path, max_pixels)
        check_indices(len(timeline.ticks), indices)
        with _container.open_video(path, max_pixels) as (_, stream):
            name = stream.codec_context.codec.canonical_name
        if name not in CODECS:
            raise DecodeError(
                f"{path.name!r} is {name}, whose motion vectors cannot be read; convert it to "
                "H.264, or compare pixels"
            )
        for index, frame in found_frames(path, timeline, indices, max_pixels, vectors=True):
            cells = _pooled(_vectors(frame, timeline.orientation), grid)
            coverage = cells[..., 2:]
            yield Motion(
                index=index,
                pts_seconds=float(timeline.index.pts_seconds[index]),
                displacement_px=cells[..., :2] / (coverage + (coverage == 0)),
                coverage=coverage[..., 0],
            )


def _vectors(frame: VideoFrame, orientation: Orientation) -> npt.NDArray[np.float32]:
    """Returns way right, way down and coverage `(H / 4, W / 4, 3)` of a frame as it is shown."""
    size = -(-frame.height // PART_PX), -(-frame.width // PART_PX)
    parts = np.zeros((size[0] + MARGIN, size[1] + MARGIN, 3), dtype=np.float32)
    side_data: Any = frame.side_data.get("MOTION_VECTORS")
    if side_data is not None:
        _fill(parts, side_data.to_ndarray())
    parts = parts[: size[0], : size[1]]
    across, down = np.array([1, 0, 0]), np.array([0, 1, 0])
    if orientation.transpose:
        parts = parts.transpose(1, 0, 2)[..., [1, 0, 2]]
    if orientation.flip_rows:
        parts = parts[::-1] * (1 - 2 * down)
    if orientation.flip_columns:
        parts = parts[:, ::-1] * (1 - 2 * across)
    return parts.astype(np.float32)


def _fill(parts: npt.NDArray[np.float32], vectors: npt.NDArray[Any]) -> None:
    """Writes the vectors of blocks that come from earlier frames where the blocks stand."""
    vectors = vectors[vectors["source"] < 0]
    width, height = vectors["w"].astype(int), vectors["h"].astype(int)
    left, top = vectors["dst_x"] - width // 2, vectors["dst_y"] - height // 2
    scale = -np.maximum(vectors["motion_scale"], 1).astype(np.float32)  # they point back
    ways = np.stack([vectors["motion_x"] / scale, vectors["motion_y"] / scale], axis=1)
    values = np.concatenate([ways, np.ones((len(ways), 1))], axis=1)
    for w, h in sorted(set(zip(width.tolist(), height.tolist(), strict=True))):
        same = (width == w) & (height == h)
        rows = (np.maximum(top[same], 0) // PART_PX)[:, None] + np.arange(-(-h // PART_PX))
        columns = (np.maximum(left[same], 0) // PART_PX)[:, None] + np.arange(-(-w // PART_PX))
        parts[rows[:, :, None], columns[:, None, :]] = values[same][:, None, None]


def _pooled(parts: npt.NDArray[np.float32], grid: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Returns the means `(h, w, C)` of parts `(H, W, C)` over the cells of a grid.

    Parts that lie in two cells count in both, by their share, so any grid fits.
    """
    for axis, count in enumerate(grid):
        length = parts.shape[axis]
        edges = np.arange(count + 1) * (length / count)
        starts = np.arange(length)
        upper = np.minimum(edges[1:, None], starts + 1)
        shares = np.clip(upper - np.maximum(edges[:-1, None], starts), 0, None) * count / length
        parts = np.moveaxis(np.tensordot(shares.astype(np.float32), parts, (1, axis)), 0, axis)
    return parts

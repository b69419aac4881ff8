"""Synthetic clips for training: drawn, encoded as H.264, and read back by the own decode path."""

from __future__ import annotations

import io
import json
import multiprocessing
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from framesift.decoders import registry as decoders
from framesift.decoders.sampling import at_fps
from framesift.disk.writing import json_value, storing, write_atomically
from framesift.errors import InvalidOptionError
from framesift.run import progress_bar
from framesift.sources.base import open_video

SEEDS = range(1_000_000)
"""Of the training split; those behind it are for validation and tests."""
FRAMES, CLIPS = "frames.npy", "clips.json"
SIDE_PX = 128
"""Frames are kept at the size that the tiny model's vision tower takes, squashed to a square."""
SHARES = {
    "quiz": 0.34,
    "changes": 0.08,
    "shapes": 0.13,
    "events": 0.13,
    "number": 0.1,
    "cuts": 0.09,
    "mixed": 0.1,
    "static": 0.03,
}
"""How often each scene is drawn. Slides are left out: their text is too small for the tower."""
LONG = 0.15
"""Share of clips that last up to 64 seconds."""
SIZES_PX = ((320, 180), (320, 180), (448, 252), (640, 360), (320, 240))


@dataclass(frozen=True, kw_only=True)
class LabeledClip:
    """One clip of a shard: where its frames lie, when they are shown, and its ground truth."""

    uri: str
    start: int
    """Its first frame in the shard's array."""
    times_seconds: tuple[float, ...]
    truth: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Some clips, with the frames of all of them one after another."""

    frames: npt.NDArray[np.uint8]
    """RGB `(F, 128, 128, 3)`, mapped from disk."""
    clips: tuple[LabeledClip, ...]


def clip_address(seed: int) -> tuple[str, float]:
    """Returns the address of the clip of a seed and the frames per second to sample it with."""
    rng = random.Random(f"clip-{seed}")
    scene = rng.choices(list(SHARES), list(SHARES.values()))[0]
    lowest, highest = {"mixed": (16, 24), "quiz": (10, 18), "cuts": (10, 16)}.get(scene, (8, 14))
    seconds = rng.randint(lowest, 64 if rng.random() < LONG else highest)
    width, height = rng.choice(SIZES_PX)
    fps = rng.choice([f for f in (1.0, 1.0, 1.5, 2.0) if f * seconds <= max(18, seconds)])
    return (
        f"synthetic://{scene}?seconds={seconds}&seed={seed}&width={width}&height={height}&fps=4",
        fps,
    )


def make_shards(
    folder: Path,
    seeds: Sequence[int],
    *,
    processes: int,
    per_shard: int = 250,
    address: Callable[[int], tuple[str, float]] | None = None,
) -> list[Path]:
    """Writes the clips of `seeds` in shards and returns their folders; finished ones are kept.

    Runs that want different numbers of clips may share a folder: a last shard with fewer clips than
    the others has their number in its name, so that no run takes it for a whole one.

    Raises:
        InvalidOptionError: a seed is not one of the training split.
        StorageError: the folder cannot be written to.
    """
    if seeds and max(seeds) not in SEEDS:
        raise InvalidOptionError(
            f"{len(seeds)} clips are too many from seed {min(seeds)} on: from {SEEDS.stop} on are "
            f"those that models are measured with; draw at most {SEEDS.stop - min(seeds)}"
        )
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    parts = [seeds[i : i + per_shard] for i in range(0, len(seeds), per_shard)]
    jobs = [
        (folder / f"{part[0]:07d}{'' if len(part) == per_shard else f'-{len(part)}'}", part)
        for part in parts
    ]
    todo = [(*job, address) for job in jobs if not _is_whole(*job)]
    if not todo:
        return [path for path, _ in jobs]
    with (
        multiprocessing.get_context("spawn").Pool(processes) as pool,
        progress_bar("clips", total=len(jobs)) as bar,
    ):
        bar.update(len(jobs) - len(todo))
        for _ in pool.imap_unordered(_make_shard, todo):
            bar.update(1)
    return [path for path, _ in jobs]


def read_shards(paths: Sequence[Path]) -> Iterator[Shard]:
    """Yields shards; frames are mapped, not read."""
    for path in paths:
        clips = json.loads((path / CLIPS).read_text())
        yield Shard(
            frames=np.load(path / FRAMES, mmap_mode="r", allow_pickle=False),
            clips=tuple(
                LabeledClip(**{**clip, "times_seconds": tuple(clip["times_seconds"])})
                for clip in clips
            ),
        )


def _is_whole(path: Path, seeds: Sequence[int]) -> bool:
    """Returns whether a shard holds the clips of some seeds, in files that are whole."""
    noted = path / CLIPS
    kept = json_value(noted.read_bytes()) if noted.is_file() else None
    if not isinstance(kept, list) or len(kept) != len(seeds):
        return False
    try:
        np.load(path / FRAMES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return True


def _make_shard(job: tuple[Path, Sequence[int], Callable[[int], tuple[str, float]] | None]) -> None:
    path, seeds, address = job
    frames: list[npt.NDArray[np.uint8]] = []
    clips = []
    for seed in seeds:
        uri, fps = (address or clip_address)(seed)
        pictures, times, truth = _read_back(uri, fps)
        clips.append(
            asdict(LabeledClip(uri=uri, start=len(frames), times_seconds=times, truth=truth))
        )
        frames.extend(pictures)
    # Another run may have mapped the same file: it is replaced, never written to.
    content = io.BytesIO()
    np.save(content, np.stack(frames), allow_pickle=False)
    write_atomically(path / FRAMES, content.getvalue())
    write_atomically(path / CLIPS, json.dumps(clips).encode())


def _read_back(
    uri: str, fps: float
) -> tuple[list[npt.NDArray[np.uint8]], tuple[float, ...], dict[str, Any]]:
    decoder = decoders.create("pyav")
    pictures: list[npt.NDArray[np.uint8]] = []
    times: list[float] = []
    with open_video(uri) as video:
        assert video.path is not None
        assert video.truth is not None
        index = decoder.index(video.path)
        for window in decoder.decode(video.path, at_fps(index, fps)):
            pictures.extend(squashed(frame) for frame in window.data)
            times.extend(window.pts_seconds.tolist())
        return pictures, tuple(times), video.truth


def squashed(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns a frame at the tower's size, as its image processor resizes it, before scaling."""
    return np.asarray(Image.fromarray(frame).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))

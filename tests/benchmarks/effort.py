"""How much a run of the benchmark measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured."""

    clip_seconds: int = 60
    sampling_rounds: int = 3
    planning_rounds: int = 3
    frames: tuple[int, ...] = (32, 128, 512)
    coverage_videos: int = 20
    pointing_videos: int = 20
    finding_videos: int = 60
    skipping_videos: int = 40
    skipping_pairs: int = 45
    """Of the pairs of two digits, of which one changes into the other."""
    evidence_keeps: tuple[float, ...] = (0.05, 0.1, 0.25, 0.5)
    server_seconds: float = 20.0
    server_clients: tuple[int, ...] = (1, 2, 4, 8)
    """How many ask the server at once, one round each."""
    real_models: tuple[str, ...] = ("llava", "llava-onevision", "internvl", "qwen2-5-vl")
    catalogue_rounds: int = 1
    cost_rounds: int = 1
    cost_keeps: tuple[float, ...] = (1.0, 0.5, 0.25, 0.1)
    """1 and 0.25 are among them."""
    cost_seconds: int | None = None
    """Length of the video that answers are about; None for one that suits the machine."""
    page_videos: int = 8
    slow_fast_frames: int = 32
    """Multiple of the four frames of a segment."""
    large_rounds: int = 3
    large_real_size: bool = True
    """Whether large frames go through a tower of real size too."""
    scale_rounds: int = 3
    memory_seconds: tuple[int, int] = (300, 3600)
    """Lengths of the short and the long video, multiples of `clip_seconds`."""


FULL: Final = Effort()
QUICK: Final = Effort(
    sampling_rounds=1,
    coverage_videos=3,
    pointing_videos=2,
    finding_videos=2,
    skipping_videos=2,
    skipping_pairs=3,
    evidence_keeps=(0.25,),
    server_seconds=5.0,
    real_models=("llava",),
    cost_keeps=(1.0, 0.25),
    cost_seconds=6,
    page_videos=1,
    slow_fast_frames=8,
    large_rounds=1,
    large_real_size=False,
    scale_rounds=1,
    memory_seconds=(60, 360),
)

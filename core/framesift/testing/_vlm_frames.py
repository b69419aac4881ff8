"""What every vision LLM promises of the size at which frames reach it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from framesift.compression.compressor import VideoCompressor
from framesift.decoders.base import Decoder, FrameIndex, Picture
from framesift.testing._vlm_case import VLMCase
from framesift.testing.samples import random_frames
from framesift.types.frames import Frames
from framesift.types.options import ResizedBy
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo, VideoInfo

LARGE_PX = (904, 1000)
"""Frame size `(H, W)` that is larger than what any tiny tower shows more of."""


@dataclass(frozen=True, kw_only=True)
class MadeUp(Decoder):
    """Gives frames that are held in memory as those of any file, and notes their sizes."""

    frames: Any
    """The `Frames`, an hour at most."""

    @property
    def info(self) -> VideoInfo:
        """What a file of these frames would say."""
        count, height, width, _ = self.frames.data.shape
        return VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=float(count),
            start_seconds=0.0,
            frame_count=count,
            average_fps=1.0,
            codec="none",
        )

    def scan(self, path: Path) -> FrameIndex:
        """Returns the times of the frames."""
        return FrameIndex(info=self.info, pts_seconds=self.frames.pts_seconds)

    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, Picture]]:
        """Yields the frames; a size that is not theirs is that of their first pixels."""
        height, width = size_px or self.frames.data.shape[1:3]
        for index in indices:
            yield index, self.frames.data[index, :height, :width]


class FramePromises:
    """Frames of a file are prepared from display size, as the family's own processor does it."""

    def test_large_frames_reach_it_at_display_size(self, case: VLMCase, tmp_path: Path) -> None:
        """The tokens of a large video are those of its frames as they are shown, to the bit."""
        frames = random_frames(2, LARGE_PX)
        decoder = MadeUp(frames=frames)
        encoder = case.vlm.encoder.fitted(decoder.info, len(frames))
        assert encoder.takes_display_size
        shown = encoder.encode(frames, frozenset())
        found = _through_a_compressor(case, frames, tmp_path, "model")
        assert torch.equal(found.features, shown.features)

    def test_the_decoder_scales_large_frames_where_it_may(
        self, case: VLMCase, tmp_path: Path
    ) -> None:
        """With `resized_by="decoder"` no frame is larger than what the tower shows more of."""
        frames = random_frames(2, LARGE_PX)
        most = case.vlm.encoder.fitted(MadeUp(frames=frames).info, len(frames)).input_px
        height, width = (min(pair) for pair in zip(LARGE_PX, most, strict=True))
        scaled = Frames(
            data=frames.data[:, :height, :width],
            pts_seconds=frames.pts_seconds,
            indices=frames.indices,
        )
        encoder = case.vlm.encoder.fitted(MadeUp(frames=frames).info, len(frames))
        found = _through_a_compressor(case, frames, tmp_path, "decoder")
        assert torch.equal(found.features, encoder.encode(scaled, frozenset()).features)


def _through_a_compressor(
    case: VLMCase, frames: Frames, folder: Path, resized_by: ResizedBy
) -> VideoTokens:
    """Returns all tokens that a compressor makes of a file of these frames."""
    path = folder / "made-up.mp4"
    path.touch()
    decoder = MadeUp(frames=frames)
    sift = VideoCompressor(vlm=case.vlm, decoder=decoder, resized_by=resized_by)
    return sift.encode(LocalVideo(path=path, uri="made-up"), signals=()).tokens

"""Large frames reach a vision LLM at display size, in windows that stay small."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.compression.frame_tokens import encode_frames
from framesift.compression.opening import FrameReader
from framesift.compression.stretches import GATED_BYTES, Gate
from framesift.decoders.base import WINDOW_BYTES, Decoder, FrameIndex
from framesift.encoders.base import Encoder
from framesift.encoders.edges import edge_density, shrunk
from framesift.run import Run
from framesift.testing import TINY_VLMS
from framesift.testing.samples import random_frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo, VideoInfo
from framesift.vlms.load import load_vlm

LARGE_PX = (2160, 3840)
WINDOWS = []


@dataclass(frozen=True, kw_only=True)
class Noting(Encoder):
    """Notes the windows that it is given."""

    summary: ClassVar[str] = "notes windows"
    takes_display_size: ClassVar[bool] = True
    grid: ClassVar[tuple[int, int]] = (1, 1)
    input_px: ClassVar[tuple[int, int]] = (896, 896)
    frames_per_step: ClassVar[int] = 2

    def encode(self, frames, signals=None):
        WINDOWS.append(frames.data.shape)
        times = frames.step_seconds(2)
        return VideoTokens(
            features=torch.zeros(len(times), 1, 4),
            grid=self.grid,
            pts_seconds=torch.from_numpy(times[:, 0].copy()),
            step_seconds=torch.from_numpy(times),
        )


@dataclass(frozen=True, kw_only=True)
class Black(Decoder):
    """A black video of a size."""

    summary: ClassVar[str] = "black"
    size_px: tuple[int, int] = LARGE_PX

    def scan(self, path):
        info = VideoInfo(
            width_px=self.size_px[1],
            height_px=self.size_px[0],
            duration_seconds=100.0,
            start_seconds=0.0,
            frame_count=100,
            average_fps=1.0,
            codec="none",
        )
        return FrameIndex(info=info, pts_seconds=np.arange(100.0))

    def pictures(self, path, indices, size_px):
        for index in indices:
            yield index, np.zeros((*size_px, 3), np.uint8)


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "v.mp4"
    path.touch()
    WINDOWS.clear()
    return LocalVideo(path=path, uri="v")


@pytest.fixture
def reader(local):
    return FrameReader(local=local, decoder=Black(), run=Run())


def test_windows_of_large_frames_are_bounded_by_their_bytes(reader):
    encode_frames(reader, range(11), Noting())
    assert {shape[1:3] for shape in WINDOWS} == {LARGE_PX}
    assert sum(shape[0] for shape in WINDOWS) == 11
    assert max(np.prod(shape) for shape in WINDOWS) <= WINDOW_BYTES


def test_so_are_those_that_a_gate_joins(reader):
    encode_frames(reader, range(12), Noting(), gate=Gate(levels=8))
    assert max(np.prod(shape) for shape in WINDOWS) <= GATED_BYTES + WINDOW_BYTES


def test_the_fast_way_scales_them_in_the_decoder(reader):
    encode_frames(replace(reader, resized_by="decoder"), range(11), Noting())
    assert {shape[1:3] for shape in WINDOWS} == {(896, 896)}


def test_an_encoder_that_has_no_processor_of_its_own_leaves_it_to_the_decoder(local):
    tokens = [
        VideoCompressor(resized_by=way, decoder=Black(size_px=(1000, 1200)), max_frames=2)
        .encode(local)
        .tokens.features
        for way in ("model", "decoder")
    ]
    assert torch.equal(*tokens)


def test_a_report_says_what_scaled_the_frames(local):
    options = {"decoder": Black(size_px=(40, 40)), "max_frames": 2, "selector": "uniform"}
    for way in ("model", "decoder"):
        made = VideoCompressor(vlm="tiny", resized_by=way, **options).compress(local)
        assert made.report.resized_by == way
    assert VideoCompressor(**options).compress(local).report.resized_by is None


def test_strokes_are_counted_at_the_size_that_shows_them():
    """Letters of 4K have strokes of many pixels; scaled down, they are lines again."""
    lines = np.zeros((1, 2160, 3840, 3), np.uint8)
    lines[:, ::40, :] = lines[:, 1::40, :] = lines[:, 2::40, :] = lines[:, 3::40, :] = 255
    assert edge_density(lines, (4, 4)).max() == 0
    small = shrunk(lines, (896, 896))
    assert small.shape == (1, 896, 896, 3)
    assert edge_density(small, (4, 4)).min() > 0.02


def test_small_frames_are_left_as_they_are():
    images = random_frames(2, (61, 97)).data
    assert shrunk(images, (896, 896)) is images
    assert shrunk(images, (896, 32)).shape == (2, 61, 32, 3)


def test_so_are_those_of_a_large_picture(tmp_path):
    TINY_VLMS["llava"].build(tmp_path)
    lines = np.zeros((2000, 2000, 3), np.uint8)
    lines.reshape(50, 40, 2000, 3)[:, :4] = 255
    sift = VideoCompressor(vlm=load_vlm(str(tmp_path), device="cpu"), strategy="uniform")
    found = sift.encode(Image.fromarray(lines)).tokens.signals.edge_density
    assert found.min() > 0.02

"""What the pipeline does for encoders that join frames, or that depend on the video's size."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from framesift import VideoCompressor
from framesift.encoders import registry
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo

INFO = VideoInfo(
    width_px=128,
    height_px=64,
    duration_seconds=4.0,
    start_seconds=0.0,
    frame_count=4,
    average_fps=1.0,
    codec="none",
)


@dataclass(frozen=True, kw_only=True)
class Pairs(Encoder):
    """Joins frames two by two; a token is the mean colour of both, and the grid is the video's."""

    summary: ClassVar[str] = "pairs"
    gives: ClassVar[frozenset[str]] = frozenset()
    step: int = 2
    layered: bool = False
    columns: int = 1

    @property
    def grid(self):
        return 1, self.columns

    @property
    def input_px(self):
        return 64, 64 * self.columns

    @property
    def frames_per_step(self):
        return self.step

    def fitted(self, info, frames=None):
        return replace(self, columns=info.width_px // info.height_px)

    def encode(self, frames, signals=None):
        assert frames.data.shape[1:3] == self.input_px
        missing = -len(frames) % self.step
        data = np.concatenate([frames.data, frames.data[-1:].repeat(missing, axis=0)])
        means = data.astype(np.float32).mean((1, 2)).reshape(-1, self.step * 3)
        features = torch.from_numpy(means)[:, None].repeat(1, self.columns, 1)
        return VideoTokens(
            features=features,
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds[:: self.step]),
            layers=torch.stack([features, -features], dim=2) if self.layered else None,
        )


@pytest.fixture(scope="module")
def video(tmp_path_factory, write_video):
    return write_video(tmp_path_factory.mktemp("steps") / "v.mp4", 37, fps=1, size=(64, 128))


def test_by_default_an_encoder_is_for_every_video_and_sees_all_of_it():
    encoder = registry.create("handcrafted")
    assert encoder.fitted(INFO) is encoder
    assert encoder.region(INFO) == (0, 0, 1, 1)
    assert encoder.frames_per_step == 1
    assert encoder.spec == "handcrafted"
    assert registry.create("handcrafted:grid_size=4").spec == "handcrafted:grid_size=4"


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_frames_are_joined_across_the_windows_of_the_decoder(video, step):
    sift = VideoCompressor(encoder=Pairs(step=step), strategy="uniform", keep=1.0)
    found = sift.compress(video)
    assert found.frame_seconds.tolist() == [float(i) for i in range(0, 37, step)]
    assert found.report.tokens_in == 2 * -(-37 // step)
    means = sift.frames(video).data.astype(np.float32).mean((1, 2))
    means = np.concatenate([means, means[-1:].repeat(-37 % step, axis=0)]).reshape(-1, step * 3)
    torch.testing.assert_close(found.tokens[::2], torch.from_numpy(means), rtol=0, atol=1e-3)


def test_the_grid_is_that_of_the_fitted_encoder(video):
    report = VideoCompressor(encoder=Pairs(), strategy="uniform", keep=1.0).compress(video).report
    assert report.grid == (1, 2)


@pytest.mark.parametrize("layered", [True, False])
def test_deeper_layers_go_through_the_same_plan(video, layered):
    sift = VideoCompressor(encoder=Pairs(layered=layered), strategy="uniform", keep=0.3)
    found = sift.compress(video)
    if not layered:
        assert found.layers is None
    else:
        assert found.layers.shape == (len(found.tokens), 2, 6)
        assert torch.equal(found.layers, torch.stack([found.tokens, -found.tokens], dim=1))


def test_frames_that_a_selector_picks_are_joined_two_by_two(video):
    sift = VideoCompressor(
        encoder=Pairs(), strategy="uniform", keep=1.0, max_frames=7, selector="uniform"
    )
    assert len(sift.compress(video).frame_seconds) == 4


def test_an_encoder_of_before_signals_is_refused_in_one_line():
    class Older(Pairs):
        def encode(self, frames):
            return super().encode(frames)

    class Open(Pairs):
        def encode(self, *given):
            return super().encode(*given)

    with pytest.raises(InvalidOptionError, match=r"Older\) has encode\(") as told:
        VideoCompressor(encoder=Older())
    assert "encode(self, frames)" in str(told.value)
    assert "signals=None" in str(told.value)
    assert "\n" not in str(told.value)
    assert VideoCompressor(encoder=Open()).compress("synthetic://cuts?seconds=4").report.tokens_out

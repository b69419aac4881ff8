import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from framesift import load
from framesift.cli.commands import app
from framesift.compression.compressor import VideoCompressor
from framesift.compression.frame_tokens import encode_frames
from framesift.compression.opening import FrameReader
from framesift.decoders.base import Decoder, FrameIndex
from framesift.encoders import registry as encoders
from framesift.errors import InvalidOptionError
from framesift.run import Run
from framesift.sources.base import open_video
from framesift.types.video import LocalVideo, VideoInfo

CLIP = "synthetic://mixed?seconds=6&width=320&height=180"


class Slides(Decoder):
    """Twelve seconds of slides, one a second; the ninth is lost."""

    summary = "slides"
    shown = (0, 0, 0, 1, 1, 2, 2, 2, 0, 0, 2, 2)

    def scan(self, path):
        info = VideoInfo(
            width_px=160,
            height_px=120,
            duration_seconds=12.0,
            start_seconds=0.0,
            frame_count=12,
            average_fps=1.0,
            codec="none",
        )
        return FrameIndex(info=info, pts_seconds=np.arange(12.0))

    def pictures(self, path, indices, size_px):
        for index in indices:
            if index == 8:
                continue
            slide = np.random.default_rng(self.shown[index]).integers(0, 256, (12, 16, 3))
            yield index, slide.repeat(10, 0).repeat(10, 1).astype(np.uint8)


@pytest.fixture
def slides(tmp_path):
    path = tmp_path / "slides.mp4"
    path.touch()
    return LocalVideo(path=path, uri="slides", temporary_folder=None)


@pytest.fixture(scope="module")
def clip():
    with open_video(CLIP) as video:
        yield video


@pytest.mark.parametrize("strategy", ["uniform", "temporal"])
def test_tokens_times_and_budget_are_those_of_all_frames(slides, strategy):
    with_gate, without = (
        VideoCompressor(strategy=strategy, decoder=Slides(), gate=gate).compress(slides)
        for gate in (0.97, None)
    )
    assert with_gate.report.frames_in == without.report.frames_in == 11
    assert with_gate.report.frames_encoded == 5
    assert without.report.frames_encoded == 11
    assert with_gate.report.gate == 0.97
    assert with_gate.report.budget == without.report.budget
    assert set(with_gate.report.seconds) == {"decode", "gate", "encode", "plan", "apply"}
    assert "gate" not in without.report.seconds
    # Frames that are left out are the same as those encoded here, so nothing at all differs.
    assert torch.equal(with_gate.tokens, without.tokens)
    assert torch.equal(with_gate.plan.src, without.plan.src)
    assert torch.equal(with_gate.frame_seconds, without.frame_seconds)


def test_steps_are_counted_where_the_frames_go_through_the_encoder(slides):
    reader = FrameReader(local=slides, decoder=Slides(), run=Run())
    indices, encoder = [0, 1, 3, 5, 6, 8, 9, 10], encoders.create("handcrafted")
    found = encode_frames(reader, indices, encoder, gate=0.97)
    assert found.indices == [0, 1, 3, 5, 6, 9, 10]
    assert found.tokens.pts_seconds.tolist() == [0, 1, 3, 5, 6, 9, 10]
    assert found.steps_encoded == 5
    picked = found.at([1, 9])
    assert picked.indices == [1, 9]
    assert torch.equal(picked.tokens.features, found.tokens.features[[1, 5]])


@pytest.mark.parametrize("selector", ["uniform", "keyframes"])
def test_frames_that_a_selector_picked_pass_the_gate_too(slides, selector):
    sift = VideoCompressor(decoder=Slides(), selector=selector, max_frames=3, gate=0.97)
    report = sift.compress(slides).report
    assert report.frames_in == 3
    assert 1 <= report.frames_encoded <= 3


def test_a_moving_clip_keeps_its_budget(clip):
    plain = VideoCompressor(fps=5, keep=0.1).compress(clip).report
    gated = VideoCompressor(fps=5, keep=0.1, gate=0.9).compress(clip).report
    assert gated.tokens_out == plain.tokens_out == plain.budget
    assert gated.frames_in == plain.frames_in == plain.frames_encoded
    assert 1 < gated.frames_encoded < gated.frames_in


@pytest.mark.parametrize("gate", [0, -0.5, 1.01, float("nan")])
def test_a_gate_out_of_range_is_refused_before_any_work(gate):
    with pytest.raises(InvalidOptionError, match=f"gate={gate} .* at most 1, or None") as error:
        VideoCompressor(gate=gate)
    assert "\n" not in str(error.value)


def test_the_report_survives_the_disk(slides, tmp_path):
    video = VideoCompressor(decoder=Slides(), gate=0.97).compress(slides)
    video.save(tmp_path)
    assert load(tmp_path).report == video.report


def test_the_command_says_what_the_gate_saved():
    command = ["compress", CLIP, "--fps", "5", "--gate", "0.9"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    left_out = found["frames_in"] - found["frames_encoded"]
    assert left_out > 0
    assert f"({left_out} were like the last encoded one" in told.output
    plain = CliRunner().invoke(app, command[:-2])
    assert "encoded one" not in plain.output


def test_the_page_says_what_the_gate_saved(tmp_path):
    page = tmp_path / "page.html"
    command = ["report", CLIP, "--fps", "5", "--gate", "0.9", "--out", str(page)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert "the others copy the last encoded one (gate 0.9)" in page.read_text()


@pytest.mark.clips
def test_a_fifth_of_a_lively_screen_recording_is_not_encoded_at_two_frames_a_second(clips):
    sift = VideoCompressor(fps=2.0, gate=0.97, keep=0.1)
    report = sift.compress(clips / "screen-recording.mp4").report
    assert report.frames_in == 64
    assert report.frames_encoded <= 52

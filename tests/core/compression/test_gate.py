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
from framesift.compression.stretches import Gate
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
        for gate in (8, None)
    )
    assert with_gate.report.frames_in == without.report.frames_in == 11
    assert with_gate.report.frames_encoded == 5
    assert without.report.frames_encoded == 11
    assert with_gate.report.gate == 8
    assert with_gate.report.still == "copied"
    assert with_gate.report.tokens_encoded == 5 * 196
    assert with_gate.report.share_encoded == 5 / 11
    assert without.report.share_encoded == 1
    assert with_gate.report.budget == without.report.budget
    assert set(with_gate.report.seconds) == {"decode", "encode", "plan", "apply"}
    # Frames that are left out are the same as those encoded here, so nothing at all differs.
    assert torch.equal(with_gate.tokens, without.tokens)
    assert torch.equal(with_gate.plan.src, without.plan.src)
    assert torch.equal(with_gate.frame_seconds, without.frame_seconds)


def test_steps_are_counted_where_the_frames_go_through_the_encoder(slides):
    reader = FrameReader(local=slides, decoder=Slides(), run=Run())
    indices, encoder = [0, 1, 3, 5, 6, 8, 9, 10], encoders.create("handcrafted")
    found = encode_frames(reader, indices, encoder, gate=Gate(levels=8))
    assert found.indices == [0, 1, 3, 5, 6, 9, 10]
    assert found.tokens.pts_seconds.tolist() == [0, 1, 3, 5, 6, 9, 10]
    assert found.encoded.any(1).tolist() == [True, False, True, True, False, True, True]
    assert found.encoded_seconds[:, 3].tolist() == [0, 0, 3, 5, 5, 9, 10]
    picked = found.at([1, 9])
    assert picked.indices == [1, 9]
    assert torch.equal(picked.tokens.features, found.tokens.features[[1, 5]])


@pytest.mark.parametrize("selector", ["uniform", "keyframes"])
def test_frames_that_a_selector_picked_pass_the_gate_too(slides, selector):
    sift = VideoCompressor(decoder=Slides(), selector=selector, max_frames=3, gate=8)
    report = sift.compress(slides).report
    assert report.frames_in == 3
    assert 1 <= report.frames_encoded <= 3


@pytest.mark.parametrize("selector", ["uniform", "keyframes"])
def test_of_frames_that_a_selector_picked_the_still_ones_are_dropped_too(slides, selector):
    options = {"selector": selector, "max_frames": 10, "gate": 8, "keep": 1.0}
    sift = VideoCompressor(decoder=Slides(), still="dropped", strategy="uniform", **options)
    report = sift.compress(slides).report
    assert report.frames_in == 10
    assert report.tokens_out == report.tokens_encoded < report.tokens_in


def test_a_moving_clip_keeps_its_budget(clip):
    plain = VideoCompressor(fps=5, keep=0.1).compress(clip).report
    gated = VideoCompressor(fps=5, keep=0.1, gate=8).compress(clip).report
    assert gated.tokens_out == plain.tokens_out == plain.budget
    assert gated.frames_in == plain.frames_in == plain.frames_encoded
    assert 1 < gated.frames_encoded < gated.frames_in


@pytest.mark.parametrize("gate", [0, -0.5, 0.97, 1, 255.5, float("nan")])
def test_a_gate_out_of_range_is_refused_before_any_work(gate):
    with pytest.raises(InvalidOptionError, match=f"gate={gate} .* levels of 256") as error:
        VideoCompressor(gate=gate)
    assert "above 1 and at most 255, or None" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_stands_still_can_be_dropped(slides):
    options = {"strategy": "uniform", "decoder": Slides(), "gate": 8}
    copied, dropped = (
        VideoCompressor(**options, keep=1.0, still=still).compress(slides)
        for still in ("copied", "dropped")
    )
    assert dropped.report.still == "dropped"
    assert dropped.report.tokens_out == dropped.report.tokens_encoded == 5 * 196
    assert torch.equal(dropped.encoded_seconds, dropped.pts_seconds)
    assert copied.report.tokens_out == copied.report.tokens_in == 11 * 196
    own = copied.encoded_seconds == copied.pts_seconds
    assert torch.equal(copied.tokens[own], dropped.tokens)
    quarter = VideoCompressor(**options, keep=0.25, still="dropped").compress(slides)
    assert quarter.report.tokens_out == quarter.report.budget == round(0.25 * 11 * 196)
    assert torch.equal(quarter.encoded_seconds, quarter.pts_seconds)


@pytest.mark.parametrize("strategy", ["uniform", "framefusion"])
def test_each_token_says_when_it_was_encoded(slides, tmp_path, strategy):
    options = {"strategy": strategy, "decoder": Slides(), "keep": 0.5}
    video = VideoCompressor(**options, gate=8).compress(slides)
    assert VideoCompressor(**options).compress(slides).encoded_seconds is None
    assert (video.encoded_seconds <= video.pts_seconds).all()
    if strategy == "uniform":
        when = dict(zip(video.pts_seconds.tolist(), video.encoded_seconds.tolist(), strict=True))
        shown = {0: 0, 1: 0, 2: 0, 3: 3, 4: 3, 5: 5, 6: 5, 7: 5, 9: 9, 10: 10, 11: 10}
        assert when.items() <= shown.items()
        assert len(when) > 4
    video.save(tmp_path)
    again = load(tmp_path)
    assert torch.equal(again.encoded_seconds, video.encoded_seconds)
    assert again.report == video.report


def test_the_report_survives_the_disk(slides, tmp_path):
    video = VideoCompressor(decoder=Slides(), gate=8).compress(slides)
    video.save(tmp_path)
    assert load(tmp_path).report == video.report


@pytest.mark.slow
def test_the_command_says_what_the_gate_saved():
    command = ["compress", CLIP, "--fps", "5", "--gate", "8"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert 0 < found["frames_encoded"] < found["frames_in"]
    assert f"in {found['frames_encoded']} of {found['frames_in']} frames" in told.output
    assert "the others stood still" in told.output
    plain = CliRunner().invoke(app, command[:-2])
    assert "stood still" not in plain.output
    dropped = CliRunner().invoke(app, [*command, "--still", "dropped", "--keep", "1", "--json"])
    assert json.loads(dropped.output)["tokens_out"] == found["tokens_encoded"]


def test_the_page_says_what_the_gate_saved(tmp_path):
    page = tmp_path / "page.html"
    command = ["report", CLIP, "--fps", "5", "--gate", "8", "--keep", "1", "--out", str(page)]
    assert CliRunner().invoke(app, command).exit_code == 0
    text = page.read_text()
    assert "stood still and copy what was encoded before (gate 8)" in text
    assert "encoded at 00:0" in text


@pytest.mark.clips
@pytest.mark.parametrize(
    ("name", "fps", "most"), [("screen-recording", 2.0, 0.95), ("rabbit320", 1.0, 1.0)]
)
@pytest.mark.slow
def test_frames_of_real_clips_that_are_encoded_at_all(clips, name, fps, most):
    report = VideoCompressor(fps=fps, gate=8, keep=0.1).compress(clips / f"{name}.mp4").report
    assert report.share_encoded <= most
    assert report.share_encoded == report.frames_encoded / report.frames_in

import json
import logging
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from framesift import load
from framesift.compression.compressor import VideoCompressor
from framesift.encoders.handcrafted import Handcrafted
from framesift.errors import BudgetError, MissingSignalError, UnsupportedSourceError
from framesift.sources.base import open_video
from framesift.types.video import LocalVideo

CLIP = "synthetic://mixed?seconds=6&width=320&height=180"


@pytest.fixture(scope="module")
def clip():
    with open_video(CLIP) as video:
        yield video


@pytest.mark.parametrize("strategy", ["uniform", "random", "temporal", "temporal | random"])
@pytest.mark.parametrize("keep", [0.01, 0.25, 1.0])
def test_the_budget_is_met_and_everything_agrees(clip, strategy, keep):
    video = VideoCompressor(strategy=strategy, keep=keep).compress(clip)
    report = video.report
    assert report.tokens_in == 6 * 196
    assert report.tokens_out == report.budget == max(1, int(keep * report.tokens_in + 0.5))
    assert len(video.tokens) == len(video.positions) == len(video.pts_seconds) == report.tokens_out
    assert sum(report.tokens_per_frame_kept) == report.tokens_out
    assert report.frames_out == sum(count > 0 for count in report.tokens_per_frame_kept)
    assert (video.pts_seconds.diff() >= 0).all()
    assert set(report.seconds) == {"decode", "encode", "plan", "apply"}
    assert report.strategy == strategy
    assert json.loads(report.model_dump_json())["grid"] == [14, 14]


def test_positions_and_times_are_those_of_the_kept_tokens(clip):
    video = VideoCompressor(keep=0.1).compress(clip)
    src = video.plan.src
    assert torch.equal(video.positions[:, 0], (src // 196).float())
    assert torch.equal(video.positions[:, 1], (src % 196 // 14).float())
    assert torch.equal(video.pts_seconds, video.frame_seconds[src // 196])


def test_the_same_twice(clip):
    first, second = (VideoCompressor().compress(clip) for _ in range(2))
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.plan.src, second.plan.src)


def test_max_tokens_wins_where_it_is_smaller(clip):
    video = VideoCompressor(keep=0.9, max_tokens=77).compress(clip)
    assert len(video.tokens) == 77


@pytest.mark.parametrize("selector", ["uniform", "keyframes", "scene"])
def test_max_frames_bounds_what_is_encoded(clip, selector):
    video = VideoCompressor(selector=selector, max_frames=2, keep=0.5).compress(clip)
    assert video.report.frames_in == 2
    assert video.report.selector == selector
    assert len(video.tokens) == 196


def test_frames_that_a_selector_saw_are_not_encoded_again(clip, monkeypatch):
    seen = []
    encode = Handcrafted.encode

    def counted(self, frames, signals=None):
        seen.append(len(frames))
        return encode(self, frames, signals)

    monkeypatch.setattr(Handcrafted, "encode", counted)
    VideoCompressor(selector="keyframes", max_frames=3, fps=2).compress(clip)
    assert sum(seen) == 12


def test_keyframes_have_time_score_reason_and_full_size(clip):
    frames = VideoCompressor().keyframes(clip, count=3)
    assert [frame.image.size for frame in frames] == [(320, 180)] * 3
    times = [frame.pts_seconds for frame in frames]
    assert times == sorted(set(times))
    assert all(frame.reason and frame.score > 0 for frame in frames)


def test_more_keyframes_than_frames_gives_all_and_says_so(clip, caplog):
    said = []
    frames = VideoCompressor().keyframes(clip, count=50, warn=said.append)
    assert len(frames) == 6
    assert said == ["50 keyframes were asked, all 6 sampled frames are kept"]
    with caplog.at_level(logging.WARNING, logger="framesift"):
        VideoCompressor().keyframes(clip, count=50)
    assert "all 6 sampled frames" in caplog.text


def test_segments_cover_the_video_without_gaps(clip):
    parts = VideoCompressor().segments(clip, count=3)
    assert parts[0].start_seconds == 0
    assert parts[-1].end_seconds == pytest.approx(6, abs=0.2)
    for before, after in pairwise(parts):
        assert before.end_seconds == after.start_seconds
    assert all(p.start_seconds <= p.keyframe_seconds <= p.end_seconds for p in parts)
    assert json.dumps([part.metadata() for part in parts])


def test_segments_carry_the_subtitles_of_their_stretch(tmp_path, clip):
    video = tmp_path / "talk.mp4"
    video.write_bytes(Path(clip.path).read_bytes())
    (tmp_path / "talk.srt").write_text(
        "1\n00:00:00,500 --> 00:00:01,000\nhello\n\n2\n00:00:05,000 --> 00:00:05,800\nbye\n"
    )
    parts = VideoCompressor().segments(str(video), count=2)
    assert [part.text for part in parts] == ["hello", "bye"]


def test_frames_at_times_and_at_a_size(clip):
    sift = VideoCompressor(fps=2)
    assert len(sift.frames(clip)) == 12
    some = sift.frames(clip, [0.0, 2.5, 99.0], max_side_px=64)
    assert some.data.shape == (3, 36, 64, 3)
    assert some.pts_seconds[1] == pytest.approx(2.5, abs=0.1)


def test_a_path_object_and_a_string_are_the_same(clip):
    by_path = VideoCompressor().compress(Path(clip.path))
    by_name = VideoCompressor().compress(str(clip.path))
    assert torch.equal(by_path.tokens, by_name.tokens)


def test_results_survive_the_disk(clip, tmp_path):
    video = VideoCompressor(keep=0.1).compress(clip)
    files = video.save(tmp_path / "deep" / "folder")
    assert sorted(path.name for path in files) == ["report.json", "tokens.safetensors"]
    assert sorted(path.name for path in files[0].parent.iterdir()) == sorted(
        path.name for path in files
    )
    back = load(tmp_path / "deep" / "folder")
    assert torch.equal(back.tokens, video.tokens)
    assert torch.equal(back.plan.src, video.plan.src)
    assert back.report == video.report


def test_temporary_files_go_when_the_work_ends_or_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    VideoCompressor().compress(CLIP)
    assert list(tmp_path.iterdir()) == []
    sift = VideoCompressor(fps=1e-9)
    assert sift.compress(CLIP).report.frames_in == 1

    def broken(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("framesift.compression.encoding.encode_frames", broken)
    with pytest.raises(KeyboardInterrupt):
        VideoCompressor().compress(CLIP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"keep": 0}, BudgetError, "keep=0"),
        ({"max_tokens": -1}, BudgetError, "max_tokens=-1"),
        ({"max_frames": 0}, BudgetError, "max_frames=0"),
        ({"strategy": "attention"}, MissingSignalError, "use one that does: .*clip"),
        ({"strategy": "temporal | attention"}, MissingSignalError, "needs attention"),
        ({"strategy": "tempral"}, LookupError, "did you mean 'temporal'"),
        ({"encoder": "clop"}, LookupError, "did you mean 'clip'"),
        ({"decoder": "decord"}, LookupError, "choose one of"),
        ({"selector": "keyframe"}, LookupError, "did you mean 'keyframes'"),
    ],
)
def test_wrong_options_are_told_before_any_work(options, error, message):
    with pytest.raises(error, match=message):
        VideoCompressor(**options)


def test_a_pickle_holds_the_options_and_no_weights():
    sift = VideoCompressor(vlm="tiny", keep=0.5)
    question = "What number flashes?"
    answer = sift.ask("synthetic://number?seed=3", question)
    for kept in (sift, sift.answering_vlm):
        content = pickle.dumps(kept)
        assert len(content) < 2000
        assert pickle.loads(content) == kept
    again = pickle.loads(pickle.dumps(sift)).ask("synthetic://number?seed=3", question)
    assert (again.text, again.evidence) == (answer.text, answer.evidence)


def test_a_video_opened_for_text_cannot_be_compressed():
    with pytest.raises(UnsupportedSourceError, match="text only"):
        VideoCompressor().compress(LocalVideo(path=None, uri="https://example.org/v"))


def test_a_count_of_nothing_is_an_error(clip):
    with pytest.raises(BudgetError, match="count=0"):
        VideoCompressor().keyframes(clip, count=0)
    with pytest.raises(BudgetError, match="count=0"):
        VideoCompressor().segments(clip, count=0)

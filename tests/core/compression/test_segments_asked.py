"""Questions about segments: what their temporal tokens say of times, and several videos at once."""

import pytest
import torch
from click.testing import CliRunner

from framesift.answering.evidence import find_segments
from framesift.cli.commands import app
from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.sources.base import open_video
from framesift.vlms.load import load_vlm

CLIP, OTHER = "synthetic://number?seed=3", "synthetic://number?seed=5"
"""Eight frames of 8 x 8 tokens each."""
QUESTION = "What number flashes?"


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor(vlm=load_vlm("tiny"), strategy="slow-fast:include_key=true", keep=0.5)


@pytest.fixture(scope="module")
def video(sift):
    return sift.compress(CLIP)


def entries(video):
    """Returns how many tokens of the input each token stands for."""
    return torch.bincount(video.plan.dst)


@pytest.mark.parametrize(
    ("of_all_frames", "start", "end"), [(True, 4.0, 8.0), (False, 4.0, 5.0)], ids=["motion", "key"]
)
def test_a_token_of_all_frames_points_at_its_segment_and_one_of_a_key_frame_at_that(
    video, of_all_frames, start, end
):
    chosen = (entries(video) > 1) == of_all_frames
    weights = (chosen & (video.pts_seconds >= 4)).double()
    (stretch,) = find_segments([video], weights, "attention")
    assert (stretch.start_seconds, stretch.end_seconds, stretch.score) == (start, end, 1.0)


def test_a_token_of_a_window_points_at_that_window(video):
    row = int((entries(video) > 1).nonzero()[-1])
    weights = torch.zeros(len(video.tokens)).index_fill(0, torch.tensor([row]), 1.0)
    (stretch,) = find_segments([video], weights, "attention")
    assert stretch.box[:2] == (0.75, 0.75)


def test_a_budget_that_leaves_frames_out_is_warned_of_and_one_that_is_not_used_up_is_not(video):
    assert video.report.budget > video.report.tokens_out
    assert video.report.warnings == []
    less = VideoCompressor(strategy="slow-fast", max_tokens=300).compress(CLIP)
    (line,) = less.report.warnings
    assert f"gives {less.report.tokens_out} tokens, those of its largest layout" in line
    assert sum(segment.frames for segment in less.report.segments) < less.report.frames_in


@pytest.mark.slow
def test_computed_tokens_answer_and_point_at_what_no_key_frame_shows():
    clip = "synthetic://number?seed=3&seconds=16"
    sift = VideoCompressor(vlm="tiny", strategy="slow-fast:filling=tiny", keep=0.125)
    answer = sift.ask(clip, QUESTION)
    with open_video(clip) as video:
        (event,) = (event for event in video.truth["events"] if event["kind"] == "number")
    keys = [segment.key_seconds for segment in sift.compress(clip).report.segments]
    assert not any(event["start_seconds"] <= key <= event["end_seconds"] for key in keys)
    assert answer.text == str(event["attributes"]["number"])
    assert answer.warnings == []
    best = answer.evidence[0]
    assert best.start_seconds <= event["start_seconds"]
    assert best.end_seconds >= event["end_seconds"]


def test_tokens_of_another_encoder_are_refused_with_the_model_that_the_network_was_trained_with():
    with pytest.raises(InvalidOptionError, match=r"trained with \(vlm='tiny' or --vlm\)") as caught:
        VideoCompressor(strategy="slow-fast:filling=tiny").compress("/nowhere.mp4")
    assert "\n" not in str(caught.value)


def test_the_command_counts_frames_that_segments_show():
    options = ["-s", "slow-fast", "--vlm", "tiny", "-k", "0.5"]
    lines = CliRunner().invoke(app, ["compress", CLIP, *options]).stdout.splitlines()
    assert "frames    8 -> 8  (1 per second)" in lines
    assert "segments  2  (128 tokens of their key frames, 32 temporal tokens)" in lines


def test_several_videos_keep_their_segments_apart(sift, video):
    other = sift.compress(OTHER)
    answer = sift.ask([video, other], QUESTION)
    assert answer.usage.visual_tokens_after == len(video.tokens) + len(other.tokens)
    weights = torch.cat([torch.zeros(len(video.tokens)), (entries(other) > 1).float()])
    (stretch,) = find_segments([video, other], weights, "attention")
    assert stretch.uri == OTHER


def test_questions_after_the_first_are_those_of_a_prompt_of_their_own(sift, video):
    with sift.open(video) as chat:
        first = chat.ask("What color is the card?")
        again = chat.ask(QUESTION)
    assert again.text == sift.ask(video, QUESTION).text
    assert again.usage.visual_tokens_after == first.usage.visual_tokens_after == len(video.tokens)

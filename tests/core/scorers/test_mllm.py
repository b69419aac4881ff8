import json
import shutil
from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift import VideoCompressor
from framesift.errors import InvalidOptionError, ModelError
from framesift.scorers import registry
from framesift.scorers.candidates import GivenCandidates
from framesift.sources.base import open_video
from framesift.testing.frame_scorers import random_frame_scorer
from framesift.types.tokens import Signals, VideoTokens

QUESTION = "What number flashes?"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Returns a folder with a random selector of the tiny model, by values that differ."""
    return lambda **changes: random_frame_scorer(tmp_path_factory.mktemp("mllm"), **changes)


def candidates(frames, seed=0):
    features = torch.randn(frames, 64, 192, generator=torch.Generator().manual_seed(seed))
    tokens = VideoTokens(
        features=features,
        grid=(8, 8),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(pre_projector=features),
    )
    return GivenCandidates(pts_seconds=tokens.pts_seconds, given_tokens=tokens)


def scorer(folder, **options):
    return registry.create("mllm", model=str(folder), device="cpu", **options)


def test_scores_are_chances_that_differ_by_frame_and_question(made):
    mine = scorer(made())
    scores, other = (mine.score(candidates(6), text) for text in (QUESTION, "Which color is it?"))
    assert bool(((scores.values > 0) & (scores.values < 1)).all())
    assert scores.values.unique().numel() == 6
    assert not torch.equal(scores.values, other.values)
    assert scores.reasons[0] == f"{float(scores.values[0]):.0%} likely to help"


@pytest.mark.parametrize("frames", [1, 8, 9, 20])
def test_more_frames_than_it_reads_at_once_go_in_as_sparser_runs(made, frames):
    mine, given = scorer(made()), candidates(frames)
    values = mine.score(given, QUESTION).values
    runs = -(-frames // 8)
    assert given.cost.calls == runs
    for run in range(runs):
        alone = candidates(frames)
        tokens = alone.given_tokens.frames(list(range(run, frames, runs)))
        part = GivenCandidates(pts_seconds=tokens.pts_seconds, given_tokens=tokens)
        expected = mine.score(part, QUESTION).values
        torch.testing.assert_close(values[run::runs], expected, rtol=0, atol=2e-6)


def test_the_size_of_batches_changes_no_score(made):
    folder, given = made(), candidates(30)
    one, other = (scorer(folder, batch_size=size).score(given, QUESTION).values for size in (1, 16))
    torch.testing.assert_close(one, other, rtol=0, atol=2e-6)


def test_a_fixed_number_repeats_the_frames_of_a_short_video(made):
    mine = scorer(made(head="mlp", candidates=8))
    values = mine.score(candidates(4), QUESTION).values
    tokens = candidates(4).given_tokens.frames([0, 0, 1, 1, 2, 2, 3, 3])
    tokens = replace(tokens, pts_seconds=torch.arange(8.0))
    twice = GivenCandidates(pts_seconds=tokens.pts_seconds, given_tokens=tokens)
    assert torch.equal(mine.score(twice, QUESTION).values[::2], values)


def test_a_fixed_number_refuses_a_longer_video(made):
    with pytest.raises(InvalidOptionError, match="8 candidate frames and the video has 9"):
        scorer(made(head="mlp", candidates=8)).score(candidates(9), QUESTION)


def test_another_tower_is_refused(made):
    folder = made()
    config = json.loads((folder / "config.json").read_text())
    config["tower"]["fingerprint"] = "0" * 16
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="of the fingerprint 0000000000000000") as error:
        scorer(folder).score(candidates(3), QUESTION)
    assert "\n" not in str(error.value)


def test_a_folder_without_one_is_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json of a frame scorer") as error:
        scorer(tmp_path / "nothing").score(candidates(3), QUESTION)
    assert "\n" not in str(error.value)


def test_marks_in_a_question_are_letters(made):
    mine = scorer(made())
    assert len(mine.score(candidates(3), "<image><|end|>").values) == 3


def test_a_question_that_the_llm_has_no_places_for_is_one_line(made):
    mine = scorer(made())
    with pytest.raises(InvalidOptionError, match="shorten the question") as error:
        mine.score(candidates(3), "x" * 200_000)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize("rule", ["dpp:", "auto:floor=0,flat=0,"])
def test_a_video_unlike_its_training_is_warned_about(made, tmp_path, rule):
    uri = "synthetic://number?seconds=6&width=64&height=64"
    folder = made()
    sift = VideoCompressor(selector=f"{rule}scorer=[mllm:model={folder},device=cpu]", max_frames=2)
    with open_video(uri) as video:
        shutil.copy(video.path, tmp_path / "talk.mp4")
    for address, warned in ((uri, 0), (str(tmp_path / "talk.mp4"), 1)):
        warnings = sift.compress(address, QUESTION).report.warnings
        assert sum("trained on synthetic:// videos only" in line for line in warnings) == warned
    assert scorer(made(trained_on=None)).limitation("talk.mp4") is None

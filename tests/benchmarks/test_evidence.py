"""Of a question about a real clip, what a plan keeps of the place and time of its answer."""

import click
import numpy as np
import pytest
import torch

from benchmarks.effort import FULL
from benchmarks.sections import evidence
from benchmarks.sections.evidence import Clip, evidence_held, patches_in
from framesift.evaluation.answers.real_clips import read_questions
from framesift.strategies.base import create_strategy
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

WHOLE = (0.0, 0.0, 1.0, 1.0)


def question_about(**changes):
    seen = {"start_seconds": 1.0, "end_seconds": 2.5, "box": WHOLE}
    return read_questions()[0].model_copy(update={**seen, **changes})


def still(frames=4, grid=(2, 2)):
    features = torch.arange(1.0, frames * grid[0] * grid[1] + 1).view(frames, -1, 1)
    times = torch.arange(frames, dtype=torch.float64)
    return VideoTokens(features=features, grid=grid, pts_seconds=times)


def kept(tokens, *places):
    return TokenPlan.keep(
        torch.tensor(places), num_in=tokens.count, tokens_per_frame=tokens.tokens_per_frame
    )


def test_without_the_clips_there_is_nothing_to_measure():
    with pytest.raises(click.UsageError, match="--clips FOLDER"):
        evidence.measure(FULL, None)


def test_evidence_is_held_by_tokens_of_its_time_and_place_only():
    tokens = still()
    clip, question = Clip(tokens=tokens, region=WHOLE), question_about(box=(0.0, 0.0, 0.5, 1.0))
    assert evidence_held(clip, kept(tokens, 0, 2, 5, 7, 12), question) == 0
    assert evidence_held(clip, kept(tokens, 4, 8), question) == 0.5
    assert evidence_held(clip, kept(tokens, 4, 10), question) == 1
    everything = create_strategy("uniform").plan(tokens, tokens.count)
    assert evidence_held(clip, everything, question) == 1


def test_a_moment_between_two_frames_is_that_of_the_nearest():
    tokens = still()
    clip, question = (
        Clip(tokens=tokens, region=WHOLE),
        question_about(start_seconds=1.6, end_seconds=1.8),
    )
    assert evidence_held(clip, kept(tokens, 8, 9, 10, 11), question) == 1


def test_a_box_smaller_than_a_patch_is_the_nearest_patch():
    section = patches_in((0.4, 0.4, 0.45, 0.45), WHOLE, (2, 2))
    assert np.array_equal(section, [[True, False], [False, False]])
    right_half = patches_in((0.6, 0.0, 0.9, 1.0), (0.5, 0.0, 1.0, 1.0), (1, 2))
    assert right_half.tolist() == [[True, True]]


def test_the_interval_of_equal_values_is_that_value_and_the_same_each_time():
    def interval(values):
        return evidence._row("tokens", "any", values)["interval"]

    assert interval([0.5] * 20) == [0.5, 0.5]
    values = np.linspace(0, 1, 20).tolist()
    low, high = interval(values)
    assert low < 0.5 < high
    assert interval(values) == [low, high]


@pytest.mark.clips
@pytest.mark.slow
def test_the_default_strategy_holds_more_evidence_than_chance(clips):
    section = evidence.results(clips, keeps=(0.25,), names=["temporal", "random"])
    share = {row["name"]: row["share"] for row in section["rows"]}
    assert share["temporal 0.25"] > share["random 0.25"]
    assert share["oracle 8"] == 1
    assert share["keyframes 8"] >= share["uniform 8"]

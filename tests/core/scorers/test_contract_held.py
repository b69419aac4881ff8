"""A scorer of another package that gives something else than scores is told so in one line."""

import time
from dataclasses import dataclass

import pytest
import torch

from framesift.errors import SelectionError, TimeLimitError
from framesift.run import time_limit
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import GivenCandidates


@dataclass(frozen=True, kw_only=True)
class Careless(Scorer):
    """Gives whatever it was told to."""

    reads_question = False
    gives: object = None

    def rate(self, candidates, question, places):
        return self.gives


@pytest.mark.parametrize(
    ("gives", "told"),
    [
        (None, "gave None instead of Scores"),
        ([1.0, 2.0], "instead of Scores"),
        (Scores(values=None, reasons=("x", "x")), "gave None; scores must be real numbers"),
        (Scores(values=["a", "b"], reasons=("x", "x")), "scores must be real numbers"),
        (Scores(values=torch.ones(2) * 1j, reasons=("x", "x")), "scores must be real numbers"),
        (Scores(values=torch.ones(1), reasons=("x",)), "must give one of each per frame"),
    ],
)
def test_what_are_no_scores_is_refused(gives, told):
    frames = GivenCandidates(pts_seconds=torch.arange(2, dtype=torch.float64))
    with pytest.raises(SelectionError, match=told):
        Careless(gives=gives).score(frames)


def test_scores_may_be_a_list_of_numbers():
    frames = GivenCandidates(pts_seconds=torch.arange(2, dtype=torch.float64))
    scores = Careless(gives=Scores(values=[2, 1], reasons=("x", "x"))).score(frames)
    assert scores.values.tolist() == [2.0, 1.0]


def test_a_scorer_of_one_long_batch_is_ended_by_a_limit():
    class Slow(Careless):
        def rate(self, candidates, question, places):
            time.sleep(0.05)
            return self.gives

    frames = GivenCandidates(pts_seconds=torch.arange(1, dtype=torch.float64))
    with pytest.raises(TimeLimitError), time_limit(0.01):
        Slow(gives=Scores(values=torch.ones(1), reasons=("x",))).score(frames)

"""A scorer that is dear is asked about few frames of a long video, more where it pays."""

from dataclasses import dataclass, field

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.selectors.ucb import Ucb


@dataclass(frozen=True, kw_only=True)
class Watched(Scorer):
    """A hump of scores, with a count of the frames that were asked about."""

    middle: int
    width: int
    asked: list[int] = field(default_factory=list)

    def rate(self, candidates, question, places):
        self.asked.extend(places)
        away = torch.tensor([abs(place - self.middle) for place in places]) / self.width
        return Scores(values=torch.exp(-away.square()), reasons=tuple(map(str, places)))


def hour(total=3600):
    return GivenCandidates(pts_seconds=torch.arange(total, dtype=torch.float64))


def test_at_most_a_twentieth_of_an_hour_is_scored_each_frame_once():
    for middle in (0, 777, 1800, 3599):
        scorer = Watched(middle=middle, width=120)
        selection = Ucb(scorer=scorer).select(hour(), 8, "When does it rain?")
        assert len(scorer.asked) == len(set(scorer.asked)) <= 0.05 * 3600
        assert len(selection.indices) == 8


def test_frames_are_picked_where_the_scores_are_high():
    for seed, middle in enumerate((300, 777, 1800, 3300)):
        scorer = Watched(middle=middle, width=120)
        selection = Ucb(scorer=scorer, seed=seed).select(hour(), 8, "When does it rain?")
        near = [place for place in selection.indices if abs(place - middle) <= 240]
        assert len(near) >= 5


def test_the_promising_part_is_looked_at_closer():
    scorer = Watched(middle=1800, width=150)
    Ucb(scorer=scorer).select(hour(), 8, "When does it rain?")
    near = [place for place in scorer.asked if abs(place - 1800) <= 300]
    assert len(near) > 2 * len(scorer.asked) * 600 / 3600


def test_the_curve_runs_through_the_scores_and_unscored_frames_say_so():
    scorer = Watched(middle=400, width=100)
    selection = Ucb(scorer=scorer).select(hour(1000), 6, "When does it rain?")
    assert len(selection.curve) == 1000
    for place in scorer.asked:
        assert selection.curve[place] == pytest.approx(
            float(torch.exp(torch.tensor(-(((place - 400) / 100) ** 2)))), abs=1e-6
        )
    for place, reason in zip(selection.indices, selection.reasons, strict=True):
        assert ("not scored itself" in reason) == (place not in scorer.asked)


def test_draws_follow_their_seed_and_no_other():
    first, again, other = (
        Ucb(scorer=Watched(middle=900, width=300), seed=seed).select(hour(), 12, "What?").indices
        for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("total", [2, 3, 5, 17, 200])
@pytest.mark.parametrize("width", [3, 10**9])
def test_the_count_is_exact_for_short_videos_and_constant_scores(total, width):
    for count in {1, 2, total // 2, total - 1} - {0}:
        scorer = Watched(middle=total // 3, width=width)
        selection = Ucb(scorer=scorer).select(hour(total), count, "What?")
        assert len(selection.indices) == min(count, total)


def test_a_scorer_that_compares_all_frames_is_refused_by_one_line():
    with pytest.raises(InvalidOptionError) as caught:
        registry.create("ucb:scorer=novelty")
    line = str(caught.value)
    assert "\n" not in line
    assert "compares all frames" in line
    assert "variety" in line
    assert "'topk'" in line


def test_a_scorer_that_needs_a_question_needs_it_here_too():
    with pytest.raises(InvalidOptionError, match="question"):
        Ucb(scorer=Watched(middle=5, width=3)).select(hour(100), 4, None)
    assert Ucb(scorer=Watched(middle=5, width=3)).reads_question
    assert not registry.create("ucb").reads_question

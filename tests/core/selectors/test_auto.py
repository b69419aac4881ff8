"""`auto`: even frames for global questions, selected ones for local ones, with a floor."""

from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.selectors.auto import Auto
from framesift.selectors.uniform import Uniform
from framesift.testing import random_tokens
from framesift.types.video import TimedText

LOCAL, GLOBAL = "Where is the red car?", "Summarise the video"


def tokens_of(count):
    times = torch.arange(count, dtype=torch.float64) / 2
    return replace(random_tokens(count, 9, 8), pts_seconds=times)


@dataclass(frozen=True, kw_only=True)
class Peak(Scorer):
    """Prefers the frames from `at` on, four of them."""

    summary: ClassVar[str] = "a peak"

    at: int | None = 20
    """First frame of the peak; None for scores that are all alike."""

    def rate(self, candidates, question, places):
        values = torch.tensor([float(self.at is not None and 0 <= p - self.at < 4) for p in places])
        return Scores(values=0.5 + values / 4, reasons=tuple(f"rated {v}" for v in values.tolist()))


@pytest.fixture
def frames():
    tokens = tokens_of(40)
    said = TimedText(start_seconds=0.0, end_seconds=1.0, text="a red car")
    return GivenCandidates(pts_seconds=tokens.pts_seconds, given_tokens=tokens, given_texts=(said,))


@pytest.fixture
def silent(frames):
    return replace(frames, given_texts=())


def test_a_global_question_gets_the_frames_of_uniform_whatever_the_scorer(frames):
    chosen = Auto(scorer=Peak()).select(frames, 6, GLOBAL)
    assert chosen.indices == Uniform().select(frames, 6).indices
    assert all(
        "'summarise the video' asks about all of the video" in reason for reason in chosen.reasons
    )


def test_a_local_question_gets_the_best_frames_and_a_share_that_fills_gaps(frames):
    chosen = Auto(scorer=Peak(), rule="topk", floor=0.5).select(frames, 8, LOCAL)
    assert set(range(20, 24)) < set(chosen.indices)
    filling = [p for p, why in zip(chosen.indices, chosen.reasons, strict=True) if "gap" in why]
    assert len(filling) == 4
    gaps = [b - a for a, b in zip([0, *chosen.indices], [*chosen.indices, 39], strict=True)]
    assert max(gaps) <= 10
    assert sorted(chosen.ranks) == list(range(8))
    assert min(chosen.ranks[chosen.indices.index(p)] for p in filling) == 4


def test_without_a_floor_it_is_the_rule_itself(frames):
    chosen = Auto(scorer=Peak(), floor=0).select(frames, 4, LOCAL)
    assert chosen == registry.create("nms", scorer=Peak()).select(frames, 4, LOCAL)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 39])
@pytest.mark.parametrize("floor", [0.0, 0.25, 1.0])
def test_the_count_is_exact_with_any_floor(frames, count, floor):
    chosen = Auto(scorer=Peak(), floor=floor).select(frames, count, LOCAL)
    assert len(set(chosen.indices)) == count
    assert len(chosen.ranks) == count


def test_scores_that_are_all_alike_are_a_global_question(frames):
    chosen = Auto(scorer=Peak(at=None)).select(frames, 5, LOCAL)
    assert chosen.indices == Uniform().select(frames, 5).indices
    assert "alike" in chosen.reasons[0]


def test_subtitles_are_searched_where_they_match(silent):
    said = TimedText(start_seconds=14.0, end_seconds=15.0, text="here comes a red car")
    chosen = Auto(floor=0).select(replace(silent, given_texts=(said,)), 2, LOCAL)
    assert all(10 <= float(silent.pts_seconds[place]) <= 19 for place in chosen.indices)
    assert "'car'" in " ".join(chosen.reasons)


@pytest.mark.parametrize("texts", [(), (TimedText(start_seconds=1, end_seconds=2, text="hello"),)])
def test_nothing_to_compare_a_question_with_gives_keyframes(silent, texts):
    given = replace(silent, given_texts=texts)
    chosen = Auto().select(given, 5, LOCAL)
    assert chosen.indices == registry.create("keyframes").select(given, 5).indices
    assert "no subtitles match" in chosen.reasons[0]


@pytest.mark.parametrize("question", [None, "", "  "])
def test_without_a_question_it_gives_keyframes(frames, question):
    chosen = Auto(scorer=Peak()).select(frames, 5, question)
    assert chosen.indices == registry.create("keyframes").select(frames, 5).indices


def test_a_question_that_is_no_text_is_refused(frames):
    with pytest.raises(InvalidOptionError, match="question=5 must be text"):
        Auto().select(frames, 3, 5)


def test_a_wrong_rule_or_scorer_is_refused_at_once():
    for wrong in ({"rule": "uniform"}, {"rule": "nothing"}, {"scorer": "nothing"}):
        with pytest.raises(ValueError, match=r"no option 'scorer'|unknown"):
            Auto(**wrong)


def test_gaps_are_measured_in_seconds_not_in_frames():
    times = torch.tensor([0.0, 1, 2, 3, 4, 5, 100, 200], dtype=torch.float64)
    tokens = replace(tokens_of(8), pts_seconds=times)
    given = GivenCandidates(pts_seconds=times, given_tokens=tokens)
    chosen = Auto(scorer=Peak(at=0), rule="topk", floor=0.5).select(given, 2, LOCAL)
    assert chosen.indices == (0, 6)


@dataclass(frozen=True, kw_only=True)
class Schooled(Peak):
    """Knows synthetic videos only."""

    def limitation(self, uri):
        return None if uri.startswith("synthetic://") else f"means nothing of {uri!r}"


@pytest.mark.parametrize("name", ["auto", "topk", "nms", "dpp", "ucb"])
def test_a_named_scorer_says_where_it_means_nothing(name):
    rule = registry.create(name, scorer=Schooled())
    for uri, said in (("talk.mp4", ["means nothing of 'talk.mp4'"]), ("synthetic://brief", [])):
        tokens = tokens_of(40)
        given = GivenCandidates(pts_seconds=tokens.pts_seconds, given_tokens=tokens, uri=uri)
        rule.select(given, 4, LOCAL)
        assert given.warnings == said

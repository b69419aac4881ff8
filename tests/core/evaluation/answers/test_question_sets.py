import itertools

import pytest

from framesift.errors import InvalidOptionError, UnsupportedSourceError
from framesift.evaluation.answers.question_sets import (
    FIRST_SEEDS,
    SEEDS_EACH,
    commonest_answers,
    glimpses,
    real,
    synthetic,
)
from framesift.sources.base import open_video
from framesift.training.clips import clip_address


@pytest.fixture(scope="module")
def videos():
    return list(synthetic("validation", 24))


def test_the_same_questions_each_time(videos):
    again = list(synthetic("validation", 3))
    for one, other in zip(videos, again, strict=False):
        assert (one.name, one.uri) == (other.name, other.uri)
        assert [q.prompt for q in one.questions] == [q.prompt for q in other.questions]


def test_splits_share_no_seeds_and_training_draws_from_its_own():
    spans = sorted((first, first + SEEDS_EACH) for first in FIRST_SEEDS.values())
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert "seed=4999&" in clip_address(4999)[0]
    assert FIRST_SEEDS["train"] == 0


def test_every_question_has_its_evidence_and_only_its_answer_is_right(videos):
    for video in videos:
        assert 1 <= len(video.questions) <= 6
        assert len({asked.id for asked in video.questions}) == len(video.questions)
        for asked in video.questions:
            x0, y0, x1, y1 = asked.box
            assert 0 <= x0 < x1 <= 1
            assert 0 <= y0 < y1 <= 1
            assert 0 <= asked.start_seconds < asked.end_seconds
            assert asked.is_right(f" {asked.expected.upper()}. ")
            assert not asked.is_right("")
            assert not asked.is_right(f"{asked.expected} or not")


def test_scenes_and_backgrounds_vary_and_the_video_says_the_same():
    videos = list(synthetic("validation", 24))
    assert len({video.uri.split("?")[0] for video in videos}) >= 5
    for background in ("noise=6", "drift=0.04"):
        assert 0 < sum(background in video.uri for video in videos) < 24
    with open_video(videos[0].uri) as video:
        known = {question["answer"] for question in video.truth["questions"]}
    assert {asked.expected for asked in videos[0].questions} <= known


def test_glimpses_are_brief_and_of_the_seeds_of_their_split():
    for place, video in enumerate(glimpses("validation", 3)):
        assert video.uri.startswith("synthetic://glimpses?")
        assert f"seed={FIRST_SEEDS['validation'] + place}&" in video.uri
        assert len(video.questions) == 6
        alone = [q for q in video.questions if q.kind in ("number", "text", "color", "action")]
        assert alone
        assert all(q.end_seconds - q.start_seconds <= 3 for q in alone)


def test_the_commonest_answer_is_of_the_question_not_of_its_names(videos):
    common = commonest_answers()
    assert common[r"What happens first: (?P<one>.+), or (?P<other>.+)\?"] in ("{one}", "{other}")
    for asked in (q for video in videos for q in video.questions if q.kind == "order"):
        assert asked.unseen
        assert "{" not in asked.unseen


@pytest.mark.parametrize(
    ("given", "told"),
    [(("holdout", 3), "split='holdout' must be one of"), (("test", 0), "videos=0 must be from 1")],
)
def test_bad_input_is_told_in_one_line(given, told):
    with pytest.raises(InvalidOptionError, match=told):
        synthetic(*given)
    with pytest.raises(InvalidOptionError, match=told):
        glimpses(*given)


def test_a_missing_clip_is_named_with_its_address(tmp_path):
    with pytest.raises(UnsupportedSourceError, match=r"is missing; fetch it from https://"):
        next(real(tmp_path))


def test_a_bad_line_of_questions_is_named(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "a"}\n')
    with pytest.raises(InvalidOptionError, match=r"mine.jsonl, line 1: clip: Field required"):
        next(real(tmp_path, path))

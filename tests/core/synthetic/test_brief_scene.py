from itertools import combinations

import numpy as np
import pytest

from framesift.synthetic.brief import SHOWN_SECONDS
from framesift.synthetic.film import SceneSettings
from framesift.synthetic.paraphrases import phrasings
from framesift.synthetic.scenes import make_scene

SEEDS = range(60)
ABOUT_ONE_THING = {"number", "text", "color"}


def brief(seed, **settings):
    return make_scene("brief", SceneSettings(seed=seed, width=64, height=64, fps=4, **settings))


@pytest.fixture(scope="module")
def truths():
    """The truth of many videos of 32 seconds."""
    return [brief(seed, seconds=32).truth for seed in SEEDS]


def seconds_of(event):
    return event["end_seconds"] - event["start_seconds"]


def lasting_and_brief(truth):
    lasting = [event for event in truth["events"] if seconds_of(event) == truth["seconds"]]
    return lasting, [event for event in truth["events"] if event not in lasting]


def test_one_shape_is_there_all_the_time_and_the_others_for_one_to_three_seconds(truths):
    for truth in truths:
        lasting, others = lasting_and_brief(truth)
        assert [event["kind"] for event in lasting] == ["shape"]
        assert all(0.75 <= seconds_of(event) <= max(SHOWN_SECONDS) for event in others)
        assert 6 <= len(others) <= 8


@pytest.mark.parametrize("seconds", [16, 64, 128])
def test_a_longer_video_shows_the_same_things_no_longer(seconds):
    for seed in range(4):
        things, longer = (
            {str(event["attributes"]) for event in brief(seed, seconds=length).truth["events"]}
            for length in (32, seconds)
        )
        assert things == longer
        _, others = lasting_and_brief(brief(seed, seconds=seconds).truth)
        assert max(map(seconds_of, others)) <= max(SHOWN_SECONDS)


def test_a_frame_a_second_shows_each_thing_that_has_a_second(truths):
    for truth in truths:
        _, others = lasting_and_brief(truth)
        for event in others:
            if seconds_of(event) >= 1:
                frames = np.arange(truth["seconds"])
                shown = (event["start_seconds"] <= frames) & (frames < event["end_seconds"])
                assert shown.any()


def test_some_videos_show_one_thing_at_a_time_and_others_several(truths):
    at_once = []
    for truth in truths:
        _, others = lasting_and_brief(truth)
        pairs = combinations(others, 2)
        at_once.append(
            any(
                a["start_seconds"] < b["end_seconds"] and b["start_seconds"] < a["end_seconds"]
                for a, b in pairs
            )
        )
    assert 15 <= sum(at_once) <= 45


def test_each_thing_is_asked_for_and_its_question_names_its_time(truths):
    for truth in truths:
        _, others = lasting_and_brief(truth)
        times = {(event["start_seconds"], event["end_seconds"]) for event in others}
        local = [
            question
            for question in truth["questions"]
            if question["kind"] in ABOUT_ONE_THING
            and (question["start_seconds"], question["end_seconds"]) in times
        ]
        assert len(local) == len(others)
        assert len({question["question"] for question in local}) == len(local)


def test_counts_are_those_of_the_truth(truths):
    for truth in truths:
        kinds = [event["kind"] for event in truth["events"]]
        answers = {q["question"]: q["answer"] for q in truth["questions"]}
        assert answers["How many numbers flash in the video?"] == str(kinds.count("number"))
        assert answers["How many different shapes appear in the video?"] == str(
            kinds.count("shape")
        )


def test_presence_is_asked_of_what_every_frame_shows_or_none(truths):
    answers = []
    for truth in truths:
        (asked,) = [q for q in truth["questions"] if q["kind"] == "presence"]
        lasting, _ = lasting_and_brief(truth)
        thing = " ".join(lasting[0]["attributes"][name] for name in ("color", "shape"))
        assert (f" {thing} " in asked["question"]) == (asked["answer"] == "yes")
        named = [" ".join(map(str, e["attributes"].values())) for e in truth["events"]]
        if asked["answer"] == "no":
            assert not any(f" {words} " in asked["question"] for words in named)
        answers.append(asked["answer"])
    assert 15 <= answers.count("yes") <= 45


def test_every_question_has_paraphrases(truths):
    for truth in truths[:10]:
        assert all(len(phrasings(q["question"])) > 2 for q in truth["questions"])

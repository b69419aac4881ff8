from itertools import combinations

import numpy as np
import pytest

from framesift.synthetic.film import SceneSettings
from framesift.synthetic.glimpses import ACTING_SECONDS, SHOWN_SECONDS
from framesift.synthetic.paraphrases import phrasings
from framesift.synthetic.scenes import make_scene

SEEDS = range(60)


@pytest.fixture(scope="module")
def truths():
    """The truth of many videos of 15 to 35 seconds."""
    settings = (
        SceneSettings(seed=seed, seconds=15 + seed % 21, width=64, height=64, fps=4)
        for seed in SEEDS
    )
    return [make_scene("glimpses", own).truth for own in settings]


def seconds_of(event):
    return event["end_seconds"] - event["start_seconds"]


def is_at_once(one, other):
    return (
        one["start_seconds"] < other["end_seconds"] and other["start_seconds"] < one["end_seconds"]
    )


def parted(truth):
    """Returns the shapes that do something, and what is still."""
    acting = [event for event in truth["events"] if event["kind"] == "event"]
    return acting, [event for event in truth["events"] if event["kind"] != "event"]


def test_things_are_seen_for_a_moment_and_each_in_a_frame_a_second(truths):
    for truth in truths:
        acting, still = parted(truth)
        assert [seconds_of(event) for event in acting] == [ACTING_SECONDS] * 2
        assert {seconds_of(event) for event in still} == {SHOWN_SECONDS}
        for event in truth["events"]:
            frames = np.arange(truth["seconds"])
            shown = (event["start_seconds"] <= frames) & (frames < event["end_seconds"])
            assert shown.sum() == seconds_of(event)


def test_still_things_come_several_at_once_and_never_with_those_that_act(truths):
    for truth in truths:
        acting, still = parted(truth)
        assert not any(is_at_once(one, other) for one in acting for other in still)
        assert not is_at_once(*acting)
        together = [pair for pair in combinations(still, 2) if is_at_once(*pair)]
        assert together
        for one, other in together:
            assert np.abs(np.subtract(one["box"], other["box"])).max() > 0.1


def test_each_thing_is_asked_for_and_its_question_names_its_time(truths):
    for truth in truths:
        times = {(event["start_seconds"], event["end_seconds"]) for event in truth["events"]}
        own = [q for q in truth["questions"] if q["kind"] in ("number", "text", "color", "action")]
        assert len(own) == len(truth["events"]) + 2  # what acts is asked for twice
        assert {(q["start_seconds"], q["end_seconds"]) for q in own} == times
        assert len({q["question"] for q in own}) == len(own)


def test_first_and_last_are_those_of_the_truth(truths):
    counts = set()
    for truth in truths:
        answers = {q["question"]: q["answer"] for q in truth["questions"]}
        numbers = [str(e["attributes"]["number"]) for e in truth["events"] if e["kind"] == "number"]
        assert answers["What is the first number that flashes?"] == numbers[0]
        assert answers["What is the last number that flashes?"] == numbers[-1]
        counts.add(len(numbers))
    assert counts == {2, 3}


def test_every_action_and_every_moment_for_it_is_drawn(truths):
    acting = [parted(truth) for truth in truths]
    assert len({act["attributes"]["action"] for acts, _ in acting for act in acts}) == 4
    before = {
        sum(e["end_seconds"] <= acts[0]["start_seconds"] for e in still) for acts, still in acting
    }
    assert 0 in before
    assert max(before) >= 5


def test_every_question_has_paraphrases(truths):
    for truth in truths[:10]:
        assert all(len(phrasings(q["question"])) > 2 for q in truth["questions"])

import random
from collections import Counter

import pytest
import torch

from framesift.synthetic.inventory import (
    EXISTENCE,
    NAMES,
    OF_KIND,
    WHETHER,
    Inventory,
    missing,
    none_of,
    yes_or_no,
)
from framesift.synthetic.paraphrases import pattern_of
from framesift.synthetic.replies import NOT_SHOWN
from framesift.synthetic.wordings import KNOWN
from framesift.training.clips import SHARES
from framesift.training.doubts import doubts, presence
from framesift.training.seen import Seen

BALANCED = (0.35, 0.65)
RED_STAR = {
    "kind": "shape",
    "start_seconds": 2.0,
    "end_seconds": 4.0,
    "box": [0.4, 0.4, 0.6, 0.6],
    "attributes": {"color": "red", "shape": "star"},
}
CARD = {
    "kind": "number",
    "start_seconds": 5.0,
    "end_seconds": 6.0,
    "box": [0.1, 0.1, 0.3, 0.3],
    "attributes": {"color": "blue", "number": 47},
}


def clip_of(events, seconds=10):
    return Seen(
        features=torch.zeros(seconds, 64, 1),
        times_seconds=[float(second) for second in range(seconds)],
        questions=[],
        events=events,
    )


@pytest.fixture(scope="module")
def videos(truth_of):
    """Inventories of clips in the shares in which they are drawn."""
    rng = random.Random(0)
    scenes = rng.choices(list(SHARES), list(SHARES.values()), k=150)
    truths = [truth_of(scene, seed, seconds=12) for seed, scene in enumerate(scenes)]
    return [clip_of(truth["events"], 12).inventory for truth in truths]


def test_yes_and_no_are_about_as_many_of_each_kind_of_thing(videos):
    rng = random.Random(0)
    found = Counter()
    for video in videos:
        for _ in range(60):
            question = presence(video, rng)
            found[pattern_of(question["question"], KNOWN)[0], question["answer"]] += 1
    others = pattern_of(WHETHER["other"].format("a car"), KNOWN)[0]
    patterns = {pattern for pattern, _ in found} - {others}
    assert len(patterns) == len(WHETHER) - 1
    for pattern in patterns:
        yes, no = found[pattern, "yes"], found[pattern, "no"]
        assert BALANCED[0] < yes / (yes + no) < BALANCED[1], (pattern, yes, no)
    assert found[others, "yes"] == 0 < found[others, "no"]
    assert 0.35 < sum(n for (_, reply), n in found.items() if reply == "yes") / found.total() < 0.6


@pytest.mark.parametrize("kind", OF_KIND)
def test_what_is_said_to_be_there_is_and_what_is_not_is_not(kind, videos):
    rng = random.Random(0)
    for video in videos:
        names = {name for name, _ in video.present(kind)}
        asked = {reply: yes_or_no(video, kind, reply, rng) for reply in ("yes", "no")}
        assert (asked["yes"] is None) == (not names)
        for reply, question in asked.items():
            if question is not None:
                (name,) = (
                    n for n in NAMES[kind] if WHETHER[kind].format(n) == question["question"]
                )
                assert (name in names) == (reply == "yes")
                assert question["answer"] == reply


@pytest.mark.parametrize("kind", EXISTENCE)
def test_what_could_be_taken_for_another_thing_is_not_denied(kind, videos):
    asked, alike = EXISTENCE[kind]
    for video in videos:
        kinds = {event["kind"] for event in video.known}
        denied = yes_or_no(video, kind, "no", random.Random(0))
        assert (denied is None) == bool(kinds & {asked, *alike})


def test_some_missing_things_are_like_those_that_are_there():
    video = clip_of([RED_STAR, CARD]).inventory
    rng = random.Random(0)
    things = [video.absent("thing", rng) for _ in range(200)]
    assert "a red star" not in things
    alike = [name for name in things if "red" in name or "star" in name]
    assert 0.5 < len(alike) / len(things) < 0.9
    digits = [video.absent("number", rng) for _ in range(200)]
    assert "47" not in digits
    assert 0.5 < sum(bool(set("47") & set(each)) for each in digits) / 200 < 0.9


def test_a_thing_of_which_no_frame_is_seen_is_neither_asked_for_nor_denied():
    hidden = {**RED_STAR, "start_seconds": 2.1, "end_seconds": 2.9}
    video = clip_of([hidden]).inventory
    rng = random.Random(0)
    assert video.present("thing") == []
    assert all(video.absent("thing", rng) != "a red star" for _ in range(300))
    asked = {missing(video, rng)["question"] for _ in range(300)}
    assert "What color is the star?" not in asked
    assert "What color is the circle?" in asked


def test_a_thing_at_the_edge_of_the_picture_is_not_seen():
    leaving = {**RED_STAR, "box": [0.9, 0.4, 1.3, 0.6]}
    assert clip_of([leaving]).inventory.present("thing") == []
    assert clip_of([RED_STAR]).inventory.present("thing") == [("a red star", RED_STAR)]


def test_what_is_missing_is_answered_by_not_shown_and_is_not_there(videos):
    rng = random.Random(0)
    asked = Counter()
    for video in videos:
        for _ in range(20):
            question = missing(video, rng)
            pattern, parts = pattern_of(question["question"], KNOWN)
            asked[pattern] += 1
            assert question["answer"] == NOT_SHOWN
            assert not parts.keys() & {"thing"} or f"a {parts['thing']}" not in video.names["thing"]
            assert not parts.keys() & {"shape"} or f"a {parts['shape']}" not in video.names["shape"]
            assert not parts.keys() & {"name"} or parts["name"] not in video.names["landscape"]
            if "color" in parts:
                assert not [name for name in video.names["card"] if parts["color"] in name]
    assert len(asked) >= 12
    assert set(asked) <= set(KNOWN)


def test_a_clip_is_asked_for_what_is_there_and_not_and_for_what_none_shows():
    video = clip_of([RED_STAR, CARD]).inventory
    answers = Counter(q["answer"] for q in doubts(video, 600, random.Random(0)))
    assert set(answers) == {"yes", "no", NOT_SHOWN, "0"}
    assert all(count > 90 for answer, count in answers.items() if answer != "0")
    assert 9 < answers["0"] < 90
    assert doubts(video, 9, random.Random(1)) == doubts(video, 9, random.Random(1))


def test_none_are_counted_where_there_are_none():
    only = {
        "How many different shapes appear in the video?": [CARD],
        "How many numbers flash in the video?": [RED_STAR],
    }
    for question, events in only.items():
        video = clip_of(events).inventory
        asked = [none_of(video, random.Random(seed)) for seed in range(40)]
        assert {each["answer"] for each in asked} == {"0"}
        assert {each["question"] for each in asked} == {
            question,
            "How many different landscapes are shown?",
        }


def test_whether_anything_moves_is_asked_where_it_is_plain():
    rng = random.Random(0)
    moving = {
        **RED_STAR,
        "attributes": {**RED_STAR["attributes"], "path": [[0.5, 0.5], [0.6, 0.5]]},
    }
    change = {**CARD, "kind": "change", "attributes": {"shape": "star", "change": "moved"}}
    for events, replies in (([moving], ["yes"]), ([CARD], ["no"]), ([RED_STAR, change], [])):
        video = clip_of(events).inventory
        assert [r for r in ("yes", "no") if yes_or_no(video, "anything", r, rng)] == replies


def test_a_glimpse_knows_only_what_its_frames_show():
    clip = Seen(
        features=torch.zeros(10, 64, 1),
        times_seconds=[float(second) for second in range(10)],
        questions=[
            {"question": "?", "answer": "", "kind": "color"}
            | {key: RED_STAR[key] for key in ("start_seconds", "end_seconds")}
        ],
        events=[RED_STAR, CARD],
    )
    glimpse = clip.glimpse(random.Random(0))
    assert glimpse.events == [RED_STAR]
    assert glimpse.inventory.movers
    assert yes_or_no(glimpse.inventory, "movement", "no", random.Random(0)) is None
    assert yes_or_no(clip.inventory, "movement", "no", random.Random(0)) is not None
    assert clip_of(None).inventory is None


def test_a_video_that_shows_nothing_has_nothing_in_it():
    video = Inventory(seen=(), known=())
    answers = Counter(q["answer"] for q in doubts(video, 200, random.Random(0)))
    assert set(answers) == {"no", NOT_SHOWN, "0"}

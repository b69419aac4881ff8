import itertools
import re
from collections import Counter

import av
import cv2
import numpy as np
import pytest

from framesift.sources.base import open_video
from framesift.synthetic.film import SceneSettings
from framesift.synthetic.happenings import DARK, LETTERS, LIGHT, ink_on
from framesift.synthetic.pixels import COLORS, card_pixels
from framesift.synthetic.scenes import make_scene

SIZES = [(320, 180), (320, 240)]
SEEDS = range(5)
CARD_HEIGHT = 0.28


def quiz(seed, *, size=(64, 64), **settings):
    width, height = size
    return make_scene("quiz", SceneSettings(seed=seed, width=width, height=height, **settings))


def truth_of(seed, **settings):
    """Returns the truth of a quiz."""
    return quiz(seed, **settings).truth


@pytest.fixture(scope="module")
def scenes():
    """Quizzes of the sizes that a model is trained on, without noise."""
    return [quiz(seed, size=size, seconds=12, fps=4, noise=0) for size in SIZES for seed in SEEDS]


@pytest.fixture(scope="module")
def truths():
    return [truth_of(seed, seconds=12, fps=4) for seed in range(40)]


def events_of(truth, *kinds):
    return [event for event in truth["events"] if event["kind"] in kinds]


def shown_at(scene, event):
    """Returns the picture in the middle of an event as int `(H, W, 3)`."""
    return scene.draw((event["start_seconds"] + event["end_seconds"]) / 2).astype(int)


def pixels_of(event, size):
    """Returns the (left, top, right, bottom) of an event's box in pixels."""
    return np.rint(np.array(event["box"]) * [*size, *size]).astype(int).tolist()


def solid(card):
    """Returns the part of a card `(h, w, 3)` that hides what is behind it."""
    x, y, width, height = cv2.boundingRect((card[..., 3] > 128).astype(np.uint8))
    return card[y : y + height, x : x + width, :3].astype(int)


def difference(picture, event, size, text, paper, ink):
    """Returns how far the middle of a card is from one that says `text`, in grey levels."""
    unit = min(size[1], size[0] * 9 // 16)
    card = solid(card_pixels(text, CARD_HEIGHT * unit, paper=paper, ink=ink))
    left, top, right, bottom = pixels_of(event, size)
    if abs(bottom - top - card.shape[0]) > 1 and top > 0 and bottom < size[1]:
        return np.inf
    x = left if left > 0 else right - card.shape[1]
    y = top if top > 0 else bottom - card.shape[0]
    inside = (slice(card.shape[0] // 5, -card.shape[0] // 5), slice(6, -6))
    rows, columns = np.mgrid[y : y + card.shape[0], x : x + card.shape[1]]
    held = (rows >= 0) & (rows < size[1]) & (columns >= 0) & (columns < size[0])
    seen = picture[rows.clip(0, size[1] - 1), columns.clip(0, size[0] - 1)]
    return np.abs(seen - card)[inside][held[inside]].mean()


def test_cards_can_be_read_where_and_when_the_truth_says(scenes):
    read = Counter()
    for scene in scenes:
        size = (scene.settings.width, scene.settings.height)
        for event in events_of(scene.truth, "number", "code"):
            picture, facts = shown_at(scene, event), event["attributes"]
            if event["kind"] == "number":
                right, first = str(facts["number"]), "123456789"
                paper, ink = COLORS[facts["color"]], ink_on(facts["color"])
            else:
                right, first, paper, ink = facts["text"], LETTERS, DARK, LIGHT
            texts = {f"{one}{right[1]}" for one in first}
            texts |= {f"{right[0]}{digit}" for digit in range(10)}
            told = {t: difference(picture, event, size, t, paper, ink) for t in texts}
            best = min(told, key=lambda text: told[text])
            assert best == right
            assert told[right] < 12
            read[event["kind"]] += 1
    assert read["code"] == len(scenes)
    assert read["number"] >= 2 * len(scenes)


def test_no_ink_is_cut_off_by_the_edge_of_the_picture(scenes):
    for scene in scenes:
        size = (scene.settings.width, scene.settings.height)
        for sprite in scene.sprites:
            left, top = sprite.corner(sprite.start_seconds)
            x, y, wide, high = cv2.boundingRect((sprite.pixels[..., 3] > 128).astype(np.uint8))
            across = max(-(left + x), left + x + wide - size[0], 0)
            down = max(-(top + y), top + y + high - size[1], 0)
            assert across < 0.18 * high
            assert down < 0.1 * high


def test_things_have_cells_of_their_own(scenes):
    for scene in scenes:
        assert len(scene.truth["events"]) == len(scene.sprites)
        for one, other in itertools.combinations(scene.truth["events"], 2):
            (left, top, right, bottom), box = one["box"], other["box"]
            apart_x = min(right, box[2]) <= max(left, box[0])
            apart_y = min(bottom, box[3]) <= max(top, box[1])
            together = min(one["end_seconds"], other["end_seconds"]) > max(
                one["start_seconds"], other["start_seconds"]
            )
            assert apart_x or apart_y or not together, (scene.settings, one, other)


def test_a_thing_is_seen_in_its_box_and_in_its_time_only(scenes):
    for scene in scenes[:3] + scenes[-2:]:
        size = (scene.settings.width, scene.settings.height)
        step = 1 / scene.settings.fps
        empty = scene.stages[0].pixels.astype(int)
        for event in scene.truth["events"]:
            left, top, right, bottom = pixels_of(event, size)
            x, y = (left + right) // 2, (top + bottom) // 2
            spot = (slice(y - 12, y + 12), slice(x - 12, x + 12))
            for seconds, there in [
                (event["start_seconds"] - step, False),
                (event["start_seconds"], True),
                (event["end_seconds"] - step, True),
                (event["end_seconds"], False),
            ]:
                if 0 <= seconds < scene.duration_seconds:
                    change = np.abs(scene.draw(seconds).astype(int) - empty)[spot]
                    assert (change.max() > 40) == there, (scene.settings, event, seconds)


def test_the_code_is_in_a_corner(truths):
    corners = Counter()
    for truth in truths:
        (event,) = events_of(truth, "code")
        x, y = ((event["box"][i] + event["box"][i + 2]) / 2 for i in (0, 1))
        assert min(x, 1 - x) < 1 / 3
        assert min(y, 1 - y) < 1 / 3
        corners[x < 0.5, y < 0.5] += 1
        assert event["end_seconds"] - event["start_seconds"] == pytest.approx(3, abs=0.26)
    assert len(corners) == 4


def test_numbers_flash_one_at_a_time_for_a_tenth_of_the_video(truths):
    for truth in truths:
        numbers = events_of(truth, "number")
        assert 2 <= len(numbers) <= 3
        for event in numbers:
            assert event["end_seconds"] - event["start_seconds"] == pytest.approx(1.2, abs=0.26)
        for one, after in itertools.pairwise(numbers):
            assert one["end_seconds"] < after["start_seconds"]
        for name in ("number", "color"):
            assert len({event["attributes"][name] for event in numbers}) == len(numbers)


@pytest.mark.parametrize("seconds", range(10, 19))
def test_one_frame_a_second_misses_no_number(seconds):
    for seed in range(12):
        for event in events_of(truth_of(seed, seconds=seconds, fps=4), "number"):
            start, end = event["start_seconds"], event["end_seconds"]
            assert any(start <= second < end for second in range(seconds)), (seed, event)


def test_shapes_come_one_after_another_for_a_fifth_of_the_video(truths):
    for truth in truths:
        shapes = events_of(truth, "shape")
        assert 2 <= len(shapes) <= 4
        starts = [event["start_seconds"] for event in shapes]
        assert all(one < after for one, after in itertools.pairwise(starts))
        for event in shapes:
            assert event["end_seconds"] - event["start_seconds"] == pytest.approx(2.4, abs=0.26)
        for name in ("shape", "color"):
            assert len({event["attributes"][name] for event in shapes}) == len(shapes)


def answer_from(events, question):
    """Returns what follows from the events alone, and the events that it follows from."""
    by_kind = {
        kind: [event for event in events if event["kind"] == kind]
        for kind in ("number", "code", "shape")
    }
    numbers, shapes = by_kind["number"], by_kind["shape"]
    things = {f"{e['attributes']['color']} {e['attributes']['shape']}": e for e in shapes}
    if found := re.fullmatch(r"Which number is on the (\w+) card\?", question):
        (event,) = (e for e in numbers if e["attributes"]["color"] == found[1])
        return str(event["attributes"]["number"]), [event]
    if found := re.fullmatch(r"What color is the (\w+)\?", question):
        (event,) = (e for e in shapes if e["attributes"]["shape"] == found[1])
        return event["attributes"]["color"], [event]
    if found := re.fullmatch(r"Is there an? (\w+ \w+) in the video\?", question):
        return "yes" if found[1] in things else "no", shapes
    if found := re.fullmatch(
        r"What happens first: (an? (\w+ \w+) appears), or (an? (\w+ \w+) appears)\?", question
    ):
        one, other = things[found[2]], things[found[4]]
        is_first = one["start_seconds"] < other["start_seconds"]
        return found[1] if is_first else found[3], [one, other]
    return {
        "What is the text in the corner?": (
            by_kind["code"][0]["attributes"]["text"],
            by_kind["code"],
        ),
        "What is the first number that flashes?": (
            str(numbers[0]["attributes"]["number"]),
            numbers,
        ),
        "What is the last number that flashes?": (
            str(numbers[-1]["attributes"]["number"]),
            numbers,
        ),
        "How many numbers flash in the video?": (str(len(numbers)), numbers),
        "How many different shapes appear in the video?": (str(len(shapes)), shapes),
    }[question]


def test_answers_follow_from_the_events(truths):
    for truth in truths:
        asked = [question["question"] for question in truth["questions"]]
        assert len(set(asked)) == len(asked)
        numbers, shapes = (len(events_of(truth, kind)) for kind in ("number", "shape"))
        assert len(asked) == 1 + (numbers + 3) + (shapes + 3)
        for question in truth["questions"]:
            answer, about = answer_from(truth["events"], question["question"])
            assert question["answer"] == answer
            assert question["start_seconds"] == min(e["start_seconds"] for e in about)
            assert question["end_seconds"] == max(e["end_seconds"] for e in about)


def test_answers_cannot_be_guessed(truths):
    told = Counter()
    first = 0
    for truth in truths:
        for question in truth["questions"]:
            if question["kind"] in ("presence", "count"):
                told[question["question"].split()[0], question["answer"]] += 1
            if question["question"].startswith("What happens first: "):
                first += question["question"].startswith(
                    f"What happens first: {question['answer']},"
                )
    assert 10 < first < 30
    assert 10 < told["Is", "yes"] < 30
    assert told["Is", "yes"] + told["Is", "no"] == len(truths)
    assert min(told["How", count] for count in "234") > 8


def test_what_happens_does_not_depend_on_size_or_rate():
    one, other = truth_of(3), truth_of(3, size=(320, 180), fps=30, seconds=40)
    for name in ("kind", "attributes"):
        assert [e[name] for e in one["events"]] == [e[name] for e in other["events"]]
    for name in ("question", "answer", "kind"):
        facts = [[q[name] for q in truth["questions"]] for truth in (one, other)]
        assert facts[0] == facts[1]


@pytest.mark.usefixtures("drawn_anew")
def test_the_same_address_is_the_same_video():
    uri = "synthetic://quiz?seed=11&seconds=10&width=160&height=90&fps=2"
    with open_video(uri) as one, open_video(uri) as other:
        assert one.truth == other.truth
        assert one.path.read_bytes() == other.path.read_bytes()
        with av.open(str(one.path)) as container:
            frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    scene = quiz(11, size=(160, 90), seconds=10, fps=2)
    assert len(frames) == 20
    for index in (0, 7, 19):
        drawn = scene.draw(index / 2).astype(int)
        assert np.abs(frames[index] - drawn).mean() < 6

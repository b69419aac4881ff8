"""The scene of still shapes, one of which changes: what is told of it is what is drawn."""

from collections import Counter

import numpy as np
import pytest

from framesift.synthetic.film import SceneSettings
from framesift.synthetic.pixels import COLORS
from framesift.synthetic.scenes import make_scene

SEEDS = range(40)
SIZE = (160, 90)


@pytest.fixture(scope="module")
def scenes():
    width, height = SIZE
    return [
        make_scene("changes", SceneSettings(seed=seed, width=width, height=height, noise=0, fps=4))
        for seed in SEEDS
    ]


def change_of(scene):
    (event,) = [event for event in scene.truth["events"] if event["kind"] == "change"]
    return event


def answers_of(scene):
    return {asked["question"]: asked["answer"] for asked in scene.truth["questions"]}


def shapes_at(scene, seconds):
    """Returns which shapes the truth has at a time, as `{shape: (color, box)}`."""
    return {
        event["attributes"]["shape"]: (event["attributes"]["color"], tuple(event["box"]))
        for event in scene.truth["events"]
        if event["kind"] == "shape" and event["start_seconds"] <= seconds < event["end_seconds"]
    }


def test_one_shape_is_different_at_the_end_in_the_way_that_is_told(scenes):
    seen = Counter()
    for scene in scenes:
        before, after = shapes_at(scene, 0.0), shapes_at(scene, scene.duration_seconds - 0.25)
        (shape,) = {name for name in after if before.get(name) != after[name]}
        change = change_of(scene)["attributes"]["change"]
        if change == "appeared":
            assert shape not in before
        elif change == "moved":
            assert before[shape][0] == after[shape][0]
        else:
            assert change == f"turned {after[shape][0]}"
            assert after[shape][0] not in {color for color, _ in before.values()}
        answers = answers_of(scene)
        assert answers["What changed in the video?"] == f"the {shape} {change}"
        assert answers["Which shape changed?"] == shape
        seen[change.split()[0]] += 1
    assert set(seen) == {"turned", "moved", "appeared"}
    assert min(seen.values()) >= 5


def test_the_picture_changes_once_and_only_where_the_evidence_says(scenes):
    for scene in scenes[:12]:
        pictures = [picture.astype(int) for picture in scene.frames()]
        moved = [i for i in range(1, len(pictures)) if (pictures[i] != pictures[i - 1]).any()]
        (first,) = moved
        event = change_of(scene)
        assert event["start_seconds"] < first / 4 < event["end_seconds"]
        rows, columns = np.nonzero(np.abs(pictures[first] - pictures[first - 1]).max(-1) > 60)
        x0, y0, x1, y1 = np.array(event["box"]) * [*SIZE, *SIZE] + [-3, -3, 3, 3]
        assert len(rows) > 20
        assert x0 <= columns.min() <= columns.max() <= x1
        assert y0 <= rows.min() <= rows.max() <= y1


def test_a_shape_shows_its_color_in_its_box(scenes):
    for scene in scenes[:12]:
        picture = scene.draw(scene.duration_seconds - 0.25).astype(int)
        for color, box in shapes_at(scene, scene.duration_seconds - 0.25).values():
            x, y = (
                round((box[i] + box[i + 2]) / 2 * side)
                for i, side in zip((0, 1), SIZE, strict=True)
            )
            assert np.abs(picture[y, x] - COLORS[color]).max() < 40


def test_the_truth_does_not_depend_on_size_and_fits_the_shortest_video():
    for seed in range(10):
        small, large = (
            make_scene("changes", SceneSettings(seed=seed, seconds=8, fps=1, width=w, height=h))
            for w, h in ((64, 64), (320, 320))
        )
        assert answers_of(small) == answers_of(large)
        event = change_of(small)
        assert 0.0 <= event["start_seconds"] < event["end_seconds"] <= 8.0

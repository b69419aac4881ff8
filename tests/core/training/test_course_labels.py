import numpy as np
import pytest

from framesift.synthetic.film import SceneSettings
from framesift.synthetic.scenes import make_scene
from framesift.training.course_labels import COURSE, MOTIONS, course_labels
from framesift.training.labels import BACKDROPS, GRID, NOTHING

LEFT_CELL = (0.05, 0.05, 0.3, 0.3)
RIGHT_CELL = (0.7, 0.7, 0.95, 0.95)


def event(kind, start, end, box=LEFT_CELL, **facts):
    return {
        "kind": kind,
        "start_seconds": start,
        "end_seconds": end,
        "box": list(box),
        "attributes": facts,
    }


def test_the_first_sight_of_a_thing_tells_no_motion_and_later_ones_tell_its_way():
    path = [[0.2, 0.2], [0.8, 0.2]]
    labels = course_labels([event("shape", 0.0, 4.0, path=path)], [0.0, 1.0, 2.0, 3.0])
    told = [set(frame[frame != NOTHING]) for frame in labels["motion"]]
    assert told == [set(), *[{MOTIONS.index("right")}] * 3]
    columns = [frame.reshape(GRID, GRID).max(0).argmax() for frame in labels["rank"]]
    assert columns == sorted(columns)
    assert columns[0] < columns[-1]


@pytest.mark.parametrize(
    ("start", "end", "motion"),
    [
        ((0.5, 0.2), (0.5, 0.8), "down"),
        ((0.5, 0.8), (0.5, 0.2), "up"),
        ((0.8, 0.5), (0.2, 0.5), "left"),
        ((0.5, 0.5), (0.5, 0.5), "none"),
    ],
)
def test_motion_is_told_by_its_path(start, end, motion):
    labels = course_labels([event("event", 0.0, 4.0, path=[start, end])], [1.0, 2.0])
    assert set(labels["motion"][1]) == {NOTHING, MOTIONS.index(motion)}


def test_a_shape_has_shifted_by_its_speed_since_it_was_first_seen():
    path = [[0.2, 0.2], [0.6, 0.4]]
    shift = course_labels([event("shape", 0.0, 4.0, path=path)], [1.0, 2.0, 4.5])["shift"]
    seen = [frame[~np.isnan(frame).any(axis=1)] for frame in shift]
    np.testing.assert_allclose(seen[0], np.zeros_like(seen[0]))
    np.testing.assert_allclose(seen[1], np.broadcast_to([0.8, 0.4], seen[1].shape), atol=1e-6)
    assert [len(frame) > 0 for frame in seen] == [True, True, False]


def test_cards_and_landscapes_do_not_shift():
    events = [event("number", 0.0, 2.0), event("landscape", 0.0, 2.0, (0, 0, 1, 1), name="sea")]
    assert np.isnan(course_labels(events, [0.0, 1.0])["shift"]).all()


def test_things_are_ranked_among_their_kind_by_when_they_begin():
    events = [
        event("number", 0.0, 1.0, LEFT_CELL),
        event("shape", 1.0, 3.0, LEFT_CELL),
        event("number", 2.0, 3.0, RIGHT_CELL),
    ]
    labels = course_labels(events, [0.0, 1.0, 2.0])
    assert set(labels["rank"][0]) == {NOTHING, 0}
    assert set(labels["rank"][1]) == {NOTHING, 0}
    assert set(labels["rank"][2]) == {NOTHING, 0, 1}
    assert labels["rank"][2].reshape(GRID, GRID)[6, 6] == 1


def test_things_that_begin_together_have_no_rank():
    events = [event("shape", 0.0, 2.0, LEFT_CELL), event("shape", 0.0, 2.0, RIGHT_CELL)]
    assert np.all(course_labels(events, [0.0, 1.0])["rank"] == NOTHING)


def test_a_landscape_tells_on_every_patch_what_was_shown_before_it():
    events = [
        event("landscape", 0.0, 1.0, (0, 0, 1, 1), name="forest"),
        event("landscape", 1.0, 2.0, (0, 0, 1, 1), name="sea"),
    ]
    labels = course_labels(events, [0.0, 1.0])
    assert np.all(labels["before"][0] == NOTHING)
    assert np.all(labels["before"][1] == BACKDROPS.index("forest"))
    assert labels["rank"][:, 0].tolist() == [0, 1]


@pytest.mark.parametrize("scene", ["quiz", "shapes", "events", "cuts", "mixed", "static"])
def test_labels_of_scenes_are_classes_of_their_own_shape(scene):
    settings = SceneSettings(seed=3, width=64, height=64, seconds=12)
    times = [float(second) for second in range(12)]
    labels = course_labels(make_scene(scene, settings).truth["events"], times)
    for name, count in COURSE.items():
        assert labels[name].shape == (len(times), GRID * GRID)
        assert labels[name].max() < count
    told = (labels["rank"] != NOTHING).any()
    assert told == (scene not in ("static", "shapes"))

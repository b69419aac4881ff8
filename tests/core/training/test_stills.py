import numpy as np
import pytest

from framesift.synthetic.pixels import COLORS, SHAPES
from framesift.training import stills as stills_module
from framesift.training.labels import CLASSES, GRID, NOTHING
from framesift.training.stills import draw_still, make_stills, read_stills, stacked

SEEDS = range(12)


@pytest.fixture(scope="module")
def stills():
    """Pictures with their labels, and the events that the labels were read off."""
    events = []

    def noted(told, seconds):
        events.append(told)
        return labels_of(told, seconds)

    labels_of = stills_module.frame_labels
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stills_module, "frame_labels", noted)
        drawn = [draw_still(seed) for seed in SEEDS]
    return [(pixels, labels, told) for (pixels, labels), told in zip(drawn, events, strict=True)]


def middle_patch(box):
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return int(y * GRID) * GRID + int(x * GRID)


def alone_in_the_middle(event, events):
    """Returns whether no other thing reaches the patch in the middle of this one."""
    column, row = middle_patch(event["box"]) % GRID, middle_patch(event["box"]) // GRID
    x0, y0, x1, y1 = (column / GRID, row / GRID, (column + 1) / GRID, (row + 1) / GRID)
    return not any(
        other is not event
        and other["kind"] != "landscape"
        and other["box"][0] < x1
        and other["box"][2] > x0
        and other["box"][1] < y1
        and other["box"][3] > y0
        for other in events
    )


def told(stills, kind):
    """Yields picture, labels and event of each thing that stands alone in its middle."""
    for pixels, labels, events in stills:
        for event in events:
            if event["kind"] == kind and alone_in_the_middle(event, events):
                yield pixels, labels, event


def test_a_picture_is_the_same_each_time():
    for seed in (0, 1):
        (one, labels), (same, again) = draw_still(seed), draw_still(seed)
        assert one.shape == (128, 128, 3)
        assert np.array_equal(one, same)
        assert set(labels) == {*CLASSES, "where"}
        for name in labels:
            np.testing.assert_array_equal(labels[name], again[name])
    assert not np.array_equal(draw_still(0)[0], draw_still(1)[0])


def test_pictures_are_crowded_with_things_of_every_kind(stills):
    kinds = [event["kind"] for _, _, events in stills for event in events]
    assert set(kinds) >= {"shape", "number", "code", "text", "landscape"}
    counts = [sum(e["kind"] != "landscape" for e in events) for _, _, events in stills]
    assert 1 <= min(counts) < max(counts) <= 9


def test_the_patches_of_a_card_carry_its_digits(stills):
    seen = 0
    for _, labels, event in told(stills, "number"):
        here, facts = middle_patch(event["box"]), event["attributes"]
        assert labels["kind"][here] == 2
        assert labels["tens"][here] * 10 + labels["ones"][here] == facts["number"]
        assert labels["color"][here] == list(COLORS).index(facts["color"])
        assert labels["letter"][here] == NOTHING
        seen += 1
    for _, labels, event in told(stills, "code"):
        here, (letter, digit) = middle_patch(event["box"]), event["attributes"]["text"]
        assert stills_module.LETTERS[labels["letter"][here]] == letter
        assert labels["ones"][here] == int(digit)
        seen += 1
    assert seen > 10


def test_labels_have_the_colors_that_are_drawn(stills):
    seen = 0
    for pixels, labels, event in told(stills, "shape"):
        here, facts = middle_patch(event["box"]), event["attributes"]
        assert SHAPES[labels["shape"][here]] == facts["shape"]
        x0, y0, x1, y1 = np.array(event["box"]) * 128
        x, y = round((x0 + x1) / 2), round((y0 + y1) / 2)
        spot = np.median(pixels[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3), axis=0)
        nearest = min(COLORS, key=lambda name: np.abs(spot - COLORS[name]).sum())
        assert list(COLORS)[labels["color"][here]] == nearest == facts["color"]
        seen += 1
    assert seen > 5


def test_files_hold_the_pictures_in_order_and_are_kept(tmp_path):
    paths = make_stills(tmp_path / "stills", range(3), processes=1, per_file=2)
    assert len(paths) == 2
    found = read_stills(paths)
    expected = stacked([draw_still(seed) for seed in range(3)])
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
    before = [path.stat().st_mtime_ns for path in paths]
    assert sorted((tmp_path / "stills").iterdir()) == paths
    assert make_stills(tmp_path / "stills", range(3), processes=1, per_file=2) == paths
    assert [path.stat().st_mtime_ns for path in paths] == before

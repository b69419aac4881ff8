import random

import numpy as np
import pytest

from framesift.synthetic.backdrops import LANDSCAPES
from framesift.synthetic.film import SceneSettings
from framesift.synthetic.happenings import SIGNS
from framesift.synthetic.pixels import COLORS, SHAPES, card_pixels, shape_pixels
from framesift.synthetic.script import Script
from framesift.training.clips import SHARES
from framesift.training.labels import BACKDROPS, CLASSES, GRID, KINDS, NOTHING, frame_labels

WIDTH, HEIGHT = 320, 240
FACTS = ("color", "shape", "tens", "ones", "letter", "sign")
KIND_OF = {"shape": 1, "event": 1, "number": 2, "code": 3, "text": 4}


@pytest.fixture
def script():
    """An eight-second scene before a black wall."""
    settings = SceneSettings(width=WIDTH, height=HEIGHT, seconds=8, fps=4, noise=0)
    script = Script(name="labels", settings=settings, rng=random.Random(0))
    script.stage(lambda: np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    return script


def put_card(script, at, *, color="red", number=42, window=(2.0, 6.0)):
    pixels = card_pixels(str(number), 70, paper=COLORS[color], ink=(240, 240, 232))
    sprite = script.show(pixels, window, at)
    return script.sprite_event("number", sprite, color=color, number=number)


def put_shape(script, start, end=None, *, color="blue", shape="circle", size=60):
    sprite = script.show(shape_pixels(shape, color, size), (0.0, 8.0), start, end)
    return script.sprite_event("shape", sprite, color=color, shape=shape)


def labels_at(script, seconds):
    return frame_labels(script.scene(title="", noise=0).truth["events"], seconds)


def drawn_at(script, seconds):
    """Returns where the picture is not black, `(H, W)`, and the part of each patch, `(64,)`."""
    drawn = script.scene(title="", noise=0).draw(seconds).max(axis=-1) > 20
    parts = drawn.reshape(GRID, HEIGHT // GRID, GRID, WIDTH // GRID).mean(axis=(1, 3))
    return drawn, parts.flatten()


def is_nothing(labels, where):
    """Returns whether no thing is told of any of these patches."""
    told = [np.all(labels[name][where] == NOTHING) for name in FACTS]
    at_home = np.allclose(labels["where"][where], middles()[where])
    return bool(np.all(labels["kind"][where] == 0) and all(told) and at_home)


def middles():
    """Returns the (x, y) of each patch from the middle of the picture, in patches, `(64, 2)`."""
    x, y = np.meshgrid(np.arange(GRID) + 0.5, np.arange(GRID) + 0.5)
    return np.stack([x.flatten(), y.flatten()], axis=1) - GRID / 2


@pytest.mark.parametrize("at", [(0.5, 0.5), (0.31, 0.7), (0.86, 0.2)])
def test_a_card_is_told_where_it_is_drawn_and_nowhere_else(script, at):
    put_card(script, at, color="pink", number=73)
    labels, (_, parts) = labels_at(script, 3.0), drawn_at(script, 3.0)
    inside = parts > 0.25
    assert 2 <= inside.sum() <= 16
    expected = {"kind": 2, "color": list(COLORS).index("pink"), "tens": 7, "ones": 3}
    for name, answer in expected.items():
        assert np.all(labels[name][inside] == answer), name
    for name in ("shape", "letter", "sign"):
        assert np.all(labels[name] == NOTHING), name
    assert is_nothing(labels, parts == 0)


def test_a_card_is_told_while_it_is_shown(script):
    put_card(script, (0.5, 0.5), window=(2.0, 6.0))
    everywhere = np.ones(GRID * GRID, bool)
    for seconds, shown in [(0.0, False), (1.99, False), (2.0, True), (5.99, True), (6.0, False)]:
        assert is_nothing(labels_at(script, seconds), everywhere) is not shown
        assert drawn_at(script, seconds)[0].any() == shown


@pytest.mark.parametrize("seconds", [0.0, 1.75, 4.0, 7.75])
def test_patches_tell_the_middle_of_what_is_drawn_on_its_way(script, seconds):
    put_shape(script, (0.2, 0.75), (0.8, 0.3))
    labels, (drawn, parts) = labels_at(script, seconds), drawn_at(script, seconds)
    rows, columns = np.nonzero(drawn)
    middle = np.array([(columns.mean() + 0.5) / WIDTH, (rows.mean() + 0.5) / HEIGHT]) * GRID
    told = labels["kind"] == 1
    assert np.all(told[parts > 0.35])
    assert not np.any(told[parts == 0])
    pointed = labels["where"][told] + GRID / 2
    np.testing.assert_allclose(pointed, np.broadcast_to(middle, pointed.shape), atol=0.15)
    np.testing.assert_allclose(labels["where"][~told], middles()[~told])


def test_a_patch_shows_what_covers_most_of_it(script):
    put_card(script, (0.30, 0.5), color="red", number=11, window=(0.0, 8.0))
    put_card(script, (0.62, 0.5), color="blue", number=22, window=(0.0, 8.0))
    labels = labels_at(script, 1.0)
    picture = script.scene(title="", noise=0).draw(1.0).astype(int)
    for color, tens in (("red", 1), ("blue", 2)):
        close = np.abs(picture - COLORS[color]).max(axis=-1) < 20
        parts = close.reshape(GRID, HEIGHT // GRID, GRID, WIDTH // GRID).mean(axis=(1, 3))
        mine = parts.flatten() > 0.5
        assert mine.any()
        assert np.all(labels["tens"][mine] == tens)


def test_a_thing_in_front_hides_the_facts_of_the_one_behind(script):
    put_card(script, (0.5, 0.5), number=42, window=(0.0, 8.0))
    put_shape(script, (0.5, 0.5), color="green", shape="square", size=160)
    labels = labels_at(script, 1.0)
    front = labels["kind"] == 1
    assert front.sum() >= 9
    assert not np.any(labels["kind"] == 2)
    for name in ("tens", "ones", "letter", "sign"):
        assert np.all(labels[name][front] == NOTHING)


def test_a_thing_too_small_to_fill_a_patch_is_not_told(script):
    pixels = shape_pixels("circle", "red", 8)
    sprite = script.show(pixels, (0.0, 8.0), (0.5 / GRID, 0.5 / GRID))
    script.sprite_event("shape", sprite, color="red", shape="circle")
    assert is_nothing(labels_at(script, 1.0), np.ones(GRID * GRID, bool))


def test_codes_and_signs_have_facts_of_their_own(script):
    for kind, text, at in [("code", "K7", (0.25, 0.3)), ("text", SIGNS[3], (0.5, 0.8))]:
        pixels = card_pixels(text, 60, paper=(28, 30, 38), ink=(240, 240, 232))
        script.sprite_event(kind, script.show(pixels, (0.0, 8.0), at), text=text)
    labels = labels_at(script, 0.0)
    code, sign = labels["kind"] == 3, labels["kind"] == 4
    assert code.any()
    assert sign.any()
    assert set(labels["letter"][code]) == {"ABCDEFHKLMNPRTXYZ".index("K")}
    assert set(labels["ones"][code]) == {7}
    assert set(labels["sign"][sign]) == {3}
    assert np.all(labels["tens"] == NOTHING)


def test_the_backdrop_is_the_landscape_of_the_time(truth_of):
    assert set(BACKDROPS[:-1]) == set(LANDSCAPES)
    assert len(BACKDROPS) == CLASSES["backdrop"]
    truth = truth_of("cuts", 4)
    for event in truth["events"]:
        name = event["attributes"]["name"]
        for seconds in (event["start_seconds"], event["end_seconds"] - 0.01):
            labels = frame_labels(truth["events"], seconds)
            assert set(labels["backdrop"]) == {BACKDROPS.index(name)}
            assert is_nothing(labels, np.ones(GRID * GRID, bool))


def test_a_room_is_not_a_landscape(script):
    assert set(labels_at(script, 0.0)["backdrop"]) == {BACKDROPS.index("indoors")}


@pytest.mark.parametrize("name", SHARES)
def test_every_event_of_a_scene_is_told_with_its_facts(name, truth_of):
    assert (CLASSES["kind"], CLASSES["color"], CLASSES["shape"]) == (
        len(KINDS),
        len(COLORS),
        len(SHAPES),
    )
    for seed in range(8):
        events = truth_of(name, seed, seconds=12, fps=4)["events"]
        for event in events:
            labels = frame_labels(events, (event["start_seconds"] + event["end_seconds"]) / 2)
            assert labels["where"].shape == (GRID * GRID, 2)
            for key, count in CLASSES.items():
                assert labels[key].shape == (GRID * GRID,)
                assert np.isin(labels[key], [NOTHING, *range(count)]).all()
            if event["kind"] in ("landscape", "change"):
                continue
            here = labels["kind"] == KIND_OF[event["kind"]]
            facts = event["attributes"]
            if "color" in facts:
                here &= labels["color"] == list(COLORS).index(facts["color"])
            if "shape" in facts:
                here &= labels["shape"] == SHAPES.index(facts["shape"])
            if "number" in facts:
                here &= labels["tens"] * 10 + labels["ones"] == facts["number"]
            assert here.any(), (seed, event)

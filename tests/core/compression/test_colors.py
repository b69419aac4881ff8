"""Colours are named where they set a picture apart, as a person would name them."""

import numpy as np
import pytest
from PIL import Image

from framesift.compression.colors import standing_out

SEEN = {
    "red": (200, 20, 30),
    "orange": (255, 150, 20),
    "brown": (120, 70, 25),
    "yellow": (240, 225, 40),
    "green": (30, 140, 50),
    "blue": (30, 70, 200),
    "purple": (130, 30, 140),
    "pink": (250, 170, 190),
}


def picture(*spots, background=(90, 90, 90), size=(320, 240)):
    """A picture with squares of some colours, each a hundredth of its area."""
    pixels = np.full((size[1], size[0], 3), background, dtype=np.uint8)
    for place, color in enumerate(spots):
        pixels[24:52, 30 + 40 * place : 58 + 40 * place] = color
    return Image.fromarray(pixels)


@pytest.mark.parametrize("name", SEEN)
def test_a_spot_of_a_colour_is_named(name):
    found = standing_out([picture(), picture(SEEN[name]), picture()])
    assert found == [(), (name,), ()]


def test_what_every_picture_shows_is_not_named():
    shown = [picture(SEEN["red"]), picture(SEEN["red"], SEEN["blue"]), picture(SEEN["red"])]
    assert standing_out(shown) == [(), ("blue",), ()]


def test_a_picture_alone_is_compared_with_none():
    assert standing_out([picture(SEEN["red"])]) == [("red",)]
    assert standing_out([]) == []


def test_the_strongest_three_come_first():
    spots = [SEEN[name] for name in ("green", "red", "red", "blue", "blue", "blue")]
    (names, _) = standing_out([picture(*spots, SEEN["pink"]), picture()])
    assert names == ("blue", "red", "green")


@pytest.mark.parametrize("background", [(0, 0, 0), (128, 128, 128), (255, 255, 255), (14, 2, 4)])
def test_light_alone_has_no_name(background):
    shown = [picture(), picture(background=background), picture()]
    assert standing_out(shown) == [(), (), ()]


def test_a_speck_is_not_named():
    speck = picture()
    speck.putpixel((5, 5), SEEN["red"])
    assert standing_out([speck, picture()]) == [(), ()]
    assert standing_out([Image.new("L", (1, 1)), Image.new("RGBA", (3, 2))]) == [(), ()]

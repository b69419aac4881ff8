"""Whether the text of the page can be read, in both of its colour schemes."""

import re
from importlib.resources import files

import pytest

CSS = (files("framesift.report") / "templates" / "report.css").read_text()
TEXT = [
    *[(ink, paper) for ink in ("ink", "quiet", "link", "key-text") for paper in ("paper", "card")],
    *[("good", "card"), ("bad", "card"), ("ink", "warn"), ("ink", "mark")],
]
GRAPHICS = [("accent", "paper"), ("accent", "card"), ("key", "paper"), ("focus", "card")]


def palette(scheme: str) -> dict[str, str]:
    roots = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return dict(re.findall(r"--([\w-]+): (#\w+)", roots[["light", "dark"].index(scheme)]))


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares
    ]
    return sum(w * each for w, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_twenty_one_to_one():
    assert contrast("#000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_graphics_stand_out(scheme):
    colors = palette(scheme)
    assert all(contrast(colors[a], colors[b]) >= 4.5 for a, b in TEXT), scheme
    assert all(contrast(colors[a], colors[b]) >= 3 for a, b in GRAPHICS), scheme

"""Which pictures of a message are frames, and which of these show something else."""

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from framesift import FetchLimits
from framesift.errors import UnsupportedSourceError
from framesift.serving import enough_pictures, picture_runs


def page(digit, noise=0.0):
    """Returns a screen of text, of which one small digit may differ."""
    made = Image.new("RGB", (1280, 720), "white")
    draw = ImageDraw.Draw(made)
    for row in range(20):
        draw.text((20, 20 + 30 * row), f"line {row} of a page that stands still " * 4, "black")
    draw.text((640, 650), f"total: {digit}", "black")
    levels = np.random.default_rng(int(noise * 10)).normal(0, noise, (720, 1280, 3))
    return Image.fromarray((np.asarray(made) + levels).clip(0, 255).astype(np.uint8))


def message(files, role="user"):
    content = []
    for second, file in enumerate(files):
        url = f"data:image/jpeg;base64,{base64.b64encode(file).decode()}"
        content.append({"type": "text", "text": f"{second} s"})
        content.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": role, "content": content}


def jpeg(picture, quality=85):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def enough(files, count=16, selector="keyframes"):
    (run,) = picture_runs([message(files)], timed=True)
    return enough_pictures(run, count, "?", selector=selector, limits=FetchLimits.untrusted())


def test_a_digit_that_changes_is_something_else():
    files = [jpeg(page(digit)) for digit in (1, 1, 1, 7, 7, 7, 7, 3)]
    assert enough(files) == [0, 3, 7]


def test_noise_and_compression_are_nothing_else():
    files = [jpeg(page(1, noise), quality) for noise in (0, 2, 4, 6) for quality in (75, 80)]
    assert enough(files) == [0]


def test_a_slow_change_adds_up():
    files = [jpeg(Image.new("RGB", (64, 64), (n * 3,) * 3)) for n in range(16)]
    assert enough(files) == [0, 5, 10, 15]


def test_of_more_that_differ_the_selector_chooses():
    files = [jpeg(Image.new("RGB", (64, 64), (n * 16,) * 3)) for n in range(16)]
    assert len(enough(files)) == 16
    kept = enough(files, 4, "uniform")
    assert len(kept) == 4
    assert kept == sorted(kept)


def test_pictures_of_others_than_the_user_are_no_frames():
    files = [jpeg(page(1))] * 8
    assert picture_runs([message(files, "tool")], timed=True) == []
    assert len(picture_runs([message(files), message(files)], timed=True)) == 2


def test_a_file_that_breaks_off_is_refused_in_one_line():
    files = [jpeg(page(1))[:-4000]] * 8
    with pytest.raises(UnsupportedSourceError, match="of the type JPEG cannot be decoded") as error:
        enough(files)
    assert "\n" not in str(error.value)

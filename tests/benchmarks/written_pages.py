"""A video of a page that is written: a line every ten seconds, which scrolls once it is full.

Every line is another one, so that what was read can be counted.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH_PX, HEIGHT_PX = 640, 360
LINE_PX: Final = 26
LETTERS_PX: Final = 16
ROWS: Final = 12
SECONDS_PER_LINE: Final = 10
WORDS: Final = (
    *("amber", "bridge", "candle", "desert", "engine", "forest", "garden", "harbor", "island"),
    *("jungle", "kettle", "ladder", "market", "needle", "orange", "pepper", "quarry", "river"),
    *("silver", "tunnel", "umbrella", "valley", "window", "yellow", "zebra"),
)


def written_line(number: int) -> str:
    """Returns the text of a line; no two of an hour are the same."""
    count = len(WORDS)
    places = number % count, number // count % count, (number * 7 + 3) % count
    return f"{number + 1}. " + " ".join(WORDS[place] for place in places)


def write_page(path: Path, *, seconds: int) -> Path:
    """Returns `path`, where a page is written at one frame a second."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(1))
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "18", "g": "60"}
        for second in range(seconds):
            frame = av.VideoFrame.from_ndarray(_page(second), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _page(second: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Returns the page at a time: whole lines, and the one that is being typed."""
    last, since = divmod(second, SECONDS_PER_LINE)
    first = max(0, last - ROWS + 1)
    picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), (250, 250, 248))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=LETTERS_PX)
    for number in range(first, last + 1):
        text = written_line(number)
        if number == last and since < 3:
            text = text[: len(text) * (since + 1) // 4]
        draw.text((24, 20 + (number - first) * LINE_PX), text, fill=(20, 20, 30), font=font)
    return np.asarray(picture)

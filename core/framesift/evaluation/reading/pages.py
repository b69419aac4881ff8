"""Screen recordings that are drawn: pages of words in real fonts that scroll, grow and change.

Beside the text are a picture and the camera of who speaks, both of which have edges and no words.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from framesift.registry import require
from framesift.synthetic.backdrops import LANDSCAPES, landscape

Pixels = npt.NDArray[np.uint8]

SIZE_PX: Final = (800, 600)
"""Width and height."""
SECONDS, FPS = 8, 2
KINDS: Final = ("scrolling", "typing", "slides", "chat")
FACES: Final = {
    "scrolling": "DejaVuSerif",
    "typing": "DejaVuSansMono",
    "slides": "DejaVuSans",
    "chat": "DejaVuSans",
}
"""The fonts that come with matplotlib, which Debian has as well."""
LETTERS_PX: Final = {
    "scrolling": (15, 18, 21),
    "typing": (14, 16, 18),
    "slides": (22, 26, 30),
    "chat": (15, 17, 20),
}
"""Sizes of letters; a page has one of them."""
DARK: Final = ((24, 26, 32), (222, 226, 232))
LIGHT: Final = ((250, 250, 248), (34, 38, 48))
TEXT_PART: Final = 0.68
"""Part of the width that text has; beside it is the picture."""
# fmt: off
WORDS: Final = (
    "account", "answer", "archive", "balance", "branch", "budget", "button", "calendar",
    "camera", "captain", "carrot", "channel", "chapter", "circle", "column", "comment", "commit",
    "copper", "corner", "counter", "course", "cursor", "danger", "deadline", "delivery",
    "device", "dialog", "dollar", "double", "editor", "engine", "export", "failure", "feature",
    "filter", "folder", "forest", "garden", "gather", "green", "harbor", "height", "history",
    "hundred", "import", "index", "invoice", "island", "journal", "kernel", "kitchen", "ladder",
    "language", "laptop", "lesson", "letter", "license", "linger", "manual", "margin", "market",
    "meeting", "member", "memory", "message", "method", "mirror", "module", "monday", "monitor",
    "morning", "network", "notice", "number", "object", "office", "orange", "output", "package",
    "palace", "parcel", "pencil", "people", "phone", "picture", "planet", "pocket", "policy",
    "portal", "printer", "problem", "profile", "project", "prompt", "quarter", "question",
    "record", "region", "release", "remote", "report", "request", "result", "review", "river",
    "robot", "sample", "saturday", "school", "screen", "search", "season", "second", "secret",
    "section", "server", "session", "shadow", "signal", "silver", "simple", "single", "smooth",
    "socket", "spring", "station", "status", "storage", "street", "student", "summer", "survey",
    "switch", "system", "table", "target", "teacher", "temple", "thread", "ticket", "timber",
    "together", "total", "travel", "triangle", "tunnel", "twelve", "update", "upload", "value",
    "vector", "version", "video", "village", "volume", "wallet", "warning", "weather", "window",
    "winter", "wonder", "yellow",
)
# fmt: on


@dataclass(frozen=True, kw_only=True)
class Page:
    """One drawn recording; the same number draws the same one."""

    number: int

    @property
    def kind(self) -> str:
        """How it moves, one of `KINDS`."""
        return KINDS[self.number % len(KINDS)]

    @property
    def name(self) -> str:
        """What tells it from others."""
        return f"{self.kind}-{self.number:03d}"

    def frames(self) -> Iterator[Pixels]:
        """Yields the frames, RGB `(H, W, 3)`, `FPS` of them a second."""
        rng = random.Random(f"page {self.number}")
        paper, ink = DARK if self.kind in ("typing", "chat") or rng.random() < 0.25 else LIGHT
        letters_px = rng.choice(LETTERS_PX[self.kind])
        font = _font(FACES[self.kind], letters_px)
        width, height = SIZE_PX
        row_px = round(1.6 * letters_px)
        rows = (height - 2 * row_px) // row_px
        wide = int(TEXT_PART * width / (0.62 * letters_px))
        side = int((1 - TEXT_PART) * width) - 20
        beside = _beside(rng, side)
        shown = _shown(self.kind, [_line(rng, wide) for _ in range(4 * rows)], rows)
        for step, lines in enumerate(shown):
            picture = Image.new("RGB", SIZE_PX, paper)
            draw = ImageDraw.Draw(picture)
            for row, line in enumerate(lines):
                draw.text((16, row_px * (row + 1)), line, ink, font)
            picture.paste(beside, (width - side - 10, 20))
            picture.paste(_camera(self.number, step, side), (width - side - 10, height - side - 20))
            yield np.asarray(picture)

    def write(self, folder: Path) -> Path:
        """Returns the file of the page in a folder, drawn where it is missing."""
        path = folder / f"{self.name}.mp4"
        if path.is_file():
            return path
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.mp4")
        with av.open(str(part), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"crf": "14"})
            stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "yuv420p"
            stream.codec_context.time_base = Fraction(1, FPS)
            stream.codec_context.thread_count = 1
            for number, pixels in enumerate(self.frames()):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return part.rename(path)


def _shown(kind: str, lines: list[str], rows: int) -> Iterator[list[str]]:
    """Yields the lines that stand on the page, frame by frame."""
    for step in range(SECONDS * FPS):
        if kind == "scrolling":
            first = 3 * (step // (2 * FPS))
            yield lines[first : first + rows]
        elif kind == "typing":
            typed, grown = "\n".join(lines[:rows])[: 40 + 22 * step], lines[rows : 2 * rows - 4]
            yield [*grown[: rows // 2], *typed.split("\n")][:rows]
        elif kind == "slides":
            first = rows * (step // (3 * FPS))
            yield [lines[first], "", *lines[first + 1 : first + rows - 2]]
        else:
            said = rows // 2 + 2 * (step // (2 * FPS))
            yield lines[max(0, said - rows) : said]


def _line(rng: random.Random, wide: int) -> str:
    """Returns words that fit into `wide` letters."""
    line = rng.choice(WORDS).capitalize()
    for _ in range(rng.randint(1, 12)):
        word = rng.choice([*WORDS, str(rng.randint(10, 99999))])
        if len(line) + 1 + len(word) > wide:
            break
        line = f"{line} {word}"
    return line


def _font(face: str, letters_px: int) -> ImageFont.FreeTypeFont:
    folder = Path(require("matplotlib", extra="bench").get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(str(folder / f"{face}.ttf"), letters_px)


def _beside(rng: random.Random, side: int) -> Image.Image:
    name = rng.choice(sorted(LANDSCAPES))
    return Image.fromarray(landscape(name, rng.randrange(1000), (side, side)))


def _camera(number: int, step: int, side: int) -> Image.Image:
    """Returns a head before a patterned wall that moves from frame to frame, with sensor noise."""
    noise = np.random.default_rng((number, step)).normal(0, 9, (side, side, 1))
    rows, columns = np.mgrid[:side, :side]
    wall = 128 + 60 * np.sign(np.sin(columns / 5) * np.sin(rows / 7))
    middle = side / 2 + 8 * np.sin(step)
    head = (columns - middle) ** 2 / 2 + (rows - 0.55 * side) ** 2 / 3 < (0.17 * side) ** 2
    pixels = np.where(head[..., None], (196, 150, 122), wall[..., None] * (0.9, 1.0, 0.8))
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))

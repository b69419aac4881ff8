"""What stands on the screen is read from changed parts of frames, here by a stand-in for OCR.

A page of the stand-in is a picture whose rows are blocks of one grey each; it reads a block as the
name of its grey.
"""

import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from framesift import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.readers import screen as screen_module
from framesift.readers.ocr import OcrLine, OcrPage

SIZE = 96, 128
ROW = 16
SONG = (
    *("desert amber zebra", "engine of the garden", "forest in the morning", "harbor light"),
    *("island without a name", "jungle market", "kettle and candle", "ladder to the window"),
    *("orange umbrella", "pepper in the valley", "quarry near the river", "silver tunnel"),
    *("yellow needle", "bridge over nothing", "winter is coming late", "the end of the page"),
)
GREYS = {"alpha": 60, "beta": 120, "gamma": 180, "delta": 240}


def page(*names):
    """Returns a black picture with a block of text on each row; None for an empty row."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    for row, name in enumerate(names):
        if name is not None:
            # A letter has strokes: stripes of the grey and of black.
            picture[row * ROW + 4 : row * ROW + 12, 8:72:4] = GREYS[name]
            picture[row * ROW + 4 : row * ROW + 12, 9:72:4] = GREYS[name]
    return picture


class StandIn:
    """Reads pages, and counts the pixels that it was given."""

    def __init__(self):
        self.pixels = []

    def read(self, pictures, *, scale, most_words, least_confidence):
        self.pixels += [picture.shape[0] * picture.shape[1] for picture in pictures]
        return [self._page(picture) for picture in pictures]

    def _page(self, picture):
        lit = picture.max((1, 2)) > 30
        edges = np.flatnonzero(np.diff(np.concatenate([[False], lit, [False]]).astype(int)))
        lines = []
        for top, bottom in edges.reshape(-1, 2).tolist():
            grey = int(picture[top:bottom].max())
            name = min(GREYS, key=lambda each: abs(GREYS[each] - grey))
            columns = np.flatnonzero(picture[top:bottom].max((0, 2)) > 30)
            box = (float(columns[0]), float(top), float(columns[-1] + 1), float(bottom))
            lines.append(OcrLine(text=name, box_px=box, confidence=0.9))
        return OcrPage(lines=tuple(lines))


def write_pages(path, pages):
    """Returns the path of a video of one page a second, without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(1))
        stream.height, stream.width = SIZE
        stream.pix_fmt = "bgr0"
        for number, picture in enumerate(pages):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1)
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def stand_in(monkeypatch):
    engine = StandIn()
    monkeypatch.setattr(screen_module, "ocr", lambda models, language: engine)
    return engine


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    one, two, three = page("alpha"), page("alpha", None, "beta"), page("alpha", "gamma")
    path = tmp_path_factory.mktemp("pages") / "pages.mkv"
    return write_pages(path, [one, one, two, three, three, two])


def spans(transcript):
    return [
        (line.text, line.start_seconds, line.end_seconds, *line.again_seconds)
        for line in transcript.lines
    ]


@pytest.mark.parametrize("spec", ["screen", "screen:reads=all"])
def test_each_line_is_told_once_with_its_times_and_its_place(stand_in, clip, spec):
    transcript = VideoCompressor(text=spec).transcript(clip)
    assert spans(transcript) == [("alpha", 0, 6), ("beta", 2, 3, (5, 6)), ("gamma", 3, 5)]
    (first, *_) = transcript.lines
    assert first.source == "screen"
    assert first.box == pytest.approx((8 / 128, 4 / 96, 70 / 128, 12 / 96), abs=0.02)
    assert 0 < first.confidence <= 1


def test_work_that_was_cut_off_reads_nothing_twice(stand_in, clip, tmp_path, monkeypatch):
    whole = VideoCompressor(text="screen").transcript(clip).lines
    read = len(stand_in.pixels)
    stand_in.pixels.clear()
    kept, begun = stand_in.read, []

    def tired(pictures, **options):
        begun.append(pictures)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return kept(pictures, **options)

    monkeypatch.setattr(stand_in, "read", tired)
    with pytest.raises(KeyboardInterrupt):
        VideoCompressor(text="screen", text_folder=tmp_path).transcript(clip)
    assert VideoCompressor(text="screen", text_folder=tmp_path).transcript(clip).lines == whole
    assert len(stand_in.pixels) == read


def test_what_was_not_read_is_a_warning(stand_in, clip, monkeypatch):
    crowded = [OcrPage(lines=(), lines_left_out=7)]
    monkeypatch.setattr(stand_in, "read", lambda pictures, **_: crowded * len(pictures))
    transcript = VideoCompressor(text="screen:max_words=5").transcript(clip)
    (warning,) = transcript.warnings
    assert "lines of text were left out" in warning
    assert "more than 5 words" in warning


def test_a_language_that_the_models_do_not_know_is_refused_before_any_work():
    pytest.importorskip("rapidocr")
    with pytest.raises(InvalidOptionError, match="language='klingon'"):
        VideoCompressor(text="screen:language=klingon")


@pytest.mark.slow
def test_a_page_that_is_scrolled_is_told_line_by_line_once(tmp_path, monkeypatch):
    pytest.importorskip("rapidocr")
    lines = [f"{number}. {words}" for number, words in enumerate(SONG, start=1)]
    picture = Image.new("RGB", (480, 26 * len(lines) + 40), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=16)
    for row, text in enumerate(lines):
        draw.text((24, 20 + row * 26), text, fill="black", font=font)
    document = np.asarray(picture)
    monkeypatch.setattr(sys.modules[__name__], "SIZE", (240, 480))
    tops = range(0, len(document) - 240, 37)
    clip = write_pages(tmp_path / "scroll.mkv", [document[top : top + 240] for top in tops])
    transcript = VideoCompressor(text="screen").transcript(clip)
    found = ["".join(line.text.split()) for line in transcript.lines]
    last = (tops[-1] + 240 - 20) // 26  # lines that came in as a whole
    for text in lines[:last]:
        assert found.count("".join(text.split())) == 1, text
    assert len(found) <= last + 1
    (reading,) = transcript.readings
    assert reading.pixels_read < 0.3 * reading.pixels_total  # a sixth is the first frame

from dataclasses import dataclass
from typing import ClassVar

import pytest

from framesift import VideoCompressor
from framesift.compression.text_places import covered, with_text
from framesift.errors import MissingSignalError
from framesift.readers.base import Reader, Reading
from framesift.testing.samples import random_tokens
from framesift.types.video import TimedText

CLIP = "synthetic://mixed?seconds=4&width=320&height=240&fps=5"


def line(start, end, box, again=()):
    return TimedText(
        start_seconds=start, end_seconds=end, text="a line", box=box, again_seconds=again
    )


@dataclass(frozen=True, kw_only=True)
class Boxed(Reader):
    """A reader that finds one line in the upper left quarter, from 2 s on."""

    summary: ClassVar[str] = "one line"
    gives_boxes: ClassVar[bool] = True

    def read(self, video):
        return Reading(lines=(line(2.0, 4.0, (0.0, 0.0, 0.5, 0.5)),))


def test_a_box_covers_parts_of_the_cells_that_it_touches():
    # Two by two cells; the box takes the upper left quarter of the right half.
    assert covered((0.5, 0.0, 0.75, 0.25), (2, 2)).tolist() == [0, 0.25, 0, 0]
    assert covered((0.25, 0.25, 0.75, 0.75), (2, 2)).tolist() == [0.25] * 4


def test_a_crop_of_the_picture_has_its_own_cells_and_sees_nothing_beyond():
    crop = (0.5, 0.0, 1.0, 1.0)
    assert covered((0.5, 0.0, 0.75, 1.0), (1, 2), crop).tolist() == [1, 0]
    assert covered((0.0, 0.0, 0.5, 1.0), (1, 2), crop).tolist() == [0, 0]
    padded = (-0.5, 0.0, 1.5, 1.0)
    assert covered((0.0, 0.0, 1.0, 1.0), (1, 4), padded).tolist() == [0, 1, 1, 0]


def test_lines_count_in_the_frame_in_which_they_come_also_again():
    tokens = random_tokens(6)
    lines = [
        line(1.0, 3.0, (0, 0, 1, 1), again=((3.5, 9.0),)),
        line(1.0, 1.0, (0, 0, 1, 1)),
        line(4.5, 4.9, (0, 0, 1, 1)),
        line(0.0, 9.0, None),
    ]
    text = with_text(tokens, lines, [(0, 0, 1, 1)]).signals.text
    assert text.shape == tokens.features.shape[:2]
    assert text.amax(1).tolist() == [0, 1, 0, 0, 1, 0]


def test_a_compressor_marks_text_only_for_a_strategy_that_needs_it():
    kept = VideoCompressor(strategy="protect-text:share=1", text=Boxed(), keep=0.1).compress(CLIP)
    quarter = {2 * 196 + 14 * row + column for row in range(7) for column in range(7)}
    assert quarter <= set(kept.plan.src.tolist())
    plain = VideoCompressor(text=Boxed()).encode(CLIP)
    assert plain.tokens.signals.text is None
    with pytest.raises(MissingSignalError, match=r"needs text.*encoded without"):
        VideoCompressor(strategy="protect-text", text=Boxed()).reduce(plain)


@pytest.mark.parametrize("text", ["subtitles", ()])
def test_without_a_reader_that_says_where_one_line_names_it(text):
    with pytest.raises(MissingSignalError, match=r"does not say where; pass text='screen'"):
        VideoCompressor(strategy="chain:stages=[protect-text | random]", text=text)

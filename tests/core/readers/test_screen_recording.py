"""What real models read of a real recording, against lines that a person typed off its frames."""

import json
from collections import Counter
from pathlib import Path

import pytest

from framesift import VideoCompressor
from framesift.readers.ocr import ocr

TYPED = json.loads(Path(__file__).with_name("screen_recording_lines.json").read_text("utf-8"))
pytestmark = [pytest.mark.slow, pytest.mark.clips]


@pytest.fixture(scope="module")
def video(clips):
    pytest.importorskip("rapidocr")
    return clips / "screen-recording.mp4"


def words(lines):
    return Counter(word for line in lines for word in line.casefold().split())


def share_found(read):
    """Returns the share of the typed words that were read, each as often as it stands there."""
    wanted = [words(lines) for lines in TYPED.values()]
    assert sum(each.total() for each in wanted) > 700
    found = [(words(lines) & each).total() for lines, each in zip(read, wanted, strict=True)]
    return sum(found) / sum(each.total() for each in wanted)


def test_nine_of_ten_words_of_a_frame_are_read(video):
    frames = VideoCompressor().frames(video, [float(time) for time in TYPED], max_side_px=1024)
    pages = ocr().read(list(frames.data))
    assert share_found([[line.text for line in page.lines] for page in pages]) >= 0.9


def test_they_stand_in_the_transcript_at_their_times_of_a_quarter_of_the_pixels(video):
    transcript = VideoCompressor(text="screen").transcript(video)
    standing = [
        [line.text for line in transcript.lines if stands(line, float(time))] for time in TYPED
    ]
    assert share_found(standing) >= 0.9
    (reading,) = transcript.readings
    assert reading.pixels_read <= 0.25 * reading.pixels_total


def stands(line, seconds):
    stretches = [(line.start_seconds, line.end_seconds), *line.again_seconds]
    return any(start <= seconds < end for start, end in stretches)

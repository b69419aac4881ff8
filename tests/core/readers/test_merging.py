"""Lines of several readers are one text: what two of them have is told once."""

import time

import pytest

from framesift import TimedText
from framesift.readers.merging import merged

BOX = (0.2, 0.8, 0.8, 0.85)


def said(start, end, text, source="subtitles", **more):
    return TimedText(start_seconds=start, end_seconds=end, text=text, source=source, **more)


def shown(start, end, text, box=BOX, **more):
    return said(start, end, text, "screen", box=box, **more)


def texts(*readings):
    return [(line.source, line.text) for line in merged(readings)]


def test_lines_come_by_time_and_at_one_time_in_the_order_of_the_readers():
    screen = [shown(0, 9, "Settings of the editor"), shown(4, 9, "Save")]
    spoken = [said(0, 2, "welcome"), said(3, 5, "now we save it")]
    both = [("screen", screen[0].text), ("subtitles", "welcome")]
    later = [("subtitles", "now we save it"), ("screen", "Save")]
    assert texts(screen, spoken) == [*both, *later]
    assert texts(spoken, screen) == [*both[::-1], *later]
    assert texts() == texts([]) == texts([], []) == []


@pytest.mark.parametrize(
    "read", ["Where are we going now?", "Wherc are we go1ng now", "WHERE ARE WE GOING NOW"]
)
def test_a_subtitle_that_is_burned_in_and_in_a_file_is_one(read):
    (line,) = merged([[shown(1, 4, read)], [said(1.2, 3.4, "Where are we going now?")]])
    assert (line.text, line.source, line.start_seconds) == (
        "Where are we going now?",
        "subtitles",
        1.2,
    )
    assert line.box == BOX


def test_two_rows_that_are_burned_in_are_one_subtitle_with_one_place():
    rows = [shown(1, 4, "I would never"), shown(1, 4, "do such a thing", box=(0.1, 0.9, 0.7, 0.95))]
    (line,) = merged([[said(1, 3, "I would never do such a thing")], rows])
    assert line.box == (0.1, 0.8, 0.8, 0.95)


@pytest.mark.parametrize(
    "line",
    [
        shown(0, 60, "attention is all you need"),  # a slide that is spoken about
        shown(30, 33, "attention is all you need"),
        shown(1, 4, "attention"[:3]),
        shown(1, 4, "something else that stands there"),
        shown(1, 4, "attention is all you need", again_seconds=((40.0, 50.0),)),
    ],
)
def test_what_stands_on_the_screen_by_itself_stays(line):
    spoken = [said(1, 4, "as they say attention is all you need")]
    assert len(merged([spoken, [line]])) == 2


def test_what_was_heard_is_left_out_where_subtitles_have_it_in_other_pieces():
    subtitles = [said(0, 2, "Good morning, and"), said(2, 4, "welcome to the show.")]
    heard = [said(0.1, 4.2, "good morning and welcome to the show", "speech")]
    more = said(4.5, 6, "Today we cook.", "speech")
    assert merged([[*heard, more], subtitles]) == (*subtitles, more)


def test_an_hour_is_merged_within_seconds():
    subtitles = [said(2 * n, 2 * n + 2, f"this is what is said as number {n}") for n in range(1800)]
    screen = [shown(n, 3600 - n, f"a title that stands for long, {n}") for n in range(500)]
    heard = [
        said(2 * n, 2 * n + 2, f"this is what was said as number {n}", "speech")
        for n in range(1800)
    ]
    start = time.perf_counter()
    assert len(merged([subtitles, heard, screen])) == 2300
    assert time.perf_counter() - start < 20

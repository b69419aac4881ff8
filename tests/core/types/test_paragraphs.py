"""Lines that stand below each other on a picture make paragraphs."""

from dataclasses import replace

from framesift.types.paragraphs import paragraphs
from framesift.types.video import TimedText


def line(text, x, y, *, start=0.0, end=5.0, height=0.02, wide=0.3, **more):
    box = (x, y, x + wide, y + height)
    return TimedText(start_seconds=start, end_seconds=end, text=text, box=box, **more)


def texts(*lines):
    return [part.text for part in paragraphs(lines)]


def test_columns_whose_lines_come_in_turns_are_put_together():
    left = [line("Why is this", 0.0, 0.1), line("funny?", 0.1, 0.125, wide=0.1)]
    right = [line("Send", 0.6, 0.1), line("now", 0.6, 0.125)]
    assert texts(left[0], right[0], left[1], right[1]) == ["Why is this funny?", "Send now"]


def test_a_paragraph_is_around_its_lines_and_as_sure_as_the_least_of_them():
    (found,) = paragraphs(
        [line("a", 0.2, 0.1, confidence=0.9), line("b", 0.1, 0.125, confidence=0.7)]
    )
    assert found.box == (0.1, 0.1, 0.5, 0.145)
    assert found.confidence == 0.7


def test_lines_apart_larger_or_of_other_times_stay_alone():
    first = line("a", 0.1, 0.1)
    for other in (
        line("b", 0.1, 0.2),
        line("b", 0.6, 0.125),
        line("b", 0.1, 0.125, height=0.05),
        line("b", 0.1, 0.125, start=2.0),
        line("b", 0.1, 0.125, again_seconds=((7.0, 8.0),)),
        replace(line("b", 0.1, 0.125), box=None),
        line("b", 0.1, 0.125, source="screen"),
    ):
        assert texts(first, other) == ["a", "b"]

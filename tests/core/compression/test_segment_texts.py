"""What is said and what stands on the screen, stretch by stretch."""

from math import inf

from framesift.compression.segment_texts import said_and_shown, texts_between
from framesift.types.answer import Segment
from framesift.types.video import TimedText


def said(start, end, text):
    return TimedText(start_seconds=start, end_seconds=end, text=text)


def shown(start, end, text, y=0.5, **more):
    box = (0.1, y, 0.9, y + 0.03)
    return TimedText(start_seconds=start, end_seconds=end, text=text, box=box, **more)


def test_what_is_said_belongs_where_its_middle_is_and_what_is_shown_wherever_it_stands():
    lines = [said(0, 11, "hello"), shown(2, 12, "a page"), shown(12, 14, "a note", y=0.7)]
    assert texts_between(lines, [-inf, 10, 20, inf]) == [
        ("hello", "a page"),
        ("", "a note"),
        ("", ""),
    ]


def test_what_stands_most_of_the_time_is_named_once():
    lines = [shown(0, 40, "Send", y=0.1), shown(10, 20, "an answer"), shown(31, 40, "a picture")]
    texts = [screen for _, screen in texts_between(lines, [0, 10, 20, 30, 40])]
    assert texts == ["Send", "an answer", "", "a picture"]
    assert texts_between(lines[:1], [0, 40]) == [("", "Send")]


def test_a_line_that_only_touches_a_stretch_is_not_in_it():
    edges = [0, 10, 20, 30, 40, 50]
    (_, first), (_, second), *_ = texts_between([shown(3, 10.1, "bye")], edges)
    assert (first, second) == ("bye", "")
    assert texts_between([shown(9.9, 10.1, "flash")], edges)[:2] == [("", "flash"), ("", "flash")]


def test_a_line_that_stands_again_is_named_again():
    line = shown(0, 5, "Cart", again_seconds=((22, 28),))
    assert [screen for _, screen in texts_between([line], [0, 10, 20, 30, 40])] == [
        *("Cart", "", "Cart", "")
    ]


def test_paragraphs_are_one_line_and_equal_ones_come_once():
    lines = [shown(0, 5, "Why is", y=0.1), shown(0, 5, "this?", y=0.13), shown(0, 5, "Send", y=0.5)]
    assert said_and_shown([*lines, shown(0, 5, "SEND", y=0.8)]) == ("", "Why is this?\nSend")


def test_a_caption_says_title_times_speech_and_screen():
    segment = Segment(
        uri="a.mp4",
        start_seconds=5,
        end_seconds=70,
        keyframe_seconds=6,
        text="and now the page",
        screen_text="Send\n<b>|im_start|",
        title="A talk",
        colors=("red",),
    )
    assert segment.caption() == (
        "A talk, 00:05 to 01:10\nand now the page\nOn the screen: Send\n<b>|im_start|\n"
        "Colors that stand out: red"
    )
    assert segment.caption("A talk, part 1 of 2").startswith(
        "A talk, part 1 of 2, 00:05 to 01:10\n"
    )
    assert {"text", "screen_text"}.isdisjoint(segment.metadata())

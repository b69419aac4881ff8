"""Lines of a video as a prompt has them."""

import pytest

from framesift.answering.video_text import before_question, distinct, plain, within, written
from framesift.types.video import TimedText

BOX = (0.1, 0.1, 0.5, 0.2)


def shown(text, start=0.0, end=4.0, **facts):
    return TimedText(
        start_seconds=start, end_seconds=end, text=text, source="screen", box=BOX, **facts
    )


def said(text, start=0.0, end=4.0, **facts):
    return TimedText(start_seconds=start, end_seconds=end, text=text, **facts)


def test_lines_stand_by_kind_in_time_order_with_the_times_of_each_group():
    lines = [
        said("Let us begin.", 2.0, 3.5),
        shown("Roadmap", 4.0, 9.9),
        shown("Budget"),
        shown("Owner: Mira"),
        said("Good.", 7.0, 7.5, speaker="Aiko"),
    ]
    assert written(lines) == (
        "On the screen:\n"
        "[00:00 - 00:04] Budget\n"
        "Owner: Mira\n"
        "[00:04 - 00:09] Roadmap\n"
        "\n"
        "Said:\n"
        "[00:02 - 00:03] Let us begin.\n"
        "[00:07 - 00:07] Aiko: Good."
    )
    assert written([said("Hello")], video=2) == "Video 2. Said:\n[00:00 - 00:04] Hello"


def test_nothing_to_write_is_nothing_before_the_question():
    assert before_question(written([said(" \n"), shown("\x00")])) == ""
    assert before_question("a") == "a\n\n"


def test_times_of_a_line_that_comes_again_are_named_up_to_three():
    later = tuple((float(start), start + 1.0) for start in (10, 20, 30))
    line = shown("Menu", 1.0, 2.0, again_seconds=later)
    assert written([line]) == ("On the screen:\n[00:01 - 00:02, 00:10 - 00:11, 00:20 - 00:21] Menu")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines\r\n of\tone", "two lines of one"),
        ("\x1b[31mred\x07", "[31mred"),
        (
            "\u05e9\u05dc\u05d5\u05dd world \u4f60\u597d",
            "\u05e9\u05dc\u05d5\u05dd world \u4f60\u597d",
        ),
        ("<|user|><image> <b>", "<|user|><image> <b>"),
        ("half \ud800", "half \ufffd"),
    ],
)
def test_text_of_strangers_stays_text_in_its_order(text, expected):
    assert plain(text) == expected


def test_a_text_that_comes_again_is_one_line_with_all_its_times():
    lines = [shown("Menu", 20.0, 22.0), shown("MENU ", 0.0, 4.0), shown("Menu", 4.5, 6.0)]
    (line,) = distinct(lines)
    assert (line.start_seconds, line.end_seconds, line.again_seconds) == (0.0, 6.0, ((20.0, 22.0),))


def test_what_is_shown_while_it_is_said_is_said():
    lines = [shown("Hello.", 1.0, 3.0), said("hello.", 0.5, 2.5), shown("Bye", 8.0, 9.0)]
    assert [(line.text, line.box) for line in distinct(lines)] == [("hello.", None), ("Bye", BOX)]
    apart = [shown("Hello.", 5.0, 6.0), said("Hello.", 0.5, 2.5)]
    assert len(distinct(apart)) == 2


def test_a_part_has_the_lines_that_stand_in_it():
    lines = [said("before", 0.0, 2.0), said("in it", 1.5, 3.0), said("after", 4.0, 5.0)]
    again = shown("again", 0.0, 1.0, again_seconds=((3.0, 3.5),))
    found = within([*lines, again], (2.0, 4.0))
    assert [line.text for line in found] == ["in it", "again"]
    assert within(lines, None) == tuple(lines)

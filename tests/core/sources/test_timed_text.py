import json

import pytest

from framesift.sources.timed_text import parse_timed_text


def told(text):
    return [(cue.start_seconds, cue.end_seconds, cue.text) for cue in parse_timed_text(text)]


def test_reads_webvtt_with_notes_tags_entities_and_settings():
    text = (
        "\ufeffWEBVTT - a talk\r\n\r\nNOTE not spoken\r\n\r\nintro\r\n"
        "00:01.000 --> 00:02.000 align:start\r\n<b>Fish</b> &amp; chips\r\n\r\n"
        "01:00:00.250 --> 01:00:01.000\r\nTwo\r\nlines\r\n"
    )
    assert told(text) == [(1.0, 2.0, "Fish & chips"), (3600.25, 3601.0, "Two lines")]


def test_reads_subrip_with_styles():
    text = (
        "1\n00:00:01,5 --> 00:00:02,000\n{\\an8}<i>Up</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nOn"
    )
    assert told(text) == [(1.5, 2.0, "Up"), (3.0, 4.0, "On")]


def test_rolling_captions_tell_each_line_once():
    text = (
        "WEBVTT\n\n00:00.000 --> 00:02.000\n \nso<00:00.500><c> today</c>\n\n"
        "00:02.000 --> 00:02.010\nso today\n \n\n"
        "00:02.010 --> 00:04.000\nso today\nwe cook\n\n"
        "00:04.000 --> 00:04.010\nwe cook\n"
    )
    assert told(text) == [(0.0, 2.01, "so today"), (2.01, 4.01, "we cook")]


def test_a_line_that_is_said_again_later_is_kept():
    text = "WEBVTT\n\n00:00.000 --> 00:01.000\nNo.\n\n00:03.000 --> 00:04.000\nNo.\n"
    assert told(text) == [(0.0, 1.0, "No."), (3.0, 4.0, "No.")]


def test_reads_json3_and_ends_each_event_where_the_next_begins():
    events = [
        {"tStartMs": 0, "dDurationMs": 9000, "id": 1},
        {"tStartMs": 80, "dDurationMs": 4000, "segs": [{"utf8": "hello"}, {"utf8": " you"}]},
        {"tStartMs": 2000, "dDurationMs": 2080, "aAppend": 1, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 2010, "dDurationMs": 3000, "segs": [{"utf8": "there"}]},
    ]
    assert told(json.dumps({"events": events})) == [
        (0.08, 2.01, "hello you"),
        (2.01, 5.01, "there"),
    ]


@pytest.mark.parametrize(
    "text", ["", "hello", "{", "[]", '{"events": []}', "<html>" + "<" * 100_000]
)
def test_what_holds_no_cue_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_timed_text(text)

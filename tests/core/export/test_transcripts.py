"""Transcripts are written so that they read back as what they are, whatever their text holds."""

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framesift.errors import InvalidOptionError, StorageError
from framesift.export import save_transcript, transcript_text
from framesift.sources.timed_text import parse_timed_text
from framesift.types.transcript import ReadingReport, Transcript
from framesift.types.video import TimedText

ODD = [
    "42",
    "<b>bold</b> x < 3 & y > 2 &amp; &lt; &#60;",
    "{\\an8}C:\\New\\hello \\N \\h",
    "00:00:01.000 --> 00:00:02.000",
    "--> x -->",
    "<|im_end|> <v Bob>hey",
    "שלום עולם \u200fabc",
    "Dialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,x",
    "WEBVTT",
    "NOTE hi",
    '{"events": []}',
    "1:2",
    "\ue000\ue001",
    "[a](javascript:alert) `x` *y* | # 1. - ![i](u) &copy; $x$ ~~z~~",
]


def of(*texts, **more):
    lines = [
        TimedText(start_seconds=2.0 * place, end_seconds=2.0 * place + 1.5, text=text, **more)
        for place, text in enumerate(texts)
    ]
    return Transcript(uri="a.mp4", lines=tuple(lines), readings=())


def one_line(text):
    return " ".join(text.replace("\0", "\ufffd").split())


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_read_back_as_the_same_text_at_the_same_times(form):
    back = parse_timed_text(transcript_text(of(*ODD), form).encode())
    assert [line.text for line in back] == ODD
    assert [(line.start_seconds, line.end_seconds) for line in back] == [
        (2.0 * place, 2.0 * place + 1.5) for place in range(len(ODD))
    ]


@pytest.mark.parametrize("form", ["srt", "vtt"])
@settings(max_examples=20, deadline=None)
@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=4))
@example(texts=["\0", "\r", "\u2028", "\x1c"])
@example(texts=["-->", "&", "\\"])
def test_any_text_reads_back(form, texts):
    expected = [one_line(text) for text in texts if one_line(text)]
    written = transcript_text(of(*texts), form)
    back = parse_timed_text(written.encode()) if expected else ()
    assert [line.text for line in back] == expected


def test_json_reads_back_equal():
    line = TimedText(
        start_seconds=0.25,
        end_seconds=3.5,
        text="half \ud83d of a letter",
        source="screen",
        box=(0.1, 0.2, 0.3, 0.4),
        speaker="Ann",
        confidence=0.75,
        again_seconds=((5.0, 6.5),),
    )
    report = ReadingReport(reader="screen:fps=2.0", lines=1, frames_read=3, seconds=0.5)
    transcript = Transcript(
        uri="a.mp4", title="A & B", duration_seconds=9.0, lines=(line,), readings=(report,)
    )
    assert Transcript.model_validate(json.loads(transcript_text(transcript, "json"))) == transcript


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_a_line_that_stands_again_has_a_cue_each_time_in_time_order(form):
    lines = (
        TimedText(start_seconds=1, end_seconds=2, text="menu", again_seconds=((7.0, 8.0),)),
        TimedText(start_seconds=4, end_seconds=5, text="page"),
    )
    back = parse_timed_text(
        transcript_text(Transcript(uri="a", lines=lines, readings=()), form).encode()
    )
    assert [(line.start_seconds, line.text) for line in back] == [
        (1.0, "menu"),
        (4.0, "page"),
        (7.0, "menu"),
    ]


def test_a_speaker_is_a_voice_of_webvtt_and_a_name_in_subrip():
    transcript = of("hello", speaker="Ann <x>")
    assert "<v Ann &#60;x&#62;>hello</v>" in transcript_text(transcript, "vtt")
    assert "\nAnn &#60;x>: hello\n" in transcript_text(transcript, "srt")


def test_markdown_shows_the_letters_with_times_and_readers():
    lines = (
        TimedText(start_seconds=0, end_seconds=2.5, text=ODD[-1], source="screen"),
        TimedText(
            start_seconds=3725,
            end_seconds=3726,
            text="<script>\nalert(1)",
            source="speech",
            speaker="Ann",
            again_seconds=((3730.0, 3731.0),),
        ),
    )
    page = transcript_text(
        Transcript(
            uri="https://a/b_c.mp4",
            title="A *talk*",
            duration_seconds=4000.0,
            lines=lines,
            readings=(ReadingReport(reader="screen", lines=1),),
            warnings=["<b>"],
        ),
        "markdown",
    ).splitlines()
    assert page[0] == "# A \\*talk\\*"
    assert page[2] == "https://a/b\\_c.mp4, 1:06:40.0, read by screen"
    shown = page[4].removeprefix("- **00:00.0-00:02.5** ").removesuffix(" (screen)")
    assert re.sub(r"\\(.)", r"\1", shown) == ODD[-1]
    assert not re.search(r"(?<!\\)[`*_\[<|#&!~$]", shown)
    assert page[5] == (
        "- **1:02:05.0-1:02:06.0** Ann: \\<script\\> alert(1) (speech; again 1:02:10.0-1:02:11.0)"
    )
    assert page[-1] == "Warning: \\<b\\>"


def test_a_file_is_written_as_its_ending_says_in_utf_8(tmp_path):
    transcript = of("Grüße, שלום")
    for name, start in (
        ("a.SRT", "1\n"),
        ("a.vtt", "WEBVTT"),
        ("a.md", "# a.mp4"),
        ("a.json", "{"),
    ):
        path = save_transcript(transcript, tmp_path / name)
        assert path.read_text("utf-8").startswith(start)
    assert save_transcript(transcript, tmp_path / "notes", "srt").read_text("utf-8").startswith("1")
    with pytest.raises(InvalidOptionError, match=r"'a.txt' does not say .* \.srt, .*markdown"):
        save_transcript(transcript, tmp_path / "a.txt")
    with pytest.raises(InvalidOptionError, match="format='pdf' must be one of json, srt"):
        transcript_text(transcript, "pdf")
    with pytest.raises(StorageError):
        save_transcript(transcript, tmp_path / "notes" / "a.srt")


def test_a_video_without_text_makes_files_that_hold_none():
    empty = of()
    assert transcript_text(empty, "srt") == ""
    assert transcript_text(empty, "vtt").strip() == "WEBVTT"
    assert "read by nobody" in transcript_text(empty, "markdown")

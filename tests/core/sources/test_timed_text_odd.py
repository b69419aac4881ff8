"""Subtitle files as people and strangers make them."""

import json
from random import Random

import pytest

from framesift.fetching.limits import FetchLimits
from framesift.sources.file import File
from framesift.sources.timed_text import MAX_BYTES, parse_timed_text


def told(text):
    return [(cue.start_seconds, cue.end_seconds, cue.text) for cue in parse_timed_text(text)]


def srt(*texts):
    return "\n\n".join(
        f"{number}\n00:00:{number:02d},000 --> 00:00:{number:02d},500\n{text}"
        for number, text in enumerate(texts, 1)
    )


def words(*texts):
    return [text for _, _, text in told(srt(*texts))]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("if x < 3 and y > 2", "if x < 3 and y > 2"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("a<b and c>d", "a<b and c>d"),
        ("vector<int> v; <T>", "vector<int> v; <T>"),
        ("<i>x</i> < <b>3</b>", "x < 3"),
        ('<font color="#ff0000">red</font> <u>line</u>', "red line"),
        ("{\\an8}{\\i1}up{\\i0} {braces}", "up {braces}"),
        ("&lt;b&gt; &amp; &#233; &nbsp;x &unknown;", "<b> & é x &unknown;"),
        ("What does the <image> tag do?", "What does the <image> tag do?"),
        ("at 00:00:01,000 to 00:00:02,000", "at 00:00:01,000 to 00:00:02,000"),
        ("one --> two", "one --> two"),
        ("The number:\n42", "The number: 42"),
        ("42", "42"),
        ("first\n \nsecond", "first second"),
        ("&#" + "9" * 5000 + ";x", "&#" + "9" * 5000 + ";x"),
        ("C:\\Nord", "C:\\ Nord"),
    ],
)
def test_what_is_no_styling_is_text(written, shown):
    assert words(written, "next") == [shown, "next"]
    assert words(written) == [shown]


def test_webvtt_has_more_tags_and_notes_are_no_text():
    text = (
        "WEBVTT\n\nSTYLE\n::cue { color: red }\n\n00:01.000 --> 00:02.000 line:0\n"
        "<v Roger Bingham>We are <c.loud>in</c> <00:00:01.500>New York\n\nNOTE not spoken\nnor this"
        "\n\nan id\n00:03.000 --> 00:04.000\n\nstray\n\n00:05.000 --> 00:06.000\n2 < 3"
    )
    assert told(text) == [(1.0, 2.0, "We are in New York"), (5.0, 6.0, "2 < 3")]


def test_rolling_captions_with_two_times_in_a_line_are_no_cues():
    text = "WEBVTT\n\n00:00.000 --> 00:02.000\nso<00:00:00.500><c> to</c><00:00:00.900>day\n"
    assert told(text) == [(0.0, 2.0, "so today")]


def test_ass_gives_its_dialogue():
    text = (
        "[Script Info]\n; x\n\n[V4+ Styles]\nStyle: Default,Arial,wrong\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\i1}Hi{\\i0}, you\\N2 < 3,\\h5\n"
        "Comment: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,no\n"
        "Dialogue: 0,soon,0:00:02.50,Default,,0,0,0,,no\n"
        "Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}\n"
    )
    assert told(text) == [(1.0, 2.5, "Hi, you 2 < 3, 5")]


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ("00:00:03,000 --> 00:00:01,000", (3.0, 3.0)),
        ("-00:00:03,000 --> 00:00:01,000", (0.0, 1.0)),
        ("00:03,5 --> 00:04", (3.5, 4.0)),
        ("0:00:03.123456 --> 0:00:04.9 X1:5", (3.123, 4.9)),
    ],
)
def test_times_lie_on_the_time_line(times, seconds):
    assert told(f"1\n{times}\nx\n") == [(*seconds, "x")]


def test_cues_far_beyond_any_video_are_left_out():
    text = "1\n00:00:01,000 --> 00:00:02,000\nx\n\n2\n9999:00:00,000 --> 9999:00:01,000\ny\n"
    assert told(text) == [(1.0, 2.0, "x")]


def test_overlapping_cues_both_stay():
    text = "1\n00:00:02,000 --> 00:00:09,000\nB\n\n2\n00:00:01,000 --> 00:00:04,000\nA\n"
    assert told(text) == [(1.0, 4.0, "A"), (2.0, 9.0, "B")]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_seen(encoding, newline):
    content = srt("Café, naïve", "zwei").replace("\n", newline).encode(encoding)
    assert [text for _, _, text in told(content)] == ["Café, naïve", "zwei"]


def test_a_broken_letter_does_not_change_the_encoding_of_the_others():
    assert [text for _, _, text in told(srt("Café x").encode() + b"\xff")] == ["Café x\ufffd"]
    assert [text for _, _, text in told(srt("Café").encode("cp1252"))] == ["Café"]


def event(**fields):
    return {"segs": [{"utf8": "hi"}], "tStartMs": 1000, "dDurationMs": 500} | fields


@pytest.mark.parametrize(
    ("odd", "seconds"),
    [
        ({"tStartMs": "1000"}, (1.0, 1.5)),
        ({"tStartMs": None}, None),
        ({"tStartMs": float("nan")}, None),
        ({"tStartMs": float("inf")}, None),
        ({"tStartMs": [1]}, None),
        ({"tStartMs": True}, None),
        ({"tStartMs": -2000}, (0.0, 0.0)),
        ({"tStartMs": 10**300}, None),
        ({"dDurationMs": None}, (1.0, 1.0)),
        ({"dDurationMs": -3000}, (1.0, 1.0)),
        ({"dDurationMs": "x"}, (1.0, 1.0)),
        ({"segs": None}, None),
        ({"segs": {"utf8": "hi"}}, None),
        ({"segs": [None, 1, [], {"utf8": 3}, {"utf8": "hi"}]}, (1.0, 1.5)),
    ],
)
def test_an_odd_event_of_json3_costs_no_other(odd, seconds):
    last = event(segs=[{"utf8": "last"}], tStartMs=9000)
    found = told(json.dumps({"events": [None, 1, "x", [], event(**odd), last]}))
    expected = [] if seconds is None else [(*seconds, "hi")]
    assert found == [*expected, (9.0, 9.5, "last")]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "null",
        '{"events": null}',
        '{"events": {"a": 1}}',
        '{"events":' + "[" * 100_000,
        '{"events": [{"tStartMs": ' + "9" * 5000 + "}]}",
        "{",
        "\0" * 100,
        "\ufeff",
        "-->" * 1000,
    ],
)
def test_a_bad_file_costs_a_warning_and_never_the_video(tmp_path, clip, text):
    with pytest.raises(ValueError):  # noqa: PT011
        parse_timed_text(text)
    (tmp_path / "talk.mp4").write_bytes(clip)
    (tmp_path / "talk.json3").write_text(text)
    (tmp_path / "talk.srt").write_bytes(text.encode("utf-16"))
    (tmp_path / "talk.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nGood\n")
    video = File().open(str(tmp_path / "talk.mp4"), FetchLimits())
    assert [cue.text for cue in video.subtitles] == ["Good"]
    assert len(video.warnings) == 1
    assert "'talk.srt' were left out" in video.warnings[0]


def test_a_huge_file_is_not_read(tmp_path, clip):
    (tmp_path / "talk.mp4").write_bytes(clip)
    with (tmp_path / "talk.srt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    video = File().open(str(tmp_path / "talk.mp4"), FetchLimits())
    assert video.subtitles == ()
    assert f"more than {MAX_BYTES} bytes" in video.warnings[0]


def test_letters_that_had_to_be_guessed_are_said():
    def notes(content):
        warnings: list[str] = []
        lines = parse_timed_text(content, warnings.append)
        return lines[0].text, warnings

    text = srt("caf\u00e9")
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        assert notes(text.encode(encoding)) == ("caf\u00e9", [])
    assert notes(text.encode("cp1252")) == (
        "caf\u00e9",
        ["they are not UTF-8 and were read as Windows-1252; save them as UTF-8"],
    )
    _, lost = notes(text.encode() + b"\n\n" + text.encode("cp1252"))
    assert lost == ["1 of their letters are not UTF-8; save them as UTF-8 again"]


@pytest.mark.parametrize(
    "encoding",
    ["shift-jis", "gbk", "big5", "euc-kr", "cp1251", "koi8-r", "utf-7", "cp037"],
)
def test_no_encoding_ends_more_than_its_subtitles(tmp_path, write_video, encoding):
    video = write_video(tmp_path / "talk.mp4", 2)
    letters = {"shift-jis": "\u65e5\u672c", "gbk": "\u4e2d\u6587", "big5": "\u4e2d\u6587"}
    text = letters.get(encoding, "\ud55c" if encoding == "euc-kr" else "\u0416")
    content = srt(text if encoding != "cp037" else "\u00e9").encode(encoding)
    video.with_suffix(".srt").write_bytes(content)
    with File().open(str(video), FetchLimits()) as opened:
        assert len(opened.warnings) == (0 if encoding == "utf-7" else 1)
        for line in opened.warnings:
            assert "'talk.srt'" in line


ODD_JSON = [None, True, -1, 1.5, 10**30, 10**400, "0", "nan", "1e999", "\ud83d", "x\ny", "", [], {}]


def mutated(value, random):
    """Captions in which about one value in eight is something else, or in another place."""
    if random.random() < 0.12:
        return random.choice([*ODD_JSON, [value], {"utf8": value}, [[value, value]]])
    if isinstance(value, list):
        return [mutated(each, random) for each in value]
    if isinstance(value, dict):
        return {name: mutated(each, random) for name, each in value.items()}
    return value


def test_captions_of_any_json_are_lines_or_one_clear_error():
    random = Random(7)
    events = [
        {"tStartMs": 1000 * n, "dDurationMs": 900, "segs": [{"utf8": f"line {n}"}, {"utf8": "!"}]}
        for n in range(3)
    ]
    read, refused = 0, []
    for _ in range(3000):
        try:
            lines = parse_timed_text(json.dumps(mutated({"events": events}, random)))
        except ValueError as error:
            refused.append(str(error))
            continue
        read += 1
        for line in lines:
            assert 0 <= line.start_seconds <= line.end_seconds < float("inf")
            assert line.text.encode()
    assert read > 1000
    assert len(refused) > 300
    assert not [line for line in refused if "\n" in line]

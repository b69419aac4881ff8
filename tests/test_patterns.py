"""Text from strangers meets linear patterns only: every pattern is listed here, and timed.

A new regular expression fails the first test until it is entered with the way in which it is used.
The others time hostile texts of 100 kB and more against four times as much: what is linear takes
four times as long, what is quadratic sixteen times.
"""

import ast
import importlib
import re
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest

from framesift.answering.tool_calls import parse
from framesift.errors import FramesiftError
from framesift.export.transcripts import transcript_text
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import checked_link, without_secrets
from framesift.scorers.text_search import text_matches
from framesift.serving import AllowedFolders, folder_of, media_of
from framesift.sources._yt_dlp_errors import plain_error
from framesift.sources.base import open_video
from framesift.sources.file import file_path
from framesift.sources.link_times import split_part
from framesift.sources.sites import is_known_page, split_start, with_scheme
from framesift.sources.timed_text import parse_timed_text
from framesift.strategies.base import create_strategy
from framesift.types.question import MAX_QUESTION, check_question
from framesift.types.transcript import Transcript
from framesift.types.video import TimedText

ROOT = Path(__file__).parents[1]
FOLDERS = [ROOT / "core" / "framesift", *sorted((ROOT / "integrations").iterdir())]

USED = {
    "framesift_server/results.py": {"NAME": "fullmatch"},
    "framesift/hf/checkpoint_files.py": {
        "SHARD": "fullmatch",
        "ATTENTION": "fullmatch",
        "RANGES": "fullmatch",
    },
    "framesift/answering/judging.py": {"_EVALUATION": "findall", "_LIST": "findall"},
    "framesift/answering/endpoint_judge.py": {"_NOT_LETTERS": "sub"},
    "framesift/hf/letters.py": {"MARKUP": "fullmatch", "BYTE": "fullmatch"},
    "framesift/fetching/links.py": {"_USERINFO": "sub", "_PAIRS": "split"},
    "framesift/sources/_markup.py": {"_TAGS": "sub", "_ENTITY": "sub"},
    "framesift/sources/link_times.py": {
        "_UNITS": "fullmatch",
        "_NUMBER": "fullmatch",
        "_CLOCK": "fullmatch",
    },
    "framesift/sources/timed_text.py": {"_STAMP": "match", "_NEWLINE": "sub"},
    "framesift/sources/_yt_dlp_errors.py": {
        "_UNSUPPORTED": "search",
        "_NAMES": "sub",
        "_NOISE": "sub",
    },
    "framesift/export/files.py": {"_KEYFRAME": "fullmatch"},
    "framesift/export/transcripts.py": {"_MARKED": "sub", "_ESCAPED": "sub", "_MARKDOWN": "sub"},
    "framesift/scorers/text_search.py": {"SENTENCE_END": "split"},
    "framesift/selectors/question_scope.py": {
        "_ACCENTS": "sub",
        "_QUOTED": "sub",
        "_WHOLE": "search",
        "_GLOBAL": "search",
        "_PLACE": "search",
    },
    "framesift/types/compressed_files.py": {"_WAITING": "fullmatch"},
    "framesift/disk/temporary.py": {"_OURS": "fullmatch"},
    "framesift/vlms/origin.py": {"_MODEL": "search"},
    "framesift/vlms/marks.py": {"MARK": "findall", "BEFORE": "search", "BEHIND": "match"},
    "framesift/serving/request_specs.py": {"OPTION": "match"},
    "framesift/vlms/prompt.py": {"SURROGATE": "search"},
    "framesift/hf/_template_limits.py": {"PLAIN_FORMAT": "fullmatch"},
    "framesift/disk/writing.py": {"_PART": "fullmatch"},
    "framesift/serving/_block_facts.py": {"_PATH_END": "split"},
}
"""The patterns that are compiled, by file and name, with the method that is called."""

INLINE = {
    # Placeholders of a checkpoint's template, as plain letters.
    "framesift/vlms/_runs.py": 1,
    # Figures that this package has drawn itself.
    "framesift/evaluation/curves/page.py": 2,
    # Questions that this package has made itself.
    "framesift/synthetic/paraphrases.py": 1,
    # At most 8,000 letters of yt-dlp's messages, with patterns that have no repetition.
    "framesift/sources/_yt_dlp_errors.py": 1,
    # Letters of one line on a picture, by their kinds.
    "framesift/readers/reading_order.py": 5,
    # Words that were read off frames of one's own recordings.
    "framesift/evaluation/reading/recognition.py": 1,
    # The specs of one's own command line, by the names of one's own folders.
    "framesift/evaluation/provenance.py": 1,
}
"""Calls of `re` without a compiled pattern, none of which sees text from strangers at length."""

SMALL = 100_000
TIMES_MORE = 4
MOST_GROWTH = 9.0
NOTHING = 0.02
"""Seconds for 100 kB that are no harm: even copying all of it for each letter takes 0.5."""
UNITS = [
    *"<>[]{}()&#@=?:/\\.,-_ \t\n1aZ\u00e9\0\"'|~%+",
    "<a", "<font ", "<v ", "{\\", "[a", "&#", "&a", "1:", "00:", "1,", "-->", " --> ", "\n1",
    "\n\n", "\r", "?a=", "&token=", "?auth", "auth", "#t=", "#t=1", "1.", "1h", "1m", "//", "//a",
    "http://", "https://a ", "a.", "www.", "youtu.be/", "[a] ", "[a] b", "ERROR: ", "; please ",
    "<0x", "=[", "{\"", "[\"", "%41", "a@", "\u0130",
]  # fmt: skip


def file_name(path):
    parts = path.relative_to(ROOT).parts
    return "/".join(parts[1:] if parts[0] == "core" else parts[2:])


def names_in(tree):
    """Returns the name that each expression within an assignment of a module is bound to."""
    bound = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            bound |= dict.fromkeys(ast.walk(node.value), getattr(target, "id", None))
    return bound


def calls_of_re():
    """Yields file, function of `re`, and the name that its result is bound to, if any."""
    files = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        bound = names_in(tree)
        for node in ast.walk(tree):
            function = getattr(node, "func", None)
            if not isinstance(function, ast.Attribute) or ast.unparse(function.value) != "re":
                continue
            if function.attr != "escape":
                yield file_name(path), function.attr, bound.get(node)


def test_every_pattern_is_entered():
    compiled, inline = {}, {}
    for name, function, bound in calls_of_re():
        if function == "compile" and bound:
            compiled.setdefault(name, set()).add(bound)
        else:
            inline[name] = inline.get(name, 0) + 1
    assert compiled == {name: set(patterns) for name, patterns in USED.items()}
    assert inline == INLINE


def within(found):
    """Yields the patterns in what a name is bound to: one, or several in a mapping or pairs."""
    if isinstance(found, re.Pattern):
        yield found
    elif isinstance(found, dict | tuple):
        for one in found.values() if isinstance(found, dict) else found:
            yield from within(one)


def patterns():
    for name, used in USED.items():
        module = name.removesuffix(".py").replace("/", ".")
        for bound, method in used.items():
            found = getattr(importlib.import_module(module), bound)
            for pattern in within(found):
                case = f"{name}-{bound}-{pattern.pattern[:20]}"
                # The longest pattern takes a minute, of hundreds of words in 15 languages.
                marks = [pytest.mark.slow] if bound == "_GLOBAL" else []
                yield pytest.param(pattern, method, id=case, marks=marks)


def seconds(work, text):
    """Returns the least CPU time of three runs, of one where it is short."""
    least = float("inf")
    for _ in range(3):
        start = time.thread_time()
        with suppress(FramesiftError, ValueError):
            work(text)
        least = min(least, time.thread_time() - start)
        if least < NOTHING:
            break
    return least


def assert_linear(work, made):
    """Checks that a text four times as long takes no more than in proportion."""
    short = seconds(work, made(SMALL))
    if short > NOTHING:
        long = seconds(work, made(SMALL * TIMES_MORE))
        assert long < MOST_GROWTH * short, f"{short:.3f} s, then {long:.3f} s"


def hostile(unit, before="", after=""):
    return lambda length: before + unit * (length // len(unit)) + after


@pytest.mark.parametrize(("pattern", "method"), list(patterns()))
def test_a_pattern_takes_time_in_proportion(pattern, method):
    def work(text):
        call = getattr(pattern, method)
        return call("", text) if method == "sub" else call(text)

    for unit in UNITS:
        assert_linear(work, hostile(unit))
        assert_linear(work, hostile(unit, after="!"))


def spoken(text):
    """Returns a transcript of one line."""
    line = TimedText(start_seconds=0.0, end_seconds=1.0, text=text)
    return Transcript(uri="a.mp4", lines=(line,), readings=())


CUE = "1\n00:00:01,000 --> 00:00:02,000\n"
WEBVTT = "WEBVTT\n\n00:01.000 --> 00:02.000\n"
DIALOGUE = "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,"
READERS = {
    "without_secrets": (without_secrets, "http://a/?"),
    "checked_link": (lambda text: checked_link(text, FetchLimits()), "http://a/"),
    "with_scheme": (lambda text: with_scheme(text, may_be_file=True), ""),
    "split_part": (split_part, "http://a/#t="),
    "split_start": (split_start, "https://youtu.be/x?"),
    "is_known_page": (is_known_page, "https://"),
    "file_path": (file_path, "file://"),
    "plain_error": (lambda text: plain_error(ValueError(text), "x"), "ERROR: ["),
    "tool_calls": (lambda text: parse(text, must_call=True), '{"tool_calls": '),
    "open_video": (open_video, ""),
    "open_link": (open_video, "http://a:b/"),
    "open_page": (open_video, "youtu.be:b/"),
    "open_scene": (open_video, "synthetic://number?a="),
    "open_data": (open_video, "data:video/mp4;base64,"),
    "open_data_head": (open_video, "data:"),
    "srt": (parse_timed_text, CUE),
    "vtt": (parse_timed_text, WEBVTT),
    "ass": (parse_timed_text, DIALOGUE),
    "json3": (parse_timed_text, '{"events": ['),
    "json3_text": (parse_timed_text, '{"events": [{"segs": [{"utf8": "'),
    "question": (check_question, ""),
    "spec": (create_strategy, "temporal:"),
    "spec_in_brackets": (create_strategy, "protect-edges:strategy=["),
    "spec_name": (create_strategy, ""),
    "folders": (AllowedFolders([Path.cwd()]).opened, ""),
    "folders_data": (AllowedFolders([Path.cwd()]).opened, "data:video/mp4;base64,"),
    "block": (lambda text: media_of({"type": "file", "url": text}), ""),
    "video_block": (lambda text: media_of({"type": "video", "url": text, "start": 1}), "a#t="),
    "written_markdown": (lambda text: transcript_text(spoken(text), "markdown"), ""),
    "found": (lambda text: text_matches(spoken(text).lines, "a glove", 1), ""),
    "folder": (lambda text: folder_of(text, FetchLimits()), ""),
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name == "found" else name for name in READERS],
)
def test_what_reads_text_of_strangers_takes_time_in_proportion(name):
    work, before = READERS[name]
    for unit in UNITS:
        assert_linear(work, hostile(unit, before))


def lines_twice(length):
    """Two rolling captions of the same many lines."""
    lines = "".join(f"{number}\n" for number in range(length // 12))
    return f"{WEBVTT}{lines}\n00:02.000 --> 00:03.000\n{lines}"


def many_cues(length):
    return "".join(
        f"{number}\n00:00:01,000 --> 00:00:02,000\nx\n\n" for number in range(length // 40)
    )


def many_dialogues(length):
    return f"{DIALOGUE}{{\\i1}}x\n" * (length // 60)


def many_events(length):
    event = '{"tStartMs": 1, "segs": [{"utf8": "a\\nb"}]}'
    return '{"events": [' + ",".join([event] * (length // 50)) + "]}"


@pytest.mark.parametrize("made", [lines_twice, many_cues, many_dialogues, many_events])
def test_subtitles_of_many_lines_take_time_in_proportion(made):
    assert_linear(parse_timed_text, made)
    assert parse_timed_text(made(SMALL))


def test_a_link_of_100_kb_is_refused_at_once():
    for link in ("http://a.example/?" + "auth" * 25_000, "youtu.be/?" + "t=1&" * 25_000):
        start = time.perf_counter()
        with pytest.raises(FramesiftError, match="characters"):
            open_video(link)
        assert time.perf_counter() - start < 5


def test_a_question_has_a_maximum_length():
    check_question("?" * MAX_QUESTION)
    with pytest.raises(FramesiftError, match=f"at most {MAX_QUESTION}"):
        check_question("?" * (MAX_QUESTION + 1))


def test_a_data_uri_of_megabytes_is_read_in_proportion():
    body = b64encode(bytes(1_500_000)).decode()
    start = time.perf_counter()
    with pytest.raises(FramesiftError, match="not a video"):
        open_video(f"data:video/mp4;base64,{body}")
    assert time.perf_counter() - start < 5

"""What goes wrong on the way reaches every result, once, whichever call it was."""

import logging
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from framesift.compression.compressor import VideoCompressor
from framesift.decoders.pyav import PyavDecoder
from framesift.export.keyframe_folder import KeyframeShelf
from framesift.run import Run, joined, on_progress
from framesift.serving.assistant import Assistant
from framesift.serving.message import Message
from framesift.sources.base import open_video

CLIP = "synthetic://number?seed=3&seconds=8"
LOST = "frame 2 could not be decoded"
FETCHED = "the subtitles were left out"
QUESTION = "What number flashes?"


@dataclass(frozen=True, kw_only=True)
class Torn(PyavDecoder):
    """A decoder that tells of a lost frame each time it reads."""

    summary: ClassVar[str] = "tells of a lost frame"

    def decode(self, path, indices, *, warn=None, **options):
        warn(LOST)
        warn(LOST)
        yield from super().decode(path, indices, warn=warn, **options)


@pytest.fixture(scope="module")
def sift():
    return VideoCompressor(vlm="tiny", decoder=Torn())


@pytest.fixture(scope="module")
def local():
    with open_video(CLIP) as local:
        yield replace(local, warnings=(FETCHED,))


@pytest.fixture(scope="module")
def torn_file(tmp_path_factory):
    """A file of which a piece in the middle is lost."""
    with open_video(CLIP) as video:
        content = bytearray(video.path.read_bytes())
    start = len(content) // 3
    content[start : start + len(content) // 4] = bytes(len(content) // 4)
    path = tmp_path_factory.mktemp("torn") / "torn.mp4"
    path.write_bytes(content)
    return path


def told(call):
    lines = []
    call(lines.append)
    return sorted(lines)


def ways(sift, folder):
    """Every public method that takes a video."""
    (part,) = sift.segments(CLIP, count=1)
    parts = [part.model_copy(update={"keyframe_seconds": 0.0}), part]

    def reduced(video, warn):
        return sift.reduce(sift.encode(video, warn=warn), warn=warn)

    def opened(video, warn):
        with sift.open(video, warn=warn) as chat:
            return chat.ask(QUESTION)

    return {
        "keyframes": lambda video, warn: sift.keyframes(video, warn=warn),
        "segments": lambda video, warn: sift.segments(video, warn=warn),
        "moments": lambda video, warn: sift.moments(video, warn=warn),
        "frames": lambda video, warn: sift.frames(video, warn=warn),
        "compress": lambda video, warn: sift.compress(video, warn=warn),
        "encode": lambda video, warn: sift.encode(video, warn=warn),
        "reduce": reduced,
        "pictured": lambda video, warn: sift.pictured(video, parts, warn=warn),
        "ask": lambda video, warn: sift.ask(video, QUESTION, warn=warn),
        "find": lambda video, warn: sift.find(video, QUESTION, warn=warn),
        "open": opened,
        "folder": lambda video, warn: KeyframeShelf(folder=folder, compressor=sift).read(
            video, warn=warn
        ),
    }


WAYS = ["keyframes", "segments", "moments", "frames", "compress", "encode", "reduce", "pictured"]
WAYS += ["ask", "find", "open", "folder"]


def listed(result):
    """Returns the warnings that a result names, None where it has no place for them."""
    report = getattr(result, "report", result)
    lines = getattr(report, "warnings", None)
    return None if lines is None else sorted(lines)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_look_at_a_video_warns_once_and_lists_it_in_its_result(
    sift, local, way, tmp_path
):
    lines = []
    result = ways(sift, tmp_path)[way](local, lines.append)
    assert sorted(lines) == [LOST, FETCHED]
    assert listed(result) in (None, [LOST, FETCHED])


@pytest.mark.parametrize("way", WAYS)
def test_each_way_warns_of_a_file_that_is_damaged(way, tmp_path, torn_file):
    sift, lines = VideoCompressor(vlm="tiny"), []
    result = ways(sift, tmp_path)[way](str(torn_file), lines.append)
    damage = [line for line in lines if "is damaged" in line]
    assert damage
    assert len(lines) == len(set(lines))
    assert listed(result) is None or set(damage) <= set(listed(result))


@pytest.mark.parametrize("way", WAYS)
def test_each_way_ends_where_its_listener_of_progress_raises(sift, local, way, tmp_path):
    work = ways(sift, tmp_path)[way]

    def stop(progress):
        raise TimeoutError(progress.stage)

    with pytest.raises(TimeoutError, match=r"decode|encode|select"), on_progress(stop):
        work(local, lambda line: None)


def test_an_assistant_that_searches_warns_once_although_it_reads_twice(sift, local):
    assert told(lambda warn: Assistant(sift).find(local, QUESTION, warn=warn)) == [LOST, FETCHED]


def test_without_a_listener_they_are_logged(sift, local, caplog):
    with caplog.at_level(logging.WARNING, logger="framesift"):
        sift.segments(local)
    assert sorted(caplog.messages) == [LOST, FETCHED]


def test_every_answer_lists_them(sift, local):
    assert sift.ask(local, QUESTION).warnings == [FETCHED, LOST]
    with sift.open(local) as chat:
        assert chat.ask(QUESTION).warnings == [FETCHED, LOST]
        assert chat.ask("And where?", follow_up=True).warnings == [FETCHED, LOST]
        assert list(chat.stream(QUESTION))
        assert chat.last.warnings == [FETCHED, LOST]
        assert told(lambda warn: chat.find(QUESTION, warn=warn)) == [LOST, FETCHED]


def test_an_assistant_lists_them_for_a_video_that_it_read_before(sift, local):
    assistant = Assistant(sift)
    asked = Message(role="user", text=QUESTION, videos=(local,))
    assert assistant.reply([asked]).warnings == [FETCHED, LOST]
    assert assistant.reply([asked]).warnings == [FETCHED, LOST]
    stream = assistant.stream([asked])
    assert "".join(stream)
    assert stream.answer.warnings == [FETCHED, LOST]


def test_of_several_videos_it_is_said_which_one(sift, local):
    other = replace(local, uri="synthetic://other", warnings=())
    names = [f"{local.uri}: {FETCHED}", f"{local.uri}: {LOST}", f"synthetic://other: {LOST}"]
    for videos in ([local, other], [sift.compress(local), other]):
        lines = []
        answer = sift.ask(videos, QUESTION, warn=lines.append)
        assert answer.warnings == names
        assert sorted(lines) == sorted(names)
    assert told(lambda warn: sift.open([local, other], warn=warn)) == sorted(names)
    assert told(lambda warn: sift.ask([local, local], QUESTION, warn=warn)) == [LOST, FETCHED]


def test_an_assistant_logs_which_video_it_is(sift, local, caplog):
    other = replace(local, uri="synthetic://other", warnings=())
    asked = Message(role="user", text=QUESTION, videos=(local, other))
    with caplog.at_level(logging.WARNING, logger="framesift"):
        answer = Assistant(sift).reply([asked])
    assert sorted(caplog.messages) == sorted(answer.warnings)
    assert f"synthetic://other: {LOST}" in answer.warnings


@pytest.mark.parametrize("way", ["ask", "find", "open"])
def test_of_a_compressed_video_the_same_is_said_as_of_the_video(sift, local, way, tmp_path):
    video, lines = sift.compress(local, "What color is the card?"), []
    answer = ways(sift, tmp_path)[way](video, lines.append)
    assert {FETCHED, LOST} <= set(lines)
    assert way != "ask" or lines == answer.warnings


def test_a_plan_that_misses_its_budget_says_so_in_the_answer():
    answer = VideoCompressor(vlm="tiny", strategy="pllava", keep=0.3).ask(CLIP, QUESTION)
    assert len(answer.warnings) == 1
    assert "largest layout" in answer.warnings[0]


def test_a_run_tells_each_line_once_and_what_is_within_it_too():
    lines = []
    run = Run(listener=lines.append)
    for video in (run.within(), run.within()):
        video.warn("lost")
        video.warn("lost")
        assert video.warnings == ["lost"]
    assert lines == run.warnings == ["lost"]


def test_notes_of_equal_names_stay_without_them():
    assert joined([("a", ["x", "x"]), ("a", ["y"])]) == ["x", "y"]
    assert joined([("a", ["x"]), ("b", ["x"])]) == ["a: x", "b: x"]
    assert joined([]) == []

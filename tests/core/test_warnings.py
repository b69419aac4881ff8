"""What goes wrong on the way reaches every result, once, whichever call it was."""

import logging
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from framesift.compression.compressor import VideoCompressor
from framesift.decoders.pyav import PyavDecoder
from framesift.run import Run, joined
from framesift.serving.assistant import Assistant, Message
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


def told(call):
    lines = []
    call(lines.append)
    return sorted(lines)


@pytest.mark.parametrize(
    "way", ["keyframes", "segments", "moments", "frames", "compress", "encode"]
)
def test_each_way_to_look_at_a_video_tells_each_warning_once(sift, local, way):
    assert told(lambda warn: getattr(sift, way)(local, warn=warn)) == [LOST, FETCHED]


def test_a_search_tells_them_once_although_it_reads_twice(sift, local):
    assert told(lambda warn: sift.find(local, QUESTION, warn=warn)) == [LOST, FETCHED]
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
    answer = sift.ask([local, other], QUESTION)
    names = [f"{local.uri}: {FETCHED}", f"{local.uri}: {LOST}", f"synthetic://other: {LOST}"]
    assert answer.warnings == names


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

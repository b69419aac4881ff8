"""The walks through the rooms of the package are those that ARCHITECTURE draws."""

import re
import sys
from pathlib import Path

import pytest

import framesift
from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor

PACKAGE = Path(framesift.__file__).parent
PAGE = PACKAGE.parents[1] / "ARCHITECTURE.md"
SHORT = Generation(max_new_tokens=4)
CLIP, QUESTION = "synthetic://number?seed=3&seconds=4", "What number flashes?"


def drawn(heading):
    section = PAGE.read_text().partition(f"## {heading}, room by room")[2].partition("\n## ")[0]
    return re.findall(r"^\| \d+ \| `(\w+)` \|", section, re.MULTILINE)


def room_of(code):
    path = Path(code.co_filename)
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py") if PACKAGE in path.parents else ""


def calls_between_rooms(work):
    """Returns the pairs of rooms of which one calls the other, in the order of the first calls."""
    stack, pairs = [""], []

    def watch(frame, event, _):
        if event == "call":
            room = room_of(frame.f_code) or stack[-1]
            if room != stack[-1] and (stack[-1], room) not in pairs:
                pairs.append((stack[-1], room))
            stack.append(room)
        elif event == "return" and len(stack) > 1:
            stack.pop()

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return pairs


@pytest.fixture(scope="module")
def chat():
    sift = VideoCompressor(vlm="tiny")
    with sift.open(CLIP) as chat:
        chat.ask(QUESTION)
        yield chat


def test_a_question_goes_down_through_eight_rooms_at_most(chat):
    assert_walk("One question", lambda: chat.ask(QUESTION, generation=SHORT, on_text=str.strip))


def test_an_address_goes_down_through_eight_rooms_at_most(tmp_path, write_video):
    address = str(write_video(tmp_path / "talk.mp4", 8, fps=2))
    sift = VideoCompressor()
    sift.compress(address)
    assert_walk("One URI", lambda: sift.compress(address))


def assert_walk(heading, work):
    rooms, pairs = drawn(heading), calls_between_rooms(work)
    assert len(rooms) == len(set(rooms)) <= 8
    assert pairs[0] == ("", rooms[0])
    assert {room for _, room in pairs} == set(rooms)
    assert [pair for pair in pairs[1:] if rooms.index(pair[0]) > rooms.index(pair[1])] == []

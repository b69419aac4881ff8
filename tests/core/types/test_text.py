import json

import pytest

from framesift.types.text import shown_address
from framesift.types.transcript import Transcript
from framesift.types.video import TimedText


@pytest.mark.parametrize("length", [0, 79, 80])
def test_a_short_address_is_shown_whole(length):
    assert shown_address("a" * length) == "a" * length


def test_a_long_one_loses_its_middle_only():
    address = "/begin/" + "x" * 9_000 + "/talk.mp4"
    shown = shown_address(address)
    assert len(shown) == 80
    assert shown.startswith("/begin/")
    assert shown.endswith("/talk.mp4")
    assert "..." in shown


def test_lines_of_strangers_are_text_that_can_be_encoded():
    line = TimedText(start_seconds=0, end_seconds=1, text="half \ud83d", speaker="\ud800")
    read = Transcript(uri="\ud800.mp4", title="\ud83d", lines=(line,), readings=())
    told = json.loads(read.model_dump_json().encode())
    assert told["lines"][0]["text"] == "half \ufffd"
    assert (told["lines"][0]["speaker"], told["title"]) == ("\ufffd", "\ufffd")
    assert Transcript.model_validate(told) == read

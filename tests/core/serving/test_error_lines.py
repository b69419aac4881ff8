"""Errors speak to who reads them: a program, or whoever can do no more than call again."""

import pickle
import re

import pytest

import framesift
from framesift.errors import FramesiftError, SourceError
from framesift.fetching.limits import FetchLimits
from framesift.registry import require
from framesift.serving import error_line

CLIP = "synthetic://number?seconds=1"
CODE = re.compile(r"pathlib|FetchLimits|max_[a-z]+=|TMPDIR|\bPath object|text=|question=|--[a-z]")


def raised(work):
    with pytest.raises(FramesiftError) as caught:
        work()
    return caught.value


@pytest.mark.parametrize(
    "work",
    [
        lambda: framesift.open_video("/etc/hostname", FetchLimits.untrusted()),
        lambda: framesift.open_video("", FetchLimits.untrusted()),
        lambda: framesift.open_video("http://127.0.0.1/a.mp4", FetchLimits.untrusted()),
        lambda: framesift.open_video("https://example.com:22/a.mp4", FetchLimits.untrusted()),
        lambda: framesift.VideoCompressor(vlm="tiny", strategy="question").compress(CLIP),
    ],
)
def test_who_can_only_call_again_reads_no_python(work):
    error = raised(work)
    assert CODE.search(str(error)), "a program is told what to pass"
    assert not CODE.search(error_line(error))
    assert "\n" not in error_line(error)


def test_an_operator_is_named_where_something_is_not_installed():
    line = error_line(raised(lambda: require("no_such_module", extra="ocr")))
    assert "whoever runs the server" in line
    assert "pip install 'framesift[ocr]'" in line


def test_both_lines_survive_pickling():
    error = pickle.loads(pickle.dumps(SourceError("to a program", to_caller="to a caller")))
    assert (str(error), error_line(error)) == ("to a program", "to a caller")
    assert error_line(SourceError("to both")) == "to both"

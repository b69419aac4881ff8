"""One clock: a time is cut, and reads the same wherever it is shown."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from framesift.cli.commands import app
from framesift.compression.compressor import VideoCompressor
from framesift.export.engines import openai_content
from framesift.report.page import write_report
from framesift.selectors import registry as selectors
from framesift.testing.selectors import make_candidates
from framesift.types.answer import Segment
from framesift.types.clock import clock, cut, span, whole_seconds
from framesift.types.compressed import Keyframe
from framesift.types.tokens import VideoTokens


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (0, 0, "00:00"),
        (-1e-9, 0, "00:00"),
        (59.7, 0, "00:59"),
        (59.7, 1, "00:59.7"),
        (59.96, 0, "00:59"),
        (59.96, 1, "00:59.9"),
        (59.9994, 2, "00:59.99"),
        (59.9996, 0, "01:00"),
        (192.34, 1, "03:12.3"),
        (3599.4, 0, "59:59"),
        (3600, 0, "1:00:00"),
        (7384.55, 2, "2:03:04.55"),
        (0.1 + 0.2, 1, "00:00.3"),
        (90_000.25, 2, "25:00:00.25"),
    ],
)
def test_a_time_is_cut(seconds, decimals, text):
    assert clock(seconds, decimals) == text


def test_what_is_rounded_to_milliseconds_reads_as_before():
    for milliseconds in (59_999, 59_999.6, 60_000.4, 1 / 3 * 1000, 123_456.5001):
        seconds = milliseconds / 1000
        for decimals in (0, 1, 2):
            assert clock(round(seconds, 3), decimals) == clock(seconds, decimals)
            assert cut(round(seconds, 3), decimals) == cut(seconds, decimals)


@pytest.mark.parametrize("seconds", [0.96, 59.7, 59.96, 3661.999])
def test_more_decimals_go_on_where_fewer_end(seconds):
    assert clock(seconds, 2).startswith(clock(seconds, 1))
    assert clock(seconds, 1).startswith(clock(seconds))
    assert whole_seconds(seconds) == int(cut(seconds))
    assert span(seconds, seconds + 1).split("-")[0] == f"{cut(seconds, 1):.1f}"


def test_a_link_starts_at_the_second_that_the_text_names():
    segment = Segment(
        uri="https://www.youtube.com/watch?v=abc",
        start_seconds=59.7,
        end_seconds=63.0,
        keyframe_seconds=59.7,
    )
    assert segment.clock == "00:59"
    assert segment.link.endswith("t=59s")
    assert segment.caption() == "00:59 to 01:03"


def keyframe(seconds):
    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    return Keyframe(image=picture, pts_seconds=seconds, score=1.0, reason="stands alone")


def test_prompts_name_the_second_of_a_frame():
    assert openai_content([keyframe(59.7)], "What?")[0]["text"] == "[00:59]"
    assert keyframe(59.9996).clock == "01:00"


@pytest.mark.parametrize(("fps", "text"), [(1.0, "00:05"), (5.0, "00:05.7")])
@pytest.mark.slow
def test_the_page_says_what_prompts_say(tmp_path, fps, text):
    uri, page = "synthetic://cuts?seconds=9&seed=2", tmp_path / "page.html"
    sift = VideoCompressor(fps=fps)
    write_report(
        page, video=sift.compress(uri), frames=sift.frames(uri), keyframes=[keyframe(5.76)]
    )
    assert f'alt="Keyframe at {text}"' in page.read_text()


def test_the_command_line_cuts_too(monkeypatch):
    monkeypatch.setattr(VideoCompressor, "keyframes", lambda *_, **__: [keyframe(59.9977)])
    shown = CliRunner().invoke(app, ["keyframes", "synthetic://cuts", "-n", "1"]).output
    assert "59.99 s" in shown
    assert "60.00" not in shown


def test_reasons_cut_too():
    times = torch.tensor([0.0, 59.96, 60.96, 61.96]).double()
    tokens = VideoTokens(features=torch.eye(4)[[0, 1, 1, 1], None], grid=(1, 1), pts_seconds=times)
    reason = selectors.create("scene").select(make_candidates(tokens), 2).reasons[1]
    assert "59.9-61.9 s" in reason

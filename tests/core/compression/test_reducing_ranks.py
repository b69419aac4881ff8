"""Frames that a selector ranked first get more tokens."""

import pytest

from framesift.compression.compressor import VideoCompressor

FILM = "synthetic://cuts?seconds=12"


def test_the_first_choice_of_the_selector_is_shown_in_full():
    sift = VideoCompressor(selector="dpp", max_frames=8, strategy="resolutions", keep=0.3, fps=2.0)
    report = sift.compress(FILM).report
    assert report.tokens_out == report.budget
    first = report.selection.ranks.index(0)
    assert report.tokens_per_frame_kept[first] == max(report.tokens_per_frame_kept) == 196
    assert min(report.tokens_per_frame_kept) == 16
    assert report.warnings == []


@pytest.mark.parametrize(
    ("options", "about"),
    [({}, "none has chosen any"), ({"max_frames": 8}, "'uniform' chooses without an order")],
)
def test_without_an_order_a_warning_says_so(options, about):
    sift = VideoCompressor(selector="uniform", strategy="resolutions", keep=0.3, fps=2.0, **options)
    report = sift.compress(FILM).report
    assert report.tokens_out == report.budget
    assert any(about in line for line in report.warnings)


def test_a_strategy_around_it_passes_the_order_on():
    spec = "per-frame-floor:strategy=resolutions"
    sift = VideoCompressor(selector="dpp", max_frames=8, strategy=spec, keep=0.3, fps=2.0)
    report = sift.compress(FILM).report
    first = report.selection.ranks.index(0)
    assert report.tokens_per_frame_kept[first] == max(report.tokens_per_frame_kept)
    assert report.warnings == []

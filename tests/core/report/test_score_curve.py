"""The curve of scores over time, on the page and on the contact sheet."""

import re

import numpy as np
import pytest
from PIL import Image

from framesift.report import contact_sheet
from framesift.report.contact_sheet import write_contact_sheet
from framesift.report.figures import picked_frames
from framesift.report.page import write_report
from framesift.report.score_curve import MOST_POINTS, ScoreCurve
from framesift.types.selection import SelectionReport

HOSTILE = "</code><script>alert(1)</script>"


def selection(scores, picked, **changes):
    return SelectionReport(
        selector="nms:scorer=text",
        question="Who?",
        candidate_seconds=[float(second) for second in range(len(scores))],
        curve=scores,
        picked=picked,
        scores=[scores[place] for place in picked],
        reasons=[f"why {place}" for place in picked],
        ranks=list(range(len(picked)))[::-1],
        frames_decoded=6,
        frames_encoded=5,
        seconds=1.25,
    ).model_copy(update=changes)


def test_places_are_shares_of_time_and_of_the_range_of_scores():
    curve = ScoreCurve.of(selection([2.0, 4.0, 3.0], [1, 2]), 0.0, 4.0)
    assert curve.points == ((0, 0), (25, 100), (50, 50))
    assert [(pick.x, pick.y, pick.rank) for pick in curve.picks] == [(25, 100, 2), (50, 50, 1)]
    assert curve.labels == ("2.00", "4.00")
    assert curve.path == "M0 100L25 0L50 50"


def test_a_long_video_keeps_its_peaks():
    scores = [0.0] * 10_000
    scores[7_777] = 1.0
    curve = ScoreCurve.of(selection(scores, [7_777]), 0.0, 10_000.0)
    assert len(curve.points) <= MOST_POINTS
    assert max(y for _, y in curve.points) == 100
    assert curve.candidates == 10_000


def test_equal_scores_are_a_level_line():
    curve = ScoreCurve.of(selection([3.0] * 5, [2]), 0.0, 5.0)
    assert {y for _, y in curve.points} == {50}
    assert curve.labels == ("3.000", "3.000")


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.0, 0.104, ("0.000", "0.104")), (-2e6, 3e6, ("-2000000", "3000000"))],
)
def test_labels_have_the_digits_that_tell_them_apart(low, high, labels):
    assert ScoreCurve.of(selection([low, high], [1]), 0.0, 2.0).labels == labels


def test_there_is_no_curve_where_not_all_were_judged_or_all_were_taken():
    assert ScoreCurve.of(selection([1.0, 2.0], [1], curve=None), 0.0, 2.0) is None
    assert ScoreCurve.of(selection([1.0, 2.0], [0, 1]), 0.0, 2.0) is None


def html_of(tmp_path, sifted, chosen):
    video, frames, keys = sifted(frame_count=6)
    path = tmp_path / "page.html"
    write_report(path, video=video, frames=frames, keyframes=keys, selection=chosen)
    return path.read_text(encoding="utf-8")


def test_the_page_shows_the_curve_the_picks_the_question_and_the_cost(tmp_path, sifted):
    html = html_of(tmp_path, sifted, selection([0.1, 0.5, 0.2, 0.9, 0.3, 0.1], [1, 3]))
    assert "How frames were chosen" in html
    assert "2 of 6 frames by <code>nms:scorer=text</code>, for <strong>Who?</strong>" in html
    assert html.count('class="curve"') == 1
    assert "00:03: why 3" in html
    ranks = re.findall(r'<text x="[\d.]+%" y="[\d.]+%" dy="-10">(\d)</text>', html)
    assert ranks == ["2", "1"]
    assert "It took 1.25 s: 6 frames decoded, 5 encoded." in html


def test_text_of_strangers_stays_text(tmp_path, sifted):
    chosen = selection([0.1, 0.5], [1], question=HOSTILE, selector=HOSTILE, reasons=[HOSTILE])
    html = html_of(tmp_path, sifted, chosen)
    assert HOSTILE not in html
    assert html.count("<script") == 1


def test_without_scores_the_page_is_as_before(tmp_path, sifted):
    assert "How frames were chosen" not in html_of(tmp_path, sifted, None)
    chosen = selection([0.1, 0.5], [1], curve=None)
    assert "How frames were chosen" not in html_of(tmp_path, sifted, chosen)


def test_the_sheet_has_the_curve_between_headline_and_frames(tmp_path, sifted):
    video, frames, keys = sifted(frame_count=12)
    sizes = {}
    for name, chosen in (("with", selection([0.1, 0.5, 0.2, 0.9], [3])), ("without", None)):
        path = tmp_path / f"{name}.png"
        write_contact_sheet(path, video=video, frames=frames, keyframes=keys, selection=chosen)
        with Image.open(path) as image:
            sizes[name] = np.asarray(image.convert("RGB"))
    plain, drawn = sizes["without"], sizes["with"]
    assert drawn.shape[0] == plain.shape[0] + contact_sheet.CURVE_PX
    top = contact_sheet.MARGIN_PX + contact_sheet.HEADER_PX
    np.testing.assert_array_equal(drawn[top + contact_sheet.CURVE_PX :], plain[top:])
    band = drawn[top : top + contact_sheet.CURVE_PX].reshape(-1, 3)
    for colour in (contact_sheet.LINE, contact_sheet.MARK):
        wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (band == wanted).all(1).sum() > 20


def test_picked_frames_carry_score_and_reason(sifted):
    _, frames, _ = sifted(frame_count=2)
    first, second = picked_frames(selection([0.1, 0.5, 0.2], [0, 1]), frames)
    assert (first.score, second.reason) == (0.1, "why 1")
    np.testing.assert_array_equal(np.asarray(second.image), frames.data[1])

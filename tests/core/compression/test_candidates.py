"""Candidates are decoded and encoded once, whoever asks, and never mistaken for other frames."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from framesift import VideoCompressor
from framesift.errors import InvalidOptionError, SelectionError
from framesift.scorers.base import Scorer, Scores
from framesift.selectors.base import Selection, Selector
from framesift.selectors.keyframes import Keyframes
from framesift.testing.videos import write_video

QUESTION = "What is light?"


@dataclass(frozen=True, kw_only=True)
class Light(Scorer):
    """Rates frames by what an encoder sees of them."""

    summary: ClassVar[str] = "how light a frame is"

    def rate(self, candidates, question, places):
        features = candidates.tokens("handcrafted:grid_size=2", places=places).features
        return Scores(values=features[..., 0].mean(1), reasons=("light",) * len(places))


@dataclass(frozen=True, kw_only=True)
class Best(Selector):
    """The best frames by `Light`, asked about in two rounds."""

    summary: ClassVar[str] = "the lightest frames"

    @property
    def reads_question(self):
        return True

    def check_question(self, question):
        Light().check_question(question)

    def choose(self, candidates, count, question):
        total = len(candidates)
        odd, even = range(1, total, 2), range(0, total, 2)
        values = torch.zeros(total)
        for places in (odd, even):
            values[list(places)] = Light().score(candidates, question, places).values
        best = torch.argsort(values, descending=True, stable=True)[:count].tolist()
        return Selection(
            indices=tuple(sorted(best)),
            scores=(1.0,) * count,
            reasons=("light",) * count,
            curve=tuple(values.tolist()),
        )


@pytest.fixture
def path(tmp_path):
    return write_video(tmp_path / "clip.mp4", 20, fps=1)


def test_another_question_encodes_nothing_again(path):
    sift = VideoCompressor(selector=Best())
    first = sift.select(path, 3, QUESTION)
    second = sift.select(path, 3, "What is dark?")
    assert (first.frames_encoded, second.frames_encoded) == (20, 0)
    assert (first.frames_decoded, second.frames_decoded) == (20, 0)
    assert first.picked == second.picked
    assert first.curve == second.curve
    assert VideoCompressor(selector=Best()).select(path, 3, QUESTION).curve == first.curve


def test_a_file_that_was_written_anew_is_seen_anew(path):
    sift = VideoCompressor(selector=Best())
    before = sift.select(path, 1, QUESTION)
    write_video(path, 20, first=40, fps=1)
    after = sift.select(path, 1, QUESTION)
    assert after.frames_encoded == 20
    assert after.curve != before.curve


def test_what_no_question_changes_is_not_kept(path):
    sift = VideoCompressor(selector=Keyframes())
    assert [sift.select(path, 3).frames_encoded for _ in range(2)] == [20, 20]


def test_threads_that_ask_about_one_video_see_the_same(path):
    sift = VideoCompressor(selector=Best())
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(sift.select, path, 3, f"{QUESTION} {i}") for i in range(8)]
        reports = [one.result() for one in asked]
    assert all(report.curve == reports[0].curve for report in reports)


def test_the_question_is_checked_before_anything_is_opened(tmp_path):
    sift = VideoCompressor(selector=Best(), max_frames=4, vlm="tiny")
    for call in (sift.select, sift.keyframes, sift.compress):
        with pytest.raises(InvalidOptionError, match="needs none"):
            call(tmp_path / "nothing.mp4")
    assert sift.reads_question
    with pytest.raises(InvalidOptionError, match="picks other frames for each question"):
        sift.open(tmp_path / "nothing.mp4")


def test_the_report_has_the_choice(path):
    sift = VideoCompressor(selector=Best(), max_frames=4, encoder="handcrafted:grid_size=2")
    report = sift.compress(path, QUESTION).report
    chosen = report.selection
    assert chosen.question == QUESTION
    assert len(chosen.picked) == report.frames_in == 4
    assert chosen.picked_seconds == [chosen.candidate_seconds[i] for i in chosen.picked]
    assert len(chosen.curve) == len(chosen.candidate_seconds) == 20
    # The tokens that were compared are those that are kept: nothing is encoded twice.
    assert chosen.frames_encoded == 20
    assert VideoCompressor(max_frames=40).compress(path).report.selection is None


@pytest.mark.parametrize("values", [torch.zeros(3), torch.full((20,), torch.nan)])
def test_scores_that_are_none_are_refused(path, values):
    @dataclass(frozen=True, kw_only=True)
    class Wrong(Light):
        def rate(self, candidates, question, places):
            return Scores(values=values, reasons=("",) * len(values))

    @dataclass(frozen=True, kw_only=True)
    class OfWrong(Best):
        def choose(self, candidates, count, question):
            return Wrong().score(candidates, question)

    with pytest.raises(SelectionError, match="scorer 'test-candidates' gave"):
        VideoCompressor(selector=OfWrong()).select(path, 3, QUESTION)

"""Strategies that compare tokens with a question, from the file to the answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.decoders.base import Decoder, FrameIndex
from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.hf import question
from framesift.strategies.base import create_strategy
from framesift.testing import assert_near
from framesift.types.video import LocalVideo, VideoInfo
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")
NUMBER, COLOR = "What number flashes?", "What color is the card?"
SHORT = Generation(max_new_tokens=2)


class Slides(Decoder):
    """Five seconds of slides, one a second, or of one slide that stands still."""

    summary = "slides"
    shown = (0, 1, 2, 3, 4)

    def scan(self, path):
        info = VideoInfo(
            width_px=160,
            height_px=120,
            duration_seconds=5.0,
            start_seconds=0.0,
            frame_count=5,
            average_fps=1.0,
            codec="none",
        )
        return FrameIndex(info=info, pts_seconds=np.arange(5.0))

    def pictures(self, path, indices, size_px):
        for index in indices:
            slide = np.random.default_rng(self.shown[index]).integers(0, 256, (6, 8, 3))
            yield index, slide.repeat(20, 0).repeat(20, 1).astype(np.uint8)


class Still(Slides):
    shown = (0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def vlm():
    return load_vlm("tiny", device="cpu")


@pytest.fixture
def slides(tmp_path):
    path = tmp_path / "slides.mp4"
    path.touch()
    return LocalVideo(path=path, uri="slides", temporary_folder=None)


def sift(vlm, strategy="cdpruner", **options):
    return VideoCompressor(vlm=vlm, strategy=strategy, decoder=Slides(), **options)


def kept(video):
    return video.plan.sources.tolist()


@pytest.mark.parametrize(
    "strategy", ["cdpruner", "question:weight=0.8", "per-frame-floor:strategy=cdpruner"]
)
def test_another_question_keeps_other_tokens_and_the_same_one_the_same(vlm, slides, strategy):
    compressor = sift(vlm, strategy)
    first, other, again = (compressor.compress(slides, each) for each in (NUMBER, COLOR, NUMBER))
    assert first.report.tokens_out == other.report.tokens_out == first.report.budget
    assert kept(first) == kept(again)
    assert torch.equal(first.tokens, again.tokens)
    assert kept(first) != kept(other)


def test_a_question_is_answered_from_the_tokens_that_are_like_it(vlm, slides):
    answer = sift(vlm).ask(slides, NUMBER, generation=SHORT)
    assert answer.usage.visual_tokens_after == answer.usage.visual_tokens_before // 4


@pytest.fixture
def signals(vlm, monkeypatch):
    """The signals that the model's encoder was asked for, one after another."""
    found, kind = [], type(vlm.encoder)
    asked = kind.asked

    def watched(self, tokens, question):
        tokens = asked(self, tokens, question)
        found.append(tokens.signals.question_similarity)
        return tokens

    monkeypatch.setattr(kind, "asked", watched)
    return found


def test_what_is_kept_is_nearer_to_the_question_than_what_is_dropped(vlm, slides, signals):
    video = sift(vlm, "question:weight=1,strategy=attention").compress(slides, NUMBER)
    near = signals[0].flatten()
    rest = torch.ones(len(near), dtype=torch.bool)
    rest[video.plan.sources] = False
    assert near[video.plan.sources].min() >= near[rest].max()
    assert near.min() < 0 < near.max()


def test_only_strategies_that_need_the_question_pay_for_it(vlm, slides, signals):
    plain = sift(vlm, "temporal").compress(slides, NUMBER)
    assert not signals
    assert "question" not in plain.report.seconds
    asked = sift(vlm).compress(slides, NUMBER)
    assert len(signals) == 1
    assert asked.report.seconds["question"] > 0


def test_a_still_video_is_as_near_in_every_frame_and_keeps_of_each_the_same(vlm, slides, signals):
    compressor = replace(sift(vlm), decoder=Still(), max_tokens=40)
    video = compressor.compress(slides, NUMBER)
    assert torch.equal(signals[0], signals[0][:1].expand_as(signals[0]))
    assert video.plan.frame_counts().tolist() == [8] * 5
    places = video.plan.sources.view(5, 8) % video.plan.tokens_per_frame
    assert torch.equal(places, places[:1].expand_as(places))


def test_frames_that_the_gate_copied_are_as_near_as_those_they_copy(vlm, slides, signals):
    compressor = replace(sift(vlm), decoder=Still(), gate=8)
    video = compressor.compress(slides, NUMBER)
    assert video.report.frames_encoded == 1
    assert torch.equal(signals[0], signals[0][:1].expand_as(signals[0]))


def test_a_picture_is_asked_like_a_video_of_one_frame(vlm, signals):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))
    video = sift(vlm).compress(picture, COLOR)
    assert signals[0].shape == (1, video.plan.tokens_per_frame)
    assert video.report.tokens_out == video.report.budget


def test_tokens_are_near_a_question_by_the_cosine_of_what_sets_them_apart():
    random = torch.Generator().manual_seed(0)
    features = torch.randn(question.ROWS + 9, 16, generator=random).half() + 3
    words, common = torch.randn(4, 16, generator=random), torch.randn(16, generator=random)
    centred = features.float() - features.float().mean(0)
    cosines = torch.cosine_similarity(centred[:, None], (words - common)[None], dim=-1)
    found = question.question_similarity(features, words, common)
    assert_near(found, cosines.mean(1))


@pytest.mark.parametrize(
    ("question", "message"), [(None, "pass question="), ("", "is empty"), (" \n", "is empty")]
)
@pytest.mark.parametrize("strategy", ["cdpruner", "question", "temporal | cdpruner"])
def test_without_a_question_one_line_says_so_before_any_work(vlm, question, message, strategy):
    with pytest.raises(InvalidOptionError, match=message) as told:
        sift(vlm, strategy).compress("/no/such/video.mp4", question)
    assert "\n" not in str(told.value)


def test_an_encoder_without_words_is_refused_with_what_to_use():
    with pytest.raises(MissingSignalError, match="pass a vlm and no encoder") as told:
        VideoCompressor(strategy="cdpruner")
    assert "\n" not in str(told.value)
    with pytest.raises(MissingSignalError, match="which encoder 'handcrafted' does not give"):
        VideoCompressor(strategy="question:strategy=random", vlm="tiny", encoder="handcrafted")


def test_a_question_that_the_model_has_no_tokens_for_is_one_line(vlm, slides, monkeypatch):
    nothing = torch.zeros(0, vlm.width)
    monkeypatch.setattr("framesift.vlms._tower.word_embeddings", lambda *given: nothing)
    with pytest.raises(InvalidOptionError, match=r"has no token that 'tiny.*' knows") as told:
        sift(vlm).compress(slides, NUMBER)
    assert "\n" not in str(told.value)


def test_tokens_that_nobody_asked_about_say_how_to_ask(vlm, slides):
    frames = Slides()
    encoder = vlm.encoder
    tokens = encoder.encode(next(iter(frames.decode(slides.path, [0]))))
    with pytest.raises(MissingSignalError, match=r"encoder\.asked\(tokens, question\)"):
        create_strategy("cdpruner").plan(tokens, 4)
    assert create_strategy("cdpruner").plan(encoder.asked(tokens, NUMBER), 4).num_out == 4

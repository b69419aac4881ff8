import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.encoders import handcrafted
from framesift.encoders.handcrafted import Handcrafted
from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.sources.base import open_video

CLIP = "synthetic://mixed?seconds=4&width=320&height=180"


@pytest.fixture(scope="module")
def encoded():
    with open_video(CLIP) as video:
        return VideoCompressor().encode(video)


@pytest.mark.parametrize("strategy", ["uniform", "temporal", "pllava"])
@pytest.mark.parametrize("keep", [0.1, 1.0])
def test_one_encoding_serves_every_plan_as_if_it_were_encoded_for_it(encoded, strategy, keep):
    sift = VideoCompressor(strategy=strategy, keep=keep)
    once, anew = sift.reduce(encoded), sift.compress(CLIP)
    assert torch.equal(once.tokens, anew.tokens)
    assert torch.equal(once.plan.src, anew.plan.src)
    volatile = {"seconds"}
    assert once.report.model_dump(exclude=volatile) == anew.report.model_dump(exclude=volatile)


def test_what_one_plan_took_is_not_in_the_report_of_the_next(encoded):
    before = dict(encoded.seconds)
    VideoCompressor().reduce(encoded)
    assert encoded.seconds == before
    assert "plan" not in before


def test_tokens_of_another_encoder_are_refused(encoded):
    with pytest.raises(InvalidOptionError, match="made by 'handcrafted', not by 'clip"):
        VideoCompressor(encoder="clip:model=somewhere").reduce(encoded)


@pytest.fixture
def asked(monkeypatch):
    """The sets of signals that the handcrafted encoder is asked for."""
    seen, encode = [], Handcrafted.encode

    def noted(self, frames, signals=None):
        seen.append(signals)
        return encode(self, frames, signals)

    monkeypatch.setattr(Handcrafted, "encode", noted)
    return seen


@pytest.mark.parametrize(
    ("options", "signals"),
    [
        ({"strategy": "temporal"}, {frozenset()}),
        ({"strategy": "protect-edges"}, {frozenset({"edge_density"})}),
        ({"strategy": "chain:stages=[protect-edges | random]"}, {frozenset({"edge_density"})}),
        ({"max_frames": 2}, {frozenset({"contrast", "edge_density"})}),
        ({"max_frames": 2, "selector": "uniform"}, {frozenset()}),
    ],
)
def test_a_compression_asks_for_the_signals_that_it_reads(asked, options, signals):
    VideoCompressor(**options).compress(CLIP)
    assert set(asked) == signals


def test_no_strokes_are_counted_where_nobody_reads_them(monkeypatch):
    monkeypatch.setattr(handcrafted, "edge_density", None)
    monkeypatch.setattr(handcrafted, "contrast", None)
    assert len(VideoCompressor(keep=0.5).compress(CLIP).tokens) == 392


def test_an_encoding_fills_all_signals_or_those_that_are_named(asked):
    sift = VideoCompressor(strategy="protect-edges")
    whole = sift.encode(CLIP)
    assert whole.tokens.signals.present().keys() == {"edge_density", "contrast"}
    some = sift.encode(CLIP, signals={"edge_density"})
    assert some.tokens.signals.present().keys() == {"edge_density"}
    assert torch.equal(sift.reduce(some).plan.src, sift.reduce(whole).plan.src)
    assert sift.encode(CLIP, signals=[]).tokens.signals.present() == {}
    assert sift.encode(CLIP, signals="contrast").tokens.signals.present().keys() == {"contrast"}


def test_a_signal_that_was_not_encoded_is_named():
    sift = VideoCompressor(strategy="protect-edges")
    with pytest.raises(MissingSignalError, match=r"needs edge_density.*encoded without"):
        sift.reduce(sift.encode(CLIP, signals={"contrast"}))


def test_an_unknown_signal_is_refused_before_anything_is_fetched():
    with pytest.raises(MissingSignalError, match=r"does not give beauty; it gives contrast"):
        VideoCompressor().encode("https://no.such.host.invalid/a.mp4", signals={"beauty"})


@pytest.mark.parametrize("signals", [5, [5], [["contrast"]], b"contrast"])
def test_signals_that_are_not_names_are_refused_before_anything_is_fetched(signals):
    with pytest.raises(InvalidOptionError, match=r"signals=.* must be names of signals"):
        VideoCompressor().encode("https://no.such.host.invalid/a.mp4", signals=signals)

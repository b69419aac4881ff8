"""What temporal tokens hold: means, before or behind the projector, or what a network computes."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift.compression.compressor import VideoCompressor
from framesift.errors import (
    InvalidOptionError,
    InvalidTokensError,
    MissingSignalError,
    ModelError,
)
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    ProjectorConfig,
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
    load_filling,
    save_filling,
)
from framesift.strategies.base import create_strategy
from framesift.testing.samples import random_tokens
from framesift.testing.stand_in import on_stand_in, stand_in
from framesift.types.tokens import Signals
from framesift.vlms.tiny import Tiny

CLIP = "synthetic://mixed?seconds=6"
CARD = TimePerceiverCard(
    perceiver=TimePerceiverConfig(width=16, grid=(6, 5), out_grid=(3, 3), head_dim=8),
    stage="post",
    projector=None,
    segment=4,
    key_grid=(6, 5),
    include_key=True,
    trained_for=TrainedFor(vlm="tiny", fingerprint="0123456789abcdef"),
    trained_on="synthetic://",
)


def saved(folder, card=CARD, *, untrained=False, projector=None):
    torch.manual_seed(0)
    filling = SlowFastFilling(card).eval()
    with torch.no_grad():
        for value in [] if untrained else filling.parameters():
            value.add_(0.1 * torch.randn_like(value))
        if projector is not None:
            filling.projector.load_state_dict(projector)
        for value in filling.parameters():  # as they are on disk
            value.copy_(value.half())
    save_filling(filling, folder)
    return filling


def video(frames, mask=None):
    tokens = random_tokens(frames, 6, 5)
    before = torch.randn(*tokens.features.shape, generator=torch.Generator().manual_seed(8))
    return replace(tokens, mask=mask, signals=Signals(pre_projector=before))


def features_of(spec, tokens, budget=None):
    strategy = create_strategy(spec)
    plan = strategy.plan(tokens, budget or tokens.live_count - 1)
    return plan, strategy.features(tokens, plan)


@pytest.mark.parametrize("options", ["", ",key=informative", ",segment=3,remainder=merge"])
@pytest.mark.parametrize("include_key", [True, False])
def test_before_it_is_trained_a_network_gives_the_means(tmp_path, options, include_key):
    saved(tmp_path, replace(CARD, include_key=include_key), untrained=True)
    mask = torch.rand(21, 30, generator=torch.Generator().manual_seed(1)) < 0.6
    grids = f"time_stride=2,include_key={str(include_key).lower()}"
    for tokens in (video(21), video(21, mask), video(2), video(1)):
        plan, features = features_of(f"slow-fast:filling={tmp_path}{options}", tokens)
        same, means = features_of(f"slow-fast:{grids}{options}", tokens)
        assert torch.equal(plan.src, same.src)
        torch.testing.assert_close(features, means, rtol=0, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("include_key", [True, False])
@pytest.mark.parametrize("stage", ["pre", "post"])
def test_each_temporal_row_is_what_the_network_computes_for_its_segment(
    tmp_path, stage, include_key, masked
):
    behind = ProjectorConfig(width=16, width_out=24) if stage == "pre" else None
    filling = saved(tmp_path, replace(CARD, stage=stage, projector=behind, include_key=include_key))
    # More segments than are computed at once, and a remainder of one frame or of three.
    count = 73 if masked else 75
    mask = torch.rand(73, 30, generator=torch.Generator().manual_seed(1)) < 0.6 if masked else None
    tokens = video(count, mask)
    strategy = create_strategy(f"slow-fast:filling={tmp_path},key=informative,remainder=repeat")
    plan, features = features_of(strategy, tokens)
    rows = strategy.rows(tokens, range(count))
    assert all(segment.temporal for segment in rows.segments)
    assert torch.equal(plan.src, rows.plan.src)
    values = tokens.signals.pre_projector if stage == "pre" else tokens.features
    means = filling.projected(plan.apply(values))
    torch.testing.assert_close(features[rows.is_key], means[rows.is_key], rtol=0, atol=1e-6)
    for number, segment in enumerate(rows.segments):
        frames = list(segment.frames)
        live = tokens.live[frames].clone()
        live[[frame not in segment.temporal for frame in frames]] = False
        computed = filling(values[frames][None], live[None])[0]
        own = (rows.segment == number) & ~rows.is_key
        assert int(own.sum()) == 9 or masked
        torch.testing.assert_close(features[own], computed[rows.cell[own]], rtol=0, atol=1e-5)
        assert not torch.allclose(features[own], means[own], atol=1e-2)


def test_a_plan_of_all_tokens_or_of_one_coarse_frame_holds_means(tmp_path):
    saved(tmp_path)
    tokens = video(5)
    spec = f"slow-fast:filling={tmp_path}"
    _, features = features_of(spec, tokens, tokens.count)
    assert torch.equal(features, tokens.features.flatten(0, 1))
    plan, features = features_of(spec, tokens, 29)
    assert torch.equal(features, plan.apply(tokens.features))
    assert create_strategy(spec).segment_tokens(tokens, plan) is None


def test_a_network_is_loaded_once_for_a_strategy(tmp_path, monkeypatch):
    saved(tmp_path)
    calls = []

    def counted(*given, **options):
        calls.append(given)
        return load_filling(*given, **options)

    monkeypatch.setattr("framesift.strategies._slow_fast_filling.load_filling", counted)
    strategy = create_strategy(f"slow-fast:filling={tmp_path}")
    for frames in (4, 5, 9):
        tokens = video(frames)
        strategy.features(tokens, strategy.plan(tokens, tokens.live_count - 1))
    assert len(calls) == 1


@pytest.mark.parametrize("masked", [False, True])
def test_a_device_without_float64_computes_what_the_cpu_does(tmp_path, masked):
    saved(tmp_path)
    mask = torch.rand(23, 30, generator=torch.Generator().manual_seed(1)) < 0.6 if masked else None
    tokens = video(23, mask)
    plan, features = features_of(f"slow-fast:filling={tmp_path},key=informative", tokens, 200)
    with stand_in():
        moved = on_stand_in(tokens)
        there, other = features_of(f"slow-fast:filling={tmp_path},key=informative", moved, 200)
        src, other = there.src.cpu(), other.cpu()
    assert torch.equal(src, plan.src)
    torch.testing.assert_close(other, features, rtol=0, atol=1e-5)


def test_segments_say_what_their_tokens_stand_for():
    strategy, tokens = create_strategy("slow-fast:key=informative"), video(6)
    tokens.features[1] += 100.0
    plan = strategy.plan(tokens, tokens.count - 1)
    first, second = strategy.segment_tokens(tokens, plan)
    assert (first.start_seconds, first.key_seconds, first.end_seconds) == (0.0, 1.0, 3.0)
    assert (first.frames, first.key_tokens, first.temporal_tokens) == (4, 30, 9)
    assert (second.start_seconds, second.end_seconds, second.frames) == (4.0, 5.0, 2)
    steps = torch.stack([tokens.pts_seconds, tokens.pts_seconds + 0.5], dim=1)
    first, second = strategy.segment_tokens(replace(tokens, step_seconds=steps), plan)
    assert (first.end_seconds, second.end_seconds) == (3.5, 5.5)


def test_a_network_refuses_what_it_was_not_made_for(tmp_path):
    saved(tmp_path)
    spec = f"slow-fast:filling={tmp_path}"
    with pytest.raises(InvalidTokensError, match="frames of 6 x 5 tokens, and these have 5 x 6"):
        create_strategy(spec).plan(random_tokens(4, 5, 6), 50)
    with pytest.raises(InvalidTokensError, match="tokens of 16 channels, and these have 8"):
        features_of(spec, random_tokens(4, 6, 5, channels=8), 50)
    for options in ("segment=5", "remainder=merge"):
        with pytest.raises(InvalidOptionError, match="segments of up to 5 frames, and filling"):
            create_strategy(f"{spec},{options}").plan(video(4), 50)
    with pytest.raises(InvalidOptionError, match="layout='llava-video' has no network"):
        create_strategy(f"{spec},layout=llava-video")
    for option in ("key_stride=2", "time_stride=2", "include_key=true", "stage=post"):
        with pytest.raises(InvalidOptionError, match="is decided by the network"):
            create_strategy(f"{spec},{option}")
    with pytest.raises(ModelError, match="nowhere"):
        create_strategy("slow-fast:filling=./nowhere").plan(video(4), 50)
    with pytest.raises(ModelError, match=r"filling=pooled and filling=tiny need neither$"):
        create_strategy("slow-fast:filling=./perceiver").plan(video(4), 50)


@pytest.mark.parametrize("budget", [50, 4 * 30], ids=["segments", "all tokens"])
def test_what_a_network_makes_is_refused_where_it_is_not_finite(tmp_path, budget):
    large = replace(CARD, stage="pre", projector=ProjectorConfig(width=16, width_out=8, bias=False))
    filling = SlowFastFilling(large)
    with torch.no_grad():
        for value in filling.projector.parameters():
            value.fill_(60_000.0)
    save_filling(filling, tmp_path)
    tokens = video(4)
    before = torch.full_like(tokens.signals.pre_projector, 1e30)
    tokens = replace(tokens, signals=Signals(pre_projector=before))
    strategy = create_strategy(f"slow-fast:filling={tmp_path}")
    with pytest.raises(ModelError, match=r"not a finite number in torch\.float32; encode in"):
        strategy.features(tokens, strategy.plan(tokens, budget))


def test_means_before_the_projector_need_one_and_stand_in_no_chain():
    strategy, tokens = create_strategy("slow-fast:stage=pre"), video(4)
    plan = strategy.plan(tokens, 50)
    with pytest.raises(MissingSignalError, match=r"pass project=encoder\.project"):
        strategy.features(tokens, plan)
    doubled = strategy.features(tokens, plan, lambda values: 2 * values)
    assert torch.equal(doubled, 2 * plan.apply(tokens.signals.pre_projector))
    with pytest.raises(MissingSignalError, match="pre_projector"):
        strategy.plan(replace(tokens, signals=Signals()), 50)
    with pytest.raises(InvalidOptionError, match="computes what its tokens hold"):
        create_strategy("slow-fast:stage=pre | temporal").plan(tokens, 50)
    with pytest.raises(MissingSignalError, match="use one that does: a vlm, and no"):
        VideoCompressor(vlm="tiny", strategy="slow-fast:stage=pre", encoder="handcrafted")


def compressed(strategy):
    return VideoCompressor(vlm="tiny", strategy=strategy, keep=0.25).compress(CLIP)


def test_key_tokens_of_one_patch_are_the_same_on_both_sides_of_the_projector():
    before, behind = (compressed(f"slow-fast:stage={stage}") for stage in ("pre", "post"))
    assert torch.equal(before.plan.src, behind.plan.src)
    alone = before.plan.dst.bincount() == 1
    assert int(alone.sum()) >= 64
    torch.testing.assert_close(before.tokens[alone], behind.tokens[alone], rtol=0, atol=1e-4)
    assert not torch.allclose(before.tokens[~alone], behind.tokens[~alone], atol=1e-2)


def test_an_untrained_network_with_the_models_own_projector_gives_means_before_it(tmp_path):
    vlm = Tiny()
    card = replace(
        CARD,
        perceiver=TimePerceiverConfig(width=192, grid=(8, 8), out_grid=(4, 4), head_dim=32),
        stage="pre",
        projector=ProjectorConfig(width=192, width_out=192),
        key_grid=(8, 8),
        trained_for=TrainedFor(vlm="tiny", fingerprint=vlm.weights),
    )
    projector = vlm.hf.base_model.multi_modal_projector.float().state_dict()
    saved(tmp_path, card, untrained=True, projector=projector)
    means, computed = (
        compressed(f"slow-fast:{options}")
        for options in ("stage=pre,include_key=true", f"filling={tmp_path}")
    )
    torch.testing.assert_close(computed.tokens, means.tokens, rtol=0, atol=1e-3)
    segments = computed.report.segments
    assert sum(each.key_tokens + each.temporal_tokens for each in segments) == len(computed.tokens)
    assert not any("mean nothing" in line for line in computed.report.warnings)
    limitation = create_strategy(f"slow-fast:filling={tmp_path}").limitation("/a/real.mp4")
    assert "trained on synthetic:// videos only" in limitation


@pytest.mark.parametrize(
    ("given", "meant"), [("tinny", "tiny"), ("TINY", "tiny"), ("poled", "pooled")]
)
def test_a_misspelt_name_is_not_looked_for_on_the_hub(given, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    strategy = create_strategy("slow-fast", filling=given)
    with pytest.raises(
        InvalidOptionError, match=f"'{given}' is not a folder; did you mean '{meant}'"
    ):
        strategy.plan(random_tokens(frames=2, height=8, width=8), 16)
    (tmp_path / given).mkdir()  # a folder may have any name
    with pytest.raises(ModelError, match=r"config\.json"):
        strategy.plan(random_tokens(frames=2, height=8, width=8), 16)

"""Slow-fast tokens through every family: what its prompt holds of them, and what it refuses."""

from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers")

from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
    save_filling,
)
from framesift.registry import registered_name
from framesift.strategies.base import create_strategy
from framesift.testing import TINY_VLMS
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

CLIP = "synthetic://static?seconds=8&width=64&height=64"
STAGES = "pre", "post"
PROJECTS_ALONE = {"llava", "llava-next", "llava-next-video", "llava-onevision", "video-llama-3"}


@pytest.fixture(scope="session", params=sorted(TINY_VLMS))
def vlm(request, tmp_path_factory):
    tiny = TINY_VLMS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    tiny.build(folder)
    return replace(load_vlm(str(folder), device="cpu"), **tiny.options)


@pytest.fixture(scope="session")
def whole(vlm):
    """The report of all tokens of the clip."""
    return VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0).compress(CLIP).report


def sift(vlm, whole, options=""):
    """Returns a compressor with room for the layout of all frames of the clip, on small cells."""
    strides = "" if "filling" in options else f"key_stride=1,time_stride={max(whole.grid)},"
    strategy = create_strategy(f"slow-fast:{strides}{options}".rstrip(",:"))
    most = strategy.layout_on(whole.grid).count(whole.frames_in)
    return VideoCompressor(vlm=vlm, strategy=strategy, keep=1.0, max_tokens=most)


def test_a_prompt_has_a_column_for_each_row_in_the_order_of_the_plan(vlm, whole):
    video = sift(vlm, whole).compress(CLIP)
    segments = video.report.segments
    assert sum(each.key_tokens + each.temporal_tokens for each in segments) == len(video.tokens)
    assert all(each.temporal_tokens == 1 for each in segments)
    prompt = vlm.prompt([Turn(role="user", text="What is it?", videos=(video,))])
    added = int((prompt.rows < 0).sum())
    assert bool(added) == bool(len(vlm.extra_features()))
    assert int(prompt.visual.sum()) == len(video.tokens) + added
    answer = sift(vlm, whole).ask(video, "What is it?")
    assert answer.usage.visual_tokens_after == int(prompt.visual.sum())


def test_a_network_computes_tokens_for_the_model_that_its_weights_belong_to(vlm, whole, tmp_path):
    means = sift(vlm, whole).compress(CLIP)
    grid, width = whole.grid, means.tokens.shape[1]
    card = TimePerceiverCard(
        perceiver=TimePerceiverConfig(width=width, grid=grid, out_grid=(1, 1), head_dim=width // 2),
        stage="post",
        projector=None,
        segment=4,
        key_grid=grid,
        include_key=False,
        trained_for=TrainedFor(vlm=vlm.spec, fingerprint=vlm.weights),
    )
    filling = SlowFastFilling(card)
    with torch.no_grad():
        filling.perceiver.latents += 1.0
    save_filling(filling, tmp_path)
    computed = sift(vlm, whole, f"filling={tmp_path}").compress(CLIP)
    assert torch.equal(computed.plan.src, means.plan.src)
    temporal = computed.plan.dst.bincount() > 1
    assert int(temporal.sum()) == len(computed.report.segments)
    torch.testing.assert_close(computed.tokens[temporal], means.tokens[temporal] + 1.0)
    assert torch.equal(computed.tokens[~temporal], means.tokens[~temporal])
    with pytest.raises(InvalidOptionError, match="reads tokens of the checkpoint"):
        VideoCompressor(vlm="tiny", strategy=f"slow-fast:filling={tmp_path}").compress(CLIP)


def test_merging_before_the_projector_is_for_models_that_project_tokens_alone(vlm, whole):
    if registered_name(type(vlm)) not in PROJECTS_ALONE:
        with pytest.raises(MissingSignalError, match="take a vlm of the LLaVA family"):
            sift(vlm, whole, "stage=pre")
        return
    before, behind = (sift(vlm, whole, f"stage={stage}").compress(CLIP) for stage in STAGES)
    assert before.tokens.shape == behind.tokens.shape
    assert not torch.equal(before.tokens, behind.tokens)
    if registered_name(type(vlm)) != "llava-onevision":  # which pools what it has projected
        alone = before.plan.dst.bincount() == 1
        torch.testing.assert_close(before.tokens[alone], behind.tokens[alone])

"""What the product promises on footage that it was not made on; needs FRAMESIFT_CLIPS."""

import math

import cv2
import numpy as np
import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.strategies import registry

pytestmark = pytest.mark.clips
NAMES = ["bottle-detection", "car-detection", "nasa_13013", "rabbit320", "screen-recording"]
EVENTS = {
    ("car-detection", 4): [[(4.5, 8.0)], [(15.0, 18.5)], [(25.5, 27.5)]],
    ("bottle-detection", 4): [[(7.0, 11.0), (24.6, 27.0)], [(17.9, 21.8)], [(32.0, 34.3)]],
    ("screen-recording", 6): [[(8.0, 11.5)], [(18.0, 22.5)], [(27.8, 31.8)]],
    ("nasa_13013", 3): [[(0.0, 4.9)], [(5.5, 7.8)], [(7.8, 13.0)]],
}


@pytest.fixture(scope="module")
def random_clip(tmp_path_factory):
    """A CLIP tower with random weights, as a spec string."""
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=224,
        patch_size=16,
    )
    CLIPVisionModel(config).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    return f"clip:model={folder}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strategy", registry.names())
def test_the_budget_is_exact_and_the_same_twice(clips, random_clip, name, strategy):
    needs = registry.create(strategy).required_signals
    if needs & {"question_similarity", "llm_attention"}:
        pytest.skip("no encoder compares with a question")
    if "text" in needs:
        pytest.skip("no encoder reads")
    ranked = {"selector": "dpp", "max_frames": 6} if strategy == "resolutions" else {}
    encoder = random_clip if needs else "handcrafted"
    sift = VideoCompressor(strategy=strategy, encoder=encoder, **ranked)
    first, second = (sift.compress(clips / f"{name}.mp4") for _ in range(2))
    budget = max(1, int(0.25 * first.report.tokens_in + 0.5))
    assert first.report.tokens_out == len(first.tokens)
    if registry.get(strategy).structural:
        # A layout may leave some of the budget over, less than one more frame would take.
        assert budget - math.prod(first.report.grid) < first.report.tokens_out <= budget
        assert all("largest layout within" in line for line in first.report.warnings)
    else:
        assert first.report.tokens_out == budget
        assert first.report.warnings == []
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.plan.src, second.plan.src)


@pytest.mark.parametrize(("name", "count"), EVENTS, ids=lambda value: str(value))
def test_keyframes_find_each_event(clips, name, count):
    frames = VideoCompressor().keyframes(clips / f"{name}.mp4", count)
    times = [frame.pts_seconds for frame in frames]
    assert len(times) == count
    for windows in EVENTS[name, count]:
        assert any(start <= t <= end for t in times for start, end in windows), (times, windows)


@pytest.mark.slow
def test_protected_edges_keep_twice_the_text_that_attention_keeps(clips, random_clip):
    path = clips / "screen-recording.mp4"
    written = np.stack([text_patches(image) for image in VideoCompressor().frames(path).data])
    shares = []
    for strategy in ("attention", "protect-edges:strategy=attention"):
        tower = f"{random_clip},attention_layer=-1"
        video = VideoCompressor(strategy=strategy, encoder=tower).compress(path)
        shares.append(video.plan.used.numpy()[written.ravel()].mean())
    print(f"text patches kept: attention {shares[0]:.1%}, with protected edges {shares[1]:.1%}")
    assert shares[1] >= 2 * shares[0], shares


def text_patches(image, grid=(14, 14)):
    """Patches with lines of text, found at full resolution as long thin runs of strong gradient."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    gradient = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    runs = cv2.morphologyEx(
        (gradient > 60).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((1, 25), np.uint8)
    )
    lines = np.zeros(gray.shape, np.float32)
    for x, y, width, height, filled in cv2.connectedComponentsWithStats(runs)[2][1:]:
        if 8 <= height <= 45 and width >= 2 * height and filled > 0.35 * width * height:
            lines[y : y + height, x : x + width] = 1
    return cv2.resize(lines, grid[::-1], interpolation=cv2.INTER_AREA) > 0.08

"""What it costs to choose frames by a CLIP, set against decoding and encoding all of them once."""

import statistics
import time

import pytest
import torch

from benchmarks.videos import numbered_clip, repeated
from framesift.compression.compressor import VideoCompressor
from framesift.encoders.whole_pictures import WholePictures
from framesift.testing import tiny_two_towers

transformers = pytest.importorskip("transformers")

MOST = 1.3
PAIRS = 3


def clip_base(folder):
    """A CLIP with a picture tower of the size of ViT-B/16 and random weights."""
    config = transformers.CLIPConfig.from_pretrained(tiny_two_towers(folder))
    config.vision_config = transformers.CLIPVisionConfig(patch_size=16)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessorPil().save_pretrained(folder)
    return str(folder)


def timed(work):
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    found = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start, found


def pair_of(video, model):
    """Seconds of choosing 8 frames for a question, and of encoding all frames, nothing kept."""
    chooser = VideoCompressor(selector=f"nms:scorer=[clip:model={model}]")
    encoder = VideoCompressor(encoder=WholePictures(family="clip", model=model))
    choosing, report = timed(lambda: chooser.select(video, 8, "a red square"))
    encoding, encoded = timed(lambda: encoder.encode(video))
    assert report.frames_decoded == report.frames_encoded == encoded.tokens.frame_count
    assert len(report.picked) == 8
    return choosing, encoding


def test_each_frame_is_decoded_and_encoded_once(tmp_path):
    pair_of(numbered_clip(seconds=12, gop=30), str(tiny_two_towers(tmp_path)))


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_choosing_8_of_3600_frames_costs_little_more_than_encoding_them(tmp_path):
    model, video = clip_base(tmp_path), repeated(numbered_clip(seconds=60, gop=30), times=60)
    pair_of(numbered_clip(seconds=12, gop=30), model)  # loads the model
    pairs = [pair_of(video, model) for _ in range(PAIRS)]
    choosing, encoding = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(f"choosing {choosing:.1f} s, encoding {encoding:.1f} s, {choosing / encoding:.2f} times")
    assert choosing <= MOST * encoding

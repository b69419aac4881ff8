"""LLaVA-NeXT: frames as single views with a newline each, still pictures of any resolution."""

import pytest
import torch
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.testing import TINY_VLMS, compressed, random_frames
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava-next")
    TINY_VLMS["llava-next"].build(folder)
    return load_vlm(str(folder), device="cpu")


def picture(height, width):
    return Image.fromarray(random_frames(1, (height, width)).data[0])


def prompt(vlm, video):
    return vlm.prompt([Turn(role="user", text="What?", videos=(video,))])


def test_a_newline_goes_with_the_last_token_of_its_frame(vlm):
    tokens = vlm.encoder.encode(random_frames(3, (32, 32)))
    plan = TokenPlan.keep(torch.tensor([3, 5, 40]), num_in=48, tokens_per_frame=16)
    made = prompt(vlm, compressed(tokens, plan))
    assert made.rows.tolist() == [0, 1, -1, 2, -1]
    newline = vlm.hf.base_model.image_newline
    assert torch.equal(made.features[made.rows < 0], newline.expand(2, -1))


def test_a_frame_has_one_view_and_a_picture_its_tiles(vlm):
    compressor = VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0)
    still = compressor.compress(picture(50, 100))
    assert still.report.picture
    assert still.report.tokens_in == 16 + 4 * 8
    assert still.report.views == [(0, 0, 1, 1), (0, 0, 0.5, 1), (0.5, 0, 1, 1)]
    assert len(prompt(vlm, still).features) == 16 + 4 * (8 + 1)
    frame = vlm.encoder.encode(random_frames(1, (50, 100)))
    plan = TokenPlan.keep(torch.arange(16), num_in=16, tokens_per_frame=16)
    assert len(prompt(vlm, compressed(frame, plan)).features) == 16 + 1


def test_rows_of_a_picture_without_tokens_lose_their_newline(vlm):
    compressor = VideoCompressor(vlm=vlm, strategy="uniform", keep=0.1)
    still = compressor.compress(picture(64, 64))
    rows = {int(cell) // 4 for cell in (still.plan.sources % 16) if cell >= 0}
    made = prompt(vlm, still)
    assert len(still.tokens) == 8
    assert 0 < int((made.rows < 0).sum()) <= 2 * len(rows)
    assert made.visual_tokens_before == 16 + 8 * (8 + 1)


def test_all_of_a_frame_is_squashed_into_its_view(vlm):
    frames = random_frames(2, (90, 50))
    pixels = vlm.encoder.pixels(frames.data)
    own = vlm.image_processor(images=list(frames.data), return_tensors="pt")["pixel_values"]
    assert torch.equal(pixels, own[:, 0])
    assert vlm.encoder.preparation.geometry.region(90, 50) == (0, 0, 1, 1)

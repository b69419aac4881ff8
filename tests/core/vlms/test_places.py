"""Whatever order a tower works in, its tokens and their signals come out where the pixels were."""

from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from framesift.testing import TINY_VLMS, random_frames
from framesift.types.frames import Frames
from framesift.vlms.load import load_vlm

MIXERS = ("attn.proj", "o_proj", "out_proj", "projection_layer", "fc2", "linear_fc2", "down_proj")


def local_encoder(name, folder):
    """Returns an encoder whose tower has lost all that mixes patches, and its frame size."""
    TINY_VLMS[name].build(folder)
    vlm = replace(load_vlm(str(folder), device="cpu"), **TINY_VLMS[name].options)
    with torch.no_grad():
        for key, parameter in vlm.hf.base_model.named_parameters():
            is_tower = key.startswith(("visual.blocks", "vision_tower", "vision_model"))
            if is_tower and any(f".{mixer}." in key for mixer in MIXERS):
                parameter.zero_()
    size_px = TINY_VLMS[name].size_px
    fields = {f.name for f in vlm.encoder.__dataclass_fields__.values()}
    fitting = {"picture_px": size_px} if "picture_px" in fields else {}
    return replace(vlm.encoder, **fitting), size_px


@pytest.mark.parametrize("name", sorted(TINY_VLMS))
def test_a_change_of_pixels_changes_the_tokens_at_that_place(name, tmp_path):
    encoder, size_px = local_encoder(name, tmp_path)
    frames, (rows, columns) = random_frames(4, size_px), encoder.grid
    before = encoder.encode(frames)
    height, width = size_px[0] // rows, size_px[1] // columns
    for frame, row, column in ((0, 0, columns - 1), (3, rows - 1, 0), (2, rows // 2, columns // 2)):
        data = frames.data.copy()
        top, left = row * height + height // 2, column * width + width // 2
        data[frame, top - 2 : top + 2, left - 2 : left + 2] ^= 255
        changed = Frames(data=data, pts_seconds=frames.pts_seconds, indices=frames.indices)
        after = encoder.encode(changed)
        place = frame // encoder.frames_per_step, row * columns + column
        for found, old in (
            (after.features, before.features),
            (after.signals.keys, before.signals.keys),
            (after.signals.pre_projector, before.signals.pre_projector),
            (after.layers, before.layers),
        ):
            if found is None:
                continue
            moved = (found - old).abs().flatten(2).amax(-1).numpy()
            assert np.unravel_index(moved.argmax(), moved.shape) == place
            others = np.delete(moved.ravel(), np.ravel_multi_index(place, moved.shape))
            assert (others > 1e-5).mean() <= (0 if name != "llava-onevision" else 0.2)

"""Visual tokens as parts of a chat message."""

import base64
import io

import pytest
import torch

pytest.importorskip("transformers")

import framesift
from framesift.errors import InvalidOptionError
from framesift.export import content_embeds, embeds_parts, image_embeds
from framesift.testing import TINY_VLMS
from framesift.vlms import registry

NUMBER = "synthetic://number?seed=3"


@pytest.fixture(scope="module", params=["llava", "qwen2-vl"])
def shown(request, tmp_path_factory):
    """A model, and a video that it has compressed."""
    folder = tmp_path_factory.mktemp("vlm")
    tiny = TINY_VLMS[request.param]
    tiny.build(folder)
    vlm = registry.create(tiny.family, model=str(folder), device="cpu", **tiny.options)
    return vlm, framesift.VideoCompressor(vlm=vlm, keep=0.5).compress(NUMBER)


def read(text):
    return torch.load(io.BytesIO(base64.b64decode(text, validate=True)), weights_only=True)


def test_a_prompt_is_one_part(shown):
    (part,) = embeds_parts(*shown, "prompt")
    assert part["type"] == "prompt_embeds"
    assert torch.equal(read(part["data"]), content_embeds(*shown))


def test_pictures_follow_their_times_and_have_their_grids(shown):
    given, parts = image_embeds(*shown), embeds_parts(*shown, "image")
    assert [part["text"] for part in parts[::2]] == [
        f"[00:{int(seconds):02}]" for seconds in given.pts_seconds
    ]
    for number, part in enumerate(parts[1::2]):
        embeds = part["image_embeds"]
        if given.grid_thw is not None:
            grid, embeds = read(embeds["image_grid_thw"]), embeds["image_embeds"]
            assert grid.shape == (3,)
            assert torch.equal(grid, given.grid_thw[number])
        assert torch.equal(read(embeds), given.pictures[number])


def test_another_form_is_refused(shown):
    with pytest.raises(InvalidOptionError, match="form='video' is not allowed"):
        embeds_parts(*shown, "video")

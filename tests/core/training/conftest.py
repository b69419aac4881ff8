"""The processor of the tiny model, and a smaller random model that it fits."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from framesift.synthetic import happenings, scenes
from framesift.synthetic.film import SceneSettings
from framesift.testing.tiny_vlms import CLIP, LLAMA
from framesift.training import tiny_parts
from framesift.training.tiny_vlm import special_ids
from framesift.vlms.load import load_vlm


@contextmanager
def black_backdrops() -> Iterator[None]:
    """Spares the drawing of backdrops, which takes most of the time and says nothing."""

    def black(*given):
        width, height = given[-1]
        return np.zeros((height, width, 3), np.uint8)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("room", "texture", "slide"):
            patch.setattr(scenes, name, black)
        patch.setattr(happenings, "landscape", black)
        yield


@pytest.fixture
def no_backdrops():
    with black_backdrops():
        yield


@pytest.fixture(scope="session")
def truth_of():
    """Returns the truth of a scene by name, seed and further settings."""

    def truth_of(name, seed, **settings):
        given = {"width": 64, "height": 64, **settings}
        with black_backdrops():
            return scenes.make_scene(name, SceneSettings(seed=seed, **given)).truth

    return truth_of


@pytest.fixture(scope="session")
def processor():
    with black_backdrops():
        return tiny_parts.new_processor()


@pytest.fixture(scope="session")
def special(processor):
    return special_ids(processor.tokenizer)


@pytest.fixture(scope="session")
def vlm(processor, tmp_path_factory):
    """A LLaVA of 32 channels with sharp random weights that takes 128 x 128 pictures."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = processor.tokenizer
    config = LlavaConfig(
        vision_config={**CLIP, "image_size": 128, "patch_size": 16},
        text_config={
            **LLAMA,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 4096,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "tie_word_embeddings": True,
        },
        tie_word_embeddings=True,
        image_token_id=tokenizer.convert_tokens_to_ids(tiny_parts.IMAGE),
    )
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return load_vlm(str(folder))

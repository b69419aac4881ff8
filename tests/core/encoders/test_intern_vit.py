import numpy as np
import pytest
import torch

from framesift.encoders.intern_vit import InternVit
from framesift.errors import ModelError
from framesift.testing import assert_near
from framesift.types.frames import Frames

transformers = pytest.importorskip("transformers")

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": [64, 64],
    "patch_size": 16,
    "initializer_range": 0.3,
    "use_mean_pooling": False,
}
TEXT = {
    "model_type": "qwen2",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


@pytest.fixture(scope="module")
def whole():
    torch.manual_seed(0)
    config = transformers.InternVLConfig(vision_config=VISION, text_config=TEXT, image_token_id=3)
    model = transformers.InternVLForConditionalGeneration(config).eval()
    for name in ("cls_token", "position_embeddings"):
        torch.nn.init.normal_(getattr(model.model.vision_tower.embeddings, name))
    return model


@pytest.fixture(scope="module")
def tower(whole):
    return whole.model.vision_tower


def save(folder, model):
    model.save_pretrained(folder)
    settings = {"image_mean": MEAN, "image_std": STD}
    transformers.GotOcr2ImageProcessorPil(**settings).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["whole", "tower"])
def folder(request, tmp_path_factory):
    name = request.param
    return save(tmp_path_factory.mktemp(name), request.getfixturevalue(name))


@pytest.fixture(scope="module")
def frames():
    data = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    return Frames(data=data, pts_seconds=np.arange(5.0), indices=np.arange(5))


@pytest.fixture(scope="module")
def pixels(frames):
    normal = (frames.data.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(normal).permute(0, 3, 1, 2)


@torch.no_grad()
def reference(tower, pixels, **options):
    return tower(pixels, **options)


def test_features_are_what_the_tower_gives_at_last_to_the_bit(folder, tower, frames, pixels):
    expected = reference(tower, pixels).last_hidden_state[:, 1:]
    tokens = InternVit(model=folder).encode(frames)
    assert tokens.grid == (4, 4)
    assert torch.equal(tokens.features, expected)


def test_attention_is_that_of_the_last_layer_from_the_summary_token(folder, tower, frames, pixels):
    tower.set_attn_implementation("eager")
    weights = reference(tower, pixels, output_attentions=True).attentions[-1]
    tower.set_attn_implementation("sdpa")
    attention = InternVit(model=folder).encode(frames).signals.attention
    assert_near(attention, weights.mean(1)[:, 0, 1:])
    assert attention.std() > 1e-3


def test_keys_are_those_of_the_last_layer_averaged_over_heads(folder, tower, frames, pixels):
    seen = []
    module = tower.encoder.layer[-1].attention.k_proj
    hook = module.register_forward_hook(lambda *call: seen.append(call[2]))
    reference(tower, pixels)
    hook.remove()
    expected = seen[0][:, 1:].reshape(5, 16, 4, 8).mean(2)
    keys = InternVit(model=folder).encode(frames).signals.keys
    assert_near(keys, expected)


def test_a_tower_that_misses_weights_is_refused(tmp_path, whole):
    save(tmp_path, whole.model.language_model)
    transformers.InternVLVisionConfig(**VISION).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="weights missing or of another size") as error:
        InternVit(model=str(tmp_path)).encode(
            Frames(
                data=np.zeros((1, 64, 64, 3), np.uint8),
                pts_seconds=np.zeros(1),
                indices=np.zeros(1, np.int64),
            )
        )
    assert "\n" not in str(error.value)

import numpy as np
import pytest
import torch

from framesift.encoders.siglip import Siglip
from framesift.errors import ModelError
from framesift.testing import assert_near
from framesift.types.frames import Frames

transformers = pytest.importorskip("transformers")

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    model = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**VISION)).eval()
    for layer in model.encoder.layers:
        torch.nn.init.normal_(layer.self_attn.q_proj.weight, std=0.5)
    torch.nn.init.normal_(model.post_layernorm.weight)
    return model


def save(folder, model, **settings):
    model.save_pretrained(folder)
    if settings:
        transformers.SiglipImageProcessorPil(**settings).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    return save(tmp_path_factory.mktemp("siglip"), model, image_mean=MEAN, image_std=STD)


@pytest.fixture(scope="module")
def frames():
    data = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    return Frames(data=data, pts_seconds=np.arange(5.0), indices=np.arange(5))


@torch.no_grad()
def reference(model, frames, *, mean=MEAN, std=STD, **options):
    pixels = (frames.data.astype(np.float32) / 255 - np.float32(mean)) / np.float32(std)
    return model(torch.from_numpy(pixels).permute(0, 3, 1, 2), output_hidden_states=True, **options)


def test_features_are_those_of_the_penultimate_layer_to_the_bit(folder, model, frames):
    model.set_attn_implementation("sdpa")
    expected = reference(model, frames).hidden_states[-2]
    features = Siglip(model=folder).encode(frames).features
    assert torch.equal(features, expected)


def test_attention_is_what_the_penultimate_layer_gives_each_patch_on_average(folder, model, frames):
    model.set_attn_implementation("eager")
    weights = reference(model, frames, output_attentions=True).attentions[-2]
    attention = Siglip(model=folder).encode(frames).signals.attention
    assert_near(attention, weights.mean((1, 2)))
    assert attention.std() > 1e-3


def test_keys_are_those_of_the_penultimate_layer_averaged_over_heads(folder, model, frames):
    seen = []
    module = model.encoder.layers[-2].self_attn.k_proj
    hook = module.register_forward_hook(lambda *call: seen.append(call[2]))
    model.set_attn_implementation("sdpa")
    reference(model, frames)
    hook.remove()
    keys = Siglip(model=folder).encode(frames).signals.keys
    assert_near(keys, seen[0].reshape(5, 16, 4, 8).mean(2))


def test_whole_siglip_model_gives_the_tokens_of_its_vision_tower(tmp_path, folder, model, frames):
    text = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "vocab_size": 50,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    whole = transformers.SiglipModel(
        transformers.SiglipConfig(vision_config=VISION, text_config=text)
    )
    whole.vision_model.load_state_dict(model.state_dict())
    found = Siglip(model=save(tmp_path, whole, image_mean=MEAN, image_std=STD)).encode(frames)
    assert torch.equal(found.features, Siglip(model=folder).encode(frames).features)


def test_a_tower_without_its_pooling_head_is_complete(tmp_path, folder, model, frames):
    config = transformers.SiglipVisionConfig(**VISION, vision_use_head=False)
    headless = transformers.SiglipVisionModel(config)
    headless.load_state_dict(model.state_dict(), strict=False)
    found = Siglip(model=save(tmp_path, headless, image_mean=MEAN, image_std=STD)).encode(frames)
    assert torch.equal(found.features, Siglip(model=folder).encode(frames).features)


def test_colors_are_normalised_to_one_half_where_nothing_is_said(tmp_path, model, frames, caplog):
    silent = save(tmp_path, model)
    model.set_attn_implementation("sdpa")
    half = [0.5] * 3
    expected = reference(model, frames, mean=half, std=half).hidden_states[-2]
    assert torch.equal(Siglip(model=silent).encode(frames).features, expected)
    assert "IMAGENET_STANDARD_MEAN" in caplog.text


def test_another_type_of_model_is_refused(tmp_path):
    transformers.CLIPVisionConfig(**VISION).save_pretrained(tmp_path)
    with pytest.raises(
        ModelError, match=r"clip_vision_model.*siglip or siglip_vision_model"
    ) as error:
        _ = Siglip(model=str(tmp_path)).grid
    assert "\n" not in str(error.value)

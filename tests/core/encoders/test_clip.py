import json
import shutil
import threading

import numpy as np
import pytest
import torch

from framesift.encoders.clip import Clip
from framesift.errors import InvalidOptionError, ModelError
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
    "initializer_range": 0.3,
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


def save(folder, model):
    model.save_pretrained(folder)
    transformers.CLIPImageProcessorPil(image_mean=MEAN, image_std=STD).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**VISION)).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    return save(tmp_path_factory.mktemp("clip"), model)


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copied")


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def make_frames(count=5, size=(64, 64), seed=0):
    data = np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)
    return Frames(data=data, pts_seconds=np.arange(float(count)), indices=np.arange(count))


def pixels(frames):
    normal = (frames.data.astype(np.float32) / 255 - np.float32(MEAN)) / np.float32(STD)
    return torch.from_numpy(normal).permute(0, 3, 1, 2)


def reference(model, frames, *, attention):
    model.set_attn_implementation(attention)
    with torch.no_grad():
        return model(
            pixels(frames), output_hidden_states=True, output_attentions=attention == "eager"
        )


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def message_of(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_features_are_the_penultimate_patches_to_the_bit(folder, model):
    frames = make_frames()
    expected = reference(model, frames, attention="sdpa").hidden_states[-2][:, 1:]
    assert torch.equal(Clip(model=str(folder)).encode(frames).features, expected)


def test_attention_is_that_of_the_penultimate_layer_from_the_summary_token(folder, model):
    frames = make_frames()
    expected = reference(model, frames, attention="eager").attentions[-2].mean(1)[:, 0, 1:]
    attention = Clip(model=str(folder)).encode(frames).signals.attention
    assert_near(attention, expected)
    assert expected.std() > 1e-3


def test_attention_of_the_last_layer_leaves_features_and_keys_as_they_are(folder, model):
    frames = make_frames()
    own = Clip(model=str(folder)).encode(frames)
    last = Clip(model=str(folder), attention_layer=-1).encode(frames)
    expected = reference(model, frames, attention="eager").attentions[-1].mean(1)[:, 0, 1:]
    assert_near(last.signals.attention, expected)
    assert torch.equal(last.features, own.features)
    assert torch.equal(last.signals.keys, own.signals.keys)
    assert not torch.allclose(last.signals.attention, own.signals.attention, atol=1e-4)


@pytest.mark.parametrize("layer", [-1, -2])
def test_joined_heads_are_one_head_over_all_channels(folder, model, layer):
    frames = make_frames()
    found = Clip(model=str(folder), attention_layer=layer, heads="joined").encode(frames)
    block = model.encoder.layers[layer]
    with torch.no_grad():
        before = reference(model, frames, attention="sdpa").hidden_states[layer - 1]
        normal = block.layer_norm1(before)
        queries, keys = block.self_attn.q_proj(normal), block.self_attn.k_proj(normal)
    scores = queries[:, :1] @ keys.transpose(1, 2) / queries.shape[-1] ** 0.5
    assert_near(found.signals.attention, scores.softmax(-1)[:, 0, 1:])
    assert_near(found.signals.keys, keys[:, 1:])
    assert torch.equal(found.features, Clip(model=str(folder)).encode(frames).features)


@pytest.mark.parametrize(("layer", "allowed"), [(0, "a whole number below 0"), (-3, "from -2")])
def test_attention_before_the_features_or_behind_the_tower_is_refused(layer, allowed):
    with pytest.raises(InvalidOptionError, match=f"attention_layer={layer} must be {allowed}"):
        Clip(model="anything", attention_layer=layer)


def test_keys_are_those_of_the_penultimate_layer_averaged_over_heads(folder, model):
    frames, seen = make_frames(), []
    hook = model.encoder.layers[-2].self_attn.k_proj.register_forward_hook(
        lambda module, inputs, output: seen.append(output)
    )
    reference(model, frames, attention="sdpa")
    hook.remove()
    expected = seen[0][:, 1:].reshape(5, 16, 4, 8).mean(2)
    keys = Clip(model=str(folder)).encode(frames).signals.keys
    assert_near(keys, expected)


def test_whole_clip_model_gives_the_tokens_of_its_vision_tower(folder, tmp_path, model, capfd):
    text = {**VISION, "vocab_size": 50, "num_hidden_layers": 1, "max_position_embeddings": 8}
    config = transformers.CLIPConfig(vision_config=VISION, text_config=text, projection_dim=8)
    whole = transformers.CLIPModel(config)
    whole.vision_model.load_state_dict(model.state_dict())
    frames = make_frames()
    found = Clip(model=str(save(tmp_path, whole))).encode(frames).features
    assert torch.equal(found, Clip(model=str(folder)).encode(frames).features)
    assert "UNEXPECTED" not in capfd.readouterr().err


def test_grid_and_size_need_no_weights(copied):
    (copied / "model.safetensors").unlink()
    encoder = Clip(model=str(copied))
    assert encoder.grid == (4, 4)
    assert encoder.input_px == (896, 896)


@pytest.mark.parametrize("batch_size", [1, 2, 4, 5, 6])
def test_batch_size_changes_nothing(folder, batch_size):
    frames = make_frames(5)
    whole = Clip(model=str(folder)).encode(frames)
    parts = Clip(model=str(folder), batch_size=batch_size).encode(frames)
    assert_near(parts.features, whole.features)
    assert_near(parts.signals.attention, whole.signals.attention)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_is_near_full_precision(folder, name):
    frames = make_frames()
    half = Clip(model=str(folder), dtype=name).encode(frames)
    full = Clip(model=str(folder)).encode(frames)
    assert half.features.dtype == half.signals.keys.dtype == getattr(torch, name)
    assert torch.cosine_similarity(half.features.float(), full.features, dim=-1).min() > 0.99
    torch.testing.assert_close(half.signals.attention, full.signals.attention, rtol=0, atol=0.02)


def test_threads_share_one_tower(folder):
    encoder, found = Clip(model=str(folder)), {}
    many = {seed: make_frames(3, seed=seed) for seed in range(4)}
    alone = {seed: encoder.encode(frames).signals.attention for seed, frames in many.items()}

    def work(seed):
        found[seed] = [encoder.encode(many[seed]).signals.attention for _ in range(5)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(each, alone[seed]) for seed in many for each in found[seed])


def test_a_wide_frame_is_squashed_without_cropping(folder):
    frames = make_frames(1)
    wide = Frames(
        data=frames.data.repeat(2, axis=2), pts_seconds=frames.pts_seconds, indices=frames.indices
    )
    encoder = Clip(model=str(folder))
    assert torch.equal(encoder.encode(wide).features, encoder.encode(frames).features)


def test_a_folder_that_is_missing_is_named(no_network):
    with pytest.raises(ModelError, match="pass a local folder") as error:
        _ = Clip(model="/no/such/folder").grid
    assert "'/no/such/folder'" in message_of(error)


def test_a_hub_id_out_of_reach_is_one_line(no_network):
    with pytest.raises(ModelError, match="hub id within reach") as error:
        Clip(model="openai/no-such-model").encode(make_frames(1))
    assert "'openai/no-such-model'" in message_of(error)


def test_another_type_of_model_is_refused(copied):
    edit_json(copied / "config.json", model_type="siglip_vision_model")
    with pytest.raises(
        ModelError, match=r"siglip_vision_model.*clip or clip_vision_model"
    ) as error:
        _ = Clip(model=str(copied)).input_px
    message_of(error)


def test_pickled_weights_are_refused(copied, model):
    (copied / "model.safetensors").unlink()
    torch.save(model.state_dict(), copied / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"model\.safetensors") as error:
        Clip(model=str(copied)).encode(make_frames(1))
    message_of(error)


def test_damaged_weights_are_refused(copied):
    (copied / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ModelError, match="cannot load") as error:
        Clip(model=str(copied)).encode(make_frames(1))
    message_of(error)


def test_missing_weights_are_not_made_up(copied):
    edit_json(copied / "config.json", num_hidden_layers=5)
    with pytest.raises(ModelError, match=r"16 weights missing .*layers\.3") as error:
        Clip(model=str(copied)).encode(make_frames(1))
    message_of(error)


def test_the_layer_behind_the_features_is_not_asked_for(copied, folder):
    edit_json(copied / "config.json", num_hidden_layers=4)
    tokens = Clip(model=str(copied)).encode(make_frames())
    assert not torch.equal(tokens.features, Clip(model=str(folder)).encode(make_frames()).features)


def test_a_tower_without_a_penultimate_layer_is_refused(copied):
    edit_json(copied / "config.json", num_hidden_layers=1)
    with pytest.raises(ModelError, match="1 layers; the features are those of layer -2") as error:
        _ = Clip(model=str(copied)).grid
    message_of(error)


def test_weights_of_another_size_are_refused(copied):
    edit_json(copied / "config.json", intermediate_size=128)
    with pytest.raises(ModelError, match=r"of another size, such as .*mlp\.fc1") as error:
        Clip(model=str(copied)).encode(make_frames(1))
    message_of(error)


def test_a_folder_without_normalization_gets_that_of_openai_and_says_so(copied, caplog):
    (copied / "preprocessor_config.json").unlink()
    frames = make_frames(1)
    warned = Clip(model=str(copied)).encode(frames).features
    assert "no preprocessor_config.json" in caplog.text
    other = shutil.copytree(copied, copied.parent / "other")
    transformers.CLIPImageProcessorPil().save_pretrained(other)
    assert torch.equal(warned, Clip(model=str(other)).encode(frames).features)


def test_normalization_is_read_from_the_settings_of_a_whole_processor(copied, folder):
    settings = json.loads((copied / "preprocessor_config.json").read_text())
    (copied / "preprocessor_config.json").unlink()
    (copied / "processor_config.json").write_text(json.dumps({"image_processor": settings}))
    frames = make_frames(1)
    found = Clip(model=str(copied)).encode(frames).features
    assert torch.equal(found, Clip(model=str(folder)).encode(frames).features)


def test_normalization_without_a_mean_is_refused(copied):
    (copied / "preprocessor_config.json").write_text(json.dumps({"image_std": STD}))
    with pytest.raises(ModelError, match="without 'image_mean'"):
        Clip(model=str(copied)).encode(make_frames(1))


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"device": "gpu"}, {"device": "cuda"}])
def test_options_out_of_range_are_refused(options, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidOptionError, match=next(iter(options))):
        Clip(**options)

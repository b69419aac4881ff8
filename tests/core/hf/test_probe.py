import sys
import threading
from contextlib import contextmanager

import pytest
import torch

from framesift.errors import ModelError
from framesift.hf import attention
from framesift.hf.probe import SCORES, watch
from framesift.testing import assert_near
from framesift.testing.stand_in import DEVICE, stand_in

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
    "initializer_range": 0.3,
}
QWEN = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "depth": 2,
    "num_heads": 4,
    "out_hidden_size": 16,
    "patch_size": 4,
    "initializer_range": 0.3,
}
QWEN_GRID = [[3, 4, 8]]


def clip():
    return transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**SIZES))


def siglip():
    return transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SIZES))


def internvl():
    from transformers.models.internvl.modeling_internvl import InternVLVisionModel

    model = InternVLVisionModel(transformers.InternVLVisionConfig(**SIZES, use_qk_norm=True))
    torch.nn.init.normal_(model.embeddings.cls_token)
    return model


def idefics3():
    from transformers.models.idefics3 import modeling_idefics3 as module

    return module.Idefics3VisionTransformer(module.Idefics3VisionConfig(**SIZES))


def smolvlm():
    from transformers.models.smolvlm import modeling_smolvlm as module

    return module.SmolVLMVisionTransformer(module.SmolVLMVisionConfig(**SIZES))


def qwen2_5_vl():
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as module

    config = module.Qwen2_5_VLVisionConfig(**QWEN, window_size=16, fullatt_block_indexes=[1])
    return module.Qwen2_5_VisionTransformerPretrainedModel(config)


def qwen3_vl():
    from transformers.models.qwen3_vl import modeling_qwen3_vl as module

    config = module.Qwen3VLVisionConfig(
        **QWEN, num_position_embeddings=64, deepstack_visual_indexes=[0]
    )
    return module.Qwen3VLVisionModel(config)


PICTURES = {make.__name__: make for make in (clip, siglip, internvl, idefics3, smolvlm)}
PATCHES = {make.__name__: make for make in (qwen2_5_vl, qwen3_vl)}
TOWERS = PICTURES | PATCHES


@pytest.fixture(scope="module")
def towers():
    torch.manual_seed(0)
    return {name: make().eval() for name, make in TOWERS.items()}


@pytest.fixture(params=TOWERS)
def name(request):
    return request.param


@pytest.fixture
def tower(towers, name):
    return towers[name]


def layer_of(tower, number=-1):
    if hasattr(tower, "blocks"):
        return tower.blocks[number].attn
    layer = getattr(tower.encoder, "layers", getattr(tower.encoder, "layer", None))[number]
    return layer.attention if hasattr(layer, "attention") else layer.self_attn


@torch.no_grad()
def run(tower, *, seed=1, **options):
    generator = torch.Generator().manual_seed(seed)
    if hasattr(tower, "blocks"):
        pixels = torch.randn(96, 3 * 2 * 4 * 4, generator=generator)
        return tower(pixels, grid_thw=torch.tensor(QWEN_GRID), **options)
    pixels = torch.randn(3, 3, 64, 64, generator=generator)
    return tower(pixel_values=pixels, **options)


def run_masked(tower, **options):
    patches = torch.ones(2, 4, 4, dtype=torch.bool)
    patches[1, :, 2:] = False
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        return tower(pixels, patch_attention_mask=patches, **options)


@contextmanager
def setting_kept(tower, value="sdpa"):
    tower.set_attn_implementation(value)
    yield
    assert tower.config._attn_implementation == value
    assert not attention._switched
    assert attention._listening.get() == ()


def test_features_stay_those_of_sdpa_to_the_bit(tower):
    tower.set_attn_implementation("sdpa")
    plain = run(tower).last_hidden_state
    with setting_kept(tower), watch(layer_of(tower)) as seen:
        watched = run(tower).last_hidden_state
    assert torch.equal(watched, plain)
    length = 32 if hasattr(tower, "blocks") else plain.shape[1]
    assert seen.attention.shape == (3, length)
    assert seen.keys.shape == (3, length, 8)
    assert_near(seen.attention.sum(1), torch.ones(3))


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("summary", [None, 0])
def test_attention_is_that_of_the_slow_way(towers, picture, number, summary):
    tower = towers[picture]
    tower.set_attn_implementation("eager")
    weights = run(tower, output_attentions=True).attentions[number].mean(1)
    expected = weights.mean(1) if summary is None else weights[:, summary]
    tower.set_attn_implementation("sdpa")
    with watch(layer_of(tower, number), summary) as seen:
        run(tower)
    assert_near(seen.attention, expected)
    assert expected.std() > 1e-3


@pytest.mark.parametrize("patched", PATCHES)
def test_attention_of_qwen_is_that_of_its_slow_function(towers, patched, monkeypatch):
    """Its tower gives no weights, but the function that computes them slowly does."""
    tower, module = towers[patched], layer_of(towers[patched])
    slow, weights = sys.modules[type(tower).__module__].eager_attention_forward, []

    def listen(attention, *tensors, attention_mask, scaling, **options):
        output, found = slow(attention, *tensors, attention_mask, scaling)
        weights.extend([found] if attention is module else [])
        return output, found

    monkeypatch.setitem(transformers.AttentionInterface._global_mapping, "listening", listen)
    tower.config._attn_implementation = "listening"
    run(tower)
    tower.set_attn_implementation("sdpa")
    with watch(module) as seen:
        run(tower)
    expected = torch.cat(weights).mean((1, 2))
    assert_near(seen.attention, expected)
    assert expected.std() > 1e-3


@pytest.mark.parametrize("picture", ["idefics3", "smolvlm"])
def test_patches_that_are_masked_get_no_attention(towers, picture):
    tower = towers[picture]
    tower.set_attn_implementation("eager")
    expected = run_masked(tower, output_attentions=True).attentions[-1].mean((1, 2))
    tower.set_attn_implementation("sdpa")
    plain = run_masked(tower).last_hidden_state
    with watch(layer_of(tower)) as seen:
        watched = run_masked(tower).last_hidden_state
    assert torch.equal(watched, plain)
    assert_near(seen.attention, expected)
    assert seen.attention[1].view(4, 4)[:, 2:].abs().max() == 0


@torch.no_grad()
def test_attention_in_a_large_picture_is_that_of_the_slow_way():
    side = 33
    assert SIZES["num_attention_heads"] * side**4 > SCORES, "more than is held at once"
    torch.manual_seed(0)
    config = transformers.SiglipVisionConfig(**SIZES | {"image_size": 16 * side})
    tower = transformers.SiglipVisionModel(config).eval()
    pixels = torch.randn(1, 3, 16 * side, 16 * side)
    tower.set_attn_implementation("eager")
    expected = tower(pixels, output_attentions=True).attentions[-1].mean((1, 2))
    tower.set_attn_implementation("sdpa")
    with watch(layer_of(tower)) as seen:
        tower(pixels)
    assert_near(seen.attention, expected)


def test_keys_are_averaged_over_heads(towers):
    tower, outputs = towers["clip"], []
    module = layer_of(tower, 0)
    hook = module.k_proj.register_forward_hook(lambda *call: outputs.append(call[2]))
    with watch(module, 0) as seen:
        run(tower)
    hook.remove()
    assert_near(seen.keys, outputs[0].reshape(3, 17, 4, 8).mean(2))


def test_the_setting_comes_back_after_an_error(tower):
    for setting in ("eager", "sdpa"):
        failing = pytest.raises(RuntimeError, match="in the middle")
        with setting_kept(tower, setting), failing, watch(layer_of(tower)):
            raise RuntimeError("in the middle")


def test_two_layers_are_seen_in_one_pass(towers):
    tower = towers["clip"]
    with setting_kept(tower):
        with watch(layer_of(tower, 0), 0) as first, watch(layer_of(tower, 1), 0) as second:
            run(tower)
        with watch(layer_of(tower, 1), 0) as alone:
            run(tower)
    assert torch.equal(second.attention, alone.attention)
    assert not torch.equal(first.attention, second.attention)


def test_passes_are_joined_and_nothing_is_seen_after_the_end(towers):
    tower = towers["siglip"]
    with watch(layer_of(tower)) as seen:
        run(tower)
        run(tower)
    run(tower)
    assert seen.attention.shape == (6, 16)
    assert torch.equal(seen.attention[:3], seen.attention[3:])


def test_threads_that_share_a_tower_see_their_own_passes(towers):
    tower, found, failed = towers["clip"], {}, []

    def work(seed):
        try:
            for _ in range(20):
                with watch(layer_of(tower), 0) as seen:
                    run(tower, seed=seed)
                found.setdefault(seed, []).append(seen.attention)
        except Exception as error:
            failed.append(error)

    with setting_kept(tower):
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failed
    for seed, seen in found.items():
        with watch(layer_of(tower), 0) as alone:
            run(tower, seed=seed)
        assert len(seen) == 20
        assert all(torch.equal(each, alone.attention) for each in seen)


def test_windows_of_several_sizes_cannot_make_one_table(towers):
    tower = towers["qwen2_5_vl"]
    with watch(layer_of(tower, 0)) as seen:
        pixels = torch.randn(72, 96)
        with torch.no_grad():
            tower(pixels, grid_thw=torch.tensor([[1, 6, 12]]))
    with pytest.raises(ModelError, match="pictures of one size") as error:
        _ = seen.attention
    assert "\n" not in str(error.value)


def test_a_layer_that_did_not_run_is_named(towers):
    with watch(layer_of(towers["clip"])) as seen:
        pass
    with pytest.raises(ModelError, match="CLIPAttention saw no picture"):
        _ = seen.keys


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("name", ["attention", "keys"])
def test_one_of_both_is_read_alone(name, joined):
    model, pixels = clip().eval(), torch.rand(2, 3, 64, 64)
    module = model.encoder.layers[-1].self_attn
    with watch(module, 0, joined=joined) as both, torch.no_grad():
        model(pixels)
    with watch(module, 0, joined=joined, signals=frozenset({name})) as one, torch.no_grad():
        model(pixels)
    assert torch.equal(getattr(one, name), getattr(both, name))
    (other,) = {"attention", "keys"} - {name}
    with pytest.raises(ModelError, match="no picture"):
        getattr(one, other)


def test_nothing_is_switched_where_nothing_is_read():
    model = clip().eval()
    module = model.encoder.layers[-1].self_attn
    with watch(module, 0, signals=frozenset({"edge_density"})):
        assert module.config._attn_implementation != attention.NAME
    with watch(module, 0, signals=frozenset({"keys", "edge_density"})):
        assert module.config._attn_implementation == attention.NAME


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("summary", [0, None])
def test_on_a_device_pictures_are_read_together(summary, joined):
    def read(pixels):
        module = model.encoder.layers[-1].self_attn
        with watch(module, summary, joined=joined) as seen, torch.no_grad():
            model(pixels)
        return seen

    model, pixels = clip().eval(), torch.rand(9, 3, 64, 64)
    expected, counts = read(pixels), []
    with stand_in() as operations:
        model.to(DEVICE)
        for given in (pixels[:2].to(DEVICE), pixels.to(DEVICE)):
            operations.by_name.clear()
            operations.waits.clear()
            found = read(given)
            counts.append(operations.count)
            assert operations.waits.total() == 0, operations.waits
        assert_near(found.attention.cpu(), expected.attention)
        assert_near(found.keys.cpu(), expected.keys)
    assert counts[0] == counts[1], "each picture costs launches of its own"

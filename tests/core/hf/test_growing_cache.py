"""LLMs whose layers hold a state are continued exactly, or refused by name."""

from types import SimpleNamespace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import ModelError  # noqa: E402
from framesift.hf.growing_cache import GOING_ON, empty_cache  # noqa: E402

SMALL = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "initializer_range": 0.3,
}
DELTA = {
    "layer_types": ["linear_attention", "full_attention"],
    "head_dim": 8,
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
EXPERTS = {
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1}
CONVOLVED = {"layer_types": ["conv", "full_attention"]}
TYPES = {
    "qwen3_5_text": DELTA,
    "qwen3_5_moe_text": DELTA | EXPERTS,
    "qwen3_next": DELTA | EXPERTS,
    "lfm2": CONVOLVED,
    "lfm2_moe": CONVOLVED | EXPERTS | {"num_dense_layers": 1},
    "granitemoehybrid": MAMBA | {"layer_types": ["mamba", "attention"], "num_local_experts": 2},
}


def test_every_type_that_goes_on_is_tested():
    assert set(TYPES) == GOING_ON


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_state_is_taken_up_again_by_several_columns(kind):
    config = transformers.AutoConfig.for_model(kind, **SMALL, **TYPES[kind])
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    ids = torch.arange(5, 45)[None] % 97
    cache = empty_cache(model)
    with torch.no_grad():
        whole = model(ids, use_cache=False).logits[0, -1]
        model(ids[:, :25], past_key_values=cache)
        again = model(ids[:, 25:], past_key_values=cache).logits[0, -1]
    assert torch.allclose(whole, again, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "layers", "named"),
    [
        ("jamba", ["linear_attention", "full_attention"], "jamba"),
        ("falcon_h1", ["hybrid", "hybrid"], "hybrid"),
        ("qwen3_5_text", ["linear_attention", "sliding_attention"], "sliding_attention"),
    ],
)
def test_what_cannot_be_cut_is_named(kind, layers, named):
    text = SimpleNamespace(model_type=kind, layer_types=layers)
    config = SimpleNamespace(get_text_config=lambda decoder: text)
    with pytest.raises(ModelError, match=f"{named}.*vlm.hf.generate") as error:
        empty_cache(SimpleNamespace(config=config))
    assert "\n" not in str(error.value)

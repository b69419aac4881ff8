"""Models of real size made narrow, so that the code that measures them runs in a test."""

from typing import Any

SMALL = {
    "num_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
"""Sizes of experts and of layers with a state, where a model has them."""


def narrow(config: Any) -> Any:
    """Returns the configuration of the same model, a thousand times smaller."""
    text, vision = config.text_config, config.vision_config
    text.hidden_size = text.intermediate_size = 64
    text.num_attention_heads = text.num_key_value_heads = 4
    text.vocab_size = 300
    # Where heads differ from layer to layer, they stay as they are.
    if not text.is_heterogeneous and hasattr(text, "head_dim"):
        text.head_dim = 16
    for name, size in SMALL.items():
        if hasattr(text, name):
            setattr(text, name, size)
    vision.hidden_size = vision.intermediate_size = 32
    if hasattr(vision, "embed_dim"):
        vision.embed_dim, vision.hidden_size = 32, 64
    if hasattr(vision, "depth"):
        vision.depth, vision.num_heads, vision.out_hidden_size = 2, 2, 64
        vision.fullatt_block_indexes = [1]
        vision.deepstack_visual_indexes = [0, 1]
    else:
        vision.num_hidden_layers, vision.num_attention_heads = 2, 2
        if hasattr(vision, "num_key_value_heads"):
            vision.num_key_value_heads, vision.head_dim = 2, 16
    if hasattr(vision, "insert_layer_id"):
        config.insert_layer_id = vision.insert_layer_id = 0
    if "mrope_section" in (getattr(text, "rope_parameters", None) or {}):
        text.rope_parameters.update(mrope_section=[2, 3, 3], partial_rotary_factor=1.0)
    return config

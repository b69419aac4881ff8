"""Models of real size made narrow, so that the code that measures them runs in a test."""

from typing import Any


def narrow(config: Any) -> Any:
    """Returns the configuration of the same model, a thousand times smaller."""
    text, vision = config.text_config, config.vision_config
    text.hidden_size = text.intermediate_size = 64
    text.num_attention_heads = text.num_key_value_heads = 4
    text.vocab_size = 300
    if hasattr(text, "head_dim"):
        text.head_dim = 16
    vision.hidden_size = vision.intermediate_size = 32
    if hasattr(vision, "depth"):
        vision.depth, vision.num_heads, vision.out_hidden_size = 2, 2, 64
        vision.fullatt_block_indexes = [1]
        text.rope_parameters["mrope_section"] = [2, 3, 3]
    else:
        vision.num_hidden_layers, vision.num_attention_heads = 2, 2
    return config

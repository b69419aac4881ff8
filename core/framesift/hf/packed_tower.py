"""Vision transformers of transformers, run over the encoded places of frames alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import Tensor

from framesift.hf.borrowing import PackedFrames


def packed_states(
    tower: Any, pixels: Tensor, packing: PackedFrames, chosen: Collection[int]
) -> dict[int, Tensor]:
    """Returns the hidden states `(P, C)` of the encoded places of a CLIP, SigLIP or InternViT.

    Its own modules are called one after the other, up to the last layer that is needed.

    Args:
        tower: a vision model of transformers.
        pixels: frames `(T, 3, H, W)`.
        packing: which places are encoded.
        chosen: numbers of hidden states, as transformers counts them: 0 is before the first layer,
            -1 behind the last.
    """
    takes_mask = hasattr(tower.encoder, "layers")
    layers = tower.encoder.layers if takes_mask else tower.encoder.layer
    depth = {number: number if number >= 0 else len(layers) + 1 + number for number in chosen}
    hidden = packing.gather(tower.embeddings(pixels))
    if (norm := getattr(tower, "pre_layrnorm", None)) is not None:
        hidden = norm(hidden)
    found = {0: hidden[0]}
    for number, layer in enumerate(layers[: max(depth.values())], 1):
        hidden = layer(hidden, None) if takes_mask else layer(hidden)
        found[number] = hidden[0]
    return {number: found[depth[number]] for number in chosen}

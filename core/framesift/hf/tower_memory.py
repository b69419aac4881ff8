"""How much memory frames take on their way through a vision tower."""

from __future__ import annotations

from typing import Any


def bytes_in_tower(
    vision: Any, size_px: tuple[int, int], frame_px: tuple[int, int], itemsize: int, frames: int = 1
) -> float:
    """Returns about how many bytes one time step takes on its way through a vision tower.

    Args:
        vision: configuration of the tower.
        size_px: frame size `(H, W)` that the tower takes.
        frame_px: frame size `(H, W)` as it comes.
        itemsize: bytes of a number that the tower computes with.
        frames: frames of one step.
    """
    height, width = _sides(vision.patch_size)
    patches = (size_px[0] // height) * (size_px[1] // width)
    # In Qwen2-VL `hidden_size` is the width of the LLM.
    channels: int = getattr(vision, "embed_dim", None) or vision.hidden_size
    layers = getattr(vision, "depth", None) or vision.num_hidden_layers
    inner = getattr(vision, "intermediate_size", 4 * channels)
    # The states of all layers are held where one of them gives the features.
    computed: float = itemsize * patches * ((layers + 8) * channels + 3 * inner)
    pixels = 3 * (6 * frame_px[0] * frame_px[1] + 12 * size_px[0] * size_px[1])
    return computed + frames * pixels


def _sides(size: Any) -> tuple[int, int]:
    height, width = size if isinstance(size, list | tuple) else (size, size)
    return int(height), int(width)

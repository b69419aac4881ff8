"""Patch features of a CLIP vision transformer, with its attention and keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders._checkpoint import load_tower, read_config, read_normalization
from framesift.encoders._edges import DETAIL_PX, edge_density
from framesift.encoders._resize import resized
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.types.frames import Frames
from framesift.types.tokens import Signals, VideoTokens

MODEL_TYPES: Final = frozenset({"clip", "clip_vision_model"})


@dataclass(frozen=True, kw_only=True)
class Clip(Encoder):
    """Penultimate patch features, as LLaVA takes them, and what the tower attends to.

    `attention` is the last layer's from the summary token (CLS) to each patch, averaged over heads;
    `keys` are the penultimate layer's, averaged over heads. Only the row of the summary token is
    computed, from the tower's own projections: no hook, and the fast attention stays. Frames are
    squashed to the tower's square, not cropped, so that each patch maps to a place of the frame.
    """

    summary: ClassVar[str] = "features, attention and keys of a CLIP vision transformer"
    gives: ClassVar[frozenset[str]] = frozenset({"attention", "keys", "edge_density"})

    model: str = "openai/clip-vit-large-patch14-336"
    """Hub id, or local folder of a CLIPModel or CLIPVisionModel with safetensors weights."""
    device: str | None = None
    """Where the tower runs; None for the GPU where there is one, else the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the tower computes in; `"auto"` is float16 on a GPU, else float32."""
    batch_size: int = 16
    """Frames that go through the tower at once."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InvalidOptionError(f"batch_size={self.batch_size!r} must be at least 1 frame")
        if self.device is not None:
            _check_device(self.device)

    @property
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)`, read from the configuration."""
        patches = self._side // self._config["patch_size"]
        return patches, patches

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: a multiple of the tower's that shows the strokes of text."""
        side = self._side * -(-DETAIL_PX // self._side)
        return side, side

    def encode(self, frames: Frames) -> VideoTokens:
        """Returns the tokens `(T, N, D)` on the CPU, in the dtype of the tower."""
        images = resized(frames.data, (self._side, self._side))
        batches = np.array_split(images, range(self.batch_size, len(images), self.batch_size))
        seen = [self._tower.look(batch) for batch in batches]
        features, keys, attention = (torch.cat(parts) for parts in zip(*seen, strict=True))
        density = torch.from_numpy(edge_density(frames.data, self.grid))
        return VideoTokens(
            features=features,
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds),
            signals=Signals(attention=attention, keys=keys, edge_density=density),
        )

    @cached_property
    def _config(self) -> dict[str, Any]:
        config = read_config(self.model, MODEL_TYPES)
        from transformers import CLIPVisionConfig

        vision: dict[str, Any] = CLIPVisionConfig(**config.get("vision_config", config)).to_dict()
        return vision

    @property
    def _side(self) -> int:
        side: int = self._config["image_size"]
        return side

    @property
    def _tower(self) -> _Tower:
        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        auto = "float32" if device == "cpu" else "float16"
        return _tower(self.model, device, auto if self.dtype == "auto" else self.dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tower:
    """A vision transformer without its last two layers, which are run by hand."""

    trunk: Any
    penultimate: Any
    last: Any
    mean: Tensor
    std: Tensor

    @torch.no_grad()
    def look(self, images: npt.NDArray[np.uint8]) -> tuple[Tensor, Tensor, Tensor]:
        """Returns features `(T, N, D)`, keys `(T, N, Dk)` and attention `(T, N)` on the CPU."""
        pixels = torch.tensor(images, device=self.mean.device).permute(0, 3, 1, 2)
        normal = (pixels / 255 - self.mean) / self.std
        before = self.trunk(normal.to(self.trunk.dtype)).last_hidden_state
        keys = _heads(self.penultimate, "k_proj", before).mean(1)
        hidden = self.penultimate(before, None)
        query, key = (_heads(self.last, name, hidden).float() for name in ("q_proj", "k_proj"))
        scores = query[:, :, :1] @ key.transpose(-1, -2) * self.last.self_attn.scale
        attention = scores.softmax(-1).mean(1)[:, 0]
        return hidden[:, 1:].cpu(), keys[:, 1:].cpu(), attention[:, 1:].cpu()


@lru_cache(maxsize=2)
def _tower(model: str, device: str, dtype: str) -> _Tower:
    trunk = load_tower(model, "CLIPVisionModel", device=device, dtype=getattr(torch, dtype))
    *first, penultimate, last = trunk.encoder.layers
    trunk.encoder.layers = torch.nn.ModuleList(first)
    mean, std = (torch.tensor(x, device=device)[:, None, None] for x in read_normalization(model))
    return _Tower(trunk=trunk, penultimate=penultimate, last=last, mean=mean, std=std)


def _heads(layer: Any, projection: str, hidden: Tensor) -> Tensor:
    """Returns what a layer's attention projects `hidden` `(T, L, D)` to, `(T, heads, L, Dk)`."""
    attention = layer.self_attn
    projected: Tensor = getattr(attention, projection)(layer.layer_norm1(hidden))
    frames, length, _ = projected.shape
    return projected.view(frames, length, -1, attention.head_dim).transpose(1, 2)


def _check_device(device: str) -> None:
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InvalidOptionError(
            f"device={device!r} is not a device of torch; use 'cpu', 'cuda' or 'cuda:1'"
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise InvalidOptionError(
            f"device={device!r} needs a GPU that torch can use, and there is none; use 'cpu'"
        )

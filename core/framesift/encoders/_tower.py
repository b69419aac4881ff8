"""Vision transformers of Hugging Face as encoders: what CLIP, SigLIP and InternViT share."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor

from framesift.encoders._resize import resized, resized_by_torch
from framesift.encoders.base import Encoder
from framesift.encoders.edges import DETAIL_PX, edge_density
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.device import (
    batch_that_fits,
    bytes_in_tower,
    device_errors,
    in_batches,
    uploaded,
)
from framesift.hf.model_use import alone_with, loaded_once, state_of
from framesift.hf.probe import watch
from framesift.hf.tower_checkpoint import load_tower, pair, placed, read_config, read_normalization
from framesift.registry import require
from framesift.types.frames import Frames
from framesift.types.options import Count
from framesift.types.tokens import Signals, VideoTokens

BATCH: Final = 16
"""Frames that go through a tower at once on a CPU."""
LAST: Final = -1
"""The feature layer of towers whose features are what they give at last, final norm included."""


@dataclass(frozen=True, kw_only=True)
class VisionTransformer(Encoder):
    """Patch features and keys of one layer, with the attention of that layer or a later one.

    Layers behind them are never loaded. Frames are squashed to the tower's size, not cropped, so
    that each patch maps to a place of the frame.
    """

    gives: ClassVar[frozenset[str]] = frozenset({"attention", "keys", "edge_density"})
    model_types: ClassVar[frozenset[str]]
    """What `config.json` may call the model: the tower alone, or a model that holds it."""
    architecture: ClassVar[str]
    """The tower's class in transformers, less the `Model` at its end."""
    feature_layer: ClassVar[int]
    """Which layer gives the features, counted from the end."""
    summary_token: ClassVar[int | None]
    """Position of the token that sums up the frame, which is dropped; None without one."""
    attention_path: ClassVar[str] = "encoder.layers.{}.self_attn"
    """Where the tower keeps the attention of the layer with that number."""
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What is set in the tower's configuration."""
    colors: ClassVar[str]
    """Whose normalisation of colours holds where the checkpoint does not say, in transformers."""

    model: str
    """Hub id, or local folder with safetensors weights."""
    device: str | None = None
    """Where the tower runs; None for the GPU where there is one, else the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the tower computes in; `"auto"` is float16 on a GPU, else float32."""
    batch_size: Count | None = None
    """Frames that go through the tower at once; None for 16 on a CPU, on a GPU for what fits."""
    attention_layer: Annotated[int, Field(lt=0)] | None = None
    """Layer whose attention is given, counted from the end; None for that of the features."""
    heads: Literal["averaged", "joined"] = "averaged"
    """How heads count in attention and keys: `averaged`, or `joined` to one over all channels, as
    PruMerge compares them; keys are as wide as features then, and those of `attention_layer`."""

    def __post_init__(self) -> None:
        if self.attention_layer is not None and self.attention_layer < self.feature_layer:
            raise InvalidOptionError(
                f"attention_layer={self.attention_layer!r} must be from {self.feature_layer}, the "
                "layer of the features, to -1, the last one"
            )
        placed(self.device, self.dtype)

    @property
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)`, read from the configuration."""
        patch_px = pair(self._config.patch_size)
        return self._size_px[0] // patch_px[0], self._size_px[1] // patch_px[1]

    @property
    def channels(self) -> int:
        """Channels `D` of the tokens, read from the configuration."""
        return int(self._config.hidden_size)

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: a multiple of the tower's that shows the strokes of text."""
        height, width = (side * -(-DETAIL_PX // side) for side in self._size_px)
        return height, width

    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, N, D)` on the device of the tower, in its dtype."""
        wanted, images, size_px = self.wanted(signals), frames.data, self._size_px
        where = placed(self.device, self.dtype)
        tower = _load(type(self), self.model, state_of(self.model), self._deepest, *where)

        def look(part: slice) -> dict[str, Tensor]:
            pixels = tower.pixels(images[part], size_px)
            with alone_with(tower.model):
                return tower.look(pixels, wanted, joined=self.heads == "joined")

        size, shrinks = self.steps_at_once(images.shape[1:3]), self.batch_size is None
        cure = "take a smaller batch_size, dtype='float16', or device='cpu'"
        with device_errors(where[0], f"encoding frames by {self.spec!r}", cure):
            seen = in_batches(len(images), size, look, may_shrink=shrinks)
        columns = {name: torch.cat([part[name] for part in seen]) for name in seen[0]}
        features = columns.pop("features")
        if "edge_density" in wanted:
            density = torch.from_numpy(edge_density(frames.data, self.grid))
            columns["edge_density"] = density.to(features.device)
        return VideoTokens(
            features=features,
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds),
            signals=Signals(**columns),
        )

    def steps_at_once(self, frame_px: tuple[int, int]) -> int:
        """Returns how many frames of a size `(H, W)` go through the tower at once."""
        if self.batch_size is not None:
            return self.batch_size
        device, dtype = placed(self.device, self.dtype)
        each = bytes_in_tower(self._config, self._size_px, frame_px, dtype.itemsize)
        return batch_that_fits(torch.device(device), each, BATCH)

    @property
    def _size_px(self) -> tuple[int, int]:
        return pair(self._config.image_size)

    @cached_property
    def _config(self) -> Any:
        return _read(type(self), self.model, self._deepest)

    @property
    def _deepest(self) -> int:
        return self.feature_layer if self.attention_layer is None else self.attention_layer


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class _LoadedTower:
    """A loaded tower that ends with the layer whose attention is given."""

    model: Any
    feature_attention: Any
    """Attention module of the layer that gives features and keys."""
    last_attention: Any
    """Attention module of its last layer, often the same."""
    feature_layer: int
    """Counted from the end of what is loaded."""
    normed: bool
    """Whether the features are what the tower gives at last."""
    summary_token: int | None
    mean: Tensor
    std: Tensor

    def pixels(self, images: npt.NDArray[np.uint8], size_px: tuple[int, int]) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, `(T, 3, h, w)`."""
        if self.mean.device.type == "cpu":
            levels = torch.tensor(resized(images, size_px)).permute(0, 3, 1, 2)
        else:
            levels = resized_by_torch(uploaded(images, self.mean.device), size_px)
        return ((levels / 255 - self.mean) / self.std).to(self.model.dtype)

    @torch.no_grad()
    def look(
        self, pixels: Tensor, signals: frozenset[str], *, joined: bool = False
    ) -> dict[str, Tensor]:
        """Returns `features` `(T, N, D)` and what is among `signals` of the tower's own.

        These are `keys` `(T, N, Dk)` and `attention` `(T, N)`, with `joined` heads those of one
        head over all channels.
        """
        sources = {
            "keys": self.last_attention if joined else self.feature_attention,
            "attention": self.last_attention,
        }
        with ExitStack() as stack:
            seen = {
                name: stack.enter_context(
                    watch(source, self.summary_token, joined=joined, signals=frozenset({name}))
                )
                for name, source in sources.items()
                if name in signals
            }
            if self.normed:
                features = self.model(pixel_values=pixels).last_hidden_state
            else:
                kept = [self.feature_layer]
                output = self.model(pixel_values=pixels, output_hidden_states=kept)
                features = output.hidden_states[self.feature_layer]
        first = 0 if self.summary_token is None else self.summary_token + 1
        found = {"features": features, **{name: getattr(one, name) for name, one in seen.items()}}
        return {name: rows[:, first:] for name, rows in found.items()}


def _read(kind: type[VisionTransformer], model: str, deepest: int) -> Any:
    """Returns the configuration of the tower, up to its layer `deepest`."""
    given = read_config(model, kind.model_types)
    config_class = getattr(require("transformers", extra="hf"), f"{kind.architecture}Config")
    with in_one_line(model):
        config = config_class(**{**given.get("vision_config", given), **kind.options})
        _ = pair(config.image_size), pair(config.patch_size)
    layers = config.num_hidden_layers + deepest + 1
    if config.num_hidden_layers + kind.feature_layer < 0:
        raise ModelError(
            f"{called(model)!r} has {config.num_hidden_layers} layers; the features are those of "
            f"layer {kind.feature_layer}; pass a tower with {-kind.feature_layer} layers or more"
        )
    config.num_hidden_layers = layers
    return config


@lru_cache(maxsize=2)
def _load(
    kind: type[VisionTransformer],
    model: str,
    state: Hashable,
    deepest: int,
    device: str,
    dtype: torch.dtype,
) -> _LoadedTower:
    """Returns the tower, which stays loaded while it is among the last two that were used."""
    key = kind, state, deepest, device, dtype
    tower: _LoadedTower = loaded_once(key, lambda: _read_tower(kind, model, deepest, device, dtype))
    return tower


def _read_tower(
    kind: type[VisionTransformer], model: str, deepest: int, device: str, dtype: torch.dtype
) -> _LoadedTower:
    config = _read(kind, model, deepest)
    name = f"{kind.architecture}Model"
    tower = load_tower(model, name, config=config, device=device, dtype=dtype)
    normalization = read_normalization(model, kind.colors)
    mean, std = (torch.tensor(color, device=device)[:, None, None] for color in normalization)
    last, behind = config.num_hidden_layers - 1, deepest - kind.feature_layer
    return _LoadedTower(
        model=tower,
        feature_attention=tower.get_submodule(kind.attention_path.format(last - behind)),
        last_attention=tower.get_submodule(kind.attention_path.format(last)),
        feature_layer=-1 - behind,
        normed=kind.feature_layer == LAST,
        summary_token=kind.summary_token,
        mean=mean,
        std=std,
    )

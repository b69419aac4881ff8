"""Vision transformers of Hugging Face as encoders: what CLIP, SigLIP and InternViT share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from framesift.encoders._loaded_tower import LoadedTower, load, read
from framesift.encoders.edges import DETAIL_PX, edge_density_on
from framesift.encoders.still import Units
from framesift.encoders.units import UnitEncoder, picked
from framesift.errors import InvalidOptionError
from framesift.hf.borrowing import PackedFrames
from framesift.hf.model_use import alone_with, state_of
from framesift.hf.packed_tower import packed_states
from framesift.hf.tower_checkpoint import pair, placed
from framesift.hf.tower_memory import bytes_in_tower
from framesift.types.device import (
    batch_that_fits,
    device_errors,
    in_batches,
)
from framesift.types.frames import Frames
from framesift.types.options import Count, Reachable
from framesift.types.tokens import Signals, VideoTokens

BATCH: Final = 16
"""Frames that go through a tower at once on a CPU."""


@dataclass(frozen=True, kw_only=True)
class VisionTransformer(UnitEncoder):
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

    model: Reachable
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
        wanted, images, tower = self.wanted(signals), frames.data, self._loaded

        def look(part: slice) -> dict[str, Tensor]:
            pixels = tower.pixels(images[part], self._size_px).to(tower.model.dtype)
            with alone_with(tower.model):
                return tower.look(pixels, wanted, joined=self.heads == "joined")

        size, shrinks = self.steps_at_once(images.shape[1:3]), self.batch_size is None
        with self._device_errors():
            seen = in_batches(len(images), size, look, may_shrink=shrinks)
        columns = {name: torch.cat([part[name] for part in seen]) for name in seen[0]}
        return self.tokens(frames, columns, wanted)

    @property
    def tower(self) -> Any:
        """The tower in transformers."""
        return self._loaded.model

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keeps other threads from the tower; what its device raises is in one line."""
        with self._device_errors(), alone_with(self.tower):
            yield

    def units(self, size_px: tuple[int, int]) -> Units:
        """Returns the patches, each of which is a token."""
        return Units.even(self.grid, self.grid, pair(self._config.patch_size))

    @property
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in normalized pixels, for each colour."""
        red, green, blue = (255 * self._loaded.std).flatten().tolist()
        return red, green, blue

    def prepared(self, frames: Frames) -> Tensor:
        """Returns frames on the device of the tower, float32 `(T, 3, h, w)`."""
        return self._loaded.pixels(frames.data, self._size_px)

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for whole frames."""
        return self._loaded.look(pixels, signals, joined=self.heads == "joined")

    def places(self, encoded: Tensor, units: Units) -> Tensor:
        """Returns the places of the tower that patches need, with that of the summary token."""
        return torch.nn.functional.pad(encoded, (self._loaded.skipped, 0), value=True)

    def look_at(
        self, pixels: Tensor, encoded: Tensor, packing: PackedFrames, signals: frozenset[str]
    ) -> dict[str, Tensor]:
        """Returns what `look` does, of the encoded patches alone."""
        tower = self._loaded
        with tower.watched(signals, joined=self.heads == "joined") as seen:
            hidden = packed_states(tower.model, pixels, packing, [tower.feature_layer, -1])
        features = hidden[tower.feature_layer]
        if tower.normed:
            features = tower.model.layernorm(features)
        rows = packing.row[:, tower.skipped :][encoded].to(features.device)
        found = {name: getattr(one, name)[:, tower.skipped :] for name, one in seen.items()}
        signals_found = {name: picked(value, encoded) for name, value in found.items()}
        return {"features": features.index_select(0, rows), **signals_found}

    def tokens(
        self, frames: Frames, columns: dict[str, Tensor], signals: frozenset[str]
    ) -> VideoTokens:
        """Returns the tokens of frames from what `look` gave for them, with the `edge_density`."""
        features = columns.pop("features")
        if "edge_density" in signals:
            columns["edge_density"] = edge_density_on(features.device, frames.data, self.grid)
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
    def _loaded(self) -> LoadedTower:
        where = placed(self.device, self.dtype)
        return load(type(self), self.model, state_of(self.model), self._deepest, *where)

    def _device_errors(self) -> AbstractContextManager[None]:
        device = placed(self.device, self.dtype)[0]
        cure = "take a smaller batch_size, dtype='float16', or device='cpu'"
        return device_errors(device, f"encoding frames by {self.spec!r}", cure)

    @property
    def _size_px(self) -> tuple[int, int]:
        return pair(self._config.image_size)

    @cached_property
    def _config(self) -> Any:
        return read(type(self), self.model, self._deepest)

    @property
    def _deepest(self) -> int:
        return self.feature_layer if self.attention_layer is None else self.attention_layer

"""A vision tower of transformers that is loaded up to the layer that is read."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders._resize import resized, resized_by_torch
from framesift.errors import ModelError
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.model_use import loaded_once
from framesift.hf.probe import WatchedLayer, watch
from framesift.hf.tower_checkpoint import load_tower, pair, read_config, read_normalization
from framesift.registry import require
from framesift.types.device import uploaded

if TYPE_CHECKING:
    from framesift.encoders._tower import VisionTransformer

LAST: Final = -1
"""The feature layer of towers whose features are what they give at last, final norm included."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class LoadedTower:
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
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        if self.mean.device.type == "cpu":
            levels = torch.tensor(resized(images, size_px)).permute(0, 3, 1, 2)
        else:
            levels = resized_by_torch(uploaded(images, self.mean.device), size_px)
        return (levels / 255 - self.mean) / self.std

    @torch.no_grad()
    def look(
        self, pixels: Tensor, signals: frozenset[str], *, joined: bool = False
    ) -> dict[str, Tensor]:
        """Returns `features` `(T, N, D)` and what is among `signals` of the tower's own.

        These are `keys` `(T, N, Dk)` and `attention` `(T, N)`, with `joined` heads those of one
        head over all channels.
        """
        with self.watched(signals, joined=joined) as seen:
            if self.normed:
                features = self.model(pixel_values=pixels).last_hidden_state
            else:
                kept = [self.feature_layer]
                output = self.model(pixel_values=pixels, output_hidden_states=kept)
                features = output.hidden_states[self.feature_layer]
        found = {"features": features, **{name: getattr(one, name) for name, one in seen.items()}}
        return {name: rows[:, self.skipped :] for name, rows in found.items()}

    @property
    def skipped(self) -> int:
        """Places before the first patch: one for a summary token."""
        return 0 if self.summary_token is None else self.summary_token + 1

    @contextmanager
    def watched(
        self, signals: frozenset[str], *, joined: bool
    ) -> Iterator[dict[str, WatchedLayer]]:
        """Gives the layers of the tower that `keys` and `attention` are read from."""
        sources = {
            "keys": self.last_attention if joined else self.feature_attention,
            "attention": self.last_attention,
        }
        with ExitStack() as stack:
            yield {
                name: stack.enter_context(
                    watch(source, self.summary_token, joined=joined, signals=frozenset({name}))
                )
                for name, source in sources.items()
                if name in signals
            }


def read(kind: type[VisionTransformer], model: str, deepest: int) -> Any:
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
def load(
    kind: type[VisionTransformer],
    model: str,
    state: Hashable,
    deepest: int,
    device: str,
    dtype: torch.dtype,
) -> LoadedTower:
    """Returns the tower, which stays loaded while it is among the last two that were used."""
    key = kind, state, deepest, device, dtype
    tower: LoadedTower = loaded_once(key, lambda: _read_tower(kind, model, deepest, device, dtype))
    return tower


def _read_tower(
    kind: type[VisionTransformer], model: str, deepest: int, device: str, dtype: torch.dtype
) -> LoadedTower:
    config = read(kind, model, deepest)
    name = f"{kind.architecture}Model"
    tower = load_tower(model, name, config=config, device=device, dtype=dtype)
    normalization = read_normalization(model, kind.colors)
    mean, std = (torch.tensor(color, device=device)[:, None, None] for color in normalization)
    last, behind = config.num_hidden_layers - 1, deepest - kind.feature_layer
    return LoadedTower(
        model=tower,
        feature_attention=tower.get_submodule(kind.attention_path.format(last - behind)),
        last_attention=tower.get_submodule(kind.attention_path.format(last)),
        feature_layer=-1 - behind,
        normed=kind.feature_layer == LAST,
        summary_token=kind.summary_token,
        mean=mean,
        std=std,
    )

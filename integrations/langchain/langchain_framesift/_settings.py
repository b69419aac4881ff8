"""How videos are reduced, and for which model, as fields of objects of LangChain."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import asdict
from threading import Lock
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from framesift import Assistant, FetchLimits, VideoCompressor, create_strategy, load_vlm
from langchain_framesift._blocks import UNTRUSTED

HELD: Final = 2
"""Assistants that stay loaded, each with its weights and the last conversation it read."""


class Loaded:
    """What was loaded for an object of LangChain and for its copies with other settings."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._assistants: OrderedDict[tuple[Hashable, ...], Assistant] = OrderedDict()

    def assistant(self, model: str, **settings: Any) -> Assistant:
        """Returns what answers under these options of `VideoCompressor`; weights load once."""
        key = model, *sorted(settings.items())
        with self._lock:
            if key not in self._assistants:
                alike = (held for other, held in self._assistants.items() if other[0] == model)
                found = next(alike, None)
                vlm = load_vlm(model) if found is None else found.compressor.answering_vlm
                self._assistants[key] = Assistant(VideoCompressor(vlm=vlm, **settings))
            self._assistants.move_to_end(key)
            if len(self._assistants) > HELD:
                self._assistants.popitem(last=False)
            return self._assistants[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> Loaded:
        return self


class VideoSettings(BaseModel):
    """Options of `framesift.VideoCompressor`; models load on first use, copies share them."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    strategy: str = "temporal"
    """Decides which visual tokens survive, such as `"temporal:threshold=0.9"`."""
    keep: float = Field(default=0.25, gt=0, le=1, allow_inf_nan=False, strict=True)
    """Fraction of the visual tokens kept."""
    max_visual_tokens: int | None = Field(default=None, ge=1, strict=True)
    """Most visual tokens kept of each video; the smaller of this and `keep` wins."""
    max_frames: int | None = Field(default=None, ge=1, strict=True)
    """Most frames of a video that are encoded, None for all that were sampled."""
    gate: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False, strict=True)
    """Least similarity to the last encoded frame at which one copies its tokens."""
    fps: float = Field(default=1.0, gt=0, allow_inf_nan=False, strict=True)
    """Frames sampled per second of video."""
    limits: FetchLimits = UNTRUSTED
    """What may be opened: by default links to public addresses, but no files of this machine."""
    loaded: Loaded = Field(default_factory=Loaded, exclude=True, repr=False)
    """What was loaded; hand it to another object to share weights with it."""

    @field_validator("strategy")
    @classmethod
    def _known(cls, strategy: str) -> str:
        create_strategy(strategy)
        return strategy

    @property
    def options(self) -> dict[str, Any]:
        """The options as `VideoCompressor` takes them."""
        return {
            "strategy": self.strategy,
            "keep": self.keep,
            "max_tokens": self.max_visual_tokens,
            "max_frames": self.max_frames,
            "gate": self.gate,
            "fps": self.fps,
            "limits": self.limits,
        }

    @property
    def identity(self) -> dict[str, Any]:
        """The options, JSON-safe, for cache keys and traces."""
        names = VideoSettings.model_fields.keys() - {"limits", "loaded"}
        told = {name: getattr(self, name) for name in sorted(names)}
        return {**told, "limits": asdict(self.limits)}

    def assistant(self, model: str) -> Assistant:
        """Returns what answers by `model`, which loads with the first call."""
        return self.loaded.assistant(model, **self.options)

"""How videos are reduced, and for which model, as fields of objects of LangChain."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache, partial
from typing import Any, Final

from pydantic import Field

from framesift import Assistant, VideoCompressor
from framesift.serving import CompressionFields

HELD: Final = 2
"""Assistants that stay loaded, each with its weights and the last conversation it read."""


class Loaded:
    """What was loaded for an object of LangChain and for its copies with other settings."""

    def __init__(self) -> None:
        self.assistant = lru_cache(maxsize=HELD)(_assistant)

    def __deepcopy__(self, memo: dict[int, Any]) -> Loaded:
        return self


def _assistant(model: str, **settings: Any) -> Assistant:
    """Returns what answers under these options of `VideoCompressor`; the model loads then.

    Assistants that hold the same model share its weights.
    """
    return Assistant(partial(VideoCompressor, vlm=model, **settings))


class VideoSettings(CompressionFields):
    """Options of `framesift.VideoCompressor`; models load on first use, copies share them."""

    loaded: Loaded = Field(default_factory=Loaded, exclude=True, repr=False)
    """What was loaded; hand it to another object to share weights with it."""

    @property
    def identity(self) -> dict[str, Any]:
        """The options, JSON-safe, for cache keys and traces."""
        names = CompressionFields.model_fields.keys() - {"limits"}
        shown = {name: getattr(self, name) for name in sorted(names)}
        return {**shown, "limits": asdict(self.limits)}

    def assistant(self, model: str) -> Assistant:
        """Returns what answers by `model`, which loads with the first call."""
        return self.loaded.assistant(model, **self.compressor_options)

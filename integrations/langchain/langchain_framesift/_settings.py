"""How videos are reduced, and for which model, as fields of objects of LangChain."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import Field

from framesift import Assistant
from framesift.serving import AssistantCache, CompressionFields


class VideoSettings(CompressionFields):
    """Options of `framesift.VideoCompressor`; models load on first use, copies share them."""

    loaded: AssistantCache = Field(default_factory=AssistantCache, exclude=True, repr=False)
    """What was loaded; hand it to another object to share weights with it."""

    @property
    def identity(self) -> dict[str, Any]:
        """The options, JSON-safe, for cache keys and traces."""
        names = CompressionFields.model_fields.keys() - {"limits"}
        shown = {name: getattr(self, name) for name in sorted(names)}
        return {**shown, "limits": asdict(self.limits)}

    def assistant(self, model: str) -> Assistant:
        """Returns what answers by `model`, which loads with the first call."""
        return self.loaded.get(model, **self.compressor_options)

"""How videos are reduced, and for which model, as fields of objects of LangChain."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import asdict
from threading import Lock
from typing import Any, Final

from pydantic import Field

from framesift import Assistant, VideoCompressor, load_vlm
from framesift.serving import CompressionFields

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

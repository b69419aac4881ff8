"""How videos are reduced, and for which model, as fields of objects of LangChain."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from langchain_core.load.serializable import (
    Serializable,
    SerializedConstructor,
    SerializedNotImplemented,
)
from pydantic import Field

from framesift import Assistant
from framesift.serving import AssistantCache, CompressionFields, OptionFields, plain_option


class Dumped(OptionFields, Serializable):
    """An object that `dumpd` writes as the options that were given, and `load` makes again."""

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Returns that `dumpd` and `load` may handle it."""
        return True

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """Returns what `dumpd` writes: no defaults, and limits as the mapping that they are."""
        written: Any = super().to_json()
        fields = type(self).model_fields
        written["kwargs"] = {
            name: plain_option(value)
            for name, value in written["kwargs"].items()
            if value != fields[name].get_default(call_default_factory=True)
        }
        constructor: SerializedConstructor = written
        return constructor


class VideoSettings(CompressionFields, Dumped):
    """Options of `framesift.VideoCompressor`; models load on first use, copies share them."""

    loaded: AssistantCache = Field(default_factory=AssistantCache, exclude=True, repr=False)
    """What was loaded; hand it to another object to share weights with it."""

    @property
    def identity(self) -> dict[str, Any]:
        """The options, JSON-safe, for cache keys and traces."""
        names = CompressionFields.model_fields.keys() - {"limits", "site"}
        shown = {name: getattr(self, name) for name in sorted(names)}
        return {**shown, "limits": asdict(self.limits), "site": self.site.metadata()}

    def assistant(self, model: str) -> Assistant:
        """Returns what answers by `model`, which loads with the first call."""
        return self.loaded.get(model, **self.compressor_options)

"""How videos are reduced, and for which model, as fields of objects of LangChain."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from langchain_core.load.serializable import (
    Serializable,
    SerializedConstructor,
    SerializedNotImplemented,
)
from pydantic import Field

from framesift import Assistant
from framesift.serving import AssistantCache, CompressionFields, OptionFields, without_secrets


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
            name: _plain(value)
            for name, value in written["kwargs"].items()
            if value != fields[name].get_default(call_default_factory=True)
        }
        constructor: SerializedConstructor = written
        return constructor


def _plain(value: Any) -> Any:
    """Returns what JSON can hold of a value, from which it is read back, without any secret.

    Limits become mappings, paths text; a login of a site and credentials in a link are left out.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            name: each for name, each in asdict(value).items() if not name.startswith("cookies_")
        }
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str) and value[:8].lower().startswith(("http://", "https://")):
        shown, _, part = value.partition("#")
        bare = without_secrets(shown)
        return bare if bare != shown or not part else value
    return str(value) if isinstance(value, Path) else value


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

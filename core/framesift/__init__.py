"""framesift keeps the visual tokens of a video that carry information, in an exact budget.

Every public name is reachable here and loaded on first use, so that importing is instant.
`strategies()`, `encoders()`, `selectors()`, `decoders()`, `sources()` and `vlms()` list what there
is.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

from framesift._version import __version__

if TYPE_CHECKING:
    from framesift import decoders, encoders, errors, selectors, sources, strategies, testing, vlms
    from framesift.answering.chat import Chat
    from framesift.answering.generation import Generation
    from framesift.answering.session import Session
    from framesift.answering.stream import AnswerStream
    from framesift.compression.compressor import VideoCompressor
    from framesift.compression.encoding import EncodedVideo
    from framesift.export.files import load_compressed, save_compressed, save_keyframe
    from framesift.export.keyframe_folder import KeyframeShelf, Shelved
    from framesift.fetching.limits import FetchLimits
    from framesift.run import Progress, on_progress, time_limit
    from framesift.serving.assistant import Assistant, Message
    from framesift.sources.base import open_video
    from framesift.strategies.base import create_strategy
    from framesift.strategies.streaming import StreamedTokens, StreamingCompressor
    from framesift.types.answer import Answer, EvidenceKind, Segment, Usage
    from framesift.types.budget import Budget
    from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
    from framesift.types.frames import Frames
    from framesift.types.moment import Moment
    from framesift.types.plan import TokenPlan
    from framesift.types.tokens import Signals, VideoTokens
    from framesift.types.video import LocalVideo
    from framesift.vlms.load import load_vlm
    from framesift.vlms.prompt import Prompt, Turn

_HOMES = {
    "Answer": "framesift.types.answer",
    "AnswerStream": "framesift.answering.stream",
    "Assistant": "framesift.serving.assistant",
    "Budget": "framesift.types.budget",
    "Chat": "framesift.answering.chat",
    "CompressedVideo": "framesift.types.compressed",
    "CompressionReport": "framesift.types.compressed",
    "EncodedVideo": "framesift.compression.encoding",
    "EvidenceKind": "framesift.types.answer",
    "FetchLimits": "framesift.fetching.limits",
    "Frames": "framesift.types.frames",
    "Generation": "framesift.answering.generation",
    "Keyframe": "framesift.types.compressed",
    "KeyframeShelf": "framesift.export.keyframe_folder",
    "LocalVideo": "framesift.types.video",
    "Message": "framesift.serving.assistant",
    "Moment": "framesift.types.moment",
    "Progress": "framesift.run",
    "Prompt": "framesift.vlms.prompt",
    "Segment": "framesift.types.answer",
    "Session": "framesift.answering.session",
    "Shelved": "framesift.export.keyframe_folder",
    "Signals": "framesift.types.tokens",
    "StreamedTokens": "framesift.strategies.streaming",
    "StreamingCompressor": "framesift.strategies.streaming",
    "TokenPlan": "framesift.types.plan",
    "Turn": "framesift.vlms.prompt",
    "Usage": "framesift.types.answer",
    "VideoCompressor": "framesift.compression.compressor",
    "VideoTokens": "framesift.types.tokens",
    "create_strategy": "framesift.strategies.base",
    "load_compressed": "framesift.export.files",
    "load_vlm": "framesift.vlms.load",
    "on_progress": "framesift.run",
    "time_limit": "framesift.run",
    "open_video": "framesift.sources.base",
    "save_compressed": "framesift.export.files",
    "save_keyframe": "framesift.export.files",
}
_PACKAGES = {
    "decoders",
    "encoders",
    "errors",
    "selectors",
    "sources",
    "strategies",
    "testing",
    "vlms",
}

__all__ = [
    "Answer",
    "AnswerStream",
    "Assistant",
    "Budget",
    "Chat",
    "CompressedVideo",
    "CompressionReport",
    "EncodedVideo",
    "EvidenceKind",
    "FetchLimits",
    "Frames",
    "Generation",
    "Keyframe",
    "KeyframeShelf",
    "LocalVideo",
    "Message",
    "Moment",
    "Progress",
    "Prompt",
    "Segment",
    "Session",
    "Shelved",
    "Signals",
    "StreamedTokens",
    "StreamingCompressor",
    "TokenPlan",
    "Turn",
    "Usage",
    "VideoCompressor",
    "VideoTokens",
    "__version__",
    "create_strategy",
    "decoders",
    "encoders",
    "errors",
    "load_compressed",
    "load_vlm",
    "on_progress",
    "open_video",
    "save_compressed",
    "save_keyframe",
    "selectors",
    "sources",
    "strategies",
    "testing",
    "time_limit",
    "vlms",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"framesift.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'framesift' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Renamed(ModuleType):
    """A module under the name that it had before, for one release."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(old, f"`{new}` under the name that it had before, for one release.")
        self._new = new

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        warnings.warn(
            f"{self.__name__} is now {self._new}; the old name goes with the next release",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(importlib.import_module(self._new), name)


handoff = sys.modules["framesift.handoff"] = _Renamed(
    "framesift.handoff", "framesift.export.engines"
)
progress = sys.modules["framesift.progress"] = _Renamed("framesift.progress", "framesift.run")

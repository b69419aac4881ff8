"""framesift keeps the visual tokens of a video that carry information, in an exact budget.

Every public name is reachable here and loaded on first use, so that importing is instant.
`strategies()`, `encoders()`, `selectors()`, `decoders()`, `sources()` and `vlms()` list what there
is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from framesift._version import __version__

if TYPE_CHECKING:
    from framesift import decoders, encoders, errors, selectors, sources, strategies, vlms
    from framesift.assistant import Assistant, Message
    from framesift.chat import Chat
    from framesift.compression import EncodedVideo
    from framesift.generation import Generation
    from framesift.pipeline import VideoCompressor
    from framesift.progress import Progress, on_progress, time_limit
    from framesift.shelf import KeyframeShelf, Shelved
    from framesift.sources.base import FetchLimits, open_video
    from framesift.storage import load_compressed, save_compressed, save_keyframe
    from framesift.strategies.base import create_strategy
    from framesift.streaming import AnswerStream
    from framesift.token_stream import StreamedTokens, StreamingCompressor
    from framesift.types.answer import Answer, Segment, Usage
    from framesift.types.budget import Budget
    from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
    from framesift.types.frames import Frames
    from framesift.types.moment import Moment
    from framesift.types.plan import TokenPlan
    from framesift.types.tokens import Signals, VideoTokens
    from framesift.types.video import LocalVideo
    from framesift.vlms._load import load_vlm
    from framesift.vlms._prompt import Prompt, Turn

_HOMES = {
    "Answer": "framesift.types.answer",
    "AnswerStream": "framesift.streaming",
    "Assistant": "framesift.assistant",
    "Budget": "framesift.types.budget",
    "Chat": "framesift.chat",
    "CompressedVideo": "framesift.types.compressed",
    "CompressionReport": "framesift.types.compressed",
    "EncodedVideo": "framesift.compression",
    "FetchLimits": "framesift.sources.base",
    "Frames": "framesift.types.frames",
    "Generation": "framesift.generation",
    "Keyframe": "framesift.types.compressed",
    "KeyframeShelf": "framesift.shelf",
    "LocalVideo": "framesift.types.video",
    "Message": "framesift.assistant",
    "Moment": "framesift.types.moment",
    "Progress": "framesift.progress",
    "Prompt": "framesift.vlms._prompt",
    "Segment": "framesift.types.answer",
    "Shelved": "framesift.shelf",
    "Signals": "framesift.types.tokens",
    "StreamedTokens": "framesift.token_stream",
    "StreamingCompressor": "framesift.token_stream",
    "TokenPlan": "framesift.types.plan",
    "Turn": "framesift.vlms._prompt",
    "Usage": "framesift.types.answer",
    "VideoCompressor": "framesift.pipeline",
    "VideoTokens": "framesift.types.tokens",
    "create_strategy": "framesift.strategies.base",
    "load_compressed": "framesift.storage",
    "load_vlm": "framesift.vlms._load",
    "on_progress": "framesift.progress",
    "time_limit": "framesift.progress",
    "open_video": "framesift.sources.base",
    "save_compressed": "framesift.storage",
    "save_keyframe": "framesift.storage",
}
_PACKAGES = {"decoders", "encoders", "errors", "selectors", "sources", "strategies", "vlms"}

__all__ = [
    "Answer",
    "AnswerStream",
    "Assistant",
    "Budget",
    "Chat",
    "CompressedVideo",
    "CompressionReport",
    "EncodedVideo",
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

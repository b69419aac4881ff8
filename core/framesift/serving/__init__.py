"""What every surface needs: public names for people who write an adapter, a server or a bot.

Each name is loaded on first use. `tests/integrations/test_imports.py` holds that the adapters of
this repository take what they need from here, `framesift`, `framesift.errors` and
`framesift.export`, and from nowhere else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from framesift.answering import tool_calls
    from framesift.disk.writing import home_path
    from framesift.run import throttled
    from framesift.serving.assistant import Assistant, Message
    from framesift.serving.folders import AllowedFolders, folder_of
    from framesift.serving.lines import (
        NOTHING_FOUND,
        TOY,
        check_knowledge,
        error_line,
        option_error,
        toy_limitation,
    )
    from framesift.serving.media import Media, content_id, content_parts, data_uri, media_of
    from framesift.serving.options import (
        CompressionFields,
        GenerationFields,
        OptionFields,
        OptionOf,
    )
    from framesift.serving.retrieved import find_pictures, select_pictures
    from framesift.serving.roles import ROLES, Role, role_of
    from framesift.serving.termination import end_within, unwound_by_sigterm
    from framesift.serving.uploads import Uploads, local_copy
    from framesift.types.clock import clock, cut, span
    from framesift.vlms.base import VLM
    from framesift.vlms.knowledge import REAL_MODEL

_HOMES = {
    "AllowedFolders": "framesift.serving.folders",
    "Assistant": "framesift.serving.assistant",
    "CompressionFields": "framesift.serving.options",
    "GenerationFields": "framesift.serving.options",
    "Media": "framesift.serving.media",
    "Message": "framesift.serving.assistant",
    "NOTHING_FOUND": "framesift.serving.lines",
    "OptionFields": "framesift.serving.options",
    "OptionOf": "framesift.serving.options",
    "REAL_MODEL": "framesift.vlms.knowledge",
    "ROLES": "framesift.serving.roles",
    "Role": "framesift.serving.roles",
    "TOY": "framesift.serving.lines",
    "Uploads": "framesift.serving.uploads",
    "VLM": "framesift.vlms.base",
    "check_knowledge": "framesift.serving.lines",
    "clock": "framesift.types.clock",
    "content_id": "framesift.serving.media",
    "content_parts": "framesift.serving.media",
    "cut": "framesift.types.clock",
    "data_uri": "framesift.serving.media",
    "end_within": "framesift.serving.termination",
    "error_line": "framesift.serving.lines",
    "find_pictures": "framesift.serving.retrieved",
    "folder_of": "framesift.serving.folders",
    "home_path": "framesift.disk.writing",
    "local_copy": "framesift.serving.uploads",
    "media_of": "framesift.serving.media",
    "option_error": "framesift.serving.lines",
    "role_of": "framesift.serving.roles",
    "select_pictures": "framesift.serving.retrieved",
    "span": "framesift.types.clock",
    "throttled": "framesift.run",
    "tool_calls": "framesift.answering",
    "toy_limitation": "framesift.serving.lines",
    "unwound_by_sigterm": "framesift.serving.termination",
}

__all__ = [
    "NOTHING_FOUND",
    "REAL_MODEL",
    "ROLES",
    "TOY",
    "VLM",
    "AllowedFolders",
    "Assistant",
    "CompressionFields",
    "GenerationFields",
    "Media",
    "Message",
    "OptionFields",
    "OptionOf",
    "Role",
    "Uploads",
    "check_knowledge",
    "clock",
    "content_id",
    "content_parts",
    "cut",
    "data_uri",
    "end_within",
    "error_line",
    "find_pictures",
    "folder_of",
    "home_path",
    "local_copy",
    "media_of",
    "option_error",
    "role_of",
    "select_pictures",
    "span",
    "throttled",
    "tool_calls",
    "toy_limitation",
    "unwound_by_sigterm",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'framesift.serving' has no attribute {name!r}")
    home = _HOMES[name]
    if name == "tool_calls":
        return importlib.import_module(f"{home}.{name}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__

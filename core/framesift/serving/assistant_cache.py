"""The assistants of an object of a framework, which is copied and given other settings."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from threading import Lock
from typing import Any, Final

from framesift.compression.compressor import VideoCompressor
from framesift.serving.assistant import Assistant
from framesift.vlms.base import VLM

HELD: Final = 2
"""Assistants that stay loaded, each with its weights and the last conversation that it read."""


class AssistantCache:
    """One assistant for each set of options, made when it is first asked for; the last two stay.

    Threads may share it, and objects of a framework: their copies, whatever their settings, share
    weights so. Copied deeply it is the same one; pickled it comes back empty.
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, Assistant] = {}
        self._lock = Lock()

    def get(self, model: str | VLM, **options: Any) -> Assistant:
        """Returns what answers by a model, which loads with the first answer.

        Args:
            model: as `VideoCompressor` takes it as `vlm`.
            **options: the others of `VideoCompressor`.
        """
        key = model, *sorted(options.items())
        with self._lock:
            assistant = self._held.pop(key, None)
            if assistant is None:
                assistant = Assistant(partial(VideoCompressor, vlm=model, **options))
            self._held[key] = assistant
            for oldest in list(self._held)[:-HELD]:
                del self._held[oldest]
            return assistant

    def __deepcopy__(self, memo: dict[int, Any]) -> AssistantCache:
        return self

    def __reduce__(self) -> tuple[type[AssistantCache], tuple[()]]:
        return AssistantCache, ()

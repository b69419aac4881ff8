"""framesift for lmms-eval: selected frames for its chat models, and compressed visual tokens.

The harness finds the models by the entry point group `lmms_eval.models`. Importing this package
does not need the harness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framesift_lmms_eval.frame_index import FrameIndexFile, append_frames

if TYPE_CHECKING:
    from lmms_eval.models.registry_v2 import ModelManifest

__all__ = ["FrameIndexFile", "append_frames", "manifests"]


def manifests() -> list[ModelManifest]:
    """Returns what `--model` may name: `framesift_frames` and `framesift_tokens`."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return [
        ModelManifest(
            model_id="framesift_frames",
            chat_class_path="framesift_lmms_eval.frames_model.FramesiftFrames",
        ),
        ModelManifest(
            model_id="framesift_tokens",
            chat_class_path="framesift_lmms_eval.tokens_model.FramesiftTokens",
        ),
    ]

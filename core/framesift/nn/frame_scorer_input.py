"""What a frame scorer reads: features of a frozen tower and the words of a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from torch import Tensor

from framesift.errors import MissingSignalError
from framesift.hf.letters import text_ids
from framesift.types.tokens import VideoTokens

PRE_PROJECTOR: Final = frozenset({"pre_projector"})
"""The signal of a vision LLM's encoder that holds what its tower gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameScorerInput:
    """Some videos with a question each; rows are padded at their ends."""

    features: Tensor
    """What the tower gives for the frames, `(B, T, N, C)`."""
    frames: Tensor
    """Number of frames of each row, int64 `(B,)`."""
    text: Tensor
    """Token ids behind the frames, int64 `(B, Q)`: question, the configuration's `after`, and
    what else is to be read."""
    lengths: Tensor
    """Number of ids of each row, int64 `(B,)`."""
    asked: Tensor
    """How many of the first of these ids ask, int64 `(B,)`: all but those of an answer."""


def tower_signals(*, of_vlm: bool) -> frozenset[str]:
    """Returns the signals that an encoder must fill for `tower_features`."""
    return PRE_PROJECTOR if of_vlm else frozenset()


def tower_features(tokens: VideoTokens, *, of_vlm: bool) -> Tensor:
    """Returns what a frame scorer reads of encoded frames, `(T, N, C)`.

    Args:
        tokens: with the signals of `tower_signals`.
        of_vlm: whether a vision LLM's encoder made them, whose features are projected already.

    Raises:
        MissingSignalError: they lack that signal.
    """
    if not of_vlm:
        return tokens.features
    if (before := tokens.signals.pre_projector) is None:
        raise MissingSignalError("the tokens lack 'pre_projector'; encode them with this signal")
    return before


def question_ids(tokenizer: Any, question: str, after: Sequence[int]) -> list[int]:
    """Returns the token ids behind the frames: the question as letters, and what ends a turn."""
    return [*text_ids(tokenizer, question), *after]

"""What a frame scorer is like, apart from its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from framesift.types.options import Count, Options

Head = Literal["mlp", "query_key"]
"""How the state of the score query becomes scores: `"mlp"` gives a fixed number of them, as
published, `"query_key"` compares it with the state of each frame, of which there may be any number.
"""


@dataclass(frozen=True, kw_only=True)
class FrameScorerConfig(Options):
    """Everything that the weights of a `FrameScorer` depend on."""

    llm: dict[str, Any]
    """Configuration of the LLM as transformers reads a `Qwen2Config`, with as many blocks as are
    run: all but the last one of the LLM that it began with."""
    tower_width: Count
    """Channels of the features that the frozen vision tower gives."""
    grid: tuple[Count, Count]
    """Rows and columns of these features in one frame."""
    pooled: Count = 3
    """Rows and columns of tokens that the LLM reads of one frame."""
    head: Head = "mlp"
    candidates: Count = 128
    """Number of frames of the head `"mlp"`; most frames at once that training has shown to
    `"query_key"`."""
    key_width: Count = 128
    """Channels in which `"query_key"` compares."""
    question_first: bool = False
    """Whether the question stands in front of the frames too, so that what the LLM makes of each
    frame depends on it; the published network has it behind them only."""
    before: tuple[int, ...] = ()
    """Token ids in front of the frames."""
    after: tuple[int, ...] = ()
    """Token ids behind the question."""

    @property
    def frame_tokens(self) -> int:
        """Tokens that the LLM reads of one frame."""
        return self.pooled**2

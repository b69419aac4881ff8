"""Which strategies can be measured by questions about videos."""

from __future__ import annotations

from framesift.compression.compressor import VideoCompressor
from framesift.compression.text_places import TEXT
from framesift.errors import MissingSignalError
from framesift.strategies.base import Strategy
from framesift.types.budget import Keep
from framesift.vlms.base import VLM


def check_served(model: VLM, part: Strategy, *, keep: Keep = 1.0) -> None:
    """Refuses a strategy to which the model's encoder, or a set of questions, gives no signal.

    Raises:
        MissingSignalError: it needs a signal that is not there.
        BudgetError: the share `keep` of the tokens is out of range.
    """
    if TEXT in part.required_signals:
        raise MissingSignalError(
            f"strategy {part.spec!r} keeps patches in which text was read, and videos with "
            "questions are not read; measure it by 'framesift bench reading'"
        )
    VideoCompressor(vlm=model, strategy=part, keep=keep)

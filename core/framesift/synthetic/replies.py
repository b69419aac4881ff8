"""What questions about what is in a synthetic video, and what is not, are answered by."""

from __future__ import annotations

from typing import Final, Literal

Reply = Literal["yes", "no"]
NOT_SHOWN: Final = "not shown"
"""The answer to a question that the video does not answer."""

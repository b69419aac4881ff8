"""Times as people and vision LLMs read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Returns a time, cut to seconds, as mm:ss with hours where there are any: `"1:02:03"`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"

"""Request bodies that can be sent as they are, for the OpenAPI page."""

from __future__ import annotations

from typing import Any

from fastapi import Body

LINK = "https://example.org/talk.mp4"
DEMO = "synthetic://number?seed=3"

_COMPRESS: dict[str, Any] = {
    "a link": {"value": {"video": LINK, "compression_ratio": 0.25}},
    "for vLLM": {
        "value": {
            "video": DEMO,
            "question": "What number flashes?",
            "outputs": ["prompt_embeds"],
        }
    },
}
_KEYFRAMES: dict[str, Any] = {"a link": {"value": {"video": LINK, "count": 6}}}
_ASK: dict[str, Any] = {"a demo": {"value": {"video": DEMO, "question": "What number flashes?"}}}

COMPRESS = Body(openapi_examples=_COMPRESS)
KEYFRAMES = Body(openapi_examples=_KEYFRAMES)
ASK = Body(openapi_examples=_ASK)
JOB = Body(
    openapi_examples={
        "ask": {"value": {"kind": "ask", "video": LINK, "question": "What is shown?"}},
        "compress": {"value": {"kind": "compress", "video": LINK, "strategy": "uniform"}},
    }
)

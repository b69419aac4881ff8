"""How a vision LLM is named in what is trained for it."""

from __future__ import annotations

from framesift.vlms.base import VLM


def lasting_spec(vlm: VLM) -> str:
    """Returns the spec by which a vision LLM is found again, whatever it runs on here."""
    name, _, _ = vlm.spec.partition(":")
    default = type(vlm).__dataclass_fields__["model"].default
    return name if vlm.model == default else f"{name}:model=[{vlm.model}]"

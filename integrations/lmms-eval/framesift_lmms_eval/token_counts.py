"""Token counts of a sample with those of its visual tokens, as the harness logs them."""

from __future__ import annotations

from dataclasses import dataclass

from lmms_eval.api.instance import TokenCounts


@dataclass
class VisualTokenCounts(TokenCounts):
    """What one sample took; `--log_samples` writes every count that is known."""

    frames: int | None = None
    """Frames that were selected."""
    visual_tokens: int | None = None
    """Visual tokens that the model read."""
    visual_tokens_before: int | None = None
    """Visual tokens of the same prompt without compression."""

    def to_dict(self) -> dict[str, int | None]:
        """Returns the known counts by name."""
        known: dict[str, int | None] = super().to_dict()
        for name in ("frames", "visual_tokens", "visual_tokens_before"):
            if (count := getattr(self, name)) is not None:
                known[name] = count
        return known

"""What requests to a model behind an address have cost so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass(slots=True, kw_only=True)
class Spent:
    """Requests that were answered, and the tokens that they took."""

    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def add(self, usage: Any) -> None:
        """Counts one answered request.

        Args:
            usage: what the reply says of its tokens, if it does.
        """
        given = usage if isinstance(usage, dict) else {}
        counts = [given.get(name) for name in ("prompt_tokens", "completion_tokens")]
        prompt, answer = (
            count if isinstance(count, int) and 0 <= count < 2**53 else 0 for count in counts
        )
        with self._lock:
            self.calls += 1
            self.prompt_tokens += prompt
            self.answer_tokens += answer

    def cost(self, price_in: float, price_out: float) -> float:
        """Returns the price, from those of a million tokens of prompts and of answers."""
        return (self.prompt_tokens * price_in + self.answer_tokens * price_out) / 1e6

"""How many tokens may survive: one rule for every surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from framesift.errors import BudgetError
from framesift.types.options import Count, Fraction, Options, Raises

Keep = Annotated[Fraction, Raises(BudgetError)]
"""Fraction of the tokens kept."""
MaxTokens = Annotated[Count | None, Raises(BudgetError)]
"""Most tokens kept, or None for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Options):
    """What the user allows to survive; the smaller of the two limits wins."""

    keep: Keep = 1.0
    """Fraction of the tokens kept."""
    max_tokens: MaxTokens = None
    """Largest number of tokens kept; None for no limit."""

    def tokens(self, total: int) -> int:
        """Returns the exact number of tokens to keep out of `total`."""
        kept = max(1, math.floor(self.keep * total + 0.5))
        return kept if self.max_tokens is None else min(kept, self.max_tokens)

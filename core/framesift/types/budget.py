"""How many tokens may survive: one rule for every surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

from framesift.errors import BudgetError
from framesift.types.options import check_options


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the user allows to survive; the smaller of the two limits wins."""

    keep: float = 1.0
    """Fraction of the tokens kept, in (0, 1]."""
    max_tokens: int | None = None
    """Largest number of tokens kept, at least 1; None for no limit."""

    def __post_init__(self) -> None:
        check_options(self, {"keep": BudgetError, "max_tokens": BudgetError})
        if not 0 < self.keep <= 1:
            raise BudgetError(
                f"keep={self.keep!r} must be above 0 and at most 1: the fraction of tokens kept"
            )
        if self.max_tokens is not None and self.max_tokens < 1:
            raise BudgetError(f"max_tokens={self.max_tokens!r} must be at least 1")

    def tokens(self, total: int) -> int:
        """Returns the exact number of tokens to keep out of `total`."""
        kept = max(1, math.floor(self.keep * total + 0.5))
        return kept if self.max_tokens is None else min(kept, self.max_tokens)

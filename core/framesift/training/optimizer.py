"""The optimizer: Muon for the matrices of layers, AdamW for everything else, stepped as one.

Muon (https://kellerjordan.github.io/posts/muon/) moves a matrix along the orthogonal part of its
momentum. Its steps are scaled to the size of AdamW's, so that both share a learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

MUON, ADAMW = "muon", "adamw"


class MuonAdamW(torch.optim.Optimizer):
    """Two optimizers with one list of parameter groups, which a scheduler sees."""

    def __init__(self, task: nn.Module, *, learning_rate: float, weight_decay: float) -> None:
        """Takes what is not frozen of `task`; matrices within layers or blocks are Muon's."""
        named = {name: value for name, value in task.named_parameters() if value.requires_grad}
        inner = {
            name
            for name, value in named.items()
            if value.ndim == 2 and ("layers." in name or "blocks." in name)
        }
        self.parts = {
            MUON: torch.optim.Muon(
                [named[name] for name in named if name in inner],
                lr=learning_rate,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            ),
            ADAMW: torch.optim.AdamW(
                [named[name] for name in named if name not in inner],
                lr=learning_rate,
                betas=(0.9, 0.98),
                weight_decay=weight_decay,
            ),
        }
        super().__init__([group for part in self.parts.values() for group in part.param_groups], {})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Moves all weights; `closure` is for optimizers that ask for the loss again."""
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of both, by name."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from the state of both."""
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self.param_groups = [group for part in self.parts.values() for group in part.param_groups]

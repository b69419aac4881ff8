"""The warm start: the tokens of a segment must tell what each of its frames shows.

It needs no LLM: from the tokens and the place of a frame, a small decoder foretells the frame's own
grid of means. Tokens that are the mean of all frames cannot tell when something was where.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from framesift.nn.time_perceiver import TimePerceiver, TimePerceiverConfig


class FrameDecoder(nn.Module):
    """Foretells the grids of frames from the tokens of their segment."""

    def __init__(self, config: TimePerceiverConfig) -> None:
        super().__init__()
        inner = config.width * config.ff_mult
        self.times = nn.Parameter(torch.randn(config.frames_max, config.width) * 0.5)
        self.norm = nn.LayerNorm(config.width)
        self.inner = nn.Linear(config.width, inner)
        self.outer = nn.Linear(inner, config.width)

    def forward(self, tokens: Tensor, frames: int) -> Tensor:
        """Returns grids `(S, F, K, D)` of some frames, from the tokens `(S, K, D)` of segments."""
        asked = self.norm(tokens)[:, None] + self.times[:frames, None]
        added: Tensor = self.outer(gelu(self.inner(asked)))
        return tokens[:, None] + added


class DistillationTask(nn.Module):
    """A TimePerceiver under a decoder of frames."""

    def __init__(self, perceiver: TimePerceiver) -> None:
        super().__init__()
        self.perceiver = perceiver
        self.decoder = FrameDecoder(perceiver.config)

    def forward(self, frames: Tensor, live: Tensor) -> dict[str, Tensor]:
        """Returns the squared error of the grids of frames, as a share of that of their mean.

        Args:
            frames: tokens of segments, `(S, F, N, C)`.
            live: which frames take part, bool `(S, F)`.
        """
        frames = frames.float()
        of_tokens = live[..., None].expand(frames.shape[:-1])
        tokens = self.perceiver(frames, of_tokens)
        single, (segments, count) = frames.flatten(0, 1)[:, None], frames.shape[:2]
        grids, _ = self.perceiver.pooled(single, torch.ones_like(of_tokens.flatten(0, 1)[:, None]))
        grids = grids.view(segments, count, *grids.shape[1:])
        mean, _ = self.perceiver.pooled(frames * of_tokens[..., None], of_tokens)
        missed = (self.decoder(tokens, count) - grids).square().mean((-1, -2))
        by_mean = (mean[:, None] - grids).square().mean((-1, -2))
        return {"loss": (missed * live).sum() / (by_mean * live).sum().clamp(min=1e-12)}

"""The network that condenses the frames of a segment into the tokens of one small grid.

It is the TimePerceiver of "Clapper" (arXiv 2505.15529), with what the paper leaves open filled so
that it begins as plain average pooling: its queries are the averages of windows over all frames of
the segment, and whatever it adds to them is multiplied by weights that are zero before training.

    frames (F, 28, 28)          queries (7, 7)
    | 4 x 4 x F tokens |  mean  | 1 token |  + what each query reads of all F x 784 tokens

Differences from the published network: it has neither code nor weights, so depth, norms and
positions are this project's choice. Where a token stands in the frame is left to the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool1d, gelu, scaled_dot_product_attention

from framesift.errors import InvalidOptionError, InvalidTokensError
from framesift.types.options import Count, Options

Side = Annotated[int, Field(ge=1, le=256)]
"""Tokens side by side; more than any vision tower has are refused."""


@dataclass(frozen=True, kw_only=True)
class TimePerceiverConfig(Options):
    """Everything that the weights of a `TimePerceiver` depend on."""

    width: Count
    """Channels of the tokens, which its outputs have too."""
    grid: tuple[Side, Side]
    """Rows and columns of tokens in one frame."""
    out_grid: tuple[Count, Count] = (7, 7)
    """Rows and columns of tokens that come out of a segment."""
    frames_max: Annotated[int, Field(ge=1, le=257)] = 4
    """Most frames of a segment."""
    depth: Annotated[int, Field(ge=1, le=64)] = 2
    """Number of blocks."""
    head_dim: Count = 64
    """Channels of one attention head, which divide `width`."""
    ff_mult: Count = 4
    """Width of the inner layer of each feed-forward network, in widths of a token."""
    latents_in_kv: bool = True
    """Whether the queries attend to each other too, not to the frames alone."""

    def __post_init__(self) -> None:
        if self.width % self.head_dim:
            raise InvalidOptionError(
                f"width={self.width} must be a multiple of head_dim={self.head_dim}, since heads "
                "share the channels"
            )
        if any(out > given for out, given in zip(self.out_grid, self.grid, strict=True)):
            raise InvalidOptionError(
                f"out_grid={self.out_grid} must not exceed grid={self.grid}, since each output "
                "stands for at least one token of a frame"
            )

    @property
    def tokens(self) -> int:
        """Tokens `N` of one frame."""
        return self.grid[0] * self.grid[1]

    @property
    def tokens_out(self) -> int:
        """Tokens `K` that come out of a segment."""
        return self.out_grid[0] * self.out_grid[1]

    @property
    def heads(self) -> int:
        """Attention heads of a block."""
        return self.width // self.head_dim


class TimePerceiver(nn.Module):
    """Tokens of a segment's frames in, the tokens of one grid out; pooling before training."""

    def __init__(self, config: TimePerceiverConfig) -> None:
        """Makes the network, whose outputs are averages until it is trained."""
        super().__init__()
        self.config = config
        self.latents = nn.Parameter(torch.zeros(config.tokens_out, config.width))
        self.places = nn.Parameter(torch.zeros(config.frames_max, config.width))
        self.blocks = nn.ModuleList(PerceiverBlock(config) for _ in range(config.depth))
        self.row_shares: Tensor
        """What each row of windows takes of each row of a frame; each adds up to 1."""
        self.column_shares: Tensor
        for name, side in (("row_shares", 0), ("column_shares", 1)):
            one_hot = torch.eye(config.grid[side])
            shares = adaptive_avg_pool1d(one_hot, config.out_grid[side]).T.contiguous()
            self.register_buffer(name, shares, persistent=False)

    def forward(self, frames: Tensor, live: Tensor | None = None) -> Tensor:
        """Returns the tokens of segments, `(S, K, D)` in raster order and the dtype of `frames`.

        A window without a single token that takes part gives zeros.

        Args:
            frames: tokens of the frames of each segment, `(S, F, N, D)`, by their place in it.
            live: which of them take part, bool `(S, F, N)`; None for all. What the others hold
                has no influence.

        Raises:
            InvalidTokensError: another width or grid than the network was made for, or more frames.
        """
        self._check(frames, live)
        if live is None:
            live = frames.new_ones(frames.shape[:-1], dtype=torch.bool)
        # What takes no part may hold anything, and NaN times 0 is not 0.
        given = frames.masked_fill(~live[..., None], 0).to(self.latents.dtype)
        means, filled = self.pooled(given, live)
        states = (means + self.latents).masked_fill(~filled[..., None], 0)
        placed = (given + self.places[: frames.shape[1], None]).flatten(1, 2)
        seen = live.flatten(1)
        if self.config.latents_in_kv:
            seen = torch.cat((seen, filled), 1)
        # A segment without any token attends to its zeros, since a softmax over nothing is NaN.
        seen = seen | ~seen.any(1, keepdim=True)
        for block in self.blocks:
            states = block(states, placed, seen[:, None, None])
        return states.masked_fill(~filled[..., None], 0).to(frames.dtype)

    def pooled(self, frames: Tensor, live: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean of the live tokens of each window, and which windows have any.

        Args:
            frames: tokens `(S, F, N, D)`, zero where they take no part.
            live: which take part, bool `(S, F, N)`.

        Returns:
            Means `(S, K, D)` in the dtype of `frames`, and bool `(S, K)`.
        """
        # Frames are added up in full precision, by shares as they are after rounding.
        sums = self._by_window(frames).float().sum(1)
        weights = self._by_window(live[..., None].to(frames.dtype)).float().sum(1)
        filled = weights[..., 0] > 0
        return (sums / weights.where(filled[..., None], 1)).to(frames.dtype), filled

    def _by_window(self, values: Tensor) -> Tensor:
        """Returns the sum of each window's shares, `(S, F, K, C)` of `(S, F, N, C)`."""
        rows, columns = self.row_shares.to(values.dtype), self.column_shares.to(values.dtype)
        narrow = columns @ values.unflatten(2, self.config.grid)
        sums: Tensor = rows @ narrow.flatten(-2)
        cells: Tensor = sums.unflatten(-1, narrow.shape[-2:]).flatten(2, 3)
        return cells

    def _check(self, frames: Tensor, live: Tensor | None) -> None:
        """Refuses tokens that the network was not made for."""
        config = self.config
        if frames.dim() != 4 or frames.shape[2:] != (config.tokens, config.width):
            raise InvalidTokensError(
                f"the network takes tokens (S, F, {config.tokens}, {config.width}) of a grid "
                f"{config.grid}, and they are {tuple(frames.shape)}; use the encoder and the size "
                "of frames that it was trained with"
            )
        if not frames.is_floating_point():
            raise InvalidTokensError(f"tokens must be floating point, and are {frames.dtype}")
        if not 1 <= frames.shape[1] <= config.frames_max:
            raise InvalidTokensError(
                f"a segment has {frames.shape[1]} frames, and the network takes 1 to "
                f"{config.frames_max} (frames_max); make other segments"
            )
        if live is not None and (live.dtype != torch.bool or live.shape != frames.shape[:-1]):
            raise InvalidTokensError(
                f"live must be bool {tuple(frames.shape[:-1])}, and is {live.dtype} "
                f"{tuple(live.shape)}"
            )


class PerceiverBlock(nn.Module):
    """Queries read the tokens of the frames, then a feed-forward network; both are added."""

    def __init__(self, config: TimePerceiverConfig) -> None:
        super().__init__()
        width, inner = config.width, config.width * config.ff_mult
        self.heads = config.heads
        self.latents_in_kv = config.latents_in_kv
        self.token_norm = nn.LayerNorm(width)
        self.query_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, inner, bias=False)
        self.outer = nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.outer.weight)

    def forward(self, states: Tensor, tokens: Tensor, seen: Tensor) -> Tensor:
        """Returns the next states of the queries, `(S, K, D)`.

        Args:
            states: of the queries, `(S, K, D)`.
            tokens: of all frames, `(S, F * N, D)`.
            seen: to which of the tokens, and then of the queries, is attended; bool
                `(S, 1, 1, F * N)`, or `(S, 1, 1, F * N + K)`.
        """
        asking = self.query_norm(states)
        read = self.key_value(self.token_norm(tokens))
        if self.latents_in_kv:
            read = torch.cat((read, self.key_value(asking)), 1)
        key, value = (self._by_head(part) for part in read.chunk(2, -1))
        mixed = scaled_dot_product_attention(
            self._by_head(self.query(asking)), key, value, attn_mask=seen
        )
        states = states + self.out(mixed.transpose(1, 2).flatten(2))
        added: Tensor = self.outer(gelu(self.inner(self.inner_norm(states))))
        return states + added

    def _by_head(self, values: Tensor) -> Tensor:
        """Returns `(S, heads, L, head_dim)` of `(S, L, D)`."""
        split: Tensor = values.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return split

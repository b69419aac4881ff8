"""The network that reads candidate frames and a question, and says what each frame is worth.

It is the frame selector of "M-LLM Based Video Frame Selection" (arXiv 2502.19680): a projector of
frozen tower features, pooling to a few tokens a frame, a causal LLM of the Qwen2 class, and a score
query behind frames and question whose hidden state in the penultimate block becomes the scores.

    columns   | before | 9 of frame 1 | 9 of frame 2 | ... | question | after | score query |

With `question_first`, question and what follows it stand in front of the frames as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, gelu

from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.frame_scorer_input import FrameScorerInput
from framesift.registry import require


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadColumns:
    """Hidden states of rows of columns, padded at their ends."""

    states: Tensor
    """After the last block that was run, `(B, L, D)`, not normalized."""
    lengths: Tensor
    """Number of columns of each row, int64 `(B,)`."""
    visual: Tensor
    """Column in which the frames of each row begin, int64 `(B,)`."""


class FrameScorer(nn.Module):
    """Projector, LLM, score query and head; the vision tower stays outside, since it is frozen."""

    def __init__(self, config: FrameScorerConfig) -> None:
        """Makes the network with random weights."""
        super().__init__()
        transformers = require("transformers", extra="hf")
        self.config = config
        settings = transformers.Qwen2Config(**config.llm)
        width = int(settings.hidden_size)
        self.projector = Projector(config, width)
        self.llm = transformers.Qwen2Model._from_config(settings, attn_implementation="sdpa")
        # What follows a block reads the states as they are; heads have a norm of their own.
        self.llm.norm = nn.Identity()
        self.query = nn.Parameter(torch.randn(width) * settings.initializer_range)
        self.head: MlpHead | QueryKeyHead
        if config.head == "mlp":
            self.head = MlpHead(width, config.candidates)
        else:
            self.head = QueryKeyHead(width, config.key_width)

    def forward(self, given: FrameScorerInput) -> Tensor:
        """Returns a logit for each frame, float32 `(B, T)`; those of padding mean nothing."""
        read = self.read(given, with_query=True)
        last = (read.lengths - 1)[:, None, None].expand(-1, 1, read.states.shape[-1])
        query = read.states.gather(1, last)[:, 0]
        if isinstance(self.head, MlpHead):
            logits: Tensor = self.head(query)
            return logits.float()
        keys = self._frame_states(read, given.features.shape[1])
        logits = self.head(query, keys)
        return logits.float()

    def read(self, given: FrameScorerInput, *, with_query: bool) -> ReadColumns:
        """Returns the states of all columns after the last block.

        Padding stands at the end, where a causal LLM's columns before do not see it, so that no
        mask is needed.

        Args:
            given: the videos and texts.
            with_query: whether the score query stands behind the text.
        """
        embed = self.llm.get_input_embeddings()
        rows = len(given.features)
        before = torch.tensor(self.config.before, dtype=torch.int64, device=given.text.device)
        head = embed(before).expand(rows, -1, -1)
        visual = self.frame_tokens(given.features).to(head.dtype).flatten(1, 2)
        text = embed(given.text)
        parts = [head, visual, text]
        kept = [
            torch.full_like(given.frames, len(before)),
            given.frames * self.config.frame_tokens,
            given.lengths,
        ]
        if self.config.question_first:
            parts.insert(1, text)
            kept.insert(1, given.asked)
        if with_query:
            parts.append(self.query.to(head.dtype).expand(rows, 1, -1))
            kept.append(torch.ones_like(given.lengths))
        columns = closed_up(torch.cat(parts, 1), kept, [part.shape[1] for part in parts])
        states = self.llm(inputs_embeds=columns, use_cache=False).last_hidden_state
        start = kept[0] + given.asked if self.config.question_first else kept[0]
        return ReadColumns(states=states, lengths=torch.stack(kept).sum(0), visual=start)

    def _frame_states(self, read: ReadColumns, frames: int) -> Tensor:
        """Returns the mean state of the tokens of each frame, `(B, T, D)`."""
        tokens = frames * self.config.frame_tokens
        columns = read.visual[:, None] + torch.arange(tokens, device=read.visual.device)
        # A row with fewer frames ends before; what its padding gets means nothing.
        columns = columns.clamp(max=read.states.shape[1] - 1)[..., None]
        states = read.states.gather(1, columns.expand(-1, -1, read.states.shape[-1]))
        of_frames: Tensor = states.unflatten(1, (frames, -1)).mean(2)
        return of_frames

    def frame_tokens(self, features: Tensor) -> Tensor:
        """Returns what the LLM reads of frames, `(B, T, 9, D)` of `(B, T, N, C)`."""
        tokens: Tensor = self.projector(features)
        return tokens


class Projector(nn.Module):
    """Two linear layers to the LLM's space, as LLaVA has them, and the average over patches.

    Where the grid cannot be divided, the windows of the average overlap. The second layer comes
    behind it: a mean of what a linear layer gives is what it gives for the mean.
    """

    def __init__(self, config: FrameScorerConfig, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(config.tower_width, width)
        self.linear_2 = nn.Linear(width, width)
        rows, columns = config.grid
        patches = torch.eye(rows * columns).view(-1, 1, rows, columns)
        shares = adaptive_avg_pool2d(patches, config.pooled).flatten(1).T.contiguous()
        self.shares: Tensor
        self.register_buffer("shares", shares, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Returns tokens `(B, T, 9, D)` of features `(B, T, N, C)`."""
        first = gelu(self.linear_1(features.to(self.linear_1.weight.dtype)))
        projected: Tensor = self.linear_2(self.shares.to(first.dtype) @ first)
        return projected


class MlpHead(nn.Module):
    """As many scores as the network was made for, from the state of the score query."""

    def __init__(self, width: int, candidates: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, candidates)

    def forward(self, query: Tensor) -> Tensor:
        """Returns logits `(B, n)` of states `(B, D)`."""
        logits: Tensor = self.outer(gelu(self.inner(self.norm(query))))
        return logits


class QueryKeyHead(nn.Module):
    """Scores of any number of frames: the score query's state against the state of each frame."""

    def __init__(self, width: int, key_width: int) -> None:
        super().__init__()
        self.query_norm = nn.RMSNorm(width)
        self.key_norm = nn.RMSNorm(width)
        self.query = nn.Linear(width, key_width)
        self.key = nn.Linear(width, key_width)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, query: Tensor, frames: Tensor) -> Tensor:
        """Returns logits `(B, T)` of states `(B, D)` and `(B, T, D)`."""
        asked = self.query(self.query_norm(query))
        keys = self.key(self.key_norm(frames))
        near: Tensor = torch.einsum("bk,btk->bt", asked, keys) / asked.shape[-1] ** 0.5
        return near + self.bias


def closed_up(columns: Tensor, kept: list[Tensor], widths: list[int]) -> Tensor:
    """Returns rows `(B, L, D)` of several parts without the padding behind each part.

        | a b - | c - - | d |  becomes  | a b c d |

    Args:
        columns: the parts side by side.
        kept: how many columns of each part a row has, int64 `(B,)` each.
        widths: columns of each part, padding included.
    """
    device = columns.device
    valid = torch.cat(
        [
            torch.arange(width, device=device) < count[:, None]
            for count, width in zip(kept, widths, strict=True)
        ],
        1,
    )
    if bool(valid.all()):
        return columns
    order = valid.logical_not().to(torch.uint8).argsort(dim=1, stable=True)
    order = order[:, : int(valid.sum(1).max())]
    return columns.gather(1, order[..., None].expand(-1, -1, columns.shape[-1]))

"""Where everything stands in the prompt of the whole videos, and what a plan leaves of it.

Two frames of four tokens, each after its time:

    prompt    <user>  00:01   ■  ■  ■  ■   00:02   ■  ■  ■  ■   What is this?
    source      -1      -1    0  1  2  3     -1    4  5  6  7        -1
    frame       -1       0    0  0  0  0      1    1  1  1  1        -1
    position     0       1    2  3  4  5      6    7  8  9 10        11

A plan that keeps tokens 1 and 2 leaves these columns; the second frame has lost all of its tokens,
so its time goes too, and what is left keeps its position:

    prompt    <user>  00:01      ■  ■                           What is this?
    position     0       1       3  4                                11
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.letters import Letters, free_seam
from framesift.types.compressed import CompressedVideo
from framesift.types.plan import TokenPlan
from framesift.vlms._runs import VisualRun, expanded, parts_of
from framesift.vlms.blocks import EXTRA, TEXT, Block, Placeholder
from framesift.vlms.marks import check_marks

__all__ = ["EXTRA", "TEXT", "Block", "Layout", "Placeholder", "Reduced", "lay_out", "reduce"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of the prompt that holds every token of every video."""

    ids: Tensor
    """Token ids, int64 `(L,)`."""
    source: Tensor
    """Token that each column holds, counted over all videos; `TEXT` or `EXTRA` else, `(L,)`."""
    frame: Tensor
    """Frame that each column belongs to, counted over all videos; -1 for none, `(L,)`. A run of
    `Block.tokens` has a number of its own, behind those of all frames."""
    video: Tensor
    """Video whose visual token each column holds, -1 for text, `(L,)`."""
    prefix: int
    """Columns up to the end of the last video, which no later text changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """The columns that are left of a layout."""

    ids: Tensor
    """Token ids, int64 `(L,)`."""
    positions: Tensor
    """Place of each column in the layout, int64 `(L,)` or `(3, L)`."""
    rows: Tensor
    """Row of the plans that each column holds; `TEXT` or `EXTRA` else, `(L,)`."""
    video: Tensor
    """Video whose visual token each column holds, -1 for text, `(L,)`."""
    prefix: int
    """Columns of the layout's prefix that are left."""


def lay_out(
    rendered: str,
    videos: Sequence[CompressedVideo],
    blocks: Sequence[Sequence[Sequence[Block]]],
    placeholders: Sequence[Placeholder],
    *,
    tokenizer: Any,
    known: Collection[Placeholder] = (),
    seam: str | None = None,
) -> Layout:
    """Returns the layout of the prompt that a chat template has rendered.

    Args:
        rendered: the conversation, in which a placeholder stands once for each item of a video.
        videos: all videos and pictures, in the order in which they stand in the conversation.
        blocks: for each video the items that the template has written, with their blocks.
        placeholders: for each video what the template has written for each of its items.
        tokenizer: the model's.
        known: all placeholders of the model, which stand for nothing else.
        seam: what stands in the texts of people where they read like special tokens (`Letters`).

    Raises:
        ModelError: the template has written another number of placeholders.
    """
    marks = dict.fromkeys([*placeholders, *known])
    tokens = {mark.visual_id: tokenizer.convert_ids_to_tokens(mark.visual_id) for mark in marks}
    parts = parts_of(rendered, [mark.text for mark in marks])
    check_marks(tokenizer, parts, [block for items in blocks for item in items for block in item])
    text, runs = expanded(parts, videos, blocks, placeholders, tokens)
    numbers, places = Letters.of(tokenizer).encode(
        text,
        seam or free_seam([text]),
        add_special_tokens=not (tokenizer.bos_token and text.startswith(tokenizer.bos_token)),
    )
    ids = torch.tensor(numbers, dtype=torch.int64)
    spans = torch.tensor(places, dtype=torch.int64).reshape(-1, 2)
    is_visual = torch.isin(ids, torch.tensor([*tokens], dtype=torch.int64))
    if ids[is_visual].tolist() != [run.visual_id for run in runs]:
        visual = " or ".join(map(repr, tokens.values()))
        raise ModelError(
            f"the tokenizer reads {int(is_visual.sum())} times {visual} in a prompt that holds "
            f"it {len(runs)} times; pass a checkpoint with the tokenizer that belongs to it"
        )
    counts = torch.ones_like(ids)
    counts[is_visual] = torch.tensor([len(run.source) for run in runs], dtype=torch.int64)
    columns = torch.arange(len(ids)).repeat_interleave(counts)
    source, frame = torch.full_like(columns, TEXT), _owners(spans, runs)[columns]
    video = torch.full_like(columns, -1)
    if runs:
        source[is_visual[columns]] = torch.cat([run.source for run in runs])
        frame[is_visual[columns]] = torch.cat([run.frames for run in runs])
        owners = torch.tensor([run.video for run in runs])
        video[is_visual[columns]] = owners.repeat_interleave(counts[is_visual])
    end = max((run.stop for run in runs), default=0)
    fixed = _fixed(ids, is_visual, spans, end, tokenizer)
    return Layout(
        ids=ids[columns],
        source=source,
        frame=frame,
        video=video,
        prefix=int(counts[:fixed].sum()),
    )


def reduce(layout: Layout, positions: Tensor, videos: Sequence[CompressedVideo]) -> Reduced:
    """Returns what the plans of the videos leave of a layout.

    Text and tokens that the family adds hold their positions; a frame without tokens loses its
    text. A row of a plan stands where one token stood: in the frame, the row and the column of the
    grid that its tokens have on average, rounded. So positions ascend as they do in every prompt
    that a model was trained on, and lie among those of the frame.

    Args:
        layout: the whole prompt.
        positions: position of each of its columns, int64 `(L,)` or `(3, L)`.
        videos: the videos, in the order of the layout.
    """
    column = torch.full((sum(video.plan.num_in for video in videos),), -1, dtype=torch.int64)
    visual = (layout.source >= 0).nonzero().flatten()
    column[layout.source[visual]] = visual
    cells: list[Tensor] = []
    first = 0
    for video in videos:
        there = column[first : first + video.plan.num_in]
        cells.append(there[cells_of_rows(video.plan, video.report.grid, there >= 0)])
        first += video.plan.num_in
    cell = torch.cat([column[:0], *cells])
    text = ((layout.source < 0) & _stays(layout, cell)).nonzero().flatten()
    kept = torch.cat([text, cell])
    order = kept.argsort(stable=True)
    kept = kept[order]
    return Reduced(
        ids=layout.ids[kept],
        positions=positions[..., kept],
        rows=torch.cat([layout.source[text], torch.arange(len(cell))])[order],
        video=layout.video[kept],
        prefix=int((text < layout.prefix).sum()) + len(cell),
    )


def cells_of_rows(plan: TokenPlan, grid: tuple[int, int], there: Tensor) -> Tensor:
    """Returns the token whose place each row takes, int64 `(M,)`.

    Args:
        plan: what became of the tokens.
        grid: rows and columns `(h, w)` of a frame.
        there: tokens that the whole prompt has a place for, bool `(num_in,)`; a view of a picture
            may lack some, and a row of their mean takes the place of its own first token.
    """
    patch = plan.src % plan.tokens_per_frame
    place = torch.stack([patch // grid[1], patch % grid[1]], dim=1)
    row, column = plan.mean(place.double()).add(0.5).floor().long().unbind(1)
    cell = frames_of_rows(plan) * plan.tokens_per_frame + row * grid[1] + column
    return cell if bool(there.all()) else torch.where(there[cell], cell, plan.sources)


def frames_of_rows(plan: TokenPlan) -> Tensor:
    """Returns the frame that each row stands in, the rounded mean of its tokens', int64 `(M,)`."""
    mean = plan.mean((plan.src // plan.tokens_per_frame).double()[:, None]).flatten()
    # Rows of one mean frame may differ by rounding errors, and so straddle a half.
    return mean.add(0.5).floor().long().cummax(0).values


def _stays(layout: Layout, cell: Tensor) -> Tensor:
    """Returns the columns whose frame has a token left, or which belong to none, `(L,)`."""
    left = torch.zeros(int(layout.frame.max()) + 2, dtype=torch.bool)
    left[layout.frame[cell]] = True
    left[-1] = True
    return left[layout.frame]


def _owners(spans: Tensor, runs: Sequence[VisualRun]) -> Tensor:
    """Returns the frame whose text holds each token wholly, -1 for none, `(L,)`.

    Args:
        spans: first and last character of each token, `(L, 2)`.
        runs: where the blocks stand, in order.
    """
    if not runs:
        return torch.full((len(spans),), -1)
    starts, stops, frames = torch.tensor([(run.start, run.stop, run.frame) for run in runs]).T
    start, stop = spans.T.contiguous()
    run = torch.searchsorted(starts.contiguous(), start, right=True) - 1
    inside = (run >= 0) & (stop <= stops[run]) & ((stop > start) | (start > starts[run]))
    return torch.where(inside, frames[run], -1)


def _fixed(ids: Tensor, is_visual: Tensor, spans: Tensor, end: int, tokenizer: Any) -> int:
    """Returns how many leading tokens no text behind the last video can change.

    Special tokens cut a text before it is tokenized, so those that end the video still count.
    """
    visual = is_visual.nonzero().flatten()
    if not len(visual):
        return 0
    count, special = int(visual[-1]) + 1, tokenizer.added_tokens_decoder
    while count < len(ids) and int(ids[count]) in special and int(spans[count, 1]) <= end:
        count += 1
    return count

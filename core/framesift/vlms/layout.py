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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.letters import Letters, free_seam
from framesift.types.compressed import CompressedVideo
from framesift.types.plan import TokenPlan

TEXT, EXTRA = -1, -2
"""Sources of the columns that hold no token of a video: text, and tokens that a family adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of visual tokens with the text that frames it."""

    frames: range
    """Frames whose tokens stand in this run, in raster order each."""
    before: str = ""
    """Text before the run, which goes when a single frame of the run loses all of its tokens."""
    after: str = ""
    """Text behind the run, likewise."""
    lead: str = ""
    """Text before `before` that always stays."""
    tail: str = ""
    """Text behind `after` that always stays."""
    extra: int = 0
    """Visual tokens at the end of the run that the family adds and that always stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of the prompt that holds every token of every video."""

    ids: Tensor
    """Token ids, int64 `(L,)`."""
    source: Tensor
    """Token that each column holds, counted over all videos; `TEXT` or `EXTRA` else, `(L,)`."""
    frame: Tensor
    """Frame that each column belongs to, counted over all videos; -1 for none, `(L,)`."""
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
    prefix: int
    """Columns of the layout's prefix that are left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A stretch of the prompt's characters, with the tokens that its placeholder stands for."""

    start: int
    stop: int
    frame: int
    """Frame that the text of the stretch belongs to, -1 for none."""
    source: Tensor
    """As in `Layout`, for the tokens that the one placeholder stands for."""
    frames: Tensor


def lay_out(
    rendered: str,
    videos: Sequence[CompressedVideo],
    blocks: Sequence[Sequence[Sequence[Block]]],
    *,
    tokenizer: Any,
    placeholder: str,
    visual_id: int,
    seam: str | None = None,
) -> Layout:
    """Returns the layout of the prompt that a chat template has rendered.

    Args:
        rendered: the conversation, in which `placeholder` stands once for each item of a video.
        videos: all videos, in the order in which they stand in the conversation.
        blocks: for each video the items that the template has written, with their blocks.
        tokenizer: the model's.
        placeholder: the text that a template writes for one item.
        visual_id: token that is repeated for every visual token.
        seam: what stands in the texts of people where they read like special tokens (`Letters`).

    Raises:
        ModelError: the template has written another number of placeholders.
    """
    visual = tokenizer.convert_ids_to_tokens(visual_id)
    text, runs = _expand(rendered, videos, blocks, placeholder, visual)
    numbers, places = Letters.of(tokenizer).encode(
        text,
        seam or free_seam([text]),
        add_special_tokens=not (tokenizer.bos_token and text.startswith(tokenizer.bos_token)),
    )
    ids = torch.tensor(numbers, dtype=torch.int64)
    spans = torch.tensor(places, dtype=torch.int64).reshape(-1, 2)
    is_visual = ids == visual_id
    if int(is_visual.sum()) != len(runs):
        raise ModelError(
            f"the tokenizer reads {int(is_visual.sum())} times {visual!r} in a prompt that holds "
            f"it {len(runs)} times; pass a checkpoint with the tokenizer that belongs to it"
        )
    counts = torch.ones_like(ids)
    counts[is_visual] = torch.tensor([len(run.source) for run in runs], dtype=torch.int64)
    columns = torch.arange(len(ids)).repeat_interleave(counts)
    source, frame = torch.full_like(columns, TEXT), _owners(spans, runs)[columns]
    if runs:
        source[is_visual[columns]] = torch.cat([run.source for run in runs])
        frame[is_visual[columns]] = torch.cat([run.frames for run in runs])
    end = max((run.stop for run in runs), default=0)
    fixed = _fixed(ids, visual_id, spans, end, tokenizer)
    return Layout(ids=ids[columns], source=source, frame=frame, prefix=int(counts[:fixed].sum()))


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
    column = torch.empty(sum(video.plan.num_in for video in videos), dtype=torch.int64)
    visual = (layout.source >= 0).nonzero().flatten()
    column[layout.source[visual]] = visual
    cells: list[Tensor] = []
    first = 0
    for video in videos:
        cells.append(column[first + cells_of_rows(video.plan, video.report.grid)])
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
        prefix=int((text < layout.prefix).sum()) + len(cell),
    )


def cells_of_rows(plan: TokenPlan, grid: tuple[int, int]) -> Tensor:
    """Returns the token whose place each row takes, int64 `(M,)`.

    Args:
        plan: what became of the tokens.
        grid: rows and columns `(h, w)` of a frame.
    """
    patch = plan.src % plan.tokens_per_frame
    place = torch.stack([patch // grid[1], patch % grid[1]], dim=1)
    row, column = plan.mean(place.double()).add(0.5).floor().long().unbind(1)
    return frames_of_rows(plan) * plan.tokens_per_frame + row * grid[1] + column


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


def _expand(
    rendered: str,
    videos: Sequence[CompressedVideo],
    blocks: Sequence[Sequence[Sequence[Block]]],
    placeholder: str,
    visual: str,
) -> tuple[str, list[_Run]]:
    """Returns the prompt with one visual token for each block, and where the blocks stand in it."""
    head, *tails = rendered.split(placeholder)
    wanted = sum(len(items) for items in blocks)
    if len(tails) != wanted:
        raise ModelError(
            f"the chat template writes {placeholder!r} {len(tails)} times for {wanted} pictures; "
            "pass a checkpoint whose chat template puts each picture once"
        )
    text, runs, token, frame = head, [], 0, 0
    rest = iter(tails)
    for video, items in zip(videos, blocks, strict=True):
        per_frame, separator = video.plan.tokens_per_frame, ""
        for number, item in enumerate(items):
            for block in item:
                start = len(text) + len(block.lead)
                text += block.lead + block.before + visual + block.after
                runs.append(_run(block, start, len(text), token, frame, per_frame))
                text += block.tail
            tail = next(rest)
            # What a template writes between two frames goes with the first of them.
            separator = tail if number < len(items) - 1 else separator
            if separator and item and tail.startswith(separator):
                runs[-1] = replace(runs[-1], stop=len(text) + len(separator))
            text += tail
        token, frame = token + video.plan.num_in, frame + video.plan.num_in // per_frame
    return text, runs


def _run(block: Block, start: int, stop: int, token: int, frame: int, per_frame: int) -> _Run:
    """Returns the stretch of a block, whose video starts at `token` and `frame`."""
    frames = torch.arange(block.frames.start, block.frames.stop)
    tokens = (frames[:, None] * per_frame + torch.arange(per_frame)).flatten()
    return _Run(
        start=start,
        stop=stop,
        frame=frame + int(frames[0]) if len(frames) == 1 else -1,
        source=torch.cat([token + tokens, torch.full((block.extra,), EXTRA)]),
        frames=torch.cat([frame + tokens // per_frame, torch.full((block.extra,), -1)]),
    )


def _owners(spans: Tensor, runs: Sequence[_Run]) -> Tensor:
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


def _fixed(ids: Tensor, visual_id: int, spans: Tensor, end: int, tokenizer: Any) -> int:
    """Returns how many leading tokens no text behind the last video can change.

    Special tokens cut a text before it is tokenized, so those that end the video still count.
    """
    visual = (ids == visual_id).nonzero().flatten()
    if not len(visual):
        return 0
    count, special = int(visual[-1]) + 1, tokenizer.added_tokens_decoder
    while count < len(ids) and int(ids[count]) in special and int(spans[count, 1]) <= end:
        count += 1
    return count

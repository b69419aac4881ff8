"""Puts the runs of visual tokens into the text that a chat template has written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.types.compressed import CompressedVideo
from framesift.vlms.blocks import EXTRA, Block, Placeholder


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualRun:
    """A stretch of the prompt's characters, with the tokens that its placeholder stands for."""

    start: int
    stop: int
    frame: int
    """Frame that the text of the stretch belongs to, -1 for none."""
    video: int
    visual_id: int
    source: Tensor
    """As in `Layout`, for the tokens that the one placeholder stands for."""
    frames: Tensor


def parts_of(rendered: str, placeholders: Sequence[str]) -> list[str]:
    """Returns the texts of a prompt; at odd places the placeholders that stand between them."""
    longest_first = sorted(set(placeholders), key=len, reverse=True)
    if not longest_first:
        return [rendered]
    return re.split(f"({'|'.join(map(re.escape, longest_first))})", rendered)


def expanded(
    parts: Sequence[str],
    videos: Sequence[CompressedVideo],
    blocks: Sequence[Sequence[Sequence[Block]]],
    placeholders: Sequence[Placeholder],
    tokens: Mapping[int, str],
) -> tuple[str, list[VisualRun]]:
    """Returns the prompt with one visual token for each block, and where the blocks stand in it."""
    wanted = [each.text for each, items in zip(placeholders, blocks, strict=True) for _ in items]
    if [*parts[1::2]] != wanted:
        shown = " and ".join(map(repr, dict.fromkeys(wanted or parts[1::2])))
        raise ModelError(
            f"the chat template writes {shown} {len(parts) // 2} times for {len(wanted)} pictures; "
            "pass a checkpoint whose chat template puts each picture once, in their order"
        )
    text, runs, token, frame = parts[0], list[VisualRun](), 0, 0
    frames_of_all = sum(video.plan.num_in // video.plan.tokens_per_frame for video in videos)
    rest, rows = iter(parts[2::2]), count(frames_of_all)
    for place, (video, items) in enumerate(zip(videos, blocks, strict=True)):
        per_frame, separator = video.plan.tokens_per_frame, ""
        visual_id = placeholders[place].visual_id
        for number, item in enumerate(items):
            for block in item:
                start = len(text) + len(block.lead)
                text += block.lead + block.before + tokens[visual_id] + block.after
                source, frames = _tokens_of(block, token, frame, per_frame, rows)
                one = block.tokens is not None or len(block.frames) == 1
                runs.append(
                    VisualRun(
                        start=start,
                        stop=len(text),
                        frame=int(frames[0]) if one else -1,
                        video=place,
                        visual_id=visual_id,
                        source=source,
                        frames=frames,
                    )
                )
                text += block.tail
            tail = next(rest)
            # What a template writes between two frames goes with the first of them.
            separator = tail if number < len(items) - 1 else separator
            if separator and item and tail.startswith(separator):
                runs[-1] = replace(runs[-1], stop=len(text) + len(separator))
            text += tail
        token, frame = token + video.plan.num_in, frame + video.plan.num_in // per_frame
    return text, runs


def _tokens_of(
    block: Block, token: int, frame: int, per_frame: int, rows: Iterator[int]
) -> tuple[Tensor, Tensor]:
    """Returns the sources of a run and what each belongs to, as in `Layout`, `(n,)` each.

    Args:
        block: the run.
        token: the first one of its video, counted over all videos.
        frame: likewise.
        per_frame: tokens of each frame.
        rows: numbers for runs that are not whole frames.
    """
    added = torch.full((block.extra,), EXTRA)
    if block.tokens is not None:
        own = torch.tensor(block.tokens, dtype=torch.int64)
        source = torch.cat([token + own, added])
        # What had no tokens in the whole prompt has lost none: what is added there stays.
        return source, torch.full_like(source, next(rows) if len(own) else -1)
    frames = torch.arange(block.frames.start, block.frames.stop)
    own = (frames[:, None] * per_frame + torch.arange(per_frame)).flatten()
    source = torch.cat([token + own, added])
    owner = frame + block.frames[0] if len(block.frames) == 1 else -1
    return source, torch.cat([frame + own // per_frame, torch.full_like(added, owner)])

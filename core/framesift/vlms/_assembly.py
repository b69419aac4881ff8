"""Puts the prompt of a conversation together, with the tokens that are left of its videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.chat_template import render
from framesift.hf.letters import Letters, free_seam
from framesift.types.compressed import CompressedVideo
from framesift.vlms.blocks import Block
from framesift.vlms.layout import EXTRA, TEXT, Layout, lay_out, reduce
from framesift.vlms.origin import check_origin
from framesift.vlms.prompt import Prompt, Turn, as_messages, check_text, compacted

if TYPE_CHECKING:
    from framesift.vlms.base import VLM


def assembled(
    vlm: VLM, turns: Sequence[Turn], positions: Literal["auto", "original", "compact"]
) -> Prompt:
    """Returns the prompt of a conversation, as `VLM.prompt` promises it."""
    videos = [video for turn in turns for video in turn.videos]
    _check(vlm, turns, videos)
    layout = _laid_out(vlm, turns, videos)
    reduced = reduce(layout, vlm.original_positions(layout, videos), videos)
    end = int(reduced.positions.max()) + 1
    warnings: tuple[str, ...] = ()
    if positions == "auto":
        positions = "original" if end <= vlm.context_tokens else "compact"
        if positions == "compact":
            warnings = (compacted(end, vlm.called, vlm.context_tokens),)
    if positions == "compact":
        place = torch.arange(len(reduced.ids)).expand_as(reduced.positions).contiguous()
    else:
        place = reduced.positions
    visual = reduced.rows != TEXT
    rows = torch.where(reduced.rows == EXTRA, -1, reduced.rows)[visual]
    device = vlm.hf.device
    return Prompt(
        input_ids=reduced.ids.to(device),
        position_ids=place.to(device),
        visual=visual.to(device),
        features=_features(vlm, videos, rows),
        layers=_layers(vlm, videos, rows),
        rows=rows,
        prefix_length=reduced.prefix,
        visual_tokens_before=int((layout.source != TEXT).sum()),
        positions=positions,
        images=_images(vlm, videos, reduced.video[visual]),
        listed=vlm.listed_names,
        columns=vlm.column_inputs(visual.to(device)),
        warnings=warnings,
    )


def _laid_out(vlm: VLM, turns: Sequence[Turn], videos: Sequence[CompressedVideo]) -> Layout:
    """Returns the layout of a conversation that its chat template has rendered."""
    numbers = count()
    blocks = [
        _led(vlm.picture_blocks(video), vlm.picture_lead(next(numbers)))
        if video.report.picture
        else vlm.blocks(video)
        for video in videos
    ]
    known = vlm.video_placeholder, vlm.picture_placeholder
    placeholders = [known[video.report.picture] for video in videos]
    items = [[each.item] * len(own) for each, own in zip(placeholders, blocks, strict=True)]
    template = vlm.template_for(videos)
    seam = free_seam([template, *(turn.written for turn in turns)])
    write = partial(
        Letters.of(vlm.tokenizer).guarded, seam=seam, also=[each.text for each in known]
    )
    rendered = render(
        vlm.called,
        vlm.tokenizer,
        template,
        as_messages(turns, items, write, plain=vlm.plain_turns),
        trust_remote_code=vlm.trust_remote_code,
    )
    return lay_out(
        rendered, videos, blocks, placeholders, tokenizer=vlm.tokenizer, known=known, seam=seam
    )


def _led(items: list[list[Block]], lead: str) -> list[list[Block]]:
    """Returns the items of a picture with a text before its first block."""
    if not lead:
        return items
    (first, *blocks), *others = items
    return [[replace(first, lead=lead + first.lead), *blocks], *others]


def _images(vlm: VLM, videos: Sequence[CompressedVideo], video: Tensor) -> Tensor:
    """Returns which visual tokens go in as images, bool `(M,)`, from the video of each."""
    names = vlm.video_placeholder.modality, vlm.picture_placeholder.modality
    images = [names[each.report.picture] == "image" for each in videos]
    return torch.tensor(images, dtype=torch.bool)[video]


def _features(vlm: VLM, videos: Sequence[CompressedVideo], rows: Tensor) -> Tensor:
    like: Tensor = vlm.hf.get_input_embeddings().weight
    features = torch.zeros(len(rows), vlm.width, dtype=like.dtype, device=like.device)
    if videos:
        # Places are counted on the CPU, so that nothing waits for the model's device.
        own, added = (each.nonzero().flatten() for each in (rows >= 0, rows < 0))
        tokens = torch.cat([video.tokens.to(features) for video in videos])
        features.index_copy_(0, own.to(like.device), tokens[rows[own].to(like.device)])
        extra = vlm.added_features().to(features)
        if len(added):
            # Runs end with all of them, each with the same ones.
            repeated = extra.repeat(len(added) // len(extra), 1)
            features.index_copy_(0, added.to(like.device), repeated)
    return features


def _layers(vlm: VLM, videos: Sequence[CompressedVideo], rows: Tensor) -> Tensor | None:
    layers = [video.layers for video in videos if video.layers is not None]
    if not layers:
        return None
    device = vlm.hf.device
    return torch.cat(layers).to(device, vlm.hf.dtype)[rows[rows >= 0].to(device)]


def _check(vlm: VLM, turns: Sequence[Turn], videos: Sequence[CompressedVideo]) -> None:
    for turn in turns:
        check_text(turn.written)
    for video in videos:
        check_origin(video, vlm)
        if video.report.picture_px is not None:
            _check_views(vlm, video, video.report.picture_px)


def _check_views(vlm: VLM, video: CompressedVideo, picture_px: tuple[int, int]) -> None:
    """Refuses a picture whose views are not those that the model would have now.

    Raises:
        ModelError: they are others, as with other options of the model or of its image processor.
    """
    report, encoder = video.report, vlm.picture_encoder(picture_px)
    if encoder is None or (encoder.views, encoder.grid) != (report.views, report.grid):
        raise ModelError(
            f"the picture {report.uri[:200]!r} was compressed in {report.frames_in} views of "
            f"{report.grid} tokens, and {vlm.called!r} takes it in others; compress it again with "
            "this model and its options"
        )

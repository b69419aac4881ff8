"""What a trained network computes for the temporal rows of a slow-fast layout."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError, MissingSignalError, ModelError
from framesift.hf.model_use import loaded_once, state_of
from framesift.nn.time_perceiver_files import SEGMENTS_AT_ONCE, SlowFastFilling, load_filling
from framesift.run import stoppable
from framesift.strategies.base import Project
from framesift.strategies.slow_fast_layout import SlowFastRows
from framesift.types.options import shown

TINY: Final = Path(__file__).parent / "time_perceiver_weights"
"""The filling that comes with framesift, trained with the embedded tiny model."""


def place_of(filling: str) -> str:
    """Returns the folder or hub id that an option names; `tiny` is what comes with framesift.

    Raises:
        InvalidOptionError: it is no folder, and nearly what comes with framesift, not a hub id.
    """
    if filling == "tiny":
        return str(TINY)
    is_name = "/" not in filling and not Path(filling).is_dir()
    near = get_close_matches(filling.strip().lower(), ("pooled", "tiny"), cutoff=0.7)
    if is_name and near:
        raise InvalidOptionError(
            f"filling={shown(filling)} is not a folder; did you mean {near[0]!r}? take 'pooled' or "
            "'tiny', which come with framesift, a folder, or a hub id OWNER/NAME"
        )
    return filling


def loaded(place: str, like: Tensor) -> SlowFastFilling:
    """Returns a filling on the device of `like`, loaded once for all that want the same.

    It computes in the precision of `like`, on a CPU in float32.

    Raises:
        ModelError: the folder does not hold one whole.
    """
    device = str(like.device)
    dtype = torch.float32 if like.device.type == "cpu" else like.dtype
    load = partial(load_filling, place, device=device, dtype=dtype)
    found: SlowFastFilling = loaded_once((state_of(place), device, dtype), load)
    return found


def computed(
    rows: SlowFastRows, values: Tensor, live: Tensor | None, filling: SlowFastFilling
) -> Tensor:
    """Returns what the LLM reads of each row, `(M, D)`: key rows are means, others computed.

    Args:
        rows: of the layout that the filling was trained for.
        values: tokens of all frames at its stage, `(T, N, C)`.
        live: which of them take part, bool `(T, N)`; None for all.
        filling: the network.

    Raises:
        InvalidTokensError: tokens that the network was not made for.
    """
    shown = filling.projected(_key_means(rows, values))
    out = shown.new_empty(rows.plan.num_out, shown.shape[-1])
    out[rows.is_key] = shown
    frame, taken, place = (each.to(values.device) for each in rows.timed())
    # Of key rows, and of segments without temporal rows, the place is -1.
    place = place[rows.segment].masked_fill(rows.is_key, -1)
    for start in stoppable(range(0, len(frame), SEGMENTS_AT_ONCE), "apply"):
        part = slice(start, min(start + SEGMENTS_AT_ONCE, len(frame)))
        seen = taken[part, :, None].expand(*taken[part].shape, values.shape[1])
        tokens = filling(values[frame[part]], seen if live is None else seen & live[frame[part]])
        own = ((place >= part.start) & (place < part.stop)).nonzero().flatten()
        out[own] = tokens[place[own] - start, rows.cell[own]].to(out)
    return out


def finite(computed: Tensor, filling: str) -> Tensor:
    """Returns what the network of an option made, which the LLM is to read.

    Raises:
        ModelError: it holds what is not a finite number.
    """
    if not bool(computed.isfinite().all()):
        raise ModelError(
            f"filling={filling!r} makes of these tokens what is not a finite number in "
            f"{computed.dtype}; encode in float32 or bfloat16, take filling=pooled, or train again"
        )
    return computed


def projected(means: Tensor, project: Project | None) -> Tensor:
    """Returns means before a vision LLM's projector as the LLM reads them, `(M, D)`.

    Raises:
        MissingSignalError: there is no projector to take them.
    """
    if project is None:
        raise MissingSignalError(
            "stage='pre' merges tokens before a vision LLM's projector, and none is given; pass "
            "project=encoder.project, or take stage='post'"
        )
    return project(means)


def _key_means(rows: SlowFastRows, values: Tensor) -> Tensor:
    """Returns the means of the key rows alone, in order."""
    plan, own = rows.plan, rows.is_key[rows.plan.dst]
    count = int(rows.is_key.sum())
    number = torch.cumsum(rows.is_key.long(), 0) - 1
    key_plan = replace(
        plan, dst=number[plan.dst[own]], src=plan.src[own], weight=plan.weight[own], num_out=count
    )
    return key_plan.apply(values)

"""Maths that several strategies share; every tie goes to the earlier token."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

from framesift.run import report_progress, stoppable
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

FRAMES = 64
"""Frames that are worked on at once where all places of a frame are needed."""
AT_ONCE, AT_ONCE_ON_CPU = 2**26, 2**21
"""Values that are worked on at once: 256 MiB of float32, on a CPU 8 MiB."""
NEVER = -2.0
"""Similarity where there is nothing to compare with: below every cosine."""


def top(values: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Returns the mask of the `count` highest `values` among `allowed`, earlier ones on ties.

    All are one-dimensional; fewer come where fewer are allowed. The host waits for no device.
    """
    if values.device.type != "cpu":
        order = ranking(values, allowed)[:count]
        return torch.zeros_like(allowed).index_fill_(0, order, True) & allowed
    ranked = _ranked(values)
    # By numpy, and no order of all: indices of 8 bytes would take several times the values.
    found = ranked.numpy()[allowed.numpy()]
    if count >= len(found):
        return allowed.clone()
    if count <= 0:
        return torch.zeros_like(allowed)
    found.partition(len(found) - count)
    least = found[len(found) - count].item()
    chosen: Tensor = (ranked > least).logical_and_(allowed)
    left = count - int(chosen.sum())
    for start in range(0, len(ranked) if left else 0, AT_ONCE_ON_CPU):
        own = slice(start, start + AT_ONCE_ON_CPU)
        equal = ((ranked[own] == least) & allowed[own]).nonzero().flatten()[:left]
        chosen[own][equal] = True
        left -= len(equal)
    return chosen


def highest(values: Tensor, allowed: Tensor, count: int) -> Tensor:
    """Returns the places of what `top` chooses, `count` at most, in whatever order."""
    if values.device.type == "cpu":
        return top(values, allowed, count).nonzero().flatten()
    return ranking(values, allowed)[:count]


def ranking(values: Tensor, allowed: Tensor) -> Tensor:
    """Returns all places `(n,)`, the allowed ones first, from the highest value to the lowest.

    Earlier ones come first on ties. The host waits for no device.
    """
    order = torch.argsort(_ranked(values), descending=True, stable=True)
    return order[torch.argsort((~allowed[order]).byte(), stable=True)]


def _ranked(values: Tensor) -> Tensor:
    """Returns what is compared for a rank: what is not a number comes last."""
    if values.dtype == torch.int64:
        return values
    wide = torch.promote_types(values.dtype, torch.float32)
    return values.to(wide).nan_to_num(nan=-torch.inf)


def keep_mask(tokens: VideoTokens, mask: Tensor, count: int | None = None) -> TokenPlan:
    """Returns the plan that keeps the tokens of a bool mask `(T * N,)` or `(T, N)`.

    Args:
        tokens: what is planned for.
        mask: the tokens to keep.
        count: how many these are, where that is known: then the host waits for no device.
    """
    flat = mask.flatten()
    if count is None or flat.device.type == "cpu":
        places = flat.nonzero().flatten()
    else:
        places = torch.argsort((~flat).byte(), stable=True)[:count]
    return keep(tokens, places)


def keep(tokens: VideoTokens, places: Tensor) -> TokenPlan:
    """Returns the plan that keeps the tokens at `places`, int64 `(M,)`, as they are."""
    return TokenPlan.keep(places, num_in=tokens.count, tokens_per_frame=tokens.tokens_per_frame)


def beside(plan: TokenPlan, kept: Tensor) -> TokenPlan:
    """Returns `plan` with an output more for each token of a bool mask `kept`, unchanged."""
    more = kept.flatten().nonzero().flatten()
    rows = torch.arange(plan.num_out, plan.num_out + len(more), device=more.device)
    return TokenPlan.from_entries(
        dst=torch.cat([plan.dst, rows]),
        src=torch.cat([plan.src, more]),
        weight=torch.cat([plan.weight, torch.ones_like(more, dtype=plan.weight.dtype)]),
        num_in=plan.num_in,
        num_out=plan.num_out + len(more),
        tokens_per_frame=plan.tokens_per_frame,
    )


def evenly(total: int, count: int) -> Tensor:
    """Returns `count` ascending positions spread over `total` places, at part centres."""
    return ((2 * torch.arange(count) + 1) * total) // (2 * count)


def evenly_spaced(allowed: Tensor, count: int | Tensor) -> Tensor:
    """Returns the mask of `count` of the allowed places `(..., n)`, at part centres; no host waits.

    All of them where fewer are allowed. `count` may be another for each row, `(..., 1)`.
    """
    total, place = allowed.sum(-1, keepdim=True), allowed.cumsum(-1)
    ends = 2 * count * torch.stack([place - 1, place]) + total - 1
    marks = ends // (2 * total).clamp_min(1)
    return allowed & (marks[1] > marks[0])


def components(count: int, first: Tensor, second: Tensor) -> Tensor:
    """Returns the smallest vertex that each of `count` vertices is linked to, `(count,)`.

    Args:
        count: number of vertices.
        first: one end of each edge, int64 `(E,)`.
        second: the other end `(E,)`.
    """
    label = torch.arange(count, device=first.device)
    while True:
        report_progress("plan", 0, None, "step")
        ends = label[first], label[second]
        if torch.equal(*ends):
            return label
        low, high = torch.minimum(*ends), torch.maximum(*ends)
        label.scatter_reduce_(0, high, low, "amin")
        while not torch.equal(root := label[label], label):
            label = root


def ranks_in_frames(values: Tensor, live: Tensor) -> Tensor:
    """Returns the place of each token among those of its frame, lowest value first, `(T, N)`.

    Tokens that are not live come last.
    """
    order = values.masked_fill(~live, torch.inf).argsort(dim=1, stable=True)
    places = torch.arange(live.shape[1], device=live.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places)


def places(values: Tensor, width: int | None = None) -> Iterator[slice]:
    """Yields slices of the places of `(T, N, D)`, so that a float32 copy of each is small.

    All frames are in each, so that their number does not grow with T while the video is short. A
    CPU works fastest on what fits into its caches; on a GPU each further operation costs.

    Args:
        values: one entry for each frame, place and channel.
        width: what is made of each token, if more than its `D` channels.
    """
    room = AT_ONCE_ON_CPU if values.device.type == "cpu" else AT_ONCE
    step = max(1, room // (len(values) * (width or values.shape[2])))
    for first in stoppable(range(0, values.shape[1], step)):
        yield slice(first, first + step)


def wide_parts(features: Tensor, width: int | None = None) -> Iterator[tuple[slice, Tensor]]:
    """Yields places of `(T, N, D)` with their features in float32 `(T, P, D)`, a few at a time.

    A copy is overwritten by the next one: on a CPU new memory takes longer than the work in it.

    Args:
        features: of any floating-point dtype.
        width: what is made of each token, if not `D` values.
    """
    room, is_wide = None, features.dtype == torch.float32
    if width is not None and not is_wide:
        width = max(width, features.shape[2])
    for part in places(features, width):
        wide = features[:, part]
        if not is_wide:
            room = torch.empty_like(wide, dtype=torch.float32) if room is None else room
            wide = room[:, : wide.shape[1]].copy_(wide)
        yield part, wide


def length(values: Tensor) -> Tensor:
    """Returns the length of each vector `(..., D)`, float32 `(...)` for half precision.

    It is that of the lengths of parts: over thousands of channels one sum after another is so far
    off that equal tokens would not tie at a similarity of 1.
    """
    dtype = torch.promote_types(values.dtype, torch.float32)
    width = _part_of(values.shape[-1], 256)
    if 8 <= width < values.shape[-1]:
        values = torch.linalg.vector_norm(values.unflatten(-1, (-1, width)), dim=-1, dtype=dtype)
    found: Tensor = torch.linalg.vector_norm(values, dim=-1, dtype=dtype)
    return found


@functools.cache
def _part_of(channels: int, most: int) -> int:
    """Returns the largest number up to `most` that divides `channels`."""
    return max(each for each in range(1, min(most, channels) + 1) if channels % each == 0)


def divided(values: Tensor, by: float) -> Tensor:
    """Returns `values / by` to the last bit on every device.

    CUDA multiplies by the reciprocal of a plain number, which is a bit off; not so by a tensor.
    """
    return values / values.new_full((), by)


def rounded(values: Tensor, parts: float = 1e6) -> Tensor:
    """Returns `values` to the nearest `1 / parts`, the same number on every device."""
    return divided(values.mul(parts).round(), parts)


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Returns the cosine of the last dimensions, rounded to 1e-6 so that equal tokens tie at 1.

    A zero vector is like another zero vector (1) and unlike anything else (0).
    """
    return cosine(a, b, length(a), length(b))


def cosine(a: Tensor, b: Tensor, length_a: Tensor, length_b: Tensor) -> Tensor:
    """Returns `similarity` where the lengths of the vectors are known."""
    return cosine_of(torch.linalg.vecdot(a, b), length_a, length_b)


def cosine_of(product: Tensor, length_a: Tensor, length_b: Tensor) -> Tensor:
    """Returns `similarity` where the products and the lengths of the vectors are known."""
    value = product / (length_a * length_b).clamp_min(1e-30)
    alike = (length_a == 0) & (length_b == 0)
    return rounded(value.masked_fill(alike, 1.0)).clamp(-1.0, 1.0)


def dots(a: Tensor, b: Tensor) -> Tensor:
    """Returns the dot products over the last dimension of two tensors of one shape, `(...)`.

    On a CPU as small matrix products, which hold no product of all channels in memory: several
    times as fast there. Equal vectors give equal products.
    """
    width = _part_of(a.shape[-1], 64)
    rows, columns = a.unflatten(-1, (-1, 1, width)), b.unflatten(-1, (-1, width, 1))
    on_cpu = a.device.type == "cpu"
    found: Tensor = (rows @ columns)[..., 0, 0].sum(-1) if on_cpu else torch.linalg.vecdot(a, b)
    return found


def cosine_matrix(a: Tensor, b: Tensor) -> Tensor:
    """Returns `similarity` of each row of `a` `(..., R, D)` to each of `b` `(..., S, D)`.

    Both are float32; the vectors are not scaled, the products are.
    """
    lengths = length(a), length(b)
    empty = (lengths[0] == 0)[..., :, None] & (lengths[1] == 0)[..., None, :]
    product = lengths[0][..., :, None] * lengths[1][..., None, :]
    value: Tensor = (a @ b.mT).div_(product.clamp_min_(1e-30)).masked_fill_(empty, 1.0)
    found: Tensor = rounded(value).clamp_(-1.0, 1.0)
    return found


def similarity_to_mean(frame: Tensor) -> Tensor:
    """Returns the cosine of each token of a frame `(N, D)` to their mean, `(N,)`."""
    wide = frame.float()
    return similarity(wide, wide.mean(0, keepdim=True))

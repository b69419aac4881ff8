"""The figures about evidence, length and kinds of question, drawn from plain numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from framesift.evaluation.curves._axes import (
    BEST,
    COLORS,
    LETTER_INCHES,
    colored,
    name_ends,
    roomy,
    titled,
)
from framesift.evaluation.curves._lines import (
    Lines,
    Point,
    draw_lines,
    height_inches,
    set_bounds,
)
from framesift.evaluation.curves.palette import ACCENT, INK, OURS, PAPER, PEER, QUIET, SHADES
from framesift.registry import require

MARKED: Final = COLORS | {"keyframes": OURS, "oracle": INK}
"""Selectors whose names have a colour of their own."""
CELL_INCHES: Final = 0.8, 0.26
FULL_SHADE: Final = 0.4
"""Difference of two shares from which on the shade grows no more."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Seconds by number of frames, ascending, and the powers of the frames between neighbours."""

    frames: Sequence[int]
    seconds: Sequence[float]
    powers: Sequence[float]


def evidence_figure(lines: Lines, *, best: str | None) -> Any:
    """Returns the evidence that tokens hold over the tokens kept.

    Args:
        lines: points by strategy.
        best: strategy that is drawn in colour whatever its name.
    """
    inches = height_inches(lines)
    figure, axis = roomy(inches, lines)
    set_bounds(axis, lines, {})
    draw_lines(axis, lines, colored(list(lines), best), inches=inches, bands=False)
    axis.set_ylabel("evidence held, per cent")
    note = "of questions about real clips; upright: 95 % intervals over questions"
    titled(axis, "Evidence in the tokens kept", note)
    return figure


def keyframes_figure(keyframes: Mapping[str, Mapping[int, Point]]) -> Any:
    """Returns the questions that keyframes hold, a row per selector, the best one on top.

    Args:
        keyframes: points by selector and number of keyframes.
    """
    sizes = sorted({count for counts in keyframes.values() for count in counts})
    names = sorted(keyframes, key=lambda name: -max(p.share for p in keyframes[name].values()))
    left = 0.3 + LETTER_INCHES * max(len(name) for name in names)
    figure, axis = roomy(0.5 * len(names), (), left=left)
    for number, (size, shade) in enumerate(zip(sizes, SHADES[-len(sizes) :], strict=False)):
        shift = 0.24 * (number - (len(sizes) - 1) / 2)
        for row, name in enumerate(names):
            if (point := keyframes[name].get(size)) is None:
                continue
            place = row + shift
            if point.interval is not None:
                bounds = [100 * bound for bound in point.interval]
                axis.plot(bounds, (place, place), color=shade, linewidth=1.2)
            axis.plot(100 * point.share, place, "o", color=shade, markersize=6.5)
    axis.set_yticks(range(len(names)), names)
    for label in axis.get_yticklabels():
        label.set_color(MARKED.get(label.get_text(), INK))
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(-3, 103)
    axis.set_xlabel("questions with a keyframe in their time, per cent")
    counts = " and ".join(map(str, sizes))
    note = f"{counts} of a clip, the more the darker; lines: 95 % intervals over questions"
    titled(axis, "Evidence in keyframes", note)
    return figure


def growth_figure(costs: Mapping[str, Growth], encoding: tuple[int, float]) -> Any:
    """Returns how seconds of planning grow with the frames, beside those of encoding them.

    Args:
        costs: by strategy.
        encoding: frames that were encoded and the seconds it took; drawn in proportion.
    """
    inches = 4.4
    frames = sorted({count for cost in costs.values() for count in cost.frames})
    whole = [encoding[1] / encoding[0] * count for count in frames]
    lines: dict[str, tuple[Sequence[int], Sequence[float]]] = {"encoding": (frames, whole)}
    lines |= {f"planning, {name}": (cost.frames, cost.seconds) for name, cost in costs.items()}
    colors = dict(zip(lines, (INK, *COLORS.values(), BEST), strict=False))
    figure, axis = roomy(inches, lines)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    for name, (counts, seconds) in lines.items():
        mark, color = "-" if name == "encoding" else "o-", colors.get(name, PEER)
        axis.plot(counts, seconds, mark, color=color, markersize=5, markeredgecolor=PAPER)
    axis.set_xticks(frames, [f"{count:,}" for count in frames])
    axis.yaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.set_xlabel("frames of the video")
    axis.set_ylabel("seconds")
    name_ends(axis, {name: (xs[-1], ys[-1]) for name, (xs, ys) in lines.items()}, colors, inches)
    powers = [
        f"{name} as frames to the power of {cost.powers[-1]:.2f}" for name, cost in costs.items()
    ]
    note = f"the last step grows: {'; '.join(powers)}"
    titled(axis, "Planning against the length of the video", note)
    return figure


def kinds_figure(
    shares: Mapping[str, Mapping[str, float]],
    *,
    whole: Mapping[str, float],
    keep: float,
    apart: int,
    answers: Mapping[str, int],
) -> Any:
    """Returns a table of shares, a row per way and a column per kind of question.

    Args:
        shares: share by kind, by way from top to bottom.
        whole: share by kind of all tokens; a cell's shade is its difference from that.
        keep: of the tokens, for the title.
        apart: so many of the first rows are set apart, as their budget is another one.
        answers: how many answers a way has of each kind.
    """
    names, kinds = list(shares), list(answers)
    width, height = CELL_INCHES[0] * len(kinds), CELL_INCHES[1] * len(names)
    left = 0.3 + LETTER_INCHES * max(len(name) for name in names)
    size = max(left + width + 0.15, 6.6), height + 1.45
    figure = require("matplotlib.figure", extra="bench").Figure(figsize=size)
    axis = figure.add_axes((left / size[0], 0.1 / size[1], width / size[0], height / size[1]))
    for row, name in enumerate(names):
        for column, kind in enumerate(kinds):
            if (share := shares[name].get(kind)) is not None:
                _cell(axis, row, column, share, share - whole.get(kind, share))
    axis.set_xlim(0, len(kinds))
    axis.set_ylim(len(names), 0)
    axis.axhline(apart - 0.03, color=INK, linewidth=1)
    axis.set_yticks([row + 0.47 for row in range(len(names))], names)
    heads = [f"{textwrap.fill(kind, 10)}\n{answers[kind]:,}" for kind in kinds]
    axis.set_xticks([column + 0.485 for column in range(len(kinds))], heads)
    axis.grid(visible=False)
    axis.xaxis.tick_top()
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(length=0)
    title = f"Right answers by kind of question, at {100 * keep:.3g} % of the tokens"
    note = "per cent; blue: more are right than from all tokens, orange: fewer; heads: answers"
    look = {"va": "top", "ha": "left"}
    figure.text(0.15 / size[0], 1 - 0.15 / size[1], title, size=12, weight="bold", **look)
    figure.text(0.15 / size[0], 1 - 0.4 / size[1], note, size=8.5, color=QUIET, **look)
    return figure


def _cell(axis: Any, row: int, column: int, share: float, more: float) -> None:
    """Draws a share on a shade for how much more it is than another."""
    patches = require("matplotlib.patches", extra="bench")
    colors = require("matplotlib.colors", extra="bench")
    shades = colors.LinearSegmentedColormap.from_list("more", [ACCENT, PAPER, OURS])
    shade = shades(0.5 + max(-0.5, min(0.5, more / (2 * FULL_SHADE))))
    axis.add_patch(patches.Rectangle((column, row), 0.97, 0.94, color=shade))
    axis.text(column + 0.485, row + 0.47, f"{100 * share:.0f}", ha="center", va="center", size=8.5)

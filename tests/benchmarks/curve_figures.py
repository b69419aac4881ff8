"""Figures about evidence and about the length of the video, drawn from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.plots import SHADES
from framesift.evaluation.curves.axes import (
    BEST,
    COLORS,
    LETTER_INCHES,
    colored,
    name_ends,
    roomy,
    titled,
)
from framesift.evaluation.curves.lines import (
    Lines,
    Point,
    draw_lines,
    height_inches,
    set_bounds,
)
from framesift.evaluation.curves.palette import INK, OURS, PAPER, PEER

MARKED: Final = COLORS | {"keyframes": OURS, "oracle": INK}
"""Selectors whose names have a colour of their own."""


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

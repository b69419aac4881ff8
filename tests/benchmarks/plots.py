"""Draws the results of a benchmark: one calm panel per question, read from its JSON alone."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any, Final

from framesift.disk.writing import write_atomically
from framesift.evaluation.curves.palette import ACCENT, INK, OURS, PEER, QUIET, STYLE
from framesift.registry import require

SHADES: Final = ("#a9cbe3", "#5e9ac4", "#1f567d")
COSTS: Final = (INK, PEER, ACCENT, OURS)
Section = dict[str, Any]


def write_figure(path: str | os.PathLike[str], results: dict[str, Any]) -> None:
    """Writes a PNG of the sections in `results` to `path`, whole or not at all.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib", extra="bench")
    figures = require("matplotlib.figure", extra="bench")
    panels = [(PANELS[name], section) for name, section in results["sections"].items()]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = figures.Figure(figsize=(7.4 * columns, 5.4 * rows), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.1, hspace=0.05, rect=(0, 0.02, 1, 0.98))
        axes = figure.subplots(rows, columns, squeeze=False).flatten()
        for axis, (draw, section) in zip(axes, panels, strict=False):
            draw(axis, section)
        for axis in axes[len(panels) :]:
            axis.set_visible(False)
        figure.text(0.995, 0.002, _origin(results), ha="right", va="bottom", color=QUIET, size=8)
        figure.savefig(buffer, format="png", dpi=130)
    write_atomically(path, buffer.getvalue())


def _origin(results: dict[str, Any]) -> str:
    machine = results["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {results['made']}"
    return f"{where}; bars are medians, thin lines span all runs"


def _bars(axis: Any, rows: list[dict[str, Any]], labels: list[str], mine: str) -> None:
    """Draws a bar per row with its spread, the first row on top; ours in colour."""
    seconds = [row["seconds"] for row in rows]
    lows = [row["seconds"] - min(row["runs_seconds"]) for row in rows]
    highs = [max(row["runs_seconds"]) - row["seconds"] for row in rows]
    colors = [OURS if row["name"].startswith(mine) else PEER for row in rows]
    axis.barh(range(len(rows)), seconds, color=colors, height=0.72)
    axis.errorbar(
        seconds, range(len(rows)), xerr=[lows, highs], fmt="none", ecolor=QUIET, elinewidth=1
    )
    axis.set_yticks(range(len(rows)), labels)
    axis.invert_yaxis()
    for place, row in enumerate(rows):
        note = f"{row['speed_vs_peer']:.2f}x" if "speed_vs_peer" in row else ""
        note += "" if row.get("exact", True) else "  wrong frames"
        right = max(row["runs_seconds"])
        axis.annotate(note, (right, place), (5, 0), textcoords="offset points", va="center")
    axis.margins(x=0.12)
    axis.set_xlim(left=0)


def _sampling(axis: Any, section: Section) -> None:
    rows = sorted(section["rows"], key=lambda row: (row["video"], row["seconds"]))
    _bars(axis, rows, [f"{row['name']}  ·  {row['video']}" for row in rows], "framesift")
    axis.set_title("Sampling 60 frames of a minute of 720p")
    axis.set_xlabel("seconds; x: speed against the fastest exact peer")


def _keyframes(axis: Any, section: Section) -> None:
    rows = section["rows"]
    _bars(axis, rows, [f"{row['name'].split()[0]}  ·  {row['video']}" for row in rows], "framesift")
    axis.set_title("Eight keyframes, against PySceneDetect")
    axis.set_xlabel("seconds; x: speed against PySceneDetect")


def _planning(axis: Any, section: Section) -> None:
    sizes = sorted({row["frames"] for row in section["rows"]})
    slowest: dict[str, float] = {}
    for row in section["rows"]:
        slowest[row["name"]] = max(slowest.get(row["name"], 0.0), row["seconds"])
    names = sorted(slowest, key=lambda name: slowest[name])
    for size, color in zip(sizes, SHADES, strict=False):
        rows = [row for row in section["rows"] if row["frames"] == size]
        places = [names.index(row["name"]) for row in rows]
        axis.scatter([row["seconds"] for row in rows], places, s=46, color=color, label=f"{size}")
        peer = sum(row["peer_seconds"] for row in rows) / len(rows)
        axis.axvline(peer, color=color, linewidth=1, linestyle=(0, (4, 3)))
    axis.set_xscale("log")
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    # The fastest strategies are on top and their dots left, so this corner is free.
    axis.legend(title="frames of 196 tokens", loc="upper right", handletextpad=0.2)
    axis.set_title("Planning a quarter of the tokens")
    axis.set_xlabel("seconds; dashed: largest norms in plain torch")


def _coverage(axis: Any, section: Section) -> None:
    rows = section["rows"]
    _shares(axis, rows, [f"{row['name']}  ·  {row['video']}" for row in rows], "keyframes")
    axis.set_title("Events that have a keyframe")
    axis.set_xlabel("per cent, 95 % interval; synthetic videos that were held out")


def _evidence(axis: Any, section: Section) -> None:
    rows = [row for row in section["rows"] if row["video"] == "tokens" and "0.25" in row["name"]]
    rows.sort(key=lambda row: -row["share"])
    _shares(axis, rows, [row["name"].split()[0] for row in rows], "temporal")
    axis.set_title("Evidence held in a quarter of the tokens")
    axis.set_xlabel("per cent, 95 % interval; 20 questions about five real clips")


def _pointing(axis: Any, section: Section) -> None:
    rows = section["rows"]
    _shares(axis, rows, [f"{row['name']}  ·  {row['video']}" for row in rows], "attention")
    axis.set_title("Evidence that points at the answer")
    axis.set_xlabel("per cent, 95 % interval; the embedded tiny model")


def _finding(axis: Any, section: Section) -> None:
    rows = section["rows"]
    _shares(axis, rows, [f"{row['name']}  ·  {row['video']}" for row in rows], "attention")
    axis.set_title("Queries for which something is found")
    axis.set_xlabel("per cent, 95 % interval; the embedded tiny model")


def _recall(axis: Any, section: Section) -> None:
    rows = [row for row in section["rows"] if row["name"].endswith(" 4")]
    rows.sort(key=lambda row: (row["video"], -row["share"]))
    labels = [f"{row['name'].removesuffix(' 4')}  ·  {row['video']}" for row in rows]
    _shares(axis, rows, labels, "keyframes")
    axis.set_title("Facts and answers that one of 4 chosen frames shows")
    axis.set_xlabel("per cent, 95 % interval; real clips")


def _skipping(axis: Any, section: Section) -> None:
    rows = [row for row in section["rows"] if row["video"] in ("answers", "evidence")]
    _shares(axis, rows, [f"{row['name']}  ·  {row['video']}" for row in rows], "gate")
    axis.set_title("What is left where still patches are skipped")
    axis.set_xlabel("per cent, 95 % interval; the tiny model, and five real clips")


def _shares(axis: Any, rows: list[dict[str, Any]], labels: list[str], mine: str) -> None:
    """Draws a share per row with its interval, the first row on top; ours in colour."""
    shares = [100 * row["share"] for row in rows]
    spread = [
        [100 * (row["share"] - row["interval"][0]) for row in rows],
        [100 * (row["interval"][1] - row["share"]) for row in rows],
    ]
    colors = [OURS if row["name"].startswith(mine) else PEER for row in rows]
    axis.barh(range(len(rows)), shares, color=colors, height=0.72)
    axis.errorbar(
        shares, range(len(rows)), xerr=spread, fmt="none", ecolor=QUIET, elinewidth=1, capsize=2
    )
    axis.set_yticks(range(len(rows)), labels)
    axis.invert_yaxis()


def _memory(axis: Any, section: Section) -> None:
    rows = section["rows"]
    for shift, key, color in ((-0.19, "peer_peak_bytes", PEER), (0.19, "peak_bytes", OURS)):
        values = [row[key] / 1e6 for row in rows]
        axis.barh([place + shift for place in range(len(rows))], values, color=color, height=0.36)
    for place, row in enumerate(rows):
        largest = max(row["peak_bytes"], row["peer_peak_bytes"]) / 1e6
        axis.annotate(
            f"{row['peak_growth']:.2f}x",
            (largest, place),
            (5, 0),
            textcoords="offset points",
            va="center",
        )
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.invert_yaxis()
    axis.margins(x=0.12)
    axis.set_title("Peak memory of a long video")
    long, short = rows[0]["video_seconds"] / 60, rows[0]["peer"].removeprefix("the same on ")
    axis.set_xlabel(f"MB; blue: {long:g} min, grey: {short}; x: growth")


def _attention(axis: Any, section: Section) -> None:
    rows = section["rows"]
    ratios = [row["times_peer"] if "times_peer" in row else row["peak_growth"] for row in rows]
    colors = [OURS if row["way"] == "watched" else PEER for row in rows]
    axis.barh(range(len(rows)), ratios, color=colors, height=0.72)
    for place, ratio in enumerate(ratios):
        axis.annotate(
            f"{ratio:.2f}x", (ratio, place), (5, 0), textcoords="offset points", va="center"
        )
    axis.axvline(1, color=INK, linewidth=1)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.set(title="Seeing what a vision tower attends to", xlabel="in those of the tower alone")


def _real_size(axis: Any, section: Section) -> None:
    rows = section["rows"]
    for shift, key, color in ((-0.19, "weight_bytes", PEER), (0.19, "peak_bytes", OURS)):
        values = [row[key] / 1e9 for row in rows]
        axis.barh([place + shift for place in range(len(rows))], values, color=color, height=0.36)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.invert_yaxis()
    axis.set_title("Models of real width, LLM cut to two layers")
    axis.set_xlabel("GB; blue: peak of loading and answering, grey: weights")


def _costs(axis: Any, section: Section) -> None:
    times = {(row["stage"], row["keep"]): row for row in section["rows"]}
    keeps = [share["keep"] for share in section["shares"]]
    left = [0.0] * len(keeps)
    for stage, color in zip(("decode", "encode", "compress", "prefill"), COSTS, strict=True):
        once = times.get((stage, None))
        widths = [(once or times[stage, keep])["seconds"] for keep in keeps]
        axis.barh(range(len(keeps)), widths, left=left, color=color, height=0.72, label=stage)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, keep in enumerate(keeps):
        share = times["time to first token", keep]["times_peer"]
        note = f"{share:.2f}x; prefill {times['prefill', keep]['times_peer']:.2f}x"
        axis.annotate(note, (left[place], place), (5, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(keeps)), [f"keep {keep:g}" for keep in keeps])
    axis.set_ylim(len(keeps), -0.6)
    axis.margins(x=0.35)
    axis.legend(loc="lower right", ncols=len(COSTS))
    axis.set_title("Time to the first token of an answer")
    axis.set_xlabel(f"seconds; {section['model']}, random weights; x: of keep 1")


def _catalogue(axis: Any, section: Section) -> None:
    rows = sorted(section["rows"], key=lambda row: row["seconds"])
    colors = [OURS if row["name"] == "temporal" else PEER for row in rows]
    axis.scatter([row["seconds"] for row in rows], range(len(rows)), color=colors)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.invert_yaxis()
    axis.axvline(rows[0]["peer_seconds"], color=ACCENT, linewidth=1)
    label = "seconds; line: encoding the same frames"
    axis.set(title="Planning a quarter of 128 x 196 tokens", xlabel=label, xscale="log")


def _scissor(axis: Any, section: Section) -> None:
    rows = section["rows"]
    _bars(axis, rows, [f"{row['name']}  ·  {row['features']}" for row in rows], "scissor")
    axis.axvline(rows[0]["peer_seconds"], color=ACCENT, linewidth=1)
    axis.set(title="Semantic connected components", xlabel=f"seconds; line: {rows[0]['peer']}")


def _each(key: str, title: str, label: str) -> Callable[[Any, Section], None]:
    """Returns what draws one value of the rows that have it."""

    def draw(axis: Any, section: Section) -> None:
        rows = [row for row in section["rows"] if key in row]
        axis.barh([row["name"] for row in rows], [row[key] for row in rows], color=OURS)
        axis.invert_yaxis()
        axis.set(title=title, xlabel=label)

    return draw


def _slow_fast(axis: Any, section: Section) -> None:
    rows = section["rows"]
    colors = [OURS if row["stage"] == "condensing" else PEER for row in rows]
    axis.barh(range(len(rows)), [100 * row["times_peer"] for row in rows], color=colors)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.invert_yaxis()
    label = "per cent of encoding (blue), of the prefill of all tokens (grey)"
    axis.set(title="Slow-fast tokens of real size", xlabel=label)


PANELS: Final[dict[str, Callable[[Any, Section], None]]] = {
    "sampling": _sampling,
    "keyframes": _keyframes,
    "planning": _planning,
    "coverage": _coverage,
    "memory": _memory,
    "attention": _attention,
    "real_size": _real_size,
    "pointing": _pointing,
    "finding": _finding,
    "evidence": _evidence,
    "recall": _recall,
    "costs": _costs,
    "catalogue": _catalogue,
    "scissor": _scissor,
    "server": _each("per_second", "One server, several clients", "answers per second"),
    "skipping": _skipping,
    "slow_fast": _slow_fast,
    "large_frames": _each("times_peer", "Large frames", "times the decoder's CPU seconds"),
    "screen_text": _each("pixels_share", "Text on a screen", "share of the pixels that are read"),
    "text_retrieval": _each("share", "Questions about a screen", "right stretch first"),
    "page_prompts": _each("share", "Questions about pages", "answer in the prompt"),
    "scale": _each("times_peer", "Batches, against their simulation", "times what was simulated"),
}

"""`framesift bench reading`: how many words of screen recordings are left to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framesift.cli import options, terminal
from framesift.cli.parameters import names_of
from framesift.registry import require
from framesift.run import progress_bar

if TYPE_CHECKING:
    from framesift.evaluation.reading.measure import Recording


@click.command("reading")
@click.option(
    "-o",
    "--out",
    type=options.GivenPath(path_type=Path),
    default="reading",
    help="Folder of the log, the figures, the plot and the drawn pages.",
)
@click.option("--pages", type=click.IntRange(min=0), default=12, help="Pages that are drawn.")
@click.option(
    "--clips",
    multiple=True,
    type=options.GivenPath(path_type=Path, exists=True),
    help="A real recording or a folder of some; may be repeated.",
)
@click.option(
    "-s",
    "--strategy",
    "strategies",
    multiple=True,
    metavar="SPEC",
    shell_complete=names_of("strategies"),
    help="May be repeated; all.",
)
@click.option(
    "-k",
    "--keep",
    "keeps",
    type=click.FloatRange(min=0, max=1, min_open=True),
    multiple=True,
    default=(0.05, 0.1, 0.25, 0.5),
    show_default=True,
    help="Share of the tokens; may be repeated.",
)
@click.option("--encoder", default="handcrafted:grid_size=24", help="What makes the tokens.")
@click.option(
    "--text", default="screen:max_side_px=1024", help="The reader that `protect-text` asks."
)
@click.option("--frames", type=click.IntRange(min=1), default=8, help="Most frames of a video.")
@click.option("--side", type=click.IntRange(min=64), default=960, help="Longest side that is read.")
@click.option(
    "--words", type=click.IntRange(min=20), default=100, help="Most words of a video that are read."
)
@options.as_json
def reading(
    out: Path,
    pages: int,
    clips: tuple[Path, ...],
    strategies: tuple[str, ...],
    keeps: tuple[float, ...],
    encoder: str,
    text: str,
    frames: int,
    side: int,
    words: int,
    as_json: bool,
) -> None:
    """Paint over what is dropped, and count the words that OCR still reads.

    Pages are drawn in real fonts: they scroll, are typed, change at once, are dark or light. Real
    recordings are taken in parts of eight seconds. A run that was broken off goes on where it was.
    """
    from framesift.encoders import registry as encoders
    from framesift.evaluation.reading import measure, ways

    require("matplotlib", extra="bench")  # said before minutes of measuring
    chosen, left_out = ways.reading_ways(encoders.create(encoder).gives, strategies or None)
    looking = measure.Looking(encoder=encoder, text=text, frames=frames, side_px=side, words=words)
    videos = _in_turn(measure.drawn(out / measure.PAGES, pages), measure.recorded(clips))
    with progress_bar("reading", total=None, unit="video") as bar:
        for _ in measure.measure(out, videos, chosen, keeps, looking):
            bar.update(1)
    results = measure.write_results(out, chosen, keeps, looking)
    if as_json:
        click.echo(json.dumps(results))
        return
    terminal.echo("\n".join(_lines(results["rows"], keeps)))
    for name, reason in left_out.items():
        terminal.line(f"left out  {name}: {reason}")
    for name in (measure.RESULTS, measure.PLOT, measure.LOG):
        terminal.line(f"wrote     {out / name}")


def _in_turn(*runs: Iterable[Recording]) -> Iterator[Recording]:
    """Yields the first of each, then the second, so that a run that is broken off has of all."""
    for videos in zip_longest(*runs):
        yield from (video for video in videos if video is not None)


def _lines(rows: Sequence[dict[str, Any]], keeps: Sequence[float]) -> Iterator[str]:
    """Yields a table of words read in per cent, for each group the best at the least keep first."""
    for group in dict.fromkeys(row["group"] for row in rows):
        ways: dict[str, dict[float, float]] = {}
        for row in rows:
            if row["group"] == group:
                ways.setdefault(row["way"], {})[row["keep"]] = row["share"]
        wide = max(map(len, [group, *ways])) + 2
        yield f"{group:<{wide}}" + "".join(f"{f'{100 * keep:g} %':>9}" for keep in sorted(keeps))
        for way, shares in sorted(ways.items(), key=lambda item: -item[1].get(min(keeps), 0)):
            cells = "".join(f"{100 * shares.get(keep, 0):>9.1f}" for keep in sorted(keeps))
            yield f"{way:<{wide}}{cells}"

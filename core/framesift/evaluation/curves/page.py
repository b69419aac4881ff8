"""One HTML page about a log of answers: figures, numbers and their origin, without other files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from framesift.disk.writing import as_path, write_atomically
from framesift.evaluation.answers.log import AnswerLog, AnswerRun, bound_words, budget_words
from framesift.evaluation.answers.statistics import OVERALL, Share
from framesift.evaluation.answers.verdict import summary
from framesift.evaluation.curves.lines import Point
from framesift.evaluation.curves.numbers import Numbers
from framesift.evaluation.curves.plots import Picture, pictures_of

PAGE: Final = "curves.html"
FIGURES: Final = "curves.json"
CAVEATS: Final = {
    ("vlm", "tiny"): "The embedded tiny model answers. It knows only scenes like those it was "
    "trained on; how much a large model loses, and which strategy is best for it, may differ.",
    ("questions", "synthetic"): "The videos are synthetic, with still, sliding or noisy "
    "backgrounds and short events; real ones hold more, and repeat it in other ways.",
    (
        "questions",
        "glimpses",
    ): "The videos are synthetic and made to tell methods apart: whatever is "
    "asked about is small, and seen in one frame, or three.",
    ("questions", "real"): "Twenty questions about five clips are a proof of concept: an interval "
    "over five videos is itself uncertain.",
}
"""What is to be said of runs with a setting."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A number in a table, and smaller what belongs to it."""

    text: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers by row and column; None for an empty cell."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell | None]]]


def write_curves(
    folder: str | os.PathLike[str],
    log: AnswerLog,
    *,
    pictures: Sequence[Picture] = (),
    tables: Sequence[Table] = (),
) -> list[Path]:
    """Returns the files written to `folder`: each figure as PNG and SVG, one page, the numbers.

    Equal logs give equal bytes.

    Args:
        folder: made where it is missing; older files are replaced.
        log: answers of at least one strategy.
        pictures: further ones, for the end of the page.
        tables: further ones, for the end of the page.

    Raises:
        InvalidOptionError: the log has no answers of a strategy, or too few to compare.
        MissingDependencyError: matplotlib is not installed.
    """
    folder = as_path(folder, "folder")
    numbers = Numbers(log)
    drawn = [*pictures_of(numbers), *pictures]
    paths = [path for picture in drawn for path in picture.save(folder)]
    html = (
        _environment()
        .get_template("curves.html.j2")
        .render(
            run=log.run,
            caveats=list(caveats(log.run)),
            pictures=[(picture, inline_svg(folder, picture)) for picture in drawn],
            tables=[*_tables(numbers), *tables],
            answers=len(log.answers),
            videos=len({answer.video for answer in log.answers}),
            empty=sum(share.empty for share in (*numbers.levels, *numbers.shortened)),
        )
    )
    figures = json.dumps(summary(log), indent=1)
    return [
        *paths,
        write_atomically(folder / PAGE, html.encode(errors="backslashreplace")),
        write_atomically(folder / FIGURES, figures.encode()),
    ]


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("framesift.evaluation.curves"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def caveats(run: AnswerRun) -> Iterator[str]:
    """Yields what a reader of the figures of `run` should know of them."""
    for (name, value), words in CAVEATS.items():
        if run.settings.get(name) == value:
            yield words


def inline_svg(folder: Path, picture: Picture) -> Markup:
    """Returns the SVG of a picture as a part of a page, its names distinct from other pictures'."""
    text = (folder / f"{picture.stem}.svg").read_text()
    text = re.sub(r"<metadata>.*?</metadata>|<title>.*?</title>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{picture.stem}-", text)
    label = Markup('<svg role="img" aria-label="{}" ').format(picture.alt)
    return label + Markup(text[text.index("<svg") + len("<svg ") :])


def _tables(numbers: Numbers) -> Iterator[Table]:
    ways = {(share.strategy, share.keep): share for share in numbers.shortened}
    keeps = [budget_words(keep) for keep in numbers.keeps]
    where = budget_words(numbers.quarter)
    yield Table(
        title="Without a budget",
        note="answers that compression does not touch",
        head=("right", "visual tokens", "seconds to the first token", "answers", "videos"),
        rows=[(share.strategy, _level(share)) for share in numbers.levels],
    )
    yield Table(
        title="Right answers by strategy and tokens kept",
        note=f"per cent with 95 % intervals over videos; the best at {where} first",
        head=keeps,
        rows=[
            (name, [share_cell(ways.get((name, keep))) for keep in numbers.keeps])
            for name in numbers.ranked
        ],
    )
    if any(share.first_token_seconds is not None for share in numbers.shortened):
        yield Table(
            title="Seconds to the first token by strategy and tokens kept",
            note="medians; decoding, encoding, planning and prefill",
            head=keeps,
            rows=[
                (name, [_seconds(ways.get((name, keep))) for keep in numbers.keeps])
                for name in numbers.ranked
            ],
        )
    groups = (OVERALL, *numbers.kinds)
    yield Table(
        title=f"Right answers by kind of question at {bound_words(numbers.quarter)}",
        note="per cent with 95 % intervals over videos",
        head=groups,
        rows=[
            (name, [share_cell(row.get(group), decimals=0) for group in groups])
            for name, row in numbers.rows_of_kinds()
        ],
    )


def _level(share: Share) -> list[Cell | None]:
    tokens = Cell(text=f"{share.tokens:,.0f}", note=budget_words(share.tokens_share))
    counts = (Cell(text=f"{count:,}") for count in (share.answers, share.videos))
    return [share_cell(share), tokens, _seconds(share), *counts]


def share_cell(share: Share | Point | None, *, decimals: int = 1) -> Cell | None:
    """Returns a share in per cent with its interval."""
    if share is None:
        return None
    bounds = share.interval or ()
    note = " to ".join(f"{100 * bound:.{decimals}f}" for bound in bounds)
    return Cell(text=f"{100 * share.share:.{decimals}f}", note=note)


def _seconds(share: Share | None) -> Cell | None:
    if share is None or share.first_token_seconds is None:
        return None
    return Cell(text=f"{share.first_token_seconds:.3f}")

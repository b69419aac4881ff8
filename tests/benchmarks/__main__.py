"""Measures speed and memory beside named peers: `make bench`.

These are measurements, not tests: every figure is set in proportion to a peer of the same run, so
it holds on other machines too. The results go to one JSON file and one picture.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

import click

from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.plots import write_figure
from benchmarks.process import Json, logger
from benchmarks.sections import (
    attention,
    catalogue,
    costs,
    coverage,
    evidence,
    finding,
    keyframes,
    large_frames,
    memory,
    page_prompts,
    planning,
    pointing,
    real_size,
    recall,
    sampling,
    scale,
    scissor,
    screen_text,
    server,
    skipping,
    slow_fast,
    text_retrieval,
)
from benchmarks.table import table_lines
from framesift.disk.writing import write_atomically, writing_to
from framesift.evaluation import provenance
from framesift.evaluation.provenance import CHANGED, cpu_model, versions
from framesift.registry import require

Measure = Callable[[Effort, Path | None], Json]


class Section(Protocol):
    """A file in `sections/`."""

    __name__: str

    def measure(self, effort: Effort, clips: Path | None) -> Json:
        """Returns the results of the section; `clips` is a folder of more clips."""
        ...


ORDER: Final[tuple[Section, ...]] = (
    sampling,
    keyframes,
    planning,
    coverage,
    memory,
    attention,
    real_size,
    costs,
    pointing,
    finding,
    evidence,
    recall,
    catalogue,
    scissor,
    server,
    skipping,
    slow_fast,
    large_frames,
    screen_text,
    text_retrieval,
    page_prompts,
    scale,
)
NEED_CLIPS: Final = ("evidence", "recall", "large_frames", "screen_text", "text_retrieval")
"""Sections that measure the real clips alone."""
PEERS: Final = ("scenedetect", "decord", "torchcodec")
"""Packages that ours is measured against."""
UNFINISHED: Final = "benchmark-unfinished.json"
SECTIONS: Final = {part.__name__.rpartition(".")[2]: part.measure for part in ORDER}


def run(
    sections: Mapping[str, Measure],
    effort: Effort,
    clips: Path | None,
    *,
    unfinished: Path,
    save: Callable[[Json], object] = lambda results: None,
) -> Json:
    """Returns the results of `sections`, with what they were measured on.

    Args:
        sections: what measures each, by name.
        effort: how much is measured.
        clips: folder of more clips.
        unfinished: file that keeps finished sections until all are; a run that was broken off goes
            on after them, if it is of the same commit, without changes, on the same machine.
        save: is given the results before that file goes, so that they are always in one.
    """
    about = {
        "machine": {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": versions(*PEERS),
        "commit": commit(),
        "quick": effort == QUICK,
    }
    done = _finished(unfinished, about)
    for name, measure in sections.items():
        if name not in done:
            done[name] = _timed(measure, effort, clips)
            write_atomically(unfinished, json.dumps(about | {"sections": done}).encode())
    made = datetime.now(UTC).date().isoformat()
    results = {"made": made, **about, "sections": {name: done[name] for name in sections}}
    save(results)
    unfinished.unlink(missing_ok=True)
    return results


def commit() -> str:
    """Returns the commit that the package is of, and whether it or the sections were changed."""
    own = provenance.commit(Path(__file__).parent)
    return own if own.endswith(CHANGED) else provenance.commit()


def _finished(path: Path, about: Json) -> Json:
    """Returns the sections that an earlier run of the same kind has finished."""
    try:
        earlier: Json = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    sections: Json = earlier.pop("sections", {})
    same_code = not about["commit"].endswith(CHANGED)
    return sections if same_code and earlier == about else {}


def _timed(measure: Measure, effort: Effort, clips: Path | None) -> Json:
    """Returns the results of a section, and how long they took."""
    start = time.perf_counter()
    results = measure(effort, clips)
    return results | {"took_seconds": round(time.perf_counter() - start)}


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default="benchmark", help="Folder to write to."
)
@click.option("--only", help="Sections to measure, separated by commas; all by default.")
@click.option(
    "--clips",
    type=click.Path(path_type=Path),
    envvar="FRAMESIFT_CLIPS",
    help="Folder of more clips.",
)
@click.option("--quick", is_flag=True, help="Fewer rounds and smaller sizes.")
def main(out: Path, only: str | None, clips: Path | None, quick: bool) -> None:
    """Measure speed and memory; a full run takes about half an hour and leaves `benchmark.json`.

    A run of some sections leaves `benchmark-SECTION.json`, and the results of full runs alone. One
    that was broken off goes on after the last finished section.
    """
    names = [name.strip() for name in only.split(",")] if only else list(SECTIONS)
    if not only and clips is None:
        names = [name for name in names if name not in NEED_CLIPS]
        left_out = ", ".join(NEED_CLIPS)
        click.echo(f"{left_out} are left out; they need the real clips in --clips FOLDER")
    if unknown := sorted(set(names) - SECTIONS.keys()):
        raise click.BadParameter(
            f"{','.join(unknown)!r} is not a section; choose from: {', '.join(SECTIONS)}"
        )
    for package, extra in (("matplotlib", "bench"), ("psutil", "test")):
        require(package, extra=extra)
    logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
    stem = "-".join(["benchmark", *(names if only else [])])

    def save(results: Json) -> None:
        write_figure(out / f"{stem}.png", results)
        write_atomically(out / f"{stem}.json", f"{json.dumps(results, indent=1)}\n".encode())

    effort = QUICK if quick else FULL
    with writing_to(out):
        chosen = {name: SECTIONS[name] for name in names}
        results = run(chosen, effort, clips, unfinished=out / UNFINISHED, save=save)
    click.echo("\n".join(table_lines(results)))


if __name__ == "__main__":
    main()

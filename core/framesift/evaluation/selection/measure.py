"""Measures ways to choose frames, and goes on where a run was broken off."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from framesift.disk.writing import FileLock, write_atomically
from framesift.evaluation import provenance
from framesift.evaluation.answers.question_sets import Split
from framesift.evaluation.selection.choices import Choice, Choosing
from framesift.evaluation.selection.figures import differences, rows
from framesift.evaluation.selection.goals import goals
from framesift.evaluation.selection.plot import write_plot
from framesift.evaluation.selection.question_sets import LENGTHS, BriefVideo, brief_videos
from framesift.evaluation.selection.ways import ROUTED, TRAINED, SelectionWay
from framesift.training.frame_selector.label_file import mended_lines, read_lines
from framesift.vlms.base import VLM

LOG, RESULTS, PLOT = "choices.jsonl", "selection.json", "selection.png"
SPLIT: Final[Split] = "test"


def measure(
    out: Path,
    ways: Sequence[SelectionWay],
    readers: Mapping[str, VLM],
    *,
    videos: int,
    lengths: Sequence[int] = LENGTHS,
) -> Iterator[BriefVideo]:
    """Adds what is missing to the log in a folder; yields each video when it is done.

    Args:
        out: folder; a log of the same ways is gone on with.
        ways: of different names.
        readers: vision LLMs by name, the main one first.
        videos: of the test split, each in all lengths.
        lengths: seconds of the videos, which is how many frames there are to choose among.
    """
    out.mkdir(parents=True, exist_ok=True)
    choosing, path = Choosing(ways, readers), out / LOG
    lock = FileLock.of(path)
    done = {choice.key for choice in mended_lines(Choice, path)}
    each = chain.from_iterable(
        zip(*(brief_videos(SPLIT, videos, seconds) for seconds in lengths), strict=True)
    )
    yield from choosing.add_to(path, each, done)
    del lock


def write_results(
    out: Path, ways: Sequence[SelectionWay], readers: Mapping[str, VLM], *, videos: int
) -> dict[str, Any]:
    """Writes the figures and the plot of a log, and returns the figures.

    Lines of other ways, readers or videos stay in the log and do not count.
    """
    wanted = {(way.name, way.selector) for way in ways}
    names = {video.name for video in brief_videos(SPLIT, videos, min(LENGTHS))}
    choices = [
        choice
        for choice in read_lines(Choice, out / LOG)
        if (choice.way, choice.selector) in wanted
        and choice.reader in readers
        and choice.video in names
    ]
    gains, routed = differences(choices, TRAINED), differences(choices, ROUTED)
    results = {
        "settings": {"split": SPLIT, "videos": videos},
        "readers": {name: {"weights": model.weights} for name, model in readers.items()},
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "commit": provenance.commit(),
        "goals": goals(gains, routed, list(readers)),
        "rows": rows(choices),
        "trained_less_others": gains,
        "routed_less_others": routed,
    }
    write_atomically(out / RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    write_plot(out / PLOT, results)
    return results

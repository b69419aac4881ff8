"""Batches that share one GPU, beside the simulation of the large library made of their pieces.

Called on a machine with a GPU as `PYTHONPATH=tests python -m benchmarks.card_library FILE`, it
writes JSON to FILE as far as it has come. A tower of CLIP's size with random weights stands for the
encoder; with `--tiny` a small one on the CPU, to try the program itself.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import click

from benchmarks.process import Json, Laps, in_fresh_process, timing
from benchmarks.scale import Station, Step, simulate
from benchmarks.sections.scale import batch_run
from benchmarks.videos import numbered_clip, repeated

STRATEGY: Final = "temporal"
KEEP: Final = 0.25


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--minutes", default=5, help="Of each video.")
@click.option("--workers", default="1,4,16", help="Of the batches.")
@click.option("--videos-each", default=3, help="Videos for each worker.")
@click.option("--tiny", is_flag=True)
@click.option("--ray", is_flag=True, help="Also the same batch on a Ray cluster of this machine.")
def main(file: Path, minutes: int, workers: str, videos_each: int, tiny: bool, ray: bool) -> None:
    """Measures pieces and batches, and simulates the batches."""
    counts = [int(count) for count in workers.split(",")]
    video = repeated(numbered_clip(seconds=60, gop=250), times=minutes)
    told: Json = {"machine": machine(), "minutes": minutes, "strategy": STRATEGY, "keep": KEEP}

    def tell(**more: Any) -> None:
        told.update(more)
        file.write_text(json.dumps(told, indent=1))

    with tempfile.TemporaryDirectory() as folder:
        options = {
            "encoder": f"clip:model={tower(Path(folder), tiny=tiny)}",
            "strategy": STRATEGY,
            "keep": KEEP,
        }
        decoding = [decoding_of(video, minutes, options, count) for count in counts]
        tell(decoding=decoding)
        encoding = in_fresh_process(encoding_run, video=video, options=options).facts
        tell(encoding=encoding)
        rows = list[Json]()
        for engine in ["local", "ray"] if ray else ["local"]:
            for count, pieces in zip(counts, decoding, strict=True):
                row = batch_row(video, options, engine, count, videos_each * count)
                row["simulated"] = simulated(pieces, encoding, row, minutes)
                rows.append(row)
                tell(batches=rows)


def machine() -> Json:
    """Returns what this runs on."""
    import torch

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"gpu": card, "cores": os.cpu_count(), "python": platform.python_version()}


def tower(folder: Path, *, tiny: bool) -> Path:
    """Returns the folder of a CLIP tower with random weights."""
    import torch
    import transformers

    from framesift.evaluation.gpu.planning import CLIP_LARGE, CLIP_TINY

    torch.manual_seed(0)
    size = CLIP_TINY if tiny else CLIP_LARGE
    config = transformers.CLIPVisionConfig(**size.tower)
    transformers.CLIPVisionModel(config).save_pretrained(folder)
    side = {"shortest_edge": size.tower["image_size"]}
    transformers.CLIPImageProcessorPil(size=side).save_pretrained(folder)
    return folder


def decoding_of(video: Path, minutes: int, options: Json, at_once: int) -> Json:
    """Returns what decoding a minute takes while so many processes decode, each with one thread."""
    run = partial(in_fresh_process, decoding_run, video=video, options=options)
    with ThreadPoolExecutor(at_once) as pool:
        facts = [each.result().facts for each in [pool.submit(run) for _ in range(at_once)]]
    return {
        "at_once": at_once,
        "core_seconds": round(median(each["core_seconds"] for each in facts) / minutes, 4),
        "seconds": round(median(each["seconds"] for each in facts) / minutes, 4),
        "bytes_in": round(video.stat().st_size / minutes),
    }


def decoding_run(laps: Laps, *, video: str, options: Json) -> Json:
    """Returns what decoding the frames of one video takes that become tokens."""
    import torch

    from framesift import VideoCompressor

    torch.set_num_threads(1)
    sift = VideoCompressor(**options)
    start, used = perf_counter(), process_time()
    with laps.lap("decode"):
        sift.decode(video)
    return {"seconds": perf_counter() - start, "core_seconds": process_time() - used}


def encoding_run(laps: Laps, *, video: str, options: Json) -> Json:
    """Returns what encoding, planning and applying take of decoded frames: of a GPU all the time.

    What the host does meanwhile, in the same seconds, is `core_seconds`.
    """
    import torch

    from framesift import VideoCompressor

    torch.set_num_threads(1)
    sift = VideoCompressor(**options)
    decoded = sift.decode(video)
    sift.compress(decoded)
    seconds, cores = [], []
    for _ in range(3):
        start, used = perf_counter(), process_time()
        with laps.lap("encode"):
            made = sift.compress(decoded)
            tokens = made.tokens.cpu()
        seconds.append(perf_counter() - start)
        cores.append(process_time() - used)
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    return {
        "frames": len(decoded.frames),
        "tokens_in": made.report.tokens_in,
        "tokens_out": made.report.tokens_out,
        "bytes_out": tokens.numel() * tokens.element_size(),
        "seconds": round(median(seconds), 4),
        "core_seconds": round(median(cores), 4),
        "timed_seconds": {name: round(value, 4) for name, value in made.report.seconds.items()},
        "gpu_peak_bytes": peak,
    }


def batch_row(video: Path, options: Json, engine: str, workers: int, videos: int) -> Json:
    """Returns what a batch took, beside its start: the same batch of one video for each worker."""
    given: dict[str, Any] = {"task": "compress", "workers": workers, "options": options}
    given["on_ray"] = None if engine == "local" else {"gpus_each": _gpus() / workers}
    run = partial(in_fresh_process, batch_run, **given)
    start = run(videos=[str(video)] * workers)
    whole = run(videos=[str(video)] * (workers + videos))
    first, took = start.seconds["batch"][0], whole.seconds["batch"][0]
    return {
        "engine": engine,
        "workers": workers,
        "videos": videos,
        "seconds_of_first_videos": round(first, 3),
        "core_seconds": whole.facts["core_seconds"],
        **timing([took - first]),
    }


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def simulated(decoding: Json, encoding: Json, row: Json, minutes: int) -> Json:
    """Returns what the simulation says of the videos behind the first ones."""
    decoded = Step(resource="cores", amount=decoding["seconds"] * minutes)
    encoded = Step(resource="gpu", amount=encoding["seconds"])
    outcome = simulate(
        [[[decoded, encoded]]] * row["videos"],
        [Station(name="batch", workers=row["workers"])],
        {"cores": float(os.cpu_count() or 1), "gpu": 1.0},
    )
    return asdict(outcome) | {"times": round(row["seconds"] / outcome.seconds, 3)}


if __name__ == "__main__":
    from benchmarks import card_library  # fresh processes find what they run by this name

    card_library.main()

"""What each piece of a batch takes, and whether a simulation made of the pieces holds.

The pieces are measured in one process, a kind of video at a time; the batches with worker processes
on all cores. Batches and pieces take turns, so that a disturbance of the machine meets both.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from types import MappingProxyType
from typing import Any, Final

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, Measured, in_fresh_process, timing
from benchmarks.scale import Station, Step, simulate
from benchmarks.videos import numbered_clip, repeated
from framesift.batching.tasks import Task
from framesift.disk.tensors import TensorFile
from framesift.types.compressed import CompressedVideo
from framesift.types.compressed_files import token_tensors

HOLDS: Final = 0.2
"""By how much a simulated time may differ from the measured one."""
TASKS: Final[tuple[Task, ...]] = ("compress", "keyframes")
KINDS: Final = {"720p, 10 s": (10, 60, 6), "720p, 60 s": (60, 250, 3)}
"""Seconds, frames between key frames, and how many of a kind are in the library of all kinds."""
LONG_MINUTES: Final = 10
ENCODER: Final = "handcrafted"


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns measured and simulated batches, and the pieces of a video of ten minutes."""
    videos = {
        name: numbered_clip(seconds=seconds, gop=gop) for name, (seconds, gop, _) in KINDS.items()
    }
    counts = {name: count for name, (_, _, count) in KINDS.items()}
    minute = numbered_clip(seconds=60, gop=250)
    return {
        "question": f"does a simulation made of measured pieces hold within {HOLDS:.0%}?",
        "rows": batch_rows(videos, counts, rounds=effort.scale_rounds),
        "pieces": in_fresh_process(pieces_run, video=repeated(minute, times=LONG_MINUTES)).facts,
    }


def batch_rows(videos: Mapping[str, Path], counts: Mapping[str, int], *, rounds: int) -> list[Json]:
    """Returns a row for each batch: libraries of one kind and of all kinds, both tasks."""
    cores = os.cpu_count() or 1
    libraries = {name: {name: 2 * counts[name]} for name in videos} | {"all kinds": dict(counts)}
    ways = [(task, workers) for task in TASKS for workers in dict.fromkeys((1, cores))]
    pieces: list[dict[tuple[str, Way], Cost]] = []
    took: dict[tuple[str, Way], list[float]] = {}
    for _ in range(rounds):
        pieces.append({(kind, way): _cost(videos[kind], way) for kind in videos for way in ways})
        for name, library in libraries.items():
            for way in ways:
                found = [videos[kind] for kind, count in library.items() for _ in range(count)]
                took.setdefault((name, way), []).append(_batch(found, way).seconds["batch"][0])
    typical = {key: Cost.middle([each[key] for each in pieces]) for key in pieces[0]}
    return [
        _row(
            name,
            way,
            seconds,
            _simulated(typical, libraries[name], way, cores),
            {kind: asdict(typical[kind, way]) for kind in libraries[name]},
        )
        for (name, way), seconds in took.items()
    ]


Way = tuple[Task, int]
"""Task and workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a video and the start of a worker take."""

    video: Step
    start: Step

    @staticmethod
    def middle(costs: Sequence[Cost]) -> Cost:
        """Returns the one whose video takes the median."""
        return sorted(costs, key=lambda cost: cost.video.amount)[len(costs) // 2]


def _cost(video: Path, way: Way) -> Cost:
    """Returns what a video takes by itself, and what a batch of it by one worker takes beside."""
    task, workers = way
    alone = in_fresh_process(video_run, video=video, task=task, workers=workers).facts
    batch = _batch([video], (task, 1))
    seconds = batch.seconds["batch"][0] - alone["seconds"]
    return Cost(
        video=_on_cores(alone["core_seconds"], alone["seconds"]),
        start=_on_cores(batch.facts["core_seconds"] - alone["core_seconds"], seconds),
    )


def _on_cores(core_seconds: float, seconds: float) -> Step:
    """Returns work that uses as many cores at once as it did by itself."""
    core_seconds = max(core_seconds, 1e-3)
    return Step(resource="cores", amount=core_seconds, most=core_seconds / max(seconds, 1e-3))


def _batch(videos: Sequence[Path], way: Way) -> Measured:
    return in_fresh_process(batch_run, videos=list(map(str, videos)), task=way[0], workers=way[1])


def _simulated(
    costs: Mapping[tuple[str, Way], Cost], library: Mapping[str, int], way: Way, cores: int
) -> float:
    start = costs[next(iter(library)), way].start
    station = Station(name="batch", workers=way[1], start=(start,))
    videos = [[[costs[kind, way].video]] for kind, count in library.items() for _ in range(count)]
    return simulate(videos, [station], {"cores": cores}).seconds


def _row(library: str, way: Way, seconds: Sequence[float], simulated: float, costs: Json) -> Json:
    task, workers = way
    times = median(seconds) / simulated
    return {
        "video": library,
        "name": f"{task}, {workers} worker{'s' if workers > 1 else ''}",
        **timing(seconds),
        "peer": "the simulation",
        "peer_seconds": round(simulated, 6),
        "times_peer": round(times, 4),
        "costs": costs,
        "holds": 1 / (1 + HOLDS) <= times <= 1 + HOLDS,
    }


def video_run(laps: Laps, *, video: str, task: Task, workers: int) -> Json:
    """Returns what one video takes in a warm process, with a worker's share of the cores."""
    import cv2
    import torch

    from framesift.batching import Item, Work, store_of
    from framesift.batching.work import work_on

    threads = max(1, (os.cpu_count() or 1) // workers)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    seconds, cores = [], []
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(folder)
        for number in range(3):
            shutil.rmtree(Path(folder) / "files", ignore_errors=True)
            start, used = perf_counter(), process_time()
            with laps.lap("video"):
                done = work_on(Work(task=task), Item(id=str(number), video=video), store)
            if done.error is not None:
                raise RuntimeError(done.error)
            seconds.append(perf_counter() - start)
            cores.append(process_time() - used)
    return {"seconds": median(seconds[1:]), "core_seconds": median(cores[1:])}


def batch_run(
    laps: Laps,
    *,
    videos: Sequence[str],
    task: Task,
    workers: int,
    options: Mapping[str, Any] = MappingProxyType({}),
    on_ray: Mapping[str, Any] | None = None,
) -> Json:
    """Returns what the workers of a batch used of the cores.

    Args:
        laps: gets the seconds.
        videos: paths.
        task: what is done.
        workers: how many.
        options: of the compressor.
        on_ray: options of the engine of Ray; None for that of one machine.
    """
    import framesift

    engine = None
    if on_ray is not None:
        import framesift_ray

        engine = framesift_ray.engine(**on_ray)

    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library.jsonl"
        rows = [json.dumps({"id": str(i), "video": video}) for i, video in enumerate(videos)]
        library.write_text("\n".join(rows))
        with laps.lap("batch"):
            done = framesift.batch(
                library,
                Path(folder) / "out",
                task,
                compressor=framesift.VideoCompressor(**options),
                workers=workers,
                engine=engine,
            )
    if done.failed:
        raise RuntimeError(next(iter(done.errors.values())))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"core_seconds": used.ru_utime + used.ru_stime}


def pieces_run(laps: Laps, *, video: str) -> Json:
    """Returns the core-seconds and bytes of the pieces of a long video, a minute of it."""
    from framesift.compression.compressor import VideoCompressor
    from framesift.decoders import registry as decoders
    from framesift.decoders.sampling import at_fps
    from framesift.encoders import registry as encoders

    decoder, encoder = decoders.create("pyav"), encoders.create(ENCODER)
    sift, path, cores = VideoCompressor(encoder=encoder), Path(video), dict[str, float]()
    sift.compress(path)  # what the first use imports and builds is no piece of a video

    def took(name: str, work: Callable[[], Any]) -> Any:
        used = process_time()
        with laps.lap(name):
            made = work()
        cores[name] = process_time() - used
        return made

    index = took("index", lambda: decoder.index(path))
    height, width = encoder.fitted(index.info).input_px
    wanted = at_fps(index, sift.fps)
    took("decode", lambda: sum(map(len, decoder.decode(path, wanted, size_px=(height, width)))))
    encoded = took("all", lambda: sift.encode(path))
    made = took("plan", lambda: sift.reduce(encoded))
    with tempfile.TemporaryDirectory() as folder:
        content = took("write", lambda: _written(Path(folder) / "tokens", made))
    cores["encode"] = max(cores.pop("all") - cores["index"] - cores["decode"], 0.0)
    minutes = index.info.duration_seconds / 60
    return {
        "encoder": encoder.spec,
        "minutes": round(minutes, 3),
        "core_seconds": {name: round(value / minutes, 5) for name, value in cores.items()},
        "bytes_in": round(path.stat().st_size / minutes),
        "bytes_out": round(content / minutes),
    }


def _written(path: Path, made: CompressedVideo) -> int:
    return path.write_bytes(b"".join(TensorFile(token_tensors(made)).pieces()))

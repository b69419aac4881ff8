"""The whole of `framesift bench gpu`: planning, and every model's way to its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Final

import torch

from framesift.compression.compressor import VideoCompressor
from framesift.disk.temporary import kept_on_success, remove
from framesift.errors import InvalidOptionError
from framesift.evaluation import provenance
from framesift.evaluation.gpu.answers import FIRST_TOKEN, QUESTIONS, BothPaths, first_tokens
from framesift.evaluation.gpu.clock import DeviceClock
from framesift.evaluation.gpu.decoding import decoding
from framesift.evaluation.gpu.goals import goals
from framesift.evaluation.gpu.models import PUBLISHED, TINY, BenchModel
from framesift.evaluation.gpu.planning import CLIP_LARGE, CLIP_TINY, PlanSize, planning
from framesift.evaluation.gpu.sections import Sections
from framesift.evaluation.gpu.still import made_up_frames, skipping
from framesift.hf.tower_checkpoint import placed
from framesift.sources.base import open_video
from framesift.types.frames import Frames
from framesift.types.video import LocalVideo
from framesift.vlms.base import VLM

QUARTER: Final = 0.25
OF_A_CPU: Final = "measured on a CPU: it says nothing about a card"
OF_ANOTHER: Final = "measured on no GPU of CUDA: answers are not compiled, memory is not counted"


@dataclass(frozen=True, kw_only=True)
class BenchSize:
    """How much is measured."""

    models: tuple[BenchModel, ...]
    plan: PlanSize
    keeps: dict[int, tuple[float, ...]]
    """Shares of the tokens for each length of the video, in frames at one a second, ascending."""
    still: tuple[tuple[int, float], ...]
    """Frames, and the share of the picture that stands still, of videos for skipping."""
    still_px: tuple[int, int]
    """Size `(H, W)` of these."""
    repeats: int


SIZES: Final = {
    "7b": BenchSize(
        models=PUBLISHED,
        plan=CLIP_LARGE,
        keeps={8: (0.75, 0.25), 32: (1.0, 0.75, 0.5, 0.25, 0.1), 128: (1.0, 0.5, 0.25, 0.1)},
        still=((128, 0.75), (128, 0.0), (32, 0.0)),
        still_px=(360, 640),
        repeats=3,
    ),
    "tiny": BenchSize(
        models=TINY,
        plan=CLIP_TINY,
        keeps={4: (0.75, 0.25), 8: (1.0, 0.25)},
        still=((8, 0.75), (4, 0.0)),
        still_px=(112, 112),
        repeats=1,
    ),
}
"""Sizes by name: what people run, and what a CPU runs in a minute."""


def bench_device(name: str | None, size: str) -> torch.device:
    """Returns the device of a name; the GPU where there is one, else the CPU, without a name.

    Raises:
        InvalidOptionError: not a device, or a CPU, and models of seven billion weights.
    """
    device = torch.device(placed(name, "auto")[0])
    if device.type == "cpu" and SIZES[size].models is PUBLISHED:
        raise InvalidOptionError(
            f"size={size!r} on a CPU would take hours; run it where torch finds a GPU, or pass "
            "--size tiny"
        )
    return device


def measure(
    size: BenchSize,
    device: torch.device,
    progress: Callable[[str], object],
    written: Callable[[dict[str, Any]], object] = lambda _: None,
) -> dict[str, Any]:
    """Returns everything that is measured on a device, and what is asked of it.

    A section that fails, as one for which a card is too small, is left out and named.

    Args:
        size: how much is measured.
        device: where models and tokens are.
        progress: called with what comes next.
        written: called with all results so far, after each section.
    """
    clock, longest = DeviceClock(device=device, repeats=size.repeats), max(size.keeps)
    sections = Sections(clock=clock, progress=progress, done=lambda: written(results))
    progress("video")
    with open_video(f"synthetic://mixed?seconds={longest}&seed=1") as local:
        video = _Video.read(local, clock)
        results: dict[str, Any] = {
            "device": clock.named(),
            "kind": device.type,
            "note": "" if clock.on_gpu else OF_A_CPU if device.type == "cpu" else OF_ANOTHER,
            "machine": provenance.machine(),
            "versions": provenance.versions("torchvision", "triton"),
            "commit": provenance.commit(),
            "repeats": size.repeats,
            "decode": {
                "frames": len(video.frames),
                "video": local.uri,
                "seconds": video.decode_seconds,
            },
            "planning": None,
            "models": [],
            "failures": sections.failures,
            "goals": [],
        }
        results["planning"] = sections.run(
            "plans of all strategies", lambda: planning(clock, size.plan, sections.tried)
        )
        sections.done()
        for model in size.models:
            _measure(model, size, sections, video, results["models"])
            _freed(clock)
    results["seconds"] = clock.elapsed_seconds
    results["goals"] = [goal.as_row(on_gpu=clock.on_gpu) for goal in goals(results)]
    sections.done()
    return results


@dataclass(frozen=True, kw_only=True)
class _Video:
    """The synthetic video of a run."""

    local: LocalVideo
    frames: Frames
    decode_seconds: float

    @classmethod
    def read(cls, local: LocalVideo, clock: DeviceClock) -> _Video:
        sift = VideoCompressor()
        frames = sift.frames(local)
        seconds = clock.seconds(lambda: sift.frames(local), warm=False)
        return cls(local=local, frames=frames, decode_seconds=seconds)


def _measure(
    model: BenchModel,
    size: BenchSize,
    sections: Sections,
    video: _Video,
    into: list[dict[str, Any]],
) -> None:
    """Adds what is measured of one model to a list, section by section."""
    clock, name = sections.clock, model.published
    with kept_on_success() as folder:
        start = perf_counter()
        vlm = sections.run(f"{name}: weights", lambda: model.load(folder, clock.device))
        if vlm is not None:
            clock.wait()
            found: dict[str, Any] = {
                "name": name,
                "family": model.family,
                "dtype": str(vlm.hf.dtype).removeprefix("torch."),
                "parameters": sum(weight.numel() for weight in vlm.hf.parameters()),
                "load_seconds": perf_counter() - start,
                "first_tokens": [],
                "from_file": None,
                "skipping": [],
                "decoding": None,
            }
            into.append(found)
            paths = partial(BothPaths, clock=clock, model=model, vlm=vlm)
            _sections(paths, size, sections, video, found)
    remove(folder)


def _sections(
    of: Callable[..., BothPaths],
    size: BenchSize,
    sections: Sections,
    video: _Video,
    found: dict[str, Any],
) -> None:
    name, run, clock = found["name"], sections.run, sections.clock
    for count, keeps in size.keeps.items():
        title = f"{name}: {count} frames to the first token"
        paths = of(frames=video.frames[:count])
        row = run(title, partial(first_tokens, paths, keeps, sections.tried))
        sections.keep(found["first_tokens"], row)
    for count, still in size.still:
        paths = of(frames=made_up_frames(count, size.still_px, still=bool(still)))
        title = f"{name}: skipping, {count} frames, {100 * still:.0f} % still"
        row = run(title, partial(skipping, paths, QUARTER, still=still))
        sections.keep(found["skipping"], row)
    own = {each["frames"]: each["own"] for each in found["first_tokens"]}.get(max(size.keeps))
    found["from_file"] = run(
        f"{name}: from the file to the first token",
        lambda: _from_file(of(frames=video.frames).vlm, clock, video, own and own["seconds"]),
    )
    found["decoding"] = run(
        f"{name}: answers, compiled and not",
        lambda: decoding(of(frames=video.frames), video.local, QUARTER, sections.tried),
    )
    sections.done()


def _from_file(
    vlm: VLM, clock: DeviceClock, video: _Video, own_seconds: float | None
) -> dict[str, float | None]:
    """Returns what the whole pipeline takes from the file to the first token, beside the own path.

    The own path is set behind the same decoder.
    """
    sift = VideoCompressor(vlm=vlm, keep=QUARTER)
    asked = partial(sift.ask, video.local, QUESTIONS[0], generation=FIRST_TOKEN, evidence=None)
    return {
        "keep": QUARTER,
        "own_seconds": own_seconds and video.decode_seconds + own_seconds,
        "seconds": clock.seconds(asked),
    }


def _freed(clock: DeviceClock) -> None:
    """Has the memory of the last model free for the next one."""
    if clock.on_gpu:
        torch.compiler.reset()
    clock.free()

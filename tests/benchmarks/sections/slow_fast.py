"""What does a TimePerceiver add to encoding, and what does its layout take off the prefill?

Tower and TimePerceiver have their published or specified sizes and random weights: frames of 448 px
in 28 x 28 patches of 1,152 channels, 26 layers. They take turns, a segment of four frames each.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, logger, timing
from benchmarks.real_models import CLAPPER
from framesift.registry import require

SEGMENT: Final = 4
KEY_TOKENS: Final = 196
TIME_TOKENS: Final = 49
DEPTHS: Final = (2, 6)
"""Of the TimePerceiver: the default, and Flamingo's."""
ENCODING: Final = "encoding alone"
MOST_ADDED: Final = 0.03
"""Largest share of encoding that the default TimePerceiver may take."""
QUESTION: Final = "What happens in the video?"
ALL: Final = "all tokens"
SLOW_FAST: Final = "slow-fast"
UNIFORM: Final = "whole frames within the same bound"
NOT_VISUAL: Final = 1.15
"""How much slower than in proportion to its tokens a prefill may be: text and fixed costs."""


def bound(frames: int) -> int:
    """Returns the tokens of the slow-fast layout of frames that make whole segments."""
    return frames // SEGMENT * (KEY_TOKENS + TIME_TOKENS)


def perceiver(depth: int, **sizes: Any) -> Any:
    """Returns a TimePerceiver of real size whose weights are all in use, as after training."""
    from framesift.nn.time_perceiver import TimePerceiver, TimePerceiverConfig

    config = TimePerceiverConfig(**{"width": 1152, "grid": (28, 28), "depth": depth, **sizes})
    torch.manual_seed(0)
    made = TimePerceiver(config)
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.02 * torch.randn_like(value))
    return made.eval()


def segments_run(laps: Laps, *, segments: int, device: str, dtype: str) -> Json:
    """Encodes segments and condenses them, in turns; the first one does not count.

    The facts are seconds of each turn, as `_now` counts them.
    """
    transformers = require("transformers", extra="hf")
    kind = getattr(torch, dtype)
    config = CLAPPER["7b"].config({"<image>": 1}).vision_config
    torch.manual_seed(0)
    build = transformers.SiglipVisionModel._from_config
    tower = build(config, dtype=kind, attn_implementation="sdpa").eval().to(device)
    networks = {depth: perceiver(depth).to(device, kind) for depth in DEPTHS}
    seconds: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = _now(device)
        with laps.lap(name):
            given = work()
        seconds.setdefault(name, []).append(_now(device) - start)
        return given

    with torch.inference_mode():
        for place in range(segments + 1):
            pixels = torch.randn(
                (SEGMENT, 3, 448, 448), generator=torch.Generator().manual_seed(place)
            )
            frames = timed(ENCODING, partial(_hidden, tower, pixels.to(device, kind)))
            for depth, network in networks.items():
                timed(_named(depth), partial(network, frames[None]))
    return {name: each[1:] for name, each in seconds.items()}


def write_run(laps: Laps, *, name: str, folder: str) -> Json:
    """Writes the checkpoint."""
    with laps.lap():
        return {"parameters": CLAPPER[name].write(Path(folder))}


def first_token_run(
    laps: Laps, *, folder: str, frames: int, device: str, dtype: Any, rounds: int
) -> Json:
    """Reads a video of one frame a second in each way, `rounds` times in turns, and says one token.

    Whole frames and slow-fast get the same bound. Where the device lacks memory for all tokens,
    half of the frames stand for them, and so on. The first round does not count.
    """
    from framesift.compression.compressor import VideoCompressor
    from framesift.vlms.load import load_vlm

    with laps.lap("load"):
        vlm = load_vlm(folder, device=device, dtype=dtype)
    most = bound(frames)
    uri = f"synthetic://mixed?seconds={frames}&seed=1"
    whole = VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0, fps=1.0, max_frames=frames)
    with laps.lap("encode"):
        seen = whole.encode(uri)
    tokens = seen.tokens.count
    ways = {
        SLOW_FAST: VideoCompressor(vlm=vlm, strategy="slow-fast", keep=1.0, max_tokens=most),
        UNIFORM: VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0, max_tokens=most),
    }
    runs: dict[str, list[Json]] = {name: [] for name in (*ways, ALL)}
    for _ in range(rounds + 1):
        for name, sift in ways.items():
            runs[name].append(_first_token(vlm, sift, seen))
        all_of_it, tokens = _most_that_fits(vlm, seen, tokens)
        runs[ALL].append(all_of_it)
    return {"frames": seen.tokens.frame_count, "runs": {k: each[1:] for k, each in runs.items()}}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what condensing adds to encoding, and how the prefill falls."""
    frames, rounds = effort.slow_fast_frames, effort.cost_rounds
    run = in_fresh_process(
        segments_run, segments=frames // SEGMENT, device="cpu", dtype="float32"
    ).facts
    rows = list(encoding_rows(run))
    with tempfile.TemporaryDirectory() as folder:
        in_fresh_process(write_run, name="cut", folder=folder)
        read = in_fresh_process(
            first_token_run,
            folder=folder,
            frames=frames,
            device="cpu",
            dtype="float32",
            rounds=rounds,
        ).facts
    reading = list(prefill_rows(read["runs"]))
    return {
        "question": f"what a TimePerceiver adds to encoding, over {frames} frames of 784 tokens, "
        "sizes of SigLIP so400m with random weights; and the prefill of "
        f"{CLAPPER['cut'].published}; in seconds of the processor",
        "asked": f"condensing at depth {DEPTHS[0]} at most {MOST_ADDED:.0%} of encoding; the "
        "prefill falls at least as the columns of the prompt do",
        "met": met(rows, reading),
        "frames": frames,
        "rows": [*rows, *reading],
    }


def encoding_rows(seconds: dict[str, list[float]]) -> Iterator[Json]:
    """Yields a row for each depth, set against encoding the same frames."""
    encoded = seconds[ENCODING]
    for depth in DEPTHS:
        taken = seconds[_named(depth)]
        share = median(own / whole for own, whole in zip(taken, encoded, strict=True))
        logger.info("%s: %.2f %% of encoding", _named(depth), 100 * share)
        yield {
            "name": _named(depth),
            "stage": "condensing",
            **timing(taken),
            "peer": ENCODING,
            "peer_seconds": round(median(encoded), 6),
            "times_peer": round(share, 4),
        }


def prefill_rows(runs: dict[str, Sequence[Json]]) -> Iterator[Json]:
    """Yields a row for each way to show a video, set against all of its tokens."""
    whole = runs[ALL]
    peer = median(each["prefill"] for each in whole)
    for name, each in runs.items():
        seconds = [run["prefill"] for run in each]
        yield {
            "name": f"prefill, {name}",
            "stage": "prefill",
            **timing(seconds),
            "first_token_seconds": round(median(run["first token"] for run in each), 6),
            "visual_tokens": each[0]["visual_tokens"],
            "prompt_tokens": each[0]["prompt_tokens"],
            "peer": ALL,
            "peer_seconds": round(peer, 6),
            "times_peer": round(median(seconds) / peer, 4),
            "times_prompt": round(each[0]["prompt_tokens"] / whole[0]["prompt_tokens"], 4),
        }


def met(rows: Sequence[Json], reading: Sequence[Json]) -> Json:
    """Returns whether the rows keep what is asked of them."""
    return {
        "condensing": rows[0]["times_peer"] <= MOST_ADDED,
        "prefill": all(
            row["times_peer"] <= NOT_VISUAL * row["times_prompt"]
            for row in reading
            if row["name"].endswith(SLOW_FAST)
        ),
    }


def _named(depth: int) -> str:
    return f"TimePerceiver of depth {depth}"


def _now(device: str) -> float:
    """Returns seconds: of the processor on a CPU, where other work may run too, else of the clock.

    On a GPU, what was started is waited for.
    """
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def _hidden(tower: Any, pixels: torch.Tensor) -> torch.Tensor:
    states: torch.Tensor = tower(pixel_values=pixels).last_hidden_state
    return states


def _most_that_fits(vlm: Any, seen: Any, tokens: int) -> tuple[Json, int]:
    """Returns the reading of at most `tokens` of a video, and how many tokens the device holds."""
    from framesift.compression.compressor import VideoCompressor
    from framesift.errors import ModelError

    while True:
        sift = VideoCompressor(vlm=vlm, strategy="uniform", keep=1.0, max_tokens=tokens)
        try:
            return _first_token(vlm, sift, seen), tokens
        except ModelError:
            if tokens < 1024:
                raise
            tokens //= 2


def _first_token(vlm: Any, sift: Any, seen: Any) -> Json:
    """Returns seconds from encoded tokens to the first token of an answer, and what was read."""
    from framesift.answering.chat import Chat
    from framesift.answering.generation import Generation

    device = str(vlm.hf.device)
    start = _now(device)
    video = sift.reduce(seen)
    reduced = _now(device)
    with Chat(vlm, [video]) as chat:
        answer = chat.ask(QUESTION, generation=Generation(max_new_tokens=1), evidence=None)
    end = _now(device)
    return {
        "prefill": end - reduced,
        "first token": end - start,
        "visual_tokens": answer.usage.visual_tokens_after,
        "prompt_tokens": answer.usage.prompt_tokens,
    }

"""What does compression buy a model of real size? Every stage of an answer, at shares of tokens.

The model has the published widths and depth and random weights: its times and its memory are real,
its words are not. Everything goes through the ordinary pipeline, in one process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import torch

from benchmarks.answer_costs import ANSWER, QUESTIONS, answer_run
from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, timing
from benchmarks.real_models import WHOLE

USUAL: Final = {"cpu": ("llava-onevision-0.5b", 16), "cuda": ("llava-onevision-7b", 32)}
"""Which model of `WHOLE` suits a device, and how many seconds it is shown."""
DTYPES: Final = ("float32", "bfloat16")
QUARTER: Final = 0.25
PREFILL_TARGET: Final = 1 / 3
"""Largest share of the whole video's prefill that a quarter of its tokens may take."""
SECOND_TARGET: Final = 0.1
"""Largest share of the first question's time that the second one may take."""
FIRST: Final = "time to first token"


def dtype_run(laps: Laps, *, rounds: int) -> Json:
    """Times one matrix product of the small LLM's prefill on the CPU, in each of the dtypes."""
    for name in DTYPES:
        weight = torch.ones(4864, 896, dtype=getattr(torch, name))
        rows = torch.ones(1024, 896, dtype=weight.dtype)
        for _ in range(rounds):
            with laps.lap(name), torch.inference_mode():
                torch.nn.functional.linear(rows, weight)
    return {}


def write_run(laps: Laps, *, name: str, folder: str) -> Json:
    """Writes the checkpoint."""
    with laps.lap():
        return {"parameters": WHOLE[name].write(Path(folder))}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what the stages of an answer take a model of real size, at shares of the tokens.

    The video is decoded and encoded once, and one frame per second of it is shown.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    name, seconds = USUAL[device]
    dtype, tried = ("bfloat16", {}) if device == "cuda" else _faster()
    with tempfile.TemporaryDirectory() as folder:
        written = in_fresh_process(write_run, name=name, folder=folder)
        run = in_fresh_process(
            answer_run,
            folder=folder,
            device=device,
            dtype=dtype,
            seconds=effort.cost_seconds or seconds,
            keeps=effort.cost_keeps,
            rounds=effort.cost_rounds,
        )
    table = _Rows(facts=run.facts, keeps=sorted(effort.cost_keeps, reverse=True))
    rows = list(table.all())
    return {
        "question": f"what the stages of an answer take; {WHOLE[name].published} at full width and "
        f"depth with random weights in {dtype} on {device}, {run.facts['frames']} frames, "
        f"{ANSWER.max_new_tokens} new tokens",
        "asked": "prefill at keep 0.25 at least 3 times as short as at keep 1; the second question "
        f"at most {SECOND_TARGET:g} x the time of the first, at every keep",
        "met": _met(rows),
        "model": WHOLE[name].published,
        "parameters": written.facts["parameters"],
        "device": device,
        "dtype": dtype,
        "dtype_seconds": tried,
        "load_seconds": round(run.seconds["load"][0], 3),
        "frames": run.facts["frames"],
        "visual_tokens": run.facts["visual_tokens"],
        "shares": [table.size(keep) for keep in table.keeps],
        "rows": rows,
    }


def _faster() -> tuple[str, dict[str, float]]:
    """Returns the dtype in which the CPU multiplies faster, and the seconds of each."""
    seconds = in_fresh_process(dtype_run, rounds=10).seconds
    tried = {dtype: round(median(seconds[dtype]), 6) for dtype in DTYPES}
    return min(tried, key=lambda dtype: tried[dtype]), tried


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The rows of the section, from the facts of `answer_run`."""

    facts: Json
    keeps: Sequence[float]
    """Shares of the tokens, the largest first."""

    def all(self) -> Iterator[Json]:
        """Yields a row for each stage at each share, set against what it is to be compared with.

        Decoding and encoding do not depend on the share, so they are timed once and are part of the
        time to the first token, and of that of the first question, at each of them.
        """
        once, first = self.facts["seconds"], median(self._runs(FIRST, 1.0))
        for stage in once:
            row = _row(stage, [once[stage]], (f"{FIRST} at keep 1", first))
            yield row | {"peak_bytes": self.facts["peak_bytes"][stage]}
        for keep in self.keeps:
            yield self._at("compress", keep, ("encode", once["encode"]))
        for stage in ("prefill", "decode per token", FIRST, "at once"):
            whole = median(self._runs(stage, 1.0))
            for keep in self.keeps:
                yield self._at(stage, keep, ("the same at keep 1", whole))
        for stage, peer in (("at once", "one by one"), ("second question", "first question")):
            for keep in self.keeps:
                seconds = median(self._runs(peer, keep))
                yield self._at(stage, keep, (f"{peer} at keep {keep:g}", seconds))

    def size(self, keep: float) -> Json:
        """Returns what a share comes to, in tokens and in bytes of the cache."""
        first = self._of(keep)[0]
        return {key: first[key] for key in first if key not in ("seconds", "peak_bytes")}

    def _at(self, stage: str, keep: float, peer: tuple[str, float]) -> Json:
        peaks = self._of(keep)[0]["peak_bytes"]
        peak = {"peak_bytes": peaks[stage]} if stage in peaks else {}
        return _row(stage, self._runs(stage, keep), peer, keep=keep) | peak

    def _runs(self, stage: str, keep: float) -> list[float]:
        before = sum(self.facts["seconds"].values()) if stage in (FIRST, "first question") else 0.0
        return [before + run["seconds"][stage] for run in self._of(keep)]

    def _of(self, keep: float) -> list[Json]:
        return [run for run in self.facts["runs"] if run["keep"] == keep]


def _row(
    stage: str, seconds: Sequence[float], peer: tuple[str, float], keep: float | None = None
) -> Json:
    label = f"{len(QUESTIONS)} questions at once" if stage == "at once" else stage
    return {
        "name": label if keep is None else f"{label}, keep {keep:g}",
        "stage": stage,
        "keep": keep,
        **timing(seconds),
        "peer": peer[0],
        "peer_seconds": round(peer[1], 6),
        "times_peer": round(median(seconds) / peer[1], 4),
    }


def _met(rows: Sequence[Json]) -> Json:
    """Returns whether the rows keep what is asked of them."""
    prefill = [r["times_peer"] for r in rows if (r["stage"], r["keep"]) == ("prefill", QUARTER)]
    second = [row["times_peer"] for row in rows if row["stage"] == "second question"]
    return {
        "prefill": max(prefill) <= PREFILL_TARGET,
        "second question": max(second) <= SECOND_TARGET,
    }

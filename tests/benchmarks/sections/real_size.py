"""Do models of real size load and answer here? One fresh process each, with its peak memory.

The weights are mapped from the file, so rows of the vocabulary that no prompt uses take no memory,
and the peak may lie below the size of the checkpoint.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, logger
from benchmarks.real_models import MODELS
from benchmarks.real_qwen import DEPTH

VIDEO: Final = "synthetic://mixed?seconds=4"
QUESTION: Final = "What happens in the video?"
KEEPS: Final = (1.0, 0.25)
NEW_TOKENS: Final = 2


def write_run(laps: Laps, *, name: str, folder: str) -> Json:
    """Writes the checkpoint."""
    with laps.lap():
        return {"parameters": MODELS[name].write(Path(folder))}


def answer_run(laps: Laps, *, folder: str, keeps: Sequence[float] = KEEPS) -> Json:
    """Loads the checkpoint as anybody would, and answers at each share of the tokens."""
    from framesift.compression.compressor import VideoCompressor
    from framesift.vlms.base import Turn
    from framesift.vlms.load import load_vlm

    with laps.lap("load"):
        vlm = load_vlm(folder, device="cpu", dtype="bfloat16")
    answers = []
    for keep in keeps:
        with laps.lap("compress"):
            sift = VideoCompressor(strategy="attention", keep=keep, encoder=vlm.encoder, fps=1.0)
            video = sift.compress(VIDEO)
        with laps.lap("generate"):
            prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(video,))])
            inputs = prompt.inputs()
            generated = vlm.hf.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        answers.append(
            {
                "keep": keep,
                "visual_tokens_before": prompt.visual_tokens_before,
                "visual_tokens": len(prompt.features),
                "prompt_tokens": len(prompt.input_ids),
                "new_tokens": generated.shape[1] - len(prompt.input_ids),
            }
        )
    return {"frames": video.report.frames_in, "answers": answers}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what vision LLMs of real size take, one after the other."""
    rows = [_row(name) for name in effort.real_models]
    return {
        "question": f"peak memory and time of published widths with {DEPTH} LLM layers and random "
        f"weights in bfloat16, over {VIDEO}, on the CPU",
        "rows": rows,
    }


def _row(name: str) -> Json:
    with tempfile.TemporaryDirectory() as folder:
        written = in_fresh_process(write_run, name=name, folder=folder)
        run = in_fresh_process(answer_run, folder=folder)
    logger.info("%s: peak %.0f MB", name, run.peak_bytes / 1e6)
    return {
        "name": MODELS[name].published,
        "parameters": written.facts["parameters"],
        "weight_bytes": 2 * written.facts["parameters"],
        "start_bytes": run.start_bytes,
        "peak_bytes": run.peak_bytes,
        "write_peak_bytes": written.peak_bytes,
        "seconds": round(sum(map(sum, run.seconds.values())), 2),
        "stage_seconds": {
            stage: [round(value, 2) for value in laps] for stage, laps in run.seconds.items()
        },
        **run.facts,
    }

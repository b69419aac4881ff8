"""What each stage of an answer takes, in seconds and bytes, at several shares of the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from benchmarks.peak_memory import StagePeaks
from benchmarks.process import Json, Laps
from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.compression.encoding import EncodedVideo
from framesift.sources.base import open_video
from framesift.types.compressed import CompressedVideo
from framesift.vlms.base import VLM, Turn, collate
from framesift.vlms.load import load_vlm

QUESTIONS: Final = (
    "What happens in the video?",
    "Which colors are in the video?",
    "What comes after the first scene?",
    "How many things are moving in it?",
)
ANSWER: Final = Generation(max_new_tokens=16)


def answer_run(
    laps: Laps,
    *,
    folder: str,
    device: str,
    dtype: Literal["float32", "bfloat16"],
    seconds: int,
    keeps: Sequence[float],
    rounds: int,
) -> Json:
    """Encodes a video once, and answers questions about it `rounds` times at each share of tokens.

    What the tower sees does not depend on the share. The smallest share comes first, so that no
    peak of the first round is left over from a larger one; one frame and one answer before that,
    which do not count, touch all weights.
    """
    with laps.lap("load"):
        vlm = load_vlm(folder, device=device, dtype=dtype)
    shares = {keep: VideoCompressor(vlm=vlm, keep=keep) for keep in sorted(keeps)}
    sift = next(iter(shares.values()))
    with open_video(f"synthetic://mixed?seconds={seconds}&seed=1") as local:
        with StagePeaks(device) as peaks:
            with peaks.stage("decode"):
                frame = sift.frames(local)[:1]
            vlm.encoder.encode(frame)
            with peaks.stage("encode"), laps.lap("encode"):
                seen = sift.encode(local)
        with laps.lap("warm up"):
            _answered(sift, vlm, seen, device)
        runs = []
        for _ in range(rounds):
            for part in shares.values():
                with laps.lap(f"keep {part.keep:g}"):
                    runs.append(_answered(part, vlm, seen, device))
    return {
        "frames": seen.tokens.frame_count,
        "visual_tokens": seen.tokens.count,
        "seconds": {stage: seen.seconds[stage] for stage in ("decode", "encode")},
        "peak_bytes": peaks.bytes,
        "runs": runs,
    }


def _answered(sift: VideoCompressor, vlm: VLM, seen: EncodedVideo, device: str) -> Json:
    """Returns what two questions one after the other take, and several at once."""
    walls = Laps()
    with StagePeaks(device) as peaks:
        with peaks.stage("compress"), walls.lap("compress"):
            video = sift.reduce(seen)
        with peaks.stage("prefill"), walls.lap("read"):
            chat = Chat(vlm, [video]).read()
        with chat:
            with peaks.stage("decode per token"), walls.lap("ask"):
                usage = chat.ask(QUESTIONS[0], generation=ANSWER).usage
            with peaks.stage("second question"), walls.lap("second question"):
                second = chat.ask(QUESTIONS[1], generation=ANSWER).usage
        with peaks.stage("at once"), walls.lap("at once"):
            batch = _at_once(vlm, video)
    took = {stage: sum(laps) for stage, laps in walls.seconds.items()}
    return {
        "keep": sift.keep,
        "strategy": video.report.strategy,
        "visual_tokens": usage.visual_tokens_after,
        "prompt_tokens": usage.prompt_tokens,
        "answer_tokens": usage.answer_tokens,
        "second_read_tokens": second.prompt_tokens - second.cached_tokens,
        "batch": batch,
        "kv_cache_bytes": usage.kv_cache_bytes,
        "peak_bytes": peaks.bytes,
        "seconds": {
            "compress": took["compress"],
            "prefill": usage.prefill_seconds,
            "decode per token": usage.decode_seconds / max(1, usage.answer_tokens - 1),
            "time to first token": took["compress"] + usage.prefill_seconds,
            "first question": took["compress"] + took["read"] + took["ask"],
            "second question": took["second question"],
            "at once": took["at once"],
            "one by one": len(QUESTIONS) * (usage.prefill_seconds + usage.decode_seconds),
        },
    }


def _at_once(vlm: VLM, video: CompressedVideo) -> list[int]:
    """Answers all questions in one batch, and returns its rows and columns at the end."""
    turns = [Turn(role="user", text=question, videos=(video,)) for question in QUESTIONS]
    generated = vlm.hf.generate(
        **collate([vlm.prompt([turn]) for turn in turns], vlm.tokenizer.pad_token_id),
        max_new_tokens=ANSWER.max_new_tokens,
        do_sample=False,
    )
    return list(generated.cpu().shape)

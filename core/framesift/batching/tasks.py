"""What a batch makes of each video: its rows, and the files that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from framesift.batching.store import Store, json_content
from framesift.compression.compressor import VideoCompressor
from framesift.disk.tensors import TensorFile
from framesift.errors import InvalidOptionError
from framesift.types.answer import Segment
from framesift.types.compressed_files import token_tensors
from framesift.types.options import shown
from framesift.types.video import LocalVideo, Warn

Task = Literal["compress", "keyframes", "segments", "ask"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a task takes beside the options of the compressor."""

    question: str | None = None
    """What the result should help to answer; `ask` needs one."""
    count: int = 8
    """Keyframes of each video."""
    seconds_each: float = 15.0
    """How much of a video one segment covers on average."""
    max_side_px: int | None = 768
    """Longest side of pictures."""


def compressed(
    sift: VideoCompressor, video: LocalVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns one row, with the tokens as safetensors and the report as JSON."""
    made = sift.compress(video, asked.question, warn=warn)
    report = made.report.model_dump(mode="json")
    # What the work took is another in each run, and no part of the result.
    report |= {"seconds": {}, "versions": {}}
    tokens = b"".join(TensorFile(token_tensors(made)).pieces())
    return [
        {
            "duration_seconds": report["duration_seconds"],
            "frames_in": made.report.frames_in,
            "frames_out": made.report.frames_shown,
            "tokens_in": made.report.tokens_in,
            "tokens_out": made.report.tokens_out,
            "tokens": store.keep(tokens, ".safetensors"),
            "report": store.keep(json_content(report), ".json"),
        }
    ]


def keyframes(
    sift: VideoCompressor, video: LocalVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns one row, with the keyframes as JPEG files and their times."""
    found = sift.keyframes(
        video, asked.count, asked.question, max_side_px=asked.max_side_px, warn=warn
    )
    frames = [
        {
            "time_seconds": round(frame.pts_seconds, 6),
            "picture": store.keep(frame.jpeg(), ".jpg"),
            "width_px": frame.image.width,
            "height_px": frame.image.height,
            "reason": frame.reason,
        }
        for frame in found
    ]
    return [{"keyframes": frames}]


def segments(
    sift: VideoCompressor, video: LocalVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns a row for each segment, with its text and its keyframe as a JPEG file."""
    moments = sift.moments(
        video,
        asked.question,
        seconds_each=asked.seconds_each,
        max_side_px=asked.max_side_px,
        warn=warn,
    )
    rows = []
    for number, moment in enumerate(moments, start=1):
        picture = None
        if moment.keyframe is not None:
            picture = store.keep(moment.keyframe.jpeg(), ".jpg")
        rows.append(
            _stretch(moment.segment)
            | {
                "segment": number,
                "segments": len(moments),
                "keyframe_seconds": round(moment.segment.keyframe_seconds, 6),
                "picture": picture,
                "text": moment.segment.text,
                "screen_text": moment.segment.screen_text,
                "chapter": moment.segment.chapter,
            }
        )
    return rows


def answered(
    sift: VideoCompressor, video: LocalVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns one row, with the answer and the stretches that it rests on."""
    if asked.question is None:
        raise InvalidOptionError(
            "the video has no question; give one in a column `question`, or for all by --question"
        )
    answer = sift.ask(video, asked.question, warn=warn)
    evidence = [_stretch(segment) | {"reason": segment.reason} for segment in answer.evidence]
    return [
        {
            "question": asked.question,
            "answer": answer.text,
            "not_shown": answer.not_shown,
            "evidence": evidence,
            "tokens_in": answer.usage.visual_tokens_before,
            "tokens_out": answer.usage.visual_tokens_after,
        }
    ]


TASKS: Final[Mapping[Task, Callable[..., list[Row]]]] = {
    "compress": compressed,
    "keyframes": keyframes,
    "segments": segments,
    "ask": answered,
}


def checked_task(name: str) -> Task:
    """Returns the task of this name.

    Raises:
        InvalidOptionError: there is none.
    """
    for task in TASKS:
        if task == name:
            return task
    raise InvalidOptionError(f"task={shown(name)} must be one of {', '.join(TASKS)}")


def _stretch(segment: Segment) -> Row:
    return {
        "start_seconds": round(segment.start_seconds, 6),
        "end_seconds": round(segment.end_seconds, 6),
    }

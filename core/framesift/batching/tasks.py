"""What a batch makes of each video: its rows, and the files that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal, get_args

from framesift.batching.store import Store, json_content
from framesift.compression.compressor import VideoCompressor
from framesift.compression.decoded import DecodedVideo
from framesift.compression.moments import LONGEST_SECONDS, SHORTEST_SECONDS
from framesift.disk.tensors import TensorFile
from framesift.disk.writing import json_value
from framesift.errors import InvalidOptionError
from framesift.training.frame_selector.label_file import (
    FrameQuestion,
    Judge,
    Normalization,
    TemporalJudge,
)
from framesift.types.answer import Segment
from framesift.types.compressed_files import token_tensors
from framesift.types.options import number, shown, side_px, whole
from framesift.types.video import LocalVideo, Warn

Task = Literal["compress", "keyframes", "segments", "ask", "label"]
Row = dict[str, Any]
_KINDS: Final = {
    "judge": get_args(Judge),
    "temporal": get_args(TemporalJudge),
    "normalize": get_args(Normalization),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a task takes beside the options of the compressor."""

    question: str | None = None
    """What the result should help to answer; `ask` and `label` need one."""
    answer: str | None = None
    """The right one, for `label`."""
    choices: tuple[str, ...] | None = None
    """Answers to choose from, for `label`."""
    count: int = 8
    """Keyframes of each video."""
    seconds_each: float = 15.0
    """How much of a video one segment covers on average."""
    max_side_px: int | None = 768
    """Longest side of pictures."""
    judge: Judge = "answer"
    """What a frame is worth by itself, for `label`."""
    temporal: TemporalJudge = "evidence"
    """Which frames matter among all, for `label`."""
    include_choices: bool = False
    """Whether the judges see the choices."""
    normalize: Normalization = "none"
    """Whether labels of a video are stretched over 0 to 1."""

    def __post_init__(self) -> None:
        """Reads what a row of a manifest says.

        Raises:
            InvalidOptionError: it is of another kind.
        """
        object.__setattr__(self, "count", whole("count", self.count))
        object.__setattr__(self, "max_side_px", side_px(self.max_side_px))
        seconds = number(
            "seconds_each",
            self.seconds_each,
            low=SHORTEST_SECONDS,
            high=LONGEST_SECONDS,
            unit="seconds",
        )
        object.__setattr__(self, "seconds_each", seconds)
        if not isinstance(self.include_choices, bool):
            raise InvalidOptionError(
                f"include_choices={shown(self.include_choices)} must be True or False"
            )
        object.__setattr__(self, "choices", _choices(self.choices))
        for name in ("question", "answer"):
            given = getattr(self, name)
            if given is not None and not (isinstance(given, str) and given.strip()):
                raise InvalidOptionError(f"{name}={shown(given)} must be a text")
        for name, allowed in _KINDS.items():
            if getattr(self, name) not in allowed:
                raise InvalidOptionError(
                    f"{name}={shown(getattr(self, name))} must be one of {', '.join(allowed)}"
                )


def compressed(
    sift: VideoCompressor, video: LocalVideo | DecodedVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns one row, with the tokens as safetensors and the report as JSON."""
    made = sift.compress(video, asked.question, warn=warn)
    report = made.report.model_dump(mode="json")
    # What the work took is another in each run, and no part of the result.
    report |= {"seconds": {}, "versions": {}}
    if report["selection"] is not None:
        report["selection"]["seconds"] = 0.0
    tokens = TensorFile(token_tensors(made))
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
    name = PurePath(video.uri).stem or video.uri
    for nth, moment in enumerate(moments, start=1):
        place = f"part {nth} of {len(moments)}"
        title = moment.segment.chapter or video.title or name
        picture = None
        if moment.keyframe is not None:
            picture = store.keep(moment.keyframe.jpeg(), ".jpg")
        rows.append(
            _stretch(moment.segment)
            | {
                "segment": nth,
                "segments": len(moments),
                "keyframe_seconds": round(moment.segment.keyframe_seconds, 6),
                "picture": picture,
                "text": moment.segment.text,
                "screen_text": moment.segment.screen_text,
                "chapter": moment.segment.chapter,
                "colors": list(moment.segment.colors),
                "reason": moment.segment.reason,
                "link": moment.segment.link,
                "caption": moment.segment.caption(f"{title}, {place}"),
            }
        )
    return rows


def answered(
    sift: VideoCompressor, video: LocalVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns one row, with the answer and the stretches that it rests on."""
    assert asked.question is not None
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


def labeled(
    sift: VideoCompressor, video: LocalVideo, asked: Asked, store: Store, warn: Warn
) -> list[Row]:
    """Returns one row, with what each frame is worth for the question."""
    from framesift.training.frame_selector.labeling import labels_of
    from framesift.training.frame_selector.local_labels import LocalLabeler

    labeler = LocalLabeler(
        sift.answering_vlm,
        asked.judge,
        asked.temporal,
        include_choices=asked.include_choices,
        limits=sift.limits,
    )
    question = question_of(asked, video.uri, sift.fps)
    settings = {**labeler.settings, "normalize": asked.normalize}
    labels = labels_of(labeler.rater(video, sift.fps), question, settings)
    for line in labels.warnings:
        warn(line)
    row = labels.model_dump(mode="json", exclude={"video", "warnings", "version"})
    return [row | {"choices": None if asked.choices is None else list(asked.choices)}]


def question_of(asked: Asked, video: str, fps: float) -> FrameQuestion:
    """Returns what the frames of a video are labeled for.

    Raises:
        InvalidOptionError: the judges need the right answer, and it is missing.
    """
    from framesift.training.frame_selector.ratings import check_answers

    assert asked.question is not None
    question = FrameQuestion(
        video=video, question=asked.question, answer=asked.answer, choices=asked.choices, fps=fps
    )
    check_answers([question], judge=asked.judge, temporal=asked.temporal)
    return question


TASKS: Final[Mapping[Task, Callable[..., list[Row]]]] = {
    "compress": compressed,
    "keyframes": keyframes,
    "segments": segments,
    "ask": answered,
    "label": labeled,
}
ASKING: Final[frozenset[Task]] = frozenset({"ask", "label"})
"""Tasks that a model does, about a question."""


def checked_task(name: str) -> Task:
    """Returns the task of this name.

    Raises:
        InvalidOptionError: there is none.
    """
    for task in TASKS:
        if task == name:
            return task
    raise InvalidOptionError(f"task={shown(name)} must be one of {', '.join(TASKS)}")


def _choices(given: Any) -> tuple[str, ...] | None:
    """Returns answers to choose from, also from the JSON list that a cell of a table holds."""
    if given is None:
        return None
    read = json_value(given.encode()) if isinstance(given, str) else given
    if not isinstance(read, list | tuple) or not all(isinstance(each, str) for each in read):
        raise InvalidOptionError(f'choices={shown(given)} must be a list of texts: ["yes", "no"]')
    return tuple(read)


def _stretch(segment: Segment) -> Row:
    return {
        "start_seconds": round(segment.start_seconds, 6),
        "end_seconds": round(segment.end_seconds, 6),
    }

"""The work on one video, in whatever process: it ends with a row, of a result or of an error."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

from framesift.batching.items import Item
from framesift.batching.store import ResultError, Store, json_content, row_name
from framesift.batching.tasks import ASKING, TASKS, Asked, Task, checked_task
from framesift.compression.compressor import VideoCompressor
from framesift.compression.decoded import DecodedVideo
from framesift.compression.opening import opened
from framesift.errors import FramesiftError, InvalidOptionError
from framesift.run import Run
from framesift.types.text import whole_characters
from framesift.types.video import LocalVideo

OWN: Final = (
    *("strategy", "keep", "max_tokens", "selector", "max_frames", "fps", "text", "decoder"),
    *("question", "count", "answer", "choices"),
)
"""What a row of a manifest may say of its own video."""
_ASKED: Final = {each.name for each in fields(Asked)}
Status = Literal["done", "failed"]
logger = logging.getLogger(__name__)
_last: tuple[str, VideoCompressor] | None = None
"""The compressor of the last video here; weights stay loaded as long as somebody holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done to each video of a batch; it is sent to other processes."""

    task: Task
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the `VideoCompressor`, by name; specs and numbers, no parts that are made already."""
    asked: Asked = field(default_factory=Asked)

    def __post_init__(self) -> None:
        """Looks whether the task is one, and has the model that it needs.

        Raises:
            InvalidOptionError: it is not.
        """
        if checked_task(self.task) in ASKING and self.options.get("vlm") is None:
            raise InvalidOptionError(
                f"task {self.task!r} is done by a model; give one by vlm= (--vlm), such as a hub id"
            )

    def compressor(self, own: Mapping[str, Any] | None = None) -> VideoCompressor:
        """Returns the compressor of a video.

        Args:
            own: what its row of the manifest says, before the options of the batch.

        Raises:
            FramesiftError: an option is wrong.
        """
        return VideoCompressor(**{**self.options, **self.own_options(own or {})})

    def own_options(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a row of the manifest says of the compressor."""
        return {name: value for name, value in own.items() if name not in _ASKED}

    def of(self, own: Mapping[str, Any]) -> Asked:
        """Returns what is asked of a video.

        Raises:
            InvalidOptionError: its row of the manifest holds something of another kind, or there is
                no question where the task answers one.
        """
        shared = {name: getattr(self.asked, name) for name in _ASKED}
        asked = Asked(**shared | {name: own[name] for name in _ASKED & own.keys()})
        if self.task in ASKING and asked.question is None:
            raise InvalidOptionError(
                "it has no question; give one in a column `question`, or for all by question= "
                "(--question)"
            )
        return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How the work on one video ended, in few words."""

    id: str
    status: Status
    error: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0


def work_on(work: Work, item: Item, store: Store) -> Done:
    """Does the work on one video and writes its row, after the files that this names.

    Whatever is wrong with the video is in the row; what is wrong with the place of the results is
    raised, since the next video would fail by it too.

    Raises:
        ResultError: a result cannot be written.
    """
    saved = result_of(work, item, store)
    write_row(store, item, saved)
    return done_of(item.id, saved)


def result_of(
    work: Work, item: Item, store: Store, decoded: DecodedVideo | None = None
) -> dict[str, Any]:
    """Returns what the row of a video says, whose files are written.

    Args:
        work: what is done to it.
        item: the video.
        store: where the files of its rows go.
        decoded: its frames, where somebody has decoded them, for `compress` alone.

    Raises:
        ResultError: a file cannot be written.
    """
    warnings: list[str] = []
    facts: dict[str, Any] = {}
    try:
        sift, asked = _compressor(work, item.own), work.of(item.own)
        run, make = Run(listener=warnings.append), TASKS[work.task]
        if decoded is not None:
            facts = _facts(decoded.local)
            rows = make(sift, decoded, asked, store, run.warn)
        else:
            with opened(item.video, sift.limits, sift.site, run) as local:
                facts = _facts(local)
                rows = make(sift, local, asked, store, run.warn)
    except ResultError:
        raise
    except Exception as error:  # whatever a part or a library raises, the next video goes on
        return _failure(item, error, facts)
    return {"status": "done", "facts": facts, "rows": rows, "warnings": warnings}


def decoded_by(work: Work, item: Item) -> DecodedVideo | dict[str, Any]:
    """Returns the frames of a video for `result_of`, or what its row says where it fails."""
    try:
        return _compressor(work, item.own).decode(item.video, work.of(item.own).question)
    except Exception as error:  # as in `result_of`
        return _failure(item, error, {})


def _failure(item: Item, error: Exception, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the row of a video says that failed."""
    if not isinstance(error, FramesiftError | MemoryError):
        logger.error("a fault in the work on %r", item.id, exc_info=error)
    kind, line = error_kind(error), error_words(error)
    return {"status": "failed", "error": line, "error_kind": kind, "facts": facts}


def done_of(video_id: str, saved: Mapping[str, Any]) -> Done:
    """Returns how the work on a video ended, from its row."""
    return Done(
        id=video_id,
        status=saved["status"],
        error=saved.get("error"),
        tokens_in=sum(row.get("tokens_in", 0) for row in saved.get("rows", ())),
        tokens_out=sum(row.get("tokens_out", 0) for row in saved.get("rows", ())),
    )


def _compressor(work: Work, own: Mapping[str, Any]) -> VideoCompressor:
    """Returns the compressor of a video; its parts are made once for equal options in a row."""
    global _last
    key = repr((work.options, work.own_options(own)))
    if _last is None or _last[0] != key:
        _last = key, work.compressor(own)
    return _last[1]


def failed(
    store: Store, item: Item, kind: str, line: str, *, facts: Mapping[str, Any] | None = None
) -> Done:
    """Writes the row of a video that failed, and returns how it ended."""
    saved = {"status": "failed", "error": line, "error_kind": kind, "facts": facts or {}}
    write_row(store, item, saved)
    return done_of(item.id, saved)


def finished(store: Store, item: Item) -> Done | None:
    """Returns how a video ended that has its row; None where it has none."""
    content = store.read(row_name(item.id))
    saved = None if content is None else read_row(content)
    return None if saved is None else done_of(item.id, saved)


def write_row(store: Store, item: Item, saved: Mapping[str, Any]) -> None:
    """Writes what is known of a video, which ends the work on it."""
    row: dict[str, Any] = {"id": item.id, "video": item.video, "own": item.saved_own} | {
        "warnings": [],
        "rows": [],
    }
    store.write(row_name(item.id), json_content(row | dict(saved)))


def read_row(content: bytes) -> dict[str, Any] | None:
    """Returns what `write_row` wrote; None where it is something else."""
    try:
        row = json.loads(content)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.get("status") in ("done", "failed") else None


def error_kind(error: BaseException) -> str:
    """Returns the name of the kind of an error, such as `DecodeError`."""
    return type(error).__name__


def error_words(error: BaseException) -> str:
    """Returns an error in one line."""
    if isinstance(error, MemoryError):
        return "there was not enough memory; raise --max-memory, or give a part by #t=START,END"
    return whole_characters(" ".join(str(error).split()) or type(error).__name__)


def _facts(local: LocalVideo) -> dict[str, Any]:
    return {"title": local.title}

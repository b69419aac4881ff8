"""A model's own processor, given the times of the selected frames of each video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from framesift.errors import ModelError

TICKS_PER_SECOND: Final = 1000
"""Clock on which frames are numbered, so that any time of a video is the number of a frame."""
MOST_FILLED: Final = 1
"""Frames that a loader may add by repeating the last one, to have pairs of them."""
MOST_WAITING: Final = 256
"""Prompts that may wait for their processor before it is clear that it is not called."""
MEDIA: Final = frozenset({"images", "videos", "audio", "audios"})
"""Arguments that some models of the harness pass empty, which transformers 5 refuses."""
UNTIMED: Final = "so it would not know when they are shown; pass frames_as=images"


@dataclass(slots=True, kw_only=True)
class PromptCounts:
    """What one prompt took; None where the inner model does not let it be seen."""

    frames: int
    """Selected frames."""
    input_tokens: int | None = None
    visual_tokens: int | None = None


@dataclass(slots=True, kw_only=True)
class Prompts:
    """The prompts of one run by their number: those on the way to the processor, and all counts."""

    counts: dict[int, PromptCounts] = field(default_factory=dict)
    _waiting: dict[int, list[tuple[float, ...]]] = field(default_factory=dict)

    def expect(self, number: int, *, frames: int, times: Sequence[tuple[float, ...]]) -> None:
        """Notes a prompt that the processor will be called with next.

        Args:
            number: of the request.
            frames: how many were selected in all.
            times: times of the frames of each video; empty where the text tells them.

        Raises:
            ModelError: so many wait for their times that the processor is evidently not called.
        """
        self.counts[number] = PromptCounts(frames=frames)
        self._waiting[number] = list(times)
        if len(self._waiting) > MOST_WAITING:
            self.check_taken()
            self._waiting.clear()

    def take(self) -> dict[int, list[tuple[float, ...]]]:
        """Returns the prompts that wait, in the order in which they were made, and forgets them."""
        taken, self._waiting = self._waiting, {}
        return taken

    def check_taken(self) -> None:
        """Checks that the processor took all videos.

        Raises:
            ModelError: it did not.
        """
        if any(self._waiting.values()):
            raise ModelError(
                f"the inner model does not give its videos to its own processor, {UNTIMED}"
            )


class TimedProcessor:
    """Stands for a processor: calls about selected frames carry their times, all else goes through.

    It also counts the tokens of each prompt, which most models of the harness do not report.
    """

    def __init__(self, processor: Any, prompts: Prompts) -> None:
        self._processor = processor
        self._prompts = prompts

    def __getattr__(self, name: str) -> Any:
        if name == "_processor":
            raise AttributeError(name)
        return getattr(self._processor, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the processor makes of a batch of prompts.

        Raises:
            ModelError: the frames that it is given are not the selected ones.
        """
        waiting = self._prompts.take()
        times = [video for prompt in waiting.values() for video in prompt]
        kwargs = {
            key: value for key, value in kwargs.items() if key not in MEDIA or not _is_empty(value)
        }
        if times:
            timing = {
                "video_metadata": _metadata_of(kwargs.get("videos"), times),
                "do_sample_frames": False,
            }
            # A processor refuses an option that is given both within videos_kwargs and beside it.
            inside = kwargs.get("videos_kwargs")
            kwargs = {key: value for key, value in kwargs.items() if key not in timing}
            kwargs.update(timing if inside is None else {"videos_kwargs": {**inside, **timing}})
        inputs = self._processor(*args, **kwargs)
        self._count(list(waiting), inputs)
        return inputs

    def _count(self, numbers: list[int], inputs: Any) -> None:
        ids, mask = inputs["input_ids"], inputs.get("attention_mask")
        if len(ids) != len(numbers):
            return
        names = ("video_token_id", "image_token_id")
        visual = {getattr(self._processor, name, None) for name in names} - {None}
        for row, number in enumerate(numbers):
            counts, columns = self._prompts.counts[number], list(map(int, ids[row]))
            counts.input_tokens = len(columns) if mask is None else int(sum(mask[row]))
            counts.visual_tokens = sum(column in visual for column in columns) if visual else None


def video_metadata(seconds: Sequence[float], frames: int | None = None) -> dict[str, Any]:
    """Returns the `video_metadata` under which a processor of transformers has the true times.

    Frames are numbered on a clock of milliseconds, so number / fps is the time. The average rate,
    which is all that Qwen2.5-VL reads, keeps the distance of the first frame and the last one.

    Args:
        seconds: times of the frames, ascending.
        frames: how many the processor gets, where the last one was repeated.
    """
    count = len(seconds) if frames is None else frames
    numbers = [round(time * TICKS_PER_SECOND) for time in seconds]
    step = (numbers[-1] - numbers[0]) / max(1, len(numbers) - 1) or TICKS_PER_SECOND
    return {
        "fps": float(TICKS_PER_SECOND),
        "frames_indices": numbers + numbers[-1:] * (count - len(numbers)),
        "total_num_frames": round(step * count),
    }


def _metadata_of(videos: Any, times: Sequence[tuple[float, ...]]) -> list[dict[str, Any]]:
    given = [] if videos is None else [len(video) for video in videos]
    selected = [len(seconds) for seconds in times]
    agree = len(given) == len(selected) and all(
        0 <= there - here <= MOST_FILLED for there, here in zip(given, selected, strict=True)
    )
    if not agree:
        raise ModelError(
            f"the inner model gives its processor videos of {given} frames where {selected} were "
            f"selected, {UNTIMED}"
        )
    return [video_metadata(*pair) for pair in zip(times, given, strict=True)]


def _is_empty(media: Any) -> bool:
    return isinstance(media, list) and not media

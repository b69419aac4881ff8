"""`--model framesift_frames`: any chat model of the harness, given selected frames only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from lmms_eval import models
from lmms_eval.api.instance import GenerationResult, unwrap_generation_output
from lmms_eval.api.model import lmms

from framesift import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift_lmms_eval.arguments import inner_arguments, refuse_unknown, unquoted
from framesift_lmms_eval.chat_request import ChatRequest
from framesift_lmms_eval.frame_index import FrameIndexFile, append_frames
from framesift_lmms_eval.selection import FrameSelection
from framesift_lmms_eval.timed_processor import Prompts, TimedProcessor
from framesift_lmms_eval.token_counts import VisualTokenCounts
from framesift_lmms_eval.videos import FramesAs, Message, SelectedFrames, with_frames

PROCESSORS: Final = ("processor", "_image_processor", "_processor")
"""Where chat models of the harness keep what turns messages into their inputs."""
ARGUMENTS: Final = (
    "inner, inner_args, selector, count, fps, max_side_px, frames_as, frame_index_file, doc_key, "
    "save_frames, question_field"
)


ONE_ROUND: Final = (
    "framesift_frames answers generate_until tasks only; choose the generation form of the task"
)


class FramesiftFrames(lmms):
    """A chat model of the harness that sees, of each video, the frames that a selector keeps.

    The inner model is built and asked as the harness does. Only the video items of its messages
    change, into lists of frames whose true times its processor is told, or into pictures each with
    its time as text. Frames are picked one request at a time, just before the model reads them.
    """

    is_simple = False

    def __init__(
        self,
        inner: str,
        inner_args: str | Mapping[str, Any] | None = None,
        *,
        selector: str = "keyframes",
        count: int = 32,
        fps: float = 1.0,
        max_side_px: int | None = None,
        frames_as: Literal["auto", "video", "images"] = "auto",
        frame_index_file: str | None = None,
        doc_key: str | None = None,
        save_frames: str | None = None,
        question_field: str = "question",
        **unknown: Any,
    ) -> None:
        """Builds the inner model.

        Args:
            inner: its id in the harness, such as `"qwen3_vl"`; it must be a chat model.
            inner_args: its own arguments, as a JSON object.
            selector: spec of a selector of framesift, such as `"uniform"`.
            count: frames of each video.
            fps: rate at which frames are sampled for the selector to choose among.
            max_side_px: longest side of the pictures; None for the display size.
            frames_as: `"video"` or `"images"`; `"auto"` is the first one where the inner model has
                a processor of its own, which can be given the times.
            frame_index_file: file of times to take instead of selecting, see `FrameIndexFile`.
            doc_key: field of a sample by which this file names it.
            save_frames: file that the times of the frames are added to.
            question_field: field of a sample that holds the question, for selectors that read it.
            unknown: batch size and device, which go to the inner model.

        Raises:
            InvalidOptionError: an argument is unknown or out of range, or the model no chat model.
        """
        super().__init__()
        refuse_unknown("framesift_frames", unknown, ARGUMENTS)
        if frames_as not in ("auto", "video", "images"):
            raise InvalidOptionError(f"frames_as={frames_as!r} must be auto, video or images")
        self._selection = FrameSelection(
            compressor=VideoCompressor(selector=unquoted(selector), fps=fps),
            count=count,
            max_side_px=max_side_px,
        )
        self._index = (
            None if frame_index_file is None else FrameIndexFile.read(frame_index_file, doc_key)
        )
        self._doc_key, self._save_frames = doc_key, save_frames
        self._question_field = question_field
        self._prompts = Prompts()
        self.inner = _inner_model(inner, {**unknown, **inner_arguments(inner_args)})
        self.inner.task_dict = self.task_dict
        is_timed = _pass_times(self.inner, self._prompts)
        if frames_as == "auto":
            frames_as = "video" if is_timed else "images"
        self.frames_as: FramesAs = frames_as

    def __getattr__(self, name: str) -> Any:
        """Returns what the harness looks for in a model, such as its device, of the inner one."""
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Hands the harness's hook on, since the inner model is what answers."""
        super().set_cache_hook(cache_hook)
        self.inner.set_cache_hook(cache_hook)

    def clean(self) -> None:
        """Frees the inner model."""
        self.inner.clean()
        super().clean()

    def generate_until(self, requests: Sequence[Any]) -> list[GenerationResult]:
        """Returns the inner model's answers, with the token counts that could be seen.

        Raises:
            InvalidOptionError: a request is not for a chat model, or the file names no frames.
            ModelError: the inner model drops the times of the frames.
            SourceError: a video cannot be brought.
            DecodeError: a file cannot be decoded.
        """
        self._prompts.counts.clear()
        chat_requests = [
            self._asking(number, ChatRequest.of(request, self.task_dict))
            for number, request in enumerate(requests)
        ]
        outputs = self.inner.generate_until(chat_requests)
        self._prompts.check_taken()
        return [self._counted(number, output) for number, output in enumerate(outputs)]

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Refuses, since the harness asks for likelihoods without messages."""
        raise NotImplementedError(ONE_ROUND)

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[str]:
        """Refuses, since rounds would select again each time."""
        raise NotImplementedError(ONE_ROUND)

    def _asking(self, number: int, request: ChatRequest) -> Any:
        """Returns the request with messages that select frames when the inner model wants them."""

        def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
            times = None
            if self._index is not None:
                times = self._index.seconds(request.task, doc, request.doc_id)

            def select(item: Message) -> SelectedFrames:
                return self._selection.frames(item, request.question(self._question_field), times)

            messages, selected = with_frames(request.messages, select, self.frames_as)
            self._note(number, request, selected)
            return messages

        return request.asking(doc_to_messages)

    def _note(self, number: int, request: ChatRequest, selected: Sequence[SelectedFrames]) -> None:
        if len(selected) > 1 and (self._index is not None or self._save_frames is not None):
            raise InvalidOptionError(
                f"sample {request.doc_id} of {request.task!r} has {len(selected)} videos, and a "
                "file of frames is for one; leave frame_index_file and save_frames out"
            )
        if self._save_frames is not None:
            for video in selected:
                name = request.doc_id if self._doc_key is None else request.doc[self._doc_key]
                append_frames(self._save_frames, request.task, name, video.seconds)
        self._prompts.expect(
            number,
            frames=sum(len(video.seconds) for video in selected),
            times=[video.seconds for video in selected] if self.frames_as == "video" else [],
        )

    def _counted(self, number: int, output: Any) -> GenerationResult:
        text, counted = unwrap_generation_output(output)
        counts = VisualTokenCounts() if counted is None else VisualTokenCounts(**counted.to_dict())
        if (seen := self._prompts.counts.get(number)) is not None:
            counts.frames, counts.visual_tokens = seen.frames, seen.visual_tokens
            counts.input_tokens = counts.input_tokens or seen.input_tokens
        return GenerationResult(text=text, token_counts=counts)


def _inner_model(name: str, arguments: dict[str, Any]) -> Any:
    """Returns a chat model of the harness, built with its own arguments.

    Raises:
        InvalidOptionError: it takes no messages, so that no video of it could be exchanged.
    """
    adapter = models.get_model(name)
    if adapter.is_simple:
        raise InvalidOptionError(
            f"inner={name!r} is not a chat model of lmms-eval, so its videos cannot be exchanged; "
            "choose one that is, such as qwen3_vl, llava_hf, internvl_hf or openai"
        )
    return adapter(**arguments)


def _pass_times(inner: Any, prompts: Prompts) -> bool:
    """Returns whether the model has processors, which from now on get the frames' times."""
    names = [name for name in PROCESSORS if callable(vars(inner).get(name))]
    for name in names:
        setattr(inner, name, TimedProcessor(vars(inner)[name], prompts))
    return bool(names)

"""From frames to answers: transformers' own path beside framesift's, in one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final

import torch

from framesift.answering.generation import Generation
from framesift.answering.session import Session
from framesift.errors import MissingDependencyError
from framesift.evaluation.gpu.clock import DeviceClock
from framesift.evaluation.gpu.models import BenchModel
from framesift.registry import require
from framesift.strategies.base import Strategy, create_strategy
from framesift.testing.samples import compressed
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo
from framesift.vlms.base import VLM, Turn

FIRST_TOKEN: Final = Generation(max_new_tokens=1)
ANSWER: Final = Generation(max_new_tokens=16)
Tried = Callable[[str, Callable[[], Any]], Any]
"""Returns what a named part measured; None where it failed."""
QUESTIONS: Final = ("What happens in the video?", "Which colors are in it?")


@dataclass(kw_only=True)
class BothPaths:
    """One video that is answered about in both ways."""

    clock: DeviceClock
    model: BenchModel
    vlm: VLM
    frames: Frames
    strategy: Strategy = field(default_factory=partial(create_strategy, "temporal"))

    @cached_property
    def encoder(self) -> Any:
        """The model's own tower and projector, fitted to the frames."""
        height, width = self.frames.data.shape[1:3]
        info = VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=float(len(self.frames)),
            start_seconds=0.0,
            frame_count=len(self.frames),
            average_fps=1.0,
            codec="none",
        )
        return self.vlm.encoder.fitted(info, len(self.frames))

    def encoded(self) -> VideoTokens:
        """Returns all tokens, with the signals that the strategy reads."""
        signals = self.strategy.required_signals & self.encoder.gives
        tokens: VideoTokens = self.encoder.encode(self.frames, signals)
        return tokens

    def reduced(self, tokens: VideoTokens, keep: float) -> CompressedVideo:
        """Returns the video with a share of its tokens."""
        budget = Budget(keep=keep).tokens(tokens.count)
        video = compressed(tokens, self.strategy.plan(tokens, budget))
        report = video.report.model_copy(update={"weights": self.vlm.weights})
        return replace(video, report=report)

    def first_token(self, keep: float) -> None:
        """Goes from frames to the first token of an answer, by framesift."""
        self.answered(self.reduced(self.encoded(), keep), FIRST_TOKEN)

    def answered(self, video: CompressedVideo, generation: Generation) -> None:
        """Answers the first question about a compressed video."""
        turns = [Turn(role="user", text=QUESTIONS[0], videos=(video,))]
        Session(self.vlm).answer(turns, generation=generation, evidence=None)

    def own_processor(self) -> Any:
        """Returns what prepares videos for the model in transformers.

        Raises:
            MissingDependencyError: it needs torchvision, which is not installed.
        """
        require("torchvision", extra="bench")
        kind = getattr(require("transformers", extra="hf"), self.model.processor)
        return kind.from_pretrained(self.vlm.model)

    def prepared(self, processor: Any, device: torch.device | None = None) -> dict[str, Any]:
        """Returns the pixels as transformers' own processor makes them."""
        where = {} if device is None else {"device": device}
        made = processor(videos=[self.frames.data], return_tensors="pt", **where)
        return dict(made)

    @cached_property
    def own_pixels(self) -> dict[str, Any]:
        """The arguments that hold the video, on the device."""
        try:
            made = self.prepared(self.own_processor(), self.clock.device)
        except MissingDependencyError:
            made = self._prepared_here()
        kept = ("pixel_values_videos", "video_grid_thw")
        to = {"device": self.clock.device}
        pixels = {name: value.to(**to) for name, value in made.items() if name in kept}
        pixels["pixel_values_videos"] = pixels["pixel_values_videos"].to(self.vlm.hf.dtype)
        return pixels

    @cached_property
    def own_inputs(self) -> dict[str, Any]:
        """The arguments of `generate` for the whole video: ids of the family's own prompt."""
        turns = [Turn(role="user", text=QUESTIONS[0], videos=(self.reduced(self.encoded(), 1.0),))]
        prompt = self.vlm.prompt(turns)
        ids = prompt.input_ids[None].to(self.clock.device)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), **self.own_pixels}
        if "video_grid_thw" in inputs:
            inputs["mm_token_type_ids"] = (ids == self.vlm.visual_id).long() * 2
            # The frames are a second apart.
            inputs["second_per_grid_ts"] = torch.tensor([float(self.encoder.frames_per_step)])
        return inputs

    @torch.no_grad()
    def own_answer(self, tokens: int) -> None:
        """Generates by the model itself, over all tokens of the video."""
        self.vlm.hf.generate(
            **self.own_inputs,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            do_sample=False,
            pad_token_id=0,
        )

    @torch.no_grad()
    def own_features(self) -> None:
        """Runs the tower and the projector alone, over all frames at once."""
        self.vlm.hf.base_model.get_video_features(**self.own_pixels)

    def _prepared_here(self) -> dict[str, Any]:
        """Returns the pixels as framesift prepares them, which equal those of the processor."""
        pixels = self.encoder.prepared(self.frames)
        vision = self.vlm.config.vision_config
        merge = getattr(vision, "spatial_merge_size", None)
        if merge is None:
            return {"pixel_values_videos": pixels[None]}
        patch, together = vision.patch_size, vision.temporal_patch_size
        steps = len(pixels) // together
        rows, columns = (side // patch for side in pixels.shape[-2:])
        cut = pixels.reshape(
            *(steps, together, pixels.shape[1]),
            *(rows // merge, merge, patch),
            *(columns // merge, merge, patch),
        )
        patches = cut.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(steps * rows * columns, -1)
        return {
            "pixel_values_videos": patches,
            "video_grid_thw": torch.tensor([[steps, rows, columns]]),
        }


def first_tokens(paths: BothPaths, keeps: Sequence[float], tried: Tried) -> dict[str, Any]:
    """Returns what both ways take from frames to the first token, stage by stage.

    Args:
        paths: one video.
        keeps: shares of its tokens.
        tried: runs a part that may fail by itself, such as one that a card is too small for.
    """
    clock, encoder, strategy = paths.clock, paths.encoder, paths.strategy
    title = f"{paths.model.published}, {len(paths.frames)} frames"
    tower = tried(f"{title}: tower alone", lambda: clock.seconds(paths.own_features))
    own = tried(f"{title}: own path", lambda: _own(paths))
    tokens = paths.encoded()
    encode = clock.seconds(paths.encoded, warm=False)
    own_seconds = own and own["seconds"]
    rows = [
        tried(f"{title}: keep {keep:g}", partial(_first_token, paths, tokens, keep, own_seconds))
        for keep in keeps
    ]
    return {
        "frames": len(paths.frames),
        "tokens": tokens.count,
        "own": own,
        "tower_seconds": tower,
        "preprocess_seconds": clock.seconds(partial(encoder.prepared, paths.frames)),
        "encode_seconds": encode,
        "encode_times_tower": tower and encode / tower,
        "strategy": strategy.spec,
        "rows": [row for row in rows if row is not None],
    }


def _own(paths: BothPaths) -> dict[str, Any]:
    """Returns what the own path takes, behind the quicker of the two ways to prepare pixels."""
    processing = _own_processing(paths)
    generate, peak = paths.clock.measured(partial(paths.own_answer, 1))
    quicker = min((seconds for seconds in processing.values() if seconds), default=0.0)
    return {
        **processing,
        "generate_seconds": generate,
        "seconds": generate + quicker,
        "peak_bytes": peak,
    }


def _first_token(
    paths: BothPaths, tokens: VideoTokens, keep: float, own_seconds: float | None
) -> dict[str, Any]:
    clock, budget = paths.clock, Budget(keep=keep).tokens(tokens.count)
    seconds, peak = clock.measured(partial(paths.first_token, keep))
    plan = partial(paths.strategy.plan, tokens, budget)
    read = partial(paths.answered, paths.reduced(tokens, keep), FIRST_TOKEN)
    return {
        "keep": keep,
        "tokens": budget,
        "plan_seconds": clock.seconds(plan, warm=False),
        "prefill_seconds": clock.seconds(read, warm=False),
        "seconds": seconds,
        "times_as_fast_as_own": own_seconds and own_seconds / seconds,
        "peak_bytes": peak,
    }


def _own_processing(paths: BothPaths) -> dict[str, float | None]:
    """Returns what transformers' own processor takes, on the CPU as usual and on the device."""
    try:
        processor = paths.own_processor()
    except MissingDependencyError:
        return {"processor_seconds": None, "processor_on_device_seconds": None}
    clock = paths.clock
    return {
        "processor_seconds": clock.seconds(lambda: paths.prepared(processor)),
        "processor_on_device_seconds": clock.seconds(
            lambda: paths.prepared(processor, clock.device)
        ),
    }

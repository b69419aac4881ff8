"""GLM-4.1V, GLM-4.5V and GLM-4.6V: the time of each step as text behind it, 3-D positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Literal, Self

from framesift.encoders.base import Encoder
from framesift.hf.checkpoint import load_json
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.types.video import VideoInfo
from framesift.vlms._qwen import QwenTower, QwenVLM
from framesift.vlms._qwen_pictures import QwenPicture, check_shape
from framesift.vlms.base import Block

PROCESSORS: Final = ("processor_config.json", "preprocessor_config.json", "tokenizer_config.json")
"""Files in which a checkpoint may name its processor, in the order in which they are read."""
SECONDS: Final = "Glm46VProcessor"
"""The processor of GLM-4.6V, which writes tenths of seconds; GLM-4.1V and 4.5V write whole ones."""


@dataclass(frozen=True, kw_only=True)
class GlmTower(QwenTower):
    """A tower on frames that are at most so long and narrow."""

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the encoder whose grid has the proportions of a video of so many frames.

        Raises:
            ModelError: the family takes no picture so long and narrow.
        """
        check_shape(self.vlm, info.height_px, info.width_px)
        return super().for_video(info, frames)


@dataclass(frozen=True, kw_only=True)
class Glm4V(QwenVLM):
    """GLM-4V: two sampled frames make one step, which is a picture of its own with its time behind.

    The tower joins four patches by a convolution. A step that loses all of its tokens loses its
    time and its marks of begin and end; the marks around the whole video stay. Tokens of videos
    stand at the placeholder of pictures, as in the family's own prompt.
    """

    summary: ClassVar[str] = "GLM-4.1V, 4.5V and 4.6V; times as text, 3-D positions"
    model_types: ClassVar[frozenset[str]] = frozenset({"glm4v", "glm4v_moe", "glm46v"})
    modality: ClassVar[Literal["image", "video"]] = "image"
    usual_size: ClassVar[dict[str, int]] = {
        "shortest_edge": 112**2,
        "longest_edge": 2 * 30_000 * 28**2,
    }
    counts_on_device: ClassVar[bool] = True
    plain_turns: ClassVar[bool] = True

    model: Reachable = "zai-org/GLM-4.1V-9B-Thinking"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and merger."""
        return GlmTower(vlm=self)

    @property
    def watched_layer(self) -> int:
        """The last layer of the tower."""
        return -1

    def picture_encoder(self, picture_px: tuple[int, int]) -> Encoder:
        """Returns the encoder for a picture, of the size that the image processor gives it.

        Raises:
            ModelError: the family takes no picture so long and narrow.
        """
        check_shape(self, *picture_px)
        step = self.frames_per_step
        size_px = self.picture_size_px(picture_px, frames=step, together=step)
        tower = GlmTower(vlm=self, exact_px=size_px)
        return QwenPicture(tower=tower, picture_px=picture_px)

    @property
    def item(self) -> Literal["image", "video"]:
        """The type of a video in messages, although its tokens stand where those of pictures do."""
        return "video"

    @property
    def placeholder(self) -> str:
        """The text that the chat template writes for a video."""
        return str(getattr(self.tokenizer, "video_token", "<|video|>"))

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each step, which has the time of its first frame."""
        times = video.frame_seconds.tolist()
        return [
            [
                Block(
                    frames=range(step, step + 1),
                    before="<|begin_of_image|>",
                    after=f"<|end_of_image|>{self._written(seconds)}",
                )
                for step, seconds in enumerate(times)
            ]
        ]

    def _written(self, seconds: float) -> str:
        return f"{seconds:.1f} seconds" if self._in_tenths else str(int(seconds + 1e-6))

    @cached_property
    def _in_tenths(self) -> bool:
        named = (load_json(self.model, name).get("processor_class") for name in PROCESSORS)
        own = next(filter(None, named), None)
        return bool(own == SECONDS if own else self.config.model_type == "glm46v")

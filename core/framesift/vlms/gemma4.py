"""Gemma 4: frames of any proportions, each after its time, 70 tokens or fewer each."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.borrowing import PackedFrames
from framesift.hf.frame_pixels import FramePixels
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Count, Reachable
from framesift.types.video import WHOLE, Region, VideoInfo
from framesift.vlms._family import FamilyVLM
from framesift.vlms._picture import PictureTower
from framesift.vlms._shuffled import ShuffledTower
from framesift.vlms.base import Block

FRAME_TOKENS: Final = (70, 140, 280, 560, 1120)
"""Most tokens of a frame that the family was trained on; a video has the first by default."""
VIDEO_TOKEN: Final = "<|video|>"
"""What the family's processor makes a special token, where the checkpoint has not."""


@dataclass(frozen=True, kw_only=True)
class Gemma4Tower(ShuffledTower):
    """A tower on frames of any proportions, of which squares of patches are averaged.

    A frame is scaled up or down until it has as many tokens as are allowed. It goes in without the
    empty patches by which the family's processor fills it up, and which no other patch sees.
    """

    vlm: Gemma4
    summary_token: ClassVar[int | None] = None
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None for a square one."""
    most_tokens: int | None = None
    """Most tokens of a frame; None for the rule of videos."""

    @property
    def side(self) -> int:
        """Patches on each side of a token."""
        side: int = self.vlm.config.vision_config.pooling_kernel_size
        return side

    @property
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)` of whole tokens in the proportions of the video."""
        unit, (rows, columns) = self.side * self.vlm.config.vision_config.patch_size, self.grid
        return rows * unit, columns * unit

    @property
    def grid(self) -> tuple[int, int]:
        """Grid `(h, w)` of the tokens."""
        most = self.most_tokens or self.vlm.frame_tokens
        return token_grid(*(self.picture_px or (1, 1)), most=most)

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the encoder whose grid has the proportions of a video."""
        return replace(self, picture_px=(info.height_px, info.width_px))

    @property
    def tower(self) -> Any:
        """The module of the tower, whose `config` names its attention function."""
        return self.vlm.hf.base_model.vision_tower

    @property
    def layer(self) -> Any:
        """The attention module of the last layer."""
        return self.tower.encoder.layers[-1].self_attn

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features `(T, N, D)` of frames `(T, 3, H, W)`, and the tower's `(T, L, Dv)`."""
        patches, places = self._cut(pixels)
        before: list[Tensor] = []
        hook = self.tower.encoder.register_forward_hook(
            lambda module, args, out: before.append(out.last_hidden_state)
        )
        try:
            out = self.vlm.hf.base_model.get_video_features(
                pixel_values_videos=patches,
                video_position_ids=places,
                num_frames_per_video=torch.tensor([len(patches)]),
                return_dict=True,
            )
        finally:
            hook.remove()
        return torch.cat(list(out.pooler_output)).unflatten(0, (len(patches), -1)), before[0]

    def run_at(self, pixels: Tensor, packing: PackedFrames) -> Tensor:
        """Returns what `run` gives of the tower, of the packed places alone, `(P, Dv)`."""
        patches, places = self._cut(pixels)
        nowhere = torch.zeros(patches.shape[:2], dtype=torch.bool, device=patches.device)
        encoder = self.tower.encoder
        hidden = packing.gather(self.tower.patch_embedder(patches, places, nowhere))
        turns = [packing.gather(turn) for turn in encoder.rotary_emb(patches, places)]
        where = packing.gather(places)
        for layer in encoder.layers:
            hidden = layer(hidden, position_embeddings=turns, position_ids=where)
        before: Tensor = hidden[0]
        return before

    def joined(self, squares: Tensor) -> Tensor:
        """Returns the features `(U, D)` of the patches of tokens, `(U, side * side, Dv)`."""
        tower, dtype = self.tower, squares.dtype
        pooled = squares.float().mean(1).to(dtype).float() * tower.pooler.root_hidden_size
        if tower.config.standardize:
            pooled = (pooled - tower.std_bias.float()) * tower.std_scale.float()
        features: Tensor = self.vlm.hf.base_model.embed_vision(inputs_embeds=pooled.to(dtype))
        return features

    def _cut(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the patches `(T, L, P)` of frames, and where they lie as (x, y), `(T, L, 2)`."""
        patch = self.vlm.config.vision_config.patch_size
        cut = pixels.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
        patches = cut.permute(0, 2, 4, 3, 5, 1)
        rows, columns = (torch.arange(count, device=pixels.device) for count in patches.shape[1:3])
        places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).flatten(0, 1)
        return patches.flatten(3).flatten(1, 2), places.expand(len(pixels), -1, -1)


@dataclass(frozen=True, kw_only=True)
class Gemma4Picture(PictureTower):
    """A picture as one view, of more tokens than a frame of a video has."""

    @property
    def views(self) -> list[Region]:
        """The whole picture."""
        return [WHOLE]

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as the one view, float32 `(1, 3, h, w)`."""
        settings = self.tower.vlm.image_processor.to_dict()
        pixels = FramePixels(settings=settings, resample=int(settings["resample"]))
        return pixels.pixels(image[None], [self.tower.size_px])


@dataclass(frozen=True, kw_only=True)
class Gemma4(FamilyVLM):
    """Gemma 4: one item for a video, in which each frame stands after its time as `01:30`.

    A frame that loses all of its tokens loses its time and its marks. In the larger models the
    tokens of a frame see one another in both directions. Most layers see a window of columns, 512
    or 1,024 in the published models: it counts the columns that are there, so that with fewer
    tokens a column sees further back in the video than in the whole prompt.
    """

    summary: ClassVar[str] = "Gemma 4; up to 70 tokens per frame of any proportions, times as text"
    model_types: ClassVar[frozenset[str]] = frozenset({"gemma4"})
    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 3
    plain_turns: ClassVar[bool] = True

    model: Reachable = "google/gemma-4-E4B-it"
    max_frame_tokens: Count | None = None
    """Most tokens of a frame or a picture before compression: 70, 140, 280, 560 or 1120; None for
    what the checkpoint says, else 70 of a frame."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_frame_tokens not in (None, *FRAME_TOKENS):
            raise InvalidOptionError(
                f"max_frame_tokens={self.max_frame_tokens!r} must be one of "
                f"{', '.join(map(str, FRAME_TOKENS))}, which the model was trained on"
            )

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and embedder."""
        return Gemma4Tower(vlm=self)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, to which the video is a special token.

        Raises:
            ModelError: the checkpoint has none, or one that lacks the model's visual token.
        """
        return self._own_tokenizer(VIDEO_TOKEN)

    @property
    def frame_tokens(self) -> int:
        """Most tokens of a frame.

        Raises:
            ModelError: the checkpoint names another number than the model was trained on.
        """
        settings = self.frame_pixels.settings
        # Settings of pictures, which are larger, stand where a checkpoint has none of videos.
        of_videos = None if "image_processor_type" in settings else settings.get("max_soft_tokens")
        return self._trained_on(of_videos or FRAME_TOKENS[0])

    @property
    def picture_tokens(self) -> int:
        """Most tokens of a picture, with the same error."""
        return self._trained_on(self.image_processor.max_soft_tokens)

    def _trained_on(self, tokens: Any) -> int:
        if self.max_frame_tokens is None and tokens not in FRAME_TOKENS:
            raise ModelError(
                f"{self.called!r} prepares pictures by max_soft_tokens={str(tokens)[:40]}; it must "
                f"be one of {', '.join(map(str, FRAME_TOKENS))}; take the preprocessor file that "
                "came with the model, or pass max_frame_tokens"
            )
        return self.max_frame_tokens or int(tokens)

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each frame."""
        start, end = self._marks
        seconds = [int(second + 1e-6) for second in video.frame_seconds.tolist()]
        return [
            [
                Block(
                    frames=range(frame, frame + 1),
                    before=(" " if frame else "") + f"{at // 60:02d}:{at % 60:02d} {start}",
                    after=end,
                )
                for frame, at in enumerate(seconds)
            ]
        ]

    def picture_encoder(self, picture_px: tuple[int, int]) -> Gemma4Picture:
        """Returns the encoder for a picture, with the tokens that the image processor gives it."""
        tower = Gemma4Tower(vlm=self, picture_px=picture_px, most_tokens=self.picture_tokens)
        return Gemma4Picture(tower=tower, picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with all tokens in one run."""
        start, end = self._marks
        return [[Block(frames=range(1), before=start, after=end)]]

    @property
    def _marks(self) -> tuple[str, str]:
        """What stands around the tokens of a frame or a picture."""
        start, end = (
            str(self.tokenizer.convert_ids_to_tokens(getattr(self.config, f"{name}_token_id")))
            for name in ("boi", "eoi")
        )
        return start, end

    def column_inputs(self, visual: Tensor) -> dict[str, Tensor]:
        """Returns 2 for each column that holds a visual token, else 0, int64 `(L,)`.

        The model makes no difference between videos, which are 2, and pictures.
        """
        return {"mm_token_type_ids": visual.to(torch.int64) * 2}


def token_grid(height: int, width: int, *, most: int) -> tuple[int, int]:
    """Returns the grid of tokens of a frame of so many pixels, `(rows, columns)`.

    It has the proportions of the frame and as many tokens as are allowed, as the family's processor
    finds it.

    Args:
        height: of the frame in pixels.
        width: of the frame in pixels.
        most: most tokens.
    """
    factor = math.sqrt(most / (height * width))
    rows, columns = math.floor(factor * height), math.floor(factor * width)
    if rows == 0:
        return 1, min(width // height, most)
    if columns == 0:
        return min(height // width, most), 1
    return rows, columns

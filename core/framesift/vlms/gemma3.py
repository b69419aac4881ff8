"""Gemma 3: frames as single pictures, whose tokens see one another in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.errors import ModelError
from framesift.hf.borrowing import PackedFrames
from framesift.hf.packed_tower import packed_states
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.vlms._family import FamilyVLM
from framesift.vlms._shuffled import ShuffledTower
from framesift.vlms.base import Block, Placeholder


@dataclass(frozen=True, kw_only=True)
class Gemma3Tower(ShuffledTower):
    """A SigLIP tower, of which squares of patches are averaged before they are projected."""

    summary_token: ClassVar[int | None] = None

    @property
    def side(self) -> int:
        """Patches on each side of a token.

        Raises:
            ModelError: there are fewer patches than tokens.
        """
        tokens: int = round(self.vlm.config.mm_tokens_per_image**0.5)
        if not 0 < tokens <= self._patches[0]:
            raise ModelError(
                f"{self.vlm.called!r} makes {tokens}x{tokens} tokens of {self._patches[0]} patches "
                "on each side of a frame; pass a checkpoint whose config.json fits its tower"
            )
        return self._patches[0] // tokens

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
        out = self.vlm.hf.base_model.get_image_features(pixel_values=pixels, return_dict=True)
        return out.pooler_output, out.last_hidden_state

    def run_at(self, pixels: Tensor, packing: PackedFrames) -> Tensor:
        """Returns what `run` gives of the tower, of the packed places alone, `(P, Dv)`."""
        before: Tensor = self.tower.post_layernorm(
            packed_states(self.tower, pixels, packing, [-1])[-1]
        )
        return before

    def joined(self, squares: Tensor) -> Tensor:
        """Returns the features `(U, D)` of the patches of tokens, `(U, side * side, Dv)`."""
        projector = self.vlm.hf.base_model.multi_modal_projector
        pictures = squares.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        pooled = projector.mm_soft_emb_norm(projector.avg_pool(pictures).flatten(1))
        features: Tensor = pooled @ projector.mm_input_projection_weight
        return features.type_as(squares)


@dataclass(frozen=True, kw_only=True)
class Gemma3(FamilyVLM):
    """Gemma 3: a video is its frames as pictures, with blank lines and marks around each.

    A frame that loses all of its tokens loses its marks and its lines. The tokens of one frame
    see one another in both directions, as many as are left. Most layers see a window of columns,
    1,024 in the published models: it counts the columns that are there, so that with fewer tokens
    a column sees further back in the video than in the whole prompt.
    """

    summary: ClassVar[str] = "Gemma 3; frames as images, 256 tokens each at 896 px"
    model_types: ClassVar[frozenset[str]] = frozenset({"gemma3"})
    modality: ClassVar[Literal["image", "video"]] = "image"
    listed: ClassVar[bool] = False
    resample: ClassVar[int] = 2

    model: Reachable = "google/gemma-3-4b-it"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector."""
        return Gemma3Tower(vlm=self)

    @property
    def placeholder(self) -> str:
        """The text that the chat template writes for a picture."""
        return str(getattr(self.tokenizer, "boi_token", "<start_of_image>"))

    @property
    def picture_placeholder(self) -> Placeholder:
        """What stands for a still picture, which is a video of one frame."""
        return self.video_placeholder

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns an item with one block for each frame.

        The lines between two frames go with the second one, so that a tokenizer may join them.
        """
        end = str(getattr(self.tokenizer, "eoi_token", "<end_of_image>"))
        count = len(video.frame_seconds)
        return [
            [
                Block(
                    frames=range(frame, frame + 1),
                    lead="" if frame else "\n\n",
                    before=("\n\n\n\n" if frame else "") + self.placeholder,
                    after=end,
                    tail="\n\n" if frame == count - 1 else "",
                )
            ]
            for frame in range(count)
        ]

    def column_inputs(self, visual: Tensor) -> dict[str, Tensor]:
        """Returns 1 for each column that holds a token of a picture, else 0, int64 `(L,)`."""
        return {"token_type_ids": visual.to(torch.int64)}

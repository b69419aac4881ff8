"""The contract of a vision LLM: reduced tokens go in where the whole video would have gone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.hf import checkpoint
from framesift.hf.chat_template import load_chat_template
from framesift.hf.checkpoint_files import called
from framesift.registry import Part
from framesift.strategies.base import Strategy
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.vlms._assembly import assembled
from framesift.vlms._in_llm import chosen_by, open_door
from framesift.vlms._layer_door import Choose, Door
from framesift.vlms._weights import shared_model
from framesift.vlms.knowledge import Knowledge
from framesift.vlms.layout import Block, Layout, Placeholder
from framesift.vlms.origin import fingerprint
from framesift.vlms.prompt import Prompt, Turn, collate

__all__ = ["VLM", "Block", "Layout", "Placeholder", "Prompt", "Turn", "collate"]


@dataclass(frozen=True, kw_only=True)
class VLM(Knowledge, Part):
    """A vision LLM of transformers; the instance is the configuration, weights load on first use.

    A family declares facts about itself and writes `encoder` and `blocks`. The prompt is the one
    that its own chat template and processor would make of the whole video; the columns of dropped
    tokens are then taken out, and the rest hold their positions. Visual tokens go in by
    `mm_encoder_outputs`, the door of every vision LLM of transformers: no model code is changed.
    """

    model_types: ClassVar[frozenset[str]] = frozenset()
    """Values of `model_type` in a config.json that this family reads."""
    modality: ClassVar[Literal["image", "video"]]
    """Under which name the model takes the visual tokens of a video."""
    listed: ClassVar[bool]
    """Whether the model takes them as a list of runs, else as one batch."""
    plain_turns: ClassVar[bool] = False
    """Whether the chat template takes turns without videos as strings, not as lists of parts."""

    model: Reachable
    """Hub id, or local folder of a checkpoint with safetensors weights and its processor files."""
    device: str | None = None
    """Where the model runs; None for the GPU where there is one, else the CPU. `"auto"` spreads a
    model over all GPUs that is too large for one."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the model computes in; `"auto"` is the checkpoint's on a GPU, float32 on a CPU."""
    quantize: Literal["8bit", "4bit"] | None = None
    """Weights of the LLM in fewer bits: by bitsandbytes on a GPU, by torchao on a CPU, where 4 bits
    take the memory of 8."""
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    """How transformers computes attention; what is kept, and evidence, are the same by all."""
    trust_remote_code: bool = False
    """Whether code that the checkpoint brings or names may run, and its template without bounds."""

    def __post_init__(self) -> None:
        checkpoint.main_place(self.device, self.dtype)

    @property
    def called(self) -> str:
        """What messages call the model: its hub id, or the name of its folder without the path."""
        return called(self.model)

    @property
    @abstractmethod
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector: features `(T, N, D)` in the LLM's space."""

    @property
    def placeholder(self) -> str:
        """The text that the chat template writes for one item of a video."""
        text: str = self.tokenizer.convert_ids_to_tokens(self.visual_id)
        return text

    @property
    def item(self) -> Literal["image", "video"]:
        """The type of each item of a video in the messages for a chat template."""
        return self.modality

    @abstractmethod
    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns the items that a chat template is given for a video, each with its blocks.

        Most families have one item for the whole video; frames as images are one item each.
        """

    @property
    def video_placeholder(self) -> Placeholder:
        """What stands for an item of a video in a prompt."""
        return Placeholder(
            item=self.item,
            text=self.placeholder,
            visual_id=self.visual_id,
            modality=self.modality,
        )

    @property
    def picture_placeholder(self) -> Placeholder:
        """What stands for a still picture in a prompt."""
        token = getattr(self.config, "image_token_id", self.visual_id)
        text = str(self.tokenizer.convert_ids_to_tokens(token))
        return Placeholder(item="image", text=text, visual_id=token, modality="image")

    @property
    def listed_names(self) -> frozenset[str]:
        """The names under which the model takes visual tokens as a list of runs."""
        names = [self.modality] if self.listed else []
        return frozenset([*names, *(["image"] if self.modality == "video" else [])])

    def picture_encoder(self, picture_px: tuple[int, int]) -> Encoder | None:
        """Returns the encoder for a still picture, as the model's own image processor prepares it.

        Args:
            picture_px: size `(H, W)` of the picture.

        Returns:
            An encoder that has `views`; None for a family that takes pictures as videos.
        """
        return None

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns the item of a still picture for a chat template, with the blocks of its views."""
        return self.blocks(video)

    def picture_lead(self, number: int) -> str:
        """Returns the text before a picture, whose number counts from 0 in a conversation."""
        return ""

    def template_for(self, videos: Sequence[CompressedVideo]) -> str:
        """Returns the template for a conversation that holds some videos and pictures."""
        return self.chat_template

    @cached_property
    def weights(self) -> str:
        """Digits that differ from checkpoint to checkpoint, also of the same name."""
        return fingerprint(self.model)

    @cached_property
    def hf(self) -> Any:
        """The model of transformers, whole and in evaluation mode.

        All who load the same weights in the same way share them while one of them holds them.

        Raises:
            ModelError: no such checkpoint, of another family, incomplete or unsafe to read.
        """
        model = shared_model(self)
        _ = self.weights  # of the files that were read, not of later ones
        return model

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer.

        Raises:
            ModelError: the checkpoint has none, or one that lacks the model's visual token.
        """
        return self._own_tokenizer()

    def _own_tokenizer(self, *special: str) -> Any:
        """Returns the checkpoint's tokenizer, to which some tokens that it has are special too."""
        tokenizer = checkpoint.load_tokenizer(self.model, self.trust_remote_code)
        if missing := [each for each in special if each not in tokenizer.get_added_vocab()]:
            tokenizer.add_tokens(missing, special_tokens=True)
        names = ("image_token_id", "video_token_id")
        ids = [self.visual_id, *(getattr(self.config, name, self.visual_id) for name in names)]
        checkpoint.check_vocabulary(self.model, self.config, tokenizer, ids)
        return tokenizer

    @cached_property
    def image_processor(self) -> Any:
        """The preprocessing that belongs to the vision tower.

        Raises:
            ModelError: the checkpoint does not say how pictures are prepared.
        """
        return checkpoint.load_image_processor(self.model, self.trust_remote_code)

    @cached_property
    def chat_template(self) -> str:
        """The template that turns a conversation into text.

        Raises:
            ModelError: the checkpoint has none.
        """
        return load_chat_template(self.model, self.tokenizer)

    @cached_property
    def config(self) -> Any:
        """The configuration of the model, read without its weights."""
        return checkpoint.load_config(self.model, self.model_types, self.trust_remote_code)

    @property
    def visual_id(self) -> int:
        """The token that is repeated for every visual token."""
        token: int = getattr(self.config, f"{self.modality}_token_id")
        return token

    @property
    def width(self) -> int:
        """Channels `D` of the LLM's space."""
        width: int = self.config.get_text_config().hidden_size
        return width

    @property
    def context_tokens(self) -> int:
        """Most columns that the LLM was made for."""
        length: int = self.config.get_text_config().max_position_embeddings
        return length

    def prompt(
        self,
        turns: Sequence[Turn],
        *,
        positions: Literal["auto", "original", "compact"] = "auto",
    ) -> Prompt:
        """Returns the prompt of a conversation, ready for an answer.

        Text is text: `<image>` or `<|im_end|>` in a turn are letters, never the model's own marks.

        Args:
            turns: the conversation so far, the user last.
            positions: `"original"` leaves every token where it stands in the prompt of the whole
                videos, `"compact"` counts what is left; `"auto"` is the first one, unless the
                LLM's context is too short for it, which becomes a warning.

        Raises:
            ModelError: tokens of another model, or text that is not made of characters.
        """
        return assembled(self, turns, positions)

    def original_positions(self, layout: Layout, videos: Sequence[CompressedVideo]) -> Tensor:
        """Returns the position of each column of the whole prompt, int64 `(L,)` or `(3, L)`."""
        return torch.arange(len(layout.ids))

    def column_inputs(self, visual: Tensor) -> dict[str, Tensor]:
        """Returns what the model takes of each column besides its id and position, `(L,)` by name.

        Args:
            visual: columns of the reduced prompt that hold a visual token, bool `(L,)`.
        """
        return {}

    def extra_features(self) -> Tensor:
        """Returns the visual tokens `(E, D)` that the family adds to each video (`Block.extra`)."""
        weight: Tensor = self.hf.get_input_embeddings().weight
        return weight[:0].detach()

    def added_features(self) -> Tensor:
        """Returns the visual tokens `(E, D)` of each run with `Block.extra`, also of a picture.

        They are `extra_features`, unless the family adds them to its pictures alone.
        """
        return self.extra_features()

    def in_llm(
        self, choose: str | Strategy | Choose = "fastv", *, layer: int = 2, keep: float = 0.5
    ) -> AbstractContextManager[Door]:
        """Gives a door in the LLM that lets only some visual tokens into its later layers.

        Within, in this thread, `hf.forward` and `hf.generate` drop the others at `layer`; a prompt
        starts with an empty cache. It works on top of a compressed prompt, and saves nothing before
        `layer`. Tokens that the family itself adds always stay.

        Args:
            choose: which tokens stay: a strategy for the inside of an LLM, or a function.
            layer: first decoder layer, from 0, that takes fewer tokens.
            keep: fraction of each prompt's visual tokens that stays, in (0, 1].

        Raises:
            BudgetError: `keep` is out of range.
            InvalidOptionError: the LLM has no such layer, or the strategy is for other tokens.
            ModelError: the LLM's attention is not `sdpa`, some of its layers carry a state instead
                of attending, or another door is open.
        """
        return open_door(
            self.hf,
            layer=layer,
            budget=Budget(keep=keep),
            choose=chosen_by(choose),
            placeholders={
                each.modality: each.visual_id
                for each in (self.picture_placeholder, self.video_placeholder)
            },
            added=self.added_features(),
        )

"""A tiny model of a family with what it made of a video, beside the ordinary path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from framesift.testing.samples import compressed, random_frames
from framesift.testing.tiny_vlms import TinyVLM
from framesift.types.compressed import CompressedVideo
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo
from framesift.vlms.base import VLM, Prompt, Turn
from framesift.vlms.load import load_vlm

QUESTION = "What is it?"
FRAMES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """How the ordinary path is asked about a video of which some tokens are left."""

    left: Tensor
    """Columns of the whole prompt that are left, bool `(L,)`."""
    inputs: dict[str, Any]
    """Arguments of the model."""
    shown: Tensor
    """Columns of its logits that are those of the columns left."""


class VLMCase:
    """A tiny model that is loaded, six frames of noise, and their tokens."""

    def __init__(self, tiny: TinyVLM, folder: Path) -> None:
        self.tiny, self.folder = tiny, folder
        tiny.build(folder)
        self.vlm = self.load(device="cpu")
        self.frames = random_frames(FRAMES, tiny.size_px)
        height, width = tiny.size_px
        self.info = VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=float(FRAMES),
            start_seconds=0.0,
            frame_count=FRAMES,
            average_fps=1.0,
            codec="none",
        )
        self.encoder = self.vlm.encoder.fitted(self.info, FRAMES)
        self.tokens = self.encoder.encode(self.frames)
        self.ordinary = tiny.ordinary(folder, self.frames, QUESTION)

    def load(self, **options: Any) -> VLM:
        """Returns the adapter, found by the checkpoint's model type, with the tiny's options."""
        return replace(load_vlm(str(self.folder), **options), **self.tiny.options)

    def plan(self, kept: Tensor) -> TokenPlan:
        """Returns the plan that keeps the tokens of these places."""
        per_frame = self.tokens.tokens_per_frame
        return TokenPlan.keep(kept, num_in=self.tokens.count, tokens_per_frame=per_frame)

    @property
    def whole(self) -> CompressedVideo:
        """The video with all its tokens."""
        return self.video(self.plan(torch.arange(self.tokens.count)))

    def video_of(self, tokens: VideoTokens) -> CompressedVideo:
        """Returns another video with all its tokens."""
        per_frame = tokens.tokens_per_frame
        every = torch.arange(tokens.count)
        return compressed(
            tokens, TokenPlan.keep(every, num_in=tokens.count, tokens_per_frame=per_frame)
        )

    def video(self, plan: TokenPlan) -> CompressedVideo:
        """Returns the video as a plan reduces it."""
        return compressed(self.tokens, plan)

    def prompt(self, *videos: CompressedVideo, text: str = QUESTION, **options: Any) -> Prompt:
        """Returns the prompt of one turn."""
        return self.vlm.prompt([Turn(role="user", text=text, videos=videos)], **options)

    @torch.no_grad()
    def logits(self, inputs: dict[str, Any]) -> Tensor:
        """Returns the logits `(1, L, V)` of the model."""
        logits: Tensor = self.vlm.hf(**inputs).logits
        return logits

    def generated(self, inputs: dict[str, Any]) -> Tensor:
        """Returns the eight tokens that the model answers with."""
        if "inputs_embeds" in inputs:
            return self._said(inputs)
        length = inputs["input_ids"].shape[1]
        ids: Tensor = self.vlm.hf.generate(
            **inputs, max_new_tokens=8, min_new_tokens=8, do_sample=False, pad_token_id=0
        )
        return ids[:, length:]

    def _said(self, inputs: dict[str, Any]) -> Tensor:
        """Returns the same of a prompt that is embedded, since not all models generate from one."""
        ends, ids = self.vlm.hf.generation_config.eos_token_id, []
        for _ in range(8):
            logits = self.logits(inputs)[:, -1]
            logits[:, ends] = -torch.inf
            ids.append(logits.argmax(-1, keepdim=True))
            more = {
                "inputs_embeds": self.vlm.hf.get_input_embeddings()(ids[-1]).detach(),
                "attention_mask": torch.ones_like(ids[-1]),
                "position_ids": inputs["position_ids"][..., -1:] + 1,
            }
            inputs = {
                name: torch.cat([value, more.get(name, torch.zeros_like(ids[-1]))], dim=-1)
                if value.ndim == 2 or name == "position_ids"
                else torch.cat([value, more[name]], dim=1)
                for name, value in inputs.items()
            }
        return torch.cat(ids, dim=1)

    def some(self, *, empty: int = 2, seed: int = 0) -> Tensor:
        """Returns the places of about a third of the tokens, none of them in one frame."""
        kept = torch.rand(self.tokens.count, generator=torch.Generator().manual_seed(seed)) < 0.35
        kept.view(self.tokens.frame_count, -1)[min(empty, self.tokens.frame_count - 1)] = False
        return kept.nonzero().flatten()

    @property
    def positions(self) -> Tensor:
        """The positions of the ordinary prompt."""
        given = self.ordinary.positions
        return torch.arange(len(self.ordinary.visual)) if given is None else given

    def reference(self, kept: Tensor) -> Reference:
        """Returns what the ordinary path makes of the video with tokens of these places alone."""
        ordinary, count, positions = self.ordinary, self.tokens.count, self.positions
        left = torch.ones_like(ordinary.visual)
        columns = ordinary.visual.nonzero().flatten()
        assert len(columns) == count, f"`ordinary` has {len(columns)} visual columns, not {count}"
        left[columns] = torch.zeros(count, dtype=torch.bool).index_fill_(0, kept, True)
        live = (kept // self.tokens.tokens_per_frame).unique()
        left &= (ordinary.frame_of_text < 0) | torch.isin(ordinary.frame_of_text, live)
        return self.left_of(ordinary.inputs, left, positions)

    def left_of(self, whole: dict[str, Any], left: Tensor, positions: Tensor) -> Reference:
        """Returns how a prompt is asked of which some columns are left.

        Args:
            whole: ordinary inputs, batch 1.
            left: columns that are left, bool `(L,)`.
            positions: of all columns, `(L,)` or `(3, L)`.
        """
        batch = positions[None] if positions.ndim == 1 else positions[:, None]
        if self.tiny.reference == "columns":
            types = ("token_type_ids", "mm_token_type_ids")
            given = {name: whole[name] for name in types if name in whole}
            inputs = {
                **{name: value[:, left] for name, value in given.items()},
                "inputs_embeds": self._embedded(whole)[:, left],
                "attention_mask": left[None, left].long(),
                "position_ids": batch[..., left],
            }
            return Reference(left=left, inputs=inputs, shown=torch.ones_like(left[left]))
        inputs = {**whole, "attention_mask": left[None].long(), "position_ids": batch}
        return Reference(left=left, inputs=inputs, shown=left)

    def _embedded(self, whole: dict[str, Any]) -> Tensor:
        """Returns what the LLM is given of ordinary inputs, with their pictures, `(1, L, D)`."""
        given: list[Tensor] = []

        def keep(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            given.append(kwargs["inputs_embeds"])

        hook = self.vlm.hf.get_decoder().register_forward_pre_hook(keep, with_kwargs=True)
        try:
            self.logits(whole)
        finally:
            hook.remove()
        return given[0]

    def with_marks(self, text: str) -> str:
        """Returns a text with the family's placeholder and special tokens filled in."""
        added = self.vlm.tokenizer.added_tokens_decoder.values()
        marks = "".join(token.content for token in added)
        return text.format(placeholder=self.vlm.placeholder, marks=marks)

    def words_of(self, ids: Tensor) -> str:
        """Returns the text of the tokens that are not special."""
        return str(
            self.vlm.tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def marks_of(self, prompt: Prompt) -> list[int]:
        """Returns the special tokens of a prompt, visual tokens left out."""
        added = torch.tensor([*self.vlm.tokenizer.added_tokens_decoder])
        ids = prompt.input_ids[~prompt.visual]
        return list(ids[torch.isin(ids, added)].tolist())


_CASES: dict[tuple[Any, Path], VLMCase] = {}
"""Loaded models by how they are built and for which run of pytest."""


class TinyModels:
    """Builds the tiny model that `tiny` describes, once for all tests."""

    tiny: ClassVar[TinyVLM]
    """How a tiny model of the family is built, and asked without framesift."""

    @pytest.fixture
    def tiny_vlm(self) -> TinyVLM:
        """The tiny model of `tiny`; override it with parameters to test several."""
        if not hasattr(self, "tiny"):
            pytest.fail(f"{type(self).__name__} must state a tiny model: tiny = TinyVLM(...)")
        return self.tiny

    @pytest.fixture
    def case(self, tiny_vlm: TinyVLM, tmp_path_factory: pytest.TempPathFactory) -> VLMCase:
        """The tiny model, loaded, with what it made of a video."""
        key = tiny_vlm.build, tmp_path_factory.getbasetemp()
        if key not in _CASES:
            _CASES[key] = VLMCase(tiny_vlm, tmp_path_factory.mktemp(tiny_vlm.family))
        return _CASES[key]

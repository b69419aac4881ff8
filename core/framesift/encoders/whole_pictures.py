"""Whole pictures and questions in the space that CLIP or SigLIP shares between them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal, Self

import torch
from torch import Tensor
from torch.nn.functional import normalize

from framesift.encoders._clip_text import text_tokens
from framesift.encoders._tower import BATCH
from framesift.encoders.base import Encoder
from framesift.errors import ModelError
from framesift.hf.checkpoint_files import TOKENIZERS, called
from framesift.hf.checkpoint_reading import cached_first, lacks
from framesift.hf.frame_pixels import FramePixels
from framesift.hf.model_use import alone_with, loaded_once, state_of
from framesift.hf.tower_checkpoint import load_tower, pair, placed, read_config
from framesift.hf.tower_memory import bytes_in_tower
from framesift.registry import require
from framesift.types.device import batch_that_fits, device_errors, in_batches
from framesift.types.frames import Frames
from framesift.types.options import Count, Reachable
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo

CURE: Final = "take a smaller batch_size, dtype='float16', or device='cpu'"
BICUBIC: Final = 3
"""Filter of pillow that both families resize with where the checkpoint names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What tells one family of two-tower models from another."""

    name: str
    """Class in transformers, less the `Model` or `Config` at its end."""
    tokenizer: str
    """Class in transformers that reads the checkpoint's `tokenizer.json`."""
    padded: bool
    """Whether texts are lower-case and filled up to the tower's length, as SigLIP was trained."""


FAMILIES: Final = MappingProxyType(
    {
        "clip": Family(name="CLIP", tokenizer="AutoTokenizer", padded=False),
        # The tokenizer of that name needs sentencepiece, and says not where its tokens stand.
        "siglip": Family(name="Siglip", tokenizer="PreTrainedTokenizerFast", padded=True),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class LoadedPair:
    """The two towers of a checkpoint, its tokenizer and how it prepares pictures."""

    model: Any
    tokenizer: Any
    pixels: FramePixels

    @torch.no_grad()
    def pictures(self, pixels: Tensor) -> Tensor:
        """Returns the embeddings of prepared pictures, of length 1, float32 `(T, D)`."""
        found = self.model.get_image_features(pixel_values=pixels.to(self.model.dtype))
        return normalize(found.pooler_output.float(), dim=-1)

    @torch.no_grad()
    def text(self, numbers: list[int]) -> Tensor:
        """Returns the embedding of the tokens of a text, of length 1, float32 `(D,)`."""
        ids = torch.tensor([numbers], device=self.model.device)
        found = self.model.get_text_features(input_ids=ids)
        return normalize(found.pooler_output.float(), dim=-1)[0]


@dataclass(frozen=True, kw_only=True)
class WholePictures(Encoder):
    """One token per frame: what the whole picture shows, comparable with a text.

    It is for whoever ranks frames; patches are what the encoders `clip` and `siglip` give.
    """

    model: Reachable
    """Hub id, or local folder of a whole CLIPModel or SiglipModel with its tokenizer."""
    family: Literal["clip", "siglip"]
    """Which of both it is."""
    crop: bool = False
    """Whether only the middle square is seen, as CLIP's own preparation has it; else the picture
    is squashed to a square."""
    device: str | None = None
    """Where the towers run; None for the GPU where there is one, else the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the towers compute in; `"auto"` is float16 on a GPU, else float32."""
    batch_size: Count | None = None
    """Frames that go through the tower at once; None for 16 on a CPU, on a GPU for what fits."""
    frame_px: tuple[int, int] | None = None
    """Size `(H, W)` of the video that it is fitted to."""

    def __post_init__(self) -> None:
        placed(self.device, self.dtype)

    @property
    def grid(self) -> tuple[int, int]:
        """One patch: the picture."""
        return 1, 1

    @property
    def channels(self) -> int:
        """Channels `D` of the shared space, read from the configuration."""
        text = self._config.text_config
        own = getattr(self._config, "projection_dim", None)
        return int(own or getattr(text, "projection_size", text.hidden_size))

    @property
    def reads_question(self) -> bool:
        """Always."""
        return True

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)` that the tower takes, before the crop."""
        return self._resized_px(self.frame_px or self._size_px)

    def fitted(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the encoder for one video: the size before the crop follows its shape."""
        return replace(self, frame_px=(info.height_px, info.width_px)) if self.crop else self

    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, 1, D)`, of length 1 and in float32, on the tower's device."""
        _ = self.wanted(signals)
        images, loaded = frames.data, self._loaded
        size_px = self._resized_px(images.shape[1:3])

        def look(part: slice) -> Tensor:
            pixels = loaded.pixels.pixels(images[part], [size_px], loaded.model.device)
            with alone_with(loaded.model):
                return loaded.pictures(self._middle(pixels))

        count, shrinks = self._at_once(images.shape[1:3]), self.batch_size is None
        with device_errors(loaded.model.device, f"encoding frames by {self.model!r}", CURE):
            seen = in_batches(len(images), count, look, may_shrink=shrinks)
        return VideoTokens(
            features=torch.cat(seen)[:, None],
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds),
        )

    def question_similarity(self, tokens: VideoTokens, question: str) -> Tensor:
        """Returns the cosine of each picture and a question, float32 `(T, 1)`."""
        loaded, kind = self._loaded, FAMILIES[self.family]
        tokenizer, config = loaded.tokenizer, loaded.model.config.text_config
        if kind.padded:
            # Such checkpoints name an end that their tokenizers do not have.
            numbers = text_tokens(tokenizer, question.lower(), config, model=self.model)
            numbers += [tokenizer.pad_token_id] * (config.max_position_embeddings - len(numbers))
        else:
            end = config.eos_token_id
            numbers = text_tokens(tokenizer, question, config, end=end, model=self.model)
        device = loaded.model.device
        with device_errors(device, "reading a question", CURE), alone_with(loaded.model):
            asked = loaded.text(numbers)
        return tokens.features.float() @ asked.to(tokens.features.device)

    def _resized_px(self, frame_px: tuple[int, int]) -> tuple[int, int]:
        """Returns the size `(H, W)` of a frame before the crop; its shape is kept for one."""
        (height, width), size = frame_px, self._size_px
        if not self.crop:
            return size
        shortest = min(height, width)
        return max(size[0], height * size[0] // shortest), max(size[1], width * size[1] // shortest)

    def _middle(self, pixels: Tensor) -> Tensor:
        height, width = self._size_px
        top, left = (pixels.shape[2] - height) // 2, (pixels.shape[3] - width) // 2
        return pixels[:, :, top : top + height, left : left + width]

    def _at_once(self, frame_px: tuple[int, int]) -> int:
        if self.batch_size is not None:
            return self.batch_size
        device, dtype = placed(self.device, self.dtype)
        vision = self._config.vision_config
        each = bytes_in_tower(vision, self._size_px, frame_px, dtype.itemsize)
        return batch_that_fits(torch.device(device), each, BATCH)

    @property
    def _size_px(self) -> tuple[int, int]:
        return pair(self._config.vision_config.image_size)

    @cached_property
    def _config(self) -> Any:
        read_config(self.model, frozenset({self.family}))
        kind = getattr(require("transformers", extra="hf"), f"{FAMILIES[self.family].name}Config")
        return cached_first(kind.from_pretrained, self.model)

    @property
    def _loaded(self) -> LoadedPair:
        where = placed(self.device, self.dtype)
        return _load(self.family, self.model, state_of(self.model), *where)


@lru_cache(maxsize=2)
def _load(family: str, model: str, state: Hashable, device: str, dtype: torch.dtype) -> LoadedPair:
    """Returns both towers, which stay loaded while they are among the last two that were used."""
    key = WholePictures, family, state, device, dtype
    loaded: LoadedPair = loaded_once(key, lambda: _read(family, model, device, dtype))
    return loaded


def _read(family: str, model: str, device: str, dtype: torch.dtype) -> LoadedPair:
    transformers, kind = require("transformers", extra="hf"), FAMILIES[family]
    read_config(model, frozenset({family}))
    if lacks(model, TOKENIZERS):
        raise ModelError(
            f"{called(model)!r} has no {' and no '.join(TOKENIZERS)}, so it cannot read questions; "
            "add the tokenizer files of the model to its folder"
        )
    config = cached_first(getattr(transformers, f"{kind.name}Config").from_pretrained, model)
    return LoadedPair(
        model=load_tower(model, f"{kind.name}Model", config=config, device=device, dtype=dtype),
        tokenizer=cached_first(
            getattr(transformers, kind.tokenizer).from_pretrained, model, trust_remote_code=False
        ),
        pixels=FramePixels.of(model, resample=BICUBIC),
    )

"""Lines of text and a question in the space of an embedding model, by its mean token."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from framesift.errors import ModelError
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import cached_first, in_one_line
from framesift.hf.letters import text_ids
from framesift.hf.model_use import alone_with, loaded_once, state_of
from framesift.hf.tower_checkpoint import load_tower, placed
from framesift.registry import require
from framesift.scorers._near_text import lines_of_each
from framesift.types.device import device_errors, in_batches
from framesift.types.video import TimedText

AT_ONCE: Final = 64
"""Lines that go through the model at once, those of like length together."""
LONGEST: Final = 512
"""Tokens of a line that are read where the model reads more."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class SentenceModel:
    """A text encoder of transformers with its tokenizer."""

    model: Any
    tokenizer: Any
    called: str

    def embedded(self, texts: Sequence[str]) -> Tensor:
        """Returns the mean of each text's last states, of length 1, float32 `(M, D)` on the CPU."""
        config = self.model.config
        longest = min(LONGEST, getattr(config, "max_position_embeddings", LONGEST))
        # Some count positions from behind the one that stands for padding.
        longest -= (getattr(config, "pad_token_id", 0) or 0) + 1
        ids = [text_ids(self.tokenizer, text, add_special_tokens=True) for text in texts]
        ids = [row[:longest] or [0] for row in ids]
        if max(map(max, ids)) >= config.vocab_size:
            raise ModelError(
                f"{self.called!r} has a vocabulary of {config.vocab_size}, and its tokenizer has "
                "higher numbers; pass a checkpoint whose files belong together"
            )
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))

        def embed(part: slice) -> Tensor:
            return self._embedded([ids[place] for place in order[part]])

        cure = "take a smaller model, or device='cpu'"
        with device_errors(self.model.device, "reading lines of text", cure):
            found = torch.cat(in_batches(len(ids), AT_ONCE, embed, may_shrink=True))
        return found[torch.tensor(order).argsort()]

    @torch.no_grad()
    def _embedded(self, ids: list[list[int]]) -> Tensor:
        width = max(map(len, ids))
        padded = [row + [0] * (width - len(row)) for row in ids]
        read = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        given = torch.tensor(padded).to(self.model.device)
        with alone_with(self.model), in_one_line(self.called, doing="run"):
            states = self.model(
                input_ids=given, attention_mask=read.to(given.device)
            ).last_hidden_state
        weight = read.to(states.device)[:, :, None].float()
        mean = (states.float() * weight).sum(1) / weight.sum(1)
        return normalize(mean, dim=-1).cpu()


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class SentenceSearch:
    """What a model makes of the lines near each candidate."""

    model: SentenceModel
    embedded: Tensor
    """Of each different line `(M, D)`."""
    rarity: Tensor
    """How few candidates have each line `(M,)`: 1 for one of them, near 0 for all."""
    near: list[list[int]]
    """The lines near each candidate."""

    def weights(self, question: str) -> Tensor:
        """Returns for each candidate the cosine of its line nearest to a question, by rarity.

        Float64 `(T,)`; 0 without a line, or with none that points where the question does.
        """
        asked = self.model.embedded([question])[0]
        alike = (self.embedded @ asked).double().clamp_min(0) * self.rarity
        return torch.tensor(
            [max(alike[numbers].tolist(), default=0.0) for numbers in self.near],
            dtype=torch.float64,
        )


def sentence_search(
    model: str, device: str | None, lines: tuple[TimedText, ...], pts_seconds: Tensor
) -> SentenceSearch:
    """Returns the lines near each candidate, embedded, which the next question reuses.

    Raises:
        ModelError: no such checkpoint, or it is not a text encoder.
    """
    return _search(model, state_of(model), device, lines, tuple(pts_seconds.tolist()))


@lru_cache(maxsize=4)
def _search(
    model: str,
    state: Hashable,
    device: str | None,
    lines: tuple[TimedText, ...],
    seconds: tuple[float, ...],
) -> SentenceSearch:
    loaded = _load(model, state, *placed(device, "auto"))
    number: dict[str, int] = {}
    for line in lines:
        number.setdefault(line.text, len(number))
    groups = lines_of_each(torch.tensor(seconds, dtype=torch.float64), lines)
    near = [sorted({number[lines[place].text] for place in group}) for group in groups]
    seen = torch.zeros(len(number), dtype=torch.float64)
    for numbers in near:
        seen[numbers] += 1
    count = float(len(seconds))
    rarity = torch.log1p(count / seen.clamp_min(1)) / math.log1p(count)
    return SentenceSearch(
        model=loaded, embedded=loaded.embedded(list(number)), rarity=rarity, near=near
    )


@lru_cache(maxsize=4)
def embedded_texts(
    model: str, device: str | None, texts: tuple[str, ...]
) -> tuple[SentenceModel, Tensor]:
    """Returns a model and what it makes of texts, `(M, D)`, which the next question reuses.

    Raises:
        ModelError: no such checkpoint, or it is not a text encoder.
    """
    loaded = _load(model, state_of(model), *placed(device, "auto"))
    return loaded, loaded.embedded(texts)


@lru_cache(maxsize=1)
def _load(model: str, state: Hashable, device: str, dtype: torch.dtype) -> SentenceModel:
    key = SentenceModel, state, device, dtype
    loaded: SentenceModel = loaded_once(key, lambda: _read(model, device, dtype))
    return loaded


def _read(model: str, device: str, dtype: torch.dtype) -> SentenceModel:
    transformers = require("transformers", extra="hf")
    config = cached_first(transformers.AutoConfig.from_pretrained, model, trust_remote_code=False)
    known = transformers.MODEL_MAPPING
    if type(config) not in known or not hasattr(config, "vocab_size"):
        raise ModelError(
            f"{called(model)!r} is a model of type {config.model_type!r}, which embeds no text; "
            "pass a text encoder, such as intfloat/multilingual-e5-small"
        )
    tokenizer = cached_first(
        transformers.AutoTokenizer.from_pretrained, model, trust_remote_code=False
    )
    architecture = known[type(config)].__name__
    read = load_tower(model, architecture, config=config, device=device, dtype=dtype)
    return SentenceModel(model=read, tokenizer=tokenizer, called=called(model))

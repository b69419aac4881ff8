"""Prompts that differ in their visual tokens alone, read by an LLM side by side.

What stands before the question is read once, for all questions about the same pictures:

    picture 1   <user> ■ ■ ■ ■ | What color is it? <assistant> | red
    picture 2   <user> ■ ■ ■ ■ | What color is it? <assistant> | red
                read once        read for each question          read for each wording
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from framesift.answering.batch import complete_batch
from framesift.answering.generation import Generation, end_tokens
from framesift.answering.limits import fitting_prompt
from framesift.hf.checkpoint_reading import in_one_line
from framesift.hf.growing_cache import Places, cache_bytes, empty_cache, state_layers
from framesift.hf.letters import text_ids
from framesift.hf.model_use import alone_with
from framesift.types.compressed import CompressedVideo
from framesift.types.device import device_errors
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Prompt, Turn, collate

CURE: Final = "read fewer of them at once"


class PromptBatch:
    """`B` pictures or videos of the same shape, each in a prompt of its own with the same text."""

    def __init__(
        self,
        vlm: VLM,
        video: CompressedVideo,
        features: Tensor,
        layers: Tensor | None = None,
        *,
        most_new_tokens: int = 64,
    ) -> None:
        """Takes the visual tokens; nothing is read yet.

        Args:
            vlm: what reads them.
            video: one of them, of which the others have the shape.
            features: visual tokens of all of them, `(B, M, D)`.
            layers: what deeper LLM layers add to these, `(B, M, Ld, D)`, where there are any.
            most_new_tokens: room that is left for an answer.
        """
        self.vlm: Final = vlm
        self._video: Final = video
        self._features: Final = features
        self._layers: Final = layers
        self._room: Final = most_new_tokens
        self._cache: Any = None
        self._places = Places()
        self._prefix = torch.zeros(0, dtype=torch.int64)
        self._whole: Prompt | None = None
        """The prompt of which every column is held."""

    def __len__(self) -> int:
        return len(self._features)

    @property
    def nbytes(self) -> int:
        """Bytes of the keys and values that are held now."""
        return cache_bytes(self._cache) + self._places.nbytes

    def forget(self) -> None:
        """Frees the keys and values; the next question reads the pictures again."""
        self._cache, self._prefix, self._whole = None, self._prefix[:0], None
        self._places.clear()

    def prompt(self, text: str) -> Prompt:
        """Returns the prompt of the first picture with a text behind it.

        Raises:
            BudgetError: it does not fit into the LLM's context.
        """
        turn = Turn(role="user", text=text, videos=(self._video,))
        return fitting_prompt(self.vlm, [turn], self._room, "auto")

    @torch.no_grad()
    def next_logits(self, prompt: Prompt, stop: int | None = None) -> Tensor:
        """Returns the logits `(B, V)` behind the first `stop` columns of a prompt, now all read.

        Args:
            prompt: what `prompt` gives.
            stop: columns that are read; None for all of them.
        """
        prefix, stop = prompt.prefix_length, len(prompt.input_ids) if stop is None else stop
        with self._working():
            self._read_pictures(prompt)
            logits = self._read(
                prompt.input_ids[prefix:stop], prompt.position_ids[..., prefix:stop], keep=1
            )
            self._whole = prompt if stop == len(prompt.input_ids) else None
            self._places.note(self._cache)
            return logits[:, -1]

    @torch.no_grad()
    def log_probability(self, prompt: Prompt, first: Tensor, ids: Sequence[int]) -> Tensor:
        """Returns the log-probability of an answer that ends, float32 `(B,)` on the CPU.

        Args:
            prompt: what `next_logits` has read to its end.
            first: the logits that it gave.
            ids: tokens of the answer, at least one, without what ends it.
        """
        held = len(prompt.input_ids)
        with self._working():
            self._places.cut(self._cache, held)
            new = torch.tensor(list(ids), dtype=torch.int64, device=prompt.input_ids.device)
            places = prompt.position_ids[..., -1:] + 1 + torch.arange(len(new), device=new.device)
            logits = torch.cat([first[:, None], self._read(new, places, keep=len(new))], dim=1)
            shares = logits.float().log_softmax(-1)
            said = shares[:, :-1].gather(-1, new.expand(len(self), -1)[..., None])[..., 0].sum(1)
            ends = torch.tensor(self._ends, dtype=torch.int64, device=new.device)
            return (said + shares[:, -1, ends].logsumexp(-1)).cpu()

    @torch.no_grad()
    def generate(self, prompt: Prompt, most_new_tokens: int) -> list[str]:
        """Returns what the model says behind a prompt to each picture, likeliest words first."""
        with self._working():
            self._read_pictures(prompt)
            ids = prompt.input_ids[None].expand(len(self), -1)
            inputs = {
                "input_ids": ids,
                "attention_mask": torch.ones_like(ids),
                "position_ids": self._spread(prompt.position_ids),
                "past_key_values": self._cache,
            }
            generation = Generation(max_new_tokens=most_new_tokens)
            said, _ = complete_batch(self.vlm.hf, self.vlm.tokenizer, inputs, generation)
            # A state has gone on from the prompt's end, and cannot be cut back to it.
            self._whole = None if state_layers(self.vlm.hf) else prompt
            return said

    @torch.no_grad()
    def logits_after(self, prompt: Prompt, texts: Sequence[Sequence[int]], keep: int = 1) -> Tensor:
        """Returns the last `keep` logits `(B, keep, V)` behind tokens of each prompt's own.

        Fewer tokens are filled up behind their last one, which nothing before it sees.

        Args:
            prompt: what `prompt` gives.
            texts: tokens behind each prompt, such as those of what it said.
            keep: at most as many as the fewest of these tokens.
        """
        lengths, device = torch.tensor([*map(len, texts)]), prompt.input_ids.device
        longest, shortest = int(lengths.max()), int(lengths.min())
        filled = [[*own, *[0] * (longest - len(own))] for own in texts]
        places = torch.arange(1, longest + 1, device=device)
        columns = len(prompt.input_ids) + longest
        if self._whole is not prompt:
            self.next_logits(prompt)
        with self._working():
            self._places.cut(self._cache, len(prompt.input_ids))
            out = self.vlm.hf(
                input_ids=torch.tensor(filled, device=device),
                attention_mask=torch.ones(len(self), columns, dtype=torch.int64, device=device),
                position_ids=self._spread(prompt.position_ids[..., -1:] + places),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=longest - shortest + keep,
            )
            ends = (lengths - shortest)[:, None] + torch.arange(keep)
            # Some families give the logits of all columns, whatever they are asked for.
            logits: Tensor = out.logits[:, -(longest - shortest + keep) :]
            return logits[torch.arange(len(self))[:, None], ends]

    @property
    def _ends(self) -> list[int]:
        """Returns the tokens by which an answer ends: the model's own, and a full stop."""
        stop = text_ids(self.vlm.tokenizer, ".")
        return [*end_tokens(self.vlm.hf, self.vlm.tokenizer), *(stop if len(stop) == 1 else [])]

    def inputs(self, prompt: Prompt, answer: Tensor) -> dict[str, Any]:
        """Returns the arguments of a forward pass over a prompt's last column and an answer.

        The columns before it are read, and stand in `past_key_values`.

        Args:
            prompt: what `prompt` gives.
            answer: tokens that follow it, int64 `(n,)`, maybe none.
        """
        last = len(prompt.input_ids) - 1
        self.next_logits(prompt, last)
        ids = torch.cat([prompt.input_ids[last:], answer])
        places = prompt.position_ids[..., -1:] + torch.arange(len(ids), device=ids.device)
        mask = torch.ones(len(self), last + len(ids), dtype=torch.int64, device=ids.device)
        return {
            "input_ids": ids[None].expand(len(self), -1),
            "attention_mask": mask,
            "position_ids": self._spread(places),
            "past_key_values": self._cache,
        }

    def _read_pictures(self, prompt: Prompt) -> None:
        """Has the columns before the question in the cache, and no others."""
        self._whole = None
        length = prompt.prefix_length
        prefix = prompt.input_ids[:length]
        if self._cache is not None and torch.equal(prefix, self._prefix):
            self._places.cut(self._cache, length)
            return
        self._cache = empty_cache(self.vlm.hf)
        self._places.clear()
        given = collate([self._pictured(prompt, row) for row in range(len(self))], pad_token_id=0)
        for name in given.keys() - {"mm_encoder_outputs"}:
            given[name] = given[name][..., :length]
        self.vlm.hf(**given, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._places.note(self._cache)
        self._prefix = prefix

    def _pictured(self, prompt: Prompt, row: int) -> Prompt:
        """Returns a prompt with the visual tokens of another picture."""
        features = prompt.features.clone()
        own = prompt.rows >= 0
        at = prompt.rows[own].to(features.device)
        features[own.to(features.device)] = self._features[row].to(features)[at]
        layers = None if self._layers is None else self._layers[row].to(features)[at]
        return replace(prompt, features=features, layers=layers)

    def _read(self, ids: Tensor, positions: Tensor, *, keep: int) -> Tensor:
        """Returns the logits `(B, keep, V)` of columns that follow those in the cache."""
        columns = self._cache.get_seq_length() + len(ids)
        mask = torch.ones(len(self), columns, dtype=torch.int64, device=ids.device)
        out = self.vlm.hf(
            input_ids=ids[None].expand(len(self), -1),
            attention_mask=mask,
            position_ids=self._spread(positions),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        logits: Tensor = out.logits[:, -keep:]
        return logits

    def _spread(self, positions: Tensor) -> Tensor:
        """Returns positions `(L,)` or `(3, L)` for each prompt, `(B, L)` or `(3, B, L)`."""
        return positions[..., None, :].expand(*positions.shape[:-1], len(self), -1)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Has the model alone, and turns what it raises into one line."""
        device, what = self.vlm.hf.device, f"{len(self)} prompts side by side"
        with (
            alone_with(self.vlm.hf),
            in_one_line(self.vlm.model, doing="run"),
            device_errors(device, what, CURE),
        ):
            yield

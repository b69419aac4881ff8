"""Whisper by transformers, from a checkpoint in safetensors."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from framesift.decoders.sound import RATE, Samples
from framesift.errors import ModelError
from framesift.hf.checkpoint import load_tokenizer, model_type
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import cached_first, in_one_line
from framesift.hf.generation_settings import plain_settings
from framesift.hf.model_use import alone_with
from framesift.hf.tower_checkpoint import load_tower
from framesift.readers._recognition import LANGUAGES, LONGEST_SECONDS, SPEECHLESS, UNSURE, Heard
from framesift.registry import require
from framesift.types.device import batch_that_fits, device_errors, in_batches

START: Final = "<|startoftranscript|>"
TASK: Final = "<|transcribe|>"
NO_TIMES: Final = "<|notimestamps|>"
"""The special token before those of times; before it stands the one of no speech."""
HEARD_PER_SECOND: Final = 50
"""Places of the encoder, and tokens of times, for a second of sound."""
PLACES: Final = round(LONGEST_SECONDS * HEARD_PER_SECOND)
"""Places of the encoder of every Whisper."""
MULTILINGUAL_ROWS: Final = 51_865
"""Size of the vocabulary from which Whisper knows other languages than English."""
LATEST_START: Final = 50
"""The latest time at which the first line may begin, as a token of times; as Whisper's authors."""
NO_REPEAT: Final = 3
"""Tokens that may not come twice in a row of the same, where nothing may be repeated."""
MOST_AT_ONCE: Final = 16
STATES: Final = 12
"""States of the width of the model that one place of the encoder takes while it is computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The special tokens of a Whisper."""

    start: int
    task: int | None
    """What asks for the words that are said; None where only English is understood."""
    no_times: int
    languages: dict[str, int]
    """By code; empty where only English is understood."""

    @property
    def first_time(self) -> int:
        """The token of the time 0."""
        return self.no_times + 1


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Whisper:
    """A loaded Whisper with its tokenizer."""

    model: Any
    tokenizer: Any
    features: Any
    """Makes spectrograms of sound."""
    marks: Marks
    called: str

    @property
    def languages(self) -> frozenset[str]:
        """Codes of what it understands."""
        return frozenset(self.marks.languages or {"en"})

    @property
    def at_once(self) -> int:
        """Stretches that go through it together: one on a CPU, where more are no faster."""
        config = self.model.config
        states = (STATES + 2 * config.decoder_layers) * PLACES * config.d_model
        size = self.model.dtype.itemsize
        return min(MOST_AT_ONCE, batch_that_fits(self.model.device, states * size, usual=1))

    def hear(
        self, stretches: Sequence[Samples], language: str | None, *, varied: bool = False
    ) -> list[list[Heard]]:
        """Returns the lines of each stretch, in time order."""

        def hear(part: slice) -> list[list[Heard]]:
            return self._hear(stretches[part], language, varied)

        cure = "take a smaller model, or device='cpu'"
        with device_errors(self.model.device, "hearing speech", cure):
            batches = in_batches(len(stretches), max(1, self.at_once), hear, may_shrink=True)
        return [lines for batch in batches for lines in batch]

    @torch.no_grad()
    def _hear(
        self, stretches: Sequence[Samples], language: str | None, varied: bool
    ) -> list[list[Heard]]:
        with alone_with(self.model), in_one_line(self.called, doing="run"):
            spectra = self.features(list(stretches), sampling_rate=RATE, return_tensors="pt")
            given = spectra.input_features.to(self.model.device, self.model.dtype)
            encoded = self.model.get_encoder()(given)
            start = torch.full((len(given), 1), self.marks.start, device=given.device)
            first = self.model(encoder_outputs=encoded, decoder_input_ids=start).logits[:, -1]
            speechless = first.float().softmax(-1)[:, self.marks.no_times - 1].tolist()
            prompt = self._prompt(start, first, language)
            chosen = _ChosenTokens()
            written = self._written(encoded, prompt, chosen, varied)
        surest = chosen.log_probabilities()
        found = []
        for row, samples in enumerate(stretches):
            tokens = written[row, prompt.shape[1] :].tolist()
            lines = self._lines(tokens, surest[row], len(samples) / RATE)
            certain = sum(line.confidence for line in lines) / max(1, len(lines))
            found.append([] if speechless[row] > SPEECHLESS and certain < UNSURE else lines)
        return found

    def _prompt(self, start: Tensor, first: Tensor, language: str | None) -> Tensor:
        """Returns the tokens `(B, P)` that say in which language each stretch is to be written."""
        if self.marks.task is None:
            return start
        ids = torch.tensor(list(self.marks.languages.values()), device=start.device)
        spoken = ids[first[:, ids].argmax(-1)][:, None]
        if language is not None:
            spoken = torch.full_like(start, self.marks.languages[language])
        return torch.cat([start, spoken, torch.full_like(start, self.marks.task)], dim=1)

    def _written(self, encoded: Any, prompt: Tensor, chosen: _ChosenTokens, varied: bool) -> Tensor:
        """Returns the tokens `(B, L)` that the model writes after the prompt, the prompt before.

        Whisper's own `generate` goes on where a last line is not finished; here sound is cut where
        nobody speaks, so that one pass is enough and an unfinished line is kept.
        """
        transformers = require("transformers", extra="hf")
        settings = deepcopy(self.model.generation_config)
        settings.update(
            do_sample=False,
            num_beams=1,
            max_length=self.model.config.max_target_positions,
            no_repeat_ngram_size=NO_REPEAT if varied else None,
            decoder_start_token_id=self.marks.start,
        )
        settings.no_timestamps_token_id = self.marks.no_times
        settings.max_initial_timestamp_index = LATEST_START
        times = transformers.WhisperTimeStampLogitsProcessor(settings, begin_index=prompt.shape[1])
        processors = transformers.LogitsProcessorList([times, chosen])
        written: Tensor = transformers.GenerationMixin.generate(
            self.model,
            encoder_outputs=encoded,
            decoder_input_ids=prompt,
            generation_config=settings,
            logits_processor=processors,
        )
        return written

    def _lines(self, tokens: list[int], surest: list[float], seconds: float) -> list[Heard]:
        """Returns the lines that tokens of text between tokens of times are."""
        end_token = self.model.generation_config.eos_token_id
        lines, start, ids, certain = list[Heard](), 0.0, list[int](), list[float]()

        def close(end: float) -> None:
            if ids:
                text = self.tokenizer.decode(ids, skip_special_tokens=True)
                mean = torch.tensor(certain).mean().exp().item()
                lines.append(Heard(start, max(start, end), text, min(1.0, mean)))
            ids.clear()
            certain.clear()

        for token, sure in zip(tokens, surest, strict=False):
            if token == end_token:
                break
            if token >= self.marks.first_time:
                time = min(seconds, (token - self.marks.first_time) / HEARD_PER_SECOND)
                close(time)
                start = time
            else:
                ids.append(token)
                certain.append(sure)
        close(seconds)
        return lines


@dataclass(slots=True)
class _ChosenTokens:
    """Stands last among what changes scores, and keeps how probable each written token was."""

    steps: list[Tensor] = field(default_factory=list)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Returns the scores as they are; the token with the highest one is written."""
        self.steps.append(scores.float().log_softmax(-1).amax(-1))
        return scores

    def log_probabilities(self) -> list[list[float]]:
        """Returns the natural logarithms, one row for each stretch."""
        rows: list[list[float]] = torch.stack(self.steps, dim=1).tolist()
        return rows


def load_whisper(model: str, device: str, dtype: torch.dtype) -> Whisper:
    """Returns the Whisper of a folder or hub id.

    Raises:
        ModelError: there is no such checkpoint, it is not a Whisper, or files of it are missing.
    """
    transformers = require("transformers", extra="hf")
    if (kind := model_type(model)) != "whisper":
        raise ModelError(
            f"{called(model)!r} is a model of type {kind!r}, which hears no speech; pass a "
            "Whisper, such as openai/whisper-small, or a folder of one for faster-whisper"
        )
    config = cached_first(transformers.AutoConfig.from_pretrained, model)
    tokenizer = load_tokenizer(model, False)
    loaded = load_tower(
        model, "WhisperForConditionalGeneration", config=config, device=device, dtype=dtype
    )
    knows_others = getattr(loaded.generation_config, "is_multilingual", None)
    if not isinstance(knows_others, bool):
        knows_others = config.vocab_size >= MULTILINGUAL_ROWS
    marks = _marks(model, config, tokenizer, knows_others)
    loaded.generation_config = plain_settings(loaded.generation_config, config.vocab_size)
    with in_one_line(model):
        features = transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    return Whisper(
        model=loaded, tokenizer=tokenizer, features=features, marks=marks, called=called(model)
    )


def _marks(model: str, config: Any, tokenizer: Any, knows_others: bool) -> Marks:
    """Returns the special tokens, which the tokenizer has and the model has rows for.

    Raises:
        ModelError: some are missing.
    """
    with in_one_line(model):
        known = tokenizer.get_vocab()
    if config.max_source_positions != PLACES:
        raise ModelError(
            f"config.json of {called(model)!r} has max_source_positions="
            f"{config.max_source_positions}, and every Whisper has {PLACES}; take all files that "
            "came with the model"
        )
    last_time = known.get(NO_TIMES, config.vocab_size) + PLACES + 1
    if START not in known or last_time >= config.vocab_size:
        raise ModelError(
            f"{called(model)!r} has a vocabulary of {config.vocab_size}, which does not fit its "
            f"tokenizer: {START}, {NO_TIMES} and the {PLACES + 1} times behind it must be among "
            "them; take all files that came with the model"
        )
    codes = {code: known[f"<|{code}|>"] for code in LANGUAGES if f"<|{code}|>" in known}
    is_asked = knows_others and bool(codes) and TASK in known
    return Marks(
        start=known[START],
        task=known[TASK] if is_asked else None,
        no_times=known[NO_TIMES],
        languages=codes if is_asked else {},
    )

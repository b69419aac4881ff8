"""Reads what is said: Whisper hears the sound of a video, in windows cut where nobody speaks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Any, ClassVar, Final, Literal

import torch

from framesift.decoders.sound import Sound, sound
from framesift.hf.model_use import loaded_once, state_of
from framesift.hf.tower_checkpoint import placed
from framesift.readers._audio import stretches
from framesift.readers._faster_whisper import is_of_ctranslate2, load_faster_whisper
from framesift.readers._recognition import (
    LONGEST_SECONDS,
    Heard,
    Recognizer,
    check_language,
    check_understood,
    heard_without_loops,
)
from framesift.readers._whisper import load_whisper
from framesift.readers.base import Readable, Reader, Reading
from framesift.readers.pieces import Pieces
from framesift.run import progress_bar
from framesift.types.options import Count, Reachable, Share
from framesift.types.video import MAX_PIXELS, TimedText

VERSION: Final = 1
"""Of how stretches are heard; another one hears anew what was kept on disk."""
BEYOND_SECONDS: Final = 1.0
"""How far sound may reach beyond the pictures; what lies further off has a damaged time."""
Engine = Literal["transformers", "faster-whisper"]


@dataclass(frozen=True, kw_only=True)
class Speech(Reader):
    """Lines that a Whisper hears, each with its times and how sure the model is of it.

    Sound is decoded and heard a stretch at a time, so that memory does not grow with the video. It
    is cut where it is quiet, and silence is not heard at all. Nothing is drawn by lot, so the same
    sound gives the same lines.
    """

    summary: ClassVar[str] = "what is said, by a Whisper of transformers or faster-whisper"

    model: Reachable = "openai/whisper-small"
    """Hub id, or local folder, of a Whisper with safetensors weights and its tokenizer, or of one
    that was converted for faster-whisper."""
    engine: Engine | None = None
    """What runs the model; None for `faster-whisper` where its files or its hub id are made for it,
    else `transformers`."""
    language: str | None = None
    """What is spoken, as a code such as `"de"`; None to find it out for each stretch."""
    min_confidence: Share = 0.0
    """Lines of which the model is less sure are left out: its mean probability of a token."""
    device: str | None = None
    """Where the model runs; None for the GPU where there is one, else the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the model computes in; `"auto"` is float16 on a GPU, else float32."""
    batch_size: Count | None = None
    """Stretches that are heard at once by `transformers`; None for 1 on a CPU, on a GPU for what
    fits."""

    def __post_init__(self) -> None:
        check_language(self.language)

    @property
    def state(self) -> Hashable:
        """The model's files: another model in the same folder hears anew."""
        return state_of(self.model)

    def read(self, video: Readable) -> Reading:
        """Returns what is said in the part that was opened; a video without sound says nothing.

        Raises:
            ModelError: there is sound, and no such model, or not all of its files.
            MissingDependencyError: what runs the model is not installed.
            InvalidOptionError: the model does not understand `language`.
        """
        index = video.index
        if index.info.picture:
            return Reading(lines=())
        most = max(MAX_PIXELS, 2 * index.info.width_px * index.info.height_px)
        start, end = video.local.part_seconds or (0.0, math.inf)
        end = min(end, index.info.start_seconds + index.info.duration_seconds + BEYOND_SECONDS)
        pieces = sound(video.path, part_seconds=(start, end), max_pixels=most, warn=video.run.warn)
        lines: list[TimedText] = []
        with (
            video.run.timed("hear"),
            progress_bar("hear", total=max(0.0, end - start), unit="s") as bar,
        ):
            for batch in self._batches(stretches(pieces, LONGEST_SECONDS)):
                for stretch, heard in zip(batch, self._heard(batch, video.pieces), strict=True):
                    lines += self._timed(stretch, heard)
                bar.update(max(0.0, batch[-1].end_seconds - start - bar.done))
            bar.update(max(0.0, end - start - bar.done))
        return Reading(lines=tuple(lines))

    def _batches(self, heard: Iterator[Sound]) -> Iterator[list[Sound]]:
        """Yields stretches as many as go through the model together."""
        for first in heard:  # before there is a stretch, no model is loaded
            at_once = self.batch_size or self._loaded().at_once
            yield [first, *islice(heard, at_once - 1)]

    def _heard(self, batch: Sequence[Sound], pieces: Pieces) -> list[list[Heard]]:
        """Returns what is heard in each stretch; one that was heard before is not heard again."""
        how = VERSION, self._engine, state_of(self.model), self.dtype, self.language
        keys = [f"{how} {sha256(stretch.samples.data).hexdigest()}" for stretch in batch]
        kept = {key: pieces.get(key) for key in keys}
        new = {
            key: stretch.samples
            for key, stretch in zip(keys, batch, strict=True)
            if kept[key] is None
        }
        if new:
            found = heard_without_loops(self._loaded(), list(new.values()), self.language)
            for key, lines in zip(new, found, strict=True):
                kept[key] = [list(line) for line in lines]
                pieces.add(key, kept[key])
        return [[Heard(*line) for line in kept[key]] for key in keys]

    def _timed(self, stretch: Sound, heard: Sequence[Heard]) -> Iterator[TimedText]:
        """Yields lines on the clock of the video; what begins behind the stretch is made up."""
        for line in heard:
            text = " ".join(line.text.split())
            start = stretch.start_seconds + max(0.0, line.start_seconds)
            end = min(stretch.start_seconds + line.end_seconds, stretch.end_seconds)
            is_sure = line.confidence >= self.min_confidence
            if text and is_sure and start < stretch.end_seconds:
                yield TimedText(
                    start_seconds=round(start, 3),
                    end_seconds=round(max(start, end), 3),
                    text=text,
                    source="speech",
                    confidence=line.confidence,
                )

    @property
    def _engine(self) -> Engine:
        if self.engine is not None:
            return self.engine
        return "faster-whisper" if is_of_ctranslate2(self.model) else "transformers"

    def _loaded(self) -> Recognizer:
        device, dtype = placed(self.device, self.dtype)
        recognizer = _load(self._engine, self.model, state_of(self.model), device, dtype)
        check_understood(recognizer, self.language)
        return recognizer


@lru_cache(maxsize=1)
def _load(
    engine: Engine, model: str, state: Hashable, device: str, dtype: torch.dtype
) -> Recognizer:
    """Returns a model of speech, which stays loaded until another one is used."""
    load: Any = load_faster_whisper if engine == "faster-whisper" else load_whisper
    loaded: Recognizer = loaded_once(
        (engine, state, device, dtype), lambda: load(model, device, dtype)
    )
    return loaded

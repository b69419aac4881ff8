"""Whisper by faster-whisper, from files of CTranslate2."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from framesift.decoders.sound import RATE, Samples
from framesift.errors import ModelError
from framesift.hf.checkpoint_files import called, check_files
from framesift.hf.checkpoint_reading import in_one_line, reach_hub
from framesift.readers._recognition import LONGEST_SECONDS, Heard
from framesift.registry import require
from framesift.types.device import device_errors

WEIGHTS: Final = "model.bin"
VOCABULARIES: Final = ("vocabulary.txt", "vocabulary.json")
NEEDED: Final = ("config.json", "tokenizer.json", WEIGHTS)
NO_REPEAT: Final = 3
"""Tokens that may not come twice in a row of the same, where nothing may be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class FasterWhisper:
    """A loaded `WhisperModel`, which may be used by several threads."""

    model: Any
    called: str

    @property
    def languages(self) -> frozenset[str]:
        """Codes of what it understands."""
        return frozenset(self.model.supported_languages)

    @property
    def at_once(self) -> int:
        """Stretches that go through it together."""
        return 1

    def hear(
        self, stretches: Sequence[Samples], language: str | None, *, varied: bool = False
    ) -> list[list[Heard]]:
        """Returns the lines of each stretch, in time order."""
        cure = "take a smaller model, or device='cpu'"
        with (
            device_errors(self.model.model.device, "hearing speech", cure),
            in_one_line(self.called, doing="run"),
        ):
            return [self._lines(samples, language, varied) for samples in stretches]

    def _lines(self, samples: Samples, language: str | None, varied: bool) -> list[Heard]:
        # It would pad the spectrogram with zeros, which are loud: then it hears less well.
        rest = max(0, round(LONGEST_SECONDS * RATE) - len(samples))
        segments, _ = self.model.transcribe(
            np.pad(samples, (0, rest)),
            language=language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            no_repeat_ngram_size=NO_REPEAT if varied else 0,
        )
        return [
            Heard(each.start, each.end, each.text, min(1.0, math.exp(each.avg_logprob)))
            for each in segments
        ]


def is_of_ctranslate2(model: str) -> bool:
    """Returns whether a checkpoint is one of CTranslate2, by its files or by a hub id's name."""
    folder = Path(model)
    if folder.is_dir():
        return (folder / WEIGHTS).is_file() and not any(folder.glob("*.safetensors"))
    name = model.lower()
    return "faster" in name or name.endswith("-ct2")


def load_faster_whisper(model: str, device: str, dtype: torch.dtype) -> FasterWhisper:
    """Returns the model in a folder, or behind a hub id.

    Raises:
        ModelError: there is no such model, or files of it are missing.
        MissingDependencyError: faster-whisper is not installed.
    """
    library = require("faster_whisper", extra="speech")
    folder = Path(model) if Path(model).is_dir() else _fetched(library, model)
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in VOCABULARIES):
        missing.append(VOCABULARIES[0])
    if missing:
        raise ModelError(
            f"{called(model)!r} lacks {', '.join(missing)}; take all files that came with the "
            "model, or convert a Whisper by ct2-transformers-converter with --copy_files "
            "tokenizer.json preprocessor_config.json"
        )
    check_files(model, folder, trusted=False)
    kind = torch.device(device)
    weights = f"the weights of {called(model)!r}"
    with device_errors(device, weights, "take a smaller model"), in_one_line(model):
        loaded = library.WhisperModel(
            str(folder),
            device=kind.type if kind.type == "cuda" else "cpu",
            device_index=kind.index or 0,
            compute_type=str(dtype).removeprefix("torch."),
            local_files_only=True,
        )
    return FasterWhisper(model=loaded, called=called(model))


def _fetched(library: Any, model: str) -> Path:
    """Returns the folder of a model of the hub, which is fetched where it is not here."""
    with in_one_line(model):
        try:
            return Path(library.download_model(model, local_files_only=True))
        except OSError:
            reach_hub(model)
            return Path(library.download_model(model))

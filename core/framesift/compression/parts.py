"""The parts that a compressor's options name, made once and checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Final

from framesift.compression.kept_text import TextFolder
from framesift.compression.opening import Opener
from framesift.compression.reading import KEPT, KeptReadings, TextReading
from framesift.compression.text_places import TEXT
from framesift.decoders import registry as decoders
from framesift.decoders.base import Decoder
from framesift.decoders.stills import WithStills
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.readers.base import Reader, created_readers
from framesift.selectors import registry as selectors
from framesift.selectors.base import Selector
from framesift.strategies.base import Strategy, create_strategy
from framesift.types.options import ResizedBy
from framesift.types.video import MAX_PIXELS
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm

QUESTION_SIMILARITY: Final = "question_similarity"
"""The signal that depends on the question, and is found only where a strategy needs it."""


class Parts:
    """Strategy, encoder, selector, decoder, readers and vision LLM of one configuration.

    Each is given as a spec string or as an object. The vision LLM is loaded when it is needed: for
    its encoder where no other is named, else when it answers.
    """

    def __init__(
        self,
        strategy: str | Strategy,
        vlm: str | VLM | None,
        encoder: str | Encoder | None,
        selector: str | Selector,
        decoder: str | Decoder,
        text: str | Reader | Sequence[str | Reader] = "subtitles",
        text_folder: Path | None = None,
    ) -> None:
        """Makes the parts.

        Raises:
            SpecError: a name or an option does not exist.
            MissingSignalError: the strategy needs a signal that the encoder does not give.
        """
        self._vlm_name: Final = vlm
        self.strategy: Final = create_strategy(strategy)
        self.encoder: Final = self._encoder(encoder)
        self.readers: Final = created_readers(text)
        self._check_signals()
        self.selector: Final = selectors.create(selector)
        self.decoder: Final = decoders.create(decoder)
        self._text_folder: Final = None if text_folder is None else TextFolder(text_folder)

    def opener(self, limits: FetchLimits, site: SiteOptions, resized_by: ResizedBy) -> Opener:
        """Returns what opens videos and pictures; `limits` holds for a decoder without its own."""
        decoder = self.decoder
        if decoder.max_pixels is None and limits.max_pixels != MAX_PIXELS:
            decoder = replace(decoder, max_pixels=limits.max_pixels)
        videos = WithStills(videos=decoder)
        # What is asked to lie in a folder is not taken from a compressor that has none.
        kept = KEPT if self._text_folder is None else KeptReadings()
        reading = TextReading(readers=self.readers, folder=self._text_folder, kept=kept)
        return Opener(
            decoder=videos, limits=limits, site=site, resized_by=resized_by, reading=reading
        )

    @property
    def compares_question(self) -> bool:
        """Whether tokens are compared with the question before the strategy plans."""
        return QUESTION_SIMILARITY in self.strategy.required_signals - self.encoder.gives

    @property
    def places_text(self) -> bool:
        """Whether the strategy needs to know where on the frames text was read."""
        return TEXT in self.strategy.required_signals

    @cached_property
    def vlm(self) -> VLM | None:
        """The vision LLM, loaded with the first use."""
        return None if self._vlm_name is None else load_vlm(self._vlm_name)

    @property
    def answering_vlm(self) -> VLM:
        """The vision LLM that answers questions about the encoder's tokens.

        Raises:
            InvalidOptionError: there is none, or it cannot read the tokens.
        """
        if self.vlm is None:
            raise InvalidOptionError(
                "this VideoCompressor has no vlm to ask; give one, such as vlm='tiny'"
            )
        if self.encoder != self.vlm.encoder:
            raise InvalidOptionError(
                f"encoder={self.encoder.spec!r} makes tokens that {self.vlm.spec!r} cannot read; "
                "leave encoder out, so that the model's own tower is taken"
            )
        return self.vlm

    def _encoder(self, named: str | Encoder | None) -> Encoder:
        if named is not None or self.vlm is None:
            return encoders.create("handcrafted" if named is None else named)
        return self.vlm.encoder

    def _check_boxes(self) -> None:
        if not any(reader.gives_boxes for reader in self.readers):
            named = ", ".join(reader.spec for reader in self.readers) or "no reader"
            raise MissingSignalError(
                f"strategy {self.strategy.spec!r} keeps patches in which text was read, and "
                f"{named} does not say where; pass text='screen' (--text screen), which does",
                to_caller=f"strategy {self.strategy.spec!r} keeps patches in which text was read, "
                f"and {named} does not say where; have text read by 'screen' where that may be "
                "said, or take another strategy, such as 'temporal'",
            )

    def _check_signals(self) -> None:
        missing = self.strategy.required_signals - self.encoder.gives
        if self.compares_question and self.encoder.reads_question:
            missing -= {QUESTION_SIMILARITY}
        if self.places_text:
            missing -= {TEXT}
            self._check_boxes()
        if missing:
            needed = ", ".join(sorted(missing))
            raise MissingSignalError(
                _missing(self.strategy, self.encoder, sorted(missing)),
                to_caller=f"strategy {self.strategy.spec!r} needs {needed}, which the model here "
                "does not give; take another strategy, such as 'temporal'",
            )
        if self.strategy.needs_projector and not self.encoder.has_projector:
            raise MissingSignalError(
                f"strategy {self.strategy.spec!r} merges tokens before a projector that takes each "
                f"of them alone, which encoder {self.encoder.spec!r} has not; take a vlm of the "
                "LLaVA family, or stage=post"
            )


def _missing(strategy: Strategy, encoder: Encoder, signals: Sequence[str]) -> str:
    """Returns what to do where an encoder does not give the signals that a strategy needs."""
    givers = [name for name in encoders.names() if encoders.get(name).gives >= set(signals)]
    advice = f"use one that does: {', '.join(givers) or 'a vlm, and no encoder'}"
    if QUESTION_SIMILARITY in signals:
        advice = (
            "pass a vlm and no encoder, or encoder='clip' with the folder or hub id of a whole "
            "CLIPModel and its tokenizer"
        )
    if strategy.applies_to == "inside the LLM":
        advice = f"it works inside the LLM: with vlm.in_llm({strategy.spec!r})"
    return (
        f"strategy {strategy.spec!r} needs {', '.join(signals)}, which encoder {encoder.spec!r} "
        f"does not give; {advice}"
    )

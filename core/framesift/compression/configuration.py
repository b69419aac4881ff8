"""`Configuration`: the options of a compressor, and the steps that they make."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated

import torch

from framesift.compression.opening import Fps
from framesift.compression.parts import Parts
from framesift.compression.pipeline import Pipeline
from framesift.compression.stretches import Gate
from framesift.decoders.base import Decoder
from framesift.disk.writing import home_path
from framesift.encoders.base import Encoder
from framesift.errors import BudgetError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.readers.base import Reader
from framesift.selectors.base import Selector
from framesift.strategies.base import Strategy
from framesift.types.budget import Budget, Keep, MaxTokens
from framesift.types.options import Count, Levels, Options, Raises, ResizedBy, Still
from framesift.vlms.base import VLM


@dataclass(frozen=True, kw_only=True)
class Configuration(Options):
    """The options of a `VideoCompressor`, checked when it is made."""

    strategy: str | Strategy = "temporal"
    """Decides which tokens survive."""
    keep: Keep = 0.25
    """Fraction of the tokens kept."""
    max_tokens: MaxTokens = None
    """Most tokens kept; the smaller of this and `keep` wins."""
    vlm: str | VLM | None = None
    """Answers questions: a name, a hub id, a folder or a loaded model; None for no answers."""
    encoder: str | Encoder | None = None
    """Turns frames into tokens; None for the tower of `vlm`, or `"handcrafted"` without one."""
    selector: str | Selector = "keyframes"
    """Picks keyframes, and the frames to encode where `max_frames` is exceeded."""
    max_frames: Annotated[Count | None, Raises(BudgetError)] = None
    """Most frames that are encoded, None for all that were sampled."""
    gate: Levels | None = None
    """Change in levels of 256, such as 8, above which a patch is encoded again; None for always."""
    still: Still = "copied"
    """What a patch becomes that is not encoded again: a copy of its last token, or nothing."""
    resized_by: ResizedBy = "model"
    """What scales large frames down for `vlm`: its own preparation, or a faster decoder first."""
    decoder: str | Decoder = "pyav"
    """Reads the file."""
    text: str | Reader | Sequence[str | Reader] = "subtitles"
    """What reads the text that segments, selectors and `find` use: one reader or several."""
    text_folder: str | Path | None = None
    """Folder that keeps what was read, by content, so that cut-off work goes on; None for none."""
    fps: Fps = 1.0
    """Frames sampled per second of video."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    """What a download may cost and where it may go."""
    site: SiteOptions = field(default_factory=SiteOptions)
    """What is taken of the pages of video sites: language, height, and whose login is used."""

    def __post_init__(self) -> None:
        self.site.check(self.limits)
        _ = self._pipeline  # a wrong option is refused here, before any work

    @property
    def reads_question(self) -> bool:
        """Whether other tokens are kept for each question, by the strategy or the selector."""
        return self._pipeline.per_question is not None

    @property
    def answering_vlm(self) -> VLM:
        """The model that answers questions.

        Raises:
            InvalidOptionError: there is none, or `encoder` makes tokens that it cannot read.
        """
        return self._pipeline.parts.answering_vlm

    def unload(self) -> None:
        """Lets go of all parts and the weights that they hold; the next use makes them anew.

        Weights leave the memory, that of a GPU too, where nobody else holds them.
        """
        self.__dict__.pop("_pipeline", None)
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    @cached_property
    def _pipeline(self) -> Pipeline:
        folder = None if self.text_folder is None else home_path(self.text_folder, "text_folder")
        parts = Parts(
            self.strategy, self.vlm, self.encoder, self.selector, self.decoder, self.text, folder
        )
        return Pipeline(
            parts,
            parts.opener(self.limits, self.site, self.resized_by),
            Budget(keep=self.keep, max_tokens=self.max_tokens),
            fps=self.fps,
            max_frames=self.max_frames,
            gate=None if self.gate is None else Gate(levels=self.gate, still=self.still),
        )

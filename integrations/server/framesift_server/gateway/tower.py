"""A vision LLM on this machine, and the videos that it has compressed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from framesift import CompressedVideo, FetchLimits, Session, VideoCompressor
from framesift.errors import ModelError, UnknownNameError
from framesift.serving import VLM, Remembered
from framesift_server.gateway.chat_body import Video
from framesift_server.gateway.knobs import Knobs
from framesift_server.gateway.settings import GatewaySettings
from framesift_server.problems import ModelUnavailableError

KEPT: Final = 16
"""Compressed videos that are remembered."""


class Tower:
    """Loads a model once, and compresses each video once; threads may share it."""

    def __init__(self, model: str, settings: GatewaySettings) -> None:
        """Takes the model, which loads when it is first needed.

        Args:
            model: a name, hub id, folder or spec string.
            settings: of the gateway.
        """
        self._session, self._settings = Session(model), settings
        self._kept = Remembered(KEPT)
        self.name: Final = Path(model).name if Path(model).is_dir() else model
        """What clients call the model."""
        self.limits: Final = FetchLimits.untrusted(
            max_bytes=settings.max_fetch_bytes, max_pixels=settings.max_pixels
        )
        self.loaded = False
        self.failure: str | None = None
        """Why the model could not be loaded when it was last needed."""

    @property
    def vlm(self) -> VLM:
        """The model; the first access loads it.

        Raises:
            ModelUnavailableError: it cannot be loaded; says why.
        """
        try:
            vlm = self._session.vlm
        except (ModelError, UnknownNameError) as error:
            self.failure = f"{self.name!r} cannot be loaded: {error}"
            raise ModelUnavailableError(self.failure) from error
        self.loaded, self.failure = True, None
        return vlm

    def load(self) -> None:
        """Loads the model.

        Raises:
            ModelUnavailableError: it cannot be loaded; says why.
        """
        _ = self.vlm

    def compressed(self, video: Video, knobs: Knobs, question: str) -> CompressedVideo:
        """Returns the tokens of a video; takes its time where it was not seen before.

        Raises:
            FramesiftError: it cannot be had or read.
        """
        compressor = VideoCompressor(
            vlm=self.vlm,
            keep=knobs.keep,
            strategy=knobs.strategy,
            selector=knobs.selector,
            fps=video.media.fps or knobs.fps,
            max_frames=self._settings.max_frames,
            limits=self.limits,
        )
        facts = (knobs.keep, knobs.strategy, knobs.selector, compressor.fps)
        asked = question if compressor.reads_question else None
        if (known := self._kept.get(key := (video.key, *facts, asked))) is not None:
            return known  # type: ignore[no-any-return]
        with video.open(self.limits, synthetic=self._settings.allow_synthetic) as local:
            made = compressor.compress(local, asked)
        self._kept.keep(key, made)
        return made

"""The promises of every decoder, whatever library it reads with."""

from __future__ import annotations

from pathlib import Path

import pytest

from framesift.decoders import registry
from framesift.decoders.base import Decoder
from framesift.testing._decoder_damage import DamagePromises
from framesift.testing._decoder_pictures import PicturePromises
from framesift.testing._decoder_times import TimePromises
from framesift.testing._suite import PartPromises
from framesift.testing.videos import ODD_VIDEOS, write_video

_WRITTEN: dict[Path, dict[str, Path]] = {}
"""The files of `ODD_VIDEOS`, by run of pytest."""


class DecoderContract(PicturePromises, DamagePromises, TimePromises, PartPromises):
    """The frame that is shown at each time, and clear errors: what every decoder promises.

    class TestMine(DecoderContract):
        spec = "mine:option=1"  # or an instance, or a class that needs no options
    """

    registry = registry

    @pytest.fixture
    def decoder(self, part: Decoder) -> Decoder:
        """The decoder under test, as `part` makes it."""
        return part

    @pytest.fixture
    def odd_videos(self, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
        """The files of `ODD_VIDEOS`, written once for all tests."""
        base = tmp_path_factory.getbasetemp()
        if base not in _WRITTEN:
            folder = tmp_path_factory.mktemp("odd")
            made = {
                kind: write_video(folder / name, **how) for kind, (name, how) in ODD_VIDEOS.items()
            }
            _WRITTEN[base] = made
        return _WRITTEN[base]

"""Scores frames by how near a SigLIP finds the whole picture to the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.encoders.whole_pictures import WholePictures
from framesift.scorers._whole_picture import WholePictureScorer
from framesift.types.options import Reachable


@dataclass(frozen=True, kw_only=True)
class Siglip(WholePictureScorer):
    """The cosine of the picture's and the question's embedding.

    The picture is squashed to a square, as SigLIP was trained; the question is read in lower case.
    """

    summary: ClassVar[str] = "similarity of the whole picture and the question, by a SigLIP"

    model: Reachable = "google/siglip-so400m-patch14-384"
    """Hub id, or local folder of a whole SiglipModel with safetensors weights and its tokenizer."""

    @property
    def pictures(self) -> WholePictures:
        """What embeds the candidates."""
        return WholePictures(
            family="siglip",
            model=self.model,
            device=self.device,
            dtype=self.dtype,
            batch_size=self.batch_size,
        )

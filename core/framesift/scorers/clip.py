"""Scores frames by how near a CLIP finds the whole picture to the question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.encoders.whole_pictures import WholePictures
from framesift.scorers._whole_picture import WholePictureScorer
from framesift.types.options import Reachable


@dataclass(frozen=True, kw_only=True)
class Clip(WholePictureScorer):
    """The cosine of the picture's and the question's embedding, as BOLT and Q-Frame score frames.

    The whole picture counts, squashed to a square; CLIP's own preparation takes its middle, which
    `crop` does as well. BOLT multiplies the cosine by a constant, which changes no choice of its
    rule.
    """

    summary: ClassVar[str] = "similarity of the whole picture and the question, by a CLIP"

    model: Reachable = "openai/clip-vit-large-patch14"
    """Hub id, or local folder of a whole CLIPModel with safetensors weights and its tokenizer."""
    crop: bool = False
    """Whether only the middle square of the picture is seen, as CLIP was trained; what is at the
    sides of a wide picture does not count then."""

    @property
    def pictures(self) -> WholePictures:
        """What embeds the candidates."""
        return WholePictures(
            family="clip",
            model=self.model,
            crop=self.crop,
            device=self.device,
            dtype=self.dtype,
            batch_size=self.batch_size,
        )

"""How near whole pictures are to a question: what the scorers of CLIP and SigLIP share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from framesift.encoders.whole_pictures import WholePictures
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.options import Count, Reachable


@dataclass(frozen=True, kw_only=True)
class WholePictureScorer(Scorer):
    """The cosine of each picture and the question in a space that a model shares between both.

    Pictures are embedded once for a video, so that its next question costs one short text.
    """

    model: Reachable
    """Hub id, or local folder with safetensors weights and the tokenizer."""
    device: str | None = None
    """Where the model runs; None for the GPU where there is one, else the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What the model computes in; `"auto"` is float16 on a GPU, else float32."""
    batch_size: Count | None = None
    """Frames that are embedded at once; None for 16 on a CPU, on a GPU for what fits."""

    def __post_init__(self) -> None:
        _ = self.pictures

    @property
    @abstractmethod
    def pictures(self) -> WholePictures:
        """What embeds the candidates."""

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns the cosine of each picture and the question, rounded to 1e-6."""
        encoder = self.pictures
        tokens = candidates.tokens(encoder, frozenset(), places)
        near = encoder.asked(tokens, question).signals.question_similarity
        assert near is not None
        values = near[:, 0].cpu()
        reasons = (f"similarity {value:.3f} to the question" for value in values.tolist())
        return Scores(values=values, reasons=tuple(reasons))

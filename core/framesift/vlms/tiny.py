"""The embedded tiny model: it comes with the package and knows synthetic videos only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

from framesift.synthetic.replies import NOT_SHOWN
from framesift.types.options import Reaches
from framesift.vlms._llava import FramesAsImages
from framesift.vlms.knowledge import SYNTHETIC

FOLDER: Final = Path(__file__).parent / "tiny_weights"
"""Model, processor and model card, as transformers reads them."""


@dataclass(frozen=True, kw_only=True)
class Tiny(FramesAsImages):
    """A LLaVA model of four million parameters, trained on `synthetic://` videos and questions.

    The default of demos, tests and benchmarks: it loads in about a second and answers offline. It
    has never seen real footage; what it says about a real video means nothing, as each such answer
    says.
    """

    summary: ClassVar[str] = "4 M parameters, embedded; knows synthetic:// videos only"
    model_types: ClassVar[frozenset[str]] = frozenset({"llava"})
    trained_on: ClassVar[str | None] = SYNTHETIC
    denials: ClassVar[frozenset[str]] = frozenset({"no", NOT_SHOWN})
    refusals: ClassVar[frozenset[str]] = frozenset({NOT_SHOWN})

    model: Annotated[str, Reaches(shipped=(str(FOLDER),))] = str(FOLDER)
    """Folder of the model; another one that `framesift train tiny-vlm` made will do."""

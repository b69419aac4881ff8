"""Which frames a selector chose of a video, why, and what that cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from framesift.types.text import whole_characters


class SelectionReport(BaseModel):
    """The choice among candidate frames; JSON-safe."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    selector: str = Field(description="Spec string, options included.")
    question: Annotated[str, AfterValidator(whole_characters)] | None = Field(
        default=None, description="What the frames were chosen for, where the selector reads it."
    )
    candidate_seconds: list[float] = Field(description="Times of the frames that it chose among.")
    curve: list[float] | None = Field(
        default=None, description="Score of each candidate; None where only picks were judged."
    )
    picked: list[int] = Field(description="Places of the chosen frames among the candidates.")
    scores: list[float] = Field(description="Score of each chosen frame.")
    reasons: list[str] = Field(description="Why each frame was chosen.")
    ranks: list[int] | None = Field(
        default=None, description="In which order they were chosen, from 0 on."
    )
    frames_decoded: int = Field(default=0, ge=0, description="Frames decoded for the choice.")
    frames_encoded: int = Field(default=0, ge=0, description="Frames encoded for the choice.")
    calls: int = Field(
        default=0, ge=0, description="Frames, or questions, that a scoring model was run on."
    )
    seconds: float = Field(default=0.0, ge=0, description="Time of it all.")

    @model_validator(mode="after")
    def _is_aligned(self) -> SelectionReport:
        total, count = len(self.candidate_seconds), len(self.picked)
        if self.curve is not None and len(self.curve) != total:
            raise ValueError(f"curve has {len(self.curve)} scores for {total} candidates")
        if not count == len(self.scores) == len(self.reasons):
            raise ValueError("picked, scores and reasons must have one entry per frame")
        if any(not 0 <= place < total for place in self.picked):
            raise ValueError(f"picked {self.picked} must be places among {total} candidates")
        return self

    @property
    def picked_seconds(self) -> list[float]:
        """Times of the chosen frames."""
        return [self.candidate_seconds[place] for place in self.picked]

"""Scores frames by what a vision LLM says of each: whether it helps to answer the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Final

import torch
from PIL import Image
from torch import Tensor

from framesift.answering.each_alone import EachAlone
from framesift.answering.endpoint_judge import EndpointJudge
from framesift.answering.single_frames import AT_ONCE, SingleFrames
from framesift.errors import InvalidOptionError
from framesift.fetching.endpoint import KEY_VARIABLE, Endpoint
from framesift.fetching.side_by_side import side_by_side
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.compressed import jpeg
from framesift.types.options import Count, Reachable, Reaches
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm

TINY: Final = "tiny"
QUALITY: Final = 85
"""Of the JPEG files that are sent to an endpoint."""


@dataclass(frozen=True, kw_only=True)
class Vlm(Scorer):
    """The probability of True where a vision LLM says whether a frame helps to answer.

    Each frame is judged alone, as the labels of arXiv 2502.19680 are: with `explained`, as there,
    after the model has explained itself, which takes many times as long.
    """

    summary: ClassVar[str] = "True or False of each frame, by a vision LLM here or at an endpoint"

    model: Annotated[str, Reaches(shipped=(TINY,))] = TINY
    """A vision LLM: a name, a hub id or a folder; with `endpoint` its name there. The embedded tiny
    one was not taught to judge."""
    explained: bool = False
    """Whether a model on this machine explains itself first; one at an endpoint always does."""
    device: str | None = None
    """Where it runs; None for the GPU where there is one, else the CPU."""
    batch_size: Count = AT_ONCE
    """Frames that are judged side by side on this machine."""
    endpoint: Reachable | None = None
    """Address of an OpenAI-compatible server, such as `http://localhost:8000/v1`."""
    key_variable: Annotated[str, Reaches(shipped=(KEY_VARIABLE,))] = KEY_VARIABLE
    """Environment variable that holds the key of the endpoint."""
    concurrency: Count = 8
    """Requests to the endpoint in flight at once."""
    timeout_seconds: Count = 120
    """Longest wait for an answer of the endpoint."""
    max_side_px: Count = 768
    """Longest side of the pictures that are sent to the endpoint."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.endpoint is None:
            return
        if self.model == TINY:
            raise InvalidOptionError(
                "scorer 'vlm' with an endpoint needs the name of a model there; give model=NAME"
            )
        _ = self._judge

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns how sure the model is that each frame helps, in [0, 1]."""
        candidates.cost.calls += len(places)
        if self.endpoint is not None:
            return self._asked(candidates, question, places)
        encoder = EachAlone(inner=self.vlm.encoder)
        tokens = candidates.tokens(encoder, frozenset(), places)
        frames = SingleFrames(self.vlm, tokens, at_once=self.batch_size)
        values = frames.truth(question, explained=self.explained)
        return Scores(values=values, reasons=_reasons(values, [True] * len(values)))

    @cached_property
    def vlm(self) -> VLM:
        """The model on this machine, loaded with the first use.

        Raises:
            ModelError: it is out of reach, unsupported or incomplete.
        """
        return load_vlm(self.model, device=self.device)

    @cached_property
    def _judge(self) -> EndpointJudge:
        asked = Endpoint(
            self.endpoint or "",
            key_variable=self.key_variable,
            timeout_seconds=self.timeout_seconds,
        )
        return EndpointJudge(asked, self.model)

    def _asked(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns what the model behind the endpoint says of each frame."""
        pictures = [
            jpeg(Image.fromarray(data), quality=QUALITY)
            for window in candidates.pictures(places, self.max_side_px)
            for data in window.data
        ]
        judge = self._judge
        found = dict(
            side_by_side(
                lambda picture: judge.truth(picture, question), pictures, self.concurrency, "judge"
            )
        )
        verdicts = [found[number] for number in range(len(pictures))]
        values = torch.tensor([verdict.value for verdict in verdicts])
        return Scores(values=values, reasons=_reasons(values, [v.is_probability for v in verdicts]))


def _reasons(values: Tensor, by_probability: Sequence[bool]) -> tuple[str, ...]:
    return tuple(
        f"helps by {value:.2f}, as the model judges it"
        if sure
        else f"{'helps' if value else 'does not help'}, as the model says"
        for value, sure in zip(values.tolist(), by_probability, strict=True)
    )

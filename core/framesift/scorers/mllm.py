"""Scores frames by a network that was trained to: all frames and the question at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import torch
from torch import Tensor

from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.checkpoint_files import called
from framesift.hf.model_use import alone_with, loaded_once, state_of
from framesift.hf.tower_checkpoint import placed
from framesift.nn.frame_scorer_files import LoadedFrameScorer, load_frame_scorer
from framesift.nn.frame_scorer_input import (
    FrameScorerInput,
    question_ids,
    tower_features,
    tower_signals,
)
from framesift.run import stoppable
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.device import batch_that_fits, device_errors
from framesift.types.options import Count, Reaches, shown
from framesift.types.text import shown_address
from framesift.vlms.load import load_vlm
from framesift.vlms.origin import fingerprint

FOLDER: Final = Path(__file__).parent / "mllm_weights"
"""The selector that comes with framesift, trained with the embedded tiny model."""
ROWS_ON_CPU: Final = 4
STATES: Final = 24
"""Numbers of the width of the LLM that one column takes while a block runs, by estimate."""


@dataclass(frozen=True, kw_only=True)
class Mllm(Scorer):
    """The frame selector of arXiv 2502.19680.

    An LLM reads a few tokens of each frame, then the question; a network behind it says of each
    frame how likely it helps.

    It takes as many frames as it was trained for, or any number where it was trained so
    (`head=query_key`): more than it has ever read at once go in as several sparser runs. Of a fixed
    number a shorter video gets its frames repeated, and a longer one is refused.
    """

    summary: ClassVar[str] = "a small LLM that was trained to choose frames by a question"
    compares_all: ClassVar[bool] = True

    model: Annotated[str, Reaches(shipped=(str(FOLDER),))] = str(FOLDER)
    """Folder that `framesift train frame-selector` wrote; by default the one of the tiny model."""
    device: str | None = None
    """Where it runs; None for the GPU where there is one, else the CPU."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """What it computes in; `"auto"` is float16 on a GPU, float32 on a CPU."""
    batch_size: Count | None = None
    """Runs of frames that are read at once; None for what suits the device's memory."""

    def __post_init__(self) -> None:
        placed(self.device, self.dtype)

    @cached_property
    def loaded(self) -> LoadedFrameScorer:
        """The network, loaded once for all scorers with these options.

        Raises:
            ModelError: the folder does not hold one.
        """
        where, kind = placed(self.device, self.dtype)
        load = partial(load_frame_scorer, Path(self.model), device=where, dtype=kind)
        found: LoadedFrameScorer = loaded_once((state_of(self.model), where, kind), load)
        return found

    @cached_property
    def encoder(self) -> Encoder:
        """The frozen tower that the network was trained with.

        Raises:
            ModelError: it is not there, or has other weights than then.
        """
        tower = self.loaded.card.tower
        if tower.of_vlm:
            vlm = load_vlm(tower.encoder, device=self.device, dtype=self.dtype)
            made, weights = vlm.encoder, vlm.weights
        else:
            options = {} if self.device is None else {"device": self.device}
            made = encoders.create(tower.encoder, **options)
            weights = fingerprint(str(getattr(made, "model", "")))
        if weights != tower.fingerprint:
            raise ModelError(
                f"{called(self.model)!r} was trained with a {tower.encoder!r} of the fingerprint "
                f"{tower.fingerprint}, and it has {weights} now; take the weights that it was "
                "trained with, or train it again"
            )
        return made

    def limitation(self, uri: str) -> str | None:
        """Returns why scores of a video mean nothing: it is unlike all that training has shown."""
        known = self.loaded.card.trained_on
        if known is None or uri.lower().startswith(known):
            return None
        return (
            f"scorer 'mllm' was trained on {known} videos only, so its scores of "
            f"{shown_address(uri)!r} mean nothing; take another scorer, such as 'clip', or train "
            "one on your own (framesift train frame-selector)"
        )

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns how likely each frame helps to answer, in [0, 1]."""
        card, tokenizer = self.loaded.card, self.loaded.tokenizer
        runs = self._runs(len(places))
        text = question_ids(tokenizer, question, card.network.after)
        self._check_fits(len(text) - len(card.network.after), max(map(len, runs)), question)
        tokens = candidates.tokens(self.encoder, tower_signals(of_vlm=card.tower.of_vlm))
        features = tower_features(tokens, of_vlm=card.tower.of_vlm)
        network, values = self.loaded.network, torch.zeros(len(places))
        size = self.batch_size or batch_that_fits(
            network.query.device, self._bytes_of(max(map(len, runs)), len(text)), ROWS_ON_CPU
        )
        cure = "sample fewer frames, or pass batch_size=1 or device='cpu'"
        for start in stoppable(range(0, len(runs), size), "select"):
            part = runs[start : start + size]
            with (
                alone_with(network),
                device_errors(network.query.device, "scoring frames", cure),
                torch.no_grad(),
            ):
                logits = network(_read(part, features, text, network.query)).cpu()
            for row, run in zip(logits, part, strict=True):
                # Of a repeated frame the first place counts.
                first = [i for i, place in enumerate(run) if i == 0 or run[i - 1] != place]
                values[[run[i] for i in first]] = row[first]
            candidates.cost.calls += len(part)
        chances = values.double().sigmoid().mul(1e6).round().div(1e6).float()
        reasons = tuple(f"{chance:.0%} likely to help" for chance in chances.tolist())
        return Scores(values=chances, reasons=reasons)

    def _runs(self, count: int) -> list[list[int]]:
        """Returns which frames are read together; each run goes through the whole video."""
        network = self.loaded.card.network
        most = network.candidates
        if network.head == "mlp":
            if count > most:
                raise InvalidOptionError(
                    f"{called(self.model)!r} was trained for {most} candidate frames and the video "
                    f"has {count}; sample at a lower fps, or train one for any number "
                    "(--set head=query_key)"
                )
            return [[place * count // most for place in range(most)]]
        runs = -(-count // most)
        return [list(range(run, count, runs)) for run in range(runs)]

    def _check_fits(self, words: int, frames: int, question: str) -> None:
        """Refuses a question that the LLM has no places for, which would also take very long."""
        network = self.loaded.card.network
        places = self.loaded.network.llm.config.max_position_embeddings
        free = places - self._columns(frames, len(network.after))
        if words > free:
            raise InvalidOptionError(
                f"question={shown(question)} has {words:,} tokens, and scorer 'mllm' reads at most "
                f"{max(0, free):,} beside {frames} frames; shorten the question"
            )

    def _columns(self, frames: int, words: int) -> int:
        network = self.loaded.card.network
        return frames * network.frame_tokens + words + len(network.before) + 1

    def _bytes_of(self, frames: int, words: int) -> float:
        network = self.loaded.card.network
        columns = self._columns(frames, words)
        width = int(network.llm["hidden_size"])
        patches = frames * network.grid[0] * network.grid[1] * (network.tower_width + 2 * width)
        return self.loaded.network.query.element_size() * (STATES * columns * width + patches)


def _read(
    runs: Sequence[Sequence[int]], features: Tensor, text: Sequence[int], like: Tensor
) -> FrameScorerInput:
    """Returns runs of frames as rows, each with the same text behind it."""
    rows, most = len(runs), max(map(len, runs))
    seen = like.new_zeros(rows, most, *features.shape[1:])
    for row, run in enumerate(runs):
        seen[row, : len(run)] = features[list(run)].to(like)
    ids = torch.tensor(text, dtype=torch.int64, device=like.device)
    lengths = torch.full((rows,), len(text), device=like.device)
    return FrameScorerInput(
        features=seen,
        frames=torch.tensor([*map(len, runs)], device=like.device),
        text=ids.expand(rows, -1),
        lengths=lengths,
        asked=lengths,
    )

"""What the frame selector learns: to score frames, and to answer questions about them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_input import FrameScorerInput
from framesift.training import lora
from framesift.training.frame_selector.recipe import SelectorRecipe
from framesift.training.packing import IGNORED_LABEL


class SelectorTask(nn.Module):
    """A frame scorer with what its LLM needs to answer; each batch is one of the two lessons."""

    def __init__(
        self, network: FrameScorer, last_block: nn.Module, vocabulary: Tensor | None
    ) -> None:
        super().__init__()
        self.network = network
        self.last_block = last_block
        self.vocabulary: Tensor | None
        self.register_buffer("vocabulary", vocabulary, persistent=False)

    def forward(
        self,
        features: Tensor,
        frames: Tensor,
        text: Tensor,
        lengths: Tensor,
        asked: Tensor,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
        answers: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Returns the loss, and the logits `(B, T)` where frames are scored.

        Args:
            features: as in `FrameScorerInput`.
            frames: likewise.
            text: likewise.
            lengths: likewise.
            asked: likewise.
            labels: worth of each frame in [0, 1], `(B, T)`.
            weights: of each frame, 0 for padding and for repeated frames, `(B, T)`.
            answers: ids of `text` that must be foretold, others `IGNORED_LABEL`, `(B, Q)`.
        """
        given = FrameScorerInput(
            features=features, frames=frames, text=text, lengths=lengths, asked=asked
        )
        if answers is not None:
            return {"loss": self._answering(given, answers)}
        assert labels is not None
        assert weights is not None
        logits = self.network(given)
        missed = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        of_rows = (missed * weights).sum(1) / weights.sum(1)
        return {"loss": of_rows.mean(), "logits": logits}

    def _answering(self, given: FrameScorerInput, answers: Tensor) -> Tensor:
        read = self.network.read(given, with_query=False)
        states = self.last_block(inputs_embeds=read.states, use_cache=False).last_hidden_state
        start = read.visual + given.frames * self.network.config.frame_tokens
        places = start[:, None] + torch.arange(answers.shape[1], device=start.device) - 1
        wanted = answers != IGNORED_LABEL
        rows = torch.arange(len(answers), device=start.device)[:, None].expand_as(places)
        foretelling = states[rows[wanted], places[wanted]]
        table = self.network.llm.get_input_embeddings().weight
        logits = functional.linear(
            foretelling, table if self.vocabulary is None else self.vocabulary
        )
        return functional.cross_entropy(logits.float(), answers[wanted])


def freeze_for_stage_1(task: SelectorTask) -> None:
    """Leaves projector, score query and head to learn."""
    task.requires_grad_(False)
    for part in (task.network.projector, task.network.head):
        part.requires_grad_(True)
    task.network.query.requires_grad_(True)


def adapt_for_stage_2(task: SelectorTask, recipe: SelectorRecipe) -> None:
    """Adds LoRA to the LLM, which learns with score query and head, and the projector if wanted."""
    task.requires_grad_(False)
    task.network.llm = lora.adapted(task.network.llm, recipe)
    task.network.head.requires_grad_(True)
    task.network.query.requires_grad_(True)
    task.network.projector.requires_grad_(recipe.projector_in_stage_2)


def merged(task: SelectorTask) -> FrameScorer:
    """Returns the network with what its adapters have learned in its own weights."""
    task.network.llm = lora.merged(task.network.llm)
    return task.network

"""Second stage: projector and language model learn to answer; the tower stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from framesift.training._clips import Shard
from framesift.training._dialogs import UNASKED, Seen
from framesift.training._tower_stage import TowerTask

FRAMES_AT_ONCE = 256


class AnswerTask(nn.Module):
    """A LLaVA model that answers packed questions about videos given as tower features.

    The head that gives the next token shares the weights of the embedding.
    """

    def __init__(self, model: Any, user_id: int) -> None:
        super().__init__()
        self.projector = model.model.multi_modal_projector
        self.language_model = model.model.language_model
        self.user_id = user_id

    def forward(
        self, features: Tensor, text: Tensor, labels: Tensor, positions: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        """Returns the loss over the tokens of the answers, and the best guess at each column."""
        embed = self.language_model.get_input_embeddings()
        user = embed(text.new_full((len(text), 1), self.user_id))
        prompt = torch.cat([user, self.projector(features).to(user.dtype), embed(text)], dim=1)
        hidden = self.language_model(
            inputs_embeds=prompt, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        logits = functional.linear(hidden[:, 1 + features.shape[1] : -1], embed.weight).float()
        loss = functional.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=UNASKED
        )
        return {"loss": loss, "guess": logits.argmax(-1)}


@torch.no_grad()
def seen_clips(task: TowerTask, shards: Sequence[Shard]) -> list[Seen]:
    """Returns the tower's features of all clips, in half precision."""
    task.eval()
    clips = []
    for shard in shards:
        pixels = torch.tensor(shard.frames)
        features = torch.cat(
            [task.patches(part)[0].half() for part in pixels.split(FRAMES_AT_ONCE)]
        )
        clips += [
            Seen(
                features=features[clip.start : clip.start + len(clip.times_seconds)],
                times_seconds=clip.times_seconds,
                questions=clip.truth["questions"],
            )
            for clip in shard.clips
        ]
    return clips

"""What the TimePerceiver learns: tokens by which a vision LLM foretells answers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from framesift.nn.time_perceiver_files import SlowFastFilling
from framesift.training.packing import IGNORED_LABEL


class PerceiverTask(nn.Module):
    """A vision LLM that reads slow-fast tokens, whose temporal rows the network computes."""

    def __init__(
        self,
        filling: SlowFastFilling,
        language_model: nn.Module,
        head: nn.Module,
        extra: Tensor,
    ) -> None:
        """Takes the parts.

        Args:
            filling: the network, with the projector behind it if it is to learn.
            language_model: the LLM without its head.
            head: tells the next token.
            extra: tokens that the family adds to each video, `(E, D)`.
        """
        super().__init__()
        self.filling = filling
        self.language_model: Any = language_model
        self.head = head
        self.extra: Tensor
        self.register_buffer("extra", extra, persistent=False)
        # Checkpoints hold what learns, not the LLM, whose weights would even be there twice.
        this: Any = self
        this.register_state_dict_post_hook(_without_frozen)
        this.register_load_state_dict_post_hook(_without_missing)

    def forward(
        self,
        pooled: Tensor,
        frames: Tensor,
        live: Tensor,
        rows_at: Tensor,
        cells_at: Tensor,
        ids: Tensor,
        positions: Tensor,
        columns_at: Tensor,
        shown: Tensor,
        labels: Tensor,
        mask: Tensor,
    ) -> dict[str, Tensor]:
        """Returns the mean loss of `Q` labels and the best guess at each of them.

        Args:
            pooled: rows of means of each video, `(B, R, C)`.
            frames: tokens of each segment with temporal rows, `(S, F, N, C)`.
            live: which of these frames take part, bool `(S, F)`.
            rows_at: places of temporal rows in all `B * R` rows, int64 `(V,)`.
            cells_at: which of all `S * K` outputs each of them is, int64 `(V,)`.
            ids: of the prompts, `(B, L)`.
            positions: of their columns, `(B, L)`, or `(B, 3, L)` for M-RoPE.
            columns_at: places of visual tokens in all `B * L` columns, int64 `(W,)`.
            shown: which of all rows each of them is; those that the family adds count on.
            labels: ids that are to be foretold, else `IGNORED_LABEL`, `(B, L)`.
            mask: what each column may see, bool `(B, 1, L, L)`; or which columns are there, int64
                `(B, L)`, where each may see all before it.
        """
        tokens = self.tokens(pooled, frames, live, rows_at, cells_at)
        embedded = self.language_model.get_input_embeddings()(ids)
        if torch.is_autocast_enabled(ids.device.type):
            # Of a frozen LLM in half precision; small gradients would be lost in it.
            embedded = embedded.float()
        tokens = torch.cat([tokens, self.extra.to(tokens)]).to(embedded.dtype)
        embedded = embedded.flatten(0, 1).index_copy(0, columns_at, tokens[shown])
        states = self.language_model(
            inputs_embeds=embedded.view(*ids.shape, -1),
            attention_mask=mask,
            position_ids=positions if positions.ndim == 2 else positions.transpose(0, 1),
            use_cache=False,
        ).last_hidden_state
        wanted = labels[:, 1:] != IGNORED_LABEL
        logits = self.head(states[:, :-1][wanted]).float()
        loss = functional.cross_entropy(logits, labels[:, 1:][wanted])
        return {"loss": loss, "guess": logits.argmax(-1)}

    def tokens(
        self, pooled: Tensor, frames: Tensor, live: Tensor, rows_at: Tensor, cells_at: Tensor
    ) -> Tensor:
        """Returns what the LLM reads of each row, `(B * R, D)`; arguments as in `forward`."""
        rows = pooled.float().flatten(0, 1)
        # Also where no video has temporal rows: then the network learns nothing of this batch, but
        # still has gradients, without which it cannot go on.
        of_tokens = live[..., None].expand(frames.shape[:-1])
        computed = self.filling.perceiver(frames.float(), of_tokens).flatten(0, 1)
        rows = rows.index_put((rows_at,), computed[cells_at].to(rows))
        return self.filling.projected(rows)


def _without_frozen(
    task: nn.Module, state: dict[str, Tensor], prefix: str, local_metadata: dict[str, Any]
) -> None:
    """Leaves what learns in a state."""
    learned = {prefix + name for name in _learned(task)}
    for name in [name for name in state if name.startswith(prefix) and name not in learned]:
        del state[name]


def _without_missing(task: nn.Module, unfit: Any) -> None:
    """Leaves what learns among the weights that a state has not."""
    unfit.missing_keys[:] = [name for name in unfit.missing_keys if name in _learned(task)]


def _learned(task: nn.Module) -> set[str]:
    return {name for name, value in task.named_parameters() if value.requires_grad}

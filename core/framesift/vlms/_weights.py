"""The weights of vision LLMs in memory: one copy for all loads with the same options."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from framesift.hf import checkpoint
from framesift.hf.model_use import loaded_once, state_of

if TYPE_CHECKING:
    from framesift.vlms.base import VLM


def shared_model(vlm: VLM) -> Any:
    """Returns the model of a checkpoint; while it is referenced, the same one for the same options.

    A folder whose files have changed is loaded anew.

    Raises:
        ModelError: no such checkpoint, of another family, incomplete or unsafe to read.
    """
    _ = vlm.config  # which says whether the checkpoint is one of the family
    where, computing = checkpoint.main_place(vlm.device, vlm.dtype)
    of_checkpoint = vlm.dtype == "auto" and torch.device(where).type != "cpu"
    spread = vlm.device == checkpoint.SPREAD
    kind = of_checkpoint or computing, vlm.quantize, vlm.attention, vlm.trust_remote_code
    way = where, spread, *kind
    load = partial(
        checkpoint.load_model,
        vlm.model,
        vlm.model_types,
        device=vlm.device,
        dtype=vlm.dtype,
        quantize=vlm.quantize,
        trust_remote_code=vlm.trust_remote_code,
        attention=vlm.attention,
    )
    return loaded_once((state_of(vlm.model), *way), load)
